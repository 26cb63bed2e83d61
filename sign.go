package aplomb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Signer signs a request: package signature has HMAC, AWS Signature Version 4
// and HTTP Message Signatures (RFC 9421). r is a copy made for this attempt,
// with all that will be sent; its body is read through r.GetBody. now is
// [ServerTime].
type Signer interface {
	Sign(r *http.Request, now time.Time) error
}

// Sign has s sign every attempt, after everything else is on the request, so
// that a retry is signed anew and nothing is added that was not signed. If s has
// a method Check() error, New reports what it does.
func Sign(s Signer) Auth {
	if isNil(s) {
		return Auth{err: errors.New("aplomb: Sign: the Signer is nil: use one of package signature")}
	}
	if c, ok := s.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return Auth{err: fmt.Errorf("aplomb: Sign: %w", err)}
		}
	}
	return Auth{signs: true, Attach: func(r *http.Request) error { return s.Sign(r, ServerTime(r)) }}
}

// Reveal turns a source into a function that returns the bytes of its secret,
// for packages that know nothing of [Secret], such as signature, and for an
// [AuthFunc]. Asked with the context of the request that the secret goes into,
// it has a 401 told to the source.
//
//	aplomb.Sign(signature.SignedRequest(aplomb.Reveal(aplomb.Env("ACME_SECRET"))))
func Reveal(source SecretSource) func(ctx context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		if isNil(source) {
			return nil, nilSource("Reveal")
		}
		secret, err := ask(ctx, source)
		if err != nil {
			return nil, fmt.Errorf("aplomb: %w", err)
		}
		return []byte(secret.Reveal()), nil
	}
}

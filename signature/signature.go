package signature

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Signer signs requests. [HMAC], [AWS] and [MessageSignature] are signers.
type Signer interface {
	// Sign signs r as it is, so everything else must be in place. It may set
	// headers and, for [AWS], write the URL and the host in another form; hand
	// it a copy, made for this attempt. The body is read through r.GetBody and
	// r.Body is left alone. now is the server's time as well as the caller
	// knows it. Safe for concurrent use.
	Sign(r *http.Request, now time.Time) error
}

// A Verifier tells whether a request is signed by a known key. [HMAC] and
// [MessageSignature] are verifiers.
type Verifier interface {
	// Verify checks the signature of r, whose body has been read into body,
	// byte for byte as it came. Its error is [ErrSignature] or [ErrExpired]
	// where the request is to blame, and anything else where a key or the
	// description is. Safe for concurrent use.
	Verify(r *http.Request, body []byte, now time.Time) (Verified, error)
}

// Verified is what a good signature vouches for.
type Verified struct {
	// Key is the index of the key that matched, in the order they were given: a
	// rotation is done when the old one matches no more. It is -1 for a key that
	// [MessageSignature.Lookup] found.
	Key int
	// KeyID is the name that the signature gives its key; "" where it gives none.
	KeyID string
	// ID is the signed message id or nonce; "" where the scheme has none. A
	// signature is good as often as it is sent: who must not act twice
	// remembers ids.
	ID string
	// Time is when it was signed; zero where the scheme does not say, as
	// GitHub's does not: then nothing is too old.
	Time time.Time
}

var (
	// ErrSignature means that a message is not signed by any of the keys: the
	// signature is missing, malformed, does not match or covers too little. The
	// error that wraps it says which.
	ErrSignature = errors.New("signature: not signed by a known key")
	// ErrExpired means that a message is well signed, but too long ago or by a
	// clock that is too far ahead.
	ErrExpired = errors.New("signature: signed outside the allowed time")
)

// refusal is a message's fault, in words of its own.
type refusal struct {
	sentinel error
	text     string
}

func (e *refusal) Error() string { return e.text }
func (e *refusal) Unwrap() error { return e.sentinel }

// refusef cuts the text short: some of it is the message's own.
func refusef(format string, args ...any) error {
	text := fmt.Sprintf("signature: "+format, args...)
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return &refusal{ErrSignature, text}
}

func expiredf(format string, args ...any) error {
	return &refusal{ErrExpired, "signature: " + fmt.Sprintf(format, args...)}
}

// Key hands out a secret's bytes whenever one is needed, so that a rotated one
// is picked up without a restart; let it cache. A Key that gives nothing is an
// error and never a key: with an empty one anybody can sign. Nobody changes the
// bytes.
//
// aplomb.Reveal makes one of every source of secrets that aplomb knows.
type Key func(ctx context.Context) ([]byte, error)

// StaticKey is a Key given in the program, most often in a test.
func StaticKey(secret string) Key {
	key := []byte(secret)
	return func(context.Context) ([]byte, error) { return key, nil }
}

// bytes asks the key, which is called what in errors.
func (k Key) bytes(ctx context.Context, what string) ([]byte, error) {
	if k == nil {
		return nil, fmt.Errorf("signature: %s is nil: use StaticKey or a function", what)
	}
	secret, err := k(ctx)
	if err != nil {
		return nil, fmt.Errorf("signature: %s cannot be had: %w", what, err)
	}
	if len(secret) == 0 {
		return nil, fmt.Errorf("signature: %s is empty: anybody could sign with it", what)
	}
	return secret, nil
}

// ownFault is what Sign reports where only who verifies can blame the message.
func ownFault(err error) error {
	if errors.Is(err, ErrSignature) {
		return errors.New(err.Error())
	}
	return err
}

const (
	maxHeader     = 16 << 10 // bytes of a header that is parsed
	maxCandidates = 16       // signatures that are tried
	maxText       = 300      // bytes of an error's text
)

package aplomb_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
)

// signedBy is a server that lets through what the verifier takes for signed now,
// by a clock of its own, after the first steps.
func signedBy(t *testing.T, v signature.Verifier, skew time.Duration, first ...http.HandlerFunc) *api {
	t.Helper()
	return script(append(first, func(w http.ResponseWriter, r *http.Request) {
		theirs := time.Now().Add(skew)
		w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		if _, err := v.Verify(r, raw, theirs); err != nil {
			status(401)(w, r)
			return
		}
		ok(w, r)
	})...)
}

// Package signature's schemes through the whole stack: each attempt is signed
// anew, on what is sent, and by the server's clock.
func TestSignaturesThroughTheStack(t *testing.T) {
	public, private := keys()["Ed25519"].Public(), keys()["Ed25519"]
	shared := signature.StaticKey("shared-with-the-server")
	rfc9421 := func(key signature.MessageKey) signature.MessageSignature {
		return signature.MessageSignature{Keys: []signature.MessageKey{key}, Nonce: true, Digest: crypto.SHA256,
			Components: []string{"@method", "@target-uri", "content-digest", "idempotency-key"}}
	}
	for name, tt := range map[string]struct {
		sign   aplomb.Signer
		verify signature.Verifier
	}{
		"HMAC":     {signature.SignedRequest(shared), signature.SignedRequest(shared)},
		"RFC 9421": {rfc9421(signature.PrivateKey("k", signature.Ed25519, private)), rfc9421(signature.PublicKey("k", signature.Ed25519, public))},
	} {
		for _, skew := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
			bubbleCase(t, fmt.Sprint(name, " ", skew), func(t *testing.T) {
				h := signedBy(t, tt.verify, skew, status(503), status(307, "Location", "/v1/moved?a=b"))
				c := newClient(t, aplombtest.NewServer(t, h), aplomb.Sign(tt.sign), aplomb.TrustDate(), aplomb.Idempotency{}, aplomb.Query("key", "a b"))
				_, err := post(t, c)
				assert.NoError(t, err)
				want := 3
				if skew != 0 {
					want = 4
				}
				assert.Equal(t, h.count(), want)
			})
		}
	}
}

// A body that cannot be read twice cannot be signed, and says how to mend it;
// nothing is sent.
func TestSignNeedsTheBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Sign(signature.SignedRequest(signature.StaticKey("k"))))
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://api.test/x", io.NopCloser(bytes.NewReader([]byte("x"))))
		assert.NoError(t, err)
		_, err = c.Do(req) //nolint:bodyclose // there is none
		assert.Contains(t, fmt.Sprint(err), "set its GetBody")
		assert.Equal(t, h.count(), 0)
	})
}

// The right time with the new key may be refused as the wrong one was: a skewed
// clock does not turn a rotation.
func TestSkewDoesNotTurnARotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		source := aplomb.Rotation(aplomb.Static("the-new-one"), aplomb.Static("the-old-one"))
		h := signedBy(t, signature.SignedRequest(signature.StaticKey("the-new-one")), 10*time.Minute)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.TrustDate(), aplomb.Sign(signature.SignedRequest(aplomb.Reveal(source))))
		for range 3 {
			_, err := post(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 4)
	})
}

// New reports what a Signer can tell of itself.
func TestSignChecks(t *testing.T) {
	t.Parallel()
	_, err := aplomb.New("http://api.test", aplomb.Sign(signature.HMAC{}))
	assert.Contains(t, fmt.Sprint(err), "aplomb: Sign: signature: ")
}

// A middleware around the call that makes the answer its own hides not whose
// credential was refused.
func TestHintUnderAMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T) {
		own := aplomb.PerCall(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				copied := *resp
				return &copied, nil
			})
		})
		_, err := get(t, newClient(t, aplombtest.NewServer(t, script(status(401))), own, aplomb.Bearer(aplomb.Static("t0ken"))))
		assert.Contains(t, err.Error(), "the credential is a static secret (5 chars)")
	})
}

// A secret of any source as a signer's key, and the other of a rotation once the
// API refuses the first.
func TestRevealedKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		source := aplomb.Rotation(aplomb.Static("the-new-one"), aplomb.Static("the-old-one"))
		h := signedBy(t, signature.SignedRequest(signature.StaticKey("the-old-one")), 0)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Sign(signature.SignedRequest(aplomb.Reveal(source))))
		for range 2 {
			_, err := post(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 3)
	})
	for want, source := range map[string]aplomb.SecretSource{
		"the SecretSource is nil":     nil,
		"SecretFunc failed: no vault": aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("no vault") }),
	} {
		_, err := aplomb.Reveal(source)(context.Background())
		assert.Contains(t, fmt.Sprint(err), want)
	}
}

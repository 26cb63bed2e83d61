package aplomb

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Idempotency is a [RequestOption]: every unsafe request without a key gets
// one, an SDK's requests included, minted once per logical call and sent with
// each attempt and redirect (law 2). Use it for APIs that honour the key, as
// Stripe does: it is what makes a POST safe to resend.
type Idempotency struct {
	// Header carries the key. Default "Idempotency-Key"
	// (draft-ietf-httpapi-idempotency-key-header).
	Header string
	// Methods get a key. Default POST and PATCH.
	Methods []string
	// New mints a key. Default 26 characters that hold 130 random bits.
	New func() string
}

const idempotencyHeader = "Idempotency-Key"

func (i Idempotency) applyClient(c *config) error { return i.applyCall(&c.settings) }

func (i Idempotency) applyCall(s *settings) error {
	if strings.ContainsAny(i.Header, " \t\r\n:") {
		return errors.New("aplomb: Idempotency.Header is not a header name")
	}
	s.idempotency = &i
	return nil
}

// keyFor decides the key of the call's request, which may be the caller's own.
func (c *call) keyFor(r *http.Request) (header, key string) {
	header = idempotencyHeader
	if c.idempotency != nil && c.idempotency.Header != "" {
		header = http.CanonicalHeaderKey(c.idempotency.Header)
	}
	if c.key != "" {
		return header, c.key
	}
	if key := r.Header.Get(header); key != "" {
		c.key = key
		return header, key
	}
	if c.idempotency == nil || !slices.Contains(c.idempotency.methods(), r.Method) {
		return header, ""
	}
	mint := c.idempotency.New
	if mint == nil {
		mint = rand.Text
	}
	c.key = mint()
	return header, c.key
}

func (i *Idempotency) methods() []string {
	if len(i.Methods) > 0 {
		return i.Methods
	}
	return []string{http.MethodPost, http.MethodPatch}
}

// safeMethod reports methods that RFC 9110, section 9.2.2, calls idempotent.
func safeMethod(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	default:
		return false
	}
}

package aplomb

import (
	"crypto/rand"
	"errors"
	"fmt"
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
	if i.Header != "" && !validHeader(i.Header) {
		return errors.New("aplomb: Idempotency.Header is not a header name")
	}
	for _, m := range i.Methods {
		if m != strings.ToUpper(m) {
			return fmt.Errorf("aplomb: Idempotency.Methods: write %s for %q", strings.ToUpper(m), m)
		}
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
	if key := headerField(r.Header, header); key != "" {
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

// keyedRequest puts the call's idempotency key on the request, once for all
// attempts, and on every hop that stays at home.
type keyedRequest struct{ next http.RoundTripper }

func (k *keyedRequest) RoundTrip(r *http.Request) (*http.Response, error) {
	c := callFrom(r.Context())
	if c == nil {
		closeBody(r)
		return nil, errLostContext
	}
	to := c.stack.originOf(r.URL)
	stranger := to != c.origin && !slices.Contains(c.allowed, to)
	becameGet := safeMethod(r.Method) && r.Method != c.method // by a redirect
	if stranger || becameGet {
		return k.next.RoundTrip(r)
	}
	name, key := c.keyFor(r)
	if key == "" || headerField(r.Header, name) == key {
		return k.next.RoundTrip(r)
	}
	if err := c.claimKey(); err != nil {
		closeBody(r)
		return nil, err
	}
	if !c.ownsRequest() || c.borrows {
		own := *r
		own.Header = cloned(r.Header)
		r = &own
	}
	r.Header.Set(name, key)
	return k.next.RoundTrip(r)
}

// ownsRequest reports that nobody but the stack has seen the hop's request.
func (c *call) ownsRequest() bool { return c.typed && c.hops == 0 && len(c.stack.cfg.perCall) == 0 }

// carriesKey reports whether r itself has the call's key: another origin is
// not sent it.
func (c *call) carriesKey(r *http.Request) bool {
	name, key := c.keyFor(r)
	return key != "" && headerField(r.Header, name) == key
}

// claimKey takes the key of a context for this call, once.
func (c *call) claimKey() error {
	owner := c.keyOwner
	c.keyOwner = nil
	if owner != nil && owner.keyUsed.Swap(true) {
		return &refusal{why: "the IdempotencyKey in this context was used by an earlier call: " +
			"make a NewContext for each call, or pass the key to the call itself"}
	}
	return nil
}

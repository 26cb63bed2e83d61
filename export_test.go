package aplomb

import (
	"net/http"
	"net/url"
	"testing"
)

// SetRandom replaces the source of the jitter of backoffs and gates, so that a
// test can name the exact schedule.
func SetRandom(c *Client, f func() float64) {
	c.stack.retry.random = f
	if c.stack.limits != nil {
		c.stack.limits.random = f
	}
	for _, auth := range c.stack.cfg.auths {
		if t, ok := auth.Secret.(*Tokens); ok {
			t.random = f
		}
	}
}

// Latest makes the pace of t's failures as slow as jitter can.
func Latest(t *Tokens) *Tokens {
	t.random = func() float64 { return 1 }
	return t
}

// Fixed makes the pace of t's failures exact: no jitter.
func Fixed(t *Tokens) *Tokens {
	t.random = func() float64 { return 0 }
	return t
}

// KeyCount is how many hosts the client keeps a breaker for.
func KeyCount(c *Client) int { return c.stack.breakers.byKey.len() }

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// BulkheadBound is how many may now be in flight to the client's own server,
// InFlight how many are.
func BulkheadBound(c *Client) int {
	b := c.stack.bulkheads.(*bulkheads).byKey.get(c.stack.homeKey)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bound()
}

func InFlight(c *Client) int {
	b := c.stack.bulkheads.(*bulkheads).byKey.get(c.stack.homeKey)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inFlight
}

// DigestAuthorization answers the challenge in h with a client nonce of the
// test's choice, as the first request.
func DigestAuthorization(h http.Header, r *http.Request, user, password, cnonce string) string {
	c, _ := digestOffered(h)
	return c.authorization(r, user, NewSecret(password), 1, cnonce)
}

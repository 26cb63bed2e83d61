package aplomb

import (
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
	b := c.stack.bulkheads.byKey.get(c.stack.homeKey)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bound()
}

func InFlight(c *Client) int {
	b := c.stack.bulkheads.byKey.get(c.stack.homeKey)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inFlight
}

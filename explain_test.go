package aplomb_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// line is Explain's line of that name, with single spaces.
func line(c *aplomb.Client, name string) string {
	for l := range strings.Lines(aplomb.Explain(c)) {
		if fields := strings.Join(strings.Fields(l), " "); strings.HasPrefix(fields, name+" ") {
			return strings.TrimPrefix(fields, name+" ")
		}
	}
	return "missing"
}

// Explain tells what holds and who said so, and no secret.
func TestExplain(t *testing.T) {
	t.Parallel()
	c := newClientAt(t, "https://api.test/v1", aplomb.Bearer(aplomb.Static("sk_live_secret")), aplomb.Header("X-Key", "hidden"),
		aplomb.Query("token", "hidden"), aplomb.Retry{Attempts: 7}, aplomb.NoBreaker(), aplomb.Timeouts{Connect: time.Second},
		aplomb.RateLimit{Key: func(*http.Request) string { return "hidden" }})
	d, err := c.With(aplomb.Retry{Attempts: 7, MaxBackoff: time.Second}, aplomb.Breaker{}, aplomb.Timeout(time.Minute/2), aplomb.Name("orders"),
		aplomb.Hedge{After: 100 * time.Millisecond}, aplomb.Bulkhead{MaxInFlight: 8},
		aplomb.Idempotency{Methods: []string{"PUT"}}, aplomb.Fleet{Store: aplomb.NewMemoryStore()})
	assert.NoError(t, err)
	for _, tt := range []struct {
		c          *aplomb.Client
		name, want string
	}{
		{c, "Name", "api.test default"},
		{d, "Name", "orders With"},
		{c, "Retry.Attempts", "7 New"},
		{d, "Retry.Attempts", "7 New"},
		{c, "Retry.MaxBackoff", "20s default"},
		{d, "Retry.MaxBackoff", "1s With"},
		{c, "Breaker", "off New"},
		{d, "Breaker.OpenFor", "500ms default"},
		{d, "Breaker.ProbeLease", "35s default"},
		{c, "Timeouts.Connect", "1s New"},
		{c, "Timeouts.TLS", "5s default"},
		{c, "RateLimit.Key", "custom New"},
		{c, "RateLimit.MaxWait", "1m0s default"},
		{c, "Timeout, typed calls", "1m0s default"},
		{d, "Timeout, typed calls", "30s With"},
		{c, "Timeout, Do and HTTPClient", "none default"},
		{c, "Idempotency", "off default"},
		{c, "Hedge", "off default"},
		{d, "Idempotency.Header", "Idempotency-Key default"},
		{d, "Idempotency.Methods", "PUT With"},
		{d, "Hedge.After", "100ms With"},
		{c, "Fleet", "off default"},
		{d, "Fleet.Store", "custom With"},
		{d, "Fleet.Timeout", "25ms default"},
		{d, "Fleet.Prefix", "orders default"},
		{d, "Bulkhead.MaxInFlight", "8 With"},
		{d, "Bulkhead.Queue", "8 With"},
		{d, "Bulkhead.MaxWait", "1s default"},
		{c, "Header", "X-Key New"},
		{c, "Auth", "1 New"},
		{c, "Expect", "any 2xx default"},
	} {
		assert.Equal(t, line(tt.c, tt.name), tt.want, tt.name)
	}
	for _, c := range []*aplomb.Client{c, d} {
		assert.NotContains(t, aplomb.Explain(c), "secret")
		assert.NotContains(t, aplomb.Explain(c), "hidden")
	}
	assert.Contains(t, aplomb.Explain(nil), "no Client")
}

func ExampleExplain() {
	c, err := aplomb.New("https://api.acme.example", aplomb.Retry{Attempts: 2}, aplomb.NoBreaker())
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(aplomb.Explain(c)) {
		if strings.HasPrefix(line, "Retry.") || strings.HasPrefix(line, "Breaker") {
			fmt.Print(line)
		}
	}
	// Output:
	// Retry.Attempts              2                          New
	// Retry.MinBackoff            200ms                      default
	// Retry.ThrottleBackoff       1s                         default
	// Retry.MaxBackoff            20s                        default
	// Retry.MaxRetryAfter         1m0s                       default
	// Retry.Budget                0.1                        default
	// Breaker                     off                        New
}

// The behaviours that are off by default are told of too, and who switched them
// off again.
func TestExplainBulkheadAndHedge(t *testing.T) {
	t.Parallel()
	c := newClientAt(t, "https://api.test", aplomb.Bulkhead{MaxInFlight: 7}, aplomb.Hedge{After: time.Second})
	assert.Equal(t, line(c, "Bulkhead.MaxInFlight"), "7 New")
	assert.Equal(t, line(c, "Bulkhead.MaxWait"), "1s default")
	assert.Equal(t, line(c, "Hedge.After"), "1s New")
	d, err := c.With(aplomb.NoBulkhead(), aplomb.NoHedge())
	assert.NoError(t, err)
	assert.Equal(t, line(d, "Bulkhead"), "off With")
	assert.Equal(t, line(d, "Hedge"), "off With")
}

package aplomb_test

import (
	"context"
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
		aplomb.Idempotency{Methods: []string{"PUT"}}, aplomb.Fleet{Store: aplomb.NewMemoryStore()}, aplomb.TrustDate())
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
		{c, "Timeout, typed calls", "1m0s, or the context's deadline default"},
		{d, "Timeout, typed calls", "30s With"},
		{c, "Timeout, Do and HTTPClient", "none default"},
		{c, "Idempotency", "off default"},
		{c, "Hedge", "off default"},
		{d, "Idempotency.Header", "Idempotency-Key default"},
		{d, "Idempotency.Methods", "PUT With"},
		{d, "Hedge.After", "100ms With"},
		{c, "Fleet", "off default"},
		{d, "Fleet.Store", "*aplomb.MemoryStore With"},
		{d, "Fleet.Timeout", "25ms default"},
		{d, "Fleet.Prefix", "orders default"},
		{d, "Bulkhead.MaxInFlight", "8 With"},
		{d, "Bulkhead.Queue", "8 default"},
		{d, "Bulkhead.MaxWait", "1s default"},
		{c, "Header", "X-Key New"},
		{c, "Auth", "1 credential New"},
		{c, "Expect", "any 2xx default"},
		{c, "ServerTime learns over", "https default"},
		{d, "ServerTime learns over", "https and http With"},
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
	// Retry.Attempts              2                                          New
	// Retry.MinBackoff            200ms                                      default
	// Retry.ThrottleBackoff       1s                                         default
	// Retry.MaxBackoff            20s                                        default
	// Retry.MaxRetryAfter         1m0s                                       default
	// Retry.Budget                0.1 per success, over a reserve of 10      default
	// Breaker                     off                                        New
}

// explained holds Explain's line of a name against want.
type explained struct{ name, want string }

func assertExplained(t *testing.T, c *aplomb.Client, lines ...explained) {
	t.Helper()
	for _, l := range lines {
		assert.Equal(t, line(c, l.name), l.want, l.name)
	}
}

// With is said of what differs from New's, however many Withs came between.
func TestExplainSource(t *testing.T) {
	t.Parallel()
	key := func(*http.Request) string { return "" }
	root := newClientAt(t, "https://api.test", aplomb.Retry{Attempts: 7}, aplomb.NoBreaker(), aplomb.Timeout(time.Second),
		aplomb.RateLimit{Key: key}, aplomb.Bearer(aplomb.Static("a")), aplomb.Hooks{Quota: func(context.Context, aplomb.QuotaEvent) {}})
	with := func(c *aplomb.Client, opts ...aplomb.Option) *aplomb.Client {
		d, err := c.With(opts...)
		assert.NoError(t, err)
		return d
	}
	same := with(with(root, aplomb.Name("x")), aplomb.Name("y"))
	assertExplained(t, same, explained{"Name", "y With"}, explained{"Retry.Attempts", "7 New"},
		explained{"Retry.MaxBackoff", "20s default"}, explained{"Breaker", "off New"}, explained{"Timeout, typed calls", "1s New"},
		explained{"RateLimit.Key", "custom New"}, explained{"Auth", "1 credential New"}, explained{"Hooks", "1 set New"},
		explained{"Transport", "http.Transport of its own default"})
	other := with(with(root, aplomb.Retry{Attempts: 3}, aplomb.Timeout(time.Minute), aplomb.RateLimit{Key: key},
		aplomb.Bearer(aplomb.Static("b")), aplomb.Hooks{}, aplomb.Transport(aplomb.RoundTripFunc(noContent))), aplomb.Name("x"))
	assertExplained(t, other, explained{"Retry.Attempts", "3 With"}, explained{"Timeout, typed calls", "1m0s With"},
		explained{"RateLimit.Key", "custom With"}, explained{"Auth", "1 credential With"}, explained{"Hooks", "2 sets With"},
		explained{"Transport", "aplomb.RoundTripFunc With"})
	off := with(with(root, aplomb.NoRetry(), aplomb.NoAuth()), aplomb.Name("x"))
	assertExplained(t, off, explained{"Retry", "off With"}, explained{"Auth", "none With"})
	assertExplained(t, with(off, aplomb.Retry{}), explained{"Retry.Attempts", "4 With"}, explained{"Retry.MaxBackoff", "20s default"})
	assertExplained(t, with(off, aplomb.Retry{Attempts: 7}), explained{"Retry.Attempts", "7 New"})
}

func noContent(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// What follows another setting was set by nobody.
func TestExplainDerivedValues(t *testing.T) {
	t.Parallel()
	c := newClientAt(t, "https://api.test", aplomb.Timeouts{ResponseHeader: 10 * time.Second}, aplomb.RateLimit{PerSecond: 5},
		aplomb.Breaker{OpenFor: 5 * time.Second}, aplomb.Bulkhead{MaxInFlight: 7}, aplomb.Idempotency{Methods: []string{}},
		aplomb.Fleet{Store: aplomb.NewMemoryStore()}, aplomb.Name("first"))
	want := []explained{
		{"Timeouts.ResponseHeader", "10s New"},
		{"Breaker.OpenFor", "5s New"},
		{"Breaker.MaxOpenFor", "5s default"},
		{"Breaker.ProbeLease", "15s default"},
		{"RateLimit.PerSecond", "5 New"},
		{"RateLimit.Burst", "5 default"},
		{"Bulkhead.MaxInFlight", "7 New"},
		{"Bulkhead.Queue", "7 default"},
		{"Idempotency.Methods", "POST PATCH default"},
		{"Fleet.Prefix", "first default"},
	}
	assertExplained(t, c, want...)
	d, err := c.With(aplomb.Name("second"), aplomb.Timeouts{ResponseHeader: 20 * time.Second})
	assert.NoError(t, err)
	want[0].want = "20s With" // what With shares stays as it was made
	assertExplained(t, d, want...)
	assertExplained(t, newClientAt(t, "https://api.test", aplomb.Breaker{OpenFor: 500 * time.Millisecond}),
		explained{"Breaker.OpenFor", "500ms New"}) // given, though it is the default
}

// A bare number, or none, is put into words.
func TestExplainWording(t *testing.T) {
	t.Parallel()
	assertExplained(t, newClientAt(t, "https://api.test", aplomb.Hedge{}, aplomb.Bulkhead{}, aplomb.Idempotency{}, aplomb.Logging{}, aplomb.MaxBody(32<<20)),
		explained{"RateLimit.PerSecond", "none told: the server's is found and kept default"},
		explained{"RateLimit.Burst", "missing"},
		explained{"RateLimit.Key", "origin default"},
		explained{"Breaker.Key", "origin default"},
		explained{"Bulkhead.Key", "origin default"},
		explained{"Bulkhead.Adaptive", "false default"},
		explained{"Hedge.After", "p95 of the operation default"},
		explained{"Idempotency.New", "default" + " default"},
		explained{"Logging.Logger", "slog.Default() default"},
		explained{"Logging.Fields", "none default"},
		explained{"Retry.Budget", "0.1 per success, over a reserve of 10 default"},
		explained{"MaxBody, typed calls", "32 MiB New"},
		explained{"Timeout, typed calls", "1m0s, or the context's deadline default"},
		explained{"Timeout, Do and HTTPClient", "none default"},
		explained{"Fleet", "off default"},
		explained{"Auth", "none default"})
	assertExplained(t, newClientAt(t, "https://api.test", aplomb.MaxBody(1500), aplomb.Transport(aplomb.RoundTripFunc(noContent)),
		aplomb.Bearer(aplomb.Static("a")), aplomb.APIKey("X-Key", aplomb.Static("b"))),
		explained{"MaxBody, typed calls", "1500 bytes New"},
		explained{"Timeouts.Connect", "the Transport's own default"},
		explained{"Timeouts.IdleRead", "30s default"},
		explained{"Auth", "2 credentials New"})
	assertExplained(t, newClientAt(t, "https://api.test", aplomb.MaxBody(64<<10), aplomb.Transport(&http.Transport{})),
		explained{"MaxBody, typed calls", "64 KiB New"}, explained{"Timeouts.Connect", "5s default"})
}

// Not in the base URL either, nor in what a caller's own types would print.
func TestExplainShowsNoSecret(t *testing.T) {
	t.Parallel()
	token := "sk_live_" + strings.Repeat("4eC39q", 4)
	c := newClientAt(t, "https://user:hidden@api.test/"+token, aplomb.Transport(loud{"hidden"}),
		aplomb.Fleet{Store: loudStore{aplomb.NewMemoryStore(), "hidden"}}, aplomb.APIKeyQuery("key", aplomb.Static("hidden")))
	d, err := c.With(aplomb.APIKey("X-Key", aplomb.Static("hidden")), aplomb.Header("X-Other", "hidden"), aplomb.Query("q", "hidden"))
	assert.NoError(t, err)
	for _, c := range []*aplomb.Client{c, d} {
		assert.NotContains(t, aplomb.Explain(c), "hidden")
		assert.NotContains(t, aplomb.Explain(c), token)
	}
	assertExplained(t, c, explained{"Fleet.Store", "aplomb_test.loudStore New"}, explained{"Transport", "aplomb_test.loud New"})
}

type loud struct{ secret string }

func (l loud) String() string                                    { return l.secret }
func (l loud) RoundTrip(r *http.Request) (*http.Response, error) { return noContent(r) }

type loudStore struct {
	aplomb.Store

	secret string
}

func (l loudStore) String() string { return l.secret }

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

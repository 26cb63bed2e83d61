package aplomb

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// The caller's transport is a template: it is cloned, and keeps its own
// settings, while ours are laid over.
func TestTransportIsATemplate(t *testing.T) {
	t.Parallel()
	dialled := false
	given := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS10, ServerName: "api.test"},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			dialled = true
			return nil, net.ErrClosed
		},
		MaxConnsPerHost: 7,
	}
	cfg := config{transport: &givenTransport{given}, timeouts: &Timeouts{TLS: time.Second}}
	base, err := cfg.baseTransport()
	assert.NoError(t, err)
	ours, ok := base.(*http.Transport)
	assert.True(t, ok && ours != given)
	assert.Equal(t, ours.TLSClientConfig.MinVersion, tls.VersionTLS12)
	assert.Equal(t, ours.TLSClientConfig.ServerName, "api.test")
	assert.Equal(t, ours.TLSHandshakeTimeout, time.Second)
	assert.Equal(t, ours.MaxConnsPerHost, 7)
	assert.Equal(t, given.TLSClientConfig.MinVersion, tls.VersionTLS10)
	assert.Equal(t, given.TLSHandshakeTimeout, 0)
	_, err = ours.DialContext(t.Context(), "tcp", "api.test:443")
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.True(t, dialled)
	assert.True(t, (&Attempt{Err: err}).provablyUnsent(), "a dial's failure proves that nothing was sent")
}

// A permit counts once, however often it is reported.
func TestPermitCountsOnce(t *testing.T) {
	t.Parallel()
	b := newBreaker("k", (&Breaker{}).withDefaults(nil), alone{})
	p, err := b.admit()
	assert.NoError(t, err)
	for range 30 {
		b.report(p, OutcomeFault)
	}
	assert.True(t, b.closed())
	assert.Equal(t, b.cb.Counts().TotalFailures, 1)
}

// The least recently used is forgotten first.
func TestKeyedForgetsTheOldest(t *testing.T) {
	t.Parallel()
	made := 0
	k := newKeyed(2, func(string) int { made++; return made })
	k.get("a")
	k.get("b")
	k.get("a")
	k.get("c") // b goes
	assert.Equal(t, k.get("a"), 1)
	assert.Equal(t, k.get("b"), 4)
	assert.Equal(t, k.len(), 2)
}

func TestRouteNames(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/customers/cus_123/charges":                   "/v1/customers/{}/charges",
		"/bot123456:AAE-abc/sendMessage":                  "/{}/sendMessage",
		"/repos/octocat/hello-world":                      "/repos/octocat/hello-world",
		"/v2/x":                                           "/v2/x",
		"/users/a@b.example":                              "/users/{}",
		"/files/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "/files/{}",
		"": "",
	} {
		u := &http.Request{URL: mustParse(t, "http://h"+path)}
		assert.Equal(t, routeOf(u.URL), want)
	}
}

// Law 14: the success path of retry allocates nothing.
func TestLaw14_RetryAllocatesNothing(t *testing.T) {
	cfg := config{}
	assert.NoError(t, cfg.apply([]Option{Retry{}, Transport(&http.Transport{})}))
	s, err := newStack(cfg, nil)
	assert.NoError(t, err)
	c := s.newCall(settings{}, http.MethodGet, "/")
	r, err := http.NewRequestWithContext(context.WithValue(t.Context(), callKey{}, c), http.MethodGet, "http://api.test/", http.NoBody)
	assert.NoError(t, err)
	answered := &Attempt{Request: r, call: c, Verdict: Verdict{Outcome: OutcomeOK, Resend: ResendNo}}
	s.retry.next = RoundTripFunc(func(*http.Request) (*http.Response, error) { c.last = answered; return nil, nil })
	assert.Equal(t, testing.AllocsPerRun(100, func() {
		if _, err := s.retry.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}), 0)
}

// Law 14: where nobody listens, nothing is told, and nothing allocated for it.
func TestLaw14_HooksAreFreeWhereThereAreNone(t *testing.T) {
	cfg := config{}
	assert.NoError(t, cfg.apply([]Option{Transport(&http.Transport{})}))
	s, err := newStack(cfg, nil)
	assert.NoError(t, err)
	ctx, c, w := t.Context(), s.newCall(settings{}, http.MethodGet, "/"), s.watch
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://api.test/", http.NoBody)
	assert.NoError(t, err)
	a := &Attempt{Request: r, call: c, ctx: ctx, start: time.Now()}
	assert.Equal(t, testing.AllocsPerRun(100, func() {
		c.begin(ctx)
		w.attemptStart(a)
		w.attemptDone(a)
		w.bodyFailed(a, io.ErrUnexpectedEOF)
		w.breaker(BreakerEvent{})
		w.quota(ctx, QuotaEvent{})
		w.store(StoreEvent{})
		w.deprecated(ctx, DeprecationEvent{})
		c.done(ctx, nil)
	}), 0)
}

// A hedge that comes too late pays nothing and is not sent.
func TestLateHedgeIsNotPaidFor(t *testing.T) {
	t.Parallel()
	s, err := newStack(config{transport: &givenTransport{&http.Transport{}}}, nil)
	assert.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/", http.NoBody)
	assert.NoError(t, err)
	c := s.newCall(settings{hedge: &hedging{}}, http.MethodGet, "/")
	in := &race{stack: s, call: c, spare: r}
	first := c.newAttempt(r)
	defer first.end()
	in.enter(first)
	first.Verdict = Verdict{Outcome: OutcomeFault}
	in.finish(first)
	hedge := c.newAttempt(r)
	defer hedge.end()
	assert.True(t, !in.pay(hedge))
	assert.True(t, in.hedge == nil)
	for range budgetReserve {
		assert.True(t, s.budgets.get(originOf(r.URL)).spend(1))
	}
}

package aplomb

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
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
	var p permit
	assert.NoError(t, b.admit(&p, time.Now()))
	for range 30 {
		b.report(&p, OutcomeFault, time.Now())
	}
	assert.True(t, b.closed())
	assert.Equal(t, b.cb.Counts().TotalFailures, 1)
}

// What was not used of late is forgotten first.
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

// What is new is not what goes, also where all the others were used of late.
func TestKeyedKeepsTheNewcomer(t *testing.T) {
	t.Parallel()
	made := 0
	k := newKeyed(2, func(string) int { made++; return made })
	for _, name := range []string{"a", "b", "a", "b"} {
		k.get(name)
	}
	assert.Equal(t, k.get("c"), 3)
	assert.Equal(t, k.len(), 2)
	k.get("b") // or c is found as the latest
	assert.Equal(t, k.get("c"), 3)
}

// What was used last is not what goes, though it is found without a mark.
func TestKeyedKeepsTheLatest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		used   []string
		latest string
		want   int
	}{
		"made last":     {[]string{"a", "b", "a", "b", "c", "c"}, "c", 3},
		"made as first": {[]string{"a", "b", "c", "b", "c", "a"}, "a", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := 0
			k := newKeyed(3, func(string) int { made++; return made })
			for _, name := range tt.used {
				k.get(name)
			}
			assert.Equal(t, k.get("new"), 4)
			assert.Equal(t, k.get(tt.latest), tt.want)
			assert.Equal(t, k.len(), 3)
		})
	}
}

// Attempts that begin at a time, as those of a PerCall middleware may, are two.
func TestAttemptsAtATimeAreTwo(t *testing.T) {
	t.Parallel()
	s, err := newStack(config{transport: &givenTransport{&http.Transport{}}}, nil)
	assert.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/", http.NoBody)
	assert.NoError(t, err)
	for range 1000 {
		c := newTestCall(t, s)
		var made [2]*Attempt
		var ready, done sync.WaitGroup
		c.mu.Lock() // so that both come as far as they get without the other's end
		for i := range made {
			ready.Add(1)
			done.Go(func() { ready.Done(); made[i] = c.newAttempt(r) })
		}
		ready.Wait()
		runtime.Gosched()
		c.mu.Unlock()
		done.Wait()
		assert.True(t, made[0] != made[1])
	}
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
	c := newTestCall(t, s)
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
	ctx, c, w := t.Context(), newTestCall(t, s), s.watch
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
	c := newTestCall(t, s, Hedge{})
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
		assert.True(t, s.budgets.at(stateKey{to: originOf(r.URL)}).spend(1))
	}
}

func newTestCall(t *testing.T, s *stack, opts ...CallOption) *call {
	t.Helper()
	c, err := s.newCall(t.Context(), http.MethodGet, "/", opts)
	assert.NoError(t, err)
	return c
}

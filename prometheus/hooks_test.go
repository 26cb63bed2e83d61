package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	aplombprom "github.com/aplomb-go/aplomb/prometheus"
)

// A call that waits is in flight, whatever for.
func TestInflightCountsWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}"), aplombtest.Status(503, "Retry-After", "2")))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		done := make(chan error)
		go func() { done <- get(c, "o_1") }()
		time.Sleep(time.Second) // of the backoff
		r.want("aplomb_inflight", map[string]float64{"client=acme": 1})
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.want("aplomb_inflight", map[string]float64{"client=acme": 0})
	})
}

// A call that panics, in a hook after ours or anywhere else, is not in flight for ever:
// net/http's server goes on after a handler's panic, and so does its program.
func TestInflightAfterPanic(t *testing.T) {
	t.Parallel()
	boom := func() { panic("boom") }
	panics := aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) { panic("boom") })
	for name, opt := range map[string]aplomb.Option{
		"a later CallStart":    aplomb.Hooks{CallStart: func(context.Context, aplomb.CallEvent) { boom() }},
		"a later AttemptStart": aplomb.Hooks{AttemptStart: func(context.Context, aplomb.AttemptEvent) { boom() }},
		"a later AttemptDone":  aplomb.Hooks{AttemptDone: func(context.Context, aplomb.AttemptEvent) { boom() }},
		"per call":             aplomb.PerCall(func(http.RoundTripper) http.RoundTripper { return panics }),
		"per attempt":          aplomb.PerAttempt(func(http.RoundTripper) http.RoundTripper { return panics }),
		"transport":            aplomb.Transport(panics),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := aplombtest.NewServer(t, answer(200, "{}"))
				r := newRig(t)
				c := r.client(srv.URL, aplomb.Transport(srv.Transport()), opt)
				func() {
					defer func() {
						if recover() == nil {
							t.Error("no panic")
						}
					}()
					_ = get(c, "o_1")
				}()
				r.want("aplomb_inflight", map[string]float64{"client=acme": 0})
				r.want("aplomb_calls_total", map[string]float64{"client=acme,operation=GET /v1/orders/{id},outcome=panic": 1})
			})
		})
	}
}

// Of the breakers that are counted together the worst is shown: one that closes says
// nothing of the others.
func TestBreakersBeyondTheBound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, at := r.hooks(), time.Now()
	turn := func(key string, to aplomb.BreakerState, after time.Duration) {
		h.Breaker(aplomb.BreakerEvent{Client: "acme", Key: key, To: to, At: at.Add(after)})
	}
	want := func(closed, open, half float64) {
		t.Helper()
		got := r.series("aplomb_breaker_state")
		const rest = "client=acme,host=other,state="
		if c, o, f := got[rest+"closed"], got[rest+"open"], got[rest+"half-open"]; c != closed || o != open || f != half {
			t.Errorf("closed is %v, open %v and half-open %v; want %v, %v and %v", c, o, f, closed, open, half)
		}
	}
	for i := range 100 {
		turn(fmt.Sprint("own", i), aplomb.BreakerClosed, 0)
	}
	turn("a", aplomb.BreakerOpen, time.Second)
	turn("b", aplomb.BreakerOpen, time.Second)
	want(0, 1, 0)
	turn("a", aplomb.BreakerHalfOpen, 2*time.Second)
	want(0, 1, 0)
	turn("a", aplomb.BreakerClosed, 3*time.Second)
	want(0, 1, 0)
	turn("b", aplomb.BreakerHalfOpen, 3*time.Second)
	want(0, 0, 1)
	turn("a", aplomb.BreakerOpen, 2*time.Second) // comes late
	want(0, 0, 1)
	turn("b", aplomb.BreakerClosed, 4*time.Second)
	want(1, 0, 0)

	for i := range 3000 { // well ones make room
		turn(fmt.Sprint("well", i), aplomb.BreakerClosed, 5*time.Second)
	}
	turn("c", aplomb.BreakerOpen, 6*time.Second)
	for i := range 3000 {
		turn(fmt.Sprint("well again", i), aplomb.BreakerClosed, 7*time.Second)
	}
	want(0, 1, 0)
	turn("c", aplomb.BreakerClosed, 8*time.Second)
	want(1, 0, 0)
	if n := len(aplombprom.Folded(r.Metrics, "acme")); n != 1000 {
		t.Errorf("%d breakers are kept, want 1000", n)
	}
}

// An attempt without a credential was not sent: its call is counted, and no request.
func TestNoCredential(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}"))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.NoRetry(), &aplomb.Tokens{
			Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
				return aplomb.Token{}, errors.New("the authorization server is away")
			},
		})
		if err := get(c, "o_1"); !errors.Is(err, aplomb.ErrNoCredential) {
			t.Fatal(err)
		}
		r.want("http_client_request_duration_seconds", nil)
		r.want("aplomb_attempts_total", map[string]float64{
			"client=acme,reason=first": 0, "client=acme,reason=retry": 0, "client=acme,reason=hedge": 0, "client=acme,reason=redirect": 0,
			"client=acme,reason=probe": 0,
		})
		r.want("aplomb_calls_total", map[string]float64{"client=acme,operation=GET /v1/orders/{id},outcome=" + string(aplomb.ResultRefused): 1})
	})
}

// flaky is a store that can go away.
type flaky struct {
	aplomb.Store
	away bool
}

func (s *flaky) Take(ctx context.Context, key string, claim aplomb.Claim) (time.Duration, error) {
	if s.away {
		return 0, errGone
	}
	return s.Store.Take(ctx, key, claim)
}

func (s *flaky) Closed(ctx context.Context, key string) (time.Duration, error) {
	if s.away {
		return 0, errGone
	}
	return s.Store.Closed(ctx, key)
}

// The store that replicas share goes away and comes back.
func TestStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}"))
		r := newRig(t)
		store := &flaky{Store: aplomb.NewMemoryStore()}
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.RateLimit{PerSecond: 100}, aplomb.Fleet{Store: store})
		step := func(want map[string]float64) {
			t.Helper()
			for range 3 {
				if err := get(c, "o_1"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			r.want("aplomb_store_up", want)
		}
		step(nil)
		store.away = true
		step(map[string]float64{"client=acme": 0})
		store.away = false
		time.Sleep(10 * time.Second)
		step(map[string]float64{"client=acme": 1})
	})
}

// Events are told on the goroutines of calls. One that comes late shows nothing again
// that is over.
func TestLateEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, at := r.hooks(), time.Now()
	h.Store(aplomb.StoreEvent{Client: "acme", At: at.Add(time.Second)})
	h.Store(aplomb.StoreEvent{Client: "acme", At: at, Down: true})
	r.want("aplomb_store_up", map[string]float64{"client=acme": 1})

	h.Breaker(aplomb.BreakerEvent{Client: "acme", Key: "k", To: aplomb.BreakerClosed, At: at.Add(time.Second)})
	h.Breaker(aplomb.BreakerEvent{Client: "acme", Key: "k", To: aplomb.BreakerOpen, At: at})
	const key = "client=acme,host=k,state="
	r.want("aplomb_breaker_state", map[string]float64{key + "closed": 1, key + "open": 0, key + "half-open": 0})
	r.want("aplomb_breaker_transitions_total", map[string]float64{key + "closed": 1, key + "open": 1, key + "half-open": 0})
	h.Breaker(aplomb.BreakerEvent{Client: "acme", Key: "k", To: aplomb.BreakerOpen, At: at.Add(time.Second)}) // at the same time, and behind
	r.want("aplomb_breaker_state", map[string]float64{key + "closed": 0, key + "open": 1, key + "half-open": 0})
}

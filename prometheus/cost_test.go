package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
)

// TestHooksAllocateNothing is not parallel: testing.AllocsPerRun forbids it.
func TestHooksAllocateNothing(t *testing.T) {
	r := newRig(t)
	h, ctx := r.hooks(), context.Background()
	call := aplomb.CallEvent{Client: "acme", Operation: "GET /v1/orders/{id}", Method: "GET", Result: aplomb.ResultOK, Elapsed: time.Millisecond, Attempts: 1, Status: 200}
	attempt := aplomb.AttemptEvent{
		Client: "acme", Operation: "GET /v1/orders/{id}", Method: "GET", Scheme: "https", Host: "api.acme.example:8443",
		Number: 1, Status: 200, Start: time.Now(), Date: time.Now(),
	}
	failed := attempt
	failed.Status, failed.Err = 0, errors.New("away")
	poisoned := call
	poisoned.Operation = "beyond the bound"
	for i := range 500 {
		h.CallDone(ctx, aplomb.CallEvent{Client: "full", Operation: fmt.Sprint("op", i)})
	}
	poisoned.Client = "full"
	for name, f := range map[string]func(){
		"CallStart":                 func() { h.CallStart(ctx, call) },
		"CallDone":                  func() { h.CallDone(ctx, call) },
		"CallDone beyond the bound": func() { h.CallDone(ctx, poisoned) },
		"AttemptDone":               func() { h.AttemptDone(ctx, attempt) },
		"WaitDone": func() {
			h.WaitDone(ctx, aplomb.WaitEvent{Client: "acme", Cause: aplomb.WaitBackoff, Duration: time.Second})
		},
		"Breaker": func() { h.Breaker(aplomb.BreakerEvent{Client: "acme", Key: "https://a", To: aplomb.BreakerOpen}) },
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 && !raceEnabled {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { h.Quota(ctx, aplomb.QuotaEvent{Client: "acme", Name: "core", Limit: 100, Remaining: 5}) }); n > 1 && !raceEnabled {
		t.Errorf("Quota allocates %v times, want 1 at most", n)
	}
	if n := testing.AllocsPerRun(100, func() { h.AttemptDone(ctx, failed) }); n > 5 && !raceEnabled {
		t.Errorf("AttemptDone of an error allocates %v times, want 5 at most", n)
	}
}

// roundTripper answers at once, so that what is measured is not a network.
type roundTripper struct{}

func (roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {"Thu, 01 Jan 2026 00:00:00 GMT"}},
		Body:   io.NopCloser(strings.NewReader(`{"id":"o_1"}`)),
	}, nil
}

// TestCallCost is not parallel: testing.AllocsPerRun forbids it.
func TestCallCost(t *testing.T) {
	bare := measure(t)
	with := measure(t, newRig(t).Option())
	t.Logf("a call allocates %v times without metrics, %v with", bare, with)
	if with > bare && !raceEnabled {
		t.Errorf("metrics allocate %v times a call, want none", with-bare)
	}
}

func measure(t testing.TB, opts ...aplomb.Option) float64 {
	t.Helper()
	c := plain(t, opts...)
	return testing.AllocsPerRun(200, func() {
		if err := get(c, "o_1"); err != nil {
			t.Fatal(err)
		}
	})
}

func plain(t testing.TB, opts ...aplomb.Option) *aplomb.Client {
	t.Helper()
	c, err := aplomb.New("https://api.acme.example", append(opts, aplomb.Transport(roundTripper{}))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func BenchmarkCall(b *testing.B) {
	for name, opts := range map[string][]aplomb.Option{"bare": nil, "metrics": {newRig(b).Option()}} {
		b.Run(name, func(b *testing.B) {
			c := plain(b, opts...)
			b.ReportAllocs()
			for b.Loop() {
				if err := get(c, "o_1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Many goroutines meet new and known labels at the same time, and nothing is lost.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, ctx := r.hooks(), context.Background()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				e := aplomb.CallEvent{Client: fmt.Sprint("c", i%3), Operation: fmt.Sprint("op", i%10), Result: aplomb.ResultOK}
				h.CallStart(ctx, e)
				h.CallDone(ctx, e)
				h.Breaker(aplomb.BreakerEvent{Client: e.Client, Key: "k", To: []aplomb.BreakerState{aplomb.BreakerOpen, aplomb.BreakerClosed}[i%2]})
				h.Quota(ctx, aplomb.QuotaEvent{Client: e.Client, Limit: 5})
				if i%100 == 0 {
					_ = r.exposition()
				}
			}
		})
	}
	wg.Wait()
	var calls, states float64
	for _, n := range r.series("aplomb_calls_total") {
		calls += n
	}
	for _, n := range r.series("aplomb_breaker_state") {
		states += n
	}
	if calls != 8000 || states != 3 {
		t.Errorf("%v calls and %v states, want 8000, and one state for each of 3 breakers", calls, states)
	}
}

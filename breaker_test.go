package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// host is a server whose health a test sets, behind a client whose breaker
// events it keeps.
type host struct {
	*aplomb.Client
	mu     sync.Mutex
	answer http.HandlerFunc
	hits   int
	events []aplomb.BreakerEvent
}

func newHost(t *testing.T, opts ...aplomb.Option) *host {
	h := &host{answer: ok}
	s := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.hits++
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	}))
	h.Client = newClient(t, s, append([]aplomb.Option{aplomb.NoRetry(), aplomb.Hooks{Breaker: func(e aplomb.BreakerEvent) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	}}}, opts...)...)
	return h
}

func (h *host) set(answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *host) get() error {
	_, err := aplomb.Get[order](context.Background(), h.Client, "/x")
	return err
}

// fail makes n calls that fail.
func (h *host) fail(t *testing.T, n int) {
	t.Helper()
	h.set(status(503))
	for range n {
		if err := h.get(); aplomb.StatusCode(err) != 503 {
			t.Fatalf("want 503, got %v", err)
		}
	}
}

func (h *host) last() aplomb.BreakerEvent { return h.events[len(h.events)-1] }

func TestBreakerOpensAndCloses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		h.fail(t, 20)
		assert.Equal(t, len(h.events), 1)
		opened := h.last()
		assert.Equal(t, opened.To, aplomb.BreakerOpen)
		assert.Equal(t, [2]int{opened.Failed, opened.Completed}, [2]int{20, 20})
		openFor := opened.ReadyAt.Sub(opened.At)
		assert.True(t, openFor >= 400*time.Millisecond && openFor <= 600*time.Millisecond, openFor)

		err := h.get()
		assert.ErrorIs(t, err, aplomb.ErrCircuitOpen)
		var ce *aplomb.CallError
		assert.True(t, errors.As(err, &ce))
		assert.Equal(t, ce.ReadyAt, opened.ReadyAt)
		assert.Equal(t, ce.Attempts, 0)
		assert.Equal(t, h.hits, 20)

		time.Sleep(openFor)
		h.set(ok)
		assert.NoError(t, h.get())
		assert.NoError(t, h.get())
		assert.Equal(t, h.last().To, aplomb.BreakerClosed)
		assert.Equal(t, h.hits, 22)
	})
}

// 19 failures in a row, or less than half of the completed, keep it closed.
func TestBreakerThreshold(t *testing.T) {
	t.Run("minimum", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHost(t)
			h.fail(t, 19)
			assert.Equal(t, len(h.events), 0)
			h.fail(t, 1)
			assert.Equal(t, len(h.events), 1)
		})
	})
	t.Run("the window forgets", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHost(t)
			for range 3 {
				h.fail(t, 10)
				h.set(ok)
				assert.NoError(t, h.get())
				time.Sleep(11 * time.Second)
			}
			assert.Equal(t, len(h.events), 0)
		})
	})
	t.Run("rolling", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHost(t)
			h.fail(t, 10)
			time.Sleep(9 * time.Second)
			h.fail(t, 10) // across the edge of any fixed window
			assert.Equal(t, len(h.events), 1)
		})
	})
	t.Run("ratio", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHost(t)
			for range 30 {
				assert.NoError(t, h.get())
			}
			h.fail(t, 19)
			h.set(ok)
			assert.NoError(t, h.get())
			h.fail(t, 11)
			assert.Equal(t, len(h.events), 0)
			h.fail(t, 1)
			assert.Equal(t, len(h.events), 1)
		})
	})
	t.Run("one lost connection", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHost(t)
			for range 100 {
				assert.NoError(t, h.get())
			}
			h.set(func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Second); status(503)(w, r) })
			var together sync.WaitGroup
			for range 25 {
				together.Go(func() { _ = h.get() })
			}
			together.Wait()
			assert.Equal(t, len(h.events), 0)
		})
	})
	t.Run("in a row, after healthy times", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHost(t)
			for range 1000 {
				assert.NoError(t, h.get())
			}
			h.fail(t, 19)
			assert.Equal(t, len(h.events), 0)
			h.fail(t, 1)
			assert.Equal(t, [2]int{h.last().Failed, h.last().Completed}, [2]int{20, 20})
		})
	})
}

// Law 9: attempts in flight do not dilute the ratio.
func TestLaw09_HangingCallsDoNotHideFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		ctx, cancel := context.WithCancel(context.Background())
		h.set(fault(aplombtest.Stall(0)))
		var hanging sync.WaitGroup
		for range 100 {
			hanging.Go(func() { _, _ = aplomb.Get[order](ctx, h.Client, "/x") })
		}
		synctest.Wait()
		h.fail(t, 20)
		assert.Equal(t, len(h.events), 1)
		assert.Equal(t, h.last().To, aplomb.BreakerOpen)
		cancel()
		hanging.Wait()
	})
}

// Law 9: a probe that never reports ends with its lease.
func TestLaw09_ProbeHasALease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, aplomb.Timeouts{ResponseHeader: time.Hour}, aplomb.Breaker{ProbeLease: 35 * time.Second})
		h.fail(t, 20)
		time.Sleep(time.Until(h.last().ReadyAt))
		h.set(fault(aplombtest.Stall(0)))
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
		defer cancel()
		started := time.Now()
		var probe sync.WaitGroup
		probe.Go(func() { _, _ = aplomb.Get[order](ctx, h.Client, "/x") })
		synctest.Wait()
		h.set(ok)
		assert.ErrorIs(t, h.get(), aplomb.ErrCircuitOpen) // one probe at a time
		time.Sleep(time.Until(started.Add(35*time.Second - 1)))
		assert.ErrorIs(t, h.get(), aplomb.ErrCircuitOpen)
		time.Sleep(time.Nanosecond)
		assert.ErrorIs(t, h.get(), aplomb.ErrCircuitOpen) // failed with the lease: open again
		assert.Equal(t, h.last().To, aplomb.BreakerOpen)
		assert.Equal(t, h.last().At, started.Add(35*time.Second))
		time.Sleep(time.Until(h.last().ReadyAt))
		assert.NoError(t, h.get())
		assert.NoError(t, h.get())
		cancel()
		probe.Wait()
	})
}

// Law 9: the lease allows for the header timeout that the client has.
func TestLaw09_LeaseFollowsTheTimeouts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, aplomb.Timeouts{ResponseHeader: 2 * time.Minute})
		h.fail(t, 20)
		time.Sleep(time.Until(h.last().ReadyAt))
		h.set(fault(aplombtest.Stall(90 * time.Second)))
		_, err := get(t, h.Client, aplomb.Timeout(time.Hour))
		assert.NoError(t, err)
		assert.Equal(t, h.last().To, aplomb.BreakerClosed)
	})
}

// Law 9: a throttled or cancelled probe neither opens nor closes it.
func TestLaw09_NeutralProbeFreesTheSlot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, aplomb.NoRateLimit())
		h.fail(t, 20)
		time.Sleep(time.Until(h.last().ReadyAt))
		h.set(status(429))
		assert.Equal(t, aplomb.StatusCode(h.get()), 429)
		assert.Equal(t, h.last().To, aplomb.BreakerHalfOpen)
		h.set(ok)
		assert.NoError(t, h.get())
		assert.Equal(t, h.last().To, aplomb.BreakerClosed)
	})
}

// Only one of a thousand callers at the moment of reopening is the probe.
func TestBreakerProbesOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		h.fail(t, 20)
		time.Sleep(time.Until(h.last().ReadyAt))
		h.set(fault(aplombtest.Stall(time.Second)))
		var callers sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 1000 {
			callers.Go(func() {
				if errors.Is(h.get(), aplomb.ErrCircuitOpen) {
					mu.Lock()
					defer mu.Unlock()
					refused++
				}
			})
		}
		callers.Wait()
		assert.Equal(t, refused, 999)
		assert.Equal(t, h.hits, 21)
	})
}

// The open time doubles with each failed probe, up to its cap, and is spread.
func TestBreakerOpenTimeGrows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		h.fail(t, 20)
		for _, want := range []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 1500 * time.Millisecond} {
			e := h.last()
			openFor := e.ReadyAt.Sub(e.At)
			assert.True(t, openFor >= want*8/10 && openFor <= want*12/10, want, openFor)
			time.Sleep(openFor)
			h.fail(t, 1)
		}
		time.Sleep(time.Until(h.last().ReadyAt))
		h.set(ok)
		assert.NoError(t, h.get())
		h.fail(t, 20)
		e := h.last()
		assert.True(t, e.ReadyAt.Sub(e.At) <= 600*time.Millisecond, "a success starts the growth again")
	})
}

// No retry is sent while the circuit is not closed: the probe is the only one.
func TestBreakerStopsRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		h.fail(t, 20)
		before := h.hits
		time.Sleep(time.Until(h.last().ReadyAt))
		_, err := get(t, h.Client, aplomb.Retry{})
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.Contains(t, err.Error(), "the circuit is open")
		assert.Equal(t, h.hits, before+1)
	})
}

// A hook may use the client: no lock is held while it runs.
func TestBreakerHookMayCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var c *aplomb.Client
		called := 0
		hook := aplomb.Hooks{Breaker: func(aplomb.BreakerEvent) {
			called++
			_, _ = aplomb.Get[order](context.Background(), c, "/x")
		}}
		c = newClient(t, aplombtest.NewServer(t, script(status(503))), aplomb.NoRetry(), hook)
		for range 20 {
			_, _ = get(t, c)
		}
		assert.Equal(t, called, 1)
	})
}

// The time that a hook takes over a change is none of the attempt's.
func TestBreakerHookMayTakeItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var last aplomb.AttemptEvent
		h := newHost(t, aplomb.Hooks{
			Breaker:     func(aplomb.BreakerEvent) { time.Sleep(2 * time.Second) },
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { last = e },
		})
		h.fail(t, 20)
		h.set(ok)
		pause(time.Minute)
		assert.NoError(t, h.get())
		assert.Equal(t, last.Status, http.StatusOK)
		assert.Equal(t, last.Elapsed, 0)
	})
}

// One host's outage is not another's, unless Key says so.
func TestBreakerKey(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []aplomb.Option
		want bool
	}{
		"per origin": {nil, true},
		"one key":    {[]aplomb.Option{aplomb.Breaker{Key: func(*http.Request) string { return "all" }}}, false},
		"off":        {[]aplomb.Option{aplomb.NoBreaker()}, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				n.Serve("http://a.test", script(status(503)))
				n.Serve("http://b.test", script(ok))
				c := newClientAt(t, "http://a.test", append(tt.opts, aplomb.NoRetry(), aplomb.Transport(n.Transport()))...)
				for range 20 {
					_, _ = get(t, c)
				}
				_, err := aplomb.Get[order](context.Background(), c, "/x", aplomb.URL("http://b.test/x"))
				assert.Equal(t, err == nil, tt.want)
			})
		})
	}
}

// A body that breaks off after its verdict counts against the host, on the
// doors that stream.
func TestBreakerCountsBrokenBodies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		h.set(fault(aplombtest.TruncatedBody(3)))
		for range 10 { // each is an answer, then a failure: half of 20
			resp, err := h.HTTPClient().Get("http://api.test/x")
			assert.NoError(t, err)
			_, err = io.ReadAll(resp.Body)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.NoError(t, resp.Body.Close())
		}
		assert.ErrorIs(t, h.get(), aplomb.ErrCircuitOpen)
	})
}

// A host that hangs opens the circuit although all its callers have deadlines;
// callers in a hurry do not.
func TestBreakerAndDeadlines(t *testing.T) {
	after := func(d time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { time.Sleep(d); ok(w, r) }
	}
	for name, tt := range map[string]struct {
		known    int // good answers of 50 ms before
		deadline time.Duration
		opens    bool
	}{
		"hangs from the start":     {0, time.Second, true},
		"unknown, in a hurry":      {0, 900 * time.Millisecond, false},
		"hangs":                    {20, 50 * time.Millisecond, true},
		"quicker than it ever was": {20, 49 * time.Millisecond, false},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := newHost(t)
			h.set(after(50 * time.Millisecond))
			for range tt.known {
				assert.NoError(t, h.get())
			}
			h.set(after(2 * time.Second))
			var callers sync.WaitGroup
			for range 40 {
				callers.Go(func() {
					_, err := aplomb.Get[order](context.Background(), h.Client, "/x", aplomb.Timeout(tt.deadline))
					assert.True(t, err != nil)
				})
			}
			callers.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			assert.Equal(t, len(h.events) > 0, tt.opens)
		})
	}
}

// Law 9: a cancel is the caller's own, and a deadline is none, whatever their causes say.
func TestLaw09_CausesDoNotCount(t *testing.T) {
	for name, tt := range map[string]struct {
		end   func(context.Context) (context.Context, context.CancelFunc)
		opens bool
	}{
		"an errgroup's cancel": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			late := fmt.Errorf("another of the group failed: %w", context.DeadlineExceeded)
			time.AfterFunc(5*time.Second, func() { cancel(late) })
			return ctx, func() { cancel(nil) }
		}, false},
		"a deadline with a cause": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, 5*time.Second, errors.New("the page must be rendered"))
		}, true},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := newHost(t)
			h.set(hang)
			ctx, cancel := tt.end(t.Context())
			defer cancel()
			var callers sync.WaitGroup
			for range 40 {
				callers.Go(func() {
					_, err := aplomb.Get[order](ctx, h.Client, "/x")
					assert.True(t, err != nil)
				})
			}
			callers.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			assert.Equal(t, len(h.events) > 0, tt.opens)
		})
	}
}

// What kept the request from leaving is not the host's fault.
func TestBreakerAndMiddlewaresThatHang(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, aplomb.PerAttempt(func(http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		}))
		var callers sync.WaitGroup
		for range 40 {
			callers.Go(func() {
				_, err := aplomb.Get[order](context.Background(), h.Client, "/x", aplomb.Timeout(5*time.Second))
				assert.True(t, err != nil)
			})
		}
		callers.Wait()
		assert.Equal(t, len(h.events), 0)
	})
}

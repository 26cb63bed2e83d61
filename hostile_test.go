package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// A middleware that returns neither a response nor an error is an error on
// either door, not a panic.
func TestMiddlewareReturnsNothing(t *testing.T) {
	nothing := func(http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, nil })
	}
	for name, place := range map[string]func(...aplomb.Middleware) aplomb.Option{"PerCall": aplomb.PerCall, "PerAttempt": aplomb.PerAttempt} {
		bubbleCase(t, name, func(t *testing.T) {
			c := newClient(t, aplombtest.NewServer(t, script(ok)), place(nothing))
			_, err := get(t, c)
			assert.Contains(t, fmt.Sprint(err), "neither a response nor an error")
			err = doThrough(context.Background(), c.Do, "http://api.test/x", [2]string{})
			assert.Contains(t, fmt.Sprint(err), "neither a response nor an error")
		})
	}
}

// survives runs f and lets a panic or a Goexit in it pass.
func survives(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		f()
	}()
	<-done
}

// Whatever code of the user's dies during a probe, and however, the breaker
// gets its probe back.
func TestProbeOutlivesItsHooks(t *testing.T) {
	for name, option := range map[string]func(die func()) aplomb.Option{
		"Judge": func(die func()) aplomb.Option {
			return aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict { die(); return a.Verdict })
		},
		"AttemptStart": func(die func()) aplomb.Option {
			return aplomb.Hooks{AttemptStart: func(context.Context, aplomb.AttemptEvent) { die() }}
		},
		"AttemptDone": func(die func()) aplomb.Option {
			return aplomb.Hooks{AttemptDone: func(context.Context, aplomb.AttemptEvent) { die() }}
		},
		"Breaker": func(die func()) aplomb.Option {
			return aplomb.Hooks{Breaker: func(e aplomb.BreakerEvent) {
				if e.To == aplomb.BreakerHalfOpen {
					die()
				}
			}}
		},
		"Quota": func(die func()) aplomb.Option {
			return aplomb.Hooks{Quota: func(context.Context, aplomb.QuotaEvent) { die() }}
		},
	} {
		for how, death := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
			bubbleCase(t, name+" "+how, func(t *testing.T) {
				die := func() {}
				state := []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "90", "X-RateLimit-Reset", "60"}
				h := script(status(500, state...))
				c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), option(func() { die() }))
				for range 20 {
					_, _ = get(t, c)
				}
				_, err := get(t, c)
				assert.ErrorIs(t, err, aplomb.ErrCircuitOpen)
				time.Sleep(2 * time.Second)
				h.steps = []http.HandlerFunc{body(order{}, state...)}
				die = death
				survives(func() { _, _ = get(t, c) })
				die = func() {}
				_, err = get(t, c)
				assert.NoError(t, err)
			})
		}
	}
}

// An attempt that panics gives its unit of the quota back.
func TestPanicGivesQuotaBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(order{}, "X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "90", "X-RateLimit-Reset", "60"))
		panics := false
		var last aplomb.QuotaEvent
		c := newClient(t, aplombtest.NewServer(t, h),
			aplomb.Hooks{Quota: func(_ context.Context, e aplomb.QuotaEvent) { last = e }},
			aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					if panics {
						panic(http.ErrAbortHandler)
					}
					return next.RoundTrip(r)
				})
			}))
		_, err := get(t, c)
		assert.NoError(t, err)
		panics = true
		for range 80 {
			survives(func() { _, _ = get(t, c) })
		}
		panics = false
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, last.Remaining, 90)
	})
}

// A Judge cannot make a refused credential be sent for ever.
func TestJudgeCannotLoop(t *testing.T) {
	for name, resend := range map[string]aplomb.Resend{"unprocessed": aplomb.ResendUnprocessed, "yes": aplomb.ResendYes} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(status(401))
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
				v := a.Verdict
				v.Resend = resend
				return v
			}))
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), 401)
			assert.True(t, h.count() <= 4, h.count())
			h.seen = nil
			_, err = get(t, c, aplomb.NoRetry())
			assert.Equal(t, aplomb.StatusCode(err), 401)
			assert.Equal(t, h.count(), 1)
		})
	}
}

// A panic while a page is fetched ahead comes out of the loop, as without
// Prefetch, and a Goexit is an error: the loop waits for nothing.
func TestPrefetchThatDies(t *testing.T) {
	dying := func(t *testing.T, die func()) *aplomb.Client {
		t.Helper()
		return newClientAt(t, "http://api.test", aplomb.Transport(aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			die()
			return nil, errors.New("unreachable")
		})))
	}
	bubbleCase(t, "panic", func(t *testing.T) {
		defer func() { assert.Equal(t, recover(), any("boom")) }()
		for range aplomb.Items[order](context.Background(), dying(t, func() { panic("boom") }), "/x", aplomb.ByLink{}, aplomb.Prefetch()) {
			t.Error("an item")
		}
	})
	bubbleCase(t, "Goexit", func(t *testing.T) {
		var last error
		for _, err := range aplomb.Items[order](context.Background(), dying(t, runtime.Goexit), "/x", aplomb.ByLink{}, aplomb.Prefetch()) {
			last = err
		}
		assert.Contains(t, fmt.Sprint(last), "the goroutine that fetched the page ended")
	})
}

// A middleware may send an attempt twice at a time, as a hedge does, or leave
// before it is answered, as a timeout does.
func TestMiddlewareSendsConcurrently(t *testing.T) {
	slow := aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		time.Sleep(20 * time.Millisecond)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"id":"1"}`)), Request: r}, nil
	}))
	for name, mw := range map[string]func(next http.RoundTripper, r *http.Request) (*http.Response, error){
		"hedge": func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			type result struct {
				*http.Response
				error
			}
			results := make(chan result, 2)
			for i := range 2 {
				go func() {
					time.Sleep(time.Duration(i) * 5 * time.Millisecond)
					resp, err := next.RoundTrip(r.Clone(r.Context()))
					results <- result{resp, err}
				}()
			}
			first := <-results
			return first.Response, first.error
		},
		"timeout": func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			go func() { _, _ = next.RoundTrip(r) }()
			time.Sleep(time.Millisecond)
			return nil, errors.New("my timeout")
		},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			secret := aplomb.SecretFunc(func(context.Context) (string, error) { time.Sleep(time.Millisecond); return "token", nil })
			c := newClientAt(t, "http://api.test", aplomb.NoRetry(), slow, aplomb.Bearer(secret), aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { return mw(next, r) })
			}))
			for range 5 {
				_, err := get(t, c)
				assert.Equal(t, err == nil, name == "hedge", err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		})
	}
}

type hangingSource struct{}

func (hangingSource) Token() (*oauth2.Token, error) {
	time.Sleep(time.Hour)
	return nil, errors.New("late")
}

// A token endpoint that hangs, and knows no context, holds no call past its
// deadline.
func TestHangingTokenSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(ok)), aplomb.OAuth2(hangingSource{}))
		start := time.Now()
		_, err := get(t, c, aplomb.Timeout(time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), time.Second)
		time.Sleep(time.Hour) // the source's own goroutine ends when the source lets it
	})
}

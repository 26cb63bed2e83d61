package aplomb_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// fixedJitter makes every full jitter come out as f of its range.
func fixedJitter(c *aplomb.Client, f float64) *aplomb.Client {
	aplomb.SetRandom(c, func() float64 { return f })
	return c
}

func TestRetrySchedule(t *testing.T) {
	ms := time.Millisecond
	for name, tt := range map[string]struct {
		step http.HandlerFunc
		opts []aplomb.Option
		want []time.Duration
	}{
		"faults double from 200ms":   {step: status(503), want: []time.Duration{200 * ms, 400 * ms, 800 * ms}},
		"throttles double from 1s":   {step: status(429), opts: []aplomb.Option{aplomb.NoRateLimit()}, want: []time.Duration{1000 * ms, 2000 * ms, 4000 * ms}},
		"capped before jitter":       {step: status(500), opts: []aplomb.Option{aplomb.Retry{MinBackoff: 300 * ms, MaxBackoff: 500 * ms}}, want: []time.Duration{300 * ms, 500 * ms, 500 * ms}},
		"Retry-After plus a tenth":   {step: status(503, "Retry-After", "2"), opts: []aplomb.Option{aplomb.NoRateLimit()}, want: []time.Duration{2200 * ms, 2200 * ms, 2200 * ms}},
		"Retry-After on a 500":       {step: status(500, "Retry-After", "1.5"), want: []time.Duration{1650 * ms, 1650 * ms, 1650 * ms}},
		"retry-after-ms":             {step: status(503, "Retry-After-Ms", "40"), want: []time.Duration{44 * ms, 44 * ms, 44 * ms}},
		"negative Retry-After":       {step: status(503, "Retry-After", "-5"), want: []time.Duration{200 * ms, 400 * ms, 800 * ms}},
		"Retry-After in the past":    {step: status(503, "Retry-After", "Sat, 01 Jan 1990 00:00:00 GMT"), want: []time.Duration{200 * ms, 400 * ms, 800 * ms}},
		"two attempts":               {step: status(503), opts: []aplomb.Option{aplomb.Retry{Attempts: 2}}, want: []time.Duration{200 * ms}},
		"off":                        {step: status(503), opts: []aplomb.Option{aplomb.NoRetry()}},
		"408":                        {step: status(408), want: []time.Duration{200 * ms, 400 * ms, 800 * ms}},
		"425 once, at once":          {step: status(425), want: []time.Duration{0}},
		"501 never":                  {step: status(501)},
		"409 never":                  {step: status(409)},
		"404 never":                  {step: status(404)},
		"Retry-After above the most": {step: status(503, "Retry-After", "61")},
		"Retry-After that overflows": {step: status(503, "Retry-After", "9223372036854775807")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := script(tt.step)
				_, err := get(t, fixedJitter(newClient(t, aplombtest.NewServer(t, h), tt.opts...), 1))
				assert.True(t, err != nil)
				assert.Equal(t, h.gaps(), tt.want)
			})
		})
	}
}

func TestRetryAfterDateUsesTheServersClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(func(w http.ResponseWriter, r *http.Request) {
			skewed := time.Now().Add(-10 * time.Minute)
			w.Header().Set("Date", skewed.UTC().Format(http.TimeFormat))
			w.Header().Set("Retry-After", skewed.Add(2*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		}, ok)
		_, err := get(t, fixedJitter(newClient(t, aplombtest.NewServer(t, h)), 0))
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{2 * time.Second})
	})
}

// Pitfalls 4 and 5: the last response is the caller's, body and all.
func TestRetryKeepsTheLastResponse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(status(503))))
		for _, do := range []func(*http.Request) (*http.Response, error){c.Do, c.HTTPClient().Do} {
			req, _ := http.NewRequest("GET", "http://api.test/x", nil)
			resp, err := do(req)
			assert.NoError(t, err)
			raw, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, resp.StatusCode, 503)
			assert.Equal(t, string(raw), `{"error":{"message":"scripted 503"}}`)
		}
	})
}

// Pitfalls 6 and 7: failed attempts give their connection back, and nobody
// else's is closed.
func TestRetryReusesTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		long := func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = io.WriteString(w, strings.Repeat("x", 16<<10))
		}
		s := aplombtest.NewServer(t, script(long, long, ok))
		_, err := get(t, newClient(t, s))
		assert.NoError(t, err)
		assert.Equal(t, s.Conns(), 1)
	})
}

// Pitfall 8: an error's body that stalls does not hold up the retry.
func TestRetryDrainIsBoundedInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stall := func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(700 * time.Millisecond):
			}
		}
		h := script(stall, ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Retry{MinBackoff: time.Millisecond}), 1)
		req, _ := http.NewRequest("GET", "http://api.test/x", nil)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.gaps(), []time.Duration{50 * time.Millisecond})
	})
}

// Pitfall 9: a body with GetBody is not buffered.
func TestRetryDoesNotBufferTheBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var largest int
		open := func() (io.ReadCloser, error) {
			return io.NopCloser(&counting{left: 8 << 20, largest: &largest}), nil
		}
		discard := func(next http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); next(w, r) }
		}
		h := script(discard(status(503)), discard(ok))
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, h)), "/x", aplomb.Body("application/octet-stream", open))
		assert.NoError(t, err)
		assert.True(t, largest <= 64<<10, largest)
	})
}

type counting struct {
	left    int
	largest *int
}

func (c *counting) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	*c.largest = max(*c.largest, len(p))
	n := min(len(p), c.left)
	c.left -= n
	return n, nil
}

// Pitfalls 1 and 22: redirects are the outer client's, and errors are typed.
func TestRetryLeavesRedirectsToTheClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), status(302, "Location", "/y"), ok)
		hc := newClient(t, aplombtest.NewServer(t, h)).HTTPClient()
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := hc.Get("http://api.test/x")
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, resp.StatusCode, 302)
		assert.Equal(t, h.count(), 2)
	})
}

// Pitfall 17: the cause of a cancel and the last failure are both told.
func TestRetryTellsWhatItWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(fault(aplombtest.Reset()))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Retry{MinBackoff: time.Minute}), 1)
		ctx, cancel := context.WithCancelCause(context.Background())
		stop := errors.New("user stop")
		time.AfterFunc(time.Second, func() { cancel(stop) })
		_, err := aplomb.Get[order](ctx, c, "/x")
		assert.ErrorIs(t, err, stop)
		assert.Contains(t, err.Error(), "user stop (while waiting to retry after ")
		assert.Contains(t, err.Error(), "connection reset")
	})
}

// A context of another kind than package context's ends a backoff, and the error says so,
// also before those made from it have heard.
func TestRetryEndsWithAContextOfAnotherKind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for range 100 {
			own := &foreignContext{Context: context.Background(), done: make(chan struct{})}
			end := sync.OnceFunc(func() { close(own.done) })
			c := newClient(t, aplombtest.NewServer(t, script(status(503))), aplomb.Retry{MinBackoff: 5 * time.Second}, aplomb.Hooks{WaitStart: func(ctx context.Context, _ aplomb.WaitEvent) {
				_ = ctx.Done() // somebody waits for it
				time.AfterFunc(5*time.Millisecond, end)
			}})
			_, err := aplomb.Get[order](own, c, "/x")
			assert.ErrorIs(t, err, context.Canceled)
			assert.Contains(t, fmt.Sprint(err), "context canceled (while waiting to retry after status 503)")
		}
	})
}

// foreignContext ends when done is closed. A child hears of that by a goroutine.
type foreignContext struct {
	context.Context
	done chan struct{}
}

func (c *foreignContext) Done() <-chan struct{} { return c.done }

func (c *foreignContext) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// The cause of the caller's cancel is told, also before the contexts made from its own
// have heard.
func TestRetryTellsTheCauseAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		base, cancel := context.WithCancelCause(context.Background())
		own, ended, late := &foreignContext{Context: base}, make(chan struct{}), make(chan struct{})
		defer close(late)
		own.done = ended
		stop := errors.New("user stop")
		c := newClient(t, aplombtest.NewServer(t, script(status(503))), aplomb.Retry{MinBackoff: 5 * time.Second}, aplomb.Hooks{WaitStart: func(ctx context.Context, _ aplomb.WaitEvent) {
			synctest.Wait() // for what listens on behalf of the attempt
			own.done = late
			_ = ctx.Done() // somebody waits for it
			synctest.Wait()
			own.done = ended
			time.AfterFunc(5*time.Millisecond, func() { cancel(stop); close(ended) })
		}})
		_, err := aplomb.Get[order](own, c, "/x")
		assert.ErrorIs(t, err, stop)
		assert.Contains(t, fmt.Sprint(err), "user stop (while waiting to retry after status 503)")
	})
}

// A backoff counts from the answer, also where a hook takes its time when it begins.
func TestRetryWaitsNoLongerForASlowHook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), ok)
		slow := aplomb.Hooks{WaitStart: func(context.Context, aplomb.WaitEvent) { time.Sleep(500 * time.Millisecond) }}
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Retry{MinBackoff: 900 * time.Millisecond}, slow), 1)
		_, err := get(t, c, aplomb.Timeout(time.Second))
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{900 * time.Millisecond})
	})
}

// Pitfall 19: what the next attempt would only repeat is not repeated.
func TestRetryNever(t *testing.T) {
	t.Run("garbage", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := script(fault(aplombtest.Raw("SMTP ready\r\n\r\n")))
			_, err := get(t, newClient(t, aplombtest.NewServer(t, h)))
			assert.Contains(t, err.Error(), "malformed HTTP")
			assert.Equal(t, h.count(), 1)
		})
	})
	for name, err := range map[string]error{
		"unknown authority": &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"token refused":     &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, ErrorCode: "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				c := newClientAt(t, "http://api.test", aplomb.Transport(aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) {
					n++
					return nil, err
				})))
				_, got := get(t, c)
				assert.ErrorIs(t, got, err)
				assert.Equal(t, n, 1)
			})
		})
	}
}

// Pitfall 21: a request that came in by a server is sent on.
func TestRetryUnderReverseProxy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), ok)
		s := aplombtest.NewServer(t, h)
		req, _ := http.NewRequest("GET", s.URL+"/x", nil)
		req.RequestURI = "/x"
		resp, err := newClient(t, s).Transport().RoundTrip(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.count(), 2)
	})
}

func TestRetryBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoBreaker()), 0)
		for range 20 {
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), 503)
		}
		assert.Equal(t, h.count(), 20+10, "ten retries are the reserve")
		_, err := get(t, c)
		assert.Contains(t, err.Error(), "the retry budget is spent")

		<-time.After(20 * time.Second) // two more by the trickle
		h.seen = nil
		_, err = get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.Equal(t, h.count(), 3)

		// Ten successes pay for one retry, which gives its cost back if it succeeds.
		h.steps = []http.HandlerFunc{ok}
		h.seen = nil
		for range 10 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		h.steps, h.seen = []http.HandlerFunc{status(503), ok}, nil
		_, err = get(t, c)
		assert.NoError(t, err)
		h.seen = nil
		_, err = get(t, c)
		assert.NoError(t, err)
	})
}

// A Retry for one call leaves the client's budget alone.
func TestRetryPerCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoBreaker()), 0)
		for range 5 {
			_, _ = get(t, c, aplomb.Retry{Attempts: 20})
		}
		assert.Equal(t, h.count(), 5+10)
		h.seen = nil
		_, _ = get(t, c, aplomb.NoRetry())
		assert.Equal(t, h.count(), 1)
	})
}

// A truncated answer is a fault like any other, and a late one is counted.
func TestRetryTruncatedAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(fault(aplombtest.TruncatedBody(3)), ok)
		var failed int
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hooks{BodyFailed: func(context.Context, aplomb.AttemptEvent) { failed++ }})
		v, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, v.ID, "o_1")
		assert.Equal(t, h.count(), 2)

		h.seen = nil
		resp, err := c.HTTPClient().Get("http://api.test/x")
		assert.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.count(), 1)
		assert.Equal(t, failed, 1)
	})
}

func TestRenewedCredentialIsTriedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var rotated atomic.Bool
		h := script(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer new-key-2" {
				ok(w, r)
				return
			}
			rotated.Store(true)
			w.WriteHeader(401)
		})
		source := aplomb.SecretFunc(func(context.Context) (string, error) {
			if rotated.Load() {
				return "new-key-2", nil
			}
			return "old-key-1", nil
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(source), aplomb.NoRetry())
		_, err := post(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 2)
	})
	t.Run("only when it changed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := script(status(401))
			_, err := post(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(aplomb.Static("stale"))))
			assert.Equal(t, aplomb.StatusCode(err), 401)
			assert.Equal(t, h.count(), 1)
		})
	})
}

func TestWrapMountsABehaviourAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), ok)
		s := aplombtest.NewServer(t, h)
		rt, err := aplomb.Wrap(s.Transport(), aplomb.Retry{})
		assert.NoError(t, err)
		resp, err := (&http.Client{Transport: rt}).Get(s.URL)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, fmt.Sprint(h.count(), resp.StatusCode), "2 200")
	})
	_, err := aplomb.Wrap(&http.Transport{}, aplomb.Bearer(aplomb.Static("x")))
	assert.Contains(t, err.Error(), "Origins")
}

// A retry that was never sent, since its caller gave up, costs no budget.
func TestRetryBudgetOfTheCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(500))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoBreaker()), 1)
		for range 20 {
			ctx, cancel := context.WithCancel(context.Background())
			stop := time.AfterFunc(time.Millisecond, cancel)
			_, _ = aplomb.Get[order](ctx, c, "/x")
			stop.Stop()
			cancel()
		}
		assert.Equal(t, h.count(), 20)
		_, _ = get(t, c)
		assert.Equal(t, h.count(), 24)
	})
}

// However many attempts, the backoff stays at its cap.
func TestBackoffDoesNotOverflow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoBreaker(),
			aplomb.Retry{Attempts: 70, MinBackoff: 30 * time.Second, MaxBackoff: 5 * time.Minute, Budget: 1}), 1)
		for range 7 { // the reserve, refilled by the trickle, pays for a long series
			_, _ = get(t, c, aplomb.Timeout(24*time.Hour))
		}
		gaps := h.gaps()
		assert.True(t, len(gaps) >= 69, len(gaps))
		for _, gap := range gaps[4:69] {
			assert.Equal(t, gap, 5*time.Minute)
		}
	})
}

// A redirect that answers a retry leaves no body open.
func TestRetryClosesBodiesOfRedirects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		opened, closed := 0, 0
		open := func() (io.ReadCloser, error) {
			opened++
			once := sync.OnceFunc(func() { closed++ }) // net/http closes some twice
			return &hookedBody{Reader: strings.NewReader("x"), close: once}, nil
		}
		h := script(status(503), status(307, "Location", "/y"), ok)
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, h)), "/x", aplomb.Body("text/plain", open))
		assert.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, closed, opened)
	})
}

// A retry whose hook outlasts the call is not sent: the last answer stays the call's, no
// body is opened for it, and no budget is spent.
func TestRetryAfterTheDeadlineIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		opened, waits := 0, 0
		var told []int
		h := script(status(503, "Retry-After", "2"))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoBreaker(), aplomb.NoRateLimit(), aplomb.Hooks{
			WaitStart: func(context.Context, aplomb.WaitEvent) { waits++; pause(4 * time.Second) },
			CallDone:  func(_ context.Context, e aplomb.CallEvent) { told = append(told, e.Status) },
		})
		open := func() (io.ReadCloser, error) { opened++; return io.NopCloser(strings.NewReader("x")), nil }
		for range 40 {
			_, err := aplomb.Put[order](context.Background(), c, "/x", aplomb.Body("text/plain", open), aplomb.Timeout(3*time.Second))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.Equal(t, []int{h.count(), opened, waits}, []int{40, 40, 40})
		assert.Equal(t, told, slices.Repeat([]int{503}, 40))
	})
}

// What was not sent is no attempt, and costs the budget nothing.
func TestUnsentIsNoAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var cancel context.CancelFunc
		h := script(status(503))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoBreaker(), aplomb.Retry{Attempts: 2, MinBackoff: time.Microsecond},
			aplomb.Hooks{AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) {
				if e.Number == 2 {
					cancel()
				}
			}})
		for range 30 {
			var ctx context.Context
			ctx, cancel = context.WithCancel(context.Background())
			_, err := aplomb.Get[order](ctx, c, "/x")
			cancel()
			assert.ErrorIs(t, err, context.Canceled)
			call, _ := errors.AsType[*aplomb.CallError](err)
			assert.Equal(t, call.Attempts, 1)
		}
		assert.Equal(t, h.count(), 30)
	})
}

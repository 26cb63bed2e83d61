package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestToldRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.RateLimit{PerSecond: 10, Burst: 2})
		start := time.Now()
		for range 12 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, time.Since(start), time.Second)
	})
}

// A 429 closes the gate for everyone, also for those already waiting, and it
// reopens one at a time.
func TestGateClosesForEveryone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "10"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		start := time.Now()
		_, err := get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 429)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { _, err := get(t, c); assert.NoError(t, err) })
		}
		callers.Wait()
		assert.Equal(t, h.at[1].Sub(start), 10*time.Second)
		for i, gap := range h.gaps()[1:] {
			assert.True(t, gap >= time.Millisecond, "herd", i, gap)
		}
	})
}

// A waiter's slot is void when the gate closes again before it comes: no
// request enters a closed window, and those sent back go one at a time too.
func TestGateClosesAgainForWaiters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "10"), status(429, "Retry-After", "20"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		_, _ = get(t, c)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { _, _ = get(t, c) })
		}
		callers.Wait()
		reopened := h.at[1].Add(20 * time.Second)
		for i, at := range h.at[2:] {
			assert.True(t, !at.Before(reopened), i, at.Sub(reopened))
		}
		for i, gap := range h.gaps()[2:] {
			assert.True(t, gap >= time.Millisecond, "herd", i, gap)
		}
		assert.Equal(t, h.count(), 21)
	})
}

// Without a time from the server the gate still closes, longer each time.
func TestGateWithoutRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429), status(429), status(429), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		for range 4 {
			_, _ = get(t, c)
		}
		for i, gap := range h.gaps() {
			most := time.Second << i
			assert.True(t, gap >= most/2 && gap <= most, i, gap)
		}
	})
}

// window is a server with a fixed-window quota that it states in headers.
type window struct {
	mu             sync.Mutex
	limit, used    int
	length         time.Duration
	start          time.Time
	served, denied int
	state          func(h http.Header, limit, remaining int, reset time.Duration)
}

func (w *window) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); w.start.IsZero() || now.Sub(w.start) >= w.length {
		w.start, w.used = now, 0
	}
	reset := time.Until(w.start.Add(w.length))
	if w.used >= w.limit {
		w.denied++
		w.state(rw.Header(), w.limit, 0, reset)
		rw.WriteHeader(429)
		return
	}
	w.used++
	w.served++
	w.state(rw.Header(), w.limit, w.limit-w.used, reset)
	ok(rw, r)
}

var statements = map[string]func(h http.Header, limit, remaining int, reset time.Duration){
	"delta": func(h http.Header, limit, remaining int, reset time.Duration) {
		h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
		h.Set("X-Ratelimit-Reset", fmt.Sprintf("%.3f", (reset+time.Millisecond).Seconds()))
	},
	"epoch on a skewed clock": func(h http.Header, limit, remaining int, reset time.Duration) {
		skewed := time.Now().Add(-7 * time.Minute)
		h.Set("Date", skewed.UTC().Format(http.TimeFormat))
		h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
		h.Set("X-Ratelimit-Reset", strconv.FormatInt(skewed.Add(reset).Unix()+1, 10))
	},
	"IETF fields": func(h http.Header, limit, remaining int, reset time.Duration) {
		h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%d;w=60`, limit))
		h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, remaining, int(reset.Seconds())+1))
	},
}

// The client slows down before the wall: it spreads what is left, and never
// meets a 429.
func TestPacingBeforeTheWall(t *testing.T) {
	for name, state := range statements {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := &window{limit: 100, length: time.Minute, state: state}
				c := newClient(t, aplombtest.NewServer(t, w))
				start := time.Now()
				for range 250 {
					_, err := aplomb.Get[order](context.Background(), c, "/x", aplomb.Timeout(5*time.Minute))
					assert.NoError(t, err)
				}
				assert.Equal(t, w.denied, 0)
				took := time.Since(start)
				assert.True(t, took > 2*time.Minute && took < 3*time.Minute, took)
			})
		})
	}
}

// remaining=0 on a good answer is no error; it closes the gate for what comes.
func TestRemainingZero(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(order{ID: "last"}, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "30"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h)), 0)
		v, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, v.ID, "last")
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{30 * time.Second})
	})
}

// A 401 with remaining 0 says nothing of the quota.
func TestRemainingZeroOn401(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(401, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "3600"), ok)
		c := newClient(t, aplombtest.NewServer(t, h))
		_, err := get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 401)
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{0})
	})
}

// A quota that the server names holds only the operations that fall under it.
func TestNamedQuotas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "X-RateLimit-Resource", "search", "X-RateLimit-Limit", "30", "X-RateLimit-Remaining", "0",
			"X-RateLimit-Reset", "50", "Retry-After", "50"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		start := time.Now()
		_, err := aplomb.Get[order](context.Background(), c, "/search")
		assert.Equal(t, aplomb.StatusCode(err), 429)
		_, err = aplomb.Get[order](context.Background(), c, "/orders")
		assert.NoError(t, err)
		assert.Equal(t, time.Since(start), 0)
		_, err = aplomb.Get[order](context.Background(), c, "/search")
		assert.NoError(t, err)
		assert.Equal(t, time.Since(start), 50*time.Second)
	})
}

// Of several quotas in one answer the tightest holds.
func TestSeveralQuotas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(order{}, "X-RateLimit-Limit-Requests", "1000", "X-RateLimit-Remaining-Requests", "900", "X-RateLimit-Reset-Requests", "60s",
			"X-RateLimit-Limit-Tokens", "1000", "X-RateLimit-Remaining-Tokens", "0", "X-RateLimit-Reset-Tokens", "40s"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h)), 0)
		_, err := get(t, c)
		assert.NoError(t, err)
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{40 * time.Second})
	})
}

// A signature is a new Authorization each time; the told rate holds all the same.
func TestToldRateUnderSignatures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.RateLimit{PerSecond: 1, Burst: 1})
		start := time.Now()
		for i := range 5 {
			_, err := get(t, c, aplomb.Header("Authorization", "AWS4-HMAC-SHA256 Signature="+strconv.Itoa(i)))
			assert.NoError(t, err)
		}
		assert.Equal(t, time.Since(start), 4*time.Second)
	})
}

// Every wait is an event, with its cause, while it lasts.
func TestWaitsAreEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var begun, ended []aplomb.WaitEvent
		h := script(status(503), status(429, "Retry-After", "2"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.RateLimit{PerSecond: 1, Burst: 1}, aplomb.Hooks{
			WaitStart: func(_ context.Context, e aplomb.WaitEvent) { begun = append(begun, e) },
			WaitDone:  func(_ context.Context, e aplomb.WaitEvent) { ended = append(ended, e) },
		}), 1)
		_, err := get(t, c)
		assert.NoError(t, err)
		var causes []string
		for _, e := range ended {
			causes = append(causes, fmt.Sprint(e.Cause, " ", e.Duration))
		}
		assert.Equal(t, causes, []string{"backoff 200ms", "limiter 800ms", "backoff 2.2s"})
		assert.Equal(t, len(begun), len(ended))
		synctest.Wait()
	})
}

// A 503 that says how long the service is away closes the gate as well.
func TestGateClosesOn503WithRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503, "Retry-After", "10"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		_, err := get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 503)
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{10 * time.Second})
	})
}

// Credentials that requests bring themselves have quotas of their own.
func TestQuotaPerCredential(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "30"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		_, _ = get(t, c, aplomb.Header("Authorization", "Bearer a"))
		_, err := get(t, c, aplomb.Header("Authorization", "Bearer b"))
		assert.NoError(t, err)
		_, err = get(t, c, aplomb.Header("Authorization", "Bearer a"))
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{0, 30 * time.Second})
	})
}

// A window that an answer says is used up closes for those already waiting.
func TestRemainingZeroForWaiters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		zero := body(order{}, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "30")
		h := script(status(429, "Retry-After", "1"), zero, ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		_, _ = get(t, c)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { _, err := get(t, c); assert.NoError(t, err) })
		}
		callers.Wait()
		assert.Equal(t, h.gaps()[:2], []time.Duration{time.Second, 30 * time.Second})
		for i, gap := range h.gaps()[2:] {
			assert.True(t, gap >= time.Millisecond, "herd", i, gap)
		}
	})
}

// A gate that closes again refuses at once those whose time ends before.
func TestGateRefusesWhoCannotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "10"), status(429, "Retry-After", "20"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry()), 0)
		_, _ = get(t, c)
		start := time.Now()
		var callers sync.WaitGroup
		callers.Go(func() { _, err := get(t, c); assert.Equal(t, aplomb.StatusCode(err), 429) })
		synctest.Wait()
		callers.Go(func() {
			_, err := get(t, c, aplomb.Timeout(15*time.Second))
			assert.True(t, errors.Is(err, aplomb.ErrRateLimited), err)
			assert.Equal(t, time.Since(start), 10*time.Second)
		})
		callers.Wait()
	})
}

// MaxWait holds for typed calls too, whose caller set no deadline; a deadline of
// the caller's wins.
func TestMaxWaitOfTypedCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "2"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), aplomb.RateLimit{MaxWait: 500 * time.Millisecond})
		_, _ = get(t, c)
		start := time.Now()
		_, err := get(t, c)
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		assert.Equal(t, time.Since(start), 0)
		_, err = get(t, c, aplomb.Timeout(5*time.Second))
		assert.NoError(t, err)
	})
}

// Nobody waits for a token of a told rate in front of a gate that opens too late.
func TestToldRateBeforeAClosedGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "50"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), aplomb.RateLimit{PerSecond: 1, Burst: 1})
		_, _ = get(t, c)
		start := time.Now()
		_, err := get(t, c, aplomb.Timeout(5*time.Second))
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		assert.Equal(t, time.Since(start), 0)
	})
}

// Where a window was used up the next begins with one request that looks, not
// with all who waited.
func TestNextWindowBeginsPaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		zero := body(order{}, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "30")
		h := script(zero, slowly(ok))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h)), 0)
		_, _ = get(t, c)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { _, err := get(t, c); assert.NoError(t, err) })
		}
		callers.Wait()
		assert.Equal(t, h.gaps()[0], 30*time.Second)
		assert.True(t, h.gaps()[1] > 40*time.Millisecond, h.gaps()[1])
		for i, gap := range h.gaps()[2:] {
			assert.True(t, gap >= 10*time.Millisecond, "herd", i, gap)
		}
	})
}

// 429s that come in one after another send the waiters back without making a
// herd of them.
func TestStaggeredThrottles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const first = 30
		var steps []http.HandlerFunc
		for i := range first {
			steps = append(steps, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Duration(i+1) * 10 * time.Millisecond)
				status(429, "Retry-After", "5")(w, r)
			})
		}
		h := script(append(steps, ok)...)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		var callers sync.WaitGroup
		for range first {
			callers.Go(func() { _, _ = get(t, c) })
		}
		synctest.Wait()
		for range 60 {
			time.Sleep(5 * time.Millisecond)
			callers.Go(func() { _, err := get(t, c); assert.NoError(t, err) })
		}
		callers.Wait()
		closed := 0
		for i := range h.at {
			if h.at[i].Sub(h.at[0]) < 5*time.Second {
				closed = i
				continue
			}
			assert.True(t, h.at[i].Sub(h.at[i-1]) >= time.Millisecond, "herd", i)
		}
		assert.True(t, closed < first+2, "sent while the gate was closed", closed)
	})
}

// Callers that gave up while they waited hold no place in the queue.
func TestCancelledWaitersLeaveTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "10"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, _ = get(t, c)
		ctx, cancel := context.WithCancel(context.Background())
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() { _, _ = aplomb.Get[order](ctx, c, "/x") })
		}
		synctest.Wait()
		cancel()
		callers.Wait()
		time.Sleep(10 * time.Second)
		start := time.Now()
		for range 10 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.True(t, time.Since(start) < time.Second, time.Since(start))
		assert.Equal(t, h.count(), 11)
	})
}

// Callers with little patience are served as fast as the gate allows, however
// many before them gave up.
func TestImpatientCallersAreServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "1"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, _ = get(t, c)
		time.Sleep(2 * time.Second)
		var callers sync.WaitGroup
		for range 1000 {
			time.Sleep(20 * time.Millisecond)
			callers.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				time.AfterFunc(100*time.Millisecond, cancel)
				_, _ = aplomb.Get[order](ctx, c, "/x")
			})
		}
		callers.Wait()
		assert.True(t, h.count() > 900, h.count())
	})
}

// A token bucket, whose reset moves on with every answer, is not counted down.
func TestTokenBucketIsNoWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		waits := 0
		h := script(body(order{}, "RateLimit-Limit", "10", "RateLimit-Remaining", "9", "RateLimit-Reset", "1"))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hooks{WaitStart: func(context.Context, aplomb.WaitEvent) { waits++ }})
		for range 100 {
			time.Sleep(200 * time.Millisecond)
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, waits, 0)
	})
}

// A named quota is free again after enough successes, although these do not
// name it.
func TestNamedQuotaRecovers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "RateLimit", `"default";r=0;t=1`, "RateLimit-Policy", `"default";q=100;w=60`), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		for range 1200 {
			_, _ = get(t, c)
		}
		start := time.Now()
		for range 100 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, time.Since(start), 0)
	})
}

// No answer closes a gate for good, whatever time it names.
func TestGateIsNotClosedForGood(t *testing.T) {
	for name, step := range map[string]http.HandlerFunc{
		"nonsense": status(503, "Retry-After", "99999999999999"),
		"a year":   status(429, "Retry-After", "31536000"),
		"a reset":  body(order{}, "X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "31536000"),
	} {
		bubbleCase(t, name, func(t *testing.T) {
			c := newClient(t, aplombtest.NewServer(t, script(step, ok)), aplomb.NoRetry())
			_, _ = get(t, c)
			time.Sleep(25 * time.Hour)
			_, err := get(t, c)
			assert.NoError(t, err)
		})
	}
}

// A hook that dies while its call waits for a quota leaves the queue, and its
// unit is not lost.
func TestQueueOutlivesItsHooks(t *testing.T) {
	for _, when := range []string{"WaitStart", "WaitDone"} {
		bubbleCase(t, when, func(t *testing.T) {
			die := false
			dead := func(context.Context, aplomb.WaitEvent) {
				if die {
					panic("hook")
				}
			}
			hooks := aplomb.Hooks{WaitStart: dead}
			if when == "WaitDone" {
				hooks = aplomb.Hooks{WaitDone: dead}
			}
			var last aplomb.QuotaEvent
			left := 21
			h := script(status(429, "Retry-After", "1"), func(w http.ResponseWriter, r *http.Request) {
				left--
				body(order{}, "X-RateLimit-Limit", "20", "X-RateLimit-Remaining", strconv.Itoa(left), "X-RateLimit-Reset", "3600")(w, r)
			})
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), hooks, aplomb.Hooks{Quota: func(_ context.Context, e aplomb.QuotaEvent) { last = e }})
			_, _ = get(t, c)
			die = true
			for range 10 {
				survives(func() { _, _ = get(t, c) })
			}
			die = false
			time.Sleep(10 * time.Second)
			_, err := get(t, c)
			assert.NoError(t, err)
			assert.Equal(t, last.Remaining, int64(20))
		})
	}
}

// A call without a deadline waits no longer than MaxWait, also where the queue
// moves on more slowly than it looked.
func TestMaxWaitEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const longest = 10 * time.Second
		b := newBucket(1, 5, func(h http.Header, _ *bucket, _ int, next, _ time.Duration, refused bool) {
			retryAfter(h, next, refused)
		})
		c := newClient(t, aplombtest.NewServer(t, b), aplomb.NoRetry(), aplomb.RateLimit{MaxWait: longest})
		for range 20 {
			_, _ = get(t, c)
		}
		var refused atomic.Int64
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				start := time.Now()
				err := doThrough(context.Background(), c.Do, "http://api.test/x", [2]string{})
				if errors.Is(err, aplomb.ErrRateLimited) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
				assert.True(t, time.Since(start) <= longest+100*ms, time.Since(start))
			})
		}
		wg.Wait()
		assert.True(t, refused.Load() > 200, refused.Load())
	})
}

// Who queued before a named quota was known does not enter its closed window.
func TestWaitersLearnOfANamedQuota(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var in, closed atomic.Int64
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch in.Add(1) {
			case 1:
				status(429, "Retry-After", "1")(w, r)
			case 2:
				closed.Store(time.Now().Add(30 * time.Second).UnixNano())
				body(order{}, "RateLimit", `"default";r=0;t=30`)(w, r)
			default:
				if time.Now().UnixNano() < closed.Load() {
					t.Errorf("request %d in a closed window", in.Load())
				}
				ok(w, r)
			}
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, _ = get(t, c)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := get(t, c)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
	})
}

// A connection that is refused takes nothing from a quota: a window in which
// some fail is no bucket that fills.
func TestRefusedConnectionsAreNoRefill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n, left, refused int
		ends := time.Now()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !time.Now().Before(ends) {
				ends, left = time.Now().Add(time.Minute), 100
			}
			answer := ok
			if left == 0 {
				refused++
				answer = status(429)
			}
			left = max(0, left-1)
			w.Header().Set("X-Ratelimit-Limit", "100")
			w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(left))
			w.Header().Set("X-Ratelimit-Reset", ceil(time.Until(ends)))
			answer(w, r)
		})
		s := aplombtest.NewServer(t, h)
		c := newClient(t, s, aplomb.NoBreaker(), aplomb.NoRetry(), aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if n++; n%4 == 0 {
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
			return s.Transport().RoundTrip(r)
		})))
		for range 600 {
			_, _ = get(t, c, aplomb.Timeout(100*ms))
			time.Sleep(100 * ms)
		}
		assert.Equal(t, refused, 0)
	})
}

// Of two quotas of one name the one that is used up counts.
func TestTwoQuotasOfOneName(t *testing.T) {
	for name, headers := range map[string][]string{
		"partitions": {"RateLimit", `"p";r=0;t=30;pk=:YQ==:, "p";r=900;t=3600;pk=:Yg==:`},
		"dialects":   {"RateLimit-Limit", "10", "RateLimit-Remaining", "0", "RateLimit-Reset", "30", "X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", "900", "X-RateLimit-Reset", "3600"},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(body(order{}, headers...), ok)
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
			for range 5 {
				_, _ = get(t, c)
			}
			assert.True(t, h.gaps()[0] >= 30*time.Second, h.gaps()[0])
		})
	}
}

// The largest number a server can name stays one.
func TestRemainingOfAnUnlimitedQuota(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var last aplomb.QuotaEvent
		h := script(body(order{}, "X-RateLimit-Limit", "9223372036854775807", "X-RateLimit-Remaining", "9223372036854775807", "X-RateLimit-Reset", "60"))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hooks{Quota: func(_ context.Context, e aplomb.QuotaEvent) { last = e }})
		for range 3 {
			_, err := get(t, c)
			assert.NoError(t, err)
			assert.True(t, last.Remaining > 0, last.Remaining)
		}
	})
}

// A slow operation is paced in a short window, but not past its end.
func TestNobodyWaitsPastTheReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(20*time.Second, body(order{}, "X-RateLimit-Limit", "3", "X-RateLimit-Remaining", "2", "X-RateLimit-Reset", "1")))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, err := get(t, c)
		assert.NoError(t, err)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := get(t, c)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.True(t, h.gaps()[1] <= 2*time.Second, h.gaps())
	})
}

// Operations whose answers do not speak of a quota do not use up the numbers of
// one that does.
func TestNumbersOnOneEndpointOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/search" {
				body(order{}, "X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "9", "X-RateLimit-Reset", "3600")(w, r)
				return
			}
			ok(w, r)
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, err := aplomb.Get[order](context.Background(), c, "/search")
		assert.NoError(t, err)
		for i := range 50 {
			if _, err := get(t, c); err != nil {
				t.Fatal(i, err)
			}
		}
	})
}

// Where a server refuses although its numbers are plenty, they are not those of
// the quota that refuses: one request looks, and the rest follow paced.
func TestRefusalDespitePlenty(t *testing.T) {
	bubble(t, func(t *testing.T) {
		state := []string{"X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", "3600"}
		h := script(body(order{}, state...), status(429, append(state, "Retry-After", "10")...), body(order{}, state...))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, _ = get(t, c)
		_, _ = get(t, c)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { _, _ = get(t, c) })
		}
		wg.Wait()
		atOnce := 0
		for _, at := range h.at[2:] {
			if at.Sub(h.at[2]) < 100*time.Millisecond {
				atOnce++
			}
		}
		assert.True(t, atOnce < 20, atOnce)
	})
}

// A window whose server does not count every request looks like a bucket that
// fills. Once it is spent, refusals teach better, also those with a 403.
func TestSpentWindowWithFreeRequests(t *testing.T) {
	for name, code := range map[string]int{"403": 403, "429": 429} {
		bubbleCase(t, name, func(t *testing.T) {
			var n, left, refused int
			ends := time.Now()
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !time.Now().Before(ends) {
					ends, left = time.Now().Add(time.Hour), 5000
				}
				n++
				answer := ok
				switch {
				case left == 0:
					refused++
					answer = status(code)
				case n%2 == 0:
					left--
				}
				w.Header().Set("X-Ratelimit-Limit", "5000")
				w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(left))
				w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(ends.Unix(), 10))
				w.Header().Set("X-Ratelimit-Resource", "core")
				answer(w, r)
			})
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
			for range 40000 {
				_, _ = get(t, c, aplomb.Timeout(80*ms))
				time.Sleep(80 * ms)
			}
			assert.True(t, refused > 0 && refused <= 20, refused)
		})
	}
}

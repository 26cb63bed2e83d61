package aplomb_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
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

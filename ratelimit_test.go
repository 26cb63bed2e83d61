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
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
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
// request enters a closed window.
func TestGateClosesAgainForWaiters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "10"), status(429, "Retry-After", "20"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
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
		c := newClient(t, aplombtest.NewServer(t, h))
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
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
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
		c := newClient(t, aplombtest.NewServer(t, h))
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
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
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
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		_, _ = get(t, c, aplomb.Header("Authorization", "Bearer a"))
		_, err := get(t, c, aplomb.Header("Authorization", "Bearer b"))
		assert.NoError(t, err)
		_, err = get(t, c, aplomb.Header("Authorization", "Bearer a"))
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{0, 30 * time.Second})
	})
}

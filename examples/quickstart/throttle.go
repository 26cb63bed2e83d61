package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// throttle is told to wait by a 429, and then by a quota that is nearly used
// up, which is the better time to slow down: before the wall.
func (t *tour) throttle(ctx context.Context) error {
	waited, err := t.refused(ctx)
	if err != nil {
		return err
	}
	t.sayf("429, Retry-After 1s → waited %.1fs", waited.Seconds())
	t.report.promise("waited_on_429", fmt.Sprintf("%.1fs", waited.Seconds()), "1.0s")

	q := newQuota(100, 4)
	slowed, err := t.nearlySpent(ctx, q)
	if err != nil {
		return err
	}
	pace := "did not slow down"
	if slowed > 0 {
		pace = "slowed down"
	}
	t.sayf("quota 3 of 100 left → %s, %d further 429", pace, q.refused)
	t.report.promise("further_429", q.refused, 0)
	return nil
}

// refused is how long a call waits, on purpose, after a 429. What aplomb adds to
// the server's second, so that not everybody comes back at once, is rounded away.
func (t *tour) refused(ctx context.Context) (time.Duration, error) {
	api := aplombtest.NewScript(http.HandlerFunc(inventory), aplombtest.Status(http.StatusTooManyRequests, "Retry-After", "1"))
	var waited time.Duration
	c, err := aplomb.New(t.serve(api), t.options(), aplomb.Hooks{
		WaitStart: func(_ context.Context, e aplomb.WaitEvent) { waited += e.Duration },
	})
	if err != nil {
		return 0, err
	}
	_, err = aplomb.Get[stock](ctx, c, "/v1/stock")
	return waited.Round(time.Second / 2), err
}

// nearlySpent makes one call, which tells that three are left, and then six at
// once. It returns how many of them were held back.
func (t *tour) nearlySpent(ctx context.Context, q *quota) (slowed int, err error) {
	var mu sync.Mutex
	c, err := aplomb.New(t.serve(q), t.options(), aplomb.Hooks{
		WaitStart: func(_ context.Context, e aplomb.WaitEvent) {
			mu.Lock()
			defer mu.Unlock()
			if e.Cause == aplomb.WaitQuota {
				slowed++
			}
		},
	})
	if err != nil {
		return 0, err
	}
	if _, err := aplomb.Get[stock](ctx, c, "/v1/stock"); err != nil {
		return 0, err
	}
	errs := make(chan error)
	const callers = 6
	for range callers {
		go func() {
			_, err := aplomb.Get[stock](ctx, c, "/v1/stock")
			errs <- err
		}()
	}
	for range callers {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return slowed, err
}

// quota is an API that keeps count and means it: so many requests in a window,
// 429 for the rest.
type quota struct {
	limit int

	mu      sync.Mutex
	left    int
	resetAt time.Time
	refused int
}

// A window is long enough for answers in order also on a machine that stalls for a while.
const window = 2500 * time.Millisecond

func newQuota(limit, left int) *quota { return &quota{limit: limit, left: left} }

func (q *quota) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock() // it answers in the order in which it counts
	now := time.Now()
	switch {
	case q.resetAt.IsZero():
		q.resetAt = now.Add(window)
	case now.After(q.resetAt):
		q.left, q.resetAt = q.limit, now.Add(window)
	}
	ok := q.left > 0
	if ok {
		q.left--
	} else {
		q.refused++
	}
	left, reset := q.left, q.resetAt.Sub(now)

	h := w.Header()
	h.Set("X-Ratelimit-Limit", strconv.Itoa(q.limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
	h.Set("X-Ratelimit-Reset-After", strconv.FormatFloat(math.Ceil(reset.Seconds()*1000)/1000, 'f', 3, 64))
	if !ok {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	inventory(w, r)
	_ = http.NewResponseController(w).Flush()
}

package aplomb_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// fifo is a server that works through one queue, one request after the other,
// also through those whose callers have long gone: what makes an overload last
// after its cause has passed. It stands in for a transport, since a quarter of a
// million requests over connections take too long.
type fifo struct {
	capacity func(at time.Duration) float64 // per second

	start    time.Time
	mu       sync.Mutex
	free     time.Time // when the last in the queue is done
	requests int
}

func (f *fifo) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.requests++
	now := time.Now()
	if f.free.Before(now) {
		f.free = now
	}
	f.free = f.free.Add(time.Duration(float64(time.Second) / f.capacity(f.free.Sub(f.start))))
	done := time.NewTimer(f.free.Sub(now))
	f.mu.Unlock()
	defer done.Stop()
	select {
	case <-done.C:
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// goodput is the share of calls, by the time they began, that got an answer.
type goodput struct{ offered, good [120]atomic.Int64 }

func (g *goodput) share(from, to int) float64 {
	var offered, good int64
	for s := from; s < to; s++ {
		offered += g.offered[s].Load()
		good += g.good[s].Load()
	}
	return float64(good) / float64(offered)
}

// overload sends load calls a second for two minutes to a server that does 1000
// a second, and 200 from the 20th to the 30th second.
func overload(t *testing.T, load float64, opts ...aplomb.Option) (*goodput, float64) {
	server := &fifo{start: time.Now(), capacity: func(at time.Duration) float64 {
		if at >= 20*time.Second && at < 30*time.Second {
			return 200
		}
		return 1000
	}}
	rt, err := aplomb.Wrap(server, opts...)
	assert.NoError(t, err)
	random := rand.New(rand.NewPCG(uint64(load), 1))
	var g goodput
	var calls sync.WaitGroup
	total := 0
	for next := time.Duration(0); ; {
		next += time.Duration(random.ExpFloat64() / load * float64(time.Second))
		second := int(next / time.Second)
		if second >= len(g.offered) {
			break
		}
		time.Sleep(next - time.Since(server.start))
		total++
		g.offered[second].Add(1)
		calls.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := rt.RoundTrip(r); err == nil {
				_ = resp.Body.Close()
				g.good[second].Add(1)
			}
		})
	}
	calls.Wait()
	synctest.Wait()
	return &g, float64(server.requests) / float64(total)
}

// After an overload a client that retries, or merely goes on, keeps the server
// down: it works on nothing but requests that nobody waits for. The budget and
// the breaker together let it recover.
func TestMetastableFailure(t *testing.T) {
	for _, tt := range []struct{ load, soon, later float64 }{
		{500, 0.97, 1}, {700, 0.78, 1}, {900, 0.78, 1},
	} {
		bubbleCase(t, fmt.Sprint(tt.load), func(t *testing.T) {
			g, perCall := overload(t, tt.load, aplomb.Retry{}, aplomb.Breaker{}, aplomb.Timeouts{ResponseHeader: time.Second})
			soon, later := g.share(30, 60), g.share(60, 120)
			t.Logf("load %v: goodput %.1f %% in seconds 30 to 60, %.2f %% to 120, %.3f attempts a call", tt.load, 100*soon, 100*later, perCall)
			assert.True(t, soon >= tt.soon && later >= 0.995*tt.later && perCall <= 1.15, soon, later, perCall)
		})
	}
	bubbleCase(t, "700, by the callers' deadlines", func(t *testing.T) {
		g, perCall := overload(t, 700, aplomb.Retry{}, aplomb.Breaker{}, aplomb.Timeout(time.Second))
		soon, later := g.share(30, 60), g.share(60, 120)
		t.Logf("deadlines: goodput %.1f %% in seconds 30 to 60, %.2f %% to 120, %.3f attempts a call", 100*soon, 100*later, perCall)
		assert.True(t, soon >= 0.78 && later >= 0.995 && perCall <= 1.15, soon, later, perCall)
	})
}

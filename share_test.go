package aplomb_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// moody is a store in memory that first does what its mood is.
type moody struct {
	*aplomb.MemoryStore
	mood   atomic.Pointer[func(context.Context) error]
	asked  atomic.Int32 // whatever
	takes  atomic.Int32
	closes atomic.Int32
}

func newMoody() *moody { return &moody{MemoryStore: aplomb.NewMemoryStore()} }

func (m *moody) feel(mood func(context.Context) error) { m.mood.Store(&mood) }

func (m *moody) begin(ctx context.Context) error {
	m.asked.Add(1)
	if mood := m.mood.Load(); mood != nil {
		return (*mood)(ctx)
	}
	return nil
}

func (m *moody) Take(ctx context.Context, key string, c aplomb.Claim) (time.Duration, error) {
	m.takes.Add(1)
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	return m.MemoryStore.Take(ctx, key, c)
}

func (m *moody) Close(ctx context.Context, key string, d time.Duration) error {
	m.closes.Add(1)
	if err := m.begin(ctx); err != nil {
		return err
	}
	return m.MemoryStore.Close(ctx, key, d)
}

func (m *moody) Closed(ctx context.Context, key string) (time.Duration, error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	return m.MemoryStore.Closed(ctx, key)
}

var moods = map[string]func(context.Context) error{
	"stalls": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	"fails":  func(context.Context) error { return errors.New("down") },
	"is deaf": func(context.Context) error {
		time.Sleep(3 * time.Second)
		return nil
	},
}

// fleetOf is n clients of h that share s, without retries.
func fleetOf(t *testing.T, n int, h http.Handler, s aplomb.Store, opts ...aplomb.Option) (clients []*aplomb.Client) {
	t.Helper()
	server := aplombtest.NewServer(t, h)
	for range n {
		clients = append(clients, newClient(t, server, append([]aplomb.Option{aplomb.NoRetry(), aplomb.Fleet{Store: s}}, opts...)...))
	}
	return clients
}

// timed makes a call and says how long it took.
func timed(c *aplomb.Client, opts ...aplomb.CallOption) (time.Duration, error) {
	began := time.Now()
	_, err := aplomb.Get[order](context.Background(), c, "/x", opts...)
	return time.Since(began), err
}

func TestFleetSharesAToldRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		s := newMoody()
		var group sync.WaitGroup
		for _, c := range fleetOf(t, 3, h, s, aplomb.RateLimit{PerSecond: 10, Burst: 1}) {
			for range 10 {
				group.Go(func() {
					_, err := timed(c)
					assert.NoError(t, err)
				})
			}
		}
		group.Wait()
		for _, gap := range h.gaps() {
			assert.Equal(t, gap, 100*time.Millisecond)
		}
		assert.Equal(t, h.count(), 30)
		assert.Equal(t, s.takes.Load(), 30)
	})
}

// A wait for a place that would outlive the call is refused at once, as by the
// local limiter, and takes no place.
func TestLaw03_FleetRefusesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		clients := fleetOf(t, 2, script(ok), aplomb.NewMemoryStore(), aplomb.RateLimit{PerSecond: 0.1, Burst: 1})
		_, err := timed(clients[0])
		assert.NoError(t, err)
		for range 3 {
			took, err := timed(clients[1], aplomb.Timeout(9*time.Second))
			assert.ErrorIs(t, err, aplomb.ErrRateLimited)
			assert.Contains(t, err.Error(), "the rate limit of 0.1 per second, shared with other replicas, allows the next request in 10s")
			assert.Equal(t, took, 0)
		}
		took, err := timed(clients[1])
		assert.NoError(t, err)
		assert.Equal(t, took, 10*time.Second)
	})
}

// What one is refused all obey: who waits for a place, who comes later, and not
// those with another credential.
func TestFleetParksAll(t *testing.T) {
	for name, limit := range map[string]aplomb.RateLimit{"told": {PerSecond: 100, Burst: 1}, "told nothing": {}} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(status(http.StatusTooManyRequests, "Retry-After", "10"), ok)
			clients := fleetOf(t, 3, h, aplomb.NewMemoryStore(), limit)
			_, err := timed(clients[0])
			assert.ErrorIs(t, err, aplomb.ErrRateLimited)
			synctest.Wait() // the store has been told
			var group sync.WaitGroup
			for i, c := range clients {
				for range 2 + i {
					group.Go(func() {
						took, err := timed(c)
						assert.NoError(t, err)
						assert.True(t, took >= 10*time.Second && took < 12*time.Second, took) // a reopening is spread over a second, then paced
					})
				}
			}
			took, err := timed(clients[1], aplomb.Header("Authorization", "Bearer other"))
			assert.NoError(t, err)
			assert.True(t, limit.PerSecond > 0 || took == 0, took)
			group.Wait()
		})
	}
}

// A used-up window parks those too who saw no answer of it.
func TestFleetSharesUsedUpWindows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(func(w http.ResponseWriter, r *http.Request) {
			statements["delta"](w.Header(), 100, 0, 40*time.Second)
			ok(w, r)
		}, ok)
		clients := fleetOf(t, 2, h, aplomb.NewMemoryStore())
		for i, want := range []time.Duration{0, 40 * time.Second} {
			took, err := timed(clients[i])
			assert.NoError(t, err)
			assert.True(t, took >= want && took <= want+time.Duration(i)*2*time.Second, took)
			synctest.Wait()
		}
	})
}

// Where the server states a rate, several replicas use it together and are
// hardly ever refused.
func TestFleetSharesAStatedRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBucket(200, 10, dialects["IETF"])
		s := aplomb.NewMemoryStore()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				work(t, b, 8, 8*time.Second, aplomb.Fleet{Store: s}, aplomb.RateLimit{Key: func(*http.Request) string { return "one" }})
			})
		}
		all.Wait()
		used, refused := b.use(1, 8)
		t.Logf("%.1f %% used, %.2f %% refused", 100*used, 100*refused)
		assert.True(t, used >= 0.9 && refused < 0.01, used, refused)
	})
}

// Whatever the store does no call fails, and it adds its timeout to one call
// per period; the replica's own limits hold meanwhile.
func TestLaw10_FleetWithoutItsStore(t *testing.T) {
	for name, mood := range moods {
		bubbleCase(t, name, func(t *testing.T) {
			const timeout, interval = 25 * time.Millisecond, 100 * time.Millisecond
			paid := timeout
			if name == "fails" {
				paid = 0
			}
			s, h := newMoody(), script(ok)
			c := fleetOf(t, 1, h, s, aplomb.RateLimit{PerSecond: 10, Burst: 1})[0]
			s.feel(mood)
			for i := range 10 { // the first meets the stall, the others the local limiter alone
				took, err := timed(c)
				assert.NoError(t, err)
				want := interval
				if i == 0 {
					want = paid
				}
				assert.Equal(t, took, want)
			}
			synctest.Wait()
			asked := s.asked.Load()
			time.Sleep(time.Second) // it has been left alone, and is tried once
			for range 5 {
				_, err := timed(c)
				assert.NoError(t, err)
			}
			assert.Equal(t, s.asked.Load(), asked+1)
			s.feel(func(context.Context) error { return nil })
			time.Sleep(5 * time.Second)
			for _, want := range []time.Duration{0, 0, interval, interval} { // one goes on without while it is tried
				took, err := timed(c)
				assert.NoError(t, err)
				assert.Equal(t, took, want)
				synctest.Wait()
			}
		})
	}
}

// While the store answers the local limiter follows it: an outage does not begin
// with a burst.
func TestFleetBooksTheLocalLimiter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, h := newMoody(), script(ok)
		c := fleetOf(t, 1, h, s, aplomb.RateLimit{PerSecond: 10, Burst: 2})[0]
		for range 10 {
			_, _ = timed(c)
		}
		s.feel(moods["fails"])
		for range 10 {
			took, err := timed(c)
			assert.NoError(t, err)
			assert.True(t, took > 0 && took <= 100*time.Millisecond, took)
		}
	})
}

// A hedge waits for no place; it is not sent then.
func TestFleetHedges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Second); ok(w, r) }
		for burst, want := range map[int]int{1: 1, 2: 2} {
			h := script(slow)
			c := fleetOf(t, 1, h, aplomb.NewMemoryStore(), aplomb.RateLimit{PerSecond: 0.1, Burst: burst}, aplomb.Hedge{After: 100 * time.Millisecond})[0]
			_, err := timed(c)
			assert.NoError(t, err)
			assert.Equal(t, h.count(), want)
		}
	})
}

// A trip makes the others wary: three failures of their own trip theirs, nothing
// else does; and what was a trip by advice advises nobody.
func TestFleetBreakersAdvise(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var broken atomic.Bool
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() {
				status(http.StatusInternalServerError)(w, r)
				return
			}
			ok(w, r)
		})
		s := newMoody()
		clients := fleetOf(t, 3, h, s, aplomb.Breaker{OpenFor: 30 * time.Second, MaxOpenFor: 30 * time.Second})
		for _, c := range clients {
			for range 30 {
				_, err := timed(c)
				assert.NoError(t, err)
			}
		}
		broken.Store(true)
		for range 20 {
			_, err := timed(clients[0])
			assert.True(t, !errors.Is(err, aplomb.ErrCircuitOpen))
		}
		_, err := timed(clients[0])
		assert.ErrorIs(t, err, aplomb.ErrCircuitOpen)
		broken.Store(false)
		time.Sleep(time.Second)
		for range 10 { // they hear of it, and that is all
			_, err := timed(clients[1])
			assert.NoError(t, err)
			synctest.Wait()
		}
		told := s.closes.Load()
		broken.Store(true)
		for range 3 {
			_, err = timed(clients[1])
			assert.True(t, err != nil && !errors.Is(err, aplomb.ErrCircuitOpen))
		}
		_, err = timed(clients[1])
		assert.ErrorIs(t, err, aplomb.ErrCircuitOpen)
		synctest.Wait()
		assert.Equal(t, s.closes.Load(), told)
		broken.Store(false)
		time.Sleep(40 * time.Second) // the advice is over
		_, err = timed(clients[2])
		assert.NoError(t, err)
		synctest.Wait()
		broken.Store(true)
		for range 2 {
			_, err = timed(clients[2])
			assert.True(t, err != nil && !errors.Is(err, aplomb.ErrCircuitOpen))
		}
	})
}

func TestFleetNeedsSomethingToShare(t *testing.T) {
	t.Parallel()
	f := aplomb.Fleet{Store: aplomb.NewMemoryStore()}
	_, err := aplomb.New("https://api.test", aplomb.NoRateLimit(), aplomb.NoBreaker(), f)
	assert.True(t, err != nil && strings.HasPrefix(err.Error(), "aplomb: Fleet has nothing to share: add RateLimit{} or Breaker{}"), err)
	for _, opt := range []aplomb.Option{aplomb.NoRateLimit(), aplomb.NoBreaker()} {
		_, err := aplomb.New("https://api.test", opt, f)
		assert.NoError(t, err)
	}
}

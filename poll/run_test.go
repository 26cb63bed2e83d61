package poll_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/poll"
)

// stored is a feed that runs into a store.
func stored(c *aplomb.Client, store inbox.Cursors) *poll.Feed[change] {
	f := feed(c)
	f.Store, f.Source, f.Name = store, "hub", "hub"
	return f
}

// keys are what is in a store, in the order it came.
func keys(t *testing.T, m *inbox.Memory) (all []string) {
	t.Helper()
	records, err := m.List(context.Background(), inbox.Query{Limit: 10_000})
	assert.NoError(t, err)
	for i := range records {
		all = append(all, records[i].Key)
	}
	return all
}

// run runs f in the background and returns what ends it and tells how it ended.
func run(t *testing.T, f *poll.Feed[change]) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return stop
}

func TestRun(t *testing.T) {
	t.Parallel()
	bubble(t, "puts what is new into the store", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.addMany(1, 40)
		at := h.events[6].At
		f := stored(client(t, h), m)
		f.Type = func(change) string { return "made" }
		f.Order = func(c change) string { return "order " + c.ID }
		stop := run(t, f)
		pass(2 * time.Minute)
		h.addMany(41, 42)
		pass(2 * time.Minute)
		assert.ErrorIs(t, stop(), context.Canceled)
		assert.Equal(t, keys(t, m), numbers(1, 42))
		records, err := m.List(t.Context(), inbox.Query{Key: "7"})
		assert.NoError(t, err)
		r := records[0]
		assert.Equal(t, []string{r.Source, r.Key, r.Type, r.Order, string(r.Via)}, []string{"hub", "7", "made", "order 7", "poll"})
		assert.True(t, r.Occurred.Equal(at))
		assert.Equal(t, string(r.Body), fmt.Sprintf(`{"id":"7","created_at":%q}`, at.Format(time.RFC3339Nano)))
	})
	bubble(t, "goes on where another process was, with its conditions", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.addMany(1, 3)
		stop := run(t, stored(client(t, h), m))
		pass(time.Minute)
		assert.ErrorIs(t, stop(), context.Canceled)
		counted, s := h.counted, &shaky{Memory: m}
		run(t, stored(client(t, h), s))
		pass(10 * time.Minute)
		assert.Equal(t, s.counted(&s.commits), 0, "nor anything to commit")
		assert.Equal(t, h.counted, counted, "nothing but 304")
		assert.Equal(t, keys(t, m), numbers(1, 3))
	})
	bubble(t, "does not use what it knows for another account", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.addMany(1, 3)
		stop := run(t, stored(client(t, h), m))
		pass(time.Minute)
		assert.ErrorIs(t, stop(), context.Canceled)
		f := stored(client(t, h), m)
		f.Variant = "another"
		before := len(h.requests())
		run(t, f)
		pass(time.Minute)
		assert.Equal(t, h.requests()[before].tag, "")
	})
	bubble(t, "leaves a cursor alone that is not its own", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		c, _, err := m.Hold(t.Context(), "hub", "me", time.Second)
		assert.NoError(t, err)
		_, err = m.Commit(t.Context(), "hub", c.Fence, `{"v":9}`)
		assert.NoError(t, err)
		assert.NoError(t, m.Release(t.Context(), "hub", c.Fence))
		err = stored(client(t, h), m).Run(t.Context())
		assert.Equal(t, err.Error(), "poll: hub: poll: the cursor has version 9, and this package reads 1")
	})
	bubble(t, "waits while the store is away", func(t *testing.T) {
		h, s := newHub(), &shaky{Memory: inbox.NewMemory()}
		h.addMany(1, 3)
		s.fail(func(step) error { return errors.New("down") })
		failed := 0
		f := stored(client(t, h), s)
		f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) {
			if e.Err != nil {
				failed++
			}
		}
		run(t, f)
		pass(time.Minute)
		assert.Equal(t, len(h.requests()), 0)
		assert.True(t, failed > 3, failed)
		s.fail(nil)
		pass(time.Minute)
		assert.Equal(t, keys(t, s.Memory), numbers(1, 3))
	})
	bubble(t, "is told when the inbox is full, and comes again", func(t *testing.T) {
		h, s := newHub(), &shaky{Memory: inbox.NewMemory()}
		h.addMany(1, 3)
		s.fail(func(at step) error {
			if at == beforeCommit {
				return inbox.ErrFull
			}
			return nil
		})
		run(t, stored(client(t, h), s))
		pass(time.Minute)
		assert.Equal(t, len(keys(t, s.Memory)), 0)
		s.fail(nil)
		pass(20 * time.Minute)
		assert.Equal(t, keys(t, s.Memory), numbers(1, 3))
	})
}

// TestLease: of all replicas one polls.
func TestLease(t *testing.T) {
	t.Parallel()
	type replica struct {
		stop func() error
		held atomic.Bool
	}
	start := func(t *testing.T, c *aplomb.Client, s inbox.Cursors) *replica {
		r := &replica{}
		f := stored(c, s)
		f.Hooks.Lease = func(_ context.Context, e poll.LeaseEvent) { r.held.Store(e.Held) }
		r.stop = run(t, f)
		return r
	}
	bubble(t, "one polls, and another goes on when it stops", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.interval = "60"
		h.addMany(1, 3)
		c := client(t, h)
		var all []*replica
		for range 5 {
			all = append(all, start(t, c, m))
		}
		pass(10*time.Minute + time.Second)
		n := len(h.requests())
		assert.True(t, n >= 9 && n <= 11, n)
		holders := slices.Clone(all)
		holders = slices.DeleteFunc(holders, func(r *replica) bool { return !r.held.Load() })
		assert.Equal(t, len(holders), 1)
		assert.ErrorIs(t, holders[0].stop(), context.Canceled)
		h.add("4", 0)
		pass(18 * time.Second) // a third of the lease and a first wait, a tenth more each
		assert.Equal(t, keys(t, m), numbers(1, 4))
	})
	bubble(t, "another takes over when its holder dies, which can commit no more", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.interval = "60"
		h.addMany(1, 3)
		s := &shaky{Memory: m}
		first := start(t, client(t, h), s)
		pass(10 * time.Second)
		assert.True(t, first.held.Load())
		// The first is cut off in the middle of a commit, as by a pause of its machine.
		paused := make(chan struct{})
		s.fail(func(at step) error {
			if at == beforeCommit || at == beforeHold {
				<-paused
			}
			return nil
		})
		h.add("4", 0)
		second := start(t, client(t, h), m)
		died := time.Now()
		for !second.held.Load() {
			pass(time.Second)
			assert.True(t, time.Since(died) < 50*time.Second, "30 s of lease, and 11 s until the next try")
			if t.Failed() {
				return
			}
		}
		pass(time.Minute)
		assert.Equal(t, keys(t, m), numbers(1, 4))
		h.add("5", 0)
		s.fail(nil)
		close(paused)
		pass(2 * time.Minute)
		assert.True(t, !first.held.Load() && second.held.Load())
		assert.True(t, s.counted(&s.lost)+s.counted(&s.refused) > 0, "the first heard that it is no longer its turn")
		assert.Equal(t, keys(t, m), numbers(1, 5))
	})
	bubble(t, "is given up when the store is away for as long as it lasts", func(t *testing.T) {
		h, s := newHub(), &shaky{Memory: inbox.NewMemory()}
		h.add("1", 0)
		f := stored(client(t, h), s)
		var mu sync.Mutex
		var told []poll.LeaseEvent
		f.Hooks.Lease = func(_ context.Context, e poll.LeaseEvent) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, e)
		}
		run(t, f)
		pass(20 * time.Second) // in the middle of a rest
		s.fail(func(step) error { return errors.New("down") })
		pass(40 * time.Second)
		s.fail(nil)
		pass(20 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, len(told), 3)
		assert.True(t, told[0].Held && !told[1].Held && told[2].Held && told[0].Owner == told[2].Owner, told)
		assert.ErrorIs(t, told[1].Err, inbox.ErrLost)
		assert.Contains(t, told[1].Err.Error(), "it could not be extended: the store: down")
	})
	bubble(t, "lasts while a round does", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.addMany(1, 3)
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(4 * time.Minute):
				h.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
		s := aplombtest.NewServer(t, slow)
		c, err := aplomb.New(s.URL, aplomb.Transport(s.Transport()), aplomb.NoRetry(), aplomb.Timeout(time.Hour), aplomb.Timeouts{ResponseHeader: time.Hour})
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		one, two := start(t, c, m), start(t, c, m)
		pass(5 * time.Minute)
		assert.True(t, one.held.Load() != two.held.Load())
		assert.Equal(t, keys(t, m), numbers(1, 3))
	})
}

// step is a moment of a round at which a process may end.
type step string

const (
	beforeHold    step = "before the lease"
	afterHold     step = "after the lease"
	beforeRequest step = "before a request"
	afterRequest  step = "after a request"
	beforeCommit  step = "before the commit"
	afterCommit   step = "after the commit"
	beforeRelease step = "before the release"
)

// shaky is a store that ends the process, fails or hangs.
type shaky struct {
	*inbox.Memory

	mu      sync.Mutex
	at      func(step) error
	commits int
	lost    int // of them
	refused int // leases
}

func (s *shaky) fail(at func(step) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

func (s *shaky) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

func (s *shaky) counted(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

func (s *shaky) reach(at step) error {
	s.mu.Lock()
	f := s.at
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(at)
}

func (s *shaky) Hold(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
	if err := s.reach(beforeHold); err != nil {
		return inbox.Cursor{}, false, err
	}
	c, held, err := s.Memory.Hold(ctx, name, owner, d)
	if err == nil && !held {
		s.count(&s.refused)
	}
	if broken := s.reach(afterHold); broken != nil {
		return inbox.Cursor{}, false, broken
	}
	return c, held, err
}

func (s *shaky) Commit(ctx context.Context, name string, fence int64, value string, events ...inbox.Event) ([]inbox.Outcome, error) {
	if err := s.reach(beforeCommit); err != nil {
		return nil, err
	}
	s.count(&s.commits)
	out, err := s.Memory.Commit(ctx, name, fence, value, events...)
	if errors.Is(err, inbox.ErrLost) {
		s.count(&s.lost)
	}
	if broken := s.reach(afterCommit); broken != nil {
		return nil, broken
	}
	return out, err
}

func (s *shaky) Release(ctx context.Context, name string, fence int64) error {
	if err := s.reach(beforeRelease); err != nil {
		return err
	}
	return s.Memory.Release(ctx, name, fence)
}

// killed is what ends a process in these tests.
type killed struct{}

// TestLaw11_APollerThatIsKilledSkipsNothing ends a feed at each moment of its
// rounds, in three ways: it panics, as if the process were killed; what it was
// doing fails, whether or not it was done; its context ends.
func TestLaw11_APollerThatIsKilledSkipsNothing(t *testing.T) {
	t.Parallel()
	total := 0
	for _, way := range []string{"killed", "failing", "cancelled"} {
		for n := 1; ; n++ {
			reached := false
			if !t.Run(fmt.Sprintf("%s at step %d", way, n), func(t *testing.T) {
				synctestRun(t, func(t *testing.T) { reached = killAt(t, way, n) })
			}) {
				return
			}
			if !reached {
				break
			}
			total++
		}
	}
	assert.True(t, total > 60, total)
	t.Logf("ended at %d moments", total)
}

// killAt ends the first process at the n-th step and lets a second go on. It
// reports whether there were as many steps.
func killAt(t *testing.T, way string, n int) (reached bool) {
	h, m := newHub(), inbox.NewMemory()
	h.size = 4 // so that rounds have several pages
	h.addMany(1, 10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := 0
	s := &shaky{Memory: m}
	strike := func(at step) error {
		if steps++; steps != n {
			return nil
		}
		reached = true
		switch way {
		case "killed":
			panic(killed{})
		case "cancelled":
			cancel()
			return nil
		}
		return fmt.Errorf("broken %s", at)
	}
	s.fail(strike)
	transport := func(next http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if err := strike(beforeRequest); err != nil {
				return nil, err
			}
			resp, err := next.RoundTrip(r)
			if err == nil {
				if err = strike(afterRequest); err != nil {
					_ = resp.Body.Close()
					return nil, err
				}
			}
			return resp, err
		})
	}
	go func() {
		for i := 11; i <= 18; i++ {
			sleep(25 * time.Second)
			h.add(strconv.Itoa(i), time.Duration(i%3)*20*time.Second) // some are shown late
		}
	}()
	first := stored(client(t, h, aplomb.PerAttempt(transport)), s)
	first.Lease = time.Hour // so that only the loop's own steps are counted
	timer := time.AfterFunc(4*time.Minute, cancel)
	defer timer.Stop()
	func() {
		defer func() {
			if v := recover(); v != nil {
				if _, mine := v.(killed); !mine {
					panic(v)
				}
			}
		}()
		_ = first.Run(ctx)
	}()
	pass(time.Hour) // its lease has run out
	run(t, stored(client(t, h), m))
	pass(10 * time.Minute)
	got := keys(t, m)
	slices.SortFunc(got, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
	assert.Equal(t, got, numbers(1, 18))
	return reached
}

// slowCommits is a store with one writer, whose commits take longer than a lease.
type slowCommits struct {
	*inbox.Memory
	writer sync.Mutex
}

func (s *slowCommits) Hold(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
	for !s.writer.TryLock() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return inbox.Cursor{}, false, ctx.Err()
		}
	}
	defer s.writer.Unlock()
	return s.Memory.Hold(ctx, name, owner, d)
}

func (s *slowCommits) Commit(ctx context.Context, name string, fence int64, value string, events ...inbox.Event) ([]inbox.Outcome, error) {
	s.writer.Lock()
	defer s.writer.Unlock()
	select {
	case <-time.After(2 * time.Minute):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Memory.Commit(ctx, name, fence, value, events...)
}

// A commit needs no lease that is extended meanwhile: it fails if somebody else has
// taken it. Else a feed with much to catch up on would begin again and again.
func TestSlowCommit(t *testing.T) {
	t.Parallel()
	bubble(t, "one writer", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.addMany(1, 3)
		f := stored(client(t, h), &slowCommits{Memory: m})
		f.Hooks.Lease = func(_ context.Context, e poll.LeaseEvent) { assert.NoError(t, e.Err) }
		run(t, f)
		pass(10 * time.Minute)
		assert.Equal(t, keys(t, m), numbers(1, 3))
	})
}

// Two lists of one source are two feeds, though nobody has named them.
func TestNames(t *testing.T) {
	t.Parallel()
	bubble(t, "two lists", func(t *testing.T) {
		h, m := newHub(), inbox.NewMemory()
		h.addMany(1, 3)
		c := client(t, h)
		for _, path := range []string{"/events", "/other"} {
			f := stored(c, m)
			f.Name, f.Path = "", path
			f.Hooks.Lease = func(_ context.Context, e poll.LeaseEvent) { assert.Equal(t, e.Feed, "hub "+path) }
			run(t, f)
		}
		pass(time.Minute)
		for _, name := range []string{"hub /events", "hub /other"} {
			_, free, err := m.Hold(t.Context(), name, "somebody else", time.Second)
			assert.NoError(t, err)
			assert.True(t, !free, name)
		}
	})
}

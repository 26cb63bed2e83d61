package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

var errBroken = errors.New("broken")

func TestEachEventIsHandledOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n atomic.Int64
		r := start(t, inbox.NewMemory(), inbox.Settings{}, func(_ context.Context, e *inbox.Record) error {
			assert.Equal(t, string(e.Body), e.Key)
			n.Add(1)
			return nil
		})
		for i := range 100 {
			r.insert(event(strconv.Itoa(i)), event(strconv.Itoa(i/2)))
		}
		pause(0)
		assert.Equal(t, n.Load(), int64(100)) // at once, without waiting for Every
		s, err := r.store.Stats(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, s, inbox.Stats{})
	})
}

// TestRetries: full jitter from zero up to a bound that doubles, and then a dead
// letter with its history.
func TestRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var at []time.Time // one attempt at a time
		r := start(t, inbox.NewMemory(), inbox.Settings{Attempts: 6, Backoff: 2 * time.Second, MaxBackoff: 10 * time.Second, Owner: "me"}, func(context.Context, *inbox.Record) error {
			at = append(at, time.Now())
			return fmt.Errorf("attempt %d: %w", len(at), errBroken)
		})
		r.insert(event("a"))
		pause(time.Hour)
		assert.Equal(t, len(at), 6)
		for i, most := range []float64{2, 4, 8, 10, 10} {
			if gap := at[i+1].Sub(at[i]); gap.Seconds() > most {
				t.Errorf("retry %d came after %v, want at most %v s", i+1, gap, most)
			}
		}
		e := r.record("a")
		assert.Equal(t, e.State, inbox.StateDead)
		assert.Equal(t, len(e.History), 6)
		assert.Equal(t, e.History[5], inbox.Attempt{Number: 6, Owner: "me", Began: at[5], Ended: at[5], Error: "attempt 6: broken"})
		assert.Equal(t, r.handled(), []string{"a 1 retry", "a 2 retry", "a 3 retry", "a 4 retry", "a 5 retry", "a 6 dead"})

		n, err := r.store.Replay(t.Context(), inbox.Query{States: []inbox.State{inbox.StateDead}}, "after the mend")
		assert.NoError(t, err)
		assert.Equal(t, n, 1)
		pause(time.Hour)
		e = r.record("a")
		assert.Equal(t, len(e.History), 12)
		assert.Equal(t, e.History[11].Replay, "after the mend")
		assert.Equal(t, e.Attempts, 6)
	})
}

func TestVerdicts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		verdicts := map[string]func(n int) error{
			"permanent": func(int) error { return fmt.Errorf("unreadable: %w", inbox.Permanent(errBroken)) },
			"skip":      func(int) error { return fmt.Errorf("not ours: %w", inbox.ErrSkip) },
			"later": func(n int) error {
				if n > 1 {
					return nil
				}
				return inbox.RetryAfter(errBroken, 7*time.Minute)
			},
			"panic": func(n int) error {
				if n > 1 {
					return nil
				}
				panic("so there")
			},
			"exit": func(n int) error {
				if n == 1 {
					runtime.Goexit()
				}
				return nil
			},
			"nil": func(int) error { return errors.Join(inbox.Permanent(nil), inbox.RetryAfter(nil, time.Hour)) },
		}
		var r *rig
		r = start(t, inbox.NewMemory(), inbox.Settings{}, func(_ context.Context, e *inbox.Record) error {
			r.notef("%s %d", e.Key, e.Attempts)
			return verdicts[e.Key](e.Attempts)
		})
		for key := range verdicts {
			r.insert(event(key))
			pause(time.Hour)
		}
		assert.Equal(t, r.record("permanent").State, inbox.StateDead)
		assert.Equal(t, r.record("permanent").Attempts, 1)
		for _, key := range []string{"skip", "later", "panic", "exit", "nil"} {
			assert.Equal(t, r.record(key).State, inbox.StateDone, key)
		}
		assert.True(t, strings.HasPrefix(r.record("panic").History[0].Error, "the handler panicked: so there\ngithub.com/aplomb-go/aplomb/inbox_test.TestVerdicts."))
		assert.Contains(t, r.record("exit").History[0].Error, "its lease ran out")
		later := r.record("later")
		assert.Equal(t, later.History[0].Error, "broken")
		for _, line := range r.notes() {
			if strings.HasSuffix(line, "later 2") {
				at, err := time.ParseDuration(strings.Fields(line)[0])
				assert.NoError(t, err)
				assert.Equal(t, r.began.Add(at), later.Received.Add(7*time.Minute))
			}
		}
	})
}

// TestTimeout: an attempt's context ends, and a handler that goes on all the same
// loses its lease: another attempt begins, and its own end changes nothing.
func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var r *rig
		r = start(t, inbox.NewMemory(), inbox.Settings{Timeout: time.Minute, Lease: 30 * time.Second, Backoff: time.Nanosecond}, func(ctx context.Context, e *inbox.Record) error {
			switch {
			case e.Key == "obedient" && e.Attempts == 1:
				<-ctx.Done()
				return context.Cause(ctx)
			case e.Key == "deaf" && e.Attempts == 1:
				sleep(10 * time.Minute)
				r.notef("deaf goes on")
			}
			return nil
		})
		r.insert(event("obedient"))
		pause(59 * time.Second)
		assert.Equal(t, r.record("obedient").State, inbox.StateLeased)
		pause(2 * time.Second)
		assert.Equal(t, r.record("obedient").State, inbox.StateDone)
		assert.Equal(t, r.record("obedient").History[0].Error, "context deadline exceeded")

		r.insert(event("deaf"))
		pause(2 * time.Minute)
		e := r.record("deaf")
		assert.Equal(t, e.State, inbox.StateDone)
		assert.Equal(t, e.Attempts, 2)
		assert.Contains(t, e.History[0].Error, "its lease ran out")
		pause(10 * time.Minute)
		assert.Equal(t, r.record("deaf").Attempts, 2)
		assert.Equal(t, r.handled(), []string{"obedient 1 retry", "obedient 2 done", "deaf 2 done", "deaf 1 lost"})
	})
}

// TestLongHandler: a lease of seconds lasts as long as its handler is at work.
func TestLongHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, inbox.NewMemory(), inbox.Settings{Timeout: time.Hour, Lease: 3 * time.Second}, func(context.Context, *inbox.Record) error {
			sleep(50 * time.Minute)
			return nil
		})
		r.insert(event("long"))
		pause(time.Second)
		start(t, r.store, inbox.Settings{Lease: 3 * time.Second}, func(context.Context, *inbox.Record) error {
			t.Error("another process has it meanwhile")
			return nil
		})
		pause(time.Hour)
		assert.Equal(t, r.handled(), []string{"long 1 done"})
	})
}

// TestOrder: events of one Order as they occurred, one at a time; a failing one
// holds up its Order only, and only until it is a dead letter.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var r *rig
		busy := map[string]int{}
		r = start(t, inbox.NewMemory(), inbox.Settings{Attempts: 3, Backoff: time.Microsecond}, func(_ context.Context, e *inbox.Record) error {
			r.mu.Lock()
			busy[e.Order]++
			assert.Equal(t, busy[e.Order], 1)
			r.mu.Unlock()
			sleep(time.Second)
			r.mu.Lock()
			busy[e.Order]--
			r.mu.Unlock()
			if e.Key == "a2" {
				return errBroken
			}
			r.notef("%s", e.Key)
			return nil
		})
		seconds := func() (out []string) {
			for _, line := range r.notes() {
				at, key, _ := strings.Cut(line, " ")
				d, err := time.ParseDuration(at)
				assert.NoError(t, err)
				out = append(out, fmt.Sprintf("%s %v", key, d.Truncate(time.Second)))
			}
			slices.Sort(out)
			return out
		}
		r.insert(of("b", "b1", 1), of("a", "a3", 3), of("a", "a1", 1), of("a", "a2", 2), of("b", "b2", 2))
		pause(time.Minute)
		assert.Equal(t, seconds(), []string{"a1 1s", "a3 5s", "b1 1s", "b2 2s"}, "the poisoned one took 3 s, of its own order only")
		assert.Equal(t, r.record("a2").State, inbox.StateDead)
	})
}

// TestPark: a dead letter may hold up its Order until somebody looks after it.
func TestPark(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mended atomic.Bool
		r := start(t, inbox.NewMemory(), inbox.Settings{Attempts: 2, Backoff: time.Nanosecond, Park: true}, func(_ context.Context, e *inbox.Record) error {
			if e.Key == "a1" && !mended.Load() {
				return errBroken
			}
			return nil
		})
		r.insert(of("a", "a1", 1), of("a", "a2", 2), of("b", "b1", 1))
		pause(time.Hour)
		assert.Equal(t, r.record("a1").State, inbox.StateParked)
		assert.Equal(t, r.record("a2").State, inbox.StateReady)
		assert.Equal(t, r.record("b1").State, inbox.StateDone)
		mended.Store(true)
		_, err := r.store.Replay(t.Context(), inbox.Query{States: []inbox.State{inbox.StateParked}}, "mended")
		assert.NoError(t, err)
		pause(time.Minute)
		assert.Equal(t, r.record("a2").State, inbox.StateDone)

		mended.Store(false)
		r.insert(of("a", "a0", 0))
		pause(time.Minute)
		assert.Equal(t, r.record("a0").State, inbox.StateDone)
	})
}

// TestStale: a state that is older than one that was handled is passed over.
func TestStale(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var r *rig
		stale := func(newest, e *inbox.Record) bool {
			if e.Key == "a0" {
				panic("in the guard")
			}
			return newest.Type == e.Type
		}
		r = start(t, inbox.NewMemory(), inbox.Settings{Stale: stale, Attempts: 2, Backoff: time.Nanosecond}, func(_ context.Context, e *inbox.Record) error {
			r.notef("%s", e.Key)
			return nil
		})
		for _, e := range []inbox.Event{of("a", "a5", 5), of("a", "a3", 3), of("a", "a5b", 5), of("b", "b4", 4), of("a", "a6", 6), of("a", "a0", 0)} {
			r.insert(e)
			pause(time.Second)
		}
		assert.Equal(t, r.notes(), []string{"0s a5", "2s a5b", "3s b4", "4s a6"})
		assert.Equal(t, r.handled()[1], "a3 1 stale")
		assert.Equal(t, r.record("a3").State, inbox.StateDone)
		assert.Equal(t, r.record("a0").State, inbox.StateDead)
		_, err := r.store.Replay(t.Context(), inbox.Query{Key: "a3"}, "on purpose")
		assert.NoError(t, err)
		pause(time.Second)
		assert.True(t, strings.HasSuffix(r.notes()[4], " a3"), "a replay is on purpose")
	})
}

// TestDrain: what is at work when Run ends may end; what does not in time is
// released, and its attempt does not count.
func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		work := func(ctx context.Context, e *inbox.Record) error {
			d := time.Second
			if e.Key == "slow" {
				d = time.Hour
			}
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r := start(t, inbox.NewMemory(), inbox.Settings{Drain: 3 * time.Second, Workers: 2, Timeout: 2 * time.Hour, Attempts: 1}, work)
		r.insert(event("quick"), event("slow"), event("waiting"))
		pause(0)
		began := time.Now()
		r.end()
		assert.Equal(t, time.Since(began), 3*time.Second)
		assert.Equal(t, r.record("quick").State, inbox.StateDone)
		slow := r.record("slow")
		assert.Equal(t, slow.State, inbox.StateReady)
		assert.Equal(t, slow.Attempts, 0)
		assert.Equal(t, slow.Due, time.Now())
		assert.Equal(t, r.record("waiting").State, inbox.StateReady)
		assert.Equal(t, r.handled(), []string{"quick 1 done", "slow 1 released"})

		r.insert(event("later")) // it is kept all the same
		next := start(t, r.store, inbox.Settings{Timeout: 2 * time.Hour}, work)
		pause(2 * time.Hour)
		assert.Equal(t, len(next.handled()), 3)
	})
}

// TestCrash: an event whose process ends is handled again once its lease ran out;
// one that ends the process each time becomes a dead letter, and takes none of the
// events beside it along, however often they were at work when it struck.
func TestCrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := inbox.NewMemory()
		settings := inbox.Settings{Workers: 4, Attempts: 5, Lease: 10 * time.Second, Drain: time.Nanosecond}
		var mu sync.Mutex
		done := map[string]int{}
		for crash := range 20 {
			var r *rig
			died := make(chan struct{})
			var dead atomic.Bool
			r = start(t, &dyingStore{Store: store, dead: &dead}, settings, func(ctx context.Context, e *inbox.Record) error {
				if e.Key == "poison" {
					dead.Store(true) // nothing of this process reaches the store any more
					close(died)
					return errBroken
				}
				sleep(time.Second)
				if !dead.Load() {
					mu.Lock()
					defer mu.Unlock()
					done[e.Key]++
				}
				return nil
			})
			if crash == 0 {
				r.insert(event("a"), event("b"), event("poison"), event("c"), event("d"))
			} else {
				r.insert(event(fmt.Sprint("later", crash)))
			}
			select {
			case <-died:
			case <-time.After(time.Minute):
			}
			r.end()
			pause(20 * time.Second)
		}
		found, err := store.List(t.Context(), inbox.Query{States: []inbox.State{inbox.StateDead}})
		assert.NoError(t, err)
		assert.Equal(t, len(found), 1)
		assert.Equal(t, found[0].Key, "poison")
		assert.Equal(t, len(found[0].History), 6)
		assert.Contains(t, found[0].History[4].Error, "its lease ran out")
		assert.Equal(t, found[0].History[5].Error, "given up after 5 attempts")
		for _, key := range []string{"a", "b", "c", "d", "later1", "later19"} {
			assert.Equal(t, done[key], 1, key)
		}
	})
}

// dyingStore does nothing for a process that is dead.
type dyingStore struct {
	inbox.Store
	dead *atomic.Bool
}

func (s *dyingStore) Claim(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
	if s.dead.Load() {
		return nil, 0, errBroken
	}
	return s.Store.Claim(ctx, c)
}

func (s *dyingStore) Insert(ctx context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	if s.dead.Load() {
		return nil, errBroken
	}
	return s.Store.Insert(ctx, events...)
}

func (s *dyingStore) Stats(ctx context.Context) (inbox.Stats, error) {
	if s.dead.Load() {
		return inbox.Stats{}, errBroken
	}
	return s.Store.Stats(ctx)
}

func (s *dyingStore) Settle(ctx context.Context, all ...inbox.Settlement) ([]bool, error) {
	if s.dead.Load() {
		return nil, errBroken
	}
	return s.Store.Settle(ctx, all...)
}

func (s *dyingStore) Extend(ctx context.Context, d time.Duration, leases ...inbox.Lease) ([]bool, error) {
	if s.dead.Load() {
		return nil, errBroken
	}
	return s.Store.Extend(ctx, d, leases...)
}

// TestReclaimed: the store was away for longer than a lease, and the process claims
// what it still has at work: the first attempt is told that it has lost, and the
// second is the one that counts.
func TestReclaimed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var away atomic.Bool
		var running, most atomic.Int64
		r := start(t, &dyingStore{Store: inbox.NewMemory(), dead: &away}, inbox.Settings{Timeout: 10 * time.Minute, Lease: 30 * time.Second}, func(ctx context.Context, _ *inbox.Record) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			select {
			case <-time.After(4 * time.Minute):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		r.insert(event("a"))
		pause(time.Minute)
		away.Store(true)
		pause(time.Minute)
		away.Store(false)
		pause(time.Hour)
		assert.Equal(t, r.handled(), []string{"a 1 lost", "a 2 done"})
		assert.True(t, most.Load() <= 2)
	})
}

// TestHungSuspect: an event that hangs in its second attempt, too, keeps no other
// from being recovered.
func TestHungSuspect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		store := inbox.NewMemory()
		for _, key := range []string{"hangs", "crashed"} {
			_, err := store.Insert(t.Context(), event(key))
			assert.NoError(t, err)
		}
		_, _, err := store.Claim(t.Context(), inbox.Claim{Owner: "gone", Limit: 2, Lease: time.Second})
		assert.NoError(t, err)
		pause(time.Minute)
		over := make(chan struct{})
		r := start(t, store, inbox.Settings{Timeout: time.Minute}, func(_ context.Context, e *inbox.Record) error {
			if e.Key == "hangs" {
				<-over
			}
			return nil
		})
		pause(time.Hour)
		assert.Equal(t, r.record("crashed").State, inbox.StateDone)
		close(over)
		pause(0)
	})
}

// TestTroubledStore: a store that fails for a while stops nothing for good.
func TestTroubledStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var away atomic.Bool
		r := start(t, &dyingStore{Store: inbox.NewMemory(), dead: &away}, inbox.Settings{Lease: time.Hour}, func(context.Context, *inbox.Record) error {
			sleep(time.Minute)
			return nil
		})
		r.insert(event("a"))
		pause(time.Second)
		away.Store(true)
		pause(10 * time.Minute)
		assert.Equal(t, r.record("a").State, inbox.StateLeased)
		away.Store(false)
		r.insert(event("b"))
		pause(2 * time.Minute)
		assert.Equal(t, r.handled(), []string{"a 1 done", "b 1 done"})
		r.mu.Lock()
		n := len(r.trouble)
		r.mu.Unlock()
		if n < 2*10*60/5 || n > 2*10*60/2 {
			t.Errorf("%d tries of two kinds in ten minutes, want one each 2.5 to 5 s", n)
		}
	})
}

// TestBackPressure: what cannot be handled in time is refused, and told, and taken in
// again once there is room; a store that fails is not full.
func TestBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told []string
		var away atomic.Bool
		s := inbox.Settings{MaxPending: 10, Hooks: inbox.Hooks{Inserted: func(_ context.Context, e inbox.InsertEvent) {
			told = append(told, fmt.Sprintf("%s %s %v", e.Key, e.Outcome.Status, errors.Is(e.Err, inbox.ErrFull)))
		}}}
		store := inbox.NewMemory()
		box, err := inbox.New(&dyingStore{Store: store, dead: &away}, nil, s)
		assert.NoError(t, err)
		away.Store(true)
		for range 30 {
			_, err := box.Insert(t.Context(), event("0"))
			assert.ErrorIs(t, err, errBroken)
		}
		away.Store(false)
		told = nil
		for i := range 10 {
			_, err := box.Insert(t.Context(), event(strconv.Itoa(i)))
			assert.NoError(t, err)
		}
		_, err = box.Insert(t.Context(), event("10"))
		assert.ErrorIs(t, err, inbox.ErrFull)
		assert.Contains(t, err.Error(), "10 events wait to be handled, and 10 may")
		assert.Equal(t, told[9:], []string{"9 stored false", "10  true"})
		_, _, err = box.Hold(t.Context(), "feed", "me", time.Minute)
		assert.NoError(t, err)
		_, err = box.Commit(t.Context(), "feed", 1, "1", event("10"))
		assert.ErrorIs(t, err, inbox.ErrFull)

		_, err = store.Discard(t.Context(), inbox.Query{Key: "3"}, "to make room")
		assert.NoError(t, err)
		pause(time.Second)
		_, err = box.Commit(t.Context(), "feed", 1, "1", event("10"))
		assert.NoError(t, err)
		assert.Equal(t, told[len(told)-1], "10 stored false")
		assert.NoError(t, box.Release(t.Context(), "feed", 1))
		assert.Contains(t, fmt.Sprint(box.Run(t.Context())), "needs a handler")
	})
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]inbox.Settings{
		"Workers is negative":   {Workers: -1},
		"Drain is negative":     {Drain: -1},
		"Retention.Keys is neg": {Retention: inbox.Retention{Keys: -1}},
		"Keys not below":        {Retention: inbox.Retention{Bodies: 2 * time.Hour, Keys: time.Hour}},
		"Owner is longer than ": {Owner: strings.Repeat("x", 600)},
	} {
		_, err := inbox.New(inbox.NewMemory(), nil, s)
		assert.Contains(t, fmt.Sprint(err), want)
	}
	_, err := inbox.New(nil, nil, inbox.Settings{})
	assert.Contains(t, fmt.Sprint(err), "needs a store")
}

// TestPurge: what is done is forgotten after a week, and not what is dead.
func TestPurge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, inbox.NewMemory(), inbox.Settings{Every: time.Hour}, func(_ context.Context, e *inbox.Record) error {
			if e.Key == "dead" {
				return inbox.Permanent(errBroken)
			}
			return nil
		})
		r.insert(event("done"), event("dead"))
		pause(7*24*time.Hour - time.Second)
		assert.Equal(t, r.record("done").State, inbox.StateDone)
		pause(11 * time.Minute)
		found, err := r.store.List(t.Context(), inbox.Query{})
		assert.NoError(t, err)
		assert.Equal(t, len(found), 1)
		assert.Equal(t, found[0].Key, "dead")
	})
}

package aplomb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// troubled is a store in memory with a mood.
type troubled struct {
	*MemoryStore
	mood  atomic.Pointer[func(context.Context) error] // what an operation does first
	calls atomic.Int32
	close atomic.Int32
}

func newTroubled() *troubled { return &troubled{MemoryStore: NewMemoryStore()} }

func (s *troubled) feel(mood func(context.Context) error) { s.mood.Store(&mood) }

func (s *troubled) begin(ctx context.Context) error {
	s.calls.Add(1)
	if mood := s.mood.Load(); mood != nil {
		return (*mood)(ctx)
	}
	return nil
}

func (s *troubled) Take(ctx context.Context, key string, c Claim) (time.Duration, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	return s.MemoryStore.Take(ctx, key, c)
}

func (s *troubled) Close(ctx context.Context, key string, d time.Duration) error {
	s.close.Add(1)
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.MemoryStore.Close(ctx, key, d)
}

func (s *troubled) Closed(ctx context.Context, key string) (time.Duration, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	return s.MemoryStore.Closed(ctx, key)
}

// The moods.
var errDown = errors.New("the store is down")

func fine(context.Context) error { return nil }
func down(context.Context) error { return errDown }
func stalled(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func deaf(d time.Duration) func(context.Context) error { // it heeds no context
	return func(context.Context) error { time.Sleep(d); return nil }
}

var anyTime = Claim{PerSecond: 1, Burst: 1, MaxWait: time.Hour}

// newUsed is a fleet over s.
func newUsed(s Store) *fleet { return newFleet(&Fleet{Store: s}, "test") }

func fleetBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// background is what f has to do: closings to tell, goroutines, questions.
func background(f *fleet) (closings, telling, asking int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.closings), f.telling, f.asking
}

// takeIn takes and says how long that took.
func takeIn(ctx context.Context, f *fleet, key string) (wait time.Duration, ok bool, took time.Duration) {
	began := time.Now()
	wait, ok = f.take(ctx, key, anyTime)
	return wait, ok, time.Since(began)
}

func TestFleetTakesOneSchedule(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := NewMemoryStore()
		a, b := newUsed(s), newUsed(s)
		for i := range 4 {
			wait, ok := []*fleet{a, b}[i%2].take(t.Context(), "k", anyTime)
			assert.True(t, ok)
			assert.Equal(t, wait, time.Duration(i)*time.Second)
		}
		impatient := anyTime
		impatient.MaxWait = time.Second
		wait, ok := a.take(t.Context(), "k", impatient)
		assert.True(t, ok, "a refusal is an answer")
		assert.Equal(t, wait, 4*time.Second)
		wait, ok = newFleet(&Fleet{Store: s, Prefix: "other"}, "test").take(t.Context(), "k", anyTime)
		assert.True(t, ok && wait == 0, "another prefix is another quota")
	})
}

func TestFleetWithoutAStore(t *testing.T) {
	t.Parallel()
	c, err := New("https://api.test")
	assert.NoError(t, err)
	f := c.stack.fleet
	f.close("k", time.Hour)
	assert.Equal(t, f.closed("k"), 0)
	f.announce(nil, nil, nil)
	f.flush(nil)
}

// A stall adds the timeout to one call, once per period; the periods double to
// five seconds; the others and those between go on at once.
func TestLaw10_StalledStoreIsPaidForOncePerPeriod(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		s.feel(stalled)
		began := time.Now()
		var paid []time.Duration
		for range 1500 { // 15 s of calls
			_, ok, took := takeIn(t.Context(), f, "k")
			assert.True(t, !ok)
			if took > 0 {
				assert.Equal(t, took, 25*time.Millisecond)
				paid = append(paid, time.Since(began).Truncate(time.Second))
			}
			time.Sleep(10*time.Millisecond - took%(10*time.Millisecond))
		}
		assert.Equal(t, paid, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 12 * time.Second})
		assert.Equal(t, s.calls.Load(), 5)
	})
}

// Many that fail at once are one failure: the store is left alone for a second.
func TestLaw10_ManyFailuresAtOnce(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		s.feel(stalled)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { f.take(t.Context(), "k", anyTime) })
		}
		wg.Wait()
		s.feel(fine)
		time.Sleep(time.Second - 1)
		_, ok, _ := takeIn(t.Context(), f, "k")
		assert.True(t, !ok)
		time.Sleep(time.Nanosecond)
		_, ok, _ = takeIn(t.Context(), f, "k")
		assert.True(t, ok)
	})
}

// While one call tries whether the store is back, the others do not wait.
func TestLaw10_OneCallTries(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		s.feel(down)
		_, ok, took := takeIn(t.Context(), f, "k")
		assert.True(t, !ok && took == 0)
		time.Sleep(time.Second)
		s.feel(stalled)
		var waited atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, _, took := takeIn(t.Context(), f, "k"); took > 0 {
					waited.Add(1)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, waited.Load(), 1)
		assert.Equal(t, s.calls.Load(), 2)
	})
}

// However many are caught by the first stall, each waits the timeout at most,
// also for a store that heeds no context; and such a store is not tried again
// while it holds on to too many goroutines.
func TestLaw10_DeafStore(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		s.feel(deaf(20 * time.Second))
		var wg sync.WaitGroup
		for range maxOverdue {
			wg.Go(func() {
				_, ok, took := takeIn(t.Context(), f, "k")
				assert.True(t, !ok)
				assert.Equal(t, took, 25*time.Millisecond)
			})
		}
		wg.Wait()
		time.Sleep(10 * time.Second)
		_, ok, took := takeIn(t.Context(), f, "k")
		assert.True(t, !ok && took == 0)
		assert.Equal(t, s.calls.Load(), maxOverdue)
		s.feel(fine)
		time.Sleep(10 * time.Second) // they return
		_, ok, _ = takeIn(t.Context(), f, "k")
		assert.True(t, ok)
	})
}

// The store's going and coming is told once each, in order, and logged.
func TestStoreEvents(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		var events []StoreEvent
		var lines strings.Builder
		cfg := config{name: "acme", audience: newListeners, hooks: []listener{{}, {Store: func(e StoreEvent) { events = append(events, e) }}},
			logging: &Logging{Logger: slog.New(slog.NewTextHandler(&lines, nil))}}
		w := newWatchers(cfg)
		began := time.Now()
		for range 2 {
			s.feel(down)
			for range 300 {
				f.take(t.Context(), "k", anyTime)
				f.flush(&w)
				time.Sleep(10 * time.Millisecond)
			}
			s.feel(fine)
			time.Sleep(5 * time.Second)
			f.take(t.Context(), "k", anyTime)
			f.flush(&w)
		}
		assert.Equal(t, events, []StoreEvent{
			{Client: "acme", Down: true, Err: errDown, At: began}, {Client: "acme", At: began.Add(8 * time.Second)},
			{Client: "acme", Down: true, Err: errDown, At: began.Add(8 * time.Second)}, {Client: "acme", At: began.Add(16 * time.Second)},
		})
		assert.Equal(t, strings.Count(lines.String(), "level=WARN msg=\"aplomb: the shared store is away; own limits hold\" client=acme error=\"the store is down\""), 2)
		assert.Equal(t, strings.Count(lines.String(), "level=INFO msg=\"aplomb: the shared store is back\" client=acme"), 2)
	})
}

// Events that nobody fetches do not pile up.
func TestStoreEventsAreBounded(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		for range 100 {
			s.feel(down)
			f.take(t.Context(), "k", anyTime)
			s.feel(fine)
			time.Sleep(time.Second)
			f.take(t.Context(), "k", anyTime)
		}
		events := f.guard.drain()
		assert.Equal(t, len(events), maxEvents)
		assert.True(t, !events[maxEvents-1].Down)
	})
}

// A store that panics, ends its goroutine or talks nonsense is one that failed.
func TestLaw10_MadStore(t *testing.T) {
	for name, mad := range map[string]struct {
		mood func(context.Context) error
		want string
	}{
		"panic":  {func(context.Context) error { panic("at the disco") }, "the store panicked: at the disco"},
		"goexit": {func(context.Context) error { runtime.Goexit(); return nil }, errStoreExit.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			fleetBubble(t, func(t *testing.T) {
				s := newTroubled()
				s.feel(mad.mood)
				f := newUsed(s)
				_, ok, took := takeIn(t.Context(), f, "k")
				assert.True(t, !ok && took == 0)
				assert.Equal(t, fmt.Sprint(f.guard.drain()[0].Err), mad.want)
				time.Sleep(time.Second)
				f.close("k", time.Hour)
				f.closed("k")
				synctest.Wait()
			})
		})
	}
}

// liar answers with waits of its own.
type liar struct {
	MemoryStore
	wait time.Duration
}

func (l liar) Take(context.Context, string, Claim) (time.Duration, error)   { return l.wait, nil }
func (l liar) Closed(context.Context, string) (time.Duration, error)        { return l.wait, nil }
func (l liar) Close(_ context.Context, _ string, d time.Duration) (_ error) { return nil }

func TestLaw10_LyingStore(t *testing.T) {
	for _, tt := range []struct {
		says, want, closed time.Duration
		ok                 bool
	}{
		{-time.Hour, 0, 0, true},
		{-1 << 63, 0, 0, true},
		{25 * time.Hour, 25 * time.Hour, 24 * time.Hour, true}, // a day's closing, and an hour for the queue
		{26 * time.Hour, 0, 24 * time.Hour, false},
		{1<<63 - 1, 0, 24 * time.Hour, false},
	} {
		t.Run(tt.says.String(), func(t *testing.T) {
			fleetBubble(t, func(t *testing.T) {
				f := newUsed(liar{wait: tt.says})
				f.closed("k")
				synctest.Wait()
				assert.Equal(t, f.closed("k"), tt.closed)
				wait, ok := f.take(t.Context(), "k", anyTime)
				assert.Equal(t, ok, tt.ok)
				assert.Equal(t, wait, tt.want)
			})
		})
	}
}

// The caller's cancel ends its wait at once, and half its time is the most that
// it waits for the store; neither says anything of the store, to which the
// caller's values are not shown.
func TestImpatientCallers(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		type key struct{}
		s.feel(func(ctx context.Context) error {
			assert.True(t, ctx.Value(key{}) == nil)
			time.Sleep(20 * time.Millisecond)
			return ctx.Err()
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the caller's"))
		time.AfterFunc(5*time.Millisecond, cancel)
		_, ok, took := takeIn(ctx, f, "k")
		assert.True(t, !ok)
		assert.Equal(t, took, 5*time.Millisecond)
		_, ok, took = takeIn(ctx, f, "k")
		assert.True(t, !ok && took == 0, "done before it began")

		for deadline, want := range map[time.Duration]time.Duration{
			6 * time.Millisecond: 3 * time.Millisecond, 38 * time.Millisecond: 19 * time.Millisecond,
			42 * time.Millisecond: 20 * time.Millisecond, time.Minute: 20 * time.Millisecond,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			_, ok, took := takeIn(ctx, f, "k")
			cancel()
			assert.Equal(t, took, want)
			assert.Equal(t, ok, want == 20*time.Millisecond)
		}
		time.Sleep(time.Second)
		assert.Equal(t, f.guard.drain(), nil, "the store was never away")
		assert.Equal(t, s.calls.Load(), 5)
	})
}

// Impatient callers alone find out that the store hangs.
func TestLaw10_ImpatientCallersOfAStalledStore(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		s.feel(stalled)
		f := newUsed(s)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, ok, took := takeIn(ctx, f, "k")
		assert.True(t, !ok)
		assert.Equal(t, took, 5*time.Millisecond)
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		assert.True(t, f.guard.drain()[0].Down)
	})
}

// Closings are told in the background, the latest of those that wait.
func TestFleetCloses(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		a, b := newUsed(s), newUsed(s)
		began := time.Now()
		a.close("k", time.Minute)
		assert.Equal(t, time.Since(began), 0)
		assert.Equal(t, a.closed("k"), time.Minute, "known here at once")
		synctest.Wait()
		assert.Equal(t, b.closed("k"), 0, "asked in the background")
		synctest.Wait()
		assert.Equal(t, b.closed("k"), time.Minute)
		wait, ok := b.take(t.Context(), "k", anyTime)
		assert.True(t, ok)
		assert.Equal(t, wait, time.Minute)
		a.close("k", -time.Minute)
		synctest.Wait()
		assert.Equal(t, s.close.Load(), 1)
	})
}

// A slow store has few closings under way, one waiting per key, and nothing
// left of them a timeout later.
func TestFleetClosingsAreBounded(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		var now, most atomic.Int32
		s.feel(func(context.Context) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(20 * time.Millisecond)
			now.Add(-1)
			return nil
		})
		for i := range 100 {
			for k := range maxTelling + 2 {
				f.close(fmt.Sprint("k", k), time.Duration(i+1)*time.Minute)
			}
		}
		synctest.Wait()
		f.close("late", 2*time.Hour)
		f.close("late", time.Hour)
		time.Sleep(time.Second)
		assert.Equal(t, most.Load(), maxTelling)
		late, err := s.MemoryStore.Closed(t.Context(), f.key("late"))
		assert.NoError(t, err)
		assert.True(t, late > time.Hour, late, "the later end is told")
		waiting, telling, _ := background(f)
		assert.Equal(t, waiting+telling, 0)
		assert.True(t, s.close.Load() <= 2*(maxTelling+3), s.close.Load(), "closings of one key become one")
		left, err := s.MemoryStore.Closed(t.Context(), f.key("k0"))
		assert.NoError(t, err)
		assert.True(t, left > 99*time.Minute-2*time.Second, left)

		s.feel(down)
		for k := range 2 * maxClosings {
			f.close(fmt.Sprint("many", k), time.Minute)
		}
		waiting, _, _ = background(f)
		assert.True(t, waiting <= maxClosings)
		synctest.Wait()
		waiting, telling, _ = background(f)
		assert.Equal(t, waiting+telling, 0, "while it is away closings are dropped")
	})
}

// Advice is asked for at most every 250 ms, and counts down between.
func TestFleetAdvice(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := newTroubled()
		f := newUsed(s)
		assert.NoError(t, s.MemoryStore.Close(t.Context(), f.key("k"), 500*time.Millisecond))
		var got []time.Duration
		for range 8 {
			got = append(got, f.closed("k"))
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		ms := time.Millisecond
		assert.Equal(t, got, []time.Duration{0, 400 * ms, 300 * ms, 200 * ms, 100 * ms, 0, 0, 0})
		assert.Equal(t, s.calls.Load(), 3) // at 0, 300 and 600 ms

		s.feel(stalled)
		time.Sleep(time.Second)
		began := time.Now()
		for k := range 10 * maxAsking {
			f.closed(fmt.Sprint("k", k))
		}
		assert.Equal(t, time.Since(began), 0)
		synctest.Wait()
		assert.Equal(t, s.calls.Load(), 3+maxAsking)
		time.Sleep(time.Second)
		_, _, asking := background(f)
		assert.Equal(t, asking, 0)
	})
}

// However many rates are learned, few are kept, and of those it cannot keep the
// slower one holds.
// A gate learns from a closing once, not again when it hears the store tell it
// a little later.
func TestHearingWhatOneTold(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		g, now := &gate{}, time.Now()
		g.throttled(now, now, time.Second, 0)
		assert.True(t, !g.hear(now, time.Second+2*time.Millisecond, 0))
		time.Sleep(time.Second)
		now = time.Now()
		g.book(now)
		rate, hold := g.pace.rate, g.pace.hold
		assert.True(t, !g.hear(now, 2*time.Millisecond, 0), "the end of it")
		assert.True(t, !g.closed(now) && g.pace.rate == rate && g.pace.hold == hold)
		assert.True(t, g.hear(now, time.Second, 0), "another")
		assert.True(t, g.closed(now))
	})
}

func TestLearnedRatesAreBounded(t *testing.T) {
	fleetBubble(t, func(t *testing.T) {
		s := NewMemoryStore()
		claim := Claim{Burst: 1, Learned: true}
		for i := range 1000 {
			claim.PerSecond = float64(i + 1)
			_, err := s.Take(t.Context(), "k", claim)
			assert.NoError(t, err)
			time.Sleep(time.Millisecond)
		}
		kept := s.schedules.get("k").learned
		assert.Equal(t, len(kept), maxLearned)
		assert.Equal(t, kept[0].interval, time.Second)
		assert.True(t, kept[maxLearned-1].until.Equal(time.Now().Add(LearnedFor-time.Millisecond)), "the last is kept for its time")
	})
}

// A store's keys are bounded, and two stay two.
func TestFleetKeys(t *testing.T) {
	t.Parallel()
	f := newUsed(NewMemoryStore())
	assert.Equal(t, f.key("https://api.test"), "test https://api.test")
	long := strings.Repeat("k", 1<<20)
	assert.Equal(t, len(f.key(long)), len("sha256 ")+64)
	assert.True(t, f.key(long) != f.key(long+"l"))
	assert.Equal(t, newFleet(&Fleet{Store: NewMemoryStore()}, "").prefix, "aplomb")
}

func TestFleetSettings(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]Fleet{
		"aplomb: Fleet.Store is nil":                        {},
		"aplomb: Fleet.Store is nil: ":                      {Store: (*MemoryStore)(nil)},
		"aplomb: Fleet.Timeout: -1s is negative":            {Store: NewMemoryStore(), Timeout: -time.Second},
		"aplomb: Fleet.Timeout: 25ns: did you mean 25*time": {Store: NewMemoryStore(), Timeout: 25},
	} {
		_, err := New("https://api.test", opt)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	c, err := New("https://api.test", Fleet{Store: NewMemoryStore(), Timeout: time.Second})
	assert.NoError(t, err)
	assert.Equal(t, c.stack.fleet.(*fleet).guard.timeout, time.Second)
	with, err := c.With(Name("other"))
	assert.NoError(t, err)
	assert.True(t, with.stack.fleet == c.stack.fleet, "With shares it")
}

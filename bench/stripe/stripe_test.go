package stripe_test

import (
	"runtime"
	"testing"
	"time"
)

func BenchmarkList(b *testing.B)   { benchmark(b, lists(b)) }
func BenchmarkCreate(b *testing.B) { benchmark(b, creates(b)) }

func benchmark(b *testing.B, ways []way) {
	b.Helper()
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestBodies: what is measured is of the real size.
func TestBodies(t *testing.T) {
	t.Parallel()
	if size := len(chargePage(pageSize)) / pageSize; size < 3000 || size > 4500 {
		t.Errorf("a charge has %d bytes, want about 3,500", size)
	}
}

// TestBudgets holds what aplomb/stripe may cost. Allocations are counted, and
// the same everywhere; time is compared with stripe-go's in the same run, the
// best of several turns each, so that a busy machine fails nothing.
func TestBudgets(t *testing.T) {
	for _, task := range []struct {
		name       string
		ways       []way
		mostAllocs float64
		mostTime   float64 // of stripe-go's; 0 is not compared
		runs       int     // in one turn
	}{
		{"list 100 charges", lists(t), 2000, 1.0 / 4, 5},
		{"create a customer", creates(t), 90, 0, 0},
	} {
		t.Run(task.name, func(t *testing.T) {
			own, other := task.ways[0], task.ways[1]
			if got := allocsOf(t, own); got > task.mostAllocs {
				t.Errorf("%v allocations, want at most %v", got, task.mostAllocs)
			}
			if task.mostTime == 0 {
				return
			}
			best := compare(t, []way{own, other}, task.runs)
			if ratio := float64(best[0]) / float64(best[1]); ratio > task.mostTime {
				t.Errorf("%v, %.2f of stripe-go's %v; want at most %.2f", best[0], ratio, best[1], task.mostTime)
			}
		})
	}
}

func allocsOf(tb testing.TB, w way) float64 {
	tb.Helper()
	return testing.AllocsPerRun(50, func() { once(tb, w) })
}

func once(tb testing.TB, w way) {
	tb.Helper()
	if err := w.run(); err != nil {
		tb.Fatal(err)
	}
}

// turns is how often each way has its turn.
const turns = 7

// compare gives each way's best time for one run, taken in turns, so that what
// slows the machine down slows down all of them.
func compare(tb testing.TB, ways []way, runs int) []time.Duration {
	tb.Helper()
	best := make([]time.Duration, len(ways))
	for range turns {
		for i, w := range ways {
			runtime.GC() // each pays for its own garbage only
			began := time.Now()
			for range runs {
				once(tb, w)
			}
			if took := time.Since(began) / time.Duration(runs); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}

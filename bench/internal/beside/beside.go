// Package beside measures ways to do one thing side by side, in one run, so that
// what is held are ratios and not the machine.
package beside

import (
	"runtime"
	"testing"
	"time"
)

// Way is one library's way to do it.
type Way struct {
	Name string
	Run  func() error
}

// once runs it, and ends the test where that fails. It is a helper then only, for to
// say so takes a tenth of a microsecond.
func (w Way) once(tb testing.TB) {
	if err := w.Run(); err != nil {
		tb.Helper()
		tb.Fatalf("%s: %v", w.Name, err)
	}
}

// Benchmark runs each way as a benchmark of its own. The report takes a name apart
// as part/case/way, so that a way's has no slash in it, and no space.
func Benchmark(b *testing.B, ways []Way) {
	b.Helper()
	for _, w := range ways {
		b.Run(w.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.once(b)
			}
		})
	}
}

// counted is how many runs an average is taken of.
const counted = 50

// Allocs is how often one run allocates. It is the same on every machine.
func Allocs(tb testing.TB, w Way) float64 {
	tb.Helper()
	return testing.AllocsPerRun(counted, func() { w.once(tb) })
}

// Bytes is how much one run allocates.
func Bytes(tb testing.TB, w Way) uint64 {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range counted {
		w.once(tb)
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / counted
}

// turns is how often each way has its turn.
const turns = 9

// Times gives each way's best time for one run, taken in turns, so that what
// slows the machine down slows down all of them.
func Times(tb testing.TB, ways []Way, runs int) []time.Duration {
	tb.Helper()
	best := make([]time.Duration, len(ways))
	for range turns {
		for i, w := range ways {
			runtime.GC() // each pays for its own garbage only
			began := time.Now()
			for range runs {
				w.once(tb)
			}
			if took := time.Since(began) / time.Duration(runs); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}

// patience is how often a ratio that was missed is measured again.
const patience = 20

// Within fails the test if own takes more than most times what other takes. Each
// counts with its best time of all, or of one measurement, where one lucky time of other
// would else count for good; and what missed is measured again for a while:
// a machine that is busy with something else is slow for one of them by chance,
// but not every time.
func Within(tb testing.TB, most float64, own, other Way, runs int) {
	tb.Helper()
	var mine, theirs time.Duration
	for n := range patience {
		best := Times(tb, []Way{own, other}, runs)
		if n == 0 {
			mine, theirs = best[0], best[1]
		}
		mine, theirs = min(mine, best[0]), min(theirs, best[1])
		if float64(mine) <= most*float64(theirs) || float64(best[0]) <= most*float64(best[1]) {
			return
		}
	}
	tb.Errorf("%s: %v, %.3f of the %v of %s; want at most %.3f", own.Name, mine, float64(mine)/float64(theirs), theirs, other.Name, most)
}

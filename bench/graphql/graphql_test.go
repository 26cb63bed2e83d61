package graphql_test

import (
	"runtime"
	"testing"
	"time"
)

func BenchmarkQuery(b *testing.B) {
	for _, w := range queries(b) {
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

// TestBody: what is measured is of the real size.
func TestBody(t *testing.T) {
	t.Parallel()
	if size := len(repoPage(pageSize)) / pageSize; size < 250 || size > 400 {
		t.Errorf("a repository has %d bytes, want about 300", size)
	}
}

// mostAllocs is what a query for 100 nodes of four strings each may allocate.
const mostAllocs = 560

// What it may take, in times of the others.
const (
	mostOfGenqlient = 0.95
	mostOfHasura    = 1 / 5.5
	mostOfPlain     = 1.25
)

// TestBudgets holds what aplomb/graphql may cost. Allocations are counted, and
// the same everywhere; time is compared with the others' in the same run, the
// best of several turns each, so that a busy machine fails nothing.
func TestBudgets(t *testing.T) {
	ways := queries(t)
	if got := allocsOf(t, ways[0]); got > mostAllocs {
		t.Errorf("%v allocations, want at most %v", got, mostAllocs)
	}
	best := compare(t, ways, 20)
	for i, most := range []float64{generatedBy: mostOfGenqlient, reflectedBy: mostOfHasura, plainBy: mostOfPlain} {
		if ratio := float64(best[0]) / float64(best[i]); i > 0 && ratio > most {
			t.Errorf("%v, %.3f of the %v of %s; want at most %.3f", best[0], ratio, best[i], ways[i].name, most)
		}
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
const turns = 9

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

package inbox_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

// What the inbox may take, in times of the others.
const (
	mostOfGrouped  = 1 / 0.9  // at least 90 % of its throughput with the same rows
	mostOfSmallest = 1 / 0.75 // and 75 % of that with rows that can do less
	mostOfNaive    = 1.0 / 8
)

// Their places among the ways; ours is the first.
const (
	_ = iota
	groupedBy
	smallestBy
	naiveBy
)

func ways(tb testing.TB) []beside.Way {
	tb.Helper()
	var out []beside.Way
	for _, c := range contestants(tb) {
		out = append(out, beside.Way{Name: c.name, Run: func() error { return race(c.insert, nil) }})
	}
	return out
}

func BenchmarkInsert(b *testing.B) {
	for _, w := range ways(b) {
		b.Run(w.Name, func(b *testing.B) {
			for b.Loop() {
				if err := w.Run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*writers*perWriter)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// TestBudgets holds what it may cost to have an event on disk.
func TestBudgets(t *testing.T) {
	all := ways(t)
	beside.Within(t, mostOfGrouped, all[0], all[groupedBy], 1)
	beside.Within(t, mostOfSmallest, all[0], all[smallestBy], 1)
	beside.Within(t, mostOfNaive, all[0], all[naiveBy], 1)
}

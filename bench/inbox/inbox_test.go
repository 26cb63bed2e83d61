package inbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

// What the inbox may take, in times of those that are no goal's.
const (
	mostOfSmallest = 1 / 0.75 // at least 75 % of its throughput, with rows that can do less
	mostOfNaive    = 1.0      // where that has an eighth of the events: it would take most of the test's time
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
	for i, c := range contestants(tb) {
		each := perWriter
		if i == naiveBy {
			c.name, each = "an eighth of the events by "+c.name, each/8
		}
		out = append(out, beside.Way{Name: c.name, Run: func() error { return race(c.insert, each, nil) }})
	}
	return out
}

func BenchmarkInbox(b *testing.B) {
	b.Run("64-writers", func(b *testing.B) {
		for _, c := range contestants(b) {
			b.Run(c.name, func(b *testing.B) { insert(b, c) })
		}
	})
}

// insert tells events a second, and how long a writer waits until its own is on disk.
func insert(b *testing.B, c contestant) {
	var all []time.Duration
	for b.Loop() {
		took := make(chan time.Duration, writers*perWriter)
		if err := race(c.insert, perWriter, took); err != nil {
			b.Fatal(err)
		}
		close(took)
		for d := range took {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	b.ReportMetric(0, "ns/op") // of 2,048 inserts: no use to anybody
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(all[len(all)/2]), "p50-ns")
	b.ReportMetric(float64(all[len(all)*99/100]), "p99-ns")
}

// TestBudgets holds what it may cost to have an event on disk.
func TestBudgets(t *testing.T) {
	all := ways(t)
	least := goals.Limit(t, "Inbox", "64-writers", "events/s", all[groupedBy].Name) // of its throughput with the same rows
	beside.Within(t, 1/least, all[0], all[groupedBy], 1)
	beside.Within(t, mostOfSmallest, all[0], all[smallestBy], 1)
	beside.Within(t, mostOfNaive, all[0], all[naiveBy], 1)
}

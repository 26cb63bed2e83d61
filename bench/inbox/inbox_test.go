package inbox_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

// leastOfRaw is how much of the raw driver's throughput the inbox has.
const leastOfRaw = 0.9

func ways(tb testing.TB) []beside.Way {
	tb.Helper()
	var out []beside.Way
	for _, w := range []struct {
		name   string
		insert inserter
	}{{"aplomb/inbox", ours(tb)}, {"modernc.org/sqlite, group commit", raw(tb)}, {"modernc.org/sqlite, a commit each", naive(tb)}} {
		out = append(out, beside.Way{Name: w.name, Run: func() error { return race(w.insert) }})
	}
	return out
}

// TestBudgets holds what it may cost to have an event on disk.
func TestBudgets(t *testing.T) {
	all := ways(t)
	beside.Within(t, 1/leastOfRaw, all[0], all[1], 1)
	beside.Within(t, 1, all[0], all[2], 1)
}

func TestX(t *testing.T) {
	all := ways(t)
	for i, d := range beside.Times(t, all, 1) {
		t.Log(all[i].Name, d, float64(writers*perWriter)/d.Seconds())
	}
}

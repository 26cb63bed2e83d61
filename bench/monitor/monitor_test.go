package monitor_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

func BenchmarkMonitor(b *testing.B) {
	b.Run("loopback", func(b *testing.B) { beside.Benchmark(b, near(b)) })
	b.Run("memory", func(b *testing.B) { beside.Benchmark(b, nowhere(b)) })
}

// TestBudgets holds what watching may cost.
func TestBudgets(t *testing.T) {
	both := nowhere(t)
	most := goals.Limit(t, "Monitor", "memory", "allocs/op", both[1].Name)
	if with, without := beside.Allocs(t, both[0]), beside.Allocs(t, both[1]); with > without+most {
		t.Errorf("%v allocations, and %v without a monitor: want at most %v more", with, without, most)
	}
	both = near(t)
	beside.Within(t, goals.Limit(t, "Monitor", "loopback", "ns/op", both[1].Name), both[0], both[1], 2000)
}

package monitor_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

func BenchmarkMonitor(b *testing.B) {
	b.Run("loopback", func(b *testing.B) { beside.Benchmark(b, near(b)) })
	b.Run("memory", func(b *testing.B) { beside.Benchmark(b, nowhere(b)) })
}

// What a monitor may add to a call.
const (
	mostTime   = 1.05
	mostAllocs = 2
)

// TestBudgets holds what watching may cost.
func TestBudgets(t *testing.T) {
	both := nowhere(t)
	if with, without := beside.Allocs(t, both[0]), beside.Allocs(t, both[1]); with > without+mostAllocs {
		t.Errorf("%v allocations, and %v without a monitor: want at most %d more", with, without, mostAllocs)
	}
	both = near(t)
	beside.Within(t, mostTime, both[0], both[1], 2000)
}

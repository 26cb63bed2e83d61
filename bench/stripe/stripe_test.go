package stripe_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

func BenchmarkStripe(b *testing.B) {
	b.Run("list", func(b *testing.B) { beside.Benchmark(b, lists(b)) })
	b.Run("create", func(b *testing.B) { beside.Benchmark(b, creates(b)) })
}

func BenchmarkPages(b *testing.B) {
	b.Run("cursor-100x100", func(b *testing.B) { beside.Benchmark(b, pageWays(b, 100)) })
	far, chain := farWays(b)
	b.Run("cursor-10x100-5ms", func(b *testing.B) { beside.Benchmark(b, append(far, chain)) })
}

// TestBodies: what is measured is of the real size.
func TestBodies(t *testing.T) {
	t.Parallel()
	if size := len(chargePage(pageSize)) / pageSize; size < 3000 || size > 4500 {
		t.Errorf("a charge has %d bytes, want about 3,500", size)
	}
}

// TestBudgets holds what aplomb/stripe may cost. Allocations are counted, and
// the same everywhere; time is compared with stripe-go's in the same run.
func TestBudgets(t *testing.T) {
	for _, task := range []struct {
		name       string
		ways       []beside.Way
		mostAllocs float64
		mostTime   float64 // of stripe-go's; 0 is not compared
		runs       int     // in one turn
	}{
		{"list 100 charges", lists(t), 2000, 1.0 / 4, 5},
		{"create a customer", creates(t), 90, 0, 0},
	} {
		t.Run(task.name, func(t *testing.T) {
			own, other := task.ways[0], task.ways[1]
			if got := beside.Allocs(t, own); got > task.mostAllocs {
				t.Errorf("%v allocations, want at most %v", got, task.mostAllocs)
			}
			if task.mostTime == 0 {
				return
			}
			beside.Within(t, task.mostTime, own, other, task.runs)
		})
	}
}

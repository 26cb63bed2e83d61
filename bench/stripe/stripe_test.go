package stripe_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
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
		name, goal string
		ways       []beside.Way
		runs       int // in one turn; with 0 the time is not compared
	}{
		{"list 100 charges", "list", lists(t), 5},
		{"create a customer", "create", creates(t), 0},
	} {
		t.Run(task.name, func(t *testing.T) {
			own, other := task.ways[0], task.ways[1]
			if got, most := beside.Allocs(t, own), goals.Limit(t, "Stripe", task.goal, "allocs/op", ""); got > most {
				t.Errorf("%v allocations, want at most %v", got, most)
			}
			if task.runs > 0 {
				beside.Within(t, goals.Limit(t, "Stripe", task.goal, "ns/op", other.Name), own, other, task.runs)
			}
		})
	}
}

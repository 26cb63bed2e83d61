package webhook_test

import (
	"fmt"
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

func BenchmarkWebhook(b *testing.B) {
	for _, kib := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(kib, "KiB"), func(b *testing.B) { beside.Benchmark(b, verifies(b, kib<<10)) })
	}
	b.Run("schemes", func(b *testing.B) { beside.Benchmark(b, schemes(b)) })
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1 << 10, 64 << 10} {
		if got := len(payload(n)); got != n {
			t.Errorf("a body has %d bytes, want %d", got, n)
		}
	}
}

// TestBudgets holds what verifying may cost. Allocations are counted, and the same
// everywhere; time is compared with stripe-go's in the same run, for 1 KiB: of larger
// bodies the hash is nearly all.
func TestBudgets(t *testing.T) {
	for _, w := range append(schemes(t), verifies(t, 1<<10)[2]) {
		if got := beside.Allocs(t, w); got > 0 {
			t.Errorf("%s: %v allocations, want none", w.Name, got)
		}
	}
	ways := verifies(t, 1<<10)
	beside.Within(t, goals.Limit(t, "Webhook", "1KiB", "ns/op", ways[1].Name), ways[0], ways[1], 2000)
}

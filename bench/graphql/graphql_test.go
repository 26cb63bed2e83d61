package graphql_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

func BenchmarkGraphQL(b *testing.B) {
	b.Run("query", func(b *testing.B) { beside.Benchmark(b, queries(b)) })
}

// TestBody: what is measured is of the real size.
func TestBody(t *testing.T) {
	t.Parallel()
	if size := len(repoPage(pageSize)) / pageSize; size < 250 || size > 400 {
		t.Errorf("a repository has %d bytes, want about 300", size)
	}
}

// TestBudgets holds what aplomb/graphql may cost. Allocations are counted, and
// the same everywhere; time is compared with the others' in the same run.
func TestBudgets(t *testing.T) {
	ways := queries(t)
	limit := func(unit, other string) float64 { return goals.Limit(t, "GraphQL", "query", unit, other) }
	if got, most := beside.Allocs(t, ways[0]), limit("allocs/op", ""); got > most {
		t.Errorf("%v allocations, want at most %v", got, most)
	}
	for _, i := range []int{generatedBy, reflectedBy, plainBy} {
		beside.Within(t, limit("ns/op", ways[i].Name), ways[0], ways[i], 20)
	}
}

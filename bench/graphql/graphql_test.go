package graphql_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
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

// mostAllocs is what a query for 100 nodes of four strings each may allocate.
const mostAllocs = 560

// What it may take, in times of the others.
const (
	mostOfGenqlient = 0.95
	mostOfHasura    = 1 / 5.5
	mostOfPlain     = 1.25
)

// TestBudgets holds what aplomb/graphql may cost. Allocations are counted, and
// the same everywhere; time is compared with the others' in the same run.
func TestBudgets(t *testing.T) {
	ways := queries(t)
	if got := beside.Allocs(t, ways[0]); got > mostAllocs {
		t.Errorf("%v allocations, want at most %v", got, mostAllocs)
	}
	for i, most := range []float64{generatedBy: mostOfGenqlient, reflectedBy: mostOfHasura, plainBy: mostOfPlain} {
		if i > 0 {
			beside.Within(t, most, ways[0], ways[i], 20)
		}
	}
}

package call_test

import (
	"slices"
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

// notYet are the budgets that are not met so far. They are not held, and each
// leaves the list when it is met.
var notYet = []string{
	"GET beside composed", "GET beside net-http",
	"POST beside net-http",
	"POST-bytes beside composed-http", "POST-bytes beside net-http",
	"POST-http allocations", "POST-http beside composed-http", "POST-http beside net-http",
	"429 allocations", "429 beside retryablehttp",
}

// reported is the goal that the report alone holds: half of a POST is encoding/json's, for
// everybody.
const reported = "POST beside composed-http"

// runs in one turn of a comparison.
const runs = 1000

// TestBudgets holds what a call may cost. Allocations are counted, and the same
// everywhere; time is compared in the same run.
func TestBudgets(t *testing.T) {
	for _, g := range goals.Of("Call") {
		name := g.Name + " allocations"
		if g.Other != "" {
			name = g.Name + " beside " + g.Other
		}
		if name == reported || !beside.Held(t, notYet, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ways := waysOf(t, g.Name)
			own := pick(t, ways, g.Own)
			if g.Other != "" {
				beside.Within(t, g.Most, own, pick(t, ways, g.Other), runs)
			} else if got := beside.Allocs(t, own); got > g.Most {
				t.Errorf("%v allocations, want at most %v", got, g.Most)
			}
		})
	}
}

func waysOf(tb testing.TB, name string) []beside.Way {
	tb.Helper()
	for _, c := range cases {
		if c.name == name {
			return c.ways(tb)
		}
	}
	tb.Fatalf("no case %s", name)
	return nil
}

func pick(tb testing.TB, ways []beside.Way, name string) beside.Way {
	tb.Helper()
	i := slices.IndexFunc(ways, func(w beside.Way) bool { return w.Name == name })
	if i < 0 {
		tb.Fatalf("no way %s", name)
	}
	return ways[i]
}

// TestNothingBuffered: a body goes by as it is read. What a call allocates does
// not grow with it, but for the JSON that a typed call has to make of its value.
func TestNothingBuffered(t *testing.T) {
	const large, slack = 1 << 20, 32 << 10
	for name, ways := range map[string][]beside.Way{"POST-http": httpPosts(t, large), "POST-bytes": bytePosts(t, large)} {
		if got := beside.Bytes(t, pick(t, ways, "aplomb")); got > slack {
			t.Errorf("%s of %d bytes: %d allocated, want at most %d", name, large, got, slack)
		}
	}
	ways := posts(t, large)
	made, bare := beside.Bytes(t, pick(t, ways, "aplomb")), beside.Bytes(t, pick(t, ways, "net-http"))
	if most := bare + large/2; made > most { // encoding/json grows its buffer anew now and then
		t.Errorf("POST of %d bytes: %d allocated, %d by net-http alone: want at most %d", large, made, bare, most)
	}
}

package call_test

import (
	"slices"
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

// notYet are the budgets that are not met so far. They are not held, and each
// leaves the list when it is met.
var notYet = []string{
	"GET allocations", "GET beside composed", "GET beside net-http",
	"POST allocations", "POST beside net-http",
	"POST-bytes allocations", "POST-bytes beside composed-http", "POST-bytes beside net-http",
	"POST-http allocations", "POST-http beside composed-http", "POST-http beside net-http",
	"429 allocations", "429 beside retryablehttp",
}

// budgets are what a call of ours may cost: so many allocations, and at most so
// much of what the others take.
var budgets = []struct {
	in     string
	allocs float64
	beside map[string]float64
}{
	{"GET", 31, map[string]float64{"composed": 0.80, "net-http": 1.05}},
	{"POST", 36, map[string]float64{"net-http": 1.10}}, // half of it is encoding/json's, for everybody
	{"POST-bytes", 36, map[string]float64{"composed-http": 0.50, "net-http": 1.10}},
	{"POST-http", 36, map[string]float64{"composed-http": 0.50, "net-http": 1.10}},
	{"429", 45, map[string]float64{"retryablehttp": 0.95}},
}

// runs in one turn of a comparison.
const runs = 1000

// TestBudgets holds what a call may cost. Allocations are counted, and the same
// everywhere; time is compared in the same run.
func TestBudgets(t *testing.T) {
	for _, b := range budgets {
		ways := waysOf(t, b.in)
		own := pick(t, ways, "aplomb")
		if name := b.in + " allocations"; beside.Held(t, notYet, name) {
			t.Run(name, func(t *testing.T) {
				if got := beside.Allocs(t, own); got > b.allocs {
					t.Errorf("%v allocations, want at most %v", got, b.allocs)
				}
			})
		}
		for other, most := range b.beside {
			if name := b.in + " beside " + other; beside.Held(t, notYet, name) {
				t.Run(name, func(t *testing.T) { beside.Within(t, most, own, pick(t, ways, other), runs) })
			}
		}
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

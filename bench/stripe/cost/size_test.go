package cost_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/goals"
	"github.com/aplomb-go/aplomb/bench/internal/program"
)

// programs create one customer each. The first has no library: what the others cost
// counts beyond it.
var programs = []struct{ name, dir string }{{"net-http", "./base"}, {"aplomb", "./aplomb"}, {"stripe-go", "./stripego"}}

// TestBinarySize: a program has no more of the library than it uses.
func TestBinarySize(t *testing.T) {
	t.Parallel()
	base := program.Size(t, "./base")
	ours, theirs := program.Size(t, "./aplomb")-base, program.Size(t, "./stripego")-base
	t.Logf("%d bytes; beyond it aplomb %d, stripe-go %d", base, ours, theirs)
	if most := int64(goals.Limit(t, "Build", "customer", "added-bytes", "")); ours > most {
		t.Errorf("aplomb adds %d bytes, want at most %d", ours, most)
	}
	if ours > theirs {
		t.Errorf("aplomb adds %d bytes, more than stripe-go's %d", ours, theirs)
	}
}

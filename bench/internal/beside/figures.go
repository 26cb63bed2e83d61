package beside

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var figures = flag.Bool("figures", false, "print what the tests of figures measure, as benchmarks do")

// Figure is what was measured, in a unit of its own.
type Figure struct {
	Value float64
	Unit  string
}

// Asked skips the test unless figures are asked for. It is for what cannot be a
// benchmark, since a bubble of virtual time wants a *testing.T: such tests are named
// TestFigures and their part.
func Asked(tb testing.TB) {
	tb.Helper()
	if !*figures {
		tb.Skip("give -figures, as the report does")
	}
}

// Print prints the line that a benchmark named part/case/way would have printed,
// for the report and for benchstat.
func Print(name string, measured ...Figure) {
	var line strings.Builder
	fmt.Fprintf(&line, "Benchmark%s 1", name)
	for _, f := range measured {
		fmt.Fprintf(&line, " %.6g %s", f.Value, f.Unit)
	}
	fmt.Println(line.String())
}

package monitor_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

var results = flag.Bool("results", false, "measure, and write RESULTS.md")

// TestResults measures everything and writes RESULTS.md.
func TestResults(t *testing.T) {
	if !*results {
		t.Skip("give -results, as make bench-monitor does")
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# What a monitor costs\n\nWritten by `make bench-monitor`, all in one run. %s, %s/%s, %d processors.\n"+
		"Times are a machine's own: look at the ratios.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	table(t, &page, "A typed GET over a connection on this machine", near(t))
	table(t, &page, "The same without a network", nowhere(t))
	if err := os.WriteFile("RESULTS.md", []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table compares what each way costs.
func table(t *testing.T, page *strings.Builder, title string, ways []beside.Way) {
	t.Helper()
	fmt.Fprintf(page, "\n## %s\n\n| Way | best time | of without | allocations | bytes allocated |\n| --- | --- | --- | --- | --- |\n", title)
	best := beside.Times(t, ways, 5000)
	for i, w := range ways {
		fmt.Fprintf(page, "| %s | %v | %.3f | %v | %d |\n", w.Name, best[i].Round(10*time.Nanosecond),
			float64(best[i])/float64(best[1]), beside.Allocs(t, w), beside.Bytes(t, w))
	}
}

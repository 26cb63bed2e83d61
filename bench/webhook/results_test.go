package webhook_test

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
		t.Skip("give -results, as make bench-webhook does")
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# aplomb/webhook beside stripe-go\n\nWritten by `make bench-webhook`, all in one run. %s, %s/%s, %d processors.\n"+
		"Times are a machine's own: look at the ratios.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, size := range []int{1 << 10, 16 << 10, 64 << 10} {
		table(t, &page, fmt.Sprintf("Verify a delivery of Stripe's, %d KiB", size>>10), verifies(t, size), 1, "stripe-go's")
	}
	table(t, &page, "Verify 1 KiB, scheme by scheme", schemes(t), 0, "Stripe's")
	if err := os.WriteFile("RESULTS.md", []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table compares what each way costs with what the one at other does.
func table(t *testing.T, page *strings.Builder, title string, ways []beside.Way, other int, whose string) {
	t.Helper()
	fmt.Fprintf(page, "\n## %s\n\n| Way | best time | of %s | allocations | bytes allocated |\n| --- | --- | --- | --- | --- |\n", title, whose)
	best := beside.Times(t, ways, 5000)
	for i, w := range ways {
		fmt.Fprintf(page, "| %s | %v | %.2f | %v | %d |\n", w.Name, best[i].Round(10*time.Nanosecond),
			float64(best[i])/float64(best[other]), beside.Allocs(t, w), beside.Bytes(t, w))
	}
}

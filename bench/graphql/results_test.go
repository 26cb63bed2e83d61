package graphql_test

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

var results = flag.Bool("results", false, "write RESULTS.md")

// TestResults measures again and writes RESULTS.md.
func TestResults(t *testing.T) {
	if !*results {
		t.Skip("give -results, as make bench-graphql does")
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# aplomb/graphql beside its peers\n\nWritten by `make bench-graphql`, all in one run. %s, %s/%s, %d processors.\n"+
		"Times are a machine's own: look at the ratios.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(&page, "\n## One query for %d nodes, %.1f kB of JSON\n\n"+
		"| Library | best time | of ours | allocations | kB allocated |\n| --- | --- | --- | --- | --- |\n", pageSize, float64(len(repoPage(pageSize)))/1000)
	ways := queries(t)
	best := beside.Times(t, ways, 100)
	for i, w := range ways {
		fmt.Fprintf(&page, "| %s | %v | %.2f | %v | %.1f |\n", w.Name, best[i].Round(100*time.Nanosecond),
			float64(best[i])/float64(best[0]), beside.Allocs(t, w), float64(beside.Bytes(t, w))/1000)
	}
	if err := os.WriteFile("RESULTS.md", []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

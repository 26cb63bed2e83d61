package inbox_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var results = flag.Bool("results", false, "write RESULTS.md")

// TestResults measures again and writes RESULTS.md.
func TestResults(t *testing.T) {
	if !*results {
		t.Skip("give -results, as make bench-inbox does")
	}
	const turns = 7
	all := contestants(t)
	rate, p50, p99 := make([]float64, len(all)), make([]time.Duration, len(all)), make([]time.Duration, len(all))
	for range turns {
		for i, c := range all {
			runtime.GC() // each pays for its own garbage only
			took := make(chan time.Duration, writers*perWriter)
			began := time.Now()
			if err := race(c.insert, took); err != nil {
				t.Fatal(err)
			}
			if r := writers * perWriter / time.Since(began).Seconds(); r > rate[i] {
				rate[i] = r
				p50[i], p99[i] = percentiles(took)
			}
		}
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# aplomb/inbox beside a driver alone\n\nWritten by `make bench-inbox`, all in one run, each the best of %d turns. %s, %s/%s, %d processors.\n"+
		"Rates are a machine's and its disk's own: look at the ratios.\n", turns, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(&page, "\n## %d writers, events of 1 KiB, each on disk before its writer goes on\n\n| | events/s | of ours | acknowledged: median | p99 |\n| --- | --- | --- | --- | --- |\n", writers)
	for i, c := range all {
		fmt.Fprintf(&page, "| %s | %.0f | %.2f | %v | %v |\n", c.name, rate[i], rate[i]/rate[0], p50[i].Round(10*time.Microsecond), p99[i].Round(10*time.Microsecond))
	}
	if err := os.WriteFile("RESULTS.md", []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func percentiles(took chan time.Duration) (p50, p99 time.Duration) {
	close(took)
	var all []time.Duration
	for d := range took {
		all = append(all, d)
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}

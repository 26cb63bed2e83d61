//go:build linux

package stripe_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

var results = flag.Bool("results", false, "build the programs from a warm standard library (some minutes), and write RESULTS.md")

// Both in times: stripe-go's over ours. Processor time is counted beyond that of
// the program without a library, which is the linker's.
const (
	leastFaster  = 3.0
	leastSmaller = 3.0
)

// TestResults measures everything and writes RESULTS.md. Building is too slow
// for every day, so it is held here only.
func TestResults(t *testing.T) {
	if !*results {
		t.Skip("it takes minutes: give -results, as make bench-stripe does")
	}
	page := &table{}
	page.head()
	page.calls(t, "List 100 charges", lists(t), 20)
	page.calls(t, "Create a customer", creates(t), 2000)
	near, _ := pageWays(t, 0, 0)
	page.calls(t, "Ten pages of 100 charges", near, 2)
	far, chain := pageWays(t, latency, work)
	page.calls(t, "The same, 5 ms away, with 5 ms of work a page", append(far, chain), 2)
	page.programs(t)
	if err := os.WriteFile("RESULTS.md", []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table writes Markdown.
type table struct{ strings.Builder }

func (p *table) head() {
	fmt.Fprintf(p, "# aplomb/stripe beside stripe-go\n\nWritten by `make bench-stripe`, all in one run. %s, %s/%s, %d processors.\n"+
		"Times are a machine's own: look at the ratios.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

func (p *table) heading(title string, columns ...string) {
	fmt.Fprintf(p, "\n## %s\n\n| %s |\n|%s\n", title, strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
}

// calls compares what one call costs, over a transport without a network.
func (p *table) calls(t *testing.T, title string, ways []beside.Way, runs int) {
	t.Helper()
	p.heading(title, "Library", "best time", "of stripe-go's", "allocations", "kB allocated")
	best := beside.Times(t, ways, runs)
	for i, w := range ways {
		fmt.Fprintf(p, "| %s | %v | %.2f | %v | %.1f |\n", w.Name, best[i].Round(100*time.Nanosecond),
			float64(best[i])/float64(best[1]), beside.Allocs(t, w), float64(beside.Bytes(t, w))/1000)
	}
}

// programs compares what a program costs that creates one customer.
func (p *table) programs(t *testing.T) {
	t.Helper()
	p.heading("A program that creates one customer", "Library", "stripped binary, bytes", "beyond net/http", "user s to build", "beyond net/http", "peak compiler RSS, MB")
	warm := warmCache(t)
	built := make([]build, len(programs))
	for range builds {
		for i, prog := range programs {
			built[i] = built[i].best(buildIn(t, warm, prog.dir))
		}
	}
	size := make([]int64, len(programs))
	for i, prog := range programs {
		size[i] = binarySize(t, prog.dir)
		fmt.Fprintf(p, "| %s | %d | %d | %.2f | %.2f | %d |\n", prog.name, size[i], size[i]-size[0],
			built[i].user.Seconds(), (built[i].user - built[0].user).Seconds(), built[i].peak>>20)
	}
	faster := float64(built[2].user-built[0].user) / float64(built[1].user-built[0].user)
	smaller := float64(built[2].peak) / float64(built[1].peak)
	fmt.Fprintf(p, "\nBuilt from a cache that has the standard library. aplomb/stripe builds %.1f times faster, with %.1f times less memory.\n", faster, smaller)
	t.Logf("%.1f times faster to build, with %.1f times less memory", faster, smaller)
	if faster < leastFaster {
		t.Errorf("%v to build beyond %v, and %v with stripe-go: %.1f times faster, want %v", built[1].user, built[0].user, built[2].user, faster, leastFaster)
	}
	if smaller < leastSmaller {
		t.Errorf("%d MB to build, and %d with stripe-go: %.1f times less, want %v", built[1].peak>>20, built[2].peak>>20, smaller, leastSmaller)
	}
}

// build is what the go command and its children took.
type build struct {
	user time.Duration
	peak int64 // bytes, of the largest of them
}

// builds is how often each program is built, in turns.
const builds = 3

// best is the less of both: what comes on top is the machine's.
func (b build) best(other build) build {
	if b == (build{}) {
		return other
	}
	return build{min(b.user, other.user), min(b.peak, other.peak)}
}

// warmCache is a build cache that has the standard library's packages of all
// programs, and the base program.
func warmCache(tb testing.TB) string {
	tb.Helper()
	cache := filepath.Join(tb.TempDir(), "warm")
	out, _ := goCommand(tb, nil, "list", "-deps", "-f", "{{if .Standard}}{{.ImportPath}}{{end}}", "./cost/...")
	std := slices.DeleteFunc(strings.Fields(out), func(path string) bool { return path == "unsafe" })
	goCommand(tb, []string{"GOCACHE=" + cache}, append([]string{"build"}, std...)...)
	return cache
}

// buildIn builds a program in a copy of the cache, so that none has what another
// has compiled.
func buildIn(tb testing.TB, cache, dir string) build {
	tb.Helper()
	own := filepath.Join(tb.TempDir(), "cache")
	if err := os.CopyFS(own, os.DirFS(cache)); err != nil {
		tb.Fatal(err)
	}
	_, ended := goCommand(tb, []string{"GOCACHE=" + own}, "build", "-o", filepath.Join(tb.TempDir(), dir), "./cost/"+dir)
	usage := ended.SysUsage().(*syscall.Rusage)
	return build{ended.UserTime(), usage.Maxrss << 10}
}

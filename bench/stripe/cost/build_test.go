//go:build linux

package cost_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/program"
)

// builds is how often each program is built, in turns.
const builds = 3

// BenchmarkBuild tells the least of what the builds of each program took, and its
// binary's size; and both beyond the program without a library, for the linker's
// share is nobody's. It takes some minutes, so that it has one round in the report.
func BenchmarkBuild(b *testing.B) {
	warm := warmCache(b)
	built := make([]build, len(programs))
	for range builds {
		for i, prog := range programs {
			built[i] = built[i].best(buildIn(b, warm, prog.dir))
		}
	}
	base := program.Size(b, programs[0].dir)
	b.Run("customer", func(b *testing.B) {
		for i, prog := range programs {
			b.Run(prog.name, func(b *testing.B) {
				size := program.Size(b, prog.dir)
				b.ReportMetric(0, "ns/op") // nothing is repeated
				b.ReportMetric(built[i].user.Seconds(), "user-s")
				b.ReportMetric((built[i].user - built[0].user).Seconds(), "added-user-s")
				b.ReportMetric(float64(built[i].peak>>20), "peak-MiB")
				b.ReportMetric(float64(size), "binary-bytes")
				b.ReportMetric(float64(size-base), "added-bytes")
			})
		}
	})
}

// build is what the go command and its children took.
type build struct {
	user time.Duration
	peak int64 // bytes, of the largest of them
}

// best is the less of both: what comes on top is the machine's.
func (b build) best(other build) build {
	if b == (build{}) {
		return other
	}
	return build{min(b.user, other.user), min(b.peak, other.peak)}
}

// warmCache is a build cache that has the standard library's packages of all
// programs.
func warmCache(tb testing.TB) string {
	tb.Helper()
	cache := filepath.Join(tb.TempDir(), "warm")
	out, _ := program.Go(tb, nil, "list", "-deps", "-f", "{{if .Standard}}{{.ImportPath}}{{end}}", "./aplomb", "./base", "./stripego")
	std := slices.DeleteFunc(strings.Fields(out), func(path string) bool { return path == "unsafe" })
	program.Go(tb, []string{"GOCACHE=" + cache}, append([]string{"build"}, std...)...)
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
	_, ended := program.Go(tb, []string{"GOCACHE=" + own}, "build", "-o", filepath.Join(tb.TempDir(), "program"), dir)
	usage := ended.SysUsage().(*syscall.Rusage)
	return build{ended.UserTime(), usage.Maxrss << 10}
}

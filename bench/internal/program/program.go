// Package program builds programs as they are shipped, and says what they weigh
// and what they do before their main.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Size is that of the program in a directory, stripped, for linux/amd64. The linker
// drops what a program does not name, so that it says how much of a library hangs
// together. Without the paths of this machine it is the same everywhere.
func Size(tb testing.TB, dir string) int64 {
	tb.Helper()
	info, err := os.Stat(build(tb, dir, "GOOS=linux", "GOARCH=amd64"))
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// Build builds the program in a directory for this machine, stripped, and returns
// its path.
func Build(tb testing.TB, dir string) string {
	tb.Helper()
	return build(tb, dir)
}

func build(tb testing.TB, dir string, env ...string) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), filepath.Base(dir))
	Go(tb, env, "build", "-trimpath", "-ldflags=-s -w", "-o", out, dir)
	return out
}

// Go runs the go command as it is outside a workspace, without cgo, and returns
// what it printed and its process, which has ended.
func Go(tb testing.TB, env []string, args ...string) (string, *os.ProcessState) {
	tb.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), "go", args...)
	cmd.Env = append(append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0"), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), cmd.ProcessState
}

// Inits runs a program once and returns how long the initialisation of each of its
// packages took, of those that have any, as the runtime traces it.
func Inits(tb testing.TB, path string) map[string]time.Duration {
	tb.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), path)
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", filepath.Base(path), err, out)
	}
	took := map[string]time.Duration{}
	for line := range strings.Lines(string(out)) {
		var (
			name      string
			at, clock float64
		)
		if _, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock", &name, &at, &clock); err == nil {
			took[name] = time.Duration(clock * float64(time.Millisecond))
		}
	}
	if len(took) == 0 {
		tb.Fatalf("%s traced no initialisation:\n%s", filepath.Base(path), out)
	}
	return took
}

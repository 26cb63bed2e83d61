package stripe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs create one customer each: see the folders below cost.
var programs = []struct{ name, dir string }{{plain, "base"}, {ours, "aplomb"}, {peer, "stripego"}}

// mostAdded is what aplomb/stripe may add to a program's stripped binary.
const mostAdded = 1_200_000

// TestBinarySize: the linker drops what a program does not name, so that the
// size says how much of the library hangs together. Without the paths of this
// machine it is the same everywhere.
func TestBinarySize(t *testing.T) {
	t.Parallel()
	added := map[string]int64{}
	base := binarySize(t, "base")
	for _, p := range programs[1:] {
		added[p.name] = binarySize(t, p.dir) - base
	}
	t.Logf("%d bytes; beyond it %v", base, added)
	if added[ours] > mostAdded {
		t.Errorf("%s adds %d bytes, want at most %d", ours, added[ours], mostAdded)
	}
	if added[ours] > added[peer] {
		t.Errorf("%s adds %d bytes, more than %s's %d", ours, added[ours], peer, added[peer])
	}
}

// binarySize is that of a program built for linux/amd64, stripped.
func binarySize(tb testing.TB, dir string) int64 {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), dir)
	goCommand(tb, []string{"GOOS=linux", "GOARCH=amd64"}, "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./cost/"+dir)
	info, err := os.Stat(out)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

// goCommand runs the go command as it is outside a workspace, without cgo, and
// returns what it printed and its process, which has ended.
func goCommand(tb testing.TB, env []string, args ...string) (string, *os.ProcessState) {
	tb.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0"), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), cmd.ProcessState
}

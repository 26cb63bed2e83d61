package house_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayRequire are the only modules the root may require directly. Whatever else
// is wanted lives in a module of its own (otel, redis, compat, ...).
var mayRequire = []string{
	retryablehttp,
	gobreaker,
	oauth2,
	"golang.org/x/time",
	httpmock, // for tests
	jwt,
}

// goLine is the floor of every module: a language version, never a patch level
// that a user's toolchain might lack.
const goLine = "1.26.0"

type goMod struct {
	Module  struct{ Path string }
	Go      string
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace   []struct{ Old, New struct{ Path string } }
	Toolchain string
}

func readGoMod(t *testing.T, dir string) goMod {
	t.Helper()
	out, err := run(dir, "go", "mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var m goMod
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRootRequirements(t *testing.T) {
	t.Parallel()
	m := readGoMod(t, theHouse(t).dir)
	for _, r := range m.Require {
		if !r.Indirect && !slices.Contains(mayRequire, r.Path) {
			t.Errorf("the root go.mod requires %s directly; only these may be: %s", r.Path, strings.Join(mayRequire, ", "))
		}
	}
	if len(m.Replace) > 0 {
		t.Error("the root go.mod has a replace line, which users of the module would not get")
	}
}

func TestGoLines(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	mods := []string{filepath.Join(h.dir, "go.mod")}
	for _, pattern := range []string{"*/go.mod", "cmd/*/go.mod"} {
		more, err := filepath.Glob(filepath.Join(h.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		mods = append(mods, more...)
	}
	for _, file := range mods {
		m := readGoMod(t, filepath.Dir(file))
		if m.Go != goLine || m.Toolchain != "" {
			t.Errorf("module %s says go %q, toolchain %q; want go %s and no toolchain line", m.Module.Path, m.Go, m.Toolchain, goLine)
		}
	}
	work, err := os.ReadFile(filepath.Join(h.dir, "go.work"))
	if err == nil && !strings.HasPrefix(string(work), "go "+goLine+"\n") {
		t.Errorf("go.work does not start with go %s", goLine)
	}
}

package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoWallClockSleeps: a test file that sleeps opens synctest bubbles, where
// sleeping costs nothing and is exact. The compat tests wait for real programs
// and are let off.
func TestNoWallClockSleeps(t *testing.T) {
	t.Parallel()
	eachTestFile(t, func(rel string, fset *token.FileSet, f *ast.File) {
		if within(rel, "compat") || imports(f, "testing/synctest") {
			return
		}
		for _, pos := range calls(f, "time", "Sleep") {
			t.Errorf("%s:%d: time.Sleep in a test without synctest", rel, fset.Position(pos).Line)
		}
	})
}

// TestCompatSkipsThroughNeed: a quiet skip would let an untested peer pass in
// CI, so compat's tests skip through need.Missingf only.
func TestCompatSkipsThroughNeed(t *testing.T) {
	t.Parallel()
	eachTestFile(t, func(rel string, fset *token.FileSet, f *ast.File) {
		if !within(rel, "compat") || within(rel, "compat/need") {
			return
		}
		for _, name := range []string{"Skip", "Skipf", "SkipNow"} {
			for _, pos := range calls(f, "", name) {
				t.Errorf("%s:%d: %s in a compat test; use need.Missingf", rel, fset.Position(pos).Line, name)
			}
		}
	})
}

// eachTestFile parses every test file of the tree, nested modules included.
func eachTestFile(t *testing.T, look func(rel string, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	dir := theHouse(t).dir
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		look(filepath.ToSlash(rel), fset, f)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func imports(f *ast.File, path string) bool {
	for _, imp := range f.Imports {
		if strings.Trim(imp.Path.Value, `"`) == path {
			return true
		}
	}
	return false
}

// calls finds the calls of x.name in a file, whatever x is if it is "".
func calls(f *ast.File, x, name string) []token.Pos {
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); x == "" || (ok && id.Name == x) {
			found = append(found, call.Pos())
		}
		return true
	})
	return found
}

// TestNoGlobalMock: httpmock's package functions change http.DefaultTransport for every
// test of the process; a test has a MockTransport of its own.
func TestNoGlobalMock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		source string
		want   []string
	}{
		{`httpmock.Activate()`, []string{"Activate"}},
		{`httpmock.ActivateNonDefault(c); httpmock.RegisterResponder("GET", "/", nil)`, []string{"ActivateNonDefault", "RegisterResponder"}},
		{`m := httpmock.NewMockTransport(); m.RegisterResponder("GET", "/", httpmock.NewStringResponder(200, ""))`, nil},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x; import "github.com/jarcoal/httpmock"; func f() { `+tt.source+` }`, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := globalMocks(f); !slices.Equal(slices.Sorted(maps.Keys(got)), tt.want) {
			t.Errorf("%s: found %v, want %q", tt.source, got, tt.want)
		}
	}
	eachTestFile(t, func(rel string, fset *token.FileSet, f *ast.File) {
		for name, pos := range globalMocks(f) {
			t.Errorf("%s:%d: httpmock.%s is global; use httpmock.NewMockTransport() and aplomb.Transport", rel, fset.Position(pos).Line, name)
		}
	})
}

// globalMocks finds httpmock's functions that work on its DefaultTransport.
func globalMocks(f *ast.File) map[string]token.Pos {
	found := map[string]token.Pos{}
	if !imports(f, httpmock) {
		return found
	}
	for _, name := range []string{
		"Activate", "ActivateNonDefault", "DeactivateNonDefault", "Deactivate", "DeactivateAndReset", "Reset", "ZeroCallCounters",
		"RegisterResponder", "RegisterMatcherResponder", "RegisterRegexpResponder", "RegisterNoResponder", "GetCallCountInfo", "GetTotalCallCount",
	} {
		for _, pos := range calls(f, "httpmock", name) {
			found[name] = pos
		}
	}
	return found
}

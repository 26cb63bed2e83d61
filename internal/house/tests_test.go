package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
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

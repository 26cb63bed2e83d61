package house_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/aplomb-go/aplomb"

// pkg is the part of `go list -json` these tests read.
type pkg struct {
	ImportPath   string
	Name         string
	Dir          string
	Export       string
	GoFiles      []string
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	DepOnly      bool
	Error        *struct{ Err string }
}

// rel is the package's path inside the module: "" for the root.
func (p *pkg) rel() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// public says whether a user of the module may import the package.
func (p *pkg) public() bool {
	return p.Name != "main" && !within(p.rel(), "internal") && !strings.Contains(p.rel(), "/internal")
}

// house is everything the tests look at, read once per test process.
type house struct {
	dir   string          // the module's root folder
	pkgs  []*pkg          // the root module's own packages, sorted by path
	byImp map[string]*pkg // those and everything they depend on
	fset  *token.FileSet
	mu    sync.Mutex // parallel tests share imp, which is not safe for that
	imp   types.Importer
}

var load = sync.OnceValues(func() (*house, error) {
	h := &house{byImp: map[string]*pkg{}, fset: token.NewFileSet()}
	var err error
	if h.dir, err = rootDir(); err != nil {
		return nil, err
	}
	if err := watch(h.dir); err != nil {
		return nil, err
	}
	all, err := goList(h.dir, "-export", "-deps", "./...")
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		h.byImp[p.ImportPath] = p
		if !p.DepOnly {
			h.pkgs = append(h.pkgs, p)
		}
	}
	slices.SortFunc(h.pkgs, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	h.imp = importer.ForCompiler(h.fset, "gc", h.exportData)
	return h, nil
})

func theHouse(t *testing.T) *house {
	t.Helper()
	h, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// exportData opens the compiler's export data, which is where go/types learns
// the API: as compiled, without type-checking net/http from source again.
func (h *house) exportData(path string) (io.ReadCloser, error) {
	p := h.byImp[path]
	if p == nil || p.Export == "" {
		return nil, fmt.Errorf("no export data for %s: does `go build ./...` pass?", path)
	}
	return os.Open(p.Export)
}

// publicPkgs are the packages a user may import, each of which must compile.
func (h *house) publicPkgs(t *testing.T) []*pkg {
	t.Helper()
	var public []*pkg
	for _, p := range h.pkgs {
		if !p.public() || len(p.GoFiles)+len(p.CgoFiles) == 0 {
			continue
		}
		if p.Error != nil {
			t.Fatalf("%s does not compile: %s", p.ImportPath, p.Error.Err)
		}
		public = append(public, p)
	}
	if len(public) == 0 {
		t.Skip("the module has no public package yet")
	}
	return public
}

// types returns the package as the compiler exported it.
func (h *house) types(t *testing.T, p *pkg) *types.Package {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	tp, err := h.imp.Import(p.ImportPath)
	if err != nil {
		t.Fatal(err)
	}
	return tp
}

// syntax parses the package's own files, comments included.
func (h *house) syntax(t *testing.T, p *pkg) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return fset, files
}

// rootDir climbs from the test's folder to the module's go.mod.
func rootDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module "+module+"\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod of " + module + " above the test")
		}
		dir = parent
	}
}

// watch walks the module's folders. The go command remembers which folders a
// test opened and runs it again once a file in one of them has changed; what
// the subprocess `go list` reads it cannot see, so without this walk an old
// "ok (cached)" would hide a changed API.
func watch(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin"):
			return filepath.SkipDir
		}
		return nil
	})
}

// goList runs `go list -e -json` in dir. A package that does not compile comes
// back with its Error set.
func goList(dir string, args ...string) ([]*pkg, error) {
	fields := "-json=ImportPath,Name,Dir,Export,GoFiles,CgoFiles,Imports,TestImports,XTestImports,DepOnly,Error"
	out, err := run(dir, "go", append([]string{"list", "-e", fields}, args...)...)
	if err != nil {
		return nil, err
	}
	var pkgs []*pkg
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		p := new(pkg)
		if err := dec.Decode(p); err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

// run returns what a command prints on stdout, or an error with its stderr.
func run(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return string(out), nil
}

// within says whether path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

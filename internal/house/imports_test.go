package house_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	retryablehttp = "github.com/hashicorp/go-retryablehttp"
	gobreaker     = "github.com/sony/gobreaker/v2"
	rate          = "golang.org/x/time/rate"
	oauth2        = "golang.org/x/oauth2"
	httpmock      = "github.com/jarcoal/httpmock"
	jwt           = "github.com/golang-jwt/jwt/v5"
)

// mayImport is design section 2, "Who may import whom": for each public
// package of the module, the packages of the module ("" is the root, a folder
// stands for all below it) and the foreign modules its own files may import.
// Test files may import anything the module requires.
var mayImport = map[string]struct{ own, foreign []string }{
	"":           {own: []string{"internal"}, foreign: []string{retryablehttp, gobreaker, rate, oauth2, jwt}},
	"stripe":     {own: []string{"", "internal/rawjson"}},                                // objects of thousands are read once
	"graphql":    {own: []string{"", "internal/bom", "internal/redact", "internal/sse"}}, // what a WebSocket carries stands in no request of the root
	"oauth":      {own: []string{"", "internal/filelock"}, foreign: []string{oauth2, jwt}},
	"poll":       {own: []string{"", "inbox"}},
	"transfer":   {own: []string{"", "internal/filelock", "internal/header", "internal/sized"}},
	"cache":      {own: []string{"", "internal/header", "internal/redact"}}, // which names may be a secret's is said in one place
	"monitor":    {own: []string{"", "cache", "inbox", "poll", "webhook"}},  // whose hooks are their own
	"signature":  {},
	"inbox":      {},
	"webhook":    {own: []string{"signature", "inbox"}},
	"aplombtest": {own: everything, foreign: []string{jwt}},
	"internal":   {own: []string{"internal"}},
}

// everything stands for each package of the module.
var everything = []string{"*"}

func TestImportGraph(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	for _, p := range h.pkgs {
		row, name := rowOf(p.rel())
		rule, ok := mayImport[row]
		if !ok {
			t.Errorf("%s is new: give it a row in mayImport (%s) after design section 2", name, "internal/house/imports_test.go")
			continue
		}
		for _, imp := range p.Imports {
			own, isOwn := strings.CutPrefix(imp, module)
			switch {
			case isOwn && !allowedOwn(rule.own, strings.TrimPrefix(own, "/"), row):
				t.Errorf("%s imports %s; it may import of its own module only: %s", name, imp, list(rule.own))
			case !isOwn && isForeign(imp) && !slices.ContainsFunc(rule.foreign, func(m string) bool { return within(imp, m) }):
				t.Errorf("%s imports %s; besides std it may import only: %s", name, imp, list(rule.foreign))
			}
		}
	}
}

// TestOnlyTestsImportAplombtest looks at the root module and, inside a
// workspace, at its other modules too: a fake must never reach a program.
func TestOnlyTestsImportAplombtest(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	pattern := "./..."
	if _, err := os.Stat(filepath.Join(h.dir, "go.work")); err == nil && os.Getenv("GOWORK") != "off" {
		pattern = "work"
	}
	pkgs, err := goList(h.dir, pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		if within(p.rel(), "examples") || within(p.rel(), "aplombtest") {
			continue
		}
		for _, imp := range p.Imports {
			if within(imp, module+"/aplombtest") {
				t.Errorf("%s imports %s outside its tests", p.ImportPath, imp)
			}
		}
	}
}

// rowOf names the row of mayImport a package belongs to (its first folder) and
// the package as a reader would.
func rowOf(rel string) (row, name string) {
	if rel == "" {
		return "", "the root package"
	}
	row, _, _ = strings.Cut(rel, "/")
	return row, rel
}

// allowedOwn says whether the rule lets a package of the given row import the
// module's package rel. A row's packages may always import each other.
func allowedOwn(rule []string, rel, row string) bool {
	if slices.Equal(rule, everything) || (row != "" && within(rel, row)) {
		return true
	}
	return slices.ContainsFunc(rule, func(dir string) bool {
		return rel == dir || (dir != "" && within(rel, dir))
	})
}

// isForeign says whether an import path lies outside the standard library,
// whose first element has no dot.
func isForeign(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return strings.Contains(first, ".")
}

func list(paths []string) string {
	if len(paths) == 0 {
		return "nothing"
	}
	quoted := slices.Clone(paths)
	for i, p := range quoted {
		if p == "" {
			quoted[i] = "the root"
		}
	}
	return strings.Join(quoted, ", ")
}

package house_test

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt instead of comparing with it")

// TestAPIGolden holds the exported API of every public package against
// testdata/api.txt. One line is one fact, so a diff reads as what was added and
// what was taken away. `make api` rewrites the file; the change goes into
// CHANGELOG.md with it.
func TestAPIGolden(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	var got strings.Builder
	for i, p := range h.publicPkgs(t) {
		if i > 0 {
			got.WriteString("\n")
		}
		got.WriteString(renderAPI(h.types(t, p)))
	}
	file := filepath.Join(h.dir, "testdata", "api.txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v\nwrite it with: make api", err)
	}
	if diff := lineDiff(string(want), got.String()); diff != "" {
		t.Errorf("the exported API differs from testdata/api.txt (- gone, + new):\n%s\nIf that is meant, run: make api, and add a line to CHANGELOG.md", diff)
	}
}

// renderAPI lists a package's exported facts: constants, variables and
// functions, then each type with its fields and methods.
func renderAPI(p *types.Package) string {
	var consts, vars, funcs, typs []string
	short := relativeTo(p)
	scope := p.Scope()
	for _, name := range scope.Names() {
		switch obj := scope.Lookup(name).(type) {
		case *types.Const:
			if obj.Exported() {
				consts = append(consts, fmt.Sprintf("const %s %s = %s", name, types.TypeString(obj.Type(), short), obj.Val()))
			}
		case *types.Var:
			if obj.Exported() {
				vars = append(vars, fmt.Sprintf("var %s %s", name, types.TypeString(obj.Type(), short)))
			}
		case *types.Func:
			if obj.Exported() {
				funcs = append(funcs, types.ObjectString(obj, short))
			}
		case *types.TypeName:
			if obj.Exported() {
				typs = append(typs, renderType(obj, short)...)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "package %s // %s\n", p.Name(), p.Path())
	for _, fact := range slices.Concat(consts, vars, funcs, typs) {
		fmt.Fprintf(&b, "%s: %s\n", p.Name(), fact)
	}
	return b.String()
}

// renderType lists a type and its exported fields and methods. What is not
// exported is left out, except that it is there: a sealed interface and a
// struct that cannot be written unkeyed are promises too.
func renderType(obj *types.TypeName, short types.Qualifier) []string {
	name := obj.Name()
	if alias, ok := obj.Type().(*types.Alias); ok {
		return []string{fmt.Sprintf("type %s = %s", name, types.TypeString(alias.Rhs(), short))}
	}
	head := "type " + types.TypeString(obj.Type(), short)
	var facts []string
	switch u := obj.Type().Underlying().(type) {
	case *types.Struct:
		head += " struct"
		hidden := false
		for f := range u.Fields() {
			switch {
			case f.Embedded() && f.Exported():
				facts = append(facts, fmt.Sprintf("embed %s.%s", name, types.TypeString(f.Type(), short)))
			case f.Exported():
				facts = append(facts, fmt.Sprintf("field %s.%s %s", name, f.Name(), types.TypeString(f.Type(), short)))
			default:
				hidden = true
			}
		}
		if hidden {
			head += " // and unexported fields"
		}
	case *types.Interface:
		head += " interface"
		sealed := false
		for m := range u.ExplicitMethods() {
			if m.Exported() {
				sig := strings.TrimPrefix(types.TypeString(m.Type(), short), "func")
				facts = append(facts, fmt.Sprintf("method %s.%s%s", name, m.Name(), sig))
			} else {
				sealed = true
			}
		}
		for e := range u.EmbeddedTypes() {
			facts = append(facts, fmt.Sprintf("embed %s.%s", name, types.TypeString(e, short)))
		}
		if sealed {
			head += " // sealed"
		}
	default:
		head += " " + types.TypeString(u, short)
	}
	if named, ok := obj.Type().(*types.Named); ok {
		facts = append(facts, renderMethods(named, short)...)
	}
	return append([]string{head}, facts...)
}

func renderMethods(named *types.Named, short types.Qualifier) []string {
	var methods []*types.Func
	for m := range named.Methods() {
		if m.Exported() {
			methods = append(methods, m)
		}
	}
	slices.SortFunc(methods, func(a, b *types.Func) int { return strings.Compare(a.Name(), b.Name()) })
	var facts []string
	for _, m := range methods {
		sig := m.Signature()
		recv := types.TypeString(sig.Recv().Type(), short)
		facts = append(facts, fmt.Sprintf("method (%s) %s%s", recv, m.Name(), strings.TrimPrefix(types.TypeString(sig, short), "func")))
	}
	return facts
}

// relativeTo names other packages by their name and the package itself not at
// all, the way its own source would.
func relativeTo(p *types.Package) types.Qualifier {
	return func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	}
}

// lineDiff lists the lines that only one text has. The order is that of the
// texts; a line that merely moved does not count.
func lineDiff(want, got string) string {
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, l := range wantLines {
		if !slices.Contains(gotLines, l) {
			fmt.Fprintf(&b, "  - %s\n", l)
		}
	}
	for _, l := range gotLines {
		if !slices.Contains(wantLines, l) {
			fmt.Fprintf(&b, "  + %s\n", l)
		}
	}
	if b.Len() == 0 && want != got {
		b.WriteString("  (the same lines in another order)\n")
	}
	return b.String()
}

// mayShow are the foreign types that an exported signature may name, by
// package; "*" stands for each type of the foreign package. Whatever a
// signature names we can never replace.
var mayShow = map[string][]string{
	"":      {oauth2 + ".TokenSource"}, // the ecosystem's word for a source of tokens
	"oauth": {oauth2 + ".*"},           // it is the package about x/oauth2
}

func TestSignaturesNameNoDependency(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	for _, p := range h.publicPkgs(t) {
		row, _ := rowOf(p.rel())
		w := &foreignWalker{allowed: mayShow[row], seen: map[types.Type]bool{}}
		tp := h.types(t, p)
		w.own = tp
		for _, name := range tp.Scope().Names() {
			if obj := tp.Scope().Lookup(name); obj.Exported() {
				w.where = name
				w.walk(obj.Type())
			}
		}
		for _, f := range w.found {
			t.Errorf("%s: %s; hide it behind a type of our own", p.ImportPath, f)
		}
	}
}

// foreignWalker follows a type through everything a user can see of it.
type foreignWalker struct {
	own     *types.Package
	allowed []string
	where   string
	seen    map[types.Type]bool
	found   []string
}

func (w *foreignWalker) walk(t types.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		w.named(t)
	case *types.Alias:
		w.walk(t.Rhs())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				w.walk(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				w.walk(m.Type())
			}
		}
		for e := range t.EmbeddedTypes() {
			w.walk(e)
		}
	case *types.Signature:
		w.walk(t.Params())
		w.walk(t.Results())
		for p := range t.TypeParams().TypeParams() {
			w.walk(p.Constraint())
		}
	case *types.Tuple:
		for v := range t.Variables() {
			w.walk(v.Type())
		}
	case *types.Map:
		w.walk(t.Key())
		w.walk(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		w.walk(t.Elem())
	}
}

func (w *foreignWalker) named(t *types.Named) {
	for a := range t.TypeArgs().Types() {
		w.walk(a)
	}
	p := t.Obj().Pkg()
	switch {
	case p == nil: // error, comparable
	case p == w.own:
		for m := range t.Methods() {
			if m.Exported() {
				w.walk(m.Type())
			}
		}
		w.walk(t.Underlying())
	case within(p.Path(), module):
		if strings.Contains(p.Path(), "/internal/") {
			w.found = append(w.found, w.where+" shows "+p.Path()+"."+t.Obj().Name()+", which no user can name")
		}
	case isForeign(p.Path()) && !w.shows(p.Path(), t.Obj().Name()):
		w.found = append(w.found, w.where+" shows "+p.Path()+"."+t.Obj().Name())
	}
}

func (w *foreignWalker) shows(path, name string) bool {
	return slices.Contains(w.allowed, path+"."+name) || slices.Contains(w.allowed, path+".*")
}

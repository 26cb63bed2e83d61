package house_test

import (
	"go/ast"
	"go/types"
	"regexp"
	"strings"
	"testing"
)

// TestOptionCommentListsEveryOption holds the list in Option's doc comment
// against the types: pkg.go.dev groups the option functions under Option, but
// not the structs that are options themselves, so the comment has to name them.
func TestOptionCommentListsEveryOption(t *testing.T) {
	t.Parallel()
	root, comments := rootOptions(t)
	doc := comments["Option"]
	for _, name := range root.options {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(doc) {
			t.Errorf("the doc comment of Option does not list %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`\[([A-Z]\w*)\]`).FindAllStringSubmatch(doc, -1) {
		if root.pkg.Scope().Lookup(m[1]) == nil {
			t.Errorf("the doc comment of Option links to [%s], which does not exist", m[1])
		}
	}
}

// TestOptionStructsSayWhatTheyAre: "Retry is a [RequestOption]: ...", so that
// a reader of one struct's page knows where it may be given.
func TestOptionStructsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	root, comments := rootOptions(t)
	for _, name := range root.structs {
		want := name + " is an [Option]"
		if root.perCall[name] {
			want = name + " is a [RequestOption]"
		}
		if doc := strings.Join(strings.Fields(comments[name]), " "); !strings.HasPrefix(doc, want) {
			t.Errorf("the doc comment of %s must begin %q; it begins %.60q", name, want, doc)
		}
	}
}

type optionSet struct {
	pkg     *types.Package
	options []string        // exported types and functions that are or return an option
	structs []string        // those that are structs
	perCall map[string]bool // types that are a RequestOption as well
}

// rootOptions finds the root's options by type and its types' doc comments.
func rootOptions(t *testing.T) (optionSet, map[string]string) {
	t.Helper()
	h := theHouse(t)
	p := h.byImp[module]
	if p == nil || len(p.GoFiles) == 0 {
		t.Skip("the root package has no files yet")
	}
	tp := h.types(t, p)
	option, request := iface(tp, "Option"), iface(tp, "RequestOption")
	if option == nil {
		t.Skip("the root package has no Option yet")
	}
	set := optionSet{pkg: tp, perCall: map[string]bool{}}
	for _, name := range tp.Scope().Names() {
		obj := tp.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.TypeName:
			if types.IsInterface(obj.Type()) || !implements(obj.Type(), option) {
				continue
			}
			set.options = append(set.options, name)
			set.perCall[name] = request != nil && implements(obj.Type(), request)
			if _, ok := obj.Type().Underlying().(*types.Struct); ok {
				set.structs = append(set.structs, name)
			}
		case *types.Func:
			if returnsOption(obj.Signature(), option) {
				set.options = append(set.options, name)
			}
		}
	}
	return set, typeComments(h, t, p)
}

func iface(p *types.Package, name string) *types.Interface {
	obj := p.Scope().Lookup(name)
	if obj == nil {
		return nil
	}
	i, _ := obj.Type().Underlying().(*types.Interface)
	return i
}

func implements(t types.Type, i *types.Interface) bool {
	return types.Implements(t, i) || types.Implements(types.NewPointer(t), i)
}

func returnsOption(sig *types.Signature, option *types.Interface) bool {
	for r := range sig.Results().Variables() {
		if types.Implements(r.Type(), option) {
			return true
		}
	}
	return false
}

// typeComments maps each type of the package to its doc comment.
func typeComments(h *house, t *testing.T, p *pkg) map[string]string {
	t.Helper()
	comments := map[string]string{}
	_, files := h.syntax(t, p)
	for _, f := range files {
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range gen.Specs {
				spec, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				text := spec.Doc.Text()
				if text == "" {
					text = gen.Doc.Text()
				}
				comments[spec.Name.Name] = text
			}
		}
	}
	return comments
}

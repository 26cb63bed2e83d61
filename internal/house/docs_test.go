package house_test

import (
	"go/ast"
	"go/doc"
	"path/filepath"
	"testing"
)

// TestEveryExportedNameIsDocumented covers packages, types, functions,
// methods, constants and variables of the public packages; a comment on a
// group counts for its constants and variables.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	for _, p := range h.publicPkgs(t) {
		fset, files := h.syntax(t, p)
		d, err := doc.NewFromFiles(fset, files, p.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		missing := func(node ast.Node, name string) {
			pos := fset.Position(node.Pos())
			t.Errorf("%s:%d: %s has no doc comment", filepath.Base(pos.Filename), pos.Line, name)
		}
		if d.Doc == "" {
			t.Errorf("package %s has no doc comment", p.ImportPath)
		}
		values(d.Consts, missing)
		values(d.Vars, missing)
		funcs(d.Funcs, "", missing)
		for _, typ := range d.Types {
			if typ.Doc == "" {
				missing(typ.Decl, typ.Name)
			}
			values(typ.Consts, missing)
			values(typ.Vars, missing)
			funcs(typ.Funcs, "", missing)
			funcs(typ.Methods, typ.Name+".", missing)
		}
	}
}

func values(vs []*doc.Value, missing func(ast.Node, string)) {
	for _, v := range vs {
		if v.Doc != "" {
			continue
		}
		for _, s := range v.Decl.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, n := range spec.Names {
				if n.IsExported() {
					missing(n, n.Name)
				}
			}
		}
	}
}

func funcs(fs []*doc.Func, prefix string, missing func(ast.Node, string)) {
	for _, f := range fs {
		if f.Doc == "" {
			missing(f.Decl, prefix+f.Name)
		}
	}
}

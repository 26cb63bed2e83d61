package graphql

import (
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestParse(t *testing.T) {
	t.Parallel()
	op := func(kind, name string, variables ...string) operation { return operation{kind, name, variables} }
	tests := []struct {
		document string
		want     []operation
	}{
		{`{ a }`, []operation{op("query", "")}},
		{`query { a }`, []operation{op("query", "")}},
		{"\ufeff,,, # mutation {\r\n\tmutation M { a }", []operation{op("mutation", "M")}},
		{`query Q($a: Int = 1, $b: [In!]! = [{x: ")", y: "$z:"}] @d(if: true)) @live(a: {b: 1}, c: $a) { a(x: {y: "}"}) { b } }`, []operation{op("query", "Q", "a", "b")}},
		{`fragment F on T @d(a: {b: "("}) { mutation } query($cursor:String){...F}`, []operation{op("query", "", "cursor")}},
		{`fragment query on T { a } mutation { a }`, []operation{op("mutation", "")}},
		{`query A { a } mutation B { b } subscription C { c }`, []operation{op("query", "A"), op("mutation", "B"), op("subscription", "C")}},
		{`"""a "quoted" { \""" description""" query Q { a }`, []operation{op("query", "Q")}},
		{`{ a(s: """ } \""" " """, t: "\"}", u: "") }`, []operation{op("query", "")}},
		{`mutation query { mutation }`, []operation{op("mutation", "query")}},
		{`{ a(big: 1.5e3, neg: -1, v: $v) ... on T { b } }`, []operation{op("query", "")}},
		{``, nil},
		{`# only a comment`, nil},
		{`fragment F on T { a }`, nil},
	}
	for _, tt := range tests {
		got, err := parse(tt.document)
		assert.NoError(t, err, tt.document)
		assert.Equal(t, got, tt.want, tt.document)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ document, want string }{
		{"query {\n a", "line 1: a { is missing or not closed"},
		{"query Q", "a { is missing"},
		{"query Q($a: Int", "line 1: a ( is not closed"},
		{"query Q @d(a: 1 { a }", "a ( is missing or not closed"},
		{"\n\n{ a(s: \"x\n\") }", "line 3: a string is not closed"},
		{`{ a(s: """ x ) }`, "a string is not closed"},
		{`{ a } }`, `want an operation, got "}"`},
		{`schema { query: Q }`, `got "schema"`},
		{`fragment F on T`, "a { is missing"},
		{"\xff{a}", "want an operation"},
		{`{ a(s: "\`, "a string is not closed"},
	}
	for _, tt := range tests {
		_, err := parse(tt.document)
		if err == nil {
			t.Errorf("%q: no error, want %q", tt.document, tt.want)
			continue
		}
		assert.Contains(t, err.Error(), tt.want, tt.document)
	}
}

// FuzzParse: no document makes it panic or hang, and what a server must ignore
// changes nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{ a }`, `query Q($a: Int = 1) @d(x: {y: 1}) { a }`, `fragment F on T { a } mutation M { ...F }`,
		`"""d""" query { a(s: """ \""" """, t: "\"") }`, "\ufeff# c\nsubscription { a }", `query ( $`, `{ "`, `"""`, `query @(`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got, err := parse(document)
		for _, o := range got {
			if o.kind != "query" && o.kind != "mutation" && o.kind != "subscription" || strings.ContainsAny(o.name, " \n{}") {
				t.Fatalf("%q: %+v", document, o)
			}
		}
		again, err2 := parse("\ufeff, # {\n" + document)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, with a comment before it %v", document, err, err2)
		}
		if err == nil {
			assert.Equal(t, again, got)
		}
	})
}

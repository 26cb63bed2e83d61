package graphql

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func openNothing() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }

func fileOf(name string) File { return File{Name: name, Open: openNothing} }

type inner struct {
	Deep   File `json:"deep"`
	Shadow File `json:"shadow"`
}

type Outer struct {
	Tagless File
	Upper   *File `json:"upper,omitempty"`
}

type one struct{ Same, A File }

type another struct{ Same, B File }

type key int

func (k key) MarshalText() ([]byte, error) { return []byte("key" + string(rune('0'+int(k)))), nil }

type opaque struct{ File *File }

func (opaque) MarshalJSON() ([]byte, error) { return []byte(`{}`), nil }

type carrier struct{ File }

// TestAttachments: each file is found where encoding/json puts its null, and nothing
// else is.
func TestAttachments(t *testing.T) {
	t.Parallel()
	a, b := fileOf("a"), fileOf("b")
	cyclic := map[string]any{"file": a}
	cyclic["self"], cyclic["again"] = cyclic, cyclic
	tests := map[string]struct {
		vars any
		want []string
	}{
		"none":       {nil, nil},
		"no files":   {Vars{"a": 1, "b": []byte("x"), "c": []any{nil, "s", time.Time{}}, "d": json.RawMessage(`{}`)}, nil},
		"a variable": {Vars{"b": b, "a": a}, []string{"a a", "b b"}},
		"pointers":   {Vars{"p": &a, "n": (*File)(nil)}, []string{"p a"}},
		"nested":     {Vars{"in": map[string]any{"files": []any{1, a, []File{b}}}}, []string{"in.files.1 a", "in.files.2.0 b"}},
		"array":      {Vars{"in": [2]*File{nil, &b}}, []string{"in.1 b"}},
		"optional":   {Vars{"some": Some(a), "null": Null[File](), "deep": Some([]File{b})}, []string{"deep.0 b", "some a"}},
		"absent": {struct {
			A Opt[File] `json:"a,omitzero"`
		}{}, nil},
		"omitted": {struct {
			A File `json:"a,omitzero"`
		}{}, nil},
		"tags": {struct {
			A File `json:"b"`
			B File `json:"-"`
			//lint:ignore SA5008 some do, and mean the name
			C File `json:"-,"` //nolint:staticcheck // the same
			D File
			e File
		}{a, a, b, b, a}, []string{"b a", "- b", "D b"}},
		"embedded": {struct {
			inner
			*Outer
			Shadow int `json:"shadow"`
		}{inner{a, a}, &Outer{b, &b}, 1}, []string{"deep a", "Tagless b", "upper b"}},
		"embedded nil": {struct{ *Outer }{}, nil},
		"embedded, named": {struct {
			Outer `json:"o"`
		}{Outer{Tagless: a}}, []string{"o.Tagless a"}},
		"two of a name": {struct {
			one
			another
		}{one{a, a}, another{b, b}}, []string{"A a", "B b"}},
		"one with a tag": {struct {
			A File
			B File `json:"A"`
		}{b, a}, []string{"A a"}},
		"a file embedded": {Vars{"c": carrier{a}}, []string{"c a"}},
		"keys":            {map[string]any{"m": map[key]File{3: a}, "n": map[int]File{-7: b}}, []string{"m.key3 a", "n.-7 b"}},
		"its own JSON":    {Vars{"o": opaque{&a}, "p": &opaque{&a}}, nil},
		"the same twice":  {Vars{"x": &a, "y": &a}, []string{"x a", "y a"}},
		"a dot, no file":  {Vars{"a.b": 1}, nil},
		"unusual tag names": {struct {
			A File "json:\"a'b\""
		}{a}, []string{"A a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := attachments(tt.vars)
			assert.NoError(t, err)
			raw, err := json.Marshal(tt.vars)
			assert.NoError(t, err)
			var got []string
			for _, f := range found {
				path := strings.TrimPrefix(f.path, "variables.")
				got = append(got, path+" "+f.Name)
				assert.Equal(t, at(t, raw, path), "null", string(raw))
			}
			assert.Equal(t, got, tt.want, string(raw))
		})
	}
	found, err := attachments(cyclic)
	assert.NoError(t, err)
	assert.Equal(t, len(found), 1, "and encoding/json says what is wrong")
}

// at is the JSON at a dotted path.
func at(t *testing.T, raw []byte, path string) string {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		switch {
		case json.Unmarshal(raw, &object) == nil:
			raw = object[name]
		case json.Unmarshal(raw, &list) == nil:
			var i int
			assert.NoError(t, json.Unmarshal([]byte(name), &i))
			raw = list[i]
		}
	}
	return string(raw)
}

func TestDirectives(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{ a @include(if: true) defer stream b(s: "@defer") } # @stream`: "",
		`{ ...F @defer(label: "x") }`:                                    "@defer",
		`{ a @stream(initialCount: 1) ... @ defer { b } }`:               "@defer @stream",
	} {
		assert.Equal(t, strings.Join(directives(document), " "), want, document)
	}
}

package graphql

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// attachments finds the files among the variables, in the order of their names.
func attachments(vars any) ([]attachment, error) {
	f := finder{path: []string{"variables"}}
	f.walk(reflect.ValueOf(vars))
	return f.found, f.err
}

// finder walks a value as encoding/json does, by the names that it gives.
type finder struct {
	path  []string
	found []attachment
	seen  map[visit]bool // on the way here: encoding/json will say that there is a cycle
	err   error
}

type visit struct {
	at  uintptr
	len int
	of  reflect.Type
}

var (
	uploads       = reflect.TypeFor[interface{ upload() File }]()
	optionals     = reflect.TypeFor[interface{ content() any }]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func (f *finder) walk(v reflect.Value) {
	if f.err != nil || !v.IsValid() || plain(v.Type()) {
		return
	}
	switch kind := v.Kind(); {
	case kind == reflect.Interface:
		f.walk(v.Elem())
	case kind == reflect.Pointer && v.IsNil():
	case v.Type().Implements(uploads):
		f.add(v.Interface().(interface{ upload() File }).upload()) //nolint:forcetypeassert // Implements has looked
	case v.Type().Implements(optionals):
		f.walk(reflect.ValueOf(v.Interface().(interface{ content() any }).content())) //nolint:forcetypeassert // the same
	case marshals(v):
	case kind == reflect.Pointer:
		f.inside(v, 0, func() { f.walk(v.Elem()) })
	case kind == reflect.Map && !plain(v.Type().Elem()):
		f.inside(v, v.Len(), func() { f.members(v) })
	case kind == reflect.Slice && !plain(v.Type().Elem()):
		f.inside(v, v.Len(), func() { f.elements(v) })
	case kind == reflect.Array && !plain(v.Type().Elem()):
		f.elements(v)
	case kind == reflect.Struct:
		f.fields(v)
	}
}

// plain reports a type without room for a File.
func plain(t reflect.Type) bool {
	return t.Kind() <= reflect.Complex128 || t.Kind() == reflect.String || t.Kind() == reflect.Func || t.Kind() == reflect.Chan
}

// marshals reports a value whose JSON is its own affair.
func marshals(v reflect.Value) bool {
	own := func(t reflect.Type) bool { return t.Implements(jsonMarshaler) || t.Implements(textMarshaler) }
	return own(v.Type()) || v.CanAddr() && own(reflect.PointerTo(v.Type()))
}

// inside walks on from a pointer, map or slice, unless the way has led here before.
func (f *finder) inside(v reflect.Value, length int, on func()) {
	at := visit{v.Pointer(), length, v.Type()}
	if f.seen[at] {
		return
	}
	if f.seen == nil {
		f.seen = map[visit]bool{}
	}
	f.seen[at] = true
	on()
	delete(f.seen, at)
}

func (f *finder) member(name string, v reflect.Value) {
	f.path = append(f.path, name)
	f.walk(v)
	f.path = f.path[:len(f.path)-1]
}

func (f *finder) elements(v reflect.Value) {
	for i := range v.Len() {
		f.member(strconv.Itoa(i), v.Index(i))
	}
}

func (f *finder) members(v reflect.Value) {
	type pair struct {
		name  string
		value reflect.Value
	}
	var pairs []pair
	for it := v.MapRange(); it.Next(); {
		pairs = append(pairs, pair{keyName(it.Key()), it.Value()})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.name, b.name) })
	for _, p := range pairs {
		f.member(p.name, p.value)
	}
}

// keyName is what encoding/json makes of a map's key.
func keyName(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return key.String()
	}
	if text, ok := reflect.TypeAssert[encoding.TextMarshaler](key); ok {
		name, _ := text.MarshalText() // encoding/json will say why not
		return string(name)
	}
	return fmt.Sprint(key)
}

// add takes a file. The spec's paths have no way to write a dot in a name.
func (f *finder) add(file File) {
	a := attachment{file, strings.Join(f.path, ".")}
	if slices.ContainsFunc(f.path, func(name string) bool { return name == "" || strings.Contains(name, ".") }) {
		f.err = fmt.Errorf("graphql: the File at %s: a name on the way to it is empty or has a dot, which an upload's path cannot say", safe(a.path))
		return
	}
	f.found, f.err = append(f.found, a), a.check()
}

func (f *finder) fields(v reflect.Value) {
	for _, field := range fieldsOf(v.Type()) {
		value, err := v.FieldByIndexErr(field.index)
		if err != nil || field.omitZero && value.IsZero() { // a nil pointer on the way; or left out
			continue
		}
		f.member(field.name, value)
	}
}

// field is a struct's member in JSON.
type field struct {
	name             string
	index            []int
	tagged, omitZero bool
}

var knownFields sync.Map // of reflect.Type to []field

// fieldsOf lists the fields that encoding/json sees in a struct and that may lead to
// a File. Of several of a name, from embedded structs, the least deep has it, then
// the one with a tag; of those left no single one, none.
func fieldsOf(t reflect.Type) []field {
	if known, ok := knownFields.Load(t); ok {
		return known.([]field) //nolint:forcetypeassert // nothing else is stored
	}
	var all []field
	taken, done := map[string]bool{}, map[reflect.Type]bool{}
	for level := []embedded{{t, nil}}; len(level) > 0; {
		var here []field
		var deeper []embedded
		for _, e := range level {
			if !done[e.t] {
				here, deeper = e.split(here, deeper)
			}
		}
		for _, e := range level {
			done[e.t] = true
		}
		all = append(all, dominant(here, taken)...)
		level = deeper
	}
	all = slices.DeleteFunc(all, func(f field) bool { return plain(t.FieldByIndex(f.index).Type) })
	knownFields.Store(t, all)
	return all
}

// dominant are the fields that hold their names against those beside them and
// those above them.
func dominant(here []field, taken map[string]bool) []field {
	byName := map[string][]field{}
	for _, f := range here {
		byName[f.name] = append(byName[f.name], f)
	}
	var kept []field
	for _, f := range here {
		rivals := byName[f.name]
		if len(rivals) > 1 {
			rivals = slices.DeleteFunc(slices.Clone(rivals), func(r field) bool { return !r.tagged })
		}
		if !taken[f.name] && len(rivals) == 1 && slices.Equal(rivals[0].index, f.index) {
			kept = append(kept, f)
		}
	}
	for name := range byName {
		taken[name] = true
	}
	return kept
}

// embedded is a struct on the way to its fields.
type embedded struct {
	t     reflect.Type
	index []int
}

// split adds the fields of e to here, and the structs embedded in it to deeper.
func (e embedded) split(here []field, deeper []embedded) ([]field, []embedded) {
	for i := range e.t.NumField() {
		sf := e.t.Field(i)
		inner := sf.Type
		if inner.Kind() == reflect.Pointer && inner.Name() == "" {
			inner = inner.Elem()
		}
		tag := sf.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" || !sf.IsExported() && !(sf.Anonymous && inner.Kind() == reflect.Struct) {
			continue
		}
		if strings.ContainsAny(name, "\\\"'`") { // encoding/json ignores such a name
			name = ""
		}
		index := append(slices.Clone(e.index), i)
		if sf.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			deeper = append(deeper, embedded{inner, index})
			continue
		}
		here = append(here, field{
			name: cmp.Or(name, sf.Name), index: index, tagged: name != "",
			omitZero: slices.Contains(strings.Split(options, ","), "omitzero"),
		})
	}
	return here, deeper
}

package stripe

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/rawjson"
)

// decode fills an object of this package, given by its pointer, and keeps a copy
// of what it was made of in Raw, as do the objects in it. raw is valid JSON: this is
// what the objects' UnmarshalJSON do.
//
// encoding/json would read an object three times, to find its end, to hand it
// over and for its fields, of which Stripe's have many that nobody asks for.
// This reads it once and skips those.
func decode(raw []byte, object any) error {
	v := reflect.ValueOf(object)
	if v.IsNil() {
		return errors.New("stripe: UnmarshalJSON of a nil pointer")
	}
	if raw = bytes.TrimSpace(raw); kind(raw) == "null" { // by convention a no-op
		return nil
	}
	return fieldsOf(v.Elem().Type())(v.Elem(), bytes.Clone(raw), new(arena))
}

// A setter decodes raw into a value of the type it was made for.
type setter func(v reflect.Value, raw []byte, a *arena) error

// An arena makes the strings of one object. They are short and many: by the
// hundred they share a piece of memory, which one of them that is kept keeps too,
// but not the whole answer.
type arena struct {
	piece strings.Builder
	depth int // of objects in objects
}

const (
	arenaPiece = 512
	maxDepth   = 32 // Stripe expands four levels deep
)

// expand decodes an object inside another one.
func (a *arena) expand(v reflect.Value, raw []byte) error {
	if a.depth++; a.depth > maxDepth {
		return errors.New("stripe: the objects are nested too deeply")
	}
	defer func() { a.depth-- }()
	return setterOf(v.Type())(v, raw, a)
}

// text is the text of a JSON string.
func (a *arena) text(raw []byte) (string, bool) {
	if inner, plain := rawjson.Plain(raw); plain {
		return a.name(inner), true
	}
	return rawjson.String(raw)
}

// name is a text without quotes.
func (a *arena) name(inner []byte) string {
	if len(inner) > arenaPiece/4 {
		return string(inner)
	}
	if a.piece.Cap()-a.piece.Len() < len(inner) {
		a.piece = strings.Builder{}
		a.piece.Grow(arenaPiece)
	}
	from := a.piece.Len()
	a.piece.Write(inner)
	return a.piece.String()[from:] // what is written later stands behind it
}

// setters are the structs' setters, by type; each is made once.
var setters sync.Map

// fieldsOf sets a struct from an object, member by member. A member that is
// null makes its field zero, one without a field is skipped.
func fieldsOf(t reflect.Type) setter {
	if known, ok := setters.Load(t); ok {
		return known.(setter) //nolint:forcetypeassert // nothing else is stored
	}
	type field struct {
		index int
		set   setter
	}
	fields := map[string]field{}
	kept, keeps := t.FieldByName("Raw")
	keeps = keeps && kept.Type == reflect.TypeFor[Raw]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = field{i, orNull(setterOf(t.Field(i).Type))}
		}
	}
	set := setter(func(v reflect.Value, raw []byte, a *arena) error {
		if kind(raw) != "object" {
			return mismatch(raw, t)
		}
		if keeps {
			*v.FieldByIndex(kept.Index).Addr().Interface().(*Raw) = newRaw(slices.Clip(raw)) //nolint:forcetypeassert // just asked
		}
		for name, value := range rawjson.Members(raw) {
			f, ok := fields[string(name)]
			if !ok {
				continue
			}
			if err := f.set(v.Field(f.index), value, a); err != nil {
				return within(string(name), err)
			}
		}
		return nil
	})
	setters.Store(t, set)
	return set
}

// orNull makes of null the zero value. It is a call, or a program had its closure three
// times.
//
//go:noinline
func orNull(set setter) setter {
	return func(v reflect.Value, raw []byte, a *arena) error {
		if string(raw) == "null" {
			v.SetZero()
			return nil
		}
		return set(v, raw, a)
	}
}

// A reference is an Expandable, whatever of.
type reference interface {
	decode(raw []byte, a *arena) error
}

var itself = reflect.TypeFor[json.Unmarshaler]()

func setterOf(t reflect.Type) setter {
	switch t {
	case reflect.TypeFor[time.Time]():
		return setTime
	case reflect.TypeFor[aplomb.Secret]():
		return setSecret
	case reflect.TypeFor[map[string]string]():
		return setPairs
	case reflect.TypeFor[Raw]():
		return func(v reflect.Value, raw []byte, _ *arena) error {
			*v.Addr().Interface().(*Raw) = newRaw(slices.Clip(raw)) //nolint:forcetypeassert // the setter of this type
			return nil
		}
	case reflect.TypeFor[json.RawMessage]():
		return func(v reflect.Value, raw []byte, _ *arena) error { v.SetBytes(slices.Clip(raw)); return nil }
	}
	if kept, ok := structField(t, "Raw"); ok && kept.Type == reflect.TypeFor[Raw]() {
		return objectOfType(t)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[reference]()) {
		return func(v reflect.Value, raw []byte, a *arena) error {
			return v.Addr().Interface().(reference).decode(raw, a) //nolint:forcetypeassert // just asked
		}
	}
	if reflect.PointerTo(t).Implements(itself) {
		return func(v reflect.Value, raw []byte, _ *arena) error {
			return v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw) //nolint:forcetypeassert // just asked
		}
	}
	switch t.Kind() {
	case reflect.String:
		return setString
	case reflect.Bool:
		return setBool
	case reflect.Int64, reflect.Int:
		return setInt
	case reflect.Float64:
		return setFloat
	case reflect.Struct:
		return fieldsOf(t)
	case reflect.Pointer:
		return pointerTo(t)
	case reflect.Slice:
		return sliceOf(t)
	case reflect.Map:
		return mapOf(t)
	default:
		return func(v reflect.Value, raw []byte, _ *arena) error { return json.Unmarshal(raw, v.Addr().Interface()) }
	}
}

func structField(t reflect.Type, name string) (field reflect.StructField, ok bool) {
	if t.Kind() != reflect.Struct {
		return field, false
	}
	return t.FieldByName(name)
}

// objectOfType decodes an object of this package inside another one, which may
// hold one of its own type; so its fields are looked up when there is one.
func objectOfType(t reflect.Type) setter {
	return func(v reflect.Value, raw []byte, a *arena) error { return fieldsOf(t)(v, raw, a) }
}

func pointerTo(t reflect.Type) setter {
	set := setterOf(t.Elem())
	return func(v reflect.Value, raw []byte, a *arena) error {
		v.Set(reflect.New(t.Elem()))
		return set(v.Elem(), raw, a)
	}
}

func sliceOf(t reflect.Type) setter {
	set := orNull(setterOf(t.Elem()))
	return func(v reflect.Value, raw []byte, a *arena) error {
		if kind(raw) != "array" {
			return mismatch(raw, t)
		}
		n := 0
		for range rawjson.Elements(raw) {
			n++
		}
		v.Set(reflect.MakeSlice(t, n, n))
		i := 0
		for element := range rawjson.Elements(raw) {
			if err := set(v.Index(i), element, a); err != nil {
				return within(strconv.Itoa(i), err)
			}
			i++
		}
		return nil
	}
}

func mapOf(t reflect.Type) setter {
	set := orNull(setterOf(t.Elem()))
	return func(v reflect.Value, raw []byte, a *arena) error {
		if kind(raw) != "object" {
			return mismatch(raw, t)
		}
		v.Set(reflect.MakeMap(t))
		for name, value := range rawjson.Members(raw) {
			element := reflect.New(t.Elem()).Elem()
			if err := set(element, value, a); err != nil {
				return err // the name is the server's
			}
			v.SetMapIndex(reflect.ValueOf(string(name)).Convert(t.Key()), element)
		}
		return nil
	}
}

// setPairs is mapOf for metadata, which every object has.
func setPairs(v reflect.Value, raw []byte, a *arena) error {
	if kind(raw) != "object" {
		return mismatch(raw, v.Type())
	}
	pairs := map[string]string{}
	for name, value := range rawjson.Members(raw) {
		text, ok := a.text(value)
		if !ok {
			return mismatch(value, v.Type().Elem()) // the name is the server's
		}
		pairs[a.name(name)] = text
	}
	v.Set(reflect.ValueOf(pairs))
	return nil
}

func setString(v reflect.Value, raw []byte, a *arena) error {
	text, ok := a.text(raw)
	if !ok {
		return mismatch(raw, v.Type())
	}
	v.SetString(text)
	return nil
}

func setBool(v reflect.Value, raw []byte, _ *arena) error {
	if kind(raw) != "bool" {
		return mismatch(raw, v.Type())
	}
	v.SetBool(raw[0] == 't')
	return nil
}

func setInt(v reflect.Value, raw []byte, _ *arena) error {
	n, err := strconv.ParseInt(string(raw), 10, v.Type().Bits())
	if err != nil {
		return mismatch(raw, v.Type())
	}
	v.SetInt(n)
	return nil
}

func setFloat(v reflect.Value, raw []byte, _ *arena) error {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return mismatch(raw, v.Type())
	}
	v.SetFloat(f)
	return nil
}

// setTime reads unix seconds, as v1 has them, or RFC 3339, as v2 has them.
func setTime(v reflect.Value, raw []byte, _ *arena) error {
	var at time.Time
	if text, ok := rawjson.String(raw); ok {
		var err error
		if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return mismatch(raw, v.Type())
		}
	} else {
		seconds, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return mismatch(raw, v.Type())
		}
		at = time.Unix(seconds, 0).UTC()
	}
	*v.Addr().Interface().(*time.Time) = at //nolint:forcetypeassert // the setter of this type
	return nil
}

func setSecret(v reflect.Value, raw []byte, _ *arena) error {
	text, ok := rawjson.String(raw)
	if !ok {
		return mismatch(raw, v.Type())
	}
	*v.Addr().Interface().(*aplomb.Secret) = aplomb.NewSecret(text) //nolint:forcetypeassert // the setter of this type
	return nil
}

// kind is what JSON calls a value.
func kind(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	default:
		return "number"
	}
}

func mismatch(raw []byte, t reflect.Type) error {
	return &json.UnmarshalTypeError{Value: kind(raw), Type: t}
}

// within names the field that an error is about.
func within(name string, err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		wrong.Field = strings.TrimSuffix(name+"."+wrong.Field, ".")
	}
	return err
}

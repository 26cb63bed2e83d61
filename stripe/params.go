package stripe

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Clear unsets parameters: it is what goes into a params' Extra to make Stripe
// forget a value, which a zero field, being not sent, does not.
//
//	sc.Customers.Update(ctx, id, stripe.CustomerUpdateParams{Extra: stripe.Clear("description", "address[line2]")})
//
// "metadata" clears all pairs, "metadata[plan]" one. What else belongs into Extra is
// added to the result with Set.
func Clear(names ...string) url.Values {
	values := url.Values{}
	for _, name := range names {
		values.Set(name, "")
	}
	return values
}

// A pair is one parameter as it is sent.
type pair struct{ name, value string }

// An encoder writes parameters as Stripe's v1 API reads them: a[b][c] for what
// is nested, a[0] for lists, unix seconds for times, in the order of a struct's
// fields and of a map's sorted keys (https://docs.stripe.com/api, "Request
// bodies").
//
// A zero field is left out, a pointer to a zero is sent. The values of a map
// are always sent: an empty one deletes its key. An empty list or map that is
// not nil is sent as "a=", which clears it, as nil in a map does.
type encoder struct {
	pairs []pair
	extra url.Values // `form:"*"`: sent as they are
	err   error      // the first parameter that was set twice
	depth int
}

// encode takes nil, a struct with form tags (or json tags), a url.Values, or a
// map with string keys, nested as deep as one likes.
func encode(params any) ([]pair, error) {
	e := encoder{pairs: make([]pair, 0, 8)}
	switch p := params.(type) {
	case nil:
		return nil, nil
	case url.Values:
		e.extra = p
	default:
		v := reflect.ValueOf(params)
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		switch {
		case v.Kind() == reflect.Pointer: // a nil one
		case v.Kind() == reflect.Struct:
			e.findExtra(v)
			if err := e.fields("", v); err != nil {
				return nil, err
			}
		case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
			if err := e.entries("", v); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("stripe: parameters cannot be a %T: give a struct with form tags, a map with string keys or a url.Values", params)
		}
	}
	for _, name := range sortedKeys(e.extra) {
		for _, value := range e.extra[name] {
			e.pairs = append(e.pairs, pair{name, value})
		}
	}
	return e.pairs, e.err
}

// findExtra notes what Extra sets before any field is written.
func (e *encoder) findExtra(object reflect.Value) {
	for field, value := range object.Fields() {
		if field.Anonymous && value.Kind() == reflect.Struct {
			e.findExtra(value)
		} else if field.Tag.Get("form") == "*" {
			if field.IsExported() && field.Type == reflect.TypeFor[url.Values]() {
				e.extra, _ = reflect.TypeAssert[url.Values](value)
			} else {
				e.err = fmt.Errorf("stripe: the field %s of %s is tagged * and so must be an exported url.Values", field.Name, object.Type())
			}
		}
	}
}

func (e *encoder) fields(prefix string, object reflect.Value) error {
	t := object.Type()
	for i := range t.NumField() {
		name, sent := parameter(t.Field(i))
		value := object.Field(i)
		switch {
		case name == "" && t.Field(i).Anonymous && value.Kind() == reflect.Struct:
			if err := e.fields(prefix, value); err != nil {
				return err
			}
		case !sent || unset(value):
		case name == "":
			return fmt.Errorf("stripe: the field %s of %s names no parameter: give it a form tag", t.Field(i).Name, t)
		default:
			if err := e.value(inside(prefix, name), value); err != nil {
				return err
			}
		}
	}
	return nil
}

// unset reports what is not sent. A time may be zero in any place.
func unset(value reflect.Value) bool {
	if t, ok := reflect.TypeAssert[time.Time](value); ok {
		return t.IsZero()
	}
	return value.IsZero()
}

// parameter is the name a field's tag gives it.
func parameter(field reflect.StructField) (name string, sent bool) {
	tag, ok := field.Tag.Lookup("form")
	if !ok {
		tag = field.Tag.Get("json")
	}
	name, _, _ = strings.Cut(tag, ",")
	return name, field.IsExported() && name != "-" && name != "*"
}

func (e *encoder) entries(prefix string, m reflect.Value) error {
	if texts, ok := reflect.TypeAssert[map[string]string](m); ok { // metadata
		for _, key := range sortedKeys(texts) {
			e.put(inside(prefix, key), texts[key])
		}
		return nil
	}
	keys := make([]string, 0, m.Len())
	for _, key := range m.MapKeys() {
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := e.value(inside(prefix, key), m.MapIndex(reflect.ValueOf(key).Convert(m.Type().Key()))); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (e *encoder) value(name string, v reflect.Value) error {
	if e.depth++; e.depth > maxDepth {
		return fmt.Errorf("stripe: the parameter %.80s is nested too deeply: does it hold itself?", name)
	}
	defer func() { e.depth-- }()
	if !v.IsValid() { // nil in a map
		e.put(name, "")
		return nil
	}
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		e.put(name, strconv.FormatInt(t.Unix(), 10))
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return e.value(name, v.Elem())
	case reflect.Struct:
		if !hasParameters(v.Type()) { // as a big.Int: it would be left out in silence
			return fmt.Errorf("stripe: the parameter %s cannot be a %s: it has no parameters of its own", name, v.Type())
		}
		return e.fields(name, v)
	case reflect.Map, reflect.Slice, reflect.Array:
		return e.collection(name, v)
	case reflect.String:
		e.put(name, v.String())
	case reflect.Bool:
		e.put(name, strconv.FormatBool(v.Bool()))
	case reflect.Float32, reflect.Float64:
		e.put(name, strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits()))
	default:
		switch {
		case v.CanInt():
			e.put(name, strconv.FormatInt(v.Int(), 10))
		case v.CanUint():
			e.put(name, strconv.FormatUint(v.Uint(), 10))
		default:
			return fmt.Errorf("stripe: the parameter %s cannot be a %s", name, v.Type())
		}
	}
	return nil
}

func hasParameters(t reflect.Type) bool {
	for field := range t.Fields() {
		if name, sent := parameter(field); sent && (name != "" || field.Anonymous) {
			return true
		}
	}
	return false
}

func (e *encoder) collection(name string, v reflect.Value) error {
	if v.Len() == 0 {
		e.put(name, "")
		return nil
	}
	if v.Kind() == reflect.Map {
		if v.Type().Key().Kind() != reflect.String {
			return fmt.Errorf("stripe: the parameter %s cannot be a %s: its keys must be strings", name, v.Type())
		}
		return e.entries(name, v)
	}
	for i := range v.Len() {
		if err := e.value(inside(name, strconv.Itoa(i)), v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) put(name, value string) {
	root, _, _ := strings.Cut(name, "[")
	for _, own := range [...]string{name, root} {
		if _, twice := e.extra[own]; twice && e.err == nil {
			e.err = fmt.Errorf("stripe: the parameter %s is set by its field and again, as %s, in Extra: leave one out", name, own)
		}
	}
	e.pairs = append(e.pairs, pair{name, value})
}

func inside(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "[" + name + "]"
}

// form is pairs as the body of a POST.
func form(pairs []pair) aplomb.CallOption {
	body := formBody(pairs)
	return aplomb.Body("application/x-www-form-urlencoded", func() (io.ReadCloser, error) {
		m := &memory{}
		m.Reset(body)
		return m, nil
	})
}

// formBody leaves the brackets of names as they are, so that a log can be read.
func formBody(pairs []pair) []byte {
	raw := make([]byte, 0, 256)
	for i, p := range pairs {
		if i > 0 {
			raw = append(raw, '&')
		}
		raw = append(raw, escapeName(p.name)...)
		raw = append(raw, '=')
		raw = append(raw, url.QueryEscape(p.value)...)
	}
	return raw
}

func escapeName(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_[]0123456789") == "" {
		return name
	}
	return brackets.Replace(url.QueryEscape(name))
}

var brackets = strings.NewReplacer("%5B", "[", "%5D", "]")

// memory is a body that tells its length.
type memory struct{ bytes.Reader }

// Close has nothing to let go of.
func (*memory) Close() error { return nil }

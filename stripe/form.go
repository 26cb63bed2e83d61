package stripe

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb"
)

// encode writes a params struct as Stripe's v1 API reads it: a[b][c] for what
// is nested, a[0] for lists, unix seconds for times
// (https://docs.stripe.com/api, "form-encoded request bodies").
//
// A zero field is left out, a pointer to a zero is sent. The values of a map
// are always sent: an empty one deletes its key. An empty list or map that is
// not nil is sent as "a=", which clears it. The tag names the parameter;
// `form:"*"` is for parameters as they come.
func encode(params any) url.Values {
	values := url.Values{}
	encodeFields(values, "", reflect.ValueOf(params))
	return values
}

func encodeFields(values url.Values, prefix string, object reflect.Value) {
	for field, value := range object.Fields() {
		name := field.Tag.Get("form")
		if name == "*" {
			for key, list := range value.Interface().(url.Values) { //nolint:forcetypeassert // the tag is ours; a test encodes every params type
				values[key] = slices.Clone(list)
			}
			continue
		}
		if !value.IsZero() {
			encodeValue(values, inside(prefix, name), value)
		}
	}
}

func encodeValue(values url.Values, name string, v reflect.Value) {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		values.Set(name, strconv.FormatInt(t.Unix(), 10))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		encodeValue(values, name, v.Elem())
	case reflect.Struct:
		encodeFields(values, name, v)
	case reflect.Map, reflect.Slice:
		if v.Len() == 0 {
			values.Set(name, "")
			return
		}
		for key, value := range v.Seq2() {
			encodeValue(values, inside(name, fmt.Sprint(key)), value)
		}
	default:
		values.Set(name, fmt.Sprint(v))
	}
}

func inside(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "[" + name + "]"
}

// form sends params as the body of a POST, before the caller's options.
func form(params any, opts []aplomb.CallOption) []aplomb.CallOption {
	return append([]aplomb.CallOption{aplomb.Form(encode(params))}, opts...)
}

// query sends params in the query of a GET, before the caller's options.
func query(params any, opts []aplomb.CallOption) []aplomb.CallOption {
	var all []aplomb.CallOption
	for name, list := range encode(params) {
		all = append(all, aplomb.Query(name, list...))
	}
	return append(all, opts...)
}

// byID fills the {id} of a path, before the caller's options.
func byID(id string, opts []aplomb.CallOption) []aplomb.CallOption {
	return append([]aplomb.CallOption{aplomb.Path("id", id)}, opts...)
}

// byObject pages as v1 lists do (https://docs.stripe.com/api/pagination).
var byObject = aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"}

package graphql

import (
	"encoding/json"
	"reflect"
)

// Opt is a variable, or a field of an input object, that may be absent, null or a
// value: three things to a server, of which Go's zero value is one. The zero Opt is
// absent, if its field says omitzero:
//
//	type RepositoryInput struct {
//		Name        graphql.Opt[string] `json:"name,omitzero"`
//		Description graphql.Opt[string] `json:"description,omitzero"`
//	}
//	vars := graphql.Vars{"input": RepositoryInput{Description: graphql.Null[string]()}} // the name stays
//
// Among [Vars] an absent Opt is left out. In an answer it tells null from absent.
type Opt[T any] struct {
	set   bool
	value *T // nil: null
}

// Some is a value.
func Some[T any](value T) Opt[T] { return Opt[T]{true, &value} }

// Null is null.
func Null[T any]() Opt[T] { return Opt[T]{set: true} }

// Get is the value; ok is false for null and absent.
func (o Opt[T]) Get() (value T, ok bool) {
	if o.value == nil {
		return value, false
	}
	return *o.value, true
}

// IsNull reports null, as opposed to absent.
func (o Opt[T]) IsNull() bool { return o.set && o.value == nil }

// IsZero reports an absent one: what omitzero asks.
func (o Opt[T]) IsZero() bool { return !o.set }

// MarshalJSON gives the value or null.
func (o Opt[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.value) }

// UnmarshalJSON reads a value or null.
func (o *Opt[T]) UnmarshalJSON(raw []byte) error {
	*o = Opt[T]{set: true}
	return json.Unmarshal(raw, &o.value)
}

func (Opt[T]) optional() {}

// content is what a File may be in.
func (o Opt[T]) content() any {
	if o.value == nil {
		return nil
	}
	return *o.value
}

// present is vars without what is absent, in maps of maps too, and nil where
// nothing is left, so that the member can be left out.
func present(vars any) any {
	switch m := vars.(type) {
	case Vars:
		return filled(keep(m))
	case map[string]any:
		return filled(keep(m))
	}
	if v := reflect.ValueOf(vars); vars == nil || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map) && v.IsNil() {
		return nil
	}
	return vars
}

func filled(m Vars) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

// keep copies m without absent values.
func keep(m map[string]any) Vars {
	kept := make(Vars, len(m))
	for name, value := range m {
		switch v := value.(type) {
		case interface {
			optional()
			IsZero() bool
		}:
			if v.IsZero() {
				continue
			}
		case Vars:
			if v != nil {
				value = keep(v)
			}
		case map[string]any:
			if v != nil {
				value = keep(v)
			}
		}
		kept[name] = value
	}
	return kept
}

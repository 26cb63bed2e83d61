package stripe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"

	"github.com/aplomb-go/aplomb/internal/rawjson"
)

// Raw is the JSON that an object was made of, with all that this package has no
// field for. It may hold secrets, such as a payment intent's client_secret, so
// every verb, encoder and logger prints its length alone. json.Unmarshal reads it
// as any []byte; json.RawMessage(raw) is to be encoded as it is.
type Raw []byte

// Format prints the length for every verb.
func (r Raw) Format(f fmt.State, verb rune) { formatLine(f, verb, r.summary()) }

// MarshalJSON gives the length.
func (r Raw) MarshalJSON() ([]byte, error) { return json.Marshal(r.summary()) }

// UnmarshalJSON keeps a copy of raw.
func (r *Raw) UnmarshalJSON(raw []byte) error {
	*r = bytes.Clone(raw)
	return nil
}

// LogValue is what slog prints.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.summary()) }

func (r Raw) summary() string { return "raw JSON of " + strconv.Itoa(len(r)) + " bytes" }

// Expandable is another object, of which Stripe gives the id unless the call
// asked for the whole with Expand (https://docs.stripe.com/expand).
type Expandable[T any] struct {
	// ID is always there, "" if there is no such object.
	ID string
	// Object is nil unless it was expanded.
	Object *T
}

// UnmarshalJSON takes an id or an object with one.
func (e *Expandable[T]) UnmarshalJSON(raw []byte) error { return e.decode(raw, new(arena)) }

func (e *Expandable[T]) decode(raw []byte, a *arena) error {
	*e = Expandable[T]{}
	switch kind(raw) {
	case "null":
		return nil
	case "object":
		for name, value := range rawjson.Members(raw) {
			if string(name) == "id" {
				e.ID, _ = a.text(value)
			}
		}
		e.Object = new(T)
		return json.Unmarshal(raw, e.Object)
	}
	var ok bool
	if e.ID, ok = a.text(raw); !ok {
		return mismatch(raw, reflect.TypeFor[Expandable[T]]())
	}
	return nil
}

// MarshalJSON gives back what UnmarshalJSON took: the object, else its id.
func (e Expandable[T]) MarshalJSON() ([]byte, error) {
	switch {
	case e.Object != nil:
		return json.Marshal(e.Object)
	case e.ID == "":
		return []byte("null"), nil
	default:
		return json.Marshal(e.ID)
	}
}

// String is the id.
func (e Expandable[T]) String() string { return e.ID }

// Format prints the id for every verb.
func (e Expandable[T]) Format(f fmt.State, verb rune) { formatLine(f, verb, e.ID) }

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

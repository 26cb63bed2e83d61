package stripe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/rawjson"
)

// Raw is the JSON that an object was made of, with all that this package has no
// field for. It may hold secrets, such as a payment intent's client_secret, so no
// verb, encoder or logger prints it: [Raw.JSON] gives it.
//
// It has no equal, not even itself: compare objects by their fields, or by JSON.
type Raw struct {
	reveal func() json.RawMessage // of an unexported field in a struct of the caller's, fmt prints anything else
}

// JSON is the object as it came, nil if there is none. It is not to be written to.
//
//	err := json.Unmarshal(charge.Raw.JSON(), &own)
func (r Raw) JSON() json.RawMessage {
	if r.reveal == nil {
		return nil
	}
	return r.reveal()
}

// Format prints the length for every verb.
func (r Raw) Format(f fmt.State, verb rune) { formatLine(f, verb, r.summary()) }

// LogValue is what slog prints.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.summary()) }

func (r Raw) summary() string { return "raw JSON of " + strconv.Itoa(len(r.JSON())) + " bytes" }

var errRawEncoded = errors.New("stripe: a Raw may hold secrets: encode its JSON() where it is to go")

// MarshalJSON is an error, unless there is nothing: what was left out in silence
// would be missed when it is read again.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r.reveal == nil {
		return []byte("null"), nil
	}
	return nil, errRawEncoded
}

// MarshalText is an error, for other encoders.
func (r Raw) MarshalText() ([]byte, error) { return nil, errRawEncoded }

// UnmarshalJSON keeps a copy of raw.
func (r *Raw) UnmarshalJSON(raw []byte) error {
	*r = newRaw(bytes.Clone(raw))
	return nil
}

func newRaw(raw json.RawMessage) Raw { return Raw{func() json.RawMessage { return raw }} }

// Expandable is another object, of which Stripe gives the id unless the call
// asked for the whole with Expand (https://docs.stripe.com/expand).
type Expandable[T any] struct {
	// ID is always there, "" if there is no such object.
	ID string
	// Object is nil unless it was expanded.
	Object *T
}

// UnmarshalJSON takes an id or an object with one.
func (e *Expandable[T]) UnmarshalJSON(raw []byte) error {
	return e.decode(bytes.Clone(bytes.TrimSpace(raw)), new(arena))
}

func (e *Expandable[T]) decode(raw []byte, a *arena) (err error) {
	*e = Expandable[T]{}
	var whole bool
	if e.ID, whole, err = identify(raw, a, reflect.TypeFor[Expandable[T]]()); !whole {
		return err
	}
	e.Object = new(T)
	return a.expand(reflect.ValueOf(e.Object).Elem(), raw)
}

// identify reads an id, or that of an object that is given whole.
func identify(raw []byte, a *arena, t reflect.Type) (id string, whole bool, err error) {
	switch kind(raw) {
	case "null":
		return "", false, nil
	case "object":
		for name, value := range rawjson.Members(raw) {
			if string(name) == "id" {
				id, _ = a.text(value)
			}
		}
		return id, true, nil
	}
	id, ok := a.text(raw)
	if !ok {
		err = mismatch(raw, t)
	}
	return id, false, err
}

// MarshalJSON gives the object, else its id.
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

// shown is text of somebody else's, fit for a line of ours.
func shown(text string) string { return aplomb.Response{}.Redact(text) }

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

package stripe

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// reference is another object's id, also where the answer has the object
// itself since expand asked for it.
type reference string

// UnmarshalJSON takes an id, an object with an id, or null.
func (r *reference) UnmarshalJSON(raw []byte) error {
	var object struct{ ID string }
	if len(raw) > 0 && raw[0] == '{' {
		err := json.Unmarshal(raw, &object)
		*r = reference(object.ID)
		return err
	}
	return json.Unmarshal(raw, (*string)(r))
}

// unix is a time as Stripe sends it: seconds since 1970.
type unix int64

func (u unix) time() time.Time {
	if u == 0 {
		return time.Time{}
	}
	return time.Unix(int64(u), 0).UTC()
}

// one is a call's object, never nil where there is no error.
func one[T any](object T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &object, nil
}

// keep copies raw, which belongs to the decoder.
func keep(raw []byte) json.RawMessage { return append(json.RawMessage(nil), raw...) }

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

// amountOf is an amount for people: minor units, as the API counts.
func amountOf(amount int64, currency string) string {
	return strconv.FormatInt(amount, 10) + " " + currency
}

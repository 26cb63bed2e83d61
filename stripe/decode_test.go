package stripe

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// sample has a field of every kind that objects have.
type sample struct {
	Text    string            `json:"text"`
	On      bool              `json:"on"`
	Count   int64             `json:"count"`
	Small   int               `json:"small"`
	Part    float64           `json:"part"`
	At      time.Time         `json:"at"`
	Pairs   map[string]string `json:"pairs"`
	Counts  map[string]int64  `json:"counts"`
	Any     any               `json:"any"`
	Inner   inner             `json:"inner"`
	Pointer *inner            `json:"pointer"`
	Inners  []inner           `json:"inners"`
	Words   []string          `json:"words"`
	Bytes   json.RawMessage   `json:"bytes"`
	Other   Expandable[inner] `json:"other"`
	Secret  aplomb.Secret     `json:"secret"`
	Hidden  string            `json:"-"`
	Raw     Raw               `json:"-"`
}

type inner struct {
	ID string `json:"id"`
	N  int64  `json:"n"`
}

func (s *sample) UnmarshalJSON(raw []byte) error { return decode(raw, s) }

const full = `{"text":"a\n\"é\"","on":true,"count":-9007199254740993,"small":7,"part":1.5,"at":1700000000,"pairs":{"a":"1","b":"\u00e9"},
	"counts":{"x":2},"any":[1],"inner":{"id":"i","n":1,"unknown":{"deep":[1,2]}},"pointer":{"id":"p"},"inners":[{"n":1},null,{"n":3}],
	"words":["a",null,"b"],"bytes":{"x": 1},"other":"in_1","secret":"s3cret","hidden":"no","Text":"another case","unknown":null}`

func TestDecode(t *testing.T) {
	t.Parallel()
	var s sample
	assert.NoError(t, json.Unmarshal([]byte(full), &s))
	assert.Equal(t, s.Secret.Reveal(), "s3cret")
	assert.Equal(t, string(s.Raw.JSON()), full)
	s.Secret, s.Raw = aplomb.Secret{}, Raw{}
	assert.Equal(t, s, sample{
		Text: "a\n\"é\"", On: true, Count: -9007199254740993, Small: 7, Part: 1.5, At: time.Unix(1700000000, 0).UTC(),
		Pairs: map[string]string{"a": "1", "b": "é"}, Counts: map[string]int64{"x": 2}, Any: []any{1.0},
		Inner: inner{"i", 1}, Pointer: &inner{ID: "p"}, Inners: []inner{{N: 1}, {}, {N: 3}}, Words: []string{"a", "", "b"},
		Bytes: json.RawMessage(`{"x": 1}`), Other: Expandable[inner]{ID: "in_1"},
	})

	nulls := strings.NewReplacer(`"a\n\"é\""`, "null", "true", "null", "-9007199254740993", "null", "1700000000", "null", `{"a":"1","b":"\u00e9"}`, "null",
		`{"id":"p"}`, "null", `"in_1"`, "null", `"s3cret"`, "null", `["a",null,"b"]`, "null").Replace(full)
	assert.NoError(t, json.Unmarshal([]byte(nulls), &s)) // over what was there
	assert.True(t, s.Text == "" && !s.On && s.Count == 0 && s.At.IsZero() && s.Pairs == nil && s.Pointer == nil && s.Other.ID == "" && s.Words == nil)
	assert.NoError(t, json.Unmarshal([]byte(`{"at":"2026-03-25T10:00:00Z"}`), &s))
	assert.Equal(t, s.At, time.Date(2026, 3, 25, 10, 0, 0, 0, time.UTC))
}

func TestDecodeNamesTheField(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"text":5}`: "text number", `{"on":"yes"}`: "on string", `{"count":1.5}`: "count number", `{"count":"1"}`: "count string",
		`{"part":"x"}`: "part string", `{"at":"yesterday"}`: "at string", `{"at":1.5}`: "at number", `{"pairs":{"k":1}}`: "pairs number",
		`{"pairs":[]}`: "pairs array", `{"counts":{"x":"y"}}`: "counts string", `{"counts":1}`: "counts number", `{"inner":[]}`: "inner array",
		`{"inner":{"n":"x"}}`: "inner.n string", `{"inners":[{},{"n":true}]}`: "inners.1.n bool", `{"words":"w"}`: "words string",
		`{"secret":{}}`: "secret object", `[]`: " array", `"x"`: " string",
	} {
		err := json.Unmarshal([]byte(raw), new(sample))
		wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
		assert.True(t, ok, raw, err)
		assert.Equal(t, wrong.Field+" "+wrong.Value, want, raw)
	}
}

func TestExpandable(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Expandable[inner]{
		`"in_1"`: {ID: "in_1"}, `null`: {}, `{"id":"in_2","n":5}`: {ID: "in_2", Object: &inner{"in_2", 5}}, `{"n":5}`: {Object: &inner{N: 5}},
	} {
		got := Expandable[inner]{ID: "old", Object: &inner{}}
		assert.NoError(t, json.Unmarshal([]byte(raw), &got))
		assert.Equal(t, got, want, raw)
		again, err := json.Marshal(got)
		assert.NoError(t, err)
		var back Expandable[inner]
		assert.NoError(t, json.Unmarshal(again, &back))
		assert.Equal(t, back.Object, want.Object)
		assert.Equal(t, back.ID, want.ID)
	}
	assert.True(t, json.Unmarshal([]byte(`5`), new(Expandable[inner])) != nil)
	assert.True(t, json.Unmarshal([]byte(`{"id":"x","n":"y"}`), new(Expandable[inner])) != nil)
}

// twin is sample as encoding/json reads it, where both can.
type twin struct {
	Text    string            `json:"text"`
	On      bool              `json:"on"`
	Count   int64             `json:"count"`
	Small   int               `json:"small"`
	Part    float64           `json:"part"`
	Pairs   map[string]string `json:"pairs"`
	Counts  map[string]int64  `json:"counts"`
	Inner   inner             `json:"inner"`
	Pointer *inner            `json:"pointer"`
	Inners  []inner           `json:"inners"`
	Words   []string          `json:"words"`
	Raw     Raw               `json:"-"`
}

// FuzzDecode: what encoding/json makes of an answer is made of it here.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"inner":{"id":"\ud800"},"count":1e3,"text":"\u0000"}`))
	f.Add([]byte("{\"text\":\"\xff\",\"words\":[\"\xff\"],\"pairs\":{\"\xff\":\"\"}}"))
	f.Add([]byte(`{"part":1e400,"small":99999999999999999999}`))
	f.Add([]byte(`{"pairs":{"a":"1"},"pairs":{"b":"2"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		type plain twin
		var want plain
		wantErr := json.Unmarshal(raw, &want)
		var got twin
		gotErr := decode(raw, &got) // also of what is no JSON: no panic
		if !json.Valid(raw) || oddNames(raw) {
			return
		}
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", raw, gotErr, wantErr)
		}
		got.Raw = Raw{}
		if gotErr == nil && !reflect.DeepEqual(plain(got), want) {
			t.Fatalf("%q: %+v, want %+v", raw, got, want)
		}
	})
}

// oddNames reports members that encoding/json takes for a field in spite of
// their case, or merges since they come twice: here the name is the name, and the
// later wins whole.
func oddNames(raw []byte) bool {
	names := map[string]bool{}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if text, ok := token.(string); ok {
			if names[strings.ToLower(text)] || strings.ToLower(text) != text || strings.ContainsAny(text, "ſK") {
				return true
			}
			names[text] = true
		}
	}
}

// TestDepth: what is expanded in what was expanded comes to an end.
func TestDepth(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return strings.Repeat(`{"id":"ch_1","payment_intent":{"id":"pi_1","latest_charge":`, n) + "null" + strings.Repeat("}}", n)
	}
	var c Charge
	assert.NoError(t, json.Unmarshal([]byte(deep(maxDepth/2)), &c))
	assert.Equal(t, c.PaymentIntent.Object.LatestCharge.Object.ID, "ch_1")
	assert.Contains(t, fmt.Sprint(json.Unmarshal([]byte(deep(maxDepth)), &c)), "nested too deeply")
}

// TestRawIsNotEncoded, by whatever encoder.
func TestRawIsNotEncoded(t *testing.T) {
	t.Parallel()
	raw := newRaw(json.RawMessage(`{"client_secret":"s3cret"}`))
	for _, encode := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
		text, err := encode(struct{ Raw Raw }{raw})
		assert.True(t, err != nil, string(text))
		assert.NotContains(t, string(text)+fmt.Sprint(err), "s3cret")
	}
	text, err := json.Marshal(Raw{})
	assert.NoError(t, err)
	assert.Equal(t, string(text), "null")
}

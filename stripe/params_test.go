package stripe

import (
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// text is params as a form, without its escapes.
func text(t *testing.T, params any) string {
	t.Helper()
	pairs, err := encode(params)
	assert.NoError(t, err)
	var out []string
	for _, p := range pairs {
		out = append(out, p.name+"="+p.value)
	}
	return strings.Join(out, "&")
}

func TestEncode(t *testing.T) {
	t.Parallel()
	type inner struct {
		Enabled bool   `form:"enabled"`
		Mode    string `json:"mode,omitempty"`
	}
	type Shared struct {
		Limit int `form:"limit"`
	}
	type params struct {
		Text    string            `form:"text"`
		Zero    *int64            `form:"zero"`
		Off     *bool             `form:"off"`
		List    []string          `form:"list"`
		Items   []inner           `form:"items"`
		Nested  inner             `form:"nested"`
		Pointer *inner            `form:"pointer"`
		Map     map[string]string `form:"map"`
		Span    TimeRange         `form:"created"`
		Percent float64           `form:"percent"`
		Small   float32           `form:"small"`
		Count   uint8             `form:"count"`
		Hidden  string            `form:"-"`
		private string
		Shared
		Extra url.Values `form:"*"`
	}
	tests := []struct {
		name   string
		params any
		want   string
	}{
		{"nothing", params{}, ""},
		{"nil", nil, ""},
		{"a nil pointer", (*params)(nil), ""},
		{"a pointer", &params{Text: "t"}, "text=t"},
		{"as they are", params{Text: "a&b=c é", Hidden: "h", private: "p"}, "text=a&b=c é"},
		{"pointers to zero", params{Zero: new(int64), Off: new(bool)}, "zero=0&off=false"},
		{"lists are counted", params{List: []string{"a", ""}}, "list[0]=a&list[1]="},
		{"an empty list clears", params{List: []string{}}, "list="},
		{"an empty map clears", params{Map: map[string]string{}}, "map="},
		{"an empty value deletes its key, keys are sorted", params{Map: map[string]string{"b": "1", "a": ""}}, "map[a]=&map[b]=1"},
		{"nested", params{Nested: inner{Enabled: true}, Pointer: &inner{Mode: "m"}, Items: []inner{{Mode: "x"}, {Enabled: true}}},
			"items[0][mode]=x&items[1][enabled]=true&nested[enabled]=true&pointer[mode]=m"},
		{"unix seconds", params{Span: TimeRange{From: time.Unix(1700000000, 999), Before: time.Unix(1700000009, 0)}}, "created[gte]=1700000000&created[lt]=1700000009"},
		{"numbers", params{Percent: 12.3456789, Small: 0.1, Count: 7}, "percent=12.3456789&small=0.1&count=7"},
		{"embedded", params{Shared: Shared{Limit: 5}}, "limit=5"},
		{"extra as it is, sorted, last", params{Text: "t", Extra: url.Values{"x[y]": {"1", "2"}, "a": {""}}}, "text=t&a=&x[y]=1&x[y]=2"},
		{"extra beside fields", params{Nested: inner{Enabled: true}, Extra: Clear("text", "nested[mode]")}, "nested[enabled]=true&nested[mode]=&text="},
		{"extra of an embedded struct", struct {
			Status string `form:"status"`
			ListParams
		}{"paid", ListParams{Limit: 5, Extra: url.Values{"x": {"1"}}}}, "status=paid&limit=5&x=1"},
		{"values", url.Values{"b": {"2"}, "a": {"1"}}, "a=1&b=2"},
		{"a map", map[string]any{"b": []any{1, "x", nil, 1.5}, "a": map[string]any{"t": time.Unix(9, 0), "on": false, "zero": 0}, "none": nil},
			"a[on]=false&a[t]=9&a[zero]=0&b[0]=1&b[1]=x&b[2]=&b[3]=1.5&none="},
		{"no time, elsewhere", params{Span: TimeRange{From: time.Time{}.In(time.FixedZone("x", 3600))}}, ""},
		{"a nil map", map[string]any(nil), ""},
	}
	for _, tt := range tests {
		assert.Equal(t, text(t, tt.params), tt.want, tt.name)
	}
	long := make([]int, 12) // the tenth comes after the second
	assert.True(t, len(text(t, map[string]any{"i": long})) > 0)
	assert.Contains(t, text(t, map[string]any{"i": long}), "i[2]=0&i[3]=0&i[4]=0&i[5]=0&i[6]=0&i[7]=0&i[8]=0&i[9]=0&i[10]=0")
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for want, params := range map[string]any{
		"parameters cannot be a string":                                 "x",
		"parameters cannot be a map[int]string":                         map[int]string{},
		"the field Name of struct { Name string } names no parameter":   struct{ Name string }{"n"},
		"the parameter a[b] cannot be a chan int":                       map[string]any{"a": map[string]any{"b": make(chan int)}},
		"the parameter a cannot be a map[int]int: its keys":             map[string]any{"a": map[int]int{1: 1}},
		"the parameter a[0] cannot be a func()":                         map[string]any{"a": []any{func() {}}},
		"the parameter a cannot be a struct { Name string }: it has no": map[string]any{"a": struct{ Name string }{"n"}},
		"is tagged * and so must be an exported url.Values": struct {
			Extra map[string]string `form:"*"`
		}{map[string]string{"a": "b"}},
		"the parameter amount cannot be a big.Int":    map[string]any{"amount": big.NewInt(500)},
		"the parameter key cannot be a aplomb.Secret": map[string]any{"key": aplomb.NewSecret("x")},
		"the parameter a[a]":                          cyclic(),
		"the field extra of struct { extra url.Values": struct {
			extra url.Values `form:"*"`
		}{Clear("a")},
		"the parameter name is set by its field and again, as name,":            CustomerUpdateParams{Name: "n", Extra: Clear("name")},
		"the parameter metadata[a] is set by its field and again, as metadata,": CustomerUpdateParams{Metadata: map[string]string{"a": "b"}, Extra: Clear("metadata")},
	} {
		_, err := encode(params)
		assert.True(t, err != nil, want)
		assert.Contains(t, err.Error(), want)
	}
}

// cyclic is a map that holds itself.
func cyclic() map[string]any {
	m := map[string]any{}
	m["a"] = m
	return m
}

func TestForm(t *testing.T) {
	t.Parallel()
	raw := formBody([]pair{{"metadata[a b]", "1&2=3"}, {"list[0]", "é"}, {"x%5B", ""}})
	assert.Equal(t, string(raw), "metadata[a+b]=1%262%3D3&list[0]=%C3%A9&x%255B=")
	values, err := url.ParseQuery(string(raw))
	assert.NoError(t, err)
	assert.Equal(t, values, url.Values{"metadata[a b]": {"1&2=3"}, "list[0]": {"é"}, "x%5B": {""}})
}

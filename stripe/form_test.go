package stripe

import (
	"net/url"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	type inner struct {
		Enabled bool   `form:"enabled"`
		Mode    string `form:"mode"`
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
		At      time.Time         `form:"created[gte]"`
		Extra   url.Values        `form:"*"`
	}
	tests := []struct {
		name   string
		params params
		want   string
	}{
		{"nothing", params{}, ""},
		{"text is escaped", params{Text: "a&b=c é"}, "text=a%26b%3Dc+%C3%A9"},
		{"pointers to zero", params{Zero: new(int64), Off: new(bool)}, "off=false&zero=0"},
		{"lists are counted", params{List: []string{"a", ""}}, "list[0]=a&list[1]="},
		{"an empty list clears", params{List: []string{}}, "list="},
		{"an empty map clears", params{Map: map[string]string{}}, "map="},
		{"an empty value deletes its key", params{Map: map[string]string{"a": "", "b[c]": "1"}}, "map[a]=&map[b[c]]=1"},
		{"nested", params{Nested: inner{Enabled: true}, Pointer: &inner{Mode: "m"}, Items: []inner{{Mode: "x"}, {Enabled: true}}},
			"items[0][mode]=x&items[1][enabled]=true&nested[enabled]=true&pointer[mode]=m"},
		{"unix seconds", params{At: time.Unix(1700000000, 999)}, "created[gte]=1700000000"},
		{"extra as it is", params{Text: "t", Extra: url.Values{"x[y]": {"1", "2"}}}, "text=t&x[y]=1&x[y]=2"},
	}
	for _, tt := range tests {
		got, err := url.QueryUnescape(encode(tt.params).Encode())
		assert.NoError(t, err)
		want, err := url.QueryUnescape(tt.want)
		assert.NoError(t, err)
		assert.Equal(t, got, want, tt.name)
	}
}

// TestEncodeEveryParams: no params type has a field that cannot be encoded.
func TestEncodeEveryParams(t *testing.T) {
	t.Parallel()
	extra := url.Values{"x": {"y"}}
	for _, p := range []any{CustomerParams{Extra: extra}, PaymentIntentParams{Extra: extra}, ChargeListParams{Extra: extra}} {
		assert.Equal(t, encode(p), extra)
	}
	assert.Equal(t, encode(PaymentIntentParams{Amount: 2500, Currency: "usd", Confirm: true, PaymentMethodTypes: []string{"card"}}).Encode(),
		"amount=2500&confirm=true&currency=usd&payment_method_types%5B0%5D=card")
	assert.Equal(t, encode(ChargeListParams{Limit: 10, Before: time.Unix(5, 0)}).Encode(), "created%5Blt%5D=5&limit=10")
}

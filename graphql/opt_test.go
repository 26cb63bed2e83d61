package graphql_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

type input struct {
	Name graphql.Opt[string] `json:"name,omitzero"`
	N    graphql.Opt[int64]  `json:"n,omitzero"`
}

func TestOpt(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]input{
		`{}`:                                {},
		`{"name":"","n":0}`:                 {graphql.Some(""), graphql.Some[int64](0)},
		`{"name":null}`:                     {Name: graphql.Null[string]()},
		`{"name":"x","n":9007199254740993}`: {graphql.Some("x"), graphql.Some[int64](9007199254740993)},
	} {
		raw, err := json.Marshal(in)
		assert.NoError(t, err)
		assert.Equal(t, string(raw), want)
		var back input
		assert.NoError(t, json.Unmarshal(raw, &back))
		assert.Equal(t, back, in)
	}
	name, ok := graphql.Some("x").Get()
	assert.True(t, ok && name == "x")
	_, ok = graphql.Null[string]().Get()
	assert.True(t, !ok && graphql.Null[string]().IsNull() && !graphql.Null[string]().IsZero())
	assert.True(t, graphql.Opt[int]{}.IsZero() && !graphql.Opt[int]{}.IsNull())
	assert.True(t, json.Unmarshal([]byte(`"x"`), new(graphql.Opt[int])) != nil)
}

// TestVariables: what is absent is left out, what is null is sent.
func TestVariables(t *testing.T) {
	t.Parallel()
	var got string
	gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		_, _ = w.Write([]byte(`{"data":{}}`))
	}))
	for want, vars := range map[string]any{
		`{"query":"{a}","variables":{"b":null,"c":1,"d":null}}`: graphql.Vars{"a": graphql.Opt[string]{}, "b": graphql.Null[string](), "c": graphql.Some(1), "d": nil},
		`{"query":"{a}","variables":{"name":"x"}}`:              input{Name: graphql.Some("x")},
		`{"query":"{a}","variables":{"n":7}}`:                   &input{N: graphql.Some[int64](7)},
		`{"query":"{a}"}`:                                       graphql.Vars{"a": graphql.Opt[string]{}},
	} {
		_, err := graphql.Execute[struct{}](t.Context(), gh, "{a}", vars)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
	for _, none := range []any{nil, graphql.Vars(nil), graphql.Vars{}, (*input)(nil), map[string]any(nil)} {
		_, err := graphql.Execute[struct{}](t.Context(), gh, "{a}", none)
		assert.NoError(t, err)
		assert.Equal(t, got, `{"query":"{a}"}`)
	}
}

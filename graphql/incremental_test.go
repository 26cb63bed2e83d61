package graphql_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestIncremental: an answer in parts says so, whatever was accepted, and is never
// taken for the whole.
func TestIncremental(t *testing.T) {
	t.Parallel()
	const parts = "---\r\nContent-Type: application/json\r\n\r\n{\"data\":{\"a\":1},\"hasNext\":true}\r\n---\r\n\r\n{\"hasNext\":false}\r\n-----\r\n"
	for _, tt := range []struct{ kind, body, document, hint string }{
		{`multipart/mixed; boundary="-"`, parts, `query Q($cursor: Int) { a ...F @defer }`, "take @defer out of the document"},
		{`Multipart/Mixed;boundary="-";deferSpec=20220824`, parts, `query Q($cursor: Int) { a @stream b @defer }`, "take @defer and @stream out of the document"},
		{`multipart/mixed; boundary="-"`, parts, `query Q($cursor: Int) { a }`, "the server sends them unasked"},
		{plainJSON, `{"data":{"a":1},"hasNext":true}`, `query Q($cursor: Int) { ...F @defer }`, "take @defer out"},
		{plainJSON, `{"data":{"a":1},"errors":[{"message":"m"}],"hasNext":true}`, `query Q($cursor: Int) { ...F @defer }`, "take @defer out"},
	} {
		for name, execute := range map[string]func(*graphql.Client) error{
			"Execute": func(gh *graphql.Client) error {
				_, err := graphql.Execute[struct{ A int }](context.Background(), gh, tt.document, nil)
				return err
			},
			"Nodes": func(gh *graphql.Client) error {
				return first[int](graphql.Nodes[int](context.Background(), gh, tt.document, nil))
			},
			"partial": func(gh *graphql.Client) error {
				_, err := graphql.Execute[struct{ A int }](context.Background(), gh, tt.document, nil, graphql.AllowPartial())
				return err
			},
		} {
			err := execute(serve(t, answer(200, tt.kind, tt.body)))
			assert.True(t, err != nil, name, tt)
			assert.Contains(t, err.Error(), `api.test: Q: 200 "the answer comes in parts (incremental delivery), which this package does not put together"`)
			assert.Contains(t, err.Error(), tt.hint)
			oneLine(t, err)
		}
	}
	b := graphql.NewBatch(serve(t, answer(200, `multipart/mixed; boundary="-"`, parts)))
	r := graphql.Add[int](b, `{ a @stream }`, nil)
	assert.Contains(t, b.Send(t.Context()).Error(), "take @stream out")
	assert.Contains(t, r.Err.Error(), "comes in parts")

	done, err := graphql.Execute[struct{ A int }](t.Context(), serve(t, answer(200, plainJSON, `{"data":{"a":1},"hasNext":false}`)), `{a}`, nil)
	assert.NoError(t, err)
	assert.Equal(t, done.A, 1)
}

func TestCost(t *testing.T) {
	t.Parallel()
	cost := func(status int, body string) (graphql.Cost, bool) {
		r, _ := graphql.Do[struct{}](t.Context(), serve(t, answer(status, plainJSON, body), aplomb.NoRetry()), graphql.Request{Query: `{a}`})
		return r.Cost()
	}
	const shopify = `"extensions":{"cost":{"requestedQueryCost":101,"actualQueryCost":46.5,"throttleStatus":{"maximumAvailable":1000.0,"currentlyAvailable":954,"restoreRate":50.0}}}`
	want := graphql.Cost{Requested: 101, Actual: 46.5, Throttle: graphql.ThrottleStatus{Maximum: 1000, Available: 954, RestoreRate: 50}}
	for _, answered := range []string{`{"data":{},` + shopify + `}`, `{"errors":[{"message":"m","extensions":{"code":"THROTTLED"}}],` + shopify + `}`} {
		for _, status := range []int{200, 400} {
			if got, ok := cost(status, answered); status == 200 || answered[2] == 'e' {
				assert.True(t, ok, answered)
				assert.Equal(t, got, want, answered)
			}
		}
	}
	got, ok := cost(200, `{"data":{},"extensions":{"cost":{"requestedQueryCost":5,"actualQueryCost":null}}}`)
	assert.True(t, ok)
	assert.Equal(t, got, graphql.Cost{Requested: 5})
	for _, none := range []string{``, `,"extensions":null`, `,"extensions":{}`, `,"extensions":{"cost":null}`, `,"extensions":{"cost":7}`, `,"extensions":[]`} {
		_, ok := cost(200, `{"data":{}`+none+`}`)
		assert.True(t, !ok, none)
	}
}

// TestFaultTable holds what the measured clients get wrong and no other test says of
// an answer: kept is the data, code and message are the error's.
func TestFaultTable(t *testing.T) {
	t.Parallel()
	const secondary = `{"documentation_url":"https://docs.github.com/rest","message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`
	gh := serve(t, answer(403, plainJSON, secondary, "Retry-After", "60", "X-RateLimit-Remaining", "4999"), aplomb.NoRetry(), aplomb.NoRateLimit())
	_, err := graphql.Execute[viewer](t.Context(), gh, `{viewer{login}}`, nil)
	api, ok := errors.AsType[*aplomb.APIError](err)
	assert.True(t, ok)
	_, graph := errors.AsType[*graphql.ResponseError](err)
	assert.True(t, !graph)
	assert.Equal(t, api.StatusCode, 403)
	assert.Contains(t, api.Message, "exceeded a secondary rate limit")
	assert.Equal(t, fmt.Sprint(api.RetryAfter), "1m0s")

	const six = `{"data":{"nodes":[1,2,3,null,5,null]},"errors":[
		{"type":"FORBIDDEN","path":["nodes",3],"message":"no"},{"type":"FORBIDDEN","path":["nodes",5],"message":"no"}]}`
	for _, status := range []int{200, 294} {
		got, err := graphql.Execute[struct{ Nodes []*int }](t.Context(), serve(t, answer(status, graphqlJSON, six)), `{nodes}`, nil)
		e, ok := errors.AsType[*graphql.ResponseError](err)
		assert.True(t, ok && e.HasData && len(e.Errors) == 2 && e.Err == nil)
		assert.Equal(t, len(got.Nodes), 6)
		assert.Equal(t, e.Errors[1].Code()+" "+e.Errors[1].Path.String(), "FORBIDDEN nodes[5]")
		assert.Equal(t, e.StatusCode, status)
		assert.Equal(t, e.Errors[1].Path[1], graphql.PathElem{Index: 5})
	}

	_, err = graphql.Execute[viewer](t.Context(), serve(t, answer(200, plainJSON, `{"errors":"boom","data":null}`)), `{viewer{login}}`, nil)
	d, ok := errors.AsType[*aplomb.DecodeError](err)
	assert.True(t, ok)
	assert.Contains(t, err.Error(), "field errors is a JSON string")
	assert.Equal(t, string(d.Body), `{"errors":"boom","data":null}`)
}

package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// FuzzAnswer: whatever a server answers, a call returns data or an error of one
// line, and never hides the server's errors.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"a":1}}`, `{"data":{"a":null},"errors":[{"message":"m","path":["a",0]}]}`, `{"errors":"x"}`, `{"errors":[{"message":"m\n","type":"RATE_LIMITED"}]}`,
		`{"errors":[null,5,"x",{"path":{}}]}`, "\ufeff{}", `null`, `[]`, `{"data":{"x":{"nodes":[1,null],"pageInfo":{"hasNextPage":true,"endCursor":"c"}}}}`,
		`{"extensions":{"cost":{"requestedQueryCost":1e300,"throttleStatus":{"restoreRate":1e-300}}},"errors":[{"extensions":{"code":"THROTTLED"}}]}`,
	} {
		f.Add(200, seed)
		f.Add(400, seed)
		f.Add(500, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status/100 == 3 {
			return
		}
		api, err := aplomb.New("https://api.test/graphql", aplomb.NoRetry(), aplomb.NoRateLimit(), aplomb.NoBreaker(),
			aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/graphql-response+json"}},
					Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
			})))
		assert.NoError(t, err)
		gql := graphql.New(api)
		data, err := graphql.Execute[json.RawMessage](context.Background(), gql, `{a}`, nil)
		if err == nil && (len(data) == 0 || !json.Valid(bytes.TrimPrefix([]byte(body), []byte("\ufeff"))) || status/100 != 2) {
			t.Fatalf("status %d, %q: no error and data %q", status, body, data)
		}
		if e, ok := errors.AsType[*graphql.ResponseError](err); ok && (len(e.Errors) == 0 || e.HasData != (len(data) > 0)) {
			t.Fatalf("status %d, %q: %v with data %q", status, body, err, data)
		}
		oneLine(t, err)
		n := 0
		for _, err := range graphql.Nodes[int](context.Background(), gql, `query($cursor: Int) {a}`, nil) {
			oneLine(t, err)
			if n++; n > 1000 {
				break // a long page
			}
		}
	})
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.ContainsAny(fmt.Sprintf("%+v", err), "\r\n\x00\x1b") {
		t.Fatalf("more than a line: %q", err)
	}
}

package graphql_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	api "github.com/aplomb-go/aplomb/bench/internal/canned"
)

// canned answers every request with one body, without a socket: what is
// measured is the client's own work.
type canned struct{ body []byte }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/2.0", ProtoMajor: 2, Request: r,
		Header: api.GitHub("graphql"),
		Body:   io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)),
	}, nil
}

// repoPage is a page of n repositories as GitHub sends it, without white space
// (https://docs.github.com/graphql/reference/objects#repository).
func repoPage(n int) []byte {
	var page strings.Builder
	fmt.Fprintf(&page, `{"data":{"user":{"repositories":{"totalCount":%d,"pageInfo":{"hasNextPage":false,"endCursor":"Y3Vyc29yOnYyOpHOAAEyMw=="},"nodes":[`, n)
	for i := range n {
		if i > 0 {
			page.WriteByte(',')
		}
		fmt.Fprintf(&page, repository, i)
	}
	page.WriteString(`]}}}}`)
	return []byte(page.String())
}

// repository has made-up values of the usual length; %[1]d is its number.
const repository = `{"name":"example-service-%[1]d",` +
	`"description":"Number %[1]d of the example services: it answers hello to whoever asks, and keeps no state of its own.",` +
	`"url":"https://github.com/octocat/example-service-%[1]d","stargazerCount":12%[1]d,"forkCount":%[1]d,"isFork":false,` +
	`"pushedAt":"2026-02-11T09:26:41.%03[1]dZ","primaryLanguage":{"name":"TypeScript"}}`

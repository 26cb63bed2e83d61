package pages_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

// pageCount pages of pageSize items are gone through.
const pageCount, pageSize = 100, 100

// base is where the list is.
const base = "https://api.github.com"

// item is what a program would read of an issue.
type item struct {
	ID     int64  `json:"id"`
	Number int    `json:"number"`
	Title  string `json:"title"`
	State  string `json:"state"`
	User   struct {
		Login string `json:"login"`
	} `json:"user"`
	Comments  int    `json:"comments"`
	UpdatedAt string `json:"updated_at"`
}

// server answers with the pages, without a socket: what is measured is the client's
// own work.
type server struct{ pages [][]byte }

func newServer() server {
	var s server
	for page := range pageCount {
		var b strings.Builder
		for i := range pageSize {
			b.WriteByte("[,"[min(i, 1)])
			fmt.Fprintf(&b, issue, page*pageSize+i)
		}
		b.WriteByte(']')
		s.pages = append(s.pages, []byte(b.String()))
	}
	return s
}

// RoundTrip implements [http.RoundTripper].
func (s server) RoundTrip(r *http.Request) (*http.Response, error) {
	page := 1
	if text := r.URL.Query().Get("page"); text != "" {
		var err error
		if page, err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	if page < 1 || page > pageCount || r.URL.Query().Get("per_page") != strconv.Itoa(pageSize) || r.Header.Get("Authorization") == "" {
		return nil, fmt.Errorf("asked for %s", r.URL)
	}
	body := s.pages[page-1]
	header := canned.GitHub("core")
	if page < pageCount {
		const link = `<%[1]s/repositories/1/issues?per_page=100&page=%[2]d>; rel="next", <%[1]s/repositories/1/issues?per_page=100&page=%[3]d>; rel="last"`
		header.Set("Link", fmt.Sprintf(link, base, page+1, pageCount))
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/2.0", ProtoMajor: 2, Request: r,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// issue has made-up values of the usual length; %[1]d is its number.
const issue = `{"id":20000%[1]d,"node_id":"I_kwDOMadeUp%[1]d","number":%[1]d,"title":"Number %[1]d: the answer is not what it was before the last release",` +
	`"state":"open","locked":false,"user":{"login":"octocat","id":583231,"type":"User","site_admin":false},"labels":[{"id":1,"name":"bug","color":"d73a4a"}],` +
	`"assignee":null,"comments":3,"created_at":"2026-01-11T09:26:41Z","updated_at":"2026-02-11T09:26:41Z","closed_at":null,"author_association":"NONE",` +
	`"html_url":"https://github.com/octocat/hello/issues/%[1]d","body":"It was seen on a machine with two processors; on another one it was not."}`

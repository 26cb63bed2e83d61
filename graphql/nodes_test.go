package graphql_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

const repositories = `query Repos($owner: String!, $n: Int = 10, $cursor: String) { user(login: $owner) {
	repositories(first: $n, after: $cursor, orderBy: {field: UPDATED_AT, direction: DESC}) {
		pageInfo { hasNextPage endCursor } nodes { name stargazerCount primaryLanguage { name } } } } }`

type repo struct {
	Name            string
	StargazerCount  int
	PrimaryLanguage *struct{ Name string }
}

func TestNodes(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]aplomb.CallOption{
		"plain": nil, "prefetch": {aplomb.Prefetch()}, "at": {graphql.At("user.repositories")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := aplombtest.NewGitHub()
			api.SeedRepos("octocat", 23)
			gh := serve(t, api)
			vars := graphql.Vars{"owner": "octocat"}
			list := graphql.Nodes[repo](t.Context(), gh, repositories, vars, opts...)
			assert.Equal(t, api.Effects().Requests, 0, "Nodes itself sends nothing")
			for range 2 { // ranging again starts again
				var names []string
				for r, err := range list {
					assert.NoError(t, err)
					names = append(names, r.Name)
				}
				assert.Equal(t, len(names), 23)
				assert.Equal(t, []string{names[0], names[10], names[22]}, []string{"hello-go", "repo-11", "repo-23"})
			}
			assert.Equal(t, api.Effects().Queries, 6)
			assert.Equal(t, vars, graphql.Vars{"owner": "octocat"}, "the caller's variables")
		})
	}
}

func TestLeavingTheLoopSendsNothingMore(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewGitHub()
	api.SeedRepos("octocat", 30)
	gh := serve(t, api)
	n := 0
	for _, err := range graphql.Nodes[repo](t.Context(), gh, repositories, graphql.Vars{"owner": "octocat"}) {
		assert.NoError(t, err)
		if n++; n == 12 {
			break
		}
	}
	assert.Equal(t, api.Effects().Queries, 2)
}

// TestPartialPage: nine nodes are kept, the path is named, the range ends.
func TestPartialPage(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewGitHub()
	api.SeedRepos("octocat", 30)
	api.FailNode("octocat", 13, "FORBIDDEN", "Resource protected by organization SAML enforcement.")
	gh := serve(t, api)
	kept, failures := 0, 0
	for r, err := range graphql.Nodes[repo](t.Context(), gh, repositories, graphql.Vars{"owner": "octocat"}) {
		if err == nil {
			assert.True(t, failures == 0 && r.Name != "")
			kept++
			continue
		}
		failures++
		re, ok := errors.AsType[*graphql.ResponseError](err)
		assert.True(t, ok && re.HasData)
		e, _ := errors.AsType[*graphql.Error](err)
		assert.Equal(t, e.Code()+" "+e.Path.String(), "FORBIDDEN user.repositories.nodes[3]")
		assert.Contains(t, err.Error(), `Repos: 200 FORBIDDEN "user.repositories.nodes[3]: Resource protected`)
	}
	assert.Equal(t, []int{kept, failures, api.Effects().Queries}, []int{19, 1, 2})

	var nils int
	for r := range graphql.Nodes[*repo](t.Context(), gh, repositories, graphql.Vars{"owner": "octocat", "n": 20}) {
		if r == nil {
			nils++
		}
	}
	assert.Equal(t, nils, 2, "the null node, and the value beside the error")
}

func TestUnknownOwner(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewGitHub()
	api.SeedRepos("empty", 0)
	gh := serve(t, api)
	err := first[repo](graphql.Nodes[repo](t.Context(), gh, repositories, graphql.Vars{"owner": "nobody"}))
	e, ok := errors.AsType[*graphql.Error](err)
	assert.True(t, ok)
	assert.Equal(t, e.Code()+" "+e.Path.String(), "NOT_FOUND user")
	for range graphql.Nodes[repo](t.Context(), gh, repositories, graphql.Vars{"owner": "empty"}) {
		t.Error("a user without repositories has no node")
	}
}

// pages serves one body after another and keeps the cursors it was asked for.
type pages struct {
	status   int // of the last body; 0 is 200
	bodies   []string
	variable string // "" is after
	cursors  []any
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Variables map[string]any }
	raw, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(raw, &body)
	p.cursors = append(p.cursors, body.Variables[cmp.Or(p.variable, "after")])
	w.Header().Set("Content-Type", plainJSON)
	if p.status != 0 && len(p.cursors) == len(p.bodies) {
		w.WriteHeader(p.status)
	}
	_, _ = w.Write([]byte(p.bodies[min(len(p.cursors), len(p.bodies))-1]))
}

func connection(list, cursor string) string {
	return fmt.Sprintf(`{%s,"pageInfo":{"hasNextPage":%t,"endCursor":%q}}`, list, cursor != "", cursor)
}

func TestConnections(t *testing.T) {
	t.Parallel()
	const document = `query Q($after: String) { a }`
	data := func(s string) string { return `{"data":` + s + `}` }
	two := data(`{"a":{"b":` + connection(`"nodes":[1,2]`, "") + `},"c":` + connection(`"nodes":[3]`, "") + `}`)
	tests := []struct {
		name    string
		bodies  []string
		opts    []aplomb.CallOption
		nodes   []int
		cursors []any
		err     string // "" for none
		is      error
	}{
		{name: "the data itself", bodies: []string{data(connection(`"nodes":[1,2]`, ""))}, nodes: []int{1, 2}, cursors: []any{nil}},
		{name: "edges", bodies: []string{data(`{"x":` + connection(`"edges":[{"node":1},null,{"node":null},{"node":2}]`, "e1") + `}`), data(`{"x":` + connection(`"edges":[]`, "") + `}`)},
			nodes: []int{1, 2}, cursors: []any{nil, "e1"}},
		{name: "nodes before edges", bodies: []string{data(`{"x":` + connection(`"edges":[{"node":9}],"nodes":[1]`, "") + `}`)}, nodes: []int{1}, cursors: []any{nil}},
		{name: "the outermost", bodies: []string{data(`{"x":` + connection(`"nodes":[1],"inner":`+connection(`"nodes":[5]`, ""), "") + `}`)}, nodes: []int{1}, cursors: []any{nil}},
		{name: "an empty page is not the end", bodies: []string{data(`{"x":` + connection(`"nodes":[]`, "c1") + `}`), data(`{"x":` + connection(`"nodes":[7]`, "") + `}`)},
			nodes: []int{7}, cursors: []any{nil, "c1"}},
		{name: "several", bodies: []string{two}, cursors: []any{nil}, err: `api.test: Q: the data has 2 connections: say which with At("a.b") or At("c")`},
		{name: "At", bodies: []string{two}, opts: []aplomb.CallOption{graphql.At("a.b")}, nodes: []int{1, 2}, cursors: []any{nil}},
		{name: "At nowhere", bodies: []string{two}, opts: []aplomb.CallOption{graphql.At("a.x.y")}, cursors: []any{nil}, err: "the data has no a.x"},
		{name: "At something else", bodies: []string{two}, opts: []aplomb.CallOption{graphql.At("a")}, cursors: []any{nil}, err: "no object with pageInfo"},
		{name: "none", bodies: []string{data(`{"a":{"nodes":[1]}}`)}, cursors: []any{nil}, err: "select pageInfo { hasNextPage endCursor } beside nodes"},
		{name: "gone", bodies: []string{data(`{"x":` + connection(`"nodes":[1]`, "c1") + `}`), data(`{"x":null}`)}, nodes: []int{1}, cursors: []any{nil, "c1"},
			err: "api.test: Q: x: no object with pageInfo"},
		{name: "no hasNextPage", bodies: []string{data(`{"x":{"nodes":[1],"pageInfo":{"endCursor":"c"}}}`)}, cursors: []any{nil}, err: "pageInfo has no hasNextPage"},
		{name: "no endCursor", bodies: []string{data(`{"x":{"nodes":[1],"pageInfo":{"hasNextPage":true}}}`)}, nodes: []int{1}, cursors: []any{nil},
			err: "there is no cursor: select pageInfo { hasNextPage endCursor }", is: aplomb.ErrTruncated},
		{name: "stuck", bodies: []string{data(`{"x":` + connection(`"nodes":[1]`, "c1") + `}`)}, nodes: []int{1, 1}, cursors: []any{nil, "c1"},
			err: "api.test: Q: x: the same page again after 2 nodes: is $after the connection's after argument?", is: aplomb.ErrCursorStuck},
		{name: "a node of another type", bodies: []string{data(`{"x":` + connection(`"nodes":[1,2,"three",4]`, "") + `}`)}, nodes: []int{1, 2}, cursors: []any{nil},
			err: "api.test: Q: x: nodes[2]: a JSON string, not a Go int"},
		{name: "an edge of another type", bodies: []string{data(`{"x":` + connection(`"edges":[{"node":1},{"node":{}}]`, "") + `}`)}, nodes: []int{1}, cursors: []any{nil},
			err: "x: edges[1].node: "},
		{name: "errors and no data on page two", bodies: []string{data(`{"x":` + connection(`"nodes":[1]`, "c1") + `}`), `{"errors":[{"message":"late","path":["x","nodes",0]}],"data":null}`},
			nodes: []int{1}, cursors: []any{nil, "c1"}, err: `api.test: Q: 200 "x.nodes[0]: late"`},
		{name: "neither", bodies: []string{`{}`}, cursors: []any{nil}, err: "neither data nor errors"},
		{name: "null", bodies: []string{`null`}, cursors: []any{nil}, err: "neither data nor errors"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := &pages{bodies: tt.bodies}
			var got []int
			var failed error
			for n, err := range graphql.Nodes[int](t.Context(), serve(t, server), document, nil, tt.opts...) {
				assert.True(t, failed == nil, "an error is yielded once and ends the range")
				if failed = err; err == nil {
					got = append(got, n)
				}
			}
			assert.Equal(t, got, tt.nodes)
			assert.Equal(t, server.cursors, tt.cursors)
			assert.Equal(t, failed != nil, tt.err != "", failed)
			if failed != nil {
				assert.Contains(t, failed.Error(), tt.err)
				assert.Equal(t, strings.Count(failed.Error(), "\n"), 0)
				assert.Equal(t, fmt.Sprintf("%#v", failed), failed.Error())
			}
			if tt.is != nil {
				assert.ErrorIs(t, failed, tt.is)
			}
		})
	}
}

// TestLongLoop: cursors that come round again after several pages.
func TestLongLoop(t *testing.T) {
	t.Parallel()
	n := 0
	gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = fmt.Fprintf(w, `{"data":%s}`, connection(`"nodes":[1]`, "c"+strconv.Itoa(n%5)))
	}))
	err := first[int](graphql.Nodes[int](t.Context(), gh, `query($cursor: String) { a }`, nil))
	assert.ErrorIs(t, err, aplomb.ErrCursorStuck)
	assert.Equal(t, err.Error(), fmt.Sprintf("api.test: query: the same page again after %d nodes: is $cursor the connection's after argument?", n))
	assert.True(t, n <= 20, n)
}

func TestPartialPageWithAnErrorStatus(t *testing.T) {
	t.Parallel()
	server := &pages{status: 400, bodies: []string{
		`{"data":{"x":` + connection(`"nodes":[1]`, "c1") + `}}`,
		`{"errors":[{"message":"m","path":["x","nodes",1]}],"data":{"x":` + connection(`"nodes":[2,null,3]`, "c2") + `}}`,
	}}
	var got []int
	var failed error
	for n, err := range graphql.Nodes[int](t.Context(), serve(t, server), `query($after: String) { a }`, nil) {
		if failed = err; err == nil {
			got = append(got, n)
		}
	}
	assert.Equal(t, got, []int{1, 2, 3})
	e, ok := errors.AsType[*graphql.ResponseError](failed)
	assert.True(t, ok && e.HasData && e.Err != nil)
	assert.Equal(t, aplomb.StatusCode(failed), 400)
	assert.Equal(t, e.Response.Redact(token), "[redacted]", "Response is the call's own")
}

func TestBeginAtACursor(t *testing.T) {
	t.Parallel()
	server := &pages{bodies: []string{`{"data":` + connection(`"nodes":[1]`, "") + `}`}}
	err := first[int](graphql.Nodes[int](t.Context(), serve(t, server), `query($after: String) { a }`, graphql.Vars{"after": "kept"}))
	assert.NoError(t, err)
	assert.Equal(t, server.cursors, []any{"kept"})
}

// TestResumeIsRefused, wherever it is given: the variable says where to begin.
func TestResumeIsRefused(t *testing.T) {
	t.Parallel()
	server := &pages{bodies: []string{`{"data":` + connection(`"nodes":[1]`, "") + `}`}}
	gh := serve(t, server)
	const document = `query($after: String) { a }`
	inContext := aplomb.NewContext(t.Context(), aplomb.Resume("kept"))
	_, executed := graphql.Execute[json.RawMessage](t.Context(), gh, document, nil, aplomb.Resume("kept"))
	for _, err := range []error{
		executed,
		first[int](graphql.Nodes[int](t.Context(), gh, document, nil, aplomb.Resume("kept"))),
		first[int](graphql.Nodes[int](t.Context(), gh, document, nil, aplomb.CallOptions(aplomb.Resume("kept")), aplomb.Prefetch())),
		first[int](graphql.Nodes[int](inContext, gh, document, graphql.Vars{"after": "other"})),
		first[int](graphql.Nodes[int](t.Context(), graphql.New(gh.API(), aplomb.Resume("kept")), document, nil)),
	} {
		assert.True(t, err != nil)
		assert.Contains(t, fmt.Sprint(err), "Resume")
	}
	assert.Equal(t, len(server.cursors), 0, "nothing was sent")
}

// TestBackwards: pages that are asked for by what is before them are read from
// their end.
func TestBackwards(t *testing.T) {
	t.Parallel()
	page := func(nodes, cursor string) string {
		return fmt.Sprintf(`{"data":{"x":{"nodes":[%s],"pageInfo":{"hasPreviousPage":%t,"startCursor":%q}}}}`, nodes, cursor != "", cursor)
	}
	for _, variable := range []string{"before", "cursor"} {
		server := &pages{bodies: []string{page("4,5", "c4"), page("2,3", "c2"), page("1", "")}, variable: variable}
		nodes, err := aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($"+variable+": String) {a}", nil))
		assert.NoError(t, err)
		assert.Equal(t, nodes, []int{5, 4, 3, 2, 1})
		assert.Equal(t, server.cursors, []any{nil, "c4", "c2"})
	}
	server := &pages{bodies: []string{page("1", "c1")}, variable: "before"}
	_, err := aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($before: String) {a}", nil))
	assert.ErrorIs(t, err, aplomb.ErrCursorStuck)
	assert.Contains(t, err.Error(), "is $before the connection's before argument?")
	server = &pages{bodies: []string{`{"data":{"x":{"nodes":[1],"pageInfo":{"hasPreviousPage":true}}}}`}, variable: "before"}
	_, err = aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($before: String) {a}", nil))
	assert.ErrorIs(t, err, aplomb.ErrTruncated)
	assert.Contains(t, err.Error(), "select pageInfo { hasPreviousPage startCursor }")
}

// TestWhichWay: a document that selects all of pageInfo, as a shared fragment does,
// is read the way its variable says.
func TestWhichWay(t *testing.T) {
	t.Parallel()
	page := func(nodes, start, end string, previous, next bool) string {
		return fmt.Sprintf(`{"data":{"x":{"nodes":[%s],"pageInfo":{"hasPreviousPage":%t,"startCursor":%q,"hasNextPage":%t,"endCursor":%q}}}}`, nodes, previous, start, next, end)
	}
	server := &pages{bodies: []string{page("3,4", "c3", "c4", true, false), page("1,2", "c1", "c2", false, true)}, variable: "before"}
	nodes, err := aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($before: String) {a}", nil))
	assert.NoError(t, err)
	assert.Equal(t, nodes, []int{4, 3, 2, 1})
	assert.Equal(t, server.cursors, []any{nil, "c3"})
	for _, variable := range []string{"after", "cursor"} {
		server = &pages{bodies: []string{page("1,2", "c1", "c2", false, true), page("3,4", "c3", "c4", true, false)}, variable: variable}
		nodes, err = aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($"+variable+": String) {a}", nil))
		assert.NoError(t, err)
		assert.Equal(t, nodes, []int{1, 2, 3, 4})
	}
	for query, want := range map[string]string{
		`query($after: String, $before: String) {a}`: "declare one of them",
		`mutation($after: String) {a}`:               "send a mutation with Execute",
	} {
		_, err := aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), query, nil))
		assert.Contains(t, fmt.Sprint(err), want)
	}
	server = &pages{bodies: []string{page("1", "", "", false, false)}, variable: "after"}
	_, err = aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($cursor: String, $after: DateTime) {a}", graphql.Vars{"after": "2026"}))
	assert.NoError(t, err)
	assert.Equal(t, server.cursors, []any{"2026"}, "a filter of the caller's")
	for variable, body := range map[string]string{
		"before": `{"data":{"x":{"nodes":[1],"pageInfo":{"hasNextPage":false}}}}`,
		"after":  `{"data":{"x":{"nodes":[1],"pageInfo":{"hasPreviousPage":false}}}}`,
	} {
		_, err := aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, &pages{bodies: []string{body}}), "query($"+variable+": String) {a}", nil))
		assert.Contains(t, fmt.Sprint(err), "pageInfo has no has")
	}
	_, err = aplomb.Collect(graphql.Nodes[int](t.Context(), serve(t, server), "query($after: String) {a}", nil, aplomb.AtMost(1)))
	assert.Contains(t, fmt.Sprint(err), "there is graphql.AtMost")
}

func TestEdges(t *testing.T) {
	t.Parallel()
	type edge struct {
		Cursor string
		Node   *int
	}
	server := &pages{bodies: []string{
		`{"data":{"x":{"edges":[{"cursor":"a","node":1},null,{"cursor":"b","node":null}],"nodes":[9],"pageInfo":{"hasNextPage":true,"endCursor":"b"}}}}`,
		`{"data":{"x":{"edges":[{"cursor":"c","node":2}],"pageInfo":{"hasNextPage":false}}}}`,
	}}
	const document = `query Q($after: String) { a }`
	edges, err := aplomb.Collect(graphql.Edges[edge](t.Context(), serve(t, server), document, nil))
	assert.NoError(t, err)
	assert.Equal(t, edges, []edge{{"a", new(1)}, {"b", nil}, {"c", new(2)}})
	server = &pages{bodies: []string{`{"data":{"x":{"nodes":[1],"pageInfo":{"hasNextPage":false}}}}`}}
	_, err = aplomb.Collect(graphql.Edges[edge](t.Context(), serve(t, server), document, nil))
	assert.Contains(t, fmt.Sprint(err), "Q: x: the connection has no edges")
}

func TestPages(t *testing.T) {
	t.Parallel()
	type data struct {
		Total int
		X     struct{ Nodes []int }
	}
	server := &pages{bodies: []string{
		`{"data":{"total":3,"x":{"nodes":[1,2],"pageInfo":{"hasNextPage":true,"endCursor":"b"}}},"extensions":{"cost":1}}`,
		`{"data":{"total":3,"x":{"nodes":[3],"pageInfo":{"hasNextPage":false}}}}`,
	}}
	const document = `query Q($after: String) { a }`
	all, err := aplomb.Collect(graphql.Pages[data](t.Context(), serve(t, server), document, nil))
	assert.NoError(t, err)
	assert.Equal(t, len(all), 2)
	assert.Equal(t, all[0].Data, data{3, struct{ Nodes []int }{[]int{1, 2}}})
	assert.Equal(t, string(all[0].Extensions), `{"cost":1}`)
	assert.Equal(t, all[1].Data.X.Nodes, []int{3})
	server = &pages{bodies: []string{`{"data":{"total":"three","x":{"nodes":[],"pageInfo":{"hasNextPage":false}}}}`}}
	_, err = aplomb.Collect(graphql.Pages[data](t.Context(), serve(t, server), document, nil))
	assert.Contains(t, fmt.Sprint(err), "field Total is a JSON string, not a Go int")
}

// TestAtMost: no page is fetched beyond what is wanted.
func TestAtMost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ most, nodes, requests int }{{1, 1, 1}, {10, 10, 1}, {11, 11, 2}, {23, 23, 3}, {99, 23, 3}} {
		for _, opts := range [][]aplomb.CallOption{nil, {aplomb.Prefetch()}} {
			api := aplombtest.NewGitHub()
			api.SeedRepos("octocat", 23)
			repos, err := aplomb.Collect(graphql.Nodes[repo](t.Context(), serve(t, api), repositories, graphql.Vars{"owner": "octocat"}, append(opts, graphql.AtMost(tt.most))...))
			assert.NoError(t, err)
			assert.Equal(t, len(repos), tt.nodes)
			assert.Equal(t, api.Effects().Queries, tt.requests)
		}
	}
	gh := serve(t, aplombtest.NewGitHub())
	for want, seq := range map[string]func(func(repo, error) bool){
		"0 is not a positive number": graphql.Nodes[repo](t.Context(), gh, repositories, nil, graphql.AtMost(0)),
	} {
		assert.Contains(t, fmt.Sprint(first(seq)), want)
	}
}

// TestAllowPartial: errors beside data are told, and end nothing.
func TestAllowPartial(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewGitHub()
	api.SeedRepos("octocat", 23)
	api.FailNode("octocat", 3, "FORBIDDEN", "no")
	gh := serve(t, api)
	vars := graphql.Vars{"owner": "octocat"}
	repos, err := aplomb.Collect(graphql.Nodes[repo](t.Context(), gh, repositories, vars, graphql.AllowPartial()))
	assert.NoError(t, err)
	assert.Equal(t, len(repos), 22)

	type data struct {
		User struct {
			Repositories struct{ Nodes []*repo }
		}
	}
	r, err := graphql.Do[data](t.Context(), gh, graphql.Request{Query: repositories, Variables: vars}, graphql.AllowPartial())
	assert.NoError(t, err)
	assert.Equal(t, len(r.Data.User.Repositories.Nodes), 10)
	assert.Equal(t, len(r.Errors), 1)
	assert.Equal(t, r.Errors[0].Code()+" "+r.Errors[0].Path.String(), "FORBIDDEN user.repositories.nodes[3]")
	assert.Equal(t, r.StatusCode, 200)

	r, err = graphql.Do[data](t.Context(), gh, graphql.Request{Query: repositories, Variables: vars})
	e, ok := errors.AsType[*graphql.ResponseError](err)
	assert.True(t, ok && e.HasData)
	assert.Equal(t, len(r.Data.User.Repositories.Nodes), 10)
	assert.Equal(t, len(r.Errors), 0)
	_, err = graphql.Do[data](t.Context(), gh, graphql.Request{Query: `{ nobody { x } }`}, graphql.AllowPartial()) // no data, no success
	assert.True(t, err != nil)
	_, err = graphql.Do[data](t.Context(), nil, graphql.Request{Query: "{a}"})
	assert.Contains(t, fmt.Sprint(err), "no client")
}

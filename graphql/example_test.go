package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
)

// github is a client of a fake GitHub where octocat has 12 repositories, of
// which the fourth is forbidden.
func github() (gh *graphql.Client, stop func()) {
	fake := aplombtest.NewGitHub()
	fake.SeedRepos("octocat", 12)
	fake.FailNode("octocat", 3, "FORBIDDEN", "Resource protected by organization SAML enforcement.")
	srv := httptest.NewServer(fake)
	api, err := aplomb.New(srv.URL+"/graphql", aplomb.Bearer(aplomb.Static("any-token")))
	if err != nil {
		panic(err)
	}
	return graphql.New(api), srv.Close
}

func ExampleExecute() {
	gh, stop := github() // or graphql.New(api), api being at https://api.github.com/graphql
	defer stop()

	type answer struct {
		User struct {
			Repositories struct{ TotalCount int }
		}
	}
	const query = `query Count($owner: String!) { user(login: $owner) { repositories(first: 1) { totalCount } } }`
	a, err := graphql.Execute[answer](context.Background(), gh, query, graphql.Vars{"owner": "octocat"})
	fmt.Println(a.User.Repositories.TotalCount, err)
	// Output:
	// 12 <nil>
}

// Data and error come together.
func ExampleResponseError() {
	gh, stop := github()
	defer stop()

	type answer struct {
		User struct {
			Repositories struct{ Nodes []*struct{ Name string } }
		}
	}
	const query = `{ user(login: "octocat") { repositories(first: 5) { nodes { name } } } }`
	a, err := graphql.Execute[answer](context.Background(), gh, query, nil)
	if e, ok := errors.AsType[*graphql.ResponseError](err); ok && e.HasData {
		for _, one := range e.Errors {
			fmt.Println(one.Code(), "at", one.Path)
		}
	}
	for i, r := range a.User.Repositories.Nodes {
		if r != nil {
			fmt.Println(i, r.Name)
		}
	}
	// Output:
	// FORBIDDEN at user.repositories.nodes[3]
	// 0 hello-go
	// 1 repo-02
	// 2 repo-03
	// 4 repo-05
}

func ExampleNodes() {
	fake := aplombtest.NewGitHub()
	fake.SeedRepos("octocat", 7)
	srv := httptest.NewServer(fake)
	defer srv.Close()
	api, err := aplomb.New(srv.URL, aplomb.Bearer(aplomb.Static("any-token")))
	if err != nil {
		fmt.Println(err)
		return
	}

	const query = `query Repos($owner: String!, $cursor: String) { user(login: $owner) {
	  repositories(first: 3, after: $cursor) {
	    pageInfo { hasNextPage endCursor }
	    nodes { name stargazerCount primaryLanguage { name } } } } }`
	type repo struct {
		Name            string
		StargazerCount  int
		PrimaryLanguage struct{ Name string }
	}
	for r, err := range graphql.Nodes[repo](context.Background(), graphql.New(api), query, graphql.Vars{"owner": "octocat"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Name, r.PrimaryLanguage.Name, r.StargazerCount)
	}
	fmt.Println(fake.Effects().Queries, "pages")
	// Output:
	// hello-go Go 42
	// repo-02 Rust 74
	// repo-03 TypeScript 11
	// repo-04 Python 48
	// repo-05 Go 85
	// repo-06  22
	// repo-07 Rust 59
	// 3 pages
}

func ExampleSubscribe() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			_, _ = fmt.Fprintf(w, "event: next\ndata: {\"data\":{\"count\":%d}}\n\n", 3-n)
		}
		_, _ = fmt.Fprint(w, "event: complete\n\n")
	}))
	defer srv.Close()
	api, err := aplomb.New(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	for event, err := range graphql.Subscribe[struct{ Count int }](context.Background(), graphql.New(api), `subscription { count }`, nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Count)
	}
	// Output:
	// 3
	// 2
	// 1
}

// A stream that was cut is followed by another, and somebody is told.
func ExampleReconnect() {
	streams := []string{"event: next\ndata: {\"data\":{\"count\":3}}\n\n", "event: next\ndata: {\"data\":{\"count\":1}}\n\nevent: complete\n\n"}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, streams[0])
		streams = streams[1:]
	}))
	defer srv.Close()
	api, err := aplomb.New(srv.URL, aplomb.Name("counter"))
	if err != nil {
		fmt.Println(err)
		return
	}

	again := graphql.Reconnect(graphql.Reconnection{
		MinBackoff: time.Millisecond,
		On: func(e graphql.ReconnectEvent) {
			fmt.Println("attempt", e.Attempt, "since it was cut:", errors.Is(e.Err, io.ErrUnexpectedEOF))
		},
	})
	for event, err := range graphql.Subscribe[struct{ Count int }](context.Background(), graphql.New(api), `subscription { count }`, nil, again) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Count)
	}
	// Output:
	// 3
	// attempt 1 since it was cut: true
	// 1
}

func ExampleOperationName() {
	gh, stop := github()
	defer stop()

	const document = `query Me { viewer { login } }  query Count { user(login: "octocat") { repositories(first: 1) { totalCount } } }`
	data, err := graphql.Execute[map[string]any](context.Background(), gh, document, nil, graphql.OperationName("Count"))
	fmt.Println(data, err)
	// Output:
	// map[user:map[repositories:map[totalCount:12]]] <nil>
}

// echo is a client of a server that answers as it is told.
func echo(answer func(r *http.Request, body string) string, opts ...aplomb.CallOption) (c *graphql.Client, stop func()) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer(r, string(body)))
	}))
	api, err := aplomb.New(srv.URL + "/graphql")
	if err != nil {
		panic(err)
	}
	return graphql.New(api, opts...), srv.Close
}

// A file on disk is streamed, and opened again should the request be repeated.
func ExampleFile() {
	c, stop := echo(func(r *http.Request, body string) string {
		fmt.Println(strings.Contains(body, `"variables":{"file":null}`), strings.Contains(body, `filename="receipt.pdf"`))
		return `{"data":{"upload":{"id":"doc_1"}}}`
	})
	defer stop()

	type answer struct{ Upload struct{ ID string } }
	openReceipt := func() (io.ReadCloser, error) { return os.Open("example_test.go") }
	const mutation = `mutation Upload($file: Upload!) { upload(file: $file) { id } }`
	a, err := graphql.Execute[answer](context.Background(), c, mutation, graphql.Vars{
		"file": graphql.File{Name: "receipt.pdf", Open: openReceipt},
	}, aplomb.IdempotencyKey("receipt-2026-11")) // without a key it is sent once
	fmt.Println(a.Upload.ID, err)
	// Output:
	// true true
	// doc_1 <nil>
}

// The server does not know the query yet. The next time its hash is enough, and as
// that goes by GET a cache can answer.
func ExamplePersistedQueries() {
	known := false
	c, stop := echo(func(r *http.Request, body string) string {
		fmt.Println(r.Method, "with the document:", strings.Contains(body, "viewer"))
		if known = known || body != ""; !known {
			return `{"errors":[{"message":"PersistedQueryNotFound"}]}`
		}
		return `{"data":{"viewer":{"login":"octocat"}}}`
	}, graphql.PersistedQueries(), graphql.UseGET())
	defer stop()

	for range 2 {
		data, err := graphql.Execute[map[string]any](context.Background(), c, `{ viewer { login } }`, nil)
		fmt.Println(data, err)
	}
	// Output:
	// GET with the document: false
	// POST with the document: true
	// map[viewer:map[login:octocat]] <nil>
	// GET with the document: false
	// map[viewer:map[login:octocat]] <nil>
}

func ExampleBatch() {
	c, stop := echo(func(*http.Request, string) string {
		return `[{"data":{"user":{"name":"Ada"}}}, {"errors":[{"message":"no such team","path":["team"],"extensions":{"code":"NOT_FOUND"}}],"data":{"team":null}}]`
	})
	defer stop()

	type userData struct{ User struct{ Name string } }
	type teamData struct{ Team *struct{ Name string } }
	b := graphql.NewBatch(c)
	user := graphql.Add[userData](b, `query($id: ID!) { user(id: $id) { name } }`, graphql.Vars{"id": "u_1"})
	team := graphql.Add[teamData](b, `query($id: ID!) { team(id: $id) { name } }`, graphql.Vars{"id": "t_9"})
	if err := b.Send(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(user.Data.User.Name, user.Err)
	if e, ok := errors.AsType[*graphql.Error](team.Err); ok {
		fmt.Println(e.Code(), "at", e.Path)
	}
	// Output:
	// Ada <nil>
	// NOT_FOUND at team
}

func ExampleResponse_Cost() {
	c, stop := echo(func(*http.Request, string) string {
		return `{"data":{"shop":{"name":"Tea"}},"extensions":{"cost":{"requestedQueryCost":12,"actualQueryCost":7,
			"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":1993,"restoreRate":100.0}}}}`
	})
	defer stop()

	r, err := graphql.Do[json.RawMessage](context.Background(), c, graphql.Request{Query: `{ shop { name } }`})
	if cost, ok := r.Cost(); ok {
		fmt.Println(cost.Actual, "of", cost.Throttle.Maximum, "points,", cost.Throttle.Available, "left;", err)
	}
	// Output:
	// 7 of 2000 points, 1993 left; <nil>
}

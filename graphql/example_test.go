package graphql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
)

// github is a client of a fake GitHub where octocat has 12 repositories, of
// which the fourth is forbidden.
func github() (gh *graphql.Client, stop func()) {
	fake := aplombtest.NewGraphQL()
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
	fake := aplombtest.NewGraphQL()
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

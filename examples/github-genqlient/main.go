// Command github-genqlient counts a user's repositories with code as genqlient
// generates it, over an aplomb client:
//
//	GITHUB_TOKEN=... go run ./examples/github-genqlient
//
// GITHUB_GRAPHQL_URL is another endpoint than GitHub's. genqlient's own client
// also goes over an aplomb one (graphql.NewClient(endpoint, api), see docs/sdks.md);
// that of client.go tells queries from mutations besides.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/Khan/genqlient/graphql"

	aplombhttp "github.com/aplomb-go/aplomb"
	aplomb "github.com/aplomb-go/aplomb/graphql"
)

// countResponse and count are what genqlient makes of
//
//	query count($owner: String!) { user(login: $owner) { repositories(first: 1) { totalCount } } }
type countResponse struct {
	User struct {
		Repositories struct {
			TotalCount int `json:"totalCount"`
		} `json:"repositories"`
	} `json:"user"`
}

func count(ctx context.Context, c graphql.Client, owner string) (*countResponse, error) { //nolint:unparam // as genqlient writes it
	var data countResponse
	err := c.MakeRequest(ctx, &graphql.Request{
		OpName:    "count",
		Query:     `query count($owner: String!) { user(login: $owner) { repositories(first: 1) { totalCount } } }`,
		Variables: map[string]string{"owner": owner},
	}, &graphql.Response{Data: &data})
	return &data, err
}

func main() {
	api, err := aplombhttp.New(cmp.Or(os.Getenv("GITHUB_GRAPHQL_URL"), "https://api.github.com/graphql"), aplombhttp.Bearer(aplombhttp.Env("GITHUB_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	data, err := count(context.Background(), client{aplomb.New(api)}, "octocat")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(data.User.Repositories.TotalCount, "repositories")
}

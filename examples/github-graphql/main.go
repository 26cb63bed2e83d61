// Command github-graphql lists a user's repositories, over all pages, with
// language and stars:
//
//	GITHUB_TOKEN=... go run ./examples/github-graphql
//
// GITHUB_GRAPHQL_URL is another endpoint than GitHub's, such as an
// enterprise server's.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
)

const query = `query($owner: String!, $cursor: String) { user(login: $owner) { repositories(first: 100, after: $cursor) { pageInfo { hasNextPage endCursor } nodes { name stargazerCount primaryLanguage { name } } } } }`

type repo struct {
	Name            string
	StargazerCount  int
	PrimaryLanguage struct{ Name string }
}

func main() {
	api, err := aplomb.New(cmp.Or(os.Getenv("GITHUB_GRAPHQL_URL"), "https://api.github.com/graphql"), aplomb.Bearer(aplomb.Env("GITHUB_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range graphql.Nodes[repo](context.Background(), graphql.New(api), query, graphql.Vars{"owner": "octocat"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s (%s) – %d stars\n", r.Name, cmp.Or(r.PrimaryLanguage.Name, "N/A"), r.StargazerCount)
	}
}

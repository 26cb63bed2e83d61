// Command github-githubv4 counts a user's repositories with shurcooL/githubv4 over
// an aplomb client:
//
//	GITHUB_TOKEN=... go run ./examples/github-githubv4
//
// GITHUB_GRAPHQL_URL is another endpoint than GitHub's. The library posts queries
// and mutations alike, so the call says which it is: aplomb.Safe lets a query be
// sent again. What GitHub refuses with a 200, since a quota is spent, is waited for
// by graphql.Preset.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/shurcooL/githubv4"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
)

func main() {
	endpoint := cmp.Or(os.Getenv("GITHUB_GRAPHQL_URL"), "https://api.github.com/graphql")
	api, err := aplomb.New(endpoint, graphql.Preset(), aplomb.Bearer(aplomb.Env("GITHUB_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	gh := githubv4.NewEnterpriseClient(endpoint, api.HTTPClient())
	var query struct {
		User struct {
			Repositories struct{ TotalCount int } `graphql:"repositories(first: 1)"`
		} `graphql:"user(login: $owner)"`
	}
	ctx := aplomb.NewContext(context.Background(), aplomb.Safe())
	if err := gh.Query(ctx, &query, map[string]any{"owner": githubv4.String("octocat")}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(query.User.Repositories.TotalCount, "repositories")
}

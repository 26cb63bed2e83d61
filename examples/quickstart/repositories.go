package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
)

const fakeGitHubToken = "quickstart-" + "token"

// reposQuery pages by $cursor, which graphql.Nodes sets from pageInfo.
const reposQuery = `query Repos($owner: String!, $cursor: String) { user(login: $owner) {
  repositories(first: 10, after: $cursor) {
    pageInfo { hasNextPage endCursor }
    nodes { name stargazerCount primaryLanguage { name } } } } }`

type repo struct {
	Name            string
	StargazerCount  int
	PrimaryLanguage struct{ Name string }
}

// repositories lists a user's repositories, and then has one answer that is
// data and error at once, as GraphQL servers give.
func (t *tour) repositories(ctx context.Context) error {
	fake := aplombtest.NewGitHub()
	fake.SeedRepos("octocat", 25)
	fake.SeedRepos("hubot", 10)
	fake.FailNode("hubot", 3, "FORBIDDEN", "Resource not accessible by personal access token")
	t.out.plant(fakeGitHubToken)
	onFake, err := t.github(t.serve(fake)+"/graphql", fakeGitHubToken)
	if err != nil {
		return err
	}
	gh := onFake
	if t.mode.realGitHub() {
		if gh, err = t.github(t.mode.githubURL, t.mode.githubToken); err != nil {
			return err
		}
	}
	if err := t.list(ctx, gh); err != nil {
		return err
	}
	return t.partial(ctx, onFake)
}

func (t *tour) github(endpoint, token string) (*graphql.Client, error) {
	api, err := aplomb.New(endpoint, aplomb.Name("github"), aplomb.Bearer(aplomb.Static(token)), t.options())
	if err != nil {
		return nil, err
	}
	return graphql.New(api), nil
}

// list reads all pages and shows the first lines.
func (t *tour) list(ctx context.Context, gh *graphql.Client) error {
	const shown = 3
	n := 0
	for r, err := range graphql.Nodes[repo](ctx, gh, reposQuery, graphql.Vars{"owner": "octocat"}) {
		if err != nil {
			return err
		}
		if n++; n <= shown {
			t.sayf("%s (%s) – %d stars", r.Name, cmp.Or(r.PrimaryLanguage.Name, "N/A"), r.StargazerCount)
		}
	}
	t.sayf("… %s in all, by cursor", count(n, "repository", "repositories"))
	return nil
}

// partial uses what came and names what did not.
func (t *tour) partial(ctx context.Context, gh *graphql.Client) error {
	type answer struct {
		User struct{ Repositories struct{ Nodes []*repo } }
	}
	got, err := graphql.Execute[answer](ctx, gh, reposQuery, graphql.Vars{"owner": "hubot"})
	refused, ok := errors.AsType[*graphql.ResponseError](err)
	if !ok || !refused.HasData {
		return errors.Join(errors.New("want data and an error together"), err)
	}
	t.note(err)
	kept, nodes := 0, got.User.Repositories.Nodes
	for _, r := range nodes {
		if r != nil {
			kept++
		}
	}
	path := refused.Errors[0].Path.String()
	t.sayf("200 with errors → partial data kept: %d of %d nodes; error at %s", kept, len(nodes), path)
	t.report.promise("graphql_nodes_kept", kept, 9)
	t.report.promise("graphql_error_path", path, "user.repositories.nodes[3]")
	return nil
}

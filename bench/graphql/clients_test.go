package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	genqlientgraphql "github.com/Khan/genqlient/graphql"
	hasura "github.com/hasura/go-graphql-client"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/graphql/genqlient"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/graphql"
)

// token is fake, and put together so that no scanner takes it for a real one.
const token = "ghp_" + "made0up"

const endpoint = "https://api.github.com/graphql"

// The names of the libraries, in the tables.
const (
	ours      = "aplomb"
	generated = "genqlient"
	reflected = "hasura"
	plain     = "net-http"
)

// Their places among the ways; ours is the first.
const (
	_ = iota
	generatedBy
	reflectedBy
	plainBy
)

const pageSize = 100

// queries are the ways to ask for 100 repositories.
func queries(tb testing.TB) []beside.Way {
	tb.Helper()
	rt := canned{repoPage(pageSize)}
	api, err := aplomb.New(endpoint, aplomb.Bearer(aplomb.Static(token)), aplomb.Transport(rt))
	if err != nil {
		tb.Fatal(err)
	}
	gh := graphql.New(api)
	client := &http.Client{Transport: authorized{rt}}
	gen := genqlientgraphql.NewClient(endpoint, client)
	has := hasura.NewClient(endpoint, client)
	return []beside.Way{
		{Name: ours, Run: func() error {
			data, err := graphql.Execute[repos](context.Background(), gh, genqlient.Repos_Operation, graphql.Vars{"owner": "octocat", "first": pageSize})
			return data.check(err)
		}},
		{Name: generated, Run: func() error {
			data, err := genqlient.Repos(context.Background(), gen, "octocat", pageSize, nil)
			if err != nil {
				return err
			}
			n, stars := 0, 0
			for i := range data.User.Repositories.Nodes {
				n, stars = n+1, stars+data.User.Repositories.Nodes[i].StargazerCount
			}
			return check(n, stars)
		}},
		{Name: reflected, Run: func() error {
			var data hasuraRepos
			err := has.Query(context.Background(), &data, map[string]any{"owner": "octocat", "first": pageSize, "cursor": (*string)(nil)}, hasura.OperationName("Repos"))
			if err != nil {
				return err
			}
			n, stars := 0, 0
			for i := range data.User.Repositories.Nodes {
				n, stars = n+1, stars+data.User.Repositories.Nodes[i].StargazerCount
			}
			return check(n, stars)
		}},
		{Name: plain, Run: func() error {
			data, err := plainQuery(client)
			return data.check(err)
		}},
	}
}

// authorized is how the libraries without credentials of their own get one.
type authorized struct{ http.RoundTripper }

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return a.RoundTripper.RoundTrip(r)
}

// repos is the answer's data, for ours and for plain net/http.
type repos struct {
	User struct {
		Repositories struct {
			TotalCount int `json:"totalCount"`
			PageInfo   struct {
				HasNextPage bool   `json:"hasNextPage"`
				EndCursor   string `json:"endCursor"`
			} `json:"pageInfo"`
			Nodes []repo `json:"nodes"`
		} `json:"repositories"`
	} `json:"user"`
}

type repo struct {
	Name            string    `json:"name"`
	Description     string    `json:"description"`
	URL             string    `json:"url"`
	StargazerCount  int       `json:"stargazerCount"`
	ForkCount       int       `json:"forkCount"`
	IsFork          bool      `json:"isFork"`
	PushedAt        time.Time `json:"pushedAt"`
	PrimaryLanguage struct {
		Name string `json:"name"`
	} `json:"primaryLanguage"`
}

// hasuraRepos is the same, as that library has it: the query is made of it.
type hasuraRepos struct {
	User struct {
		Repositories struct {
			TotalCount int
			PageInfo   struct {
				HasNextPage bool
				EndCursor   string
			}
			Nodes []hasuraRepo
		} `graphql:"repositories(first: $first, after: $cursor)"`
	} `graphql:"user(login: $owner)"`
}

type hasuraRepo struct {
	Name            string
	Description     string
	URL             string `graphql:"url"`
	StargazerCount  int
	ForkCount       int
	IsFork          bool
	PushedAt        time.Time
	PrimaryLanguage struct{ Name string }
}

func (data *repos) check(err error) error {
	if err != nil {
		return err
	}
	n, stars := 0, 0
	for i := range data.User.Repositories.Nodes {
		n, stars = n+1, stars+data.User.Repositories.Nodes[i].StargazerCount
	}
	return check(n, stars)
}

// pageStars are those of the page: 120 to 129, and 1210 to 1299.
const pageStars = 10*120 + 45 + 90*1200 + (10+99)*90/2

func check(n, stars int) error {
	if n != pageSize || stars != pageStars {
		return fmt.Errorf("%d repositories with %d stars, want %d with %d", n, stars, pageSize, pageStars)
	}
	return nil
}

// plainQuery is what a program without a library would write.
func plainQuery(client *http.Client) (data repos, err error) {
	body, err := json.Marshal(map[string]any{
		"query": genqlient.Repos_Operation, "operationName": "Repos", "variables": map[string]any{"owner": "octocat", "first": pageSize},
	})
	if err != nil {
		return data, err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return data, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return data, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return data, fmt.Errorf("status %d", resp.StatusCode)
	}
	var answer struct {
		Data   *repos `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return data, err
	}
	if len(answer.Errors) > 0 {
		return data, errors.New(answer.Errors[0].Message)
	}
	if answer.Data == nil {
		return data, errors.New("no data")
	}
	return *answer.Data, nil
}

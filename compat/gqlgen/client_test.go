package gqlgen_test

import (
	"errors"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/gqlgen"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

type named struct{ Name string }

func TestExecute(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	got, err := graphql.Execute[named](t.Context(), c, `{ name }`, nil)
	assert.NoError(t, err)
	assert.Equal(t, got.Name, "ada")
	assert.Equal(t, string(s.Seen()[0].Body), `{"query":"{ name }"}`)
}

// TestOperationName: of several operations one is executed, the document is sent
// byte for byte.
func TestOperationName(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	const document = "\ufeff# a comment\nquery One { name }, mutation Two($name: String!) { rename(name: $name) }"
	got, err := graphql.Execute[struct{ Rename string }](t.Context(), c, document, graphql.Vars{"name": "eve"}, graphql.OperationName("Two"))
	assert.NoError(t, err)
	assert.Equal(t, got.Rename, "ada")
	one, err := graphql.Execute[named](t.Context(), c, document, nil, graphql.OperationName("One"))
	assert.NoError(t, err)
	assert.Equal(t, one.Name, "eve")
	assert.Equal(t, s.Renames(), 1)
}

func TestDo(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	r, err := graphql.Do[struct{ User *struct{ Login string } }](t.Context(), c, graphql.Request{
		Query: `query Who($login: String!) { user(login: $login) { login } }`, OperationName: "Who",
		Variables: struct {
			Login string `json:"login"`
		}{"octocat"},
	})
	assert.NoError(t, err)
	assert.Equal(t, r.Data.User.Login, "octocat")
	assert.Equal(t, []int{r.StatusCode, r.Attempts}, []int{200, 1})
	assert.Equal(t, r.Header.Get("Content-Type"), "application/graphql-response+json")
}

// TestFieldErrors: null data with an error that has a path, and extensions with
// every digit.
func TestFieldErrors(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	data, err := graphql.Execute[struct {
		Name string
		User *struct{ Login string }
	}](t.Context(), c, `query Who { name user(login: "nobody") { login } }`, nil)
	assert.Equal(t, data.Name, "ada", "the rest of the data")
	assert.True(t, data.User == nil)
	assert.Contains(t, err.Error(), `Who: 200 NOT_FOUND "user: there is no user nobody"`)
	re, ok := errors.AsType[*graphql.ResponseError](err)
	assert.True(t, ok && re.HasData && len(re.Errors) == 1 && re.Err == nil)
	e, ok := errors.AsType[*graphql.Error](err)
	assert.True(t, ok)
	assert.Equal(t, []string{e.Code(), e.Path.String(), string(e.Extensions["account"])}, []string{"NOT_FOUND", "user", "12345678901234567"})
}

// TestRequestErrors: what the server refuses before it begins, once.
func TestRequestErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document string
		vars     graphql.Vars
		code     string
	}{
		"unknown field":    {`{ nothing }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		"syntax":           {`{ name( }`, nil, "GRAPHQL_PARSE_FAILED"},
		"variable missing": {`query($login: String!) { user(login: $login) { login } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		"mutation":         {`mutation { rename(name: 1) }`, nil, "GRAPHQL_VALIDATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := start(t)
			_, err := graphql.Execute[named](t.Context(), c, test.document, test.vars)
			re, ok := errors.AsType[*graphql.ResponseError](err)
			assert.True(t, ok, err)
			assert.Equal(t, re.Errors[0].Code(), test.code, err)
			assert.Equal(t, re.StatusCode, 400)
			assert.True(t, !re.HasData)
			api, ok := errors.AsType[*aplomb.APIError](err)
			assert.True(t, ok && api.StatusCode == 400)
			assert.Equal(t, []int{len(s.Seen()), s.Renames()}, []int{1, 0})
		})
	}
}

// TestAllowPartial: data and errors, and the node that a failing field nulled.
func TestAllowPartial(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	const document = `{ user(login: "octocat") { repositories(first: 8) { nodes { name description audit } } } }`
	type data struct {
		User struct{ Repositories struct{ Nodes []*repo } }
	}
	r, err := graphql.Do[data](t.Context(), c, graphql.Request{Query: document}, graphql.AllowPartial())
	assert.NoError(t, err)
	nodes := r.Data.User.Repositories.Nodes
	assert.True(t, len(nodes) == 8 && nodes[6] == nil && nodes[2].Description == nil && *nodes[7].Description == "about repo-08")
	paths := map[string]bool{}
	for _, e := range r.Errors {
		paths[e.Code()+" "+e.Path.String()] = true
	}
	assert.Equal(t, paths, map[string]bool{
		"FORBIDDEN user.repositories.nodes[2].description": true, "FORBIDDEN user.repositories.nodes[6].audit": true,
	})

	partial, err := graphql.Execute[data](t.Context(), c, document, nil)
	assert.True(t, err != nil && len(partial.User.Repositories.Nodes) == 8, err)
}

type repo struct {
	Name        string
	Number      int
	Description *string
}

const (
	forwards = `query Repos($n: Int!, $cursor: String) { user(login: "octocat") { repositories(first: $n, after: $cursor) {
		pageInfo { hasNextPage endCursor } nodes { name number } } } }`
	backwards = `query Repos($n: Int!, $cursor: String) { user(login: "octocat") { repositories(last: $n, before: $cursor) {
		pageInfo { hasPreviousPage startCursor } nodes { name number } } } }`
)

func TestNodes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document    string
		n           int
		first, last int
		requests    int
		opts        []aplomb.CallOption
	}{
		"forwards":          {forwards, 10, 1, 25, 3, nil},
		"forwards, even":    {forwards, 5, 1, 25, 5, nil},
		"prefetch":          {forwards, 10, 1, 25, 3, []aplomb.CallOption{aplomb.Prefetch()}},
		"at most":           {forwards, 10, 1, 12, 2, []aplomb.CallOption{graphql.AtMost(12)}},
		"backwards":         {backwards, 10, 25, 1, 3, nil},
		"backwards, at":     {backwards, 10, 25, 1, 3, []aplomb.CallOption{graphql.At("user.repositories")}},
		"backwards at most": {backwards, 10, 25, 14, 2, []aplomb.CallOption{graphql.AtMost(12)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := start(t)
			got, err := all(graphql.Nodes[repo](t.Context(), c, test.document, graphql.Vars{"n": test.n}, test.opts...))
			assert.NoError(t, err)
			var numbers []int
			for _, r := range got {
				numbers = append(numbers, r.Number)
			}
			assert.Equal(t, numbers, count(test.first, test.last))
			assert.Equal(t, len(s.Seen()), test.requests)
		})
	}
}

// count counts from one number to another, down if need be.
func count(from, to int) (numbers []int) {
	step := 1
	if to < from {
		step = -1
	}
	for n := from; n != to+step; n += step {
		numbers = append(numbers, n)
	}
	return numbers
}

// TestPartialPages: a range over nodes goes on past fields that failed, where
// that is allowed, and else ends after the nodes that came with the error.
func TestPartialPages(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	const document = `query($cursor: String) { user(login: "octocat") { repositories(first: 5, after: $cursor) {
		pageInfo { hasNextPage endCursor } nodes { number audit } } } }`
	got, err := all(graphql.Nodes[repo](t.Context(), c, document, nil, graphql.AllowPartial()))
	assert.NoError(t, err)
	assert.Equal(t, len(got), 23, "without number 7 and number 17")
	pointers, err := all(graphql.Nodes[*repo](t.Context(), c, document, nil, graphql.AllowPartial()))
	assert.NoError(t, err)
	assert.True(t, len(pointers) == 25 && pointers[6] == nil && pointers[16] == nil && pointers[24].Number == 25)

	before := len(s.Seen())
	got, err = all(graphql.Nodes[repo](t.Context(), c, document, nil))
	e, ok := errors.AsType[*graphql.Error](err)
	assert.True(t, ok && e.Path.String() == "user.repositories.nodes[1].audit", err)
	assert.Equal(t, []int{len(got), len(s.Seen()) - before}, []int{9, 2})
}

func TestEdges(t *testing.T) {
	t.Parallel()
	_, c := startWith(t, gqlgen.Settings{Repositories: 12})
	type edge struct {
		Cursor string
		Node   repo
	}
	got, err := all(graphql.Edges[edge](t.Context(), c, `query($after: String) { user(login: "octocat") { repositories(first: 5, after: $after) {
		pageInfo { hasNextPage endCursor } edges { cursor node { number } } } } }`, nil))
	assert.NoError(t, err)
	assert.True(t, len(got) == 12 && got[11].Cursor == "12" && got[11].Node.Number == 12, got)
}

// TestBadCursor: the server's error ends the range.
func TestBadCursor(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	got, err := all(graphql.Nodes[repo](t.Context(), c, forwards, graphql.Vars{"n": 5, "cursor": "x"}))
	e, ok := errors.AsType[*graphql.Error](err)
	assert.True(t, ok && e.Code() == "BAD_CURSOR" && len(got) == 0, err)
}

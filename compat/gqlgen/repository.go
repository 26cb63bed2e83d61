package gqlgen

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aplomb-go/aplomb/compat/gqlgen/internal/graph"
)

type user struct{ s *Server }

// Repositories slices the list as Relay says
// (https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm). A cursor
// is a repository's number, which counts from 1.
func (u user) Repositories(_ context.Context, _ *graph.User, first *int, after *string, last *int, before *string) (*graph.RepositoryConnection, error) {
	total := u.s.settings.Repositories
	from, err := position(after, 0)
	if err != nil {
		return nil, err
	}
	to, err := position(before, total+1)
	if err != nil {
		return nil, err
	}
	from, to = max(from+1, 1), min(to-1, total)
	if first != nil {
		to = min(to, from+*first-1)
	}
	if last != nil {
		from = max(from, to-*last+1)
	}
	c := &graph.RepositoryConnection{
		TotalCount: total, PageInfo: &graph.PageInfo{HasNextPage: to < total, HasPreviousPage: from > 1},
		Nodes: []*graph.Repository{}, Edges: []*graph.RepositoryEdge{},
	}
	for n := from; n <= to; n++ {
		r := &graph.Repository{Name: fmt.Sprintf("repo-%02d", n), Number: n}
		c.Nodes = append(c.Nodes, r)
		c.Edges = append(c.Edges, &graph.RepositoryEdge{Cursor: strconv.Itoa(n), Node: r})
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return c, nil
}

func position(cursor *string, otherwise int) (int, error) {
	if cursor == nil {
		return otherwise, nil
	}
	n, err := strconv.Atoi(*cursor)
	if err != nil {
		return 0, coded("BAD_CURSOR", fmt.Sprintf("%q is no cursor", *cursor))
	}
	return n, nil
}

type repository struct{}

func (repository) Description(_ context.Context, r *graph.Repository) (*string, error) {
	if r.Number%10 == 3 {
		return nil, coded("FORBIDDEN", "the description is not for you")
	}
	text := "about " + r.Name
	return &text, nil
}

func (repository) Audit(_ context.Context, r *graph.Repository) (string, error) {
	if r.Number%10 == 7 {
		return "", coded("FORBIDDEN", "the audit is not for you")
	}
	return "clean", nil
}

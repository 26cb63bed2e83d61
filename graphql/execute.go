package graphql

import (
	"context"
	"errors"

	"github.com/aplomb-go/aplomb"
)

// Execute sends a query or mutation and decodes the answer's data into a T.
//
// Where the answer has data and errors, both are returned: the data, and a
// [*ResponseError] that says HasData. An answer without GraphQL in it is an
// [*aplomb.APIError] or [*aplomb.DecodeError], no answer an [*aplomb.CallError].
//
// A query is sent again where aplomb sends a GET again. A mutation is not, unless
// it certainly did nothing (no connection, a spent quota) or carries an
// aplomb.IdempotencyKey. The document is checked only so far as to know which
// it is; several operations need an [OperationName].
func Execute[T any](ctx context.Context, c *Client, query string, vars Vars, opts ...aplomb.CallOption) (T, error) {
	var none T
	p, err := c.plan(query, vars, opts)
	if err != nil {
		return none, err
	}
	if p.at != "" {
		return none, errors.New("graphql: At is for Nodes: Execute returns all data")
	}
	t := &trip{plan: p}
	var bad answer[T]
	good, err := aplomb.Post[answer[T]](ctx, p.api, "", p.options(t, refused(t, &bad))...)
	if err == nil {
		return valueOf(good.Data), good.failure(t)
	}
	err = t.complete(err)
	if e, ok := errors.AsType[*ResponseError](err); ok && e.HasData {
		return valueOf(bad.Data), err
	}
	// Data that does not fit T: the server's errors say more, if there are any.
	if _, misfit := errors.AsType[*aplomb.DecodeError](err); misfit {
		e := t.explain(&ResponseError{Errors: good.Errors, Extensions: good.Extensions, Response: t.response, cause: err})
		if e != nil {
			return none, e
		}
	}
	return none, err
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

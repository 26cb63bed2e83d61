package graphql

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aplomb-go/aplomb"
)

// Request is a document and what goes with it.
type Request struct {
	// Query is the document, sent byte for byte.
	Query string
	// OperationName says which of the document's several operations to execute.
	OperationName string
	// Variables are [Vars], or a struct whose JSON is an object. Nil is none.
	Variables any
	// Extensions are for the server's own protocol extensions. Nil is none.
	Extensions map[string]any
}

// Response is an answer: what of it came as data, and all that came with it.
type Response[T any] struct {
	Data T
	// Errors are those beside the data, with [AllowPartial].
	Errors []*Error
	// Extensions are the server's own, such as its tracing; nil without any.
	Extensions json.RawMessage
	// Response has the status, the headers, the request id and the attempts.
	aplomb.Response
}

// Execute sends a query or mutation and decodes the answer's data into a T. vars
// are [Vars], or a struct whose JSON is an object; nil is none. [Do] tells more.
//
// Where the answer has data and errors, both are returned: the data, and a
// [*ResponseError] that says HasData. An answer without GraphQL in it is an
// [*aplomb.APIError] or [*aplomb.DecodeError], no answer an [*aplomb.CallError].
//
// A query is sent again where aplomb sends a GET again. A mutation is not, unless
// it certainly did nothing (no connection, a spent quota) or carries an
// aplomb.IdempotencyKey. The document is checked only so far as to know which
// it is; several operations need an [OperationName].
func Execute[T any](ctx context.Context, c *Client, query string, vars any, opts ...aplomb.CallOption) (T, error) {
	r, err := Do[T](ctx, c, Request{Query: query, Variables: vars}, opts...)
	return r.Data, err
}

// Do is [Execute] for those who want to know more of the answer than its data. The
// Response is never nil; with an error it has what came, as far as that goes.
func Do[T any](ctx context.Context, c *Client, r Request, opts ...aplomb.CallOption) (*Response[T], error) {
	p, err := c.plan(r, opts)
	if err == nil && (p.at != "" || p.atMost != 0) {
		err = errors.New("graphql: At and AtMost are for Nodes, Edges and Pages: Execute and Do return all data")
	}
	if err != nil {
		return new(Response[T]), err
	}
	t := &trip{plan: p}
	var bad answer[T]
	all, err := p.options(t, refused(t, &bad))
	if err != nil {
		return new(Response[T]), err
	}
	good, err := aplomb.Call[answer[T]](t.context(ctx), p.api, p.method(), "", all...)
	if err == nil {
		return good.response(t), p.judged(good.failure(t))
	}
	err = t.complete(err)
	if e, ok := errors.AsType[*ResponseError](err); ok {
		return bad.response(t), p.judged(e)
	}
	// Data that does not fit T: the server's errors say more, if there are any.
	if _, misfit := errors.AsType[*aplomb.DecodeError](err); misfit {
		good.Data = nil
		e := t.explain(&ResponseError{Errors: good.Errors, Extensions: good.Extensions, Response: t.response, cause: err})
		if e != nil {
			err = e
		}
	}
	return good.response(t), err
}

// judged is the failure, but for errors that were allowed for.
func (p *plan) judged(failure error) error {
	if e, ok := errors.AsType[*ResponseError](failure); ok && e.HasData && p.partial {
		return nil
	}
	return failure
}

// response is a for the caller. Of errors that fail the call the error tells.
func (a *answer[T]) response(t *trip) *Response[T] {
	r := &Response[T]{Extensions: a.Extensions, Response: t.response}
	if a.Data != nil {
		r.Data = *a.Data
	}
	if t.plan.partial && a.Data != nil {
		r.Errors = a.Errors
	}
	return r
}

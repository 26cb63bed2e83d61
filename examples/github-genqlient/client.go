package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/Khan/genqlient/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	aplomb "github.com/aplomb-go/aplomb/graphql"
)

// client is a genqlient graphql.Client over aplomb's. What generated code gets is
// as genqlient makes it: its types of error, and the data that came beside one.
// New over genqlient's own is that a query is sent again where a mutation is not,
// that a spent quota is waited for, and that a key or a timeout of
// aplomb.NewContext holds.
type client struct{ gql *aplomb.Client }

// MakeRequest is what generated code calls.
func (c client) MakeRequest(ctx context.Context, req *graphql.Request, resp *graphql.Response) error {
	r, err := aplomb.Do[json.RawMessage](ctx, c.gql, aplomb.Request{Query: req.Query, OperationName: req.OpName, Variables: req.Variables})
	refused, answered := errors.AsType[*aplomb.ResponseError](err)
	if err != nil && !answered {
		return err
	}
	if answered {
		resp.Errors = list(refused.Errors)
	}
	if err := json.Unmarshal(r.Extensions, &resp.Extensions); err != nil && r.Extensions != nil {
		return err
	}
	if r.Data != nil {
		if err := json.Unmarshal(r.Data, resp.Data); err != nil {
			return err
		}
	}
	switch {
	case !answered:
		return nil
	case refused.StatusCode != http.StatusOK:
		return &graphql.HTTPError{Response: *resp, StatusCode: refused.StatusCode}
	default:
		return resp.Errors
	}
}

func list(errs []*aplomb.Error) (all gqlerror.List) {
	for _, e := range errs {
		one := &gqlerror.Error{Message: e.Message, Extensions: map[string]any{"code": e.Code()}}
		for name, raw := range maps.All(e.Extensions) {
			one.Extensions[name] = raw // as it came: numbers keep their digits
		}
		for step := range slices.Values(e.Path) {
			if step.Name != "" {
				one.Path = append(one.Path, ast.PathName(step.Name))
			} else {
				one.Path = append(one.Path, ast.PathIndex(step.Index))
			}
		}
		all = append(all, one)
	}
	return all
}

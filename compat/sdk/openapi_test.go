package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/sdk/internal/oapi"
	"github.com/aplomb-go/aplomb/compat/sdk/internal/ogen"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// shop is the API of internal/openapi.yaml.
func shop(name string) peer {
	return peer{
		name: name, home: "https://shop.example",
		answer: says(`{"id":"1"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"code":"code_%d","message":"not now"}`, status)
		},
		refused: 404, refusal: "404 code_404 not now", unavailable: "503 code_503 not now",
		headers:  map[string]string{"Authorization": "Bearer " + testKey},
		attempts: 4, alone: 1, both: 4,
		lost: 1,
	}
}

func oapiCodegen() peer {
	p := shop("oapi-codegen")
	p.open, p.guide, p.module = openOapi, guideOapi, "github.com/oapi-codegen/oapi-codegen/v2"
	p.typed = func(err error) string {
		e, ok := errors.AsType[*unexpected](err)
		if !ok || e.problem == nil {
			return ""
		}
		return fmt.Sprint(e.status, " ", e.problem.Code, " ", e.problem.Message)
	}
	return p
}

// unexpected is what a program makes of oapi-codegen's response, which is no
// error whatever its status.
type unexpected struct {
	status  int
	problem *oapi.Problem
}

func (*unexpected) Error() string { return "unexpected status" }

func openOapi(t *testing.T, c doer, url string, _ bool) calls {
	token := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+testKey)
		return nil
	}
	oc, err := oapi.NewClientWithResponses(url, oapi.WithHTTPClient(c), oapi.WithRequestEditorFn(token))
	assert.NoError(t, err)
	create := func(ctx context.Context, params *oapi.CreateOrderParams) error {
		resp, err := oc.CreateOrderWithResponse(ctx, params, oapi.Order{Id: "1"})
		if err == nil && resp.JSON200 == nil {
			err = &unexpected{resp.StatusCode(), resp.JSONDefault}
		}
		return err
	}
	return calls{
		read: func(ctx context.Context) error {
			resp, err := oc.GetOrderWithResponse(ctx, "1")
			if err == nil && resp.JSON200 == nil {
				err = &unexpected{resp.StatusCode(), resp.JSONDefault}
			}
			return err
		},
		create: func(ctx context.Context) error { return create(ctx, nil) },
		keyed: func(ctx context.Context, key string) error {
			return create(ctx, &oapi.CreateOrderParams{IdempotencyKey: &key})
		},
	}
}

func ogenGo() peer {
	p := shop("ogen")
	p.open, p.guide, p.module = openOgen, guideOgen, "github.com/ogen-go/ogen"
	p.typed = func(err error) string {
		e, ok := errors.AsType[*ogen.ProblemStatusCode](err)
		if !ok {
			return ""
		}
		return fmt.Sprint(e.StatusCode, " ", e.Response.Code, " ", e.Response.Message)
	}
	return p
}

type ogenToken struct{}

func (ogenToken) Token(context.Context, ogen.OperationName) (ogen.Token, error) {
	return ogen.Token{Token: testKey}, nil
}

func openOgen(t *testing.T, c doer, url string, _ bool) calls {
	oc, err := ogen.NewClient(url, ogenToken{}, ogen.WithClient(c))
	assert.NoError(t, err)
	create := func(ctx context.Context, params ogen.CreateOrderParams) error {
		_, err := oc.CreateOrder(ctx, &ogen.Order{ID: "1"}, params)
		return err
	}
	return calls{
		read: func(ctx context.Context) error {
			_, err := oc.GetOrder(ctx, ogen.GetOrderParams{ID: "1"})
			return err
		},
		create: func(ctx context.Context) error { return create(ctx, ogen.CreateOrderParams{}) },
		keyed: func(ctx context.Context, key string) error {
			return create(ctx, ogen.CreateOrderParams{IdempotencyKey: ogen.NewOptString(key)})
		},
	}
}

func guideOapi(ctx context.Context, c *aplomb.Client, _ string) error {
	token := func(context.Context, *http.Request) error { return nil }
	// what oapi-codegen generates
	oc, err := oapi.NewClientWithResponses("https://shop.example", oapi.WithHTTPClient(c), oapi.WithRequestEditorFn(token))

	if err != nil {
		return err
	}
	_, err = oc.GetOrderWithResponse(ctx, "1")
	return err
}

func guideOgen(ctx context.Context, c *aplomb.Client, _ string) error {
	var tokens ogenToken
	// what ogen generates
	oc, err := ogen.NewClient("https://shop.example", tokens, ogen.WithClient(c))

	if err != nil {
		return err
	}
	_, err = oc.GetOrder(ctx, ogen.GetOrderParams{ID: "1"})
	return err
}

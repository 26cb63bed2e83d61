package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/Khan/genqlient/graphql"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/sdk/internal/genqlient"
	aplombgraphql "github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// genQLient has no credentials of its own, and posts its queries.
func genQLient() peer {
	return peer{
		name: "genqlient",
		open: openGenqlient, guide: guideGenqlient, home: "https://api.github.com", module: "github.com/Khan/genqlient",
		opts:   []aplomb.Option{aplombgraphql.Preset(), aplomb.Bearer(aplomb.Static(testKey))},
		answer: says(`{"data":{"order":{"id":"1"},"createOrder":{"id":"1"}}}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"errors":[{"message":"not now","extensions":{"code":"CODE_%d"}}]}`, status)
		},
		refused: 422, refusal: "422 not now CODE_422", unavailable: "503 not now CODE_503",
		typed: func(err error) string {
			e, ok := errors.AsType[*graphql.HTTPError](err)
			if !ok || len(e.Response.Errors) != 1 {
				return ""
			}
			return fmt.Sprint(e.StatusCode, " ", e.Response.Errors[0].Message, " ", e.Response.Errors[0].Extensions["code"])
		},
		headers:  map[string]string{"Authorization": "Bearer " + testKey, "Content-Type": "application/json"},
		vary:     []string{"Authorization"},
		attempts: 4, alone: 1, both: 4,
		lost: 1,
	}
}

func openGenqlient(_ *testing.T, c doer, url string, _ bool) calls {
	gql := graphql.NewClient(url+"/graphql", c)
	return calls{
		read: func(ctx context.Context) error {
			_, err := genqlient.GetOrder(aplomb.NewContext(ctx, aplomb.Safe()), gql, "1")
			return err
		},
		create: func(ctx context.Context) error {
			_, err := genqlient.CreateOrder(ctx, gql, "1")
			return err
		},
	}
}

// TestGenqlientRateLimited: GitHub says with a 200 that a quota is used up, and
// did nothing then.
func TestGenqlientRateLimited(t *testing.T) {
	t.Parallel()
	p := genQLient()
	stage(t, "sent again", &p, func(s *scene) {
		s.script.Then(answer(200, `{"data":null,"errors":[{"type":"RATE_LIMITED","message":"slow down"}]}`, "Content-Type", "application/json", "Retry-After", "1"))
		waited, err := took(func() error { return s.calls().create(s.t.Context()) })
		assert.NoError(s.t, err)
		assert.True(s.t, waited.Seconds() >= 1 && waited.Seconds() <= 1.1, waited)
		s.sent(2)
	})
}

func guideGenqlient(ctx context.Context, c *aplomb.Client, _ string) error {
	// github.com/Khan/genqlient/graphql
	gql := graphql.NewClient("https://api.github.com/graphql", c)
	order, err := genqlient.GetOrder(aplomb.NewContext(ctx, aplomb.Safe()), gql, "1") // a query

	_ = order
	return err
}

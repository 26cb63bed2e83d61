package call_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

func ours(tb testing.TB, rt http.RoundTripper) client {
	tb.Helper()
	c, err := aplomb.New(canned.Base, aplomb.Bearer(aplomb.Static(canned.Token)), aplomb.Transport(rt))
	if err != nil {
		tb.Fatal(err)
	}
	return client{
		name: "aplomb", http: c.HTTPClient(),
		get: func(ctx context.Context) (canned.Order, error) {
			return aplomb.Get[canned.Order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
		},
		post: func(ctx context.Context, d *draft) (canned.Order, error) {
			return aplomb.Post[canned.Order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"), aplomb.JSON(d))
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			open := func() (io.ReadCloser, error) { return reader{bytes.NewReader(body)}, nil }
			return aplomb.Post[canned.Order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"), aplomb.Body("application/json", open))
		},
	}
}

// reader says how long it is, which one in an io.NopCloser does not.
type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

package loopback_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/canned"
	"github.com/aplomb-go/aplomb/bench/internal/composed"
)

// A way makes one call.
type way struct {
	name string
	call func(ctx context.Context) (canned.Order, error)
}

// cases are the ways over transports of their own.
var cases = []struct {
	name string
	ways func(tb testing.TB, base string) []way
}{
	{"shared-settings", func(tb testing.TB, base string) []way {
		tb.Helper()
		return []way{
			ours(tb, base, aplomb.Transport(roomy(tb))),
			byHand(base, roomy(tb)),
			bare(base, roomy(tb)),
		}
	}},
	{"as-they-come", func(tb testing.TB, base string) []way {
		tb.Helper()
		return []way{
			ours(tb, base),
			byHand(base, closing(tb, cleanhttp.DefaultPooledTransport())),
			bare(base, closing(tb, http.DefaultTransport.(*http.Transport).Clone())),
		}
	}},
}

// roomy keeps a connection for each caller.
func roomy(tb testing.TB) *http.Transport {
	tb.Helper()
	rt := http.DefaultTransport.(*http.Transport).Clone()
	rt.MaxIdleConns, rt.MaxIdleConnsPerHost = callers, callers
	return closing(tb, rt)
}

func closing(tb testing.TB, rt *http.Transport) *http.Transport {
	tb.Helper()
	tb.Cleanup(rt.CloseIdleConnections)
	return rt
}

func ours(tb testing.TB, base string, opts ...aplomb.Option) way {
	tb.Helper()
	c, err := aplomb.New(base, append(opts, aplomb.Bearer(aplomb.Static(canned.Token)))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdleConnections)
	return way{"aplomb", func(ctx context.Context) (canned.Order, error) {
		return aplomb.Get[canned.Order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
	}}
}

func byHand(base string, rt http.RoundTripper) way {
	stack := composed.New(rt, composed.Settings{Token: canned.Token})
	return way{"composed", func(ctx context.Context) (canned.Order, error) {
		ctx, cancel := context.WithTimeout(ctx, composed.Total)
		defer cancel()
		req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, base+canned.Path, nil)
		if err != nil {
			return canned.Order{}, err
		}
		return canned.Read(stack.Do(req))
	}}
}

func bare(base string, rt http.RoundTripper) way {
	c := &http.Client{Transport: rt}
	return way{"net-http", func(ctx context.Context) (canned.Order, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+canned.Path, http.NoBody)
		if err != nil {
			return canned.Order{}, err
		}
		canned.Sign(req.Header)
		return canned.Read(c.Do(req))
	}}
}

package call_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
	"github.com/aplomb-go/aplomb/bench/internal/composed"
)

// byHand is the stack made by hand, used directly.
func byHand(_ testing.TB, rt http.RoundTripper) client {
	stack := composed.New(rt, composed.Settings{Token: canned.Token})
	return client{
		name: "composed",
		get: func(ctx context.Context) (canned.Order, error) {
			ctx, cancel := context.WithTimeout(ctx, composed.Total)
			defer cancel()
			req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				return canned.Order{}, err
			}
			return canned.Read(stack.Do(req))
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			ctx, cancel := context.WithTimeout(ctx, composed.Total)
			defer cancel()
			req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, address, body)
			if err != nil {
				return canned.Order{}, err
			}
			req.Header.Set("Content-Type", "application/json")
			return canned.Read(stack.Do(req))
		},
	}.encoding()
}

// byHandHTTP is the same as an *http.Client.
func byHandHTTP(_ testing.TB, rt http.RoundTripper) client {
	return client{name: "composed-http", http: composed.New(rt, composed.Settings{Token: canned.Token}).StandardClient(), total: composed.Total}.over()
}

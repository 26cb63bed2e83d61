package call_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

func retryable(_ testing.TB, rt http.RoundTripper) client {
	rc := retryablehttp.NewClient()
	rc.HTTPClient.Transport = rt
	rc.Logger = nil
	return client{
		name: "retryablehttp", http: rc.StandardClient(), signed: true,
		get: func(ctx context.Context) (canned.Order, error) {
			req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				return canned.Order{}, err
			}
			canned.Sign(req.Header)
			return canned.Read(rc.Do(req))
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, address, body)
			if err != nil {
				return canned.Order{}, err
			}
			canned.Sign(req.Header)
			req.Header.Set("Content-Type", "application/json")
			return canned.Read(rc.Do(req))
		},
	}.encoding()
}

package call_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gojek/heimdall/v7"
	"github.com/gojek/heimdall/v7/hystrix"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

func gojek(_ testing.TB, rt http.RoundTripper) client {
	const timeout = 30 * time.Second
	hc := hystrix.NewClient(
		hystrix.WithHTTPClient(&http.Client{Transport: rt}),
		hystrix.WithCommandName("orders"),
		hystrix.WithHTTPTimeout(timeout),
		hystrix.WithHystrixTimeout(timeout),
		hystrix.WithMaxConcurrentRequests(100),
		hystrix.WithErrorPercentThreshold(50),
		hystrix.WithRequestVolumeThreshold(20),
		hystrix.WithRetryCount(3),
		hystrix.WithRetrier(heimdall.NewRetrier(heimdall.NewExponentialBackoff(2*time.Millisecond, 9*time.Millisecond, 2, 2*time.Millisecond))),
	)
	do := func(ctx context.Context, method string, body []byte) (canned.Order, error) {
		req, err := newRequest(ctx, method, body)
		if err != nil {
			return canned.Order{}, err
		}
		canned.Sign(req.Header)
		return canned.Read(hc.Do(req))
	}
	return client{
		name: "heimdall-v7", fails: true,
		get:  func(ctx context.Context) (canned.Order, error) { return do(ctx, http.MethodGet, nil) },
		send: func(ctx context.Context, body []byte) (canned.Order, error) { return do(ctx, http.MethodPost, body) },
	}.encoding()
}

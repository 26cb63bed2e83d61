package call_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/imroc/req/v3"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

func imroc(_ testing.TB, rt http.RoundTripper) client {
	rc := req.C().
		SetBaseURL(canned.Base).
		SetCommonBearerAuthToken(canned.Token).
		SetCommonRetryCount(3).
		SetCommonRetryCondition(func(resp *req.Response, err error) bool {
			return err != nil || resp.StatusCode == http.StatusTooManyRequests
		}).
		SetCommonRetryInterval(func(*req.Response, int) time.Duration { return 0 }) // it reads no Retry-After
	rc.GetTransport().WrapRoundTripFunc(func(http.RoundTripper) req.HttpRoundTripFunc { return rt.RoundTrip })
	done := func(o canned.Order, resp *req.Response, err error) (canned.Order, error) {
		if err == nil && !resp.IsSuccessState() {
			err = errors.New(resp.Status)
		}
		return o, err
	}
	return client{
		name: "req-v3",
		get: func(ctx context.Context) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetSuccessResult(&o).Get("/v1/orders/{id}")
			return done(o, resp, err)
		},
		post: func(ctx context.Context, d *draft) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetBodyJsonMarshal(d).SetSuccessResult(&o).Post("/v1/orders/{id}")
			return done(o, resp, err)
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetBodyJsonBytes(body).SetSuccessResult(&o).Post("/v1/orders/{id}")
			return done(o, resp, err)
		},
	}
}

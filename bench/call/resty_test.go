package call_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	restyv2 "github.com/go-resty/resty/v2"
	restyv3 "resty.dev/v3"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

func restyTwo(_ testing.TB, rt http.RoundTripper) client {
	rc := restyv2.NewWithClient(&http.Client{Transport: rt}).
		SetBaseURL(canned.Base).
		SetAuthToken(canned.Token).
		SetRetryCount(3).
		SetRetryWaitTime(time.Nanosecond). // it reads no Retry-After
		AddRetryCondition(func(r *restyv2.Response, err error) bool {
			return err != nil || r.StatusCode() == http.StatusTooManyRequests
		})
	done := func(o canned.Order, resp *restyv2.Response, err error) (canned.Order, error) {
		if err == nil && !resp.IsSuccess() {
			err = errors.New(resp.Status())
		}
		return o, err
	}
	return client{
		name: "resty-v2",
		get: func(ctx context.Context) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetResult(&o).Get("/v1/orders/{id}")
			return done(o, resp, err)
		},
		post: func(ctx context.Context, d *draft) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetBody(d).SetResult(&o).Post("/v1/orders/{id}")
			return done(o, resp, err)
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetHeader("Content-Type", "application/json").
				SetBody(body).SetResult(&o).Post("/v1/orders/{id}")
			return done(o, resp, err)
		},
	}
}

func restyThree(tb testing.TB, rt http.RoundTripper) client {
	tb.Helper()
	rc := restyv3.NewWithClient(&http.Client{Transport: rt}).
		SetBaseURL(canned.Base).
		SetAuthToken(canned.Token).
		SetRetryCount(3).
		AddRetryConditions(restyv3.RetryConditionStatusTooManyRequests, restyv3.RetryConditionStatus5XX).
		SetCircuitBreaker(restyv3.NewCircuitBreakerRatio(0.5, 20, time.Second))
	tb.Cleanup(func() { _ = rc.Close() })
	done := func(o canned.Order, resp *restyv3.Response, err error) (canned.Order, error) {
		if err == nil && !resp.IsStatusSuccess() {
			err = errors.New(resp.Status())
		}
		return o, err
	}
	return client{
		name: "resty-v3",
		get: func(ctx context.Context) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetResult(&o).Get("/v1/orders/{id}")
			return done(o, resp, err)
		},
		post: func(ctx context.Context, d *draft) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetBody(d).SetResult(&o).Post("/v1/orders/{id}")
			return done(o, resp, err)
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			var o canned.Order
			resp, err := rc.R().SetContext(ctx).SetPathParam("id", "o_1").SetHeader("Content-Type", "application/json").
				SetBody(body).SetResult(&o).Post("/v1/orders/{id}")
			return done(o, resp, err)
		},
	}
}

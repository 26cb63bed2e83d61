package call_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

// static is a credential that lasts.
type static struct{}

func (static) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: canned.Token, ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

func azure(_ testing.TB, rt http.RoundTripper) client {
	pipeline := runtime.NewPipeline("bench", "v1.0.0",
		runtime.PipelineOptions{PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(static{}, []string{"orders"}, nil)}},
		&policy.ClientOptions{
			Transport: &http.Client{Transport: rt},
			Retry:     policy.RetryOptions{RetryDelay: time.Nanosecond}, // it takes Retry-After: 0 for a word missing, and no delay for a minute
		})
	do := func(req *policy.Request) (canned.Order, error) {
		var o canned.Order
		resp, err := pipeline.Do(req)
		if err != nil {
			return o, err
		}
		if !runtime.HasStatusCode(resp, http.StatusOK) {
			return o, runtime.NewResponseError(resp)
		}
		err = runtime.UnmarshalAsJSON(resp, &o)
		return o, err
	}
	return client{
		name: "azcore",
		get: func(ctx context.Context) (canned.Order, error) {
			req, err := runtime.NewRequest(ctx, http.MethodGet, address)
			if err != nil {
				return canned.Order{}, err
			}
			return do(req)
		},
		post: func(ctx context.Context, d *draft) (canned.Order, error) {
			req, err := runtime.NewRequest(ctx, http.MethodPost, address)
			if err != nil {
				return canned.Order{}, err
			}
			if err := runtime.MarshalAsJSON(req, d); err != nil {
				return canned.Order{}, err
			}
			return do(req)
		},
		send: func(ctx context.Context, body []byte) (canned.Order, error) {
			req, err := runtime.NewRequest(ctx, http.MethodPost, address)
			if err != nil {
				return canned.Order{}, err
			}
			if err := req.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/json"); err != nil {
				return canned.Order{}, err
			}
			return do(req)
		},
	}
}

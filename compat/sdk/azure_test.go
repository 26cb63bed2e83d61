package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/aplomb-go/aplomb"
)

// azure is azcore's pipeline, over which each client of Azure's SDK is built.
func azure() peer {
	return peer{
		name: "azcore",
		open: openAzure, guide: guideAzure, home: "https://shop.example", module: "github.com/Azure/azure-sdk-for-go/sdk/azcore",
		answer: says(`{"id":"thing"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"error":{"code":"Code%d","message":"not now"}}`, status)
		},
		refused: 404, refusal: "404 Code404", unavailable: "503 Code503",
		typed: func(err error) string {
			e, ok := errors.AsType[*azcore.ResponseError](err)
			if !ok {
				return ""
			}
			return fmt.Sprint(e.StatusCode, " ", e.ErrorCode)
		},
		headers:  map[string]string{"X-Api-Key": testKey, "User-Agent": "azsdk-go-shop/v1.0.0"},
		attempts: 4, alone: 4, both: 15, budgeted: true,
		lost: 1,
	}
}

func openAzure(_ *testing.T, c doer, url string, own bool) calls {
	options := &policy.ClientOptions{Transport: c}
	if !own {
		options.Retry.MaxRetries = -1
	}
	key := runtime.NewKeyCredentialPolicy(azcore.NewKeyCredential(testKey), "X-Api-Key", &runtime.KeyCredentialPolicyOptions{InsecureAllowCredentialWithHTTP: true})
	pipeline := runtime.NewPipeline("shop", "v1.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{key}}, options)
	// call is what the generated clients do.
	call := func(ctx context.Context, method, path, body, idempotencyKey string) error {
		req, err := runtime.NewRequest(ctx, method, url+path)
		if err != nil {
			return err
		}
		if idempotencyKey != "" {
			req.Raw().Header.Set("Idempotency-Key", idempotencyKey)
		}
		if body != "" {
			if err := req.SetBody(streaming.NopCloser(strings.NewReader(body)), "application/json"); err != nil {
				return err
			}
		}
		resp, err := pipeline.Do(req)
		if err != nil {
			return err
		}
		if !runtime.HasStatusCode(resp, http.StatusOK) {
			return runtime.NewResponseError(resp)
		}
		return runtime.UnmarshalAsJSON(resp, &struct{}{})
	}
	return calls{
		read: func(ctx context.Context) error { return call(ctx, http.MethodGet, "/things/1", "", "") },
		create: func(ctx context.Context) error {
			return call(ctx, http.MethodPost, "/things", `{"id":"thing"}`, "")
		},
		keyed: func(ctx context.Context, key string) error {
			return call(ctx, http.MethodPost, "/things", `{"id":"thing"}`, key)
		},
	}
}

func guideAzure(ctx context.Context, c *aplomb.Client, _ string) error {
	// github.com/Azure/azure-sdk-for-go/sdk/azcore/policy
	options := policy.ClientOptions{Transport: c}
	options.Retry.MaxRetries = -1

	pipeline := runtime.NewPipeline("shop", "v1.0.0", runtime.PipelineOptions{}, &options)
	req, err := runtime.NewRequest(ctx, http.MethodGet, "https://shop.example/things/1")
	if err != nil {
		return err
	}
	_, err = pipeline.Do(req)
	return err
}

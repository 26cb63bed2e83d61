package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/aplomb-go/aplomb"
)

func anthropicSDK() peer {
	return peer{
		name: "anthropic-sdk-go",
		open: openAnthropic, guide: guideAnthropic, home: "https://api.anthropic.com", module: "github.com/anthropics/anthropic-sdk-go",
		answer: says(`{"id":"claude","type":"model"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"type":"error","error":{"type":"type_%d","message":"not now"},"request_id":"req_1"}`, status)
		},
		refused: 404, refusal: "404 type_404", unavailable: "503 type_503",
		typed: func(err error) string {
			e, ok := errors.AsType[*anthropic.Error](err)
			if !ok {
				return ""
			}
			return fmt.Sprint(e.StatusCode, " ", e.Type())
		},
		headers:  map[string]string{"X-Api-Key": testKey, "User-Agent": "Anthropic/Go 1.", "Anthropic-Version": "2023-06-01"},
		attempts: 4, alone: 3, both: 12,
		lost: 1,
	}
}

func openAnthropic(_ *testing.T, c doer, url string, own bool) calls {
	opts := []option.RequestOption{option.WithBaseURL(url), option.WithAPIKey(testKey), option.WithHTTPClient(c)}
	if !own {
		opts = append(opts, option.WithMaxRetries(0))
	}
	ac := anthropic.NewClient(opts...)
	create := func(ctx context.Context, opts ...option.RequestOption) error {
		_, err := ac.Messages.New(ctx, anthropic.MessageNewParams{
			Model: "claude", MaxTokens: 10,
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello"))},
		}, opts...)
		return err
	}
	return calls{
		read: func(ctx context.Context) error {
			_, err := ac.Models.Get(ctx, "claude", anthropic.ModelGetParams{})
			return err
		},
		create: func(ctx context.Context) error { return create(ctx) },
		keyed: func(ctx context.Context, key string) error {
			return create(ctx, option.WithHeader("Idempotency-Key", key))
		},
	}
}

func guideAnthropic(ctx context.Context, c *aplomb.Client, key string) error {
	// github.com/anthropics/anthropic-sdk-go
	ac := anthropic.NewClient(option.WithAPIKey(key), option.WithHTTPClient(c), option.WithMaxRetries(0))

	_, err := ac.Models.Get(ctx, "claude", anthropic.ModelGetParams{})
	return err
}

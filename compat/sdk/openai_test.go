package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func openAI() peer {
	return peer{
		name: "openai-go",
		open: openOpenAI, guide: guideOpenAI, home: "https://api.openai.com", module: "github.com/openai/openai-go/v3",
		answer: says(`{"id":"gpt","object":"model"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"error":{"type":"server_error","code":"code_%d","message":"not now","param":"model"}}`, status)
		},
		refused: 404, refusal: "404 code_404 not now model", unavailable: "503 code_503 not now model",
		typed: func(err error) string {
			e, ok := errors.AsType[*openai.Error](err)
			if !ok {
				return ""
			}
			return fmt.Sprint(e.StatusCode, " ", e.Code, " ", e.Message, " ", e.Param)
		},
		headers:  map[string]string{"Authorization": "Bearer " + testKey, "User-Agent": "OpenAI/Go 3."},
		attempts: 4, alone: 3, both: 12,
		lost: 1,
	}
}

func openOpenAI(_ *testing.T, c doer, url string, own bool) calls {
	opts := []option.RequestOption{option.WithBaseURL(url), option.WithAPIKey(testKey), option.WithHTTPClient(c)}
	if !own {
		opts = append(opts, option.WithMaxRetries(0))
	}
	oc := openai.NewClient(opts...)
	create := func(ctx context.Context, opts ...option.RequestOption) error {
		_, err := oc.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
			Model: "gpt", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
		}, opts...)
		return err
	}
	return calls{
		read: func(ctx context.Context) error {
			_, err := oc.Models.Get(ctx, "gpt")
			return err
		},
		create: func(ctx context.Context) error { return create(ctx) },
		keyed: func(ctx context.Context, key string) error {
			return create(ctx, option.WithHeader("Idempotency-Key", key))
		},
	}
}

// TestSafeCompletions: a completion is a POST that has no effect but its price,
// and is sent again where the client is told that it may be. By themselves the
// SDKs do so untold.
func TestSafeCompletions(t *testing.T) {
	t.Parallel()
	for _, p := range []peer{openAI(), anthropicSDK()} {
		stage(t, p.name, &p, func(s *scene) {
			s.script.Then(s.fault(http.StatusServiceUnavailable), aplombtest.LostResponse())
			assert.NoError(s.t, s.calls().create(aplomb.NewContext(s.t.Context(), aplomb.Safe())))
			s.sent(3)

			s.script.Then(aplombtest.LostResponse())
			assert.NoError(s.t, p.open(s.t, bare{s.srv.Client()}, s.srv.URL, true).create(s.t.Context()))
			assert.Equal(s.t, len(s.requests()), 2, "by itself")
		})
	}
}

// TestRetryAfterMs: what these APIs add to Retry-After, which is finer.
func TestRetryAfterMs(t *testing.T) {
	t.Parallel()
	for _, p := range []peer{openAI(), anthropicSDK()} {
		stage(t, p.name, &p, func(s *scene) {
			s.script.Then(s.fault(http.StatusTooManyRequests, "Retry-After-Ms", "2500", "Retry-After", "3"))
			waited, err := took(func() error { return s.calls().create(s.t.Context()) })
			assert.NoError(s.t, err)
			assert.True(s.t, waited.Milliseconds() >= 2500 && waited.Milliseconds() <= 2750, waited)
		})
	}
}

func guideOpenAI(ctx context.Context, c *aplomb.Client, key string) error {
	// github.com/openai/openai-go/v3
	oc := openai.NewClient(option.WithAPIKey(key), option.WithHTTPClient(c), option.WithMaxRetries(0))

	_, err := oc.Models.Get(ctx, "gpt")
	return err
}

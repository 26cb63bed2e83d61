package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// googleAPI is given no credential: WithHTTPClient overrides every other
// option, so that it is the client that has it.
func googleAPI() peer {
	return peer{
		name:   "google-api-go-client",
		open:   openGoogle,
		opts:   []aplomb.Option{aplomb.Bearer(aplomb.Static(testKey))},
		answer: says(`{"kind":"storage#bucket","name":"box"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"error":{"code":%d,"message":"not now","errors":[{"reason":"reason_%[1]d"}]}}`, status)
		},
		refused: 404, refusal: "404 not now reason_404", unavailable: "503 not now reason_503",
		typed: func(err error) string {
			e, ok := errors.AsType[*googleapi.Error](err)
			if !ok || len(e.Errors) != 1 {
				return ""
			}
			return fmt.Sprint(e.Code, " ", e.Message, " ", e.Errors[0].Reason)
		},
		headers:  map[string]string{"Authorization": "Bearer " + testKey, "User-Agent": "google-api-go-client/", "X-Goog-Api-Client": "gl-go/"},
		vary:     []string{"Authorization"},
		attempts: 4, alone: 1, both: 4,
		lost: 1,
	}
}

func openStorage(t *testing.T, c client, url string) *storage.Service {
	service, err := storage.NewService(t.Context(), option.WithHTTPClient(c.HTTPClient()), option.WithEndpoint(url))
	assert.NoError(t, err)
	return service
}

func openGoogle(t *testing.T, c client, url string, _ bool) calls {
	service := openStorage(t, c, url)
	return calls{
		read: func(ctx context.Context) error {
			_, err := service.Buckets.Get("box").Context(ctx).Do()
			return err
		},
		create: func(ctx context.Context) error {
			_, err := service.Buckets.Insert("project", &storage.Bucket{Name: "box"}).Context(ctx).Do()
			return err
		},
		keyed: func(ctx context.Context, key string) error {
			call := service.Buckets.Insert("project", &storage.Bucket{Name: "box"}).Context(ctx)
			call.Header().Set("Idempotency-Key", key)
			_, err := call.Do()
			return err
		},
	}
}

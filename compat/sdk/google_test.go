package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

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
		name: "google-api-go-client",
		open: openGoogle, guide: guideGoogle, home: "https://storage.googleapis.com", module: "google.golang.org/api",
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

func openStorage(t *testing.T, c doer, url string) *storage.Service {
	service, err := storage.NewService(t.Context(), option.WithHTTPClient(c.HTTPClient()), option.WithEndpoint(url))
	assert.NoError(t, err)
	return service
}

func openGoogle(t *testing.T, c doer, url string, _ bool) calls {
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

// TestGoogleUploads: of uploads the SDK sends the first request once, and each
// chunk of a large one until 32 s are over.
func TestGoogleUploads(t *testing.T) {
	t.Parallel()
	p := googleAPI()
	upload := func(ctx context.Context, s *scene, size int, opts ...aplomb.Option) error {
		call := openStorage(s.t, s.aplomb(opts...), s.srv.URL).Objects.Insert("box", &storage.Object{Name: "thing"})
		_, err := call.Media(strings.NewReader(strings.Repeat("x", size)), googleapi.ChunkSize(googleapi.MinUploadChunkSize)).Context(ctx).Do()
		return err
	}
	stage(t, "a small one", &p, func(s *scene) {
		s.script.Always(s.fault(http.StatusServiceUnavailable))
		err := upload(s.t.Context(), s, 100, aplomb.Idempotency{Header: "X-Goog-Gcs-Idempotency-Token"})
		assert.Equal(s.t, p.typed(err), p.unavailable, err)
		sent := s.sent(4)
		assert.True(s.t, sent[0].header.Get("X-Goog-Gcs-Idempotency-Token") != "")
	})
	stage(t, "the chunks of a large one", &p, func(s *scene) {
		s.script.Then(answer(http.StatusOK, "", "Location", s.srv.URL+"/session")).Always(s.fault(http.StatusServiceUnavailable))
		waited, err := took(func() error { return upload(s.t.Context(), s, googleapi.MinUploadChunkSize+1) })
		assert.Equal(s.t, p.typed(err), p.unavailable, err)
		assert.Equal(s.t, waited, 32*time.Second)
		count := map[string]int{} // gccl-attempt-count is in it
		for _, r := range s.requests()[1:] {
			count[r.header.Get("X-Goog-Api-Client")]++
		}
		assert.True(s.t, len(count) > 5, count)
		for attempt, n := range count {
			assert.Equal(s.t, n, 1, attempt, "is sent by the SDK alone: its chunks have no GetBody")
		}
	})
}

func guideGoogle(ctx context.Context, c *aplomb.Client, _ string) error {
	// google.golang.org/api/storage/v1
	service, err := storage.NewService(ctx, option.WithHTTPClient(c.HTTPClient()))

	if err != nil {
		return err
	}
	_, err = service.Buckets.Get("box").Context(ctx).Do()
	return err
}

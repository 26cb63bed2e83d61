package cache_test

import (
	"net/http"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
)

// keepable has each answer kept.
func keepable(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil {
			if resp.Header == nil {
				resp.Header = http.Header{}
			}
			resp.Header.Set("Cache-Control", "max-age=60, stale-if-error=60")
			resp.Header.Set("ETag", `"a"`)
		}
		return resp, err
	})
}

// TestMiddlewareSuite is what each middleware of net/http's has to keep to.
func TestMiddlewareSuite(t *testing.T) {
	t.Parallel()
	bubble(t, "nothing is kept", func(t *testing.T) {
		aplombtest.TestMiddleware(t, newCache(t, cache.NewMemory(1<<20), cache.Settings{}).Middleware)
	})
	bubble(t, "all is kept in memory", func(t *testing.T) {
		aplombtest.TestMiddleware(t, func(next http.RoundTripper) http.RoundTripper {
			return newCache(t, cache.NewMemory(1<<20), cache.Settings{}).Middleware(keepable(next))
		})
	})
	bubble(t, "all is kept on disk", func(t *testing.T) {
		aplombtest.TestMiddleware(t, func(next http.RoundTripper) http.RoundTripper {
			return newCache(t, openDisk(t, newDir(t), 1<<20), cache.Settings{}).Middleware(keepable(next))
		})
	})
}

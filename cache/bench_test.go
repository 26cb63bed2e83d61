package cache_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
)

// BenchmarkHit is a fresh answer, read to its end, beside one of the transport alone.
func BenchmarkHit(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		next := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Cache-Control": {"max-age=3600"}, "Content-Type": {"application/json"}},
				Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(size), Request: r,
			}, nil
		})
		disk, err := cache.OpenDisk(filepath.Join(b.TempDir(), "answers"), "me", 64<<20)
		if err != nil {
			b.Fatal(err)
		}
		for name, store := range map[string]cache.Store{"memory": cache.NewMemory(64 << 20), "disk": disk} {
			c, err := cache.New(store, cache.Settings{})
			if err != nil {
				b.Fatal(err)
			}
			client := &http.Client{Transport: c.Middleware(next)}
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					resp, err := client.Get("http://api.test/a")
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		}
	}
}

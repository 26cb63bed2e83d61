// Package cache_test puts the cache under SDKs.
package cache_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-github/v88/github"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestGoGitHub: go-github decodes without reading to the end, brings its token
// itself, and goes by the rate limits in each answer that is not from a cache. What
// GitHub sends was taken from its documentation: a 304 takes nothing of the quota if
// the request has a valid Authorization.
func TestGoGitHub(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left, sent := 60, 0
		server := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent++
			h := w.Header()
			h.Set("Content-Type", "application/json; charset=utf-8")
			h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
			h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With")
			h.Set("ETag", `W/"`+r.Header.Get("Authorization")+`"`)
			h.Set("X-Ratelimit-Limit", "60")
			h.Set("X-Ratelimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
			if r.Header.Get("If-None-Match") == h.Get("ETag") {
				h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
				w.WriteHeader(http.StatusNotModified)
				return
			}
			left--
			h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
			w.(http.Flusher).Flush() // no length, as with gzip
			_, _ = fmt.Fprintf(w, `{"id":1,"full_name":%q}`+"\n", r.Header.Get("Authorization"))
		}))
		answers, err := cache.New(cache.NewMemory(1<<20), cache.Settings{})
		assert.NoError(t, err)
		c, err := aplomb.New(server.URL, aplomb.Transport(server.Transport()), aplomb.PerCall(answers.Middleware))
		assert.NoError(t, err)
		defer c.CloseIdleConnections()
		open := func(token string) *github.Client {
			url := server.URL + "/"
			gc, err := github.NewClient(github.WithHTTPClient(c.HTTPClient()), github.WithAuthToken(token), github.WithURLs(&url, nil))
			assert.NoError(t, err)
			return gc
		}
		ann, bob := open("ann"), open("bob")
		for minute := range 30 {
			for name, gc := range map[string]*github.Client{"ann": ann, "bob": bob} {
				for range 3 {
					repo, _, err := gc.Repositories.Get(t.Context(), "o", "r")
					if assert.NoError(t, err, minute) {
						assert.Equal(t, repo.GetFullName(), "Bearer "+name)
					}
				}
			}
			time.Sleep(61 * time.Second)
		}
		assert.Equal(t, left, 58, "one request of each was counted")
		assert.Equal(t, sent, 60)
		assert.Equal(t, answers.Stats(), cache.Stats{Misses: 2, Validated: 58, Hits: 120})
	})
}

package cache_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// say answers with header lines and a body.
func say(body string, lines ...string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) {
		set(w, lines...)
		_, _ = io.WriteString(w, body)
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	bubble(t, "a 304 brings a new header and leaves the body", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				set(w, `Etag: W/"a"`, "Cache-Control: max-age=10", "Content-Type: text/plain", "Content-Length: 5", "X-A: old", "X-Kept: yes")
				_, _ = io.WriteString(w, "hello")
				return
			}
			assert.Equal(t, r.Header.Get("If-None-Match"), `W/"a"`)
			set(w, `Etag: "a"`, "Cache-Control: max-age=100", "Content-Type: wrong/type", "X-A: new", "X-Ratelimit-Remaining: 4999", "Set-Cookie: s=1")
			w.WriteHeader(http.StatusNotModified)
		})
		o.send("GET /a")
		time.Sleep(10 * time.Second)
		g := o.send("GET /a")
		assert.Equal(t, g.StatusCode, 200)
		assert.Equal(t, g.body, "hello")
		assert.Equal(t, g.Header.Get("X-A"), "new")
		assert.Equal(t, g.Header.Get("X-Kept"), "yes")
		assert.Equal(t, g.Header.Get("Content-Type"), "text/plain")
		assert.Equal(t, g.ContentLength, 5)
		assert.Equal(t, g.Header.Get("X-Ratelimit-Remaining"), "4999", "of the 304 itself")
		assert.Equal(t, g.Header.Get("Set-Cookie"), "s=1")
		assert.Equal(t, g.Header.Get("X-From-Cache"), "")
		assert.Equal(t, g.Header.Get("Age"), "", "it was validated just now")
		time.Sleep(99 * time.Second)
		g = o.send("GET /a")
		assert.Equal(t, g.how(), "hit; ttl=1")
		assert.Equal(t, g.Header.Get("Age"), "99")
		assert.Equal(t, g.Header.Get("X-A"), "new")
		assert.Equal(t, g.Header.Get("X-Ratelimit-Remaining"), "", "it was news then")
		assert.Equal(t, g.Header.Get("Set-Cookie"), "")
		assert.Equal(t, g.Header.Get("X-From-Cache"), "1")
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "a 200 replaces it", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, _ *http.Request) {
			set(w, "Last-Modified: "+aYearAgo, "Cache-Control: max-age=10")
			_, _ = io.WriteString(w, strings.Repeat("x", n))
		})
		o.send("GET /a")
		time.Sleep(10 * time.Second)
		assert.Equal(t, o.send("GET /a").body, "xx")
		assert.Equal(t, o.last().Header.Get("If-Modified-Since"), aYearAgo)
		assert.Equal(t, o.send("GET /a").body, "xx")
		assert.Equal(t, o.count(), 2)
	})
	for _, c := range []struct {
		name, stored, of304 string
		same                bool
	}{
		{"the same strong tag", `"a"`, `"a"`, true},
		{"the same weak tag", `W/"a"`, `W/"a"`, true},
		{"a tag that was weakened", `"a"`, `W/"a"`, true},
		{"a tag whose 200 was weakened by a compressor", `W/"a"`, `"a"`, true},
		{"no tag any more", `"a"`, "", true},
		{"no tag at all", "", "", true},
		{"another strong tag", `"a"`, `"b"`, false},
		{"another weak tag", `W/"a"`, `W/"b"`, false},
		{"a tag where there was none", "", `"b"`, false},
		{"a weak tag where there was none", "", `W/"b"`, false},
		{"a tag that only begins alike", `"a"`, `"a2"`, false},
	} {
		bubble(t, "a 304 with "+c.name, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
				tag := c.stored
				if n > 1 {
					tag = c.of304
				}
				set(w, "Cache-Control: no-cache", "Last-Modified: "+aYearAgo)
				if tag != "" {
					set(w, "Etag: "+tag)
				}
				if r.Header.Get("If-Modified-Since") != "" {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				_, _ = io.WriteString(w, strings.Repeat("x", n))
			})
			o.send("GET /a")
			g := o.send("GET /a")
			if c.same {
				assert.Equal(t, g.body, "x")
				assert.Equal(t, o.count(), 2)
				return
			}
			assert.Equal(t, g.body, "xxx", "it was asked for without a condition")
			assert.Equal(t, o.last().Header.Get("If-None-Match")+o.last().Header.Get("If-Modified-Since"), "")
			assert.Equal(t, o.count(), 3)
		})
	}
	bubble(t, "a server that only ever says 304 is asked twice", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				say("a", `Etag: "a"`)(n, w, r)
				return
			}
			set(w, `Etag: "b"`)
			w.WriteHeader(http.StatusNotModified)
		})
		o.send("GET /a")
		g := o.send("GET /a")
		assert.Equal(t, g.StatusCode, http.StatusNotModified, "it is the server's own answer")
		assert.Equal(t, o.count(), 3)
		assert.Equal(t, o.send("GET /a").how(), "fwd=vary-miss", "what it was not about is gone")
		assert.Equal(t, o.count(), 4)
	})
	for _, c := range []struct {
		name   string
		status int
		kept   bool
	}{{"a 404 forgets it", 404, false}, {"a 403 forgets it", 403, false}, {"a 429 does not", 429, true}, {"a 503 does not", 503, true}} {
		bubble(t, c.name, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 2 {
					w.WriteHeader(c.status)
					return
				}
				say("a", `Etag: "a"`)(n, w, r)
			})
			o.send("GET /a")
			assert.Equal(t, o.send("GET /a").StatusCode, c.status)
			o.send("GET /a")
			assert.Equal(t, o.last().Header.Get("If-None-Match") != "", c.kept)
		})
	}
	bubble(t, "a 304 that forbids keeping", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 2 {
				set(w, "Cache-Control: no-store")
				w.WriteHeader(http.StatusNotModified)
				return
			}
			say("a", `Etag: "a"`)(n, w, r)
		})
		o.send("GET /a")
		assert.Equal(t, o.send("GET /a").body, "a")
		o.send("GET /a")
		assert.Equal(t, o.last().Header.Get("If-None-Match"), "")
	})
}

func TestHead(t *testing.T) {
	t.Parallel()
	bubble(t, "is answered from a GET", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("hello", "Cache-Control: max-age=10", "Content-Length: 5"))
		o.send("GET /a")
		g := o.send("HEAD /a")
		assert.Equal(t, g.body, "")
		assert.Equal(t, g.ContentLength, 5)
		assert.Equal(t, g.how(), "hit; ttl=10")
		assert.Equal(t, o.count(), 1)
	})
	bubble(t, "makes what is stored newer", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("hello", "Cache-Control: max-age=10", "Content-Length: 5", `Etag: "a"`))
		o.send("GET /a")
		time.Sleep(15 * time.Second)
		o.send("HEAD /a")
		assert.Equal(t, o.last().Header.Get("If-None-Match"), "")
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=10")
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "is asked for what is stale, whatever may be used meanwhile", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("hello", "Cache-Control: max-age=10, stale-while-revalidate=60", `Etag: "a"`, "Content-Length: 5"))
		o.send("GET /a")
		time.Sleep(15 * time.Second)
		assert.Equal(t, o.send("HEAD /a").how(), "fwd=stale")
		synctest.Wait()
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=10")
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "shows that it is another", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			body := strings.Repeat("x", 4+n)
			say(body, "Cache-Control: max-age=10", "Content-Length: "+string(rune('4'+n)))(n, w, r)
		})
		o.send("GET /a")
		time.Sleep(15 * time.Second)
		o.send("HEAD /a")
		assert.Equal(t, o.send("GET /a").how(), "fwd=vary-miss")
	})
	bubble(t, "says the length of what was compressed", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			_, _ = io.WriteString(z, "hello")
			_ = z.Close()
			say(packed.String(), "Cache-Control: max-age=10", "Content-Encoding: gzip", fmt.Sprintf("Content-Length: %d", packed.Len()))(n, w, r)
		})
		assert.Equal(t, o.send("GET /a").body, "hello")
		time.Sleep(15 * time.Second)
		o.send("HEAD /a")
		g := o.send("GET /a")
		assert.Equal(t, g.how(), "hit; ttl=10")
		assert.Equal(t, g.body, "hello")
	})
	for _, c := range []struct {
		name, header string
		status       int
		kept         bool
	}{
		{"that failed says nothing", "Retry-After: 1", 503, true},
		{"that was throttled says nothing", "Retry-After: 1", 429, true},
		{"of another status is about another", "Etag: \"a\"", 404, false},
		{"that forbids keeping is heard", "Cache-Control: no-store", 200, false},
		{"with another tag is about another", "Etag: \"b\"", 200, false},
		{"with another date is about another", "Last-Modified: " + aDayAgo, 200, false},
	} {
		bubble(t, c.name, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					set(w, c.header)
					w.WriteHeader(c.status)
					return
				}
				say("hello", `Etag: "a"`, "Content-Length: 5")(n, w, r)
			})
			o.send("GET /a")
			assert.Equal(t, o.send("HEAD /a").StatusCode, c.status)
			assert.Equal(t, o.send("GET /a").how() != "fwd=vary-miss", c.kept)
		})
	}
	for name, c := range map[string]struct{ kept, header, how string }{
		"that names no version says nothing":       {`Etag: "a"`, "Cache-Control: max-age=3600", "fwd=stale; fwd-status=200"},
		"that names no date says nothing":          {"Last-Modified: " + aDayAgo, "Cache-Control: max-age=3600", "fwd=stale; fwd-status=200"},
		"that names one of two confirms":           {`Etag: "a"|Last-Modified: ` + aDayAgo, `Etag: "a"|Cache-Control: max-age=3600`, "hit; ttl=3600"},
		"confirms what has no version either":      {"X-A: b", "Cache-Control: max-age=3600", "hit; ttl=3600"},
		"of another length is about another still": {`Etag: "a"`, "Content-Length: 9", "fwd=vary-miss"},
	} {
		bubble(t, name, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					set(w, strings.Split(c.header, "|")...)
					return
				}
				set(w, strings.Split(c.kept, "|")...)
				set(w, "Cache-Control: max-age=1", "Content-Length: 5")
				_, _ = io.WriteString(w, "hello")
			})
			o.send("GET /a")
			time.Sleep(5 * time.Second)
			o.send("HEAD /a")
			assert.Equal(t, o.send("GET /a").how(), c.how)
		})
	}
	bubble(t, "alone stores nothing", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("hello", "Cache-Control: max-age=10"))
		o.send("HEAD /a")
		assert.Equal(t, o.send("GET /a").how(), missed)
	})
}

func TestVary(t *testing.T) {
	t.Parallel()
	bubble(t, "several are kept apart, and equal ones together", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60", "Vary: accept-language, Accept")
			_, _ = io.WriteString(w, r.Header.Get("Accept-Language"))
		})
		for range 2 {
			assert.Equal(t, o.send("GET /a", "Accept-Language: de").body, "de")
			assert.Equal(t, o.send("GET /a", "Accept-Language: en, fr;q=0.5").body, "en, fr;q=0.5")
		}
		assert.Equal(t, o.count(), 2)
		assert.Equal(t, o.send("GET /a", "Accept-Language: EN", "Accept-Language: fr; q=0.5").how(), "hit; ttl=60")
		assert.Equal(t, o.send("GET /a", "Accept-Language: , en,, fr;q=0.5,").how(), "hit; ttl=60")
		o.send("GET /a", "Accept-Language: fr;q=0.5, en")
		assert.Equal(t, o.count(), 3, "another order may be another wish")
	})
	for _, c := range []struct{ name, one, two string }{
		{"a parameter in another case", `Accept: a/a;profile="A"`, `Accept: a/a;profile="a"`},
		{"space in quotes", `Accept: a/a;profile="a b"`, `Accept: a/a;profile="a  b"`},
		{"space in a header that nobody knows", "Sec-Ch-Ua: a b", "Sec-Ch-Ua: a  b"},
		{"a comma in quotes", `Accept: a/a;profile="a,b"`, `Accept: a/a;profile="a, b"`},
	} {
		bubble(t, c.name+" may be another wish", func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, say("x", "Cache-Control: max-age=60", "Vary: Accept, Sec-Ch-Ua"))
			o.send("GET /a", c.one)
			assert.Equal(t, o.send("GET /a", c.two).how(), "fwd=vary-miss")
			assert.Equal(t, o.send("GET /a", c.one).how(), "hit; ttl=60")
		})
	}
	bubble(t, "so may a name that is not written as usual", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("x", "Cache-Control: max-age=60", "Vary: Accept"))
		for _, accept := range []string{"a/a", "b/b"} {
			r := o.request("GET /a")
			r.Header["accept"] = []string{accept}
			resp, err := o.client.Do(r)
			assert.NoError(t, err)
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "what begins to vary is kept apart from then on", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				set(w, "Vary: Accept")
			}
			say(r.Header.Get("Accept"), "Cache-Control: max-age=10")(n, w, r)
		})
		o.send("GET /a", "Accept: a/a")
		time.Sleep(10 * time.Second)
		o.send("GET /a", "Accept: a/a")
		assert.Equal(t, o.send("GET /a", "Accept: b/b").body, "b/b")
	})
	bubble(t, "by more than can be kept apart", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			for i := range 32 { // each time by others
				set(w, fmt.Sprintf("Vary: X-%d-%d", n, i))
			}
			say("x", "Cache-Control: max-age=60")(n, w, r)
		})
		o.send("GET /a")
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=60")
		assert.Equal(t, o.send("GET /a", "X-1-0: 1").how(), "fwd=vary-miss")
		assert.Equal(t, o.send("GET /a", "X-1-0: 1").how(), "fwd=vary-miss", "by 64 together")
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=60")
	})
	bubble(t, "what it once varied by it goes on varying by", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60", "Content-Length: 1")
			if n == 1 {
				set(w, "Vary: X-A")
			}
			_, _ = io.WriteString(w, "x")
		})
		o.send("GET /a", "Accept: a/a", "X-A: 1")
		o.send("GET /a", "X-A: 2")
		assert.Equal(t, o.send("GET /a", "X-A: 1").how(), "hit; ttl=60")
		assert.Equal(t, o.count(), 2)
	})
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		one, two string
		same     bool
	}{
		{"/a?b=c", "/a?b=c", true},
		{"/a#b", "/a#c", true},
		{"", "/", true},
		{"/a", "/b", false},
		{"/a", "/a/", false},
		{"/a", "/A", false},
		{"/a?b=c", "/a?b=d", false},
		{"/a?b=c&d=e", "/a?d=e&b=c", false}, // some servers mind
		{"/a", "/a?", false},
		{"/a%2fb", "/a/b", false},
	} {
		bubble(t, c.one+" and "+c.two, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, say("x", "Cache-Control: max-age=60"))
			o.send("GET " + c.one)
			assert.Equal(t, o.send("GET "+c.two).how() == "hit; ttl=60", c.same)
		})
	}
}

func TestAnAddressWithoutParts(t *testing.T) {
	t.Parallel()
	bubble(t, "goes past the cache", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60")
			_, _ = io.WriteString(w, r.URL.Path)
		})
		for _, path := range []string{"/a", "/b"} {
			r := o.request("GET /")
			r.URL.Opaque = "//" + r.URL.Host + path
			resp, err := o.client.Do(r)
			assert.NoError(t, err)
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			assert.Equal(t, string(body), path)
			assert.Equal(t, got{Response: resp}.how(), "fwd=bypass; detail=opaque")
		}
	})
}

func TestInvalidation(t *testing.T) {
	t.Parallel()
	const keep = "Cache-Control: max-age=600"
	for _, c := range []struct {
		name, what, header string
		status             int
		forgotten          string
	}{
		{"POST", "POST /a", "", 200, "/a"},
		{"PUT", "PUT /a", "", 204, "/a"},
		{"PATCH", "PATCH /a", "", 200, "/a"},
		{"DELETE", "DELETE /a", "", 204, "/a"},
		{"a method nobody knows", "FROB /a", "", 200, "/a"},
		{"one that failed", "POST /a", "", 400, "/a"},
		{"one that broke", "POST /a", "", 500, "/a"},
		{"one whose gateway gave up", "PUT /a", "", 504, "/a"},
		{"one that was retried", "DELETE /a", "", 404, "/a"},
		{"where one that failed would have gone", "POST /x", "Location: /a", 400, ""},
		{"what one that failed is about", "POST /x", "Content-Location: /a", 500, ""},
		{"where it went", "POST /x", "Location: /a", 201, "/a"},
		{"what it is about", "POST /x", "Content-Location: /a", 200, "/a"},
		{"the same origin, written otherwise", "POST /x", "Location: http://API.test:80/a", 201, "/a"},
		{"another origin", "POST /x", "Location: http://other.test/a", 201, ""},
		{"another scheme", "POST /x", "Location: https://api.test/a", 201, ""},
		{"a safe one", "OPTIONS /a", "", 200, ""},
		{"another address", "POST /a?b=c", "", 200, ""},
	} {
		bubble(t, c.name, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
				set(w, keep)
				if r.Method != http.MethodGet {
					set(w, c.header)
					w.WriteHeader(c.status)
				}
			})
			o.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			o.send("GET /a", "X-Tenant: t") // of whomever
			o.send("GET /a")
			o.send(c.what)
			before := o.count()
			o.send("GET /a")
			o.send("GET /a", "X-Tenant: t")
			assert.Equal(t, o.count()-before == 2, c.forgotten != "")
		})
	}
	for opaque, forgotten := range map[string]bool{"//api.test/a": true, "/a": true, "//api.test/b": false, "//other.test/a": false, "mailto:a": false} {
		bubble(t, "an address that is "+opaque, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, say("x", keep))
			o.send("GET /a")
			r := o.request("PUT /")
			r.URL.Opaque = opaque
			resp, err := o.client.Transport.RoundTrip(r)
			assert.NoError(t, err)
			_ = resp.Body.Close()
			assert.Equal(t, o.send("GET /a").how() == missed, forgotten)
		})
	}
	for changed, how := range map[string]string{"/a": missed, "/b": "hit; ttl=598"} {
		bubble(t, "an answer on its way while "+changed+" changes", func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet && n == 1 {
					time.Sleep(2 * time.Second)
				}
				say("x", keep)(n, w, r)
			})
			done := make(chan struct{})
			go func() { o.send("GET /a"); close(done) }()
			time.Sleep(time.Second)
			o.send("PUT " + changed)
			<-done
			assert.Equal(t, o.send("GET /a").how(), how)
		})
	}
	bubble(t, "by hand", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("x", keep))
		o.send("GET /a")
		assert.NoError(t, o.cache.Purge(t.Context(), o.server.URL+"/a#part"))
		o.send("GET /a")
		assert.Equal(t, o.count(), 2)
		assert.True(t, o.cache.Purge(t.Context(), "/a") != nil)
	})
	bubble(t, "what got no answer may have had its effect", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("x", keep))
		o.send("GET /a")
		o.server.Break(aplombtest.DialRefused)
		o.client.CloseIdleConnections()
		_, err := o.try("DELETE /a")
		assert.True(t, err != nil)
		o.server.Heal()
		o.send("GET /a")
		assert.Equal(t, o.count(), 2)
	})
}

func TestStaleWhileRevalidate(t *testing.T) {
	t.Parallel()
	bubble(t, "is answered at once and validated behind", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				time.Sleep(3 * time.Second)
			}
			say(strings.Repeat("x", n), "Cache-Control: max-age=10, stale-while-revalidate=20", `Etag: "`+string(rune('0'+n))+`"`)(n, w, r)
		})
		o.send("GET /a")
		time.Sleep(30 * time.Second)
		start := time.Now()
		for range 3 { // one is validated
			g := o.send("GET /a")
			assert.Equal(t, g.how(), "hit; ttl=-20")
			assert.Equal(t, g.body, "x")
		}
		defer func() {
			assert.Equal(t, o.cache.Stats(), cache.Stats{Misses: 1, Stale: 3, Hits: 1}, "nobody was answered by the validation")
		}()
		assert.Equal(t, time.Since(start), 0)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		assert.Equal(t, o.count(), 2)
		g := o.send("GET /a")
		assert.Equal(t, g.body, "xx")
		assert.Equal(t, g.how(), "hit; ttl=7", "of an answer that took three seconds")
	})
	bubble(t, "whatever the caller makes of its request meanwhile", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			set(w, "Cache-Control: max-age=1, stale-while-revalidate=100")
			_, _ = io.WriteString(w, r.URL.Path)
		})
		o.send("GET /a")
		time.Sleep(5 * time.Second)
		r := o.request("GET /a")
		resp, err := o.client.Do(r)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		r.URL.Path = "/b" // it is the caller's again
		time.Sleep(1500 * time.Millisecond)
		assert.Equal(t, o.send("GET /a").body, "/a")
		assert.Equal(t, o.last().URL.Path, "/a")
	})
	bubble(t, "not beyond its time", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("x", "Cache-Control: max-age=10, stale-while-revalidate=20"))
		o.send("GET /a")
		time.Sleep(31 * time.Second)
		assert.Equal(t, o.send("GET /a").how(), stale)
	})
	bubble(t, "not for who asks for a certain freshness", func(t *testing.T) {
		for _, ask := range []string{"no-cache", "max-age=15", "min-fresh=1"} {
			o := newOrigin(t, cache.Settings{}, say("x", "Cache-Control: max-age=10, stale-while-revalidate=20"))
			o.send("GET /a")
			time.Sleep(15 * time.Second)
			assert.Equal(t, o.send("GET /a", "Cache-Control: "+ask).how(), "fwd=request; fwd-status=200")
		}
	})
	bubble(t, "not where it must be validated", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("x", "Cache-Control: max-age=10, stale-while-revalidate=20, must-revalidate"))
		o.send("GET /a")
		time.Sleep(15 * time.Second)
		assert.Equal(t, o.send("GET /a").how(), stale)
	})
	bubble(t, "Close ends it, and there is none after", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				select {
				case <-r.Context().Done():
				case <-time.After(time.Minute):
				}
			}
			say("x", "Cache-Control: max-age=10, stale-while-revalidate=600")(n, w, r)
		})
		o.send("GET /a")
		time.Sleep(15 * time.Second)
		o.send("GET /a")
		synctest.Wait()
		start := time.Now()
		assert.NoError(t, o.cache.Close())
		assert.Equal(t, time.Since(start), 0)
		assert.Equal(t, o.count(), 2)
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=-5")
		synctest.Wait()
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "what never answers is given up after 30 s", func(t *testing.T) {
		ended := make(chan time.Time, 1)
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 2 {
				<-r.Context().Done()
				ended <- time.Now()
				return
			}
			say("x", "Cache-Control: max-age=10, stale-while-revalidate=600")(n, w, r)
		})
		o.send("GET /a")
		time.Sleep(15 * time.Second)
		start := time.Now()
		o.send("GET /a")
		assert.Equal(t, (<-ended).Sub(start), 30*time.Second)
	})
	bubble(t, "at most 16 at a time", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 20 {
				time.Sleep(time.Second)
			}
			say("x", "Cache-Control: max-age=10, stale-while-revalidate=600")(n, w, r)
		})
		path := func(i int) string { return "GET /" + string(rune('a'+i)) }
		for i := range 20 {
			o.send(path(i))
		}
		time.Sleep(15 * time.Second)
		for i := range 20 {
			o.send(path(i))
		}
		synctest.Wait()
		assert.Equal(t, o.count(), 36)
	})
}

func TestStaleIfError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, answer, ask string
		settings          cache.Settings
		status            int // 0: the server is away
		wait              time.Duration
		used              bool
	}{
		{name: "the server is away", answer: "max-age=10, stale-if-error=60", wait: 70 * time.Second, used: true},
		{name: "for too long", answer: "max-age=10, stale-if-error=60", wait: 71 * time.Second},
		{name: "500", status: 500, answer: "max-age=10, stale-if-error=60", wait: time.Minute, used: true},
		{name: "502", status: 502, answer: "max-age=10, stale-if-error=60", wait: time.Minute, used: true},
		{name: "503", status: 503, answer: "max-age=10, stale-if-error=60", wait: time.Minute, used: true},
		{name: "504", status: 504, answer: "max-age=10, stale-if-error=60", wait: time.Minute, used: true},
		{name: "501 is an answer", status: 501, answer: "max-age=10, stale-if-error=60", wait: time.Minute},
		{name: "404 is an answer", status: 404, answer: "max-age=10, stale-if-error=60", wait: time.Minute},
		{name: "nothing said", status: 503, answer: "max-age=10", wait: time.Minute},
		{name: "the request allows it", status: 503, answer: "max-age=10", ask: "stale-if-error=60", wait: time.Minute, used: true},
		{name: "the request allows less than the server", status: 503, answer: "max-age=10, stale-if-error=60", ask: "stale-if-error=5", wait: time.Minute, used: true},
		{name: "the settings allow it", status: 503, answer: "max-age=10", settings: cache.Settings{StaleIfError: time.Hour}, wait: time.Hour, used: true},
		{name: "for too long for the settings", status: 503, answer: "max-age=10", settings: cache.Settings{StaleIfError: time.Hour}, wait: time.Hour + 11*time.Second},
		{name: "the server's word counts more", status: 503, answer: "max-age=10, stale-if-error=5", settings: cache.Settings{StaleIfError: time.Hour}, wait: time.Minute},
		{name: "it must be validated", status: 503, answer: "max-age=10, stale-if-error=60, must-revalidate", settings: cache.Settings{StaleIfError: time.Hour}, wait: time.Minute},
		{name: "no-cache must be validated", status: 503, answer: "no-cache, stale-if-error=60", settings: cache.Settings{StaleIfError: time.Hour}, wait: time.Second},
		{name: "the request wants none", status: 503, answer: "max-age=10, stale-if-error=60", ask: "no-cache", wait: time.Minute},
	} {
		bubble(t, c.name, func(t *testing.T) {
			o := newOrigin(t, c.settings, func(n int, w http.ResponseWriter, r *http.Request) {
				if n > 1 {
					w.WriteHeader(c.status)
					return
				}
				say("good", "Cache-Control: "+c.answer, `Etag: "a"`)(n, w, r)
			})
			o.send("GET /a")
			time.Sleep(c.wait)
			if c.status == 0 {
				o.server.Break(aplombtest.DialRefused)
				o.client.CloseIdleConnections()
			}
			ask := []string{}
			if c.ask != "" {
				ask = []string{"Cache-Control: " + c.ask}
			}
			g, err := o.try("GET /a", ask...)
			assert.Equal(t, err == nil && g.body == "good", c.used)
			if c.used {
				assert.Contains(t, g.how(), "detail=stale-if-error")
				assert.Equal(t, g.Header.Get("X-From-Cache"), "1")
			}
		})
	}
	bubble(t, "an error whose body does not end is not waited for", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{StaleIfError: time.Hour}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			say("good", `Etag: "a"`)(n, w, r)
		})
		o.send("GET /a")
		start := time.Now()
		assert.Equal(t, o.send("GET /a").how(), "fwd=stale; fwd-status=503; detail=stale-if-error; ttl=0")
		assert.Equal(t, time.Since(start), 100*time.Millisecond)
	})
	bubble(t, "the caller's cancel is no error of the server's", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{StaleIfError: time.Hour}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				<-r.Context().Done()
				return
			}
			say("good", `Etag: "a"`)(n, w, r)
		})
		o.send("GET /a")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := o.client.Do(o.request("GET /a").WithContext(ctx))
		assert.ErrorIs(t, err, context.Canceled)
		late, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		resp, err := o.client.Transport.RoundTrip(o.request("GET /a").WithContext(late))
		if assert.NoError(t, err, "a deadline is") {
			_ = resp.Body.Close()
		}
	})
}

func TestTogether(t *testing.T) {
	t.Parallel()
	// all makes n equal requests at once and returns how each was answered.
	all := func(o *origin, n int) map[string]int {
		var wg sync.WaitGroup
		var mu sync.Mutex
		hows := map[string]int{}
		for range n {
			wg.Go(func() {
				g, err := o.try("GET /a")
				how := g.how()
				if err != nil {
					how = "failed"
				}
				mu.Lock()
				defer mu.Unlock()
				hows[how]++
			})
		}
		wg.Wait()
		return hows
	}
	slow := func(answer func(int, http.ResponseWriter, *http.Request)) func(int, http.ResponseWriter, *http.Request) {
		return func(n int, w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			answer(n, w, r)
		}
	}
	bubble(t, "equal requests are one", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		hows := all(o, 100)
		assert.Equal(t, o.count(), 1)
		assert.Equal(t, hows["fwd=uri-miss; collapsed; ttl=59"], 99)
		assert.Equal(t, o.cache.Stats(), cache.Stats{Misses: 1, Shared: 99})
	})
	bubble(t, "what may not be kept is for one", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: no-store")))
		start := time.Now()
		all(o, 10)
		assert.Equal(t, o.count(), 10)
		assert.Equal(t, time.Since(start), 2*time.Second, "the others ask at the same time")
	})
	bubble(t, "what has to be validated each time is for one", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", `Etag: "a"`)))
		all(o, 10)
		assert.Equal(t, o.count(), 10)
	})
	bubble(t, "a leader that goes away is followed by one", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		gone := make(chan error)
		go func() {
			_, err := o.client.Do(o.request("GET /a").WithContext(ctx))
			gone <- err
		}()
		synctest.Wait()
		start := time.Now()
		done := make(chan map[string]int)
		go func() { done <- all(o, 10) }()
		assert.ErrorIs(t, <-gone, context.DeadlineExceeded)
		hows := <-done
		assert.Equal(t, hows["failed"], 0)
		assert.Equal(t, o.count(), 2)
		assert.Equal(t, time.Since(start), 1500*time.Millisecond)
	})
	bubble(t, "one that waits is ended by its own context", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		done := make(chan map[string]int)
		go func() { done <- all(o, 1) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := o.client.Do(o.request("GET /a").WithContext(ctx))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 100*time.Millisecond)
		assert.Equal(t, (<-done)["failed"], 0)
	})
	bubble(t, "a leader that does not read is waited for one second", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("hello", "Cache-Control: max-age=60"))
		resp, err := o.client.Do(o.request("GET /a"))
		assert.NoError(t, err)
		start := time.Now()
		assert.Equal(t, o.send("GET /a").body, "hello")
		assert.Equal(t, time.Since(start), time.Second)
		_ = resp.Body.Close()
	})
	bubble(t, "an answer too large to keep holds up nobody", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{MaxEntry: 100}, func(n int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60")
			w.WriteHeader(200)
			w.(http.Flusher).Flush() // no length
			time.Sleep(100 * time.Millisecond)
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		})
		start := time.Now()
		assert.Equal(t, all(o, 10)[missed], 10)
		assert.Equal(t, o.count(), 10)
		assert.Equal(t, time.Since(start), 200*time.Millisecond, "the others ask at the same time")
	})
	bubble(t, "a failure is not shared", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
			say("hello", "Cache-Control: max-age=60")(n, w, r)
		}))
		start := time.Now()
		hows := all(o, 10)
		assert.Equal(t, hows["failed"], 1)
		assert.Equal(t, o.count(), 10)
		assert.Equal(t, time.Since(start), 2*time.Second, "the others ask at the same time")
	})
	for _, c := range []struct {
		name   string
		second func(w http.ResponseWriter) // the answer to a validation
		asked  int
	}{
		{"a 304 about another answer is asked again for all", func(w http.ResponseWriter) {
			set(w, `Etag: "b"`)
			w.WriteHeader(http.StatusNotModified)
		}, 3},
		{"an outage is for one, and the others see for themselves at once", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, 11},
		{"a 304 that forbids keeping is for one", func(w http.ResponseWriter) {
			set(w, "Cache-Control: no-store")
			w.WriteHeader(http.StatusNotModified)
		}, 11},
	} {
		bubble(t, c.name, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{StaleIfError: time.Hour}, func(n int, w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				if r.Header.Get("If-None-Match") != "" {
					c.second(w)
					return
				}
				say("hello", `Etag: "a"`, "Cache-Control: max-age=60")(n, w, r)
			})
			o.send("GET /a")
			time.Sleep(time.Minute)
			start := time.Now()
			assert.Equal(t, all(o, 10)["failed"], 0)
			assert.Equal(t, o.count(), c.asked)
			assert.Equal(t, time.Since(start), 2*time.Second)
		})
	}
	bubble(t, "an answer whose length is too large holds up nobody", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{MaxEntry: 100}, func(_ int, w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control: max-age=60", "Content-Length: 101")
			w.(http.Flusher).Flush()
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		})
		start := time.Now()
		all(o, 10)
		assert.Equal(t, time.Since(start), time.Second)
	})
	bubble(t, "nor does one that varies by too much", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			for i := range 33 {
				set(w, fmt.Sprintf("Vary: X-%d", i))
			}
			set(w, "Cache-Control: max-age=60")
			w.(http.Flusher).Flush()
			time.Sleep(time.Second)
		})
		start := time.Now()
		all(o, 10)
		assert.Equal(t, o.count(), 10)
		assert.Equal(t, time.Since(start), time.Second)
	})
	bubble(t, "a header is not waited for longer than 30 s", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				time.Sleep(10 * time.Minute)
			}
			say("hello", "Cache-Control: max-age=60")(n, w, r)
		})
		done := make(chan struct{})
		go func() { o.send("GET /a"); close(done) }()
		synctest.Wait()
		start := time.Now()
		assert.Equal(t, o.send("GET /a").how(), missed)
		assert.Equal(t, time.Since(start), 30*time.Second)
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=60", "what it got is for all")
		<-done
	})
	bubble(t, "traces make no difference", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b"} {
			wg.Go(func() { o.send("GET /a", "X-Request-Id: "+id, "Traceparent: "+id) })
		}
		wg.Wait()
		assert.Equal(t, o.count(), 1)
	})
	// A leader and seven followers: one sends what the leader sent, six something else.
	varied := func(t *testing.T, o *origin) map[string]time.Duration {
		t.Helper()
		var wg sync.WaitGroup
		var mu sync.Mutex
		took, start := map[string]time.Duration{}, time.Now()
		for i, tenant := range "aabbbbbb" {
			wg.Go(func() {
				time.Sleep(time.Duration(i))
				tenant := string(tenant)
				g := o.send("GET /a", "Tracestate: tenant="+tenant)
				assert.Equal(t, g.body, "tenant="+tenant)
				mu.Lock()
				defer mu.Unlock()
				took[tenant] = time.Since(start).Truncate(time.Millisecond)
			})
		}
		wg.Wait()
		return took
	}
	bubble(t, "unless the answer varies by them", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			set(w, "Cache-Control: max-age=60", "Vary: Referer, Tracestate")
			w.(http.Flusher).Flush()
			time.Sleep(500 * time.Millisecond)
			_, _ = io.WriteString(w, r.Header.Get("Tracestate"))
		})
		took := varied(t, o)
		assert.Equal(t, took["a"], 1500*time.Millisecond)
		assert.Equal(t, took["b"], 2500*time.Millisecond, "it goes on when the header is there")
		assert.Equal(t, o.count(), 7)
	})
	bubble(t, "also where each is confirmed", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=10", "Vary: Tracestate", `Etag: "a"`)
			if r.Header.Get("If-None-Match") != "" {
				time.Sleep(time.Second)
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = io.WriteString(w, r.Header.Get("Tracestate"))
		})
		o.send("GET /a", "Tracestate: tenant=a")
		o.send("GET /a", "Tracestate: tenant=b")
		time.Sleep(10 * time.Second)
		varied(t, o)
		assert.Equal(t, o.count(), 9)
	})
	bubble(t, "a leader whose caller's code panics is followed by one", func(t *testing.T) {
		told := 0
		o := newOrigin(t, cache.Settings{Answered: func(context.Context, cache.Event) {
			if told++; told == 1 {
				panic("the caller's")
			}
		}}, slow(say("hello", "Cache-Control: max-age=60")))
		died := make(chan any)
		go func() {
			defer func() { died <- recover() }()
			_, _ = o.try("GET /a")
		}()
		synctest.Wait()
		done := make(chan map[string]int)
		go func() { done <- all(o, 1) }()
		assert.Equal(t, <-died, any("the caller's"))
		assert.Equal(t, (<-done)[missed], 1)
		o.client.CloseIdleConnections()
		synctest.Wait()
	})
	bubble(t, "who wants a newer answer asks", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		var wg sync.WaitGroup
		start := time.Now()
		for range 2 {
			wg.Go(func() { o.send("GET /a", "Cache-Control: no-cache") })
		}
		wg.Wait()
		assert.Equal(t, o.count(), 2)
		assert.Equal(t, time.Since(start), time.Second, "and waits for nobody")
	})
	bubble(t, "who asks after a change gets no answer from before it", func(t *testing.T) {
		var changed atomic.Bool
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			body := strconv.FormatBool(changed.Load())
			if r.Method == http.MethodPut {
				changed.Store(true)
			} else {
				time.Sleep(time.Second)
			}
			say(body, "Cache-Control: max-age=60")(n, w, r)
		})
		done := make(chan map[string]int)
		go func() { done <- all(o, 1) }()
		synctest.Wait()
		o.send("PUT /a")
		assert.Equal(t, o.send("GET /a").body, "true")
		<-done
	})
	bubble(t, "nor do two of whom it is said that they are two", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b", "a"} {
			wg.Go(func() {
				resp, err := o.client.Do(o.request("GET /a").WithContext(cache.As(t.Context(), name)))
				if assert.NoError(t, err) {
					_, _ = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
			})
		}
		wg.Wait()
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "requests that differ are not equal", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, slow(say("hello", "Cache-Control: max-age=60")))
		var wg sync.WaitGroup
		for _, accept := range []string{"a/a", "b/b"} {
			wg.Go(func() { o.send("GET /a", "Accept: "+accept, "Traceparent: "+accept) })
		}
		wg.Wait()
		assert.Equal(t, o.count(), 2)
	})
}

func TestBody(t *testing.T) {
	t.Parallel()
	kept := func(t *testing.T, length int, s cache.Settings, read func(*http.Response)) bool {
		t.Helper()
		o := newOrigin(t, s, func(_ int, w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control: max-age=60")
			if length < 0 {
				w.(http.Flusher).Flush()
			}
			_, _ = io.WriteString(w, `{"a":"`+strings.Repeat("x", 93)+"\"}\n")
		})
		resp, err := o.client.Do(o.request("GET /a"))
		assert.NoError(t, err)
		read(resp)
		g := o.send("GET /a")
		assert.Equal(t, len(g.body), 102)
		return g.how() == "hit; ttl=60"
	}
	for name, length := range map[string]int{"of known length": 102, "of unknown length": -1} {
		bubble(t, name+", read", func(t *testing.T) {
			assert.True(t, kept(t, length, cache.Settings{}, func(r *http.Response) {
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}))
		})
		bubble(t, name+", decoded", func(t *testing.T) {
			assert.True(t, kept(t, length, cache.Settings{}, func(r *http.Response) {
				var v any
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&v))
				_ = r.Body.Close()
			}))
		})
		bubble(t, name+", as large as may be", func(t *testing.T) {
			assert.True(t, kept(t, length, cache.Settings{MaxEntry: 102}, func(r *http.Response) { _, _ = io.ReadAll(r.Body) }))
		})
		bubble(t, name+", too large", func(t *testing.T) {
			assert.True(t, !kept(t, length, cache.Settings{MaxEntry: 101}, func(r *http.Response) { _, _ = io.ReadAll(r.Body) }))
		})
	}
	for name, c := range map[string]struct{ header, how string }{
		"that says how long it is":            {"Content-Length: %d", "hit; ttl=60"},
		"in chunks":                           {"Transfer-Encoding: chunked", "hit; ttl=60"},
		"that ends where its connection does": {"Connection: close", missed},
	} {
		bubble(t, "one that was compressed, "+name, func(t *testing.T) {
			var packed bytes.Buffer
			for range 2 { // a cut between these looks like the end
				z := gzip.NewWriter(&packed)
				_, _ = io.WriteString(z, "hello")
				_ = z.Close()
			}
			o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, _ *http.Request) {
				if c.header != "Connection: close" {
					set(w, "Cache-Control: max-age=60", "Content-Encoding: gzip")
					if strings.Contains(c.header, "%d") {
						set(w, fmt.Sprintf(c.header, packed.Len()))
					} else {
						w.(http.Flusher).Flush()
					}
					_, _ = w.Write(packed.Bytes())
					return
				}
				conn, b, _ := w.(http.Hijacker).Hijack()
				_, _ = b.WriteString("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed.String())
				_ = b.Flush()
				_ = conn.Close()
			})
			for range 2 {
				assert.Equal(t, o.send("GET /a").body, "hellohello")
			}
			assert.Equal(t, o.send("GET /a").how(), c.how)
		})
	}
	bubble(t, "one that breaks off is not kept", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control: max-age=60", "Content-Length: 10")
			_, _ = io.WriteString(w, "12345")
			if n > 1 {
				_, _ = io.WriteString(w, "67890")
			}
		})
		_, err := o.try("GET /a")
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, o.send("GET /a").body, "1234567890")
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "Close does not wait for the rest", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60")
			_, _ = io.WriteString(w, "12345")
			w.(http.Flusher).Flush()
			if n == 1 {
				<-r.Context().Done()
			}
		})
		resp, err := o.client.Do(o.request("GET /a"))
		assert.NoError(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 5))
		assert.NoError(t, err)
		start := time.Now()
		_ = resp.Body.Close()
		assert.Equal(t, time.Since(start), 100*time.Millisecond)
		assert.Equal(t, o.send("GET /a").how(), missed)
	})
	bubble(t, "the caller sees it as it comes", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control: max-age=60")
			for range 3 {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		})
		start := time.Now()
		resp, err := o.client.Do(o.request("GET /a"))
		assert.NoError(t, err)
		for i := range 3 {
			_, err := io.ReadFull(resp.Body, make([]byte, 1))
			assert.NoError(t, err)
			assert.Equal(t, time.Since(start), time.Duration(i)*time.Second)
		}
		_ = resp.Body.Close()
	})
	bubble(t, "closed while it is read", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		resp, err := o.client.Do(o.request("GET /a"))
		assert.NoError(t, err)
		failed := make(chan error)
		go func() {
			_, err := io.ReadAll(resp.Body)
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		_ = resp.Body.Close()
		assert.True(t, <-failed != nil)
		assert.Equal(t, time.Since(start), 0)
	})
}

// errAway is what a store fails with that is away.
var errAway = errors.New("the store is away")

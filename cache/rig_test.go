package cache_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
)

// bubble runs f under virtual time, in parallel with other tests.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// origin is a server and a cache before it, under a plain http.Client.
type origin struct {
	t      *testing.T
	server *aplombtest.Server
	cache  *cache.Cache
	client *http.Client

	mu     sync.Mutex
	seen   []*http.Request
	answer func(n int, w http.ResponseWriter, r *http.Request) // n from 1
}

func newOrigin(t *testing.T, s cache.Settings, answer func(n int, w http.ResponseWriter, r *http.Request)) *origin {
	t.Helper()
	return newOriginOver(t, cache.NewMemory(16<<20), s, answer)
}

func newOriginOver(t *testing.T, store cache.Store, s cache.Settings, answer func(n int, w http.ResponseWriter, r *http.Request)) *origin {
	t.Helper()
	o := &origin{t: t, answer: answer}
	o.server = aplombtest.NewServer(t, o)
	o.cache = newCache(t, store, s)
	o.client = &http.Client{Transport: o.cache.Middleware(o.server.Transport())}
	return o
}

func newCache(t *testing.T, store cache.Store, s cache.Settings) *cache.Cache {
	t.Helper()
	c, err := cache.New(store, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.seen = append(o.seen, r)
	n := len(o.seen)
	o.mu.Unlock()
	o.answer(n, w, r)
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

func (o *origin) last() *http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[len(o.seen)-1]
}

// got is an answer, read to its end.
type got struct {
	*http.Response
	body string
}

// how is what the cache says it did.
func (g got) how() string {
	if g.Response == nil {
		return ""
	}
	lines := g.Header["Cache-Status"]
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimPrefix(lines[len(lines)-1], "aplomb; ")
}

// send makes a request, "GET /path", with headers in lines such as "Accept: a/b".
func (o *origin) send(what string, header ...string) got {
	o.t.Helper()
	g, err := o.try(what, header...)
	if err != nil {
		o.t.Fatal(err)
	}
	return g
}

func (o *origin) try(what string, header ...string) (got, error) {
	o.t.Helper()
	resp, err := o.client.Do(o.request(what, header...))
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return got{resp, string(body)}, err
}

func (o *origin) request(what string, header ...string) *http.Request {
	o.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.server.URL+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// set writes header lines such as "Etag: \"a\"" on an answer.
func set(w http.ResponseWriter, lines ...string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		w.Header().Add(name, value)
	}
}

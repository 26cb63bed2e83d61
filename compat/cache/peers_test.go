package cache_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	bartventer "github.com/bartventer/httpcache"
	_ "github.com/bartventer/httpcache/store/memcache"
	sandrolain "github.com/sandrolain/httpcache"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
)

// peers are caches for clients as their own documentation sets them up, in memory.
// Ours takes 16 MiB.
var peers = []struct {
	name string
	over func(t *testing.T, next http.RoundTripper) http.RoundTripper
}{
	{"aplomb", func(t *testing.T, next http.RoundTripper) http.RoundTripper {
		t.Helper()
		c, err := cache.New(cache.NewMemory(16<<20), cache.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.Middleware(next)
	}},
	{"bartventer", func(_ *testing.T, next http.RoundTripper) http.RoundTripper {
		return bartventer.NewTransport("memcache://", bartventer.WithUpstream(next))
	}},
	{"sandrolain", func(_ *testing.T, next http.RoundTripper) http.RoundTripper {
		t := sandrolain.NewTransport(sandrolain.NewMemoryCache())
		t.Transport, t.EnableVarySeparation = next, true
		return t
	}},
}

// rig is a server that counts, and a client with a cache before it.
type rig struct {
	*testing.T
	client *http.Client
	url    string
	asked  atomic.Int32
	server *aplombtest.Server
}

// get reads an answer to its end; lines are header lines of the request.
func (r *rig) get(what string, lines ...string) (resp *http.Response, body string) {
	resp, body, err := r.try(r.Context(), what, lines...)
	if err != nil {
		r.Fatal(err)
	}
	return resp, body
}

func (r *rig) try(ctx context.Context, what string, lines ...string) (*http.Response, string, error) {
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, nil)
	if err != nil {
		return nil, "", err
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// again reports how often the server was asked by two equal requests.
func (r *rig) again(what string, lines ...string) int32 {
	for range 2 {
		_, _, _ = r.try(r.Context(), what, lines...)
		time.Sleep(time.Second)
	}
	return r.asked.Load()
}

// promise is something a cache holds, as far as it is not named in lacks. A peer
// that gets better fails the test too: what is said of it is then no longer true.
type promise struct {
	name   string
	lacks  string // names of peers
	answer func(n int32, w http.ResponseWriter, r *http.Request)
	holds  func(r *rig) bool
}

func header(w http.ResponseWriter, lines ...string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		w.Header().Set(name, value)
	}
}

func says(body string, lines ...string) func(int32, http.ResponseWriter, *http.Request) {
	return func(_ int32, w http.ResponseWriter, _ *http.Request) {
		header(w, lines...)
		_, _ = io.WriteString(w, body)
	}
}

const minute = "Cache-Control: max-age=60"

var promises = []promise{
	{name: "max-age", answer: says("x", minute), holds: func(r *rig) bool { return r.again("GET /") == 1 }},
	{name: "no-store", answer: says("x", "Cache-Control: no-store, max-age=60"), holds: func(r *rig) bool { return r.again("GET /") == 2 }},
	{name: "private is kept", answer: says("x", "Cache-Control: private, max-age=60"), holds: func(r *rig) bool { return r.again("GET /") == 1 }},
	{name: "Vary", answer: says("x", minute, "Vary: Accept"), holds: func(r *rig) bool {
		r.again("GET /", "Accept: a/a")
		return r.again("GET /", "Accept: b/b") == 2 && r.again("GET /", "Accept: a/a") == 2
	}},
	{name: "Vary: *", answer: says("x", minute, "Vary: *"), holds: func(r *rig) bool { return r.again("GET /") == 2 }},
	{name: "two credentials are not mixed", lacks: "bartventer sandrolain", answer: func(_ int32, w http.ResponseWriter, r *http.Request) {
		says(r.Header.Get("Authorization"), "Cache-Control: private, max-age=60")(0, w, r)
	}, holds: func(r *rig) bool {
		r.get("GET /", "Authorization: ann")
		_, body := r.get("GET /", "Authorization: bob")
		return body == "bob"
	}},
	{name: "Set-Cookie is not stored", lacks: "bartventer sandrolain", answer: says("x", minute, "Set-Cookie: s=1"), holds: func(r *rig) bool { return r.again("GET /") == 2 }},
	{name: "an address with a token is not stored", lacks: "bartventer sandrolain", answer: says("x", minute), holds: func(r *rig) bool { return r.again("GET /?access_token=x") == 2 }},
	{name: "a truncated body is not stored", answer: says("12345", minute, "Content-Length: 10"), holds: func(r *rig) bool { return r.again("GET /") == 2 }},
	{name: "a body is seen as it comes", lacks: "bartventer", answer: func(_ int32, w http.ResponseWriter, _ *http.Request) {
		header(w, minute)
		w.(http.Flusher).Flush()
		time.Sleep(time.Second)
	}, holds: func(r *rig) bool {
		start := time.Now()
		resp, err := r.client.Get(r.url)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return time.Since(start) == 0
	}},
	{name: "bounded in bytes", lacks: "bartventer sandrolain", answer: says(strings.Repeat("x", 1<<20), minute), holds: func(r *rig) bool {
		for i := range 32 {
			r.get(fmt.Sprintf("GET /%d", i))
		}
		r.get("GET /0")
		return r.asked.Load() == 33
	}},
	{name: "stale-while-revalidate", answer: func(n int32, w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		says(strconv.Itoa(int(n)), "Cache-Control: max-age=10, stale-while-revalidate=60")(n, w, r)
	}, holds: func(r *rig) bool {
		r.get("GET /")
		time.Sleep(20 * time.Second)
		start := time.Now()
		r.get("GET /")
		at := time.Since(start)
		time.Sleep(2 * time.Second)
		_, body := r.get("GET /")
		return at == 0 && body == "2"
	}},
	{name: "stale-if-error", lacks: "bartventer", answer: func(n int32, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		says("x", "Cache-Control: max-age=10, stale-if-error=60")(n, w, r)
	}, holds: func(r *rig) bool {
		r.get("GET /")
		time.Sleep(20 * time.Second)
		resp, body := r.get("GET /")
		return resp.StatusCode == http.StatusOK && body == "x"
	}},
	{name: "equal requests at the same time are one", lacks: "bartventer sandrolain", answer: slowly, holds: func(r *rig) bool {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { r.get("GET /") })
		}
		wg.Wait()
		return r.asked.Load() == 1
	}},
	{name: "the first one's cancel ends no other", answer: slowly, holds: func(r *rig) bool {
		ctx, cancel := context.WithTimeout(r.Context(), 500*time.Millisecond)
		defer cancel()
		gone := make(chan error)
		go func() { _, _, err := r.try(ctx, "GET /"); gone <- err }()
		synctest.Wait()
		_, _, err := r.try(r.Context(), "GET /")
		return err == nil && <-gone != nil
	}},
	{name: "a PUT has it forgotten", answer: says("x", minute), holds: func(r *rig) bool {
		r.get("GET /")
		r.get("PUT /")
		r.get("GET /")
		return r.asked.Load() == 3
	}},
	{name: "a DELETE that got no answer too", lacks: "bartventer sandrolain", answer: says("x", minute), holds: func(r *rig) bool {
		r.get("GET /")
		r.server.Break(aplombtest.DialRefused)
		r.client.CloseIdleConnections()
		r.server.Transport().CloseIdleConnections()
		_, _, _ = r.try(r.Context(), "DELETE /")
		r.server.Heal()
		r.get("GET /")
		return r.asked.Load() == 2
	}},
	{name: "a 304 brings a new header", lacks: "bartventer", answer: func(n int32, w http.ResponseWriter, r *http.Request) {
		header(w, fmt.Sprintf("X-N: %d", n), minute, `Etag: "a"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "x")
	}, holds: func(r *rig) bool {
		r.get("GET /")
		time.Sleep(61 * time.Second)
		first, body := r.get("GET /")
		then, _ := r.get("GET /")
		return first.Header.Get("X-N") == "2" && then.Header.Get("X-N") == "2" && body == "x" && r.asked.Load() == 2
	}},
	{name: "a 304 about another answer is not believed", lacks: "bartventer sandrolain", answer: func(n int32, w http.ResponseWriter, r *http.Request) {
		header(w, "Cache-Control: no-cache", `Etag: "a"`)
		if r.Header.Get("If-None-Match") != "" {
			header(w, `Etag: "b"`)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = fmt.Fprint(w, n)
	}, holds: func(r *rig) bool {
		r.get("GET /")
		_, body := r.get("GET /")
		return body == "3"
	}},
	{name: "a part is not taken for the whole", answer: func(_ int32, w http.ResponseWriter, r *http.Request) {
		header(w, minute)
		if r.Header.Get("Range") != "" {
			header(w, "Content-Range: bytes 0-4/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "12345")
			return
		}
		_, _ = io.WriteString(w, "1234567890")
	}, holds: func(r *rig) bool {
		r.get("GET /", "Range: bytes=0-4")
		_, body := r.get("GET /")
		return body == "1234567890"
	}},
	{name: "64 KiB that unpack to 64 MiB cost under 40", lacks: "bartventer sandrolain", answer: func(_ int32, w http.ResponseWriter, _ *http.Request) {
		header(w, minute, "Content-Encoding: gzip")
		var member bytes.Buffer // a file of gzip may have many
		z := gzip.NewWriter(&member)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
		for range 64 {
			_, _ = w.Write(member.Bytes())
		}
	}, holds: func(r *rig) bool {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		resp, err := r.client.Get(r.url)
		if err != nil {
			r.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc-before.TotalAlloc < 40<<20
	}},
}

func slowly(n int32, w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Second)
	says("x", minute)(n, w, r)
}

// TestPeers holds what is said of the best-kept caches of other people: which of
// what we promise each of them has. It is not parallel, for it measures memory.
func TestPeers(t *testing.T) { //nolint:paralleltest // see above
	for _, c := range promises {
		for _, p := range peers {
			t.Run(c.name+"/"+p.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := &rig{T: t}
					r.server = aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						c.answer(r.asked.Add(1), w, req)
					}))
					r.url, r.client = r.server.URL, &http.Client{Transport: p.over(t, r.server.Transport())}
					want := !slices.Contains(strings.Fields(c.lacks), p.name)
					if got := c.holds(r); got != want {
						t.Errorf("%s: it is said to hold: %v, and it does: %v", p.name, want, got)
					}
				})
			})
		}
	}
}

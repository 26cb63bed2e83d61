package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
)

type repo struct {
	Name string `json:"name"`
}

// gitHub stands for api.github.com: a 304 takes nothing of its quota.
func gitHub() *httptest.Server {
	left := 5000
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Cache-Control", "private, no-cache")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		left--
		_, _ = fmt.Fprintf(w, `{"name":"hello, %d left"}`, left)
	}))
}

func Example() {
	server := gitHub()
	defer server.Close()

	answers, err := cache.New(cache.NewMemory(64<<20), cache.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, aplomb.Bearer(aplomb.Static("token")), aplomb.PerCall(answers.Middleware))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		var how aplomb.Response
		r, err := aplomb.Get[repo](context.Background(), c, "/repos/octocat/hello", aplomb.Capture(&how))
		fmt.Println(r.Name, err, how.Header.Get("Cache-Status"))
	}
	// Output:
	// hello, 4999 left <nil> aplomb; fwd=uri-miss
	// hello, 4999 left <nil> aplomb; fwd=stale; fwd-status=304; stored
	// hello, 4999 left <nil> aplomb; fwd=stale; fwd-status=304; stored
}

func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
	}))
	defer server.Close()

	answers, err := cache.New(cache.NewMemory(1<<20), cache.Settings{
		MaxEntry: 64 << 10,
		Answered: func(_ context.Context, e cache.Event) { fmt.Println(e.Method, e.Status, e.Result) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: answers.Middleware(http.DefaultTransport)} // it needs no aplomb.Client
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
	}
	fmt.Printf("%+v\n", answers.Stats())
	// Output:
	// GET 200 miss
	// GET 200 hit
	// {Hits:1 Stale:0 Validated:0 Shared:0 Misses:1 Bypassed:0 StoreErrors:0 Corrupt:0}
}

func ExampleSettings() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"v1"`) // and nothing of how long it holds
		_, _ = fmt.Fprint(w, `{"name":"hello"}`)
	}))
	answers, err := cache.New(cache.NewMemory(1<<20), cache.Settings{StaleIfError: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, aplomb.NoRetry(), aplomb.PerCall(answers.Middleware))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		r, err := aplomb.Get[repo](context.Background(), c, "/repos/octocat/hello")
		fmt.Println(r.Name, err)
		server.Close() // it is away from now on
	}
	fmt.Println(answers.Stats().Stale, "stale answer instead of an error")
	// Output:
	// hello <nil>
	// hello <nil>
	// 1 stale answer instead of an error
}

func ExampleAs() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = fmt.Fprintf(w, `{"name":"of %s"}`, r.Header.Get("X-Key"))
	}))
	defer server.Close()
	answers, err := cache.New(cache.NewMemory(1<<20), cache.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, aplomb.PerCall(answers.Middleware))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, user := range []string{"ann", "bob", "ann"} {
		ctx := cache.As(context.Background(), user)
		r, err := aplomb.Get[repo](ctx, c, "/me", aplomb.APIKey("X-Key", aplomb.Static(user)))
		fmt.Println(r.Name, err)
	}
	fmt.Println(answers.Stats().Hits, "from the cache")
	// Output:
	// of ann <nil>
	// of bob <nil>
	// of ann <nil>
	// 1 from the cache
}

func ExampleCache_For() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = fmt.Fprintf(w, `{"name":"with %s"}`, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	answers, err := cache.New(cache.NewMemory(1<<20), cache.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	base, err := aplomb.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tenant := range []string{"ann", "bob", "ann"} { // a client for each request
		c, err := base.With(aplomb.Bearer(aplomb.Static("key-of-"+tenant)), aplomb.PerCall(answers.For(tenant)))
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := aplomb.Get[repo](context.Background(), c, "/me")
		fmt.Println(r.Name, err)
	}
	fmt.Println(answers.Stats().Hits, "from the cache")
	// Output:
	// with Bearer key-of-ann <nil>
	// with Bearer key-of-bob <nil>
	// with Bearer key-of-ann <nil>
	// 1 from the cache
}

func ExampleOpenDisk() {
	server := gitHub()
	defer server.Close()
	home, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(home) }()

	for range 2 { // two runs of a program
		disk, err := cache.OpenDisk(filepath.Join(home, "answers"), "octocat", 256<<20)
		if err != nil {
			fmt.Println(err)
			return
		}
		answers, err := cache.New(disk, cache.Settings{})
		if err != nil {
			fmt.Println(err)
			return
		}
		c, err := aplomb.New(server.URL, aplomb.PerCall(answers.Middleware))
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := aplomb.Get[repo](context.Background(), c, "/repos/octocat/hello")
		fmt.Println(r.Name, err)
		_ = answers.Close()
		_ = disk.Close()
	}
	// Output:
	// hello, 4999 left <nil>
	// hello, 4999 left <nil>
}

func ExampleCache_Purge() {
	server := gitHub()
	defer server.Close()
	answers, err := cache.New(cache.NewMemory(1<<20), cache.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, aplomb.PerCall(answers.Middleware))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // a webhook said that it changed
		r, err := aplomb.Get[repo](context.Background(), c, "/repos/octocat/hello")
		fmt.Println(r.Name, err)
		fmt.Println(answers.Purge(context.Background(), server.URL+"/repos/octocat/hello"))
	}
	// Output:
	// hello, 4999 left <nil>
	// <nil>
	// hello, 4998 left <nil>
	// <nil>
}

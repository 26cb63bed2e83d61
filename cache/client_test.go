package cache_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/internal/assert"
)

type item struct {
	Who string `json:"who"`
	N   int    `json:"n"`
}

// tenants answers with who asked, by Authorization, and counts.
func tenants(header ...string) *origin {
	return &origin{answer: func(n int, w http.ResponseWriter, r *http.Request) {
		set(w, "Content-Type: application/json")
		set(w, header...)
		if tag := w.Header().Get("ETag"); tag != "" && r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = fmt.Fprintf(w, `{"who":%q,"n":%d}`, r.Header.Get("Authorization"), n)
	}}
}

// serve starts o without a client of its own; the aplomb client of the test has
// the cache.
func (o *origin) serve(t *testing.T, s cache.Settings, opts ...aplomb.Option) *aplomb.Client {
	t.Helper()
	o.t = t
	o.server = aplombtest.NewServer(t, o)
	o.cache = newCache(t, cache.NewMemory(16<<20), s)
	return o.newClient(opts...)
}

func (o *origin) newClient(opts ...aplomb.Option) *aplomb.Client {
	o.t.Helper()
	c, err := aplomb.New(o.server.URL, append([]aplomb.Option{
		aplomb.Transport(o.server.Transport()), aplomb.PerCall(o.cache.Middleware),
	}, opts...)...)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(c.CloseIdleConnections)
	return c
}

func bearer(name string) aplomb.Auth { return aplomb.Bearer(aplomb.Static(name)) }

func get(t *testing.T, c *aplomb.Client, opts ...aplomb.CallOption) item {
	t.Helper()
	return getWith(t, t.Context(), c, opts...)
}

func getWith(t *testing.T, ctx context.Context, c *aplomb.Client, opts ...aplomb.CallOption) item {
	t.Helper()
	v, err := aplomb.Get[item](ctx, c, "/me", opts...)
	assert.NoError(t, err)
	return v
}

func TestTypedCalls(t *testing.T) {
	t.Parallel()
	bubble(t, "are answered without an attempt", func(t *testing.T) {
		o := tenants("Cache-Control: max-age=60")
		var attempts, calls int
		c := o.serve(t, cache.Settings{}, bearer("a"), aplomb.Hooks{
			AttemptDone: func(context.Context, aplomb.AttemptEvent) { attempts++ },
			CallDone:    func(context.Context, aplomb.CallEvent) { calls++ },
		})
		for range 3 {
			var r aplomb.Response
			assert.Equal(t, get(t, c, aplomb.Capture(&r)), item{"Bearer a", 1})
			assert.Equal(t, r.StatusCode, 200)
		}
		assert.Equal(t, attempts, 1)
		assert.Equal(t, calls, 3)
	})
	bubble(t, "through the other door too", func(t *testing.T) {
		o := tenants("Cache-Control: max-age=60")
		c := o.serve(t, cache.Settings{}, bearer("a"))
		get(t, c)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/me", nil)
		r.Header.Set("Accept", "application/json")
		resp, err := c.Do(r)
		assert.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		assert.Equal(t, string(body), `{"who":"Bearer a","n":1}`)
		assert.Equal(t, o.count(), 1)
	})
	bubble(t, "only-if-cached is an error that says so", func(t *testing.T) {
		o := tenants("Cache-Control: max-age=60")
		c := o.serve(t, cache.Settings{})
		_, err := aplomb.Get[item](t.Context(), c, "/me", aplomb.Header("Cache-Control", "only-if-cached"))
		assert.Contains(t, err.Error(), "504")
		assert.Equal(t, o.count(), 0)
	})
	bubble(t, "an error's body that was cut short is not kept", func(t *testing.T) {
		o := &origin{answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			set(w, "Cache-Control: max-age=60")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}}
		c := o.serve(t, cache.Settings{})
		for range 2 {
			_, err := aplomb.Get[item](t.Context(), c, "/me")
			assert.Contains(t, err.Error(), "404")
		}
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "redirects are followed from the cache", func(t *testing.T) {
		o := &origin{answer: func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, "Cache-Control: max-age=60", "Content-Type: application/json")
			if r.URL.Path == "/me" {
				http.Redirect(w, r, "/you", http.StatusMovedPermanently)
				return
			}
			_, _ = io.WriteString(w, `{"who":"you"}`)
		}}
		c := o.serve(t, cache.Settings{})
		for range 2 {
			assert.Equal(t, get(t, c).Who, "you")
		}
		assert.Equal(t, o.count(), 2)
	})
}

// TestCredentialsNeverMix is what a shared map gets wrong.
func TestCredentialsNeverMix(t *testing.T) {
	t.Parallel()
	const keep = "Cache-Control: max-age=600"
	bubble(t, "a call's own credential goes past the cache", func(t *testing.T) {
		o := tenants(keep)
		c := o.serve(t, cache.Settings{}, bearer("a"))
		assert.Equal(t, get(t, c), item{"Bearer a", 1})
		assert.Equal(t, get(t, c, bearer("b")), item{"Bearer b", 2})
		assert.Equal(t, get(t, c, bearer("b")), item{"Bearer b", 3})
		assert.Equal(t, get(t, c, aplomb.NoAuth()), item{"", 4})
		assert.Equal(t, getWith(t, aplomb.NewContext(t.Context(), bearer("c")), c), item{"Bearer c", 5})
		assert.Equal(t, get(t, c), item{"Bearer a", 1})
		assert.Equal(t, o.cache.Stats(), cache.Stats{Misses: 1, Hits: 1, Bypassed: 4})
	})
	bubble(t, "unless it is said for whom", func(t *testing.T) {
		o := tenants(keep)
		c := o.serve(t, cache.Settings{}, bearer("a"))
		for range 2 {
			assert.Equal(t, get(t, c), item{"Bearer a", 1})
			assert.Equal(t, getWith(t, cache.As(t.Context(), "b"), c, bearer("b")), item{"Bearer b", 2})
			assert.Equal(t, getWith(t, cache.As(t.Context(), "c"), c, bearer("c")), item{"Bearer c", 3})
		}
	})
	bubble(t, "a client of With has another", func(t *testing.T) {
		o := tenants(keep)
		a := o.serve(t, cache.Settings{}, bearer("a"))
		b, err := a.With(bearer("b"))
		assert.NoError(t, err)
		same, err := a.With(aplomb.Name("same"))
		assert.NoError(t, err)
		assert.Equal(t, get(t, b), item{"Bearer b", 1})
		assert.Equal(t, get(t, a), item{"Bearer a", 2})
		assert.Equal(t, get(t, b), item{"Bearer b", 3})
		assert.Equal(t, get(t, same), item{"Bearer a", 2})
	})
	bubble(t, "a credential that goes by the context", func(t *testing.T) {
		type tenant struct{}
		o := tenants(keep)
		c := o.serve(t, cache.Settings{}, aplomb.AuthFunc(func(r *http.Request) error {
			name, _ := r.Context().Value(tenant{}).(string)
			r.Header.Set("Authorization", name)
			return nil
		}))
		for n, name := range []string{"a", "b", "a"} {
			assert.Equal(t, getWith(t, context.WithValue(t.Context(), tenant{}, name), c), item{name, n + 1})
		}
		for range 2 {
			assert.Equal(t, getWith(t, cache.As(context.WithValue(t.Context(), tenant{}, "a"), "a"), c), item{"a", 4})
		}
	})
	bubble(t, "two clients were given one cache", func(t *testing.T) {
		o := tenants(keep)
		a := o.serve(t, cache.Settings{}, bearer("a"))
		b := o.newClient(bearer("b"))
		none := o.newClient()
		for n := range 2 {
			assert.Equal(t, get(t, a), item{"Bearer a", 1})
			assert.Equal(t, get(t, b), item{"Bearer b", 2 + 2*n})
			assert.Equal(t, get(t, none), item{"", 3 + 2*n})
		}
	})
	// below attaches a credential where the cache does not see it.
	below := func(name string) aplomb.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				r = r.Clone(r.Context())
				r.Header.Set("Authorization", name)
				return next.RoundTrip(r)
			})
		}
	}
	bubble(t, "a transport attaches it, as OAuth's does", func(t *testing.T) {
		o := tenants(keep)
		o.serve(t, cache.Settings{})
		var clients []*origin
		for _, name := range []string{"a", "b"} {
			client := &http.Client{Transport: o.cache.Middleware(below(name)(o.server.Transport()))}
			clients = append(clients, &origin{t: t, server: o.server, client: client})
		}
		for n := range 2 {
			assert.Equal(t, clients[0].send("GET /me").body, `{"who":"a","n":1}`)
			assert.Equal(t, clients[1].send("GET /me").body, fmt.Sprintf(`{"who":"b","n":%d}`, 2+n))
		}
		r := clients[0].request("GET /me")
		resp, err := clients[0].client.Do(r.WithContext(aplomb.NewContext(t.Context(), bearer("c"))))
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, got{Response: resp}.how(), "fwd=bypass; detail=credential")
	})
	bubble(t, "a client's transport or middleware attaches it", func(t *testing.T) {
		o := tenants(keep)
		transport := func(name string) aplomb.Option { return aplomb.Transport(below(name)(o.server.Transport())) }
		c := o.serve(t, cache.Settings{})
		a, b := o.newClient(transport("a")), o.newClient(transport("b"))
		with, err := a.With(transport("c"))
		assert.NoError(t, err)
		attempt, err := a.With(aplomb.PerAttempt(below("d")))
		assert.NoError(t, err)
		same, err := a.With(aplomb.Timeout(time.Minute))
		assert.NoError(t, err)
		for n := range 2 {
			assert.Equal(t, get(t, a), item{"a", 1})
			assert.Equal(t, get(t, b), item{"b", 2 + 4*n})
			assert.Equal(t, get(t, with), item{"c", 3 + 4*n})
			assert.Equal(t, get(t, attempt), item{"a", 4 + 4*n}, "the transport has the last word")
			assert.Equal(t, get(t, c), item{"", 5 + 4*n})
			assert.Equal(t, get(t, same), item{"a", 1})
		}
	})
	bubble(t, "clients of With for their tenants", func(t *testing.T) {
		o := tenants(keep)
		o.t, o.server, o.cache = t, aplombtest.NewServer(t, o), newCache(t, cache.NewMemory(1<<20), cache.Settings{})
		base, err := aplomb.New(o.server.URL, aplomb.Transport(o.server.Transport()), bearer("base"))
		assert.NoError(t, err)
		tenant := func(token, name string) *aplomb.Client {
			c, err := base.With(bearer(token), aplomb.PerCall(o.cache.For(name)))
			assert.NoError(t, err)
			return c
		}
		for range 2 { // made anew for each request
			assert.Equal(t, get(t, tenant("a", "a")), item{"Bearer a", 1})
			assert.Equal(t, get(t, tenant("b", "b")), item{"Bearer b", 2})
		}
		assert.Equal(t, get(t, tenant("a2", "a")), item{"Bearer a", 1}, "its next token")

		a := tenant("a", "a")
		get(t, a)
		same, err := a.With(aplomb.Timeout(time.Minute))
		assert.NoError(t, err)
		assert.Equal(t, get(t, same), item{"Bearer a", 1})
		other, err := a.With(bearer("c")) // and the middleware of a
		assert.NoError(t, err)
		for n := range 2 {
			assert.Equal(t, get(t, other), item{"Bearer c", 3 + 4*n})
			assert.Equal(t, get(t, a, bearer("d")), item{"Bearer d", 4 + 4*n})
			assert.Equal(t, getWith(t, aplomb.NewContext(t.Context(), bearer("e")), a), item{"Bearer e", 5 + 4*n})
			fn, err := base.With(aplomb.AuthFunc(func(*http.Request) error { return nil }), aplomb.PerCall(o.cache.For("a")))
			assert.NoError(t, err)
			assert.Equal(t, get(t, fn), item{"", 6 + 4*n})
		}
		assert.Equal(t, getWith(t, cache.As(t.Context(), "b"), a), item{"Bearer b", 2}, "As wins")
		assert.Equal(t, get(t, tenant("f", "")), item{"Bearer f", 11}, "nobody is Middleware")
		assert.Equal(t, o.cache.Stats().Bypassed, 9)
	})
	bubble(t, "an SDK's own header keeps its answers apart", func(t *testing.T) {
		o := tenants(keep)
		c := o.serve(t, cache.Settings{})
		o.client = c.HTTPClient()
		for range 2 {
			for i, name := range []string{"Authorization: a", "Authorization: b", "Cookie: s=1", "X-Api-Key: 1", "Stripe-Account: acct_1"} {
				assert.Contains(t, o.send("GET /me", name).body, fmt.Sprintf(`"n":%d`, i+1))
			}
		}
		assert.Equal(t, o.count(), 5)
	})
	bubble(t, "so do its baggage and the version that it asks for", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, keep)
			_, _ = io.WriteString(w, r.Header.Get("Baggage")+r.Header.Get("X-Api-Version"))
		})
		for range 2 {
			for _, value := range []string{"a", "b"} {
				assert.Equal(t, o.send("GET /me", "Baggage: tenant="+value).body, "tenant="+value)
				assert.Equal(t, o.send("GET /me", "X-Api-Version: "+value).body, value)
			}
		}
		assert.Equal(t, o.count(), 4)
	})
	bubble(t, "so does the Host of one server's tenants", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, func(_ int, w http.ResponseWriter, r *http.Request) {
			set(w, keep)
			_, _ = io.WriteString(w, r.Host)
		})
		for range 2 {
			for _, host := range []string{"a.example", "b.example", "A.example"} {
				r := o.request("GET /me")
				r.Host = host
				resp, err := o.client.Do(r)
				assert.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				_ = resp.Body.Close()
				assert.Equal(t, string(body), strings.ToLower(host))
			}
		}
		assert.Equal(t, o.count(), 2)
	})
	bubble(t, "what differs in each request and says nothing does not", func(t *testing.T) {
		o := tenants(keep)
		o.serve(t, cache.Settings{})
		o.client = &http.Client{Transport: o.cache.Middleware(o.server.Transport())}
		for i := range 3 {
			o.send("GET /me", fmt.Sprintf("X-Request-Id: %d", i), fmt.Sprintf("Traceparent: %d", i), fmt.Sprintf("X-B3-Traceid: %d", i))
		}
		assert.Equal(t, o.count(), 1)
	})
}

// recorder is a Store that remembers what it was given.
type recorder struct {
	*cache.Memory
	all strings.Builder
}

func (r *recorder) Set(ctx context.Context, key string, value []byte) error {
	r.all.WriteString(key)
	r.all.Write(value)
	return r.Memory.Set(ctx, key, value)
}

func TestLaw05_NothingOfTheRequestIsStored(t *testing.T) {
	t.Parallel()
	bubble(t, "neither its header nor its address", func(t *testing.T) {
		store := &recorder{Memory: cache.NewMemory(1 << 20)}
		o := newOriginOver(t, store, cache.Settings{}, say("body", "Cache-Control: max-age=60", "Vary: Authorization, X-Tenant", "X-Kept: kept", "Connection: X-Hop", "X-Hop: hop"))
		o.send("GET /path-of-it?q=words-of-it", "Authorization: Bearer sesame", "Cookie: s=sesame", "X-Tenant: tenant-of-it")
		for _, part := range []string{"sesame", "path-of-it", "words-of-it", "tenant-of-it", "api.test", "X-Hop"} {
			assert.NotContains(t, store.all.String(), part)
		}
		for _, part := range []string{"body", "X-Kept"} {
			assert.Contains(t, store.all.String(), part)
		}
		assert.NotContains(t, fmt.Sprintf("%+v %#v", o.cache, store.Memory), "body")
	})
	for _, address := range []string{"/?access_token=abc", "/?a=b&api_key=abc", "/?X-Amz-Signature=abc", "/?sig=abc", "/?password=x", "/?%74oken=abc", "/?a=b;token=c",
		"/bot" + "123456789:AAEhBOweik6ad9r/getMe", "/v1/sk_" + "test_4eC39HqLyjWDarjt/x", "/a/eyJhbGciOi.eyJzdWIiOiI.c2ln", "/a;token=abc",
		"/?a=eyJhbGciOi.eyJzdWIiOiI.c2ln", "/?a%3Dtoken=x",
	} {
		bubble(t, "nor an answer to "+address, func(t *testing.T) {
			store := &recorder{Memory: cache.NewMemory(1 << 20)}
			o := newOriginOver(t, store, cache.Settings{}, say("body", "Cache-Control: max-age=60"))
			assert.Equal(t, o.send("GET "+address).how(), "fwd=bypass; detail=secret-in-url")
			assert.Equal(t, store.all.Len(), 0)
		})
	}
	for _, address := range []string{"/?token_type=bearer", "/?access_token=", "/?a=token", "/tokens/4242424242424242",
		"/?page[number]=2", "/?page%5Bnumber%5D=2", "/?pageToken=CAUQAA", "/?after=eyJpZCI6MTIzfQ", "/?a=%zz",
	} {
		bubble(t, "but one to "+address, func(t *testing.T) {
			o := newOrigin(t, cache.Settings{}, say("body", "Cache-Control: max-age=60"))
			o.send("GET " + address)
			assert.Equal(t, o.send("GET "+address).how(), "hit; ttl=60")
		})
	}
	bubble(t, "nor one with a user in the address", func(t *testing.T) {
		store := &recorder{Memory: cache.NewMemory(1 << 20)}
		o := newOriginOver(t, store, cache.Settings{}, say("body", "Cache-Control: max-age=60"))
		r := o.request("GET /")
		r.URL.Host = "user@" + r.URL.Host
		r.URL, _ = r.URL.Parse("http://user:x@api.test/")
		resp, err := o.client.Do(r)
		assert.NoError(t, err)
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		assert.Equal(t, store.all.Len(), 0)
	})
}

// github counts as GitHub does: a 304 costs nothing.
func github(limit int) *origin {
	var left atomic.Int64
	left.Store(int64(limit))
	return &origin{answer: func(_ int, w http.ResponseWriter, r *http.Request) {
		set(w, "Content-Type: application/json", `Etag: W/"1"`, "Cache-Control: private, max-age=60, s-maxage=60", "Vary: Accept, Authorization, Cookie",
			fmt.Sprintf("X-Ratelimit-Limit: %d", limit), fmt.Sprintf("X-Ratelimit-Reset: %d", time.Now().Add(time.Hour).Unix()))
		if r.Header.Get("If-None-Match") == `W/"1"` {
			set(w, fmt.Sprintf("X-Ratelimit-Remaining: %d", left.Load()))
			w.WriteHeader(http.StatusNotModified)
			return
		}
		now := left.Add(-1)
		set(w, fmt.Sprintf("X-Ratelimit-Remaining: %d", max(now, 0)))
		if now < 0 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, `{"who":"octocat"}`)
	}}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	bubble(t, "a 304 takes nothing of it", func(t *testing.T) {
		o := github(10)
		c := o.serve(t, cache.Settings{}, bearer("a"), aplomb.NoRateLimit())
		for range 60 { // an hour of a dashboard
			assert.Equal(t, get(t, c).Who, "octocat")
			time.Sleep(time.Minute)
		}
		var r aplomb.Response
		get(t, c, aplomb.Capture(&r))
		assert.Equal(t, r.Header.Get("X-Ratelimit-Remaining"), "9", "one of ten was used in an hour")
		assert.Equal(t, o.cache.Stats(), cache.Stats{Misses: 1, Validated: 60})
	})
	bubble(t, "one used up is an error that a stale answer stands in for", func(t *testing.T) {
		o := github(1)
		c := o.serve(t, cache.Settings{StaleIfError: time.Hour}, bearer("a"))
		get(t, c)
		_, err := aplomb.Get[item](t.Context(), c, "/other", aplomb.Timeout(time.Second))
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		time.Sleep(time.Minute)
		before := o.count()
		assert.Equal(t, get(t, c, aplomb.Timeout(time.Second)).Who, "octocat")
		assert.Equal(t, o.count(), before, "the gate let no validation through")
	})
	bubble(t, "so is an open circuit", func(t *testing.T) {
		down := false
		o := &origin{answer: func(n int, w http.ResponseWriter, r *http.Request) {
			if down {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			say(`{"who":"up"}`, "Content-Type: application/json", "Cache-Control: max-age=10, stale-if-error=600")(n, w, r)
		}}
		c := o.serve(t, cache.Settings{}, aplomb.NoRetry())
		get(t, c)
		down = true
		for range 40 {
			_, err := aplomb.Get[item](t.Context(), c, "/other")
			assert.True(t, err != nil)
		}
		time.Sleep(10 * time.Second)
		sent := o.count()
		for range 40 {
			assert.Equal(t, get(t, c).Who, "up")
		}
		assert.True(t, o.count()-sent <= 1, o.count()-sent, "a probe at most")
	})
}

// once is a SecretSource that has a secret the first time only.
type once struct{ asked *atomic.Int32 }

func (s once) Secret(context.Context) (aplomb.Secret, error) {
	if s.asked.Add(1) > 1 {
		return aplomb.Secret{}, errAway
	}
	return aplomb.NewSecret("a"), nil
}

func TestNoCredentialIsNoOutage(t *testing.T) {
	t.Parallel()
	bubble(t, "that a stale answer stands in for", func(t *testing.T) {
		o := tenants("Cache-Control: max-age=10")
		c := o.serve(t, cache.Settings{StaleIfError: time.Hour}, aplomb.Bearer(once{new(atomic.Int32)}))
		ctx := cache.As(t.Context(), "a")
		getWith(t, ctx, c)
		time.Sleep(time.Minute)
		_, err := aplomb.Get[item](ctx, c, "/me")
		assert.ErrorIs(t, err, aplomb.ErrNoCredential)
	})
}

func TestRefreshInAClient(t *testing.T) {
	t.Parallel()
	bubble(t, "has the credential and outlives its call", func(t *testing.T) {
		o := tenants("Cache-Control: max-age=10, stale-while-revalidate=60")
		first := o.answer
		o.answer = func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 2 {
				w.WriteHeader(http.StatusServiceUnavailable) // it is retried
				return
			}
			first(n, w, r)
		}
		var attempts []string
		c := o.serve(t, cache.Settings{}, bearer("a"), aplomb.Hooks{
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
				attempts = append(attempts, fmt.Sprint(e.Operation, " ", e.Number, " ", e.Status))
			},
		})
		get(t, c)
		time.Sleep(20 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		assert.Equal(t, getWith(t, ctx, c), item{"Bearer a", 1})
		cancel()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Equal(t, attempts, []string{"GET /me 1 200", "GET /me 1 503", "GET /me 2 200"})
	})
}

func TestRefreshHasItsOwn(t *testing.T) {
	t.Parallel()
	bubble(t, "time for the store", func(t *testing.T) {
		o := newOriginOver(t, late{cache.NewMemory(1 << 20), 60 * time.Millisecond}, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				set(w, "Vary: X-A") // a new index is one step more
			}
			say("x", "Cache-Control: max-age=10, stale-while-revalidate=60")(n, w, r)
		})
		o.send("GET /a")
		time.Sleep(20 * time.Second)
		o.send("GET /a")
		time.Sleep(time.Second)
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=8")
	})
	bubble(t, "header, whatever the caller does with its own", func(t *testing.T) {
		var seen []string
		c := newCache(t, cache.NewMemory(1<<20), cache.Settings{})
		next := c.Middleware(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			seen = append(seen, r.Header.Get("X-Request-ID"))
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=10, stale-while-revalidate=60"}}, Body: http.NoBody, Request: r,
			}, nil
		}))
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.test/", nil)
		r.Header.Set("X-Request-ID", "1")
		for _, id := range []string{"1", "later"} {
			resp, err := next.RoundTrip(r)
			assert.NoError(t, err)
			_ = resp.Body.Close()
			if id == "1" {
				time.Sleep(15 * time.Second) // it is stale, and asked for behind
				continue
			}
			r.Header.Set("X-Request-ID", id)
			time.Sleep(15 * time.Second)
		}
		synctest.Wait()
		assert.Equal(t, seen, []string{"1", "1"})
	})
}

// away is a Store that fails, or never answers.
type away struct{ hangs bool }

func (a away) Get(ctx context.Context, _ string) ([]byte, error) { return nil, a.fail(ctx) }
func (a away) Set(ctx context.Context, _ string, _ []byte) error { return a.fail(ctx) }
func (a away) Delete(ctx context.Context, _ string) error        { return a.fail(ctx) }

func (a away) fail(ctx context.Context) error {
	if a.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return errAway
}

// strict is a Store that does nothing for a context that has ended.
type strict struct{ *cache.Memory }

func (s strict) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Memory.Delete(ctx, key)
}

func TestWhoLeavesAChangeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	bubble(t, "and yet what it changed is forgotten", func(t *testing.T) {
		o := newOriginOver(t, strict{cache.NewMemory(1 << 20)}, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				<-r.Context().Done()
			}
			say("x", "Cache-Control: max-age=60")(n, w, r)
		})
		o.send("GET /a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := o.client.Do(o.request("PUT /a").WithContext(ctx))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, o.send("GET /a").how(), missed)
	})
}

func TestLaw10_AStoreThatIsAwayFailsNoCall(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		bubble(t, fmt.Sprintf("hangs: %v", hangs), func(t *testing.T) {
			o := newOriginOver(t, away{hangs}, cache.Settings{}, say("good", "Cache-Control: max-age=60"))
			start := time.Now()
			for range 5 {
				assert.Equal(t, o.send("GET /a").body, "good")
			}
			o.send("POST /a")
			took := time.Duration(0)
			if hangs {
				took = 250 * time.Millisecond
			}
			assert.Equal(t, time.Since(start), took, "it is left alone for a second")
			assert.Equal(t, o.cache.Stats().StoreErrors, 1)
			time.Sleep(time.Second)
			o.send("GET /a")
			assert.Equal(t, o.cache.Stats().StoreErrors, 2)
		})
	}
}

// late is a Store each of whose steps takes a while.
type late struct {
	*cache.Memory
	by time.Duration
}

func (l late) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(l.by):
		return nil
	}
}

func (l late) Get(ctx context.Context, key string) ([]byte, error) {
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	return l.Memory.Get(ctx, key)
}

func (l late) Set(ctx context.Context, key string, value []byte) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	return l.Memory.Set(ctx, key, value)
}

func (l late) Delete(ctx context.Context, key string) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	return l.Memory.Delete(ctx, key)
}

func TestAChangeWhileAnAnswerIsKept(t *testing.T) {
	t.Parallel()
	for _, step := range []int{10, 60, 110, 160} { // in each step of it
		at := time.Duration(step) * time.Millisecond
		bubble(t, fmt.Sprintf("after %v", at), func(t *testing.T) {
			o := newOriginOver(t, late{cache.NewMemory(1 << 20), 50 * time.Millisecond}, cache.Settings{}, say("x", "Cache-Control: max-age=60"))
			changed := make(chan struct{})
			time.AfterFunc(at, func() { o.send("PUT /a"); close(changed) })
			o.send("GET /a")
			<-changed
			assert.NotContains(t, o.send("GET /a").how(), "hit")
		})
	}
	bubble(t, "leaves nothing in the store", func(t *testing.T) {
		store := &recorder{Memory: cache.NewMemory(1 << 20)}
		o := newOriginOver(t, store, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				time.Sleep(2 * time.Second)
			}
			say("x", "Cache-Control: max-age=60")(n, w, r)
		})
		time.AfterFunc(time.Second, func() { o.send("PUT /a") })
		o.send("GET /a")
		assert.Equal(t, store.all.Len(), 0)
	})
}

// damaged is a Store that gives back other bytes than it was given.
type damaged struct{ *cache.Memory }

func (d damaged) Set(ctx context.Context, key string, value []byte) error {
	value = bytes.Clone(value)
	if !bytes.HasPrefix(value, []byte("aplomb-index")) {
		value[len(value)/2] ^= 1
	}
	return d.Memory.Set(ctx, key, value)
}

func TestADamagedAnswerIsRemoved(t *testing.T) {
	t.Parallel()
	bubble(t, "once", func(t *testing.T) {
		o := newOriginOver(t, damaged{cache.NewMemory(1 << 20)}, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
			keep := "Cache-Control: no-store"
			if n == 1 {
				keep = "Cache-Control: max-age=60"
			}
			say("x", keep)(n, w, r)
		})
		for range 3 {
			assert.Equal(t, o.send("GET /a").body, "x")
		}
		assert.Equal(t, o.cache.Stats(), cache.Stats{Misses: 3, Corrupt: 1})
	})
}

func TestLaw10_OneBudgetForTheStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what         string
		steps        int
		by, together time.Duration
	}{
		{"GET /a", 4, 50 * time.Millisecond, 200 * time.Millisecond}, // the index twice, and two values
		{"GET /a", 4, 100 * time.Millisecond, 250 * time.Millisecond},
		{"POST /a", 3, 50 * time.Millisecond, 150 * time.Millisecond}, // what it changed, and two that it names
		{"POST /a", 3, 100 * time.Millisecond, 250 * time.Millisecond},
	} {
		bubble(t, fmt.Sprintf("%s, each step %v", c.what, c.by), func(t *testing.T) {
			o := newOriginOver(t, late{cache.NewMemory(1 << 20), c.by}, cache.Settings{},
				say("good", "Cache-Control: max-age=60", "Location: /b", "Content-Location: /c"))
			start := time.Now()
			o.send(c.what)
			assert.Equal(t, time.Since(start), c.together)
			assert.Equal(t, o.cache.Stats().StoreErrors == 0, c.together == time.Duration(c.steps)*c.by)
		})
	}
}

// deaf is a Store whose first Get knows of no context, or panics.
type deaf struct {
	*cache.Memory
	asked *atomic.Int32
	first func()
}

func (d deaf) Get(ctx context.Context, key string) ([]byte, error) {
	if d.asked.Add(1) == 1 {
		d.first()
	}
	return d.Memory.Get(ctx, key)
}

func TestLaw10_AStoreThatDoesWhatItMayNot(t *testing.T) {
	t.Parallel()
	bubble(t, "and knows of no context", func(t *testing.T) {
		back := make(chan struct{})
		store := deaf{cache.NewMemory(1 << 20), new(atomic.Int32), func() { <-back }}
		o := newOriginOver(t, store, cache.Settings{}, say("good", "Cache-Control: max-age=60"))
		start := time.Now()
		for range 3 {
			assert.Equal(t, o.send("GET /a").body, "good")
			time.Sleep(time.Minute)
		}
		assert.Equal(t, time.Since(start), 3*time.Minute+250*time.Millisecond)
		assert.Equal(t, store.asked.Load(), 1, "it is not asked until it is back")
		close(back)
		synctest.Wait()
		o.send("GET /a")
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=60")
	})
	bubble(t, "and panics", func(t *testing.T) {
		store := deaf{cache.NewMemory(1 << 20), new(atomic.Int32), func() { panic("the store's") }}
		o := newOriginOver(t, store, cache.Settings{}, say("good", "Cache-Control: max-age=60"))
		assert.Equal(t, o.send("GET /a").body, "good")
		assert.Equal(t, o.cache.Stats().StoreErrors, 1)
		time.Sleep(time.Second)
		o.send("GET /a")
		assert.Equal(t, o.send("GET /a").how(), "hit; ttl=60")
	})
}

// torn is a Store that fails while down.
type torn struct {
	*cache.Memory
	down *atomic.Bool
}

func (s torn) Delete(ctx context.Context, key string) error {
	if s.down.Load() {
		return errAway
	}
	return s.Memory.Delete(ctx, key)
}

func TestWhatCouldNotBeForgottenIsNotUsed(t *testing.T) {
	t.Parallel()
	for _, others := range []int{0, 9_999, 10_000, 10_001} {
		bubble(t, fmt.Sprintf("beside %d others", others), func(t *testing.T) {
			store := torn{cache.NewMemory(1 << 20), new(atomic.Bool)}
			o := newOriginOver(t, store, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
				say(strconv.Itoa(n), "Cache-Control: max-age=600")(n, w, r)
			})
			o.send("GET /a")
			store.down.Store(true)
			for i := range others {
				_ = o.cache.Purge(t.Context(), fmt.Sprintf("%s/%d", o.server.URL, i))
			}
			o.send("PUT /a")
			store.down.Store(false)
			time.Sleep(time.Second)
			o.send("GET /0") // it is not owed any more
			assert.Equal(t, o.send("GET /a").how(), missed)
			assert.Equal(t, o.send("GET /a").how(), "hit; ttl=600", "and the store is used")
		})
	}
}

func TestLaw03_AStoreThatHangsOutlastsNoDeadline(t *testing.T) {
	t.Parallel()
	bubble(t, "of the call", func(t *testing.T) {
		o := newOriginOver(t, away{hangs: true}, cache.Settings{}, say("good", "Cache-Control: max-age=60"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := o.client.Do(o.request("GET /a").WithContext(ctx))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 10*time.Millisecond)
		assert.Equal(t, o.cache.Stats().StoreErrors, 0, "the caller's deadline says nothing of the store")
	})
}

func TestLaw07_ABombCostsLittle(t *testing.T) { //nolint:paralleltest // it measures memory
	const size = 256 << 20
	var member bytes.Buffer // a file of gzip may have many
	z := gzip.NewWriter(&member)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	server := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		set(w, "Cache-Control: max-age=60", "Content-Encoding: gzip")
		for range size >> 20 {
			_, _ = w.Write(member.Bytes())
		}
	}))
	client := &http.Client{Transport: newCache(t, cache.NewMemory(64<<20), cache.Settings{}).Middleware(server.Transport())}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := client.Get(server.URL)
	assert.NoError(t, err)
	n, err := io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	runtime.ReadMemStats(&after)
	assert.NoError(t, err)
	assert.Equal(t, n, size)
	cost := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d MiB allocated", cost>>20)
	assert.True(t, cost < 40<<20, cost)
}

// TestLaw07_ABombIsAnErrorToATypedCall measures what of it is on the heap while it
// is read, so it is not parallel.
func TestLaw07_ABombIsAnErrorToATypedCall(t *testing.T) { //nolint:paralleltest // see above
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	var peak atomic.Uint64
	server := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		set(w, "Cache-Control: max-age=60", "Content-Encoding: gzip")
		for range 256 {
			if _, err := w.Write(member.Bytes()); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc)) // one request at a time
		}
	}))
	answers := newCache(t, cache.NewMemory(64<<20), cache.Settings{})
	c, err := aplomb.New(server.URL, aplomb.Transport(server.Transport()), aplomb.PerCall(answers.Middleware), aplomb.NoRetry(), aplomb.MaxBody(8<<20))
	assert.NoError(t, err)
	defer c.CloseIdleConnections()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 2 {
		_, err = aplomb.Get[[]byte](t.Context(), c, "/a")
		assert.ErrorIs(t, err, aplomb.ErrTooLarge)
	}
	cost := int64(peak.Load()) - int64(before.HeapAlloc)
	t.Logf("%d MiB on the heap", cost>>20)
	assert.True(t, cost < 40<<20, cost)
	assert.Equal(t, answers.Stats(), cache.Stats{}, "a body that a typed call cannot read is no answer")
}

func TestLaw08_TheRequestIsLeftAlone(t *testing.T) {
	t.Parallel()
	bubble(t, "also where it is made conditional", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("a", `Etag: "a"`, "Last-Modified: "+aYearAgo, "Cache-Control: no-cache"))
		o.send("GET /a")
		r := o.request("GET /a")
		r.Header = nil
		resp, err := o.client.Transport.RoundTrip(r)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.True(t, resp.Request != nil)
		assert.True(t, r.Header == nil)
		assert.Equal(t, o.last().Header.Get("If-None-Match"), `"a"`)
	})
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	bubble(t, "is told of each", func(t *testing.T) {
		var events []cache.Event
		o := newOrigin(t, cache.Settings{Answered: func(_ context.Context, e cache.Event) { events = append(events, e) }}, say("a", "Cache-Control: max-age=60"))
		o.send("GET /a")
		time.Sleep(10 * time.Second)
		o.send("GET /a")
		o.send("POST /b")
		assert.Equal(t, events, []cache.Event{
			{Result: cache.ResultMiss, Method: "GET", Host: "api.test", Status: 200},
			{Result: cache.ResultHit, Method: "GET", Host: "api.test", Status: 200, Age: 10 * time.Second},
			{Result: cache.ResultBypass, Method: "POST", Host: "api.test", Status: 200},
		})
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	bubble(t, "what is fresh no longer is stale", func(t *testing.T) {
		o := newOrigin(t, cache.Settings{}, say("a", "Cache-Control: max-age=60"))
		o.send("GET /a")
		for range 2 {
			time.Sleep(30 * time.Second)
			o.send("GET /a", "Cache-Control: max-stale")
		}
		assert.Equal(t, o.cache.Stats(), cache.Stats{Misses: 1, Hits: 1, Stale: 1})
	})
}

func TestAnsweredPanics(t *testing.T) {
	t.Parallel()
	c := newCache(t, cache.NewMemory(1<<20), cache.Settings{Answered: func(context.Context, cache.Event) { panic("the caller's") }})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		closed := 0
		next := c.Middleware(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			body := struct {
				io.Reader
				io.Closer
			}{strings.NewReader("x"), closeFunc(func() error { closed++; return nil })}
			return &http.Response{StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=60"}}, Body: body, Request: r}, nil
		}))
		func() {
			defer func() { assert.Equal(t, recover(), any("the caller's")) }()
			r, _ := http.NewRequestWithContext(t.Context(), method, "http://a.test/", nil)
			_, _ = next.RoundTrip(r) //nolint:bodyclose // there is no answer
		}()
		assert.Equal(t, closed, 1, method)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, s := range []cache.Settings{{MaxEntry: -1}, {StaleIfError: -1}, {StaleIfError: 5}} {
		_, err := cache.New(cache.NewMemory(1), s)
		assert.True(t, err != nil, s)
	}
	_, err := cache.New(nil, cache.Settings{})
	assert.True(t, err != nil)
	for name, store := range map[string]cache.Store{"memory": cache.NewMemory(1), "disk": openDisk(t, newDir(t), 4096)} {
		_, err := cache.New(store, cache.Settings{})
		assert.NoError(t, err)
		_, err = cache.New(store, cache.Settings{})
		assert.Contains(t, fmt.Sprint(err), "credentials would mix", name)
	}
}

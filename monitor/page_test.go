package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
)

func TestPage(t *testing.T) {
	t.Parallel()
	bubble(t, "shows what is wrong first", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, aplomb.NoRetry())
		assert.NoError(t, m.Explain(a.client))
		a.answer.Store(&answer{wait: 10 * time.Millisecond, header: http.Header{"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {"50"}, "X-Ratelimit-Reset": {"3600"}}})
		a.load(t, 30*time.Second, time.Second, 0)
		a.load(t, 4*time.Second, 100*time.Millisecond, 1)
		w := see(m, "")
		assert.Equal(t, w.Code, 200)
		assert.Equal(t, w.Header().Get("Content-Type"), "text/html; charset=utf-8")
		page := w.Body.String()
		at := 0
		for _, part := range []string{
			"<title>down · aplomb</title>", `<div id="top" class="banner down"`, `<a href="#card-orders-api.test">orders (api.test): the circuit is open: `, `<article id="card-orders" class="client down"`, "50 of 100", "at this pace empty in",
			`<div id="card-orders-api.test" class="card down"`, "Circuit open for ", "attempts failed: the next call in ", "Last failure ",
			"GET /v1/orders/{id}", "Breaker.MinAttempts", "circuit open",
		} {
			next := strings.Index(page[at:], part)
			if assert.True(t, next >= 0, part) {
				at += next
			}
		}
		assert.NotContains(t, page, "breaker open")
		assert.Contains(t, see(m, "?calls=trouble").Body.String(), `<a href="?calls=trouble" aria-current="page">`)
	})
	bubble(t, "as text, JSON and its parts", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, alone())
		a.load(t, 20*time.Second, time.Second, 2)
		curl := func(r *http.Request) { r.Header.Set("Accept", "*/*") }
		text := see(m, "", curl)
		assert.Equal(t, text.Header().Get("Content-Type"), "text/plain; charset=utf-8")
		assert.Contains(t, text.Body.String(), "down at 00:00:20, up for 20s\n  down      orders (api.test): 50 % of 20 calls in a minute failed\n")
		assert.Contains(t, text.Body.String(), "orders  api.test  down    1.0/s  50 %")
		assert.Equal(t, see(m, "?format=text").Body.String(), text.Body.String())
		var s monitor.Snapshot
		for _, w := range []*bytesOf{{see(m, "?format=json").Body.Bytes()}, {see(m, "", func(r *http.Request) { r.Header.Set("Accept", "application/json") }).Body.Bytes()}} {
			assert.NoError(t, json.Unmarshal(w.raw, &s))
			assert.Equal(t, s.Clients[0].Totals.Calls, 20)
			assert.Equal(t, s.Health.Status, monitor.Down)
		}
		assert.Contains(t, see(m, "?asset=page.css").Header().Get("Content-Type"), "text/css")
		assert.Contains(t, see(m, "?asset=page.js").Header().Get("Content-Type"), "javascript")
		// Another form is refused, by what there is.
		yaml := see(m, "?format=yaml")
		assert.Equal(t, yaml.Code, 400)
		for _, form := range []string{"html", "json", "text", "sse"} {
			assert.Contains(t, yaml.Body.String(), form)
		}
		assert.Equal(t, see(m, "?format=html").Body.String(), see(m, "").Body.String())
		for _, asset := range []string{"page.html", "../page.go", "x"} {
			assert.Equal(t, see(m, "?asset="+asset).Code, 404)
		}
	})
	bubble(t, "before the first call", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		assert.Contains(t, see(m, "").Body.String(), "No client has made a call yet.")
		assert.Equal(t, see(m, "?format=text").Body.String(), "healthy at 00:00:00, up for 0s\n")
	})
}

type bytesOf struct{ raw []byte }

func TestPageIsForThisMachine(t *testing.T) {
	t.Parallel()
	m := newMonitor(t, monitor.Settings{})
	for name, tt := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"localhost":                           {func(*http.Request) {}, 200},
		"HEAD":                                {func(r *http.Request) { r.Method = http.MethodHead }, 200},
		"IPv6":                                {func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:80", "[::1]:8080" }, 200},
		"mapped":                              {func(r *http.Request) { r.RemoteAddr, r.Host = "[::ffff:127.0.0.1]:80", "127.0.0.1" }, 200},
		"from outside":                        {func(r *http.Request) { r.RemoteAddr = "192.0.2.1:80" }, 403},
		"by a name that was pointed here":     {func(r *http.Request) { r.Host = "evil.example:8080" }, 403},
		"by an address of the net":            {func(r *http.Request) { r.Host = "192.0.2.7" }, 403},
		"through a proxy":                     {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }, 403},
		"through another":                     {func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.1") }, 403},
		"whose first address is empty":        {func(r *http.Request) { r.Header["X-Forwarded-For"] = []string{"", "203.0.113.7"} }, 403},
		"through one without a value":         {func(r *http.Request) { r.Header["Via"] = nil }, 403},
		"through one that spells as it likes": {func(r *http.Request) { r.Header["x-forwarded-for"] = []string{"192.0.2.1"} }, 403},
		"by HTTP/1.0":                         {func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0 }, 403},
		"by HTTP/2":                           {func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0 }, 200},
		"from a page of another site":         {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"in a frame of another site":          {func(r *http.Request) { fetched(r, "cross-site", "navigate", "iframe") }, 403},
		"as an image of another site":         {func(r *http.Request) { fetched(r, "cross-site", "no-cors", "image") }, 403},
		"by a link on another site":           {func(r *http.Request) { fetched(r, "cross-site", "navigate", "document") }, 200},
		"by the page itself":                  {func(r *http.Request) { fetched(r, "same-origin", "cors", "empty") }, 200},
		"without an address":                  {func(r *http.Request) { r.RemoteAddr = "@" }, 403},
		"POST":                                {func(r *http.Request) { r.Method = http.MethodPost }, 405},
	} {
		w := see(m, "", tt.change)
		assert.Equal(t, w.Code, tt.code, name)
		assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
		assert.Equal(t, w.Header().Get("Cross-Origin-Resource-Policy"), "same-origin", name)
		if tt.code == 403 {
			assert.Contains(t, w.Body.String(), "shown to this machine only. To open it to others, give the monitor Settings.Allow")
		}
	}
	for _, name := range []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "X-Original-Forwarded-For",
		"Cf-Connecting-Ip", "True-Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip", "X-Envoy-External-Address", "Via",
	} {
		assert.Equal(t, see(m, "", func(r *http.Request) { r.Header.Set(name, "") }).Code, 403, name)
	}
	open := newMonitor(t, monitor.Settings{Allow: func(r *http.Request) bool { return r.Header.Get("X-User") == "ops" }})
	away := func(r *http.Request) { r.RemoteAddr = "192.0.2.1:80" }
	refused := see(open, "", away)
	assert.Equal(t, refused.Code, 403)
	assert.Equal(t, refused.Body.String(), "Settings.Allow refused this request.\n")
	assert.Equal(t, see(open, "", away, func(r *http.Request) { r.Header.Set("X-User", "ops") }).Code, 200)
}

// fetched has a request be as a browser makes it.
func fetched(r *http.Request, site, mode, dest string) {
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", mode)
	r.Header.Set("Sec-Fetch-Dest", dest)
}

// TestPageShowsWhatItWasTold: as text and not as markup.
func TestPageShowsWhatItWasTold(t *testing.T) {
	t.Parallel()
	const nasty = `</code><script>alert(1)</script>"'`
	m := newMonitor(t, monitor.Settings{})
	h, ctx := hooksOf(m), context.Background()
	h.CallStart(ctx, aplomb.CallEvent{Call: 1, Client: nasty, Operation: nasty, Host: nasty})
	h.WaitStart(ctx, aplomb.WaitEvent{Call: 1, Client: nasty, Operation: nasty, Cause: nasty})
	h.CallStart(ctx, aplomb.CallEvent{Call: 2, Client: nasty, Operation: nasty, Host: nasty})
	h.AttemptDone(ctx, aplomb.AttemptEvent{Call: 2, Client: nasty, Phases: &aplomb.Phases{}, Err: errors.New(nasty)})
	h.CallDone(ctx, aplomb.CallEvent{Call: 2, Client: nasty, Operation: nasty, Host: nasty, Result: aplomb.Result(nasty), Err: errors.New(nasty)})
	h.Quota(ctx, aplomb.QuotaEvent{Client: nasty, Name: nasty, Limit: 10, Remaining: 1})
	h.Breaker(aplomb.BreakerEvent{Client: nasty, Key: nasty, To: aplomb.BreakerOpen})
	h.Deprecated(ctx, aplomb.DeprecationEvent{Client: nasty, Operation: nasty, Link: nasty})
	h.Store(aplomb.StoreEvent{Client: nasty, Down: true, Err: errors.New(nasty)})
	m.Tokens(nasty)(aplomb.TokenEvent{Err: errors.New(nasty)})
	m.Cache()(ctx, cache.Event{Host: nasty, Result: cache.Result(nasty)})
	id := regexp.MustCompile(` id="([^"]*)"`)
	for _, m := range id.FindAllStringSubmatch(see(m, "").Body.String(), -1) {
		assert.True(t, regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(m[1]), m[1])
	}
	page := see(m, "").Body.String()
	assert.NotContains(t, page, "<script>alert")
	assert.True(t, strings.Count(page, html.EscapeString(nasty)) > 10)
}

func TestPageIsLive(t *testing.T) {
	t.Parallel()
	bubble(t, "once a second, until the reader leaves", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{Allow: func(*http.Request) bool { return true }})
		srv := aplombtest.NewServer(t, m.Page())
		c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()))
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		start, n := time.Now(), 0
		for ev, err := range aplomb.Stream[aplomb.ServerEvent](t.Context(), c, http.MethodGet, "/", aplomb.ServerEvents{}, aplomb.Query("format", "sse")) {
			assert.NoError(t, err)
			assert.Equal(t, time.Since(start), time.Duration(n)*time.Second)
			assert.True(t, strings.HasPrefix(ev.Data, `<main id="main">`) && strings.HasSuffix(ev.Data, "</main>"), ev.Data)
			if n++; n == 3 {
				break
			}
		}
		time.Sleep(2 * time.Second)
		// It is bounded how many there are.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var open []io.Closer
		for range 16 {
			resp, err := aplomb.Open(ctx, c, http.MethodGet, "/", aplomb.Query("format", "sse"))
			assert.NoError(t, err)
			open = append(open, resp.Body)
		}
		_, err = aplomb.Open(ctx, c, http.MethodGet, "/", aplomb.Query("format", "sse"), aplomb.NoRetry())
		api, ok := errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok && api.StatusCode == 503, err)
		assert.True(t, ok && strings.HasPrefix(string(api.Body), "16 pages are live already"), err)
		for _, body := range open {
			_ = body.Close()
		}
		time.Sleep(2 * time.Second)
		resp, err := aplomb.Open(ctx, c, http.MethodGet, "/", aplomb.Query("format", "sse"))
		assert.NoError(t, err)
		_ = resp.Body.Close()
		synctest.Wait()
	})
}

// TestPageIsTheSameForAll: who comes in the middle of a second is sent what the others
// are from the next one on.
func TestPageIsTheSameForAll(t *testing.T) {
	t.Parallel()
	bubble(t, "for two", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{Allow: func(*http.Request) bool { return true }})
		srv := aplombtest.NewServer(t, m.Page())
		c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()))
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		start := time.Now()
		var at [2][]time.Duration
		var viewers sync.WaitGroup
		for i := range at {
			viewers.Go(func() {
				for _, err := range aplomb.Stream[aplomb.ServerEvent](t.Context(), c, http.MethodGet, "/", aplomb.ServerEvents{}, aplomb.Query("format", "sse")) {
					if at[i] = append(at[i], time.Since(start)); err != nil || len(at[i]) == 3 {
						break
					}
				}
			})
			pass(400 * time.Millisecond)
		}
		viewers.Wait()
		assert.Equal(t, fmt.Sprint(at), "[[0s 1s 2s] [400ms 1s 2s]]")
	})
}

// TestPageIsAskedForItsHead: of the live stream as well, which has an end then.
func TestPageIsAskedForItsHead(t *testing.T) {
	t.Parallel()
	bubble(t, "of the stream", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{Allow: func(*http.Request) bool { return true }})
		srv := aplombtest.NewServer(t, m.Page())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := srv.Client()
		for range 2 * 16 { // more than pages may be live
			req, err := http.NewRequestWithContext(ctx, http.MethodHead, srv.URL+"/?format=sse", http.NoBody)
			assert.NoError(t, err)
			resp, err := c.Do(req)
			assert.NoError(t, err)
			assert.Equal(t, resp.StatusCode, 200)
			assert.Equal(t, resp.Header.Get("Content-Type"), "text/event-stream")
			_ = resp.Body.Close()
		}
		assert.Equal(t, srv.Conns(), 1) // which is free for the next request each time
	})
}

// TestPageLetsItsServerShutDown: live pages end then, and do not take its time.
func TestPageLetsItsServerShutDown(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, http.Handler) *aplombtest.Server{"HTTP/1.1": aplombtest.NewServer, "HTTP/2": aplombtest.NewTLSServer} {
		bubble(t, name, func(t *testing.T) {
			m := newMonitor(t, monitor.Settings{Allow: func(*http.Request) bool { return true }})
			page := m.Page()
			var server *http.Server
			srv := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				server = r.Context().Value(http.ServerContextKey).(*http.Server)
				page.ServeHTTP(w, r)
			}))
			ended := make(chan error, 3)
			for range cap(ended) {
				resp, err := srv.Client().Get(srv.URL + "/?format=sse") //nolint:noctx // ended below
				assert.NoError(t, err)
				assert.Equal(t, resp.ProtoMajor == 2, name == "HTTP/2")
				go func() {
					_, err := io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					ended <- err
				}()
			}
			pass(3500 * time.Millisecond)
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			assert.NoError(t, server.Shutdown(ctx))
			assert.True(t, time.Since(begun) < 2*time.Second, time.Since(begun))
			for range cap(ended) {
				assert.NoError(t, <-ended) // it does not break off
			}
		})
	}
}

// TestLaw05_Monitor: no secret is on the page or in any other form of it.
func TestLaw05_Monitor(t *testing.T) {
	t.Parallel()
	bubble(t, "in no form", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, alone(), aplomb.Bearer(aplomb.Static("pl4nt-bearer-token")), aplomb.APIKeyQuery("key", aplomb.Static("pl4nt-query-key")),
			aplomb.Header("X-Api-Key", "pl4nt-header-key"))
		assert.NoError(t, m.Explain(a.client))
		for _, status := range []int{200, 401, 500} {
			a.answer.Store(&answer{status: status, header: http.Header{
				"Set-Cookie": {"s=pl4nt-set-cookie"}, "X-Request-Id": {"pl4nt-bearer-token"}, "Location": {"http://api.test/?token=pl4nt-location"},
			}})
			_ = a.get(t.Context(), "/v1/{id}", aplomb.Path("id", "pl4nt-bearer-token"), aplomb.Query("access_token", "pl4nt-access"),
				aplomb.Query("password", "pl4nt-password"), aplomb.Header("Cookie", "s=pl4nt-cookie"), aplomb.Header("Authorization-Extra", "pl4nt-extra"))
			_, _ = aplomb.Post[struct{}](t.Context(), a.client, "/login", aplomb.JSON(map[string]string{"password": "pl4nt-json"}))
			time.Sleep(time.Second)
		}
		for _, form := range []string{see(m, "").Body.String(), see(m, "?calls=trouble").Body.String(), see(m, "?format=json").Body.String(), see(m, "?format=text").Body.String(), m.String(), m.LogValue().String()} {
			assert.True(t, len(form) > 50)
			assert.NotContains(t, form, "pl4nt")
		}
		assert.Contains(t, see(m, "").Body.String(), "curl &#39;http://api.test/v1/")
	})
}

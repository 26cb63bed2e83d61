package prometheus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// TestLive has a real Prometheus scrape a program in trouble, and asks it what the
// dashboard asks: each query must be understood and answered with something.
func TestLive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.trouble()
	page := httptest.NewServer(promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	t.Cleanup(page.Close)
	server := startPrometheus(t, strings.TrimPrefix(page.URL, "http://"))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pending := queries(t)
	for i := range pending {
		if pending[i].panel == "annotation alerts" { // that they fire would take minutes
			pending[i].expr = strings.Replace(pending[i].expr, `alertstate="firing"`, `alertstate=~"pending|firing"`, 1)
		}
	}
	until(ctx, func() bool {
		pending = slices.DeleteFunc(pending, func(q query) bool { return server.answers(ctx, q.expr) })
		return len(pending) == 0
	})
	for _, q := range pending {
		t.Errorf("the panel %q shows nothing: %s", q.panel, q.expr)
	}
	server.rulesHealthy()
}

// trouble runs clients, a webhook, a feed and a cache until the test ends, against
// an API that fails in all ways the dashboard has a panel for.
func (r *rig) trouble() {
	t := r.t
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	t.Cleanup(func() { stop(); work.Wait() })
	every := func(d time.Duration, f func(i int)) {
		work.Go(func() {
			ticker := time.NewTicker(d)
			defer ticker.Stop()
			for i := 0; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					f(i)
				}
			}
		})
	}

	api := answer(200, `[{"id":"o_1"}]`, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "480", "X-RateLimit-Reset", "5",
		"Deprecation", "@1767225600", "Sunset", time.Now().Add(10*24*time.Hour).UTC().Format(http.TimeFormat), "Cache-Control", "max-age=1")
	weak := aplombtest.NewServer(t, aplombtest.NewScript(api).Always(aplombtest.Random(1,
		aplombtest.Odds{P: 0.2, Fault: aplombtest.Status(503)}, aplombtest.Odds{P: 0.1, Fault: aplombtest.Reset()}, aplombtest.Odds{P: 0.2, Fault: aplombtest.ResetBody(3)})))
	kept, err := cache.New(cache.NewMemory(1<<20), cache.Settings{Answered: r.Cache()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	acme := r.client(weak.URL, aplomb.Transport(weak.Transport()), aplomb.PerCall(kept.Middleware), aplomb.NoBreaker(),
		aplomb.RateLimit{PerSecond: 100, Burst: 1}, aplomb.Retry{MinBackoff: time.Millisecond},
		&aplomb.Tokens{
			Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
				return aplomb.Token{Value: aplomb.NewSecret("t0ken"), Expiry: time.Now().Add(10 * time.Second), RefreshAt: time.Now().Add(time.Second)}, nil
			},
			Watch: r.Tokens("acme"),
		})
	r.APIVersion("acme", "2026-01")
	for range 2 {
		every(20*time.Millisecond, func(i int) {
			_, _ = aplomb.Get[[]order](ctx, acme, "/v1/orders/{id}", aplomb.Path("id", fmt.Sprint("o_", i)))
		})
	}
	every(50*time.Millisecond, func(int) {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, weak.URL+"/v1/files", nil)
		if resp, err := acme.HTTPClient().Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})

	gone := aplombtest.NewServer(t, api)
	gone.Break(aplombtest.DialRefused)
	down, err := aplomb.New(gone.URL, aplomb.Name("down"), r.Option(), aplomb.Transport(gone.Transport()), aplomb.Fleet{Store: goneStore{}})
	if err != nil {
		t.Fatal(err)
	}
	every(20*time.Millisecond, func(int) { _, _ = aplomb.Get[[]order](ctx, down, "/v1/orders") })

	box, err := inbox.New(inbox.NewMemory(), nil, inbox.Settings{Hooks: r.Inbox()})
	if err != nil {
		t.Fatal(err)
	}
	scheme := webhook.Stripe(webhook.Static("whsec_" + "test"))
	hook := aplombtest.NewServer(t, &webhook.Handler{Source: "stripe", Scheme: scheme, Sink: box, Hooks: r.Webhook()})
	every(50*time.Millisecond, func(i int) {
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, nil)
		if scheme.Sign(req, fmt.Appendf(nil, `{"id":"evt_%d","type":"invoice.paid"}`, i/2), time.Now()) == nil {
			if resp, err := hook.Client().Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
	})

	list := aplombtest.NewServer(t, api)
	reader, err := aplomb.New(list.URL, aplomb.Name("list"), aplomb.Transport(list.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	feed := &poll.Feed[order]{Client: reader, Path: "/v1/events", Key: func(o order) string { return o.ID }, Hooks: r.Poll(), Pace: poll.Pace{Every: time.Second, Max: time.Second}}
	work.Go(func() {
		for range feed.Events(ctx) { // its hooks are what counts
		}
	})
}

// live is a Prometheus of the test's own.
type live struct {
	t    testing.TB
	base string
	out  *strings.Builder
}

// startPrometheus starts one that scrapes target each second, by the rules of
// rules.yml, also each second.
func startPrometheus(t testing.TB, target string) *live {
	t.Helper()
	program := tool(t, "prometheus")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yml"), strings.ReplaceAll(read(t, "rules.yml"), "interval: 30s", "interval: 1s"))
	write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs: [{job_name: aplomb, static_configs: [{targets: ['%s']}]}]
`, target))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // for Prometheus, in a moment
	s := &live{t: t, base: "http://" + address, out: &strings.Builder{}}
	cmd := exec.Command(program, "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--log.level", "warn")
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
		if t.Failed() {
			t.Logf("prometheus printed:\n%s", s.out)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(ctx, func() bool {
		select {
		case <-ended:
			t.Fatal("prometheus ended before it was ready; is another at its port?")
		default:
		}
		_, status := s.get(ctx, "/-/ready")
		return status == http.StatusOK
	})
	return s
}

// until tries again ten times a second, and reports whether that came true in time.
func until(ctx context.Context, ok func() bool) bool {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

func (s *live) get(ctx context.Context, path string) (body []byte, status int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: loopback}).Do(req)
	if err != nil {
		return nil, 0
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, 0
	}
	return body, resp.StatusCode
}

// loopback goes through no proxy.
var loopback = &http.Transport{DisableKeepAlives: true}

// answers says whether the query has a result by now. One that Prometheus does not
// understand is an error, and has had its answer.
func (s *live) answers(ctx context.Context, expr string) bool {
	s.t.Helper()
	body, status := s.get(ctx, "/api/v1/query?query="+url.QueryEscape(expr))
	var said struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if status == 0 {
		return false
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Status != "success" {
		s.t.Errorf("%s: %s %v %s", expr, said.Error, err, body)
		return true
	}
	return slices.ContainsFunc(said.Data.Result, func(r struct{ Value [2]any }) bool { return r.Value[1] != "NaN" })
}

// rulesHealthy waits until each rule was evaluated, and wants no error of it.
func (s *live) rulesHealthy() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	var trouble []string
	healthy := until(ctx, func() bool {
		body, _ := s.get(ctx, "/api/v1/rules")
		var said struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		_ = json.Unmarshal(body, &said)
		n := 0
		trouble = nil
		for _, g := range said.Data.Groups {
			for _, r := range g.Rules {
				if n++; r.Health != "ok" {
					trouble = append(trouble, r.Name+" is "+r.Health+" "+r.LastError)
				}
			}
		}
		return n == 12 && len(trouble) == 0
	})
	if !healthy {
		s.t.Error("not all rules are evaluated: ", trouble)
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

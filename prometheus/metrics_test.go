package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	aplombprom "github.com/aplomb-go/aplomb/prometheus"
)

func get(c *aplomb.Client, id string) error {
	_, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", id))
	return err
}

// A call that needs three attempts is one call, three attempts, two backoffs; its
// duration holds the waits, each attempt's does not.
func TestCallAndAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(40 * time.Millisecond)
			answer(200, `{"id":"o_1"}`).ServeHTTP(w, r)
		})
		srv := aplombtest.NewServer(t, aplombtest.NewScript(slow, aplombtest.Status(503, "Retry-After", "2"), aplombtest.Status(502, "Retry-After", "2")))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		if err := get(c, "o_1"); err != nil {
			t.Fatal(err)
		}
		r.want("aplomb_calls_total", map[string]float64{"client=acme,operation=GET /v1/orders/{id},outcome=ok": 1})
		r.want("aplomb_call_duration_seconds", map[string]float64{"client=acme,operation=GET /v1/orders/{id}": 1})
		r.want("aplomb_attempts_total", map[string]float64{
			"client=acme,reason=first": 1, "client=acme,reason=retry": 2,
			"client=acme,reason=hedge": 0, "client=acme,reason=redirect": 0, "client=acme,reason=probe": 0,
		})
		r.want("http_client_request_duration_seconds", map[string]float64{
			"http_request_method=GET,http_response_status_code=200,server_address=api.test,server_port=80":                1,
			"error_type=503,http_request_method=GET,http_response_status_code=503,server_address=api.test,server_port=80": 1,
			"error_type=502,http_request_method=GET,http_response_status_code=502,server_address=api.test,server_port=80": 1,
		})
		if whole, sent, waited := r.sum("aplomb_call_duration_seconds"), r.sum("http_client_request_duration_seconds"), r.sum("aplomb_wait_seconds"); sent != 0.04 || waited < 4 || waited > 4.5 || whole < sent+waited-1e-9 || whole > sent+waited+1e-9 {
			t.Errorf("the call took %v s, its attempts %v, its waits %v; want 0.04 s of attempts and 4 of waits, and the call is both", whole, sent, waited)
		}
		r.want("aplomb_inflight", map[string]float64{"client=acme": 0})
		r.want("aplomb_client_info", map[string]float64{"client=acme,version=" + infoVersion(t, r): 1})
	})
}

// infoVersion is the version in aplomb_client_info, which must say something.
func infoVersion(t *testing.T, r *rig) string {
	t.Helper()
	for labels := range r.series("aplomb_client_info") {
		for l := range strings.SplitSeq(labels, ",") {
			if v, ok := strings.CutPrefix(l, "version="); ok && v != "" {
				return v
			}
		}
	}
	t.Error("aplomb_client_info has no version")
	return ""
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for outcome, fault := range map[string]aplombtest.Fault{
		"ok": aplombtest.Pass(), "client_error": aplombtest.Status(404), "server_error": aplombtest.Status(500), "rate_limited": aplombtest.Status(429),
		"network": aplombtest.Reset(), "timeout": aplombtest.Stall(0), "decode_error": aplombtest.TruncatedBody(3), "canceled": aplombtest.Stall(0),
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, `{"id":"o_1"}`), fault))
				if outcome == "decode_error" {
					srv = aplombtest.NewServer(t, answer(200, "<h1>"))
				}
				r := newRig(t)
				c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.NoRetry())
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if outcome == "canceled" {
					time.AfterFunc(time.Second, cancel)
				}
				_, _ = aplomb.Get[order](ctx, c, "/v1/orders")
				r.want("aplomb_calls_total", map[string]float64{"client=acme,operation=GET /v1/orders,outcome=" + outcome: 1})
			})
		})
	}
}

func TestInflight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}")).Always(aplombtest.LateResponse(time.Second)))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { _ = get(c, "o_1") })
		}
		synctest.Wait()
		r.want("aplomb_inflight", map[string]float64{"client=acme": 3})
		wg.Wait()
		r.want("aplomb_inflight", map[string]float64{"client=acme": 0})
	})
}

// A redirect is no retry, and a hedge neither.
func TestReasons(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}"),
			aplombtest.Status(307, "Location", "/v1/moved"), aplombtest.Status(503, "Retry-After", "1"), aplombtest.Pass(), // a call
			aplombtest.LateResponse(time.Second))) // and another, that is hedged
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.Hedge{After: 100 * time.Millisecond})
		for range 2 {
			if err := get(c, "o_1"); err != nil {
				t.Fatal(err)
			}
		}
		r.want("aplomb_attempts_total", map[string]float64{
			"client=acme,reason=first": 2, "client=acme,reason=redirect": 1, "client=acme,reason=retry": 1, "client=acme,reason=hedge": 1,
			"client=acme,reason=probe": 0,
		})
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}")).Times(20, aplombtest.Status(500)))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.NoRetry())
		state := func(closed, open, half float64) map[string]float64 {
			const breaker = "client=acme,host=http://api.test,state="
			return map[string]float64{breaker + "closed": closed, breaker + "open": open, breaker + "half-open": half}
		}
		for range 19 {
			_ = get(c, "o_1")
		}
		r.want("aplomb_breaker_state", nil)
		_ = get(c, "o_1")
		r.want("aplomb_breaker_state", state(0, 1, 0))
		if err := get(c, "o_1"); !errors.Is(err, aplomb.ErrCircuitOpen) {
			t.Error("the breaker is not open:", err)
		}
		time.Sleep(2 * time.Second)
		if err := get(c, "o_1"); err != nil {
			t.Error(err)
		}
		r.want("aplomb_breaker_state", state(1, 0, 0))
		r.want("aplomb_breaker_transitions_total", state(1, 1, 1))
		r.want("aplomb_calls_total", map[string]float64{
			"client=acme,operation=GET /v1/orders/{id},outcome=server_error": 20,
			"client=acme,operation=GET /v1/orders/{id},outcome=breaker_open": 1,
			"client=acme,operation=GET /v1/orders/{id},outcome=ok":           1,
		})
		r.want("aplomb_attempts_total", map[string]float64{
			"client=acme,reason=first": 20, "client=acme,reason=probe": 1, "client=acme,reason=retry": 0, "client=acme,reason=hedge": 0,
			"client=acme,reason=redirect": 0,
		})
	})
}

// Numbers of a quota are true until its window ends: then they go away, for what
// was left of a window that is over is no alert.
func TestQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		headers := []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "3", "X-RateLimit-Reset", "60", "X-RateLimit-Resource", "core"}
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer(200, "{}", headers...).ServeHTTP(w, r)
		}))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		began := time.Now()
		_ = get(c, "o_1")
		r.want("aplomb_rate_limit_limit", map[string]float64{"bucket=core,client=acme": 100})
		r.want("aplomb_rate_limit_remaining", map[string]float64{"bucket=core,client=acme": 3})
		r.want("aplomb_rate_limit_reset_timestamp_seconds", map[string]float64{"bucket=core,client=acme": float64(began.Unix() + 60)})
		time.Sleep(59 * time.Second)
		r.want("aplomb_rate_limit_remaining", map[string]float64{"bucket=core,client=acme": 3})
		time.Sleep(time.Second)
		for _, name := range []string{"limit", "remaining", "reset_timestamp_seconds"} {
			r.want("aplomb_rate_limit_"+name, nil)
		}
		headers = []string{"X-RateLimit-Limit", "50", "X-RateLimit-Remaining", "7"} // and no end
		_ = get(c, "o_1")
		r.want("aplomb_rate_limit_remaining", map[string]float64{"bucket=default,client=acme": 7})
		r.want("aplomb_rate_limit_reset_timestamp_seconds", nil)
		time.Sleep(10*time.Minute - time.Second)
		r.want("aplomb_rate_limit_limit", map[string]float64{"bucket=default,client=acme": 50})
		time.Sleep(time.Second)
		r.want("aplomb_rate_limit_limit", nil)
	})
}

// What the server has not said is not shown as a number.
func TestQuotaUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hooks := r.hooks()
	hooks.Quota(context.Background(), aplomb.QuotaEvent{Client: "acme", Name: "x", Remaining: -1})
	r.want("aplomb_rate_limit_limit", nil)
	r.want("aplomb_rate_limit_remaining", nil)
	hooks.Quota(context.Background(), aplomb.QuotaEvent{Client: "acme", Name: "x", Limit: 5, Remaining: 0})
	r.want("aplomb_rate_limit_limit", map[string]float64{"bucket=x,client=acme": 5})
	r.want("aplomb_rate_limit_remaining", map[string]float64{"bucket=x,client=acme": 0})
}

// Quotas that are over make room.
func TestQuotasTurnover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		state := func(from, to int) {
			for i := from; i < to; i++ {
				r.hooks().Quota(context.Background(), aplomb.QuotaEvent{Client: "acme", Name: fmt.Sprint("q", i), Limit: 1, ResetAt: time.Now().Add(time.Minute)})
			}
		}
		state(0, 150)
		if n := r.count()["aplomb_rate_limit_limit"]; n != 100 {
			t.Errorf("%d quotas, want 100", n)
		}
		state(0, 100)
		time.Sleep(time.Minute)
		state(200, 250)
		if n := r.count()["aplomb_rate_limit_limit"]; n != 50 {
			t.Errorf("%d quotas once the first are over, want 50", n)
		}
	})
}

// hooks are what Option attaches.
func (r *rig) hooks() aplomb.Hooks { return aplombprom.HooksOf(r.Metrics) }

func TestWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}"), aplombtest.Pass(), aplombtest.Pass(), aplombtest.Status(429, "Retry-After", "3")))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.RateLimit{PerSecond: 1, Burst: 1})
		for range 2 {
			_ = get(c, "o_1") // the second waits for its second
		}
		r.want("aplomb_wait_seconds", map[string]float64{"cause=limiter,client=acme": 1})
		if waited := r.sum("aplomb_wait_seconds"); waited != 1 {
			t.Errorf("waited %v s for the limiter, want 1", waited)
		}
		_ = get(c, "o_1") // 429: waits, as a retry
		got := r.series("aplomb_wait_seconds")
		if got["cause=backoff,client=acme"] != 1 {
			t.Error("no backoff in", got)
		}
	})
}

// Ten seconds ahead, ten behind, and in step: a Date has whole seconds, so what it
// proves is less.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		by        time.Duration
		from, til float64
	}{
		"ahead": {10 * time.Second, 9, 10}, "behind": {-10 * time.Second, -10, -9}, "in step": {0, 0, 0}, "two hours": {2 * time.Hour, 7199, 7200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}")).Always(aplombtest.Skew(tt.by)))
				r := newRig(t)
				c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
				r.want("aplomb_clock_skew_seconds", nil)
				time.Sleep(700 * time.Millisecond)
				_ = get(c, "o_1")
				if got, ok := r.series("aplomb_clock_skew_seconds")["client=acme"]; !ok || got < tt.from || got > tt.til {
					t.Errorf("%v s ahead, want %v to %v", got, tt.from, tt.til)
				}
			})
		})
	}
}

// An answer without a Date, and none at all, say nothing of a clock.
func TestClockUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hooks().AttemptDone(context.Background(), aplomb.AttemptEvent{Client: "acme", Start: time.Now(), Status: 200})
	r.want("aplomb_clock_skew_seconds", nil)
}

func TestDeprecation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.Handle("/v1/orders/", answer(200, "{}", "Deprecation", "@1767225600", "Sunset", "Thu, 31 Dec 2026 00:00:00 GMT"))
		mux.Handle("/v2/orders", answer(200, "{}", "Deprecation", "@1767225600"))
		mux.Handle("/v3/orders", answer(200, "{}"))
		srv := aplombtest.NewServer(t, mux)
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		for i := range 3 {
			_ = get(c, fmt.Sprint("o_", i))
			for _, path := range []string{"/v2/orders", "/v3/orders"} {
				_, _ = aplomb.Get[order](context.Background(), c, path)
			}
		}
		r.want("aplomb_deprecated_calls_total", map[string]float64{
			"client=acme,operation=GET /v1/orders/{id}": 3, "client=acme,operation=GET /v2/orders": 3,
		})
		r.want("aplomb_sunset_timestamp_seconds", map[string]float64{"client=acme,operation=GET /v1/orders/{id}": 1798675200})

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = aplomb.Get[order](ctx, c, "/v2/orders") // not sent
		if got := r.series("aplomb_deprecated_calls_total")["client=acme,operation=GET /v2/orders"]; got != 3 {
			t.Errorf("%v calls of /v2/orders, and 3 were sent", got)
		}
	})
}

// A body that breaks off on net/http's door comes after the call.
func TestBodyFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, strings.Repeat("x", 100)), aplombtest.ResetBody(10)))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()))
		resp, err := c.HTTPClient().Get(srv.URL + "/v1/files")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Error("the body did not break off")
		}
		_ = resp.Body.Close()
		r.want("aplomb_body_failures_total", map[string]float64{"client=acme": 1})
		r.want("aplomb_calls_total", map[string]float64{"client=acme,operation=GET /v1/files,outcome=ok": 1})
	})
}

// One Metrics serves several clients, and one registry has one Metrics.
func TestSeveral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}"))
		r := newRig(t)
		again, err := aplombprom.New(r.reg)
		if err != nil || again != r.Metrics {
			t.Fatalf("New on the same registry: %p %v, want the first, %p", again, err, r.Metrics)
		}
		for _, name := range []string{"a", "b"} {
			c, err := aplomb.New(srv.URL, aplomb.Name(name), again.Option(), aplomb.Transport(srv.Transport()))
			if err != nil {
				t.Fatal(err)
			}
			_ = get(c, "o_1")
		}
		wrapped, err := aplomb.Wrap(srv.Transport(), again.Option())
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: wrapped}).Get(srv.URL + "/v1/orders")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		r.want("aplomb_calls_total", map[string]float64{
			"client=a,operation=GET /v1/orders/{id},outcome=ok": 1, "client=b,operation=GET /v1/orders/{id},outcome=ok": 1,
			"client=unnamed,operation=GET /v1/orders,outcome=ok": 1,
		})
	})
}

// An SDK and the program around it may both give the option of one Metrics, and make
// a client of a client: all is counted once. Another Metrics counts for itself.
func TestOptionTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answer(200, "{}"), aplombtest.Status(503, "Retry-After", "1")))
		r, beside := newRig(t), newRig(t)
		again, err := aplombprom.New(r.reg)
		if err != nil {
			t.Fatal(err)
		}
		parent := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.Options(again.Option()), beside.Option())
		child, err := parent.With(aplomb.Name("child"), r.Option())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*aplomb.Client{parent, child} {
			if err := get(c, "o_1"); err != nil {
				t.Error(err)
			}
		}
		for _, r := range []*rig{r, beside} {
			r.want("aplomb_calls_total", map[string]float64{
				"client=acme,operation=GET /v1/orders/{id},outcome=ok": 1, "client=child,operation=GET /v1/orders/{id},outcome=ok": 1,
			})
			attempts := r.series("aplomb_attempts_total")
			if first, retry := attempts["client=acme,reason=first"], attempts["client=acme,reason=retry"]; first != 1 || retry != 1 {
				t.Errorf("%v first attempts and %v retries of a call that was repeated once", first, retry)
			}
			r.want("aplomb_inflight", map[string]float64{"client=acme": 0, "client=child": 0})
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := aplombprom.New(nil); err == nil || !strings.Contains(err.Error(), "DefaultRegisterer") {
		t.Error("a nil registerer:", err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "aplomb_inflight", Help: "Somebody else's."}))
	if m, err := aplombprom.New(reg); err == nil || m != nil || !strings.Contains(err.Error(), "aplomb_inflight") {
		t.Error("a name that is taken:", err)
	}
}

func TestAPIVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hooks().CallStart(context.Background(), aplomb.CallEvent{Client: "acme"})
	version := infoVersion(t, r)
	r.APIVersion("acme", "2026-01")
	r.APIVersion("acme", "2026-07")
	r.APIVersion("other", "v3")
	r.want("aplomb_client_info", map[string]float64{
		"api_version=2026-07,client=acme,version=" + version: 1, "api_version=v3,client=other,version=" + version: 1,
	})
}

// A client that is called "other" stands for no other as long as there is room.
func TestCalledOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"other", "acme"} {
		r.hooks().CallStart(context.Background(), aplomb.CallEvent{Client: name})
	}
	r.want("aplomb_inflight", map[string]float64{"client=other": 1, "client=acme": 1})
}

// Ten thousand addresses are as many series as they have templates.
func TestBoundedByTemplates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}"))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.NoRateLimit())
		one := func(i int) {
			id := fmt.Sprintf("o_%d", i)
			if err := get(c, id); err != nil {
				t.Fatal(err)
			}
			resp, err := c.HTTPClient().Get(fmt.Sprintf("%s/v1/customers/cus_%d?page=%d", srv.URL, i, i)) // net/http's door has no template
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		one(0)
		before := r.count()
		n := 5000
		if raceEnabled {
			n = 500 // it is ten times as slow
		}
		for i := range n {
			one(i + 1)
		}
		if after := r.count(); !maps.Equal(before, after) {
			t.Errorf("%d further addresses made further series: %v, and before %v", 2*n, after, before)
		}
		r.want("aplomb_calls_total", map[string]float64{
			"client=acme,operation=GET /v1/orders/{id},outcome=ok": float64(n + 1), "client=acme,operation=GET /v1/customers/{},outcome=ok": float64(n + 1),
		})
	})
}

// count is how many series each metric has.
func (r *rig) count() map[string]int {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	n := map[string]int{}
	for _, f := range families {
		n[f.GetName()] = len(f.GetMetric())
	}
	return n
}

// Whatever servers and callers think up, each label has so many values at most,
// and the rest counts under one.
func TestBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hooks := r.hooks()
	ctx := context.Background()
	for i := range 3000 {
		name := fmt.Sprintf("x%d", i)
		hooks.CallStart(ctx, aplomb.CallEvent{Client: name})
		hooks.CallDone(ctx, aplomb.CallEvent{Client: "acme", Operation: name, Result: aplomb.Result(name)})
		hooks.CallDone(ctx, aplomb.CallEvent{Client: "acme", Operation: "op", Result: aplomb.Result(name)})
		hooks.WaitDone(ctx, aplomb.WaitEvent{Client: "acme", Cause: aplomb.WaitCause(name)})
		hooks.Breaker(aplomb.BreakerEvent{Client: "acme", Key: name, To: aplomb.BreakerOpen})
		hooks.Quota(ctx, aplomb.QuotaEvent{Client: "acme", Name: name, Limit: 10, Remaining: 5})
		hooks.Deprecated(ctx, aplomb.DeprecationEvent{Client: "acme", Operation: name, Sunset: time.Now()})
		hooks.AttemptDone(ctx, aplomb.AttemptEvent{Client: "acme", Method: name, Scheme: "https", Host: fmt.Sprintf("h%d.example", i%150), Status: 200 + i/40})
		hooks.AttemptDone(ctx, aplomb.AttemptEvent{Client: "acme", Method: "GET", Scheme: "https", Host: "a.example", Status: 200 + i})
	}
	for name, most := range map[string]int{
		"aplomb_inflight": 101, "aplomb_client_info": 101, "aplomb_attempts_total": 5 * 101,
		"aplomb_calls_total": 200 + 2*51, "aplomb_call_duration_seconds": 202, "aplomb_wait_seconds": 51,
		"aplomb_breaker_state": 3 * 101, "aplomb_breaker_transitions_total": 3 * 101,
		"aplomb_rate_limit_limit": 100, "aplomb_sunset_timestamp_seconds": 202, "aplomb_deprecated_calls_total": 202,
		"http_client_request_duration_seconds": 1001,
	} {
		if n := r.count()[name]; n > most || n < most/2 {
			t.Errorf("%s has %d series; want %d at most, and not much less", name, n, most)
		}
	}
	if got := r.series("aplomb_call_duration_seconds")["client=acme,operation=other"]; got < 2700 {
		t.Errorf("%v calls under other; want those beyond the bound", got)
	}
	servers, statuses := map[string]bool{}, map[string]bool{}
	for labels := range r.series("http_client_request_duration_seconds") {
		if strings.Contains(labels, "method=x") {
			t.Error("a made-up method is a label:", labels)
		}
		servers[labels[strings.Index(labels, "server_address"):]] = true
		_, status, _ := strings.Cut(labels, "status_code=")
		status, _, _ = strings.Cut(status, ",")
		statuses[status] = true
	}
	if len(servers) != 101 || len(statuses) != 52 { // with "other", and none
		t.Errorf("%d servers and %d statuses, want 101 and 52", len(servers), len(statuses))
	}
}

// A label is UTF-8 and short, or a registry would refuse the whole exposition, and
// a hook would panic in the call.
func TestLabels(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hooks := r.hooks()
	ctx := context.Background()
	long := "x" + strings.Repeat("é", 150) // whose 200th byte is in the middle of one
	for _, name := range []string{"a\xffb", "", long + "x", long + "y", "quo\"te\nline"} {
		hooks.CallStart(ctx, aplomb.CallEvent{Client: name})
		hooks.CallDone(ctx, aplomb.CallEvent{Client: name, Operation: name, Result: aplomb.Result(name)})
		hooks.AttemptDone(ctx, aplomb.AttemptEvent{Client: name, Method: name, Scheme: name, Host: name})
		hooks.WaitDone(ctx, aplomb.WaitEvent{Client: name, Cause: aplomb.WaitCause(name)})
		hooks.Breaker(aplomb.BreakerEvent{Client: name, Key: name, To: aplomb.BreakerState(name)})
		hooks.Quota(ctx, aplomb.QuotaEvent{Client: name, Name: name, Limit: 1})
		hooks.Deprecated(ctx, aplomb.DeprecationEvent{Client: name, Operation: name})
		r.Tokens(name)(aplomb.TokenEvent{})
		r.APIVersion(name, name)
	}
	for line := range strings.SplitSeq(r.exposition(), "\n") {
		if len(line) > 700 {
			t.Errorf("a line of %d bytes: %.80s", len(line), line)
		}
	}
	r.want("aplomb_inflight", map[string]float64{
		"client=a\uFFFDb": 0, "client=unnamed": 0, "client=x" + strings.Repeat("é", 99): 0, "client=quo\"te\nline": 0,
	})
}

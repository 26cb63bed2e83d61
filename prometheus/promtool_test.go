package prometheus_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// tool finds a program of Prometheus. Without it the test skips, and fails in CI,
// where a quiet skip would let rules pass that nobody has read.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("APLOMB_REQUIRE_SERVERS") == "1":
		t.Fatalf("missing, and APLOMB_REQUIRE_SERVERS is 1: no %s in PATH", name)
	}
	t.Skipf("no %s in PATH: install it (Debian: apt-get install prometheus; macOS: brew install prometheus); its service need not run", name)
	return ""
}

func run(t testing.TB, stdin, name string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPromtoolCheckRules(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "promtool", "check", "rules", "rules.yml")
	if err != nil || !strings.Contains(out, "12 rules found") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPromtoolTestRules(t *testing.T) {
	t.Parallel()
	if out, err := run(t, "", "promtool", "test", "rules", "rules_test.yml"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The exposition of a client that went through a bad hour, and of what is beside it.
func TestPromtoolCheckMetrics(t *testing.T) {
	t.Parallel()
	var shown string
	missing := described()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		srv := aplombtest.NewServer(t, answer(200, `{"id":"o_1"}`, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "80", "X-RateLimit-Reset", "600",
			"Deprecation", "@1767225600", "Sunset", "Thu, 31 Dec 2026 00:00:00 GMT"))
		c, err := aplomb.New(srv.URL, aplomb.Name("acme"), r.Option(), aplomb.Transport(srv.Transport()))
		if err != nil {
			t.Fatal(err)
		}
		aplombtest.Outage{Workers: 4}.Run(t, func(ctx context.Context) error {
			_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
			return err
		}, srv)
		_ = get(c, "o_1") // so that a quota is known
		r.beside()
		shown = r.exposition()
		for name := range r.count() {
			delete(missing, name)
		}
		for _, outcome := range []string{"ok", "server_error", "network", "timeout", "breaker_open"} {
			if r.series("aplomb_calls_total")["client=acme,operation=GET /v1/orders/{id},outcome="+outcome] == 0 {
				t.Errorf("the hour had no call that ended %s", outcome)
			}
		}
	})
	for name := range missing {
		t.Errorf("nothing of %s in the exposition", name)
	}
	if out, err := run(t, shown, "promtool", "check", "metrics"); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNames is promtool's check of names for who has none.
func TestNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hooks := r.hooks()
	hooks.CallStart(t.Context(), aplomb.CallEvent{Client: "acme"})
	hooks.CallDone(t.Context(), aplomb.CallEvent{Client: "acme", Operation: "GET /a", Result: aplomb.ResultOK})
	r.beside()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

var metricName = regexp.MustCompile(`\b(aplomb_[a-z_]+|http_client_[a-z_]+)`)

// names are the metrics in a query, without what a histogram adds.
func names(query string) (found []string) {
	query = regexp.MustCompile(`\b[a-z_]+(:[a-z_0-9]+)+`).ReplaceAllString(query, "") // recorded
	for _, m := range metricName.FindAllString(query, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			m = strings.TrimSuffix(m, suffix)
		}
		found = append(found, m)
	}
	return found
}

// Rules and dashboard name what the package exports, and the package exports
// nothing that the dashboard does not show.
func TestNamesInRulesAndDashboard(t *testing.T) {
	t.Parallel()
	exported, recorded := described(), map[string]bool{}
	for _, m := range regexp.MustCompile(`- record: (\S+)`).FindAllStringSubmatch(read(t, "rules.yml"), -1) {
		recorded[m[1]] = true
	}
	var rules strings.Builder
	for line := range strings.Lines(read(t, "rules.yml")) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			rules.WriteString(line)
		}
	}
	shown := map[string]bool{}
	for _, name := range names(rules.String()) {
		if !exported[name] {
			t.Errorf("rules.yml names %s, which is not exported", name)
		}
	}
	recordName := regexp.MustCompile(`\b[a-z_]+:aplomb_[a-z_:0-9]+`)
	for _, q := range queries(t) {
		for _, name := range names(q.expr) {
			shown[name] = true
			if !exported[name] {
				t.Errorf("the panel %q names %s, which is not exported", q.panel, name)
			}
		}
		for _, name := range recordName.FindAllString(q.expr, -1) {
			if !recorded[name] {
				t.Errorf("the panel %q names %s, which rules.yml does not record", q.panel, name)
			}
			for _, line := range strings.SplitAfter(rules.String(), "- record: ") {
				if strings.HasPrefix(line, name+"\n") {
					for _, source := range names(strings.SplitN(line, "- alert", 2)[0]) {
						shown[source] = true
					}
				}
			}
		}
	}
	for name := range exported {
		if !shown[name] {
			t.Errorf("%s is exported, and no panel shows it", name)
		}
	}
	for _, name := range recordName.FindAllString(rules.String(), -1) {
		if !recorded[name] {
			t.Errorf("an alert names %s, which is not recorded", name)
		}
	}
}

// The package's comment lists what is exported.
func TestDocListsMetrics(t *testing.T) {
	t.Parallel()
	doc := read(t, "doc.go")
	for name := range described() {
		if !strings.Contains(doc, name) && !strings.Contains(doc, "_limit, "+strings.TrimPrefix(name, "aplomb_rate_limit")) {
			t.Errorf("doc.go does not list %s", name)
		}
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// described are the names of all metrics of the package.
func described() map[string]bool {
	found := map[string]bool{}
	for _, name := range []string{
		"aplomb_calls_total", "aplomb_call_duration_seconds", "http_client_request_duration_seconds", "aplomb_attempts_total", "aplomb_wait_seconds",
		"aplomb_rate_limit_limit", "aplomb_rate_limit_remaining", "aplomb_rate_limit_reset_timestamp_seconds", "aplomb_breaker_state",
		"aplomb_breaker_transitions_total", "aplomb_inflight", "aplomb_clock_skew_seconds", "aplomb_token_expiry_timestamp_seconds",
		"aplomb_token_refresh_total", "aplomb_sunset_timestamp_seconds", "aplomb_deprecated_calls_total", "aplomb_cache_total",
		"aplomb_webhook_events_total", "aplomb_poll_lag_seconds", "aplomb_dedupe_dropped_total", "aplomb_client_info", "aplomb_body_failures_total",
		"aplomb_store_up",
	} {
		found[name] = true
	}
	return found
}

// A query is one of the dashboard's.
type query struct{ panel, expr string }

// queries are those of all panels, with the variables as Grafana would have them for
// all clients and a scrape each second, those of the variables and of the annotations.
func queries(t testing.TB) (all []query) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$job", ".*", "$client", ".*", "$__rate_interval", "4s")
	add := func(panel, expr string) {
		expr = variables.Replace(expr)
		if expr == "" || strings.Contains(expr, "$") {
			t.Errorf("the query %q of %s has a variable that is not known, or is empty", expr, panel)
		}
		all = append(all, query{panel, expr})
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			add(p.Title, target.Expr)
		}
	}
	for _, v := range board.Templating.List {
		if m := regexp.MustCompile(`^label_values\((\w+(?:\{.*\})?), (\w+)\)$`).FindStringSubmatch(v.Definition); m != nil {
			add("variable "+v.Name, "count by ("+m[2]+") ("+m[1]+")")
		} else if v.Type != "datasource" {
			t.Errorf("the variable %s is asked for by %q", v.Name, v.Definition)
		}
	}
	for _, a := range board.Annotations.List {
		add("annotation "+a.Name, a.Expr)
	}
	if len(all) < 30 {
		t.Errorf("%d queries; the dashboard has more", len(all))
	}
	return all
}

// A mutation takes one condition away, or moves it; the case of rules_test.yml that
// notices is named.
type mutation struct{ rule, what, from, to, noticed string }

var mutations = []mutation{
	{"AplombErrorRateSustained", "without the short window", "job_client:aplomb_calls:error_ratio_rate5m > 0.05\n          and job_client", "job_client", "the short window"},
	{"AplombErrorRateSustained", "without the long window", "and job_client:aplomb_calls:error_ratio_rate1h > 0.05\n", "\n", "the long window"},
	{"AplombErrorRateSustained", "without the traffic guard", "and job_client:aplomb_calls:rate5m > 0.05\n", "\n", "the traffic guard, for a call"},
	{"AplombErrorRateSustained", "without for", "        for: 5m\n", "", "a tenth of the calls"},
	{"AplombErrorRateSustained", "for twice as long", "for: 5m", "for: 10m", "a tenth of the calls"},
	{"AplombErrorRateSustained", "any error at all, short", "rate5m > 0.05\n          and job_client:aplomb_calls:error", "rate5m > 0\n          and job_client:aplomb_calls:error", "the short window"},
	{"AplombErrorRateSustained", "any error at all, long", "rate1h > 0.05", "rate1h > 0", "the long window"},
	{"AplombErrorRateSustained", "both thresholds lower", "error_ratio_rate5m > 0.05\n          and job_client:aplomb_calls:error_ratio_rate1h > 0.05", "error_ratio_rate5m > 0.03\n          and job_client:aplomb_calls:error_ratio_rate1h > 0.03", "six in a hundred"},
	{"AplombErrorRateSustained", "the short threshold higher", "error_ratio_rate5m > 0.05", "error_ratio_rate5m > 0.07", "six in a hundred"},
	{"AplombErrorRateSustained", "the long threshold higher", "error_ratio_rate1h > 0.05", "error_ratio_rate1h > 0.07", "six in a hundred"},
	{"AplombErrorRateSustained", "any traffic at all", "calls:rate5m > 0.05", "calls:rate5m > 0", "the traffic guard, for a call"},
	{"AplombErrorRateSustained", "more traffic only", "calls:rate5m > 0.05", "calls:rate5m > 0.07", "the traffic guard, for a call"},
	{"AplombErrorRateSustained", "the conditions as alternatives", "and job_client:aplomb_calls:error_ratio_rate1h", "or job_client:aplomb_calls:error_ratio_rate1h", "the long window"},
	{"AplombErrorRateSustained", "nobody is called", "severity: page", "severity: ticket", "a tenth of the calls"},

	{"job_client:aplomb_calls:rate5m", "by process", "sum by (job, client) (", "sum by (job, client, outcome) (", "a tenth of the calls"},
	{"job_client:aplomb_calls:rate5m", "of an hour", "[5m]", "[1h]", "the traffic guard, for a breaker"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "server errors do not count", "server_error|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "429s do not count", "rate_limited|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "timeouts do not count", "timeout|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "broken connections do not count", "network|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "open circuits do not count", "breaker_open|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "full bulkheads do not count", "|bulkhead_full", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "and whatever is not ok does", `outcome=~"server_error|rate_limited|timeout|network|breaker_open|bulkhead_full"`, `outcome!="ok"`, "a client's own doing"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "of an hour", "[5m]", "[1h]", "the short window"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "server errors do not count", "server_error|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "429s do not count", "rate_limited|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "timeouts do not count", "timeout|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "broken connections do not count", "network|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "open circuits do not count", "breaker_open|", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "full bulkheads do not count", "|bulkhead_full", "", "what counts as a failure"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "of five minutes", "[1h]", "[5m]", "the long window"},
	{"job_client_operation:aplomb_call_duration_seconds:p99_5m", "the 95th", "0.99", "0.95", "the 99th percentile"},
	{"job_client_operation:aplomb_call_duration_seconds:p99_5m", "by process", "(job, client, operation, le)", "(job, client, operation, instance, le)", "the 99th percentile"},

	{"AplombRateLimitHeadroomLow", "without for", "        for: 2m\n", "", "little of the quota"},
	{"AplombRateLimitHeadroomLow", "for one minute less", "for: 2m", "for: 30s", "for a minute only"},
	{"AplombRateLimitHeadroomLow", "for twice as long", "for: 2m", "for: 8m", "little of the quota"},
	{"AplombRateLimitHeadroomLow", "without the threshold", " < 0.10", " >= 0", "little of the quota"},
	{"AplombRateLimitHeadroomLow", "a higher threshold", " < 0.10", " < 0.13", "little of the quota"},
	{"AplombRateLimitHeadroomLow", "a lower threshold", " < 0.10", " < 0.05", "for a minute only"},
	{"job_client_bucket:aplomb_rate_limit_headroom:ratio", "who knows the most", "min by", "max by", "little of the quota"},
	{"job_client_bucket:aplomb_rate_limit_headroom:ratio", "all quotas as one", "(job, client, bucket)", "(job, client)", "little of the quota"},
	{"job_client_bucket:aplomb_rate_limit_headroom:ratio", "not in relation to the limit", " / aplomb_rate_limit_limit", "", "little of the quota"},

	{"AplombBreakerOpen", "without for", "        for: 1m\n", "", "open, and half-open"},
	{"AplombBreakerOpen", "for five times as long", "for: 1m", "for: 5m", "open, and half-open"},
	{"AplombBreakerOpen", "half-open does not count", "open|half-open", "open", "open, and half-open"},
	{"AplombBreakerOpen", "open does not count", "open|half-open", "half-open", "open, and half-open"},
	{"AplombBreakerOpen", "any state", `{state=~"open|half-open"}`, "", "open, and half-open"},
	{"AplombBreakerOpen", "without the threshold", " == 1\n", "\n", "open, and half-open"},
	{"AplombBreakerOpen", "without the traffic guard", "\n          and on (job, client) job_client:aplomb_calls:rate5m > 0", "", "the traffic guard, for a breaker"},
	{"AplombBreakerOpen", "without the host's guard", "\n          and ignoring (state) increase(aplomb_breaker_transitions_total[15m]) > 0", "", "a host that nobody calls"},
	{"AplombBreakerOpen", "without the host's threshold", "[15m]) > 0", "[15m]) >= 0", "a host that nobody calls"},
	{"AplombBreakerOpen", "called within the hour", "[15m]", "[1h]", "a host that nobody calls"},
	{"AplombBreakerOpen", "called within five minutes", "[15m]", "[5m]", "a host that nobody calls"},
	{"AplombBreakerOpen", "of any host", "ignoring (state)", "ignoring (state, host)", "a host that nobody calls"},
	{"AplombBreakerOpen", "in any process", "ignoring (state)", "on (job, client, host)", "a process that calls"},
	{"AplombBreakerOpen", "without the guard's threshold", "rate5m > 0", "rate5m", "the traffic guard, for a breaker"},
	{"AplombBreakerOpen", "traffic of any client", "and on (job, client)", "and on ()", "the traffic guard, for a breaker"},

	{"AplombRetryAmplification", "without the ratio", "job_client:aplomb_attempts_per_call:ratio5m > 1.5\n          and ", "", "two requests a call"},
	{"AplombRetryAmplification", "without the threshold", "ratio5m > 1.5", "ratio5m", "two requests a call"},
	{"AplombRetryAmplification", "a lower threshold", "> 1.5", "> 1.3", "two requests a call"},
	{"AplombRetryAmplification", "a higher threshold", "> 1.5", "> 1.7", "two requests a call"},
	{"AplombRetryAmplification", "without the traffic guard", "\n          and job_client:aplomb_calls:rate5m > 0.05", "", "the traffic guard, for a retry"},
	{"AplombRetryAmplification", "any traffic at all", "rate5m > 0.05", "rate5m > 0", "the traffic guard, for a retry"},
	{"AplombRetryAmplification", "more traffic only", "rate5m > 0.05", "rate5m > 0.07", "the traffic guard, for a retry"},
	{"AplombRetryAmplification", "without for", "        for: 10m\n", "", "two requests a call"},
	{"AplombRetryAmplification", "for twice as long", "for: 10m", "for: 25m", "two requests a call"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "first attempts only", "retry|hedge", "first", "two requests a call"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "without the call itself", "1 + ", "", "two requests a call"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "retries do not count", "retry|hedge", "hedge", "two requests a call"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "hedges do not count", "retry|hedge", "retry", "two requests a call"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "redirects count", "retry|hedge", "retry|hedge|redirect", "redirects, and probes"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "probes count", "retry|hedge", "retry|hedge|probe", "redirects, and probes"},

	{"AplombEndpointSunset", "without the threshold", " < 30 * 86400", "", "in ten days"},
	{"AplombEndpointSunset", "a week later", "30 *", "37 *", "in ten days"},
	{"AplombEndpointSunset", "three days sooner", "30 *", "27 *", "in ten days"},
	{"AplombEndpointSunset", "not in relation to now", " - time()", "", "in ten days"},
	{"AplombEndpointSunset", "the process that heard the latest date", "min by", "max by", "in ten days"},
	{"AplombEndpointSunset", "all operations as one", "(job, client, operation)", "(job, client)", "in ten days"},
	{"AplombEndpointSunset", "for ever after", " > -86400", "", "two days ago"},
	{"AplombEndpointSunset", "half a day after", "> -86400", "> -43200", "two days ago"},
	{"AplombEndpointSunset", "three days after", "> -86400", "> -259200", "two days ago"},
	{"AplombEndpointSunset", "what is over hides what is not", "- time() > -86400) < 30", "- time()) > -86400 < 30", "two days ago"},
	{"AplombEndpointSunset", "without calls", "\n          and on (job, client, operation) sum by (job, client, operation) (increase(aplomb_calls_total[1d])) > 0", "", "who calls it"},
	{"AplombEndpointSunset", "without the calls' threshold", "[1d])) > 0", "[1d])) >= 0", "who calls it"},
	{"AplombEndpointSunset", "called within the hour", "[1d]", "[1h]", "who calls it"},
	{"AplombEndpointSunset", "called within two days", "[1d]", "[2d]", "who calls it"},
	{"AplombEndpointSunset", "calls of any operation", "and on (job, client, operation)", "and on (job, client)", "who calls it"},
	{"AplombEndpointSunset", "calls of any client", "and on (job, client, operation)", "and on (job, operation)", "who calls it"},
	{"AplombEndpointSunset", "calls in any service", "and on (job, client, operation)", "and on (client, operation)", "who calls it"},

	{"AplombTokenRefreshFailing", "without the failures", "increase(aplomb_token_refresh_total{result=\"error\"}[15m]) >= 3\n          and ignoring (result) ", "", "failures long before"},
	{"AplombTokenRefreshFailing", "without the end", "and ignoring (result) aplomb_token_expiry_timestamp_seconds - time() < 600\n", "\n", "failures long before"},
	{"AplombTokenRefreshFailing", "without the end's threshold", " < 600", "", "failures long before"},
	{"AplombTokenRefreshFailing", "an hour before the end", "< 600", "< 3600", "the token ends soon"},
	{"AplombTokenRefreshFailing", "at the end only", "< 600", "< 60", "the token ends soon"},
	{"AplombTokenRefreshFailing", "two failures", ">= 3", ">= 2", "failures long before"},
	{"AplombTokenRefreshFailing", "four failures", ">= 3", ">= 4", "failures long before"},
	{"AplombTokenRefreshFailing", "successes count", `{result="error"}`, "", "failures long before"},
	{"AplombTokenRefreshFailing", "of an hour", "[15m]", "[1h]", "failures long before"},
	{"AplombTokenRefreshFailing", "in any process", "and ignoring (result)", "and on (job, client)", "failures long before"},
	{"AplombTokenRefreshFailing", "nobody is called", "severity: page", "severity: ticket", "the token ended"},

	{"job_client:aplomb_calls:rate5m", "all services as one", "by (job, client", "by (client", "the calls of two services"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "all services as one", "by (job, client", "by (client", "the calls of two services"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "all services as one", "by (job, client", "by (client", "the calls of two services"},
	{"job_client_operation:aplomb_call_duration_seconds:p99_5m", "all services as one", "by (job, client", "by (client", "the calls of two services"},
	{"job_client:aplomb_attempts_per_call:ratio5m", "all services as one", "by (job, client", "by (client", "the calls of two services"},
	{"job_client_bucket:aplomb_rate_limit_headroom:ratio", "all services as one", "by (job, client", "by (client", "the gauges of two services"},
	{"AplombBreakerOpen", "all services as one", "by (job, client", "by (client", "the circuits of two services"},
	{"AplombBreakerOpen", "traffic of any service", "on (job, client)", "on (client)", "the circuits of two services"},
	{"AplombEndpointSunset", "all services as one", "by (job, client", "by (client", "the gauges of two services"},
	{"AplombTokenRefreshFailing", "all services as one", "by (job, client", "by (client", "the gauges of two services"},
	{"AplombTokenRefreshFailing", "in any service", "ignoring (result)", "ignoring (result, job)", "the gauges of two services"},
	{"job_client:aplomb_calls:error_ratio_rate5m", "what aplomb refused counts", "|bulkhead_full", "|bulkhead_full|refused", "a client's own doing"},
	{"job_client:aplomb_calls:error_ratio_rate1h", "what aplomb refused counts", "|bulkhead_full", "|bulkhead_full|refused", "a client's own doing"},
}

// TestRuleMutations takes each condition of each rule away: a case of rules_test.yml
// must notice.
func TestRuleMutations(t *testing.T) {
	t.Parallel()
	tool(t, "promtool")
	rules, cases := read(t, "rules.yml"), casesOf(t)
	for _, m := range mutations {
		t.Run(m.rule+" "+m.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "rules.yml"), mutate(t, rules, m))
			write(t, filepath.Join(dir, "rules_test.yml"), pick(t, cases, m.noticed))
			out, err := run(t, "", "promtool", "test", "rules", filepath.Join(dir, "rules_test.yml"))
			if err == nil {
				t.Errorf("no case notices it, %q does not", m.noticed)
			}
			if !strings.Contains(out, "FAILED:") || !strings.Contains(out, "got:") { // not: the rules cannot be read
				t.Errorf("it fails for another reason:\n%s", out)
			}
		})
	}
}

// Each condition stands in the table, and for each rule that adds up what would be
// without the job.
func TestRuleMutationsAreComplete(t *testing.T) {
	t.Parallel()
	const least = 113
	if len(mutations) < least {
		t.Errorf("%d mutations; there were %d", len(mutations), least)
	}
	for _, rule := range regexp.MustCompile(`- (?:alert|record): `).Split(read(t, "rules.yml"), -1)[1:] {
		name, body, _ := strings.Cut(rule, "\n")
		if strings.Contains(body, " by (") && !slices.ContainsFunc(mutations, func(m mutation) bool { return m.rule == name && m.what == "all services as one" }) {
			t.Errorf("%s: its job is not taken away", name)
		}
		if by := regexp.MustCompile(`\b(by|on) \([^)]*`).FindAllString(body, -1); slices.ContainsFunc(by, func(s string) bool { return !strings.Contains(s, "(job, client") }) {
			t.Errorf("%s is not by job and client: %q", name, by)
		}
	}
	for _, rule := range strings.Split(read(t, "rules.yml"), "- alert: ")[1:] {
		name, body, _ := strings.Cut(rule, "\n")
		body, _, _ = strings.Cut(body, "annotations:")
		conditions := strings.Count(body, " and ") + len(regexp.MustCompile(` (>|<|>=|==) `).FindAllString(body, -1)) + strings.Count(body, "for: ")
		rows := 0
		for _, m := range mutations {
			if m.rule == name {
				rows++
			}
		}
		if rows < conditions {
			t.Errorf("%s has %d conditions and %d mutations", name, conditions, rows)
		}
		if strings.Contains(body, "for: ") && !slices.ContainsFunc(mutations, func(m mutation) bool { return m.rule == name && m.what == "without for" }) {
			t.Errorf("%s: its for is not taken away", name)
		}
	}
}

// mutate changes the one rule, wherever it says so.
func mutate(t *testing.T, rules string, m mutation) string {
	t.Helper()
	at := regexp.MustCompile(`- (alert|record): ` + regexp.QuoteMeta(m.rule) + "\n").FindStringIndex(rules)
	if at == nil {
		t.Fatalf("there is no rule %s", m.rule)
	}
	end := len(rules)
	if next := regexp.MustCompile(`\n +- (alert|record|name): `).FindStringIndex(rules[at[1]:]); next != nil {
		end = at[1] + next[0]
	}
	body := rules[at[1]:end]
	if !strings.Contains(body, m.from) {
		t.Fatalf("%s has no %q", m.rule, m.from)
	}
	return rules[:at[1]] + strings.ReplaceAll(body, m.from, m.to) + rules[end:]
}

// casesOf are the cases of rules_test.yml by their names; what stands before them has
// the name "".
func casesOf(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for i, part := range strings.Split(read(t, "rules_test.yml"), "  - name: ") {
		if i == 0 {
			found[""] = part
			continue
		}
		name, _, _ := strings.Cut(part, "\n")
		found[name] = "  - name: " + part
	}
	return found
}

// pick is a file of the one case whose name begins so. Its rules are evaluated as often
// as its series have values: each half minute, one that lasts for a day takes seconds.
func pick(t testing.TB, cases map[string]string, prefix string) string {
	t.Helper()
	var text []string
	for name, body := range cases {
		if strings.HasPrefix(name, prefix) && name != "" {
			_, interval, _ := strings.Cut(body, "    interval: ")
			interval, _, _ = strings.Cut(interval, "\n")
			text = append(text, strings.Replace(cases[""], "evaluation_interval: 30s", "evaluation_interval: "+interval, 1)+body)
		}
	}
	if len(text) != 1 {
		t.Fatalf("%d cases begin with %q, want one", len(text), prefix)
	}
	return text[0]
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package prometheus_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
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

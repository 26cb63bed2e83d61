package rules

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

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

// TestMutations takes each condition of each rule away: a case of rules_test.yml
// must notice.
func TestMutations(t *testing.T) {
	t.Parallel()
	rules, cases := read(t, rulesFile), casesOf(t)
	for _, m := range mutations {
		t.Run(m.rule+" "+m.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "rules.yml"), mutate(t, rules, m))
			write(t, filepath.Join(dir, "rules_test.yml"), pick(t, cases, m.noticed))
			out, err := promtool(t, "test", "rules", filepath.Join(dir, "rules_test.yml"))
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
func TestMutationsAreComplete(t *testing.T) {
	t.Parallel()
	const least = 113
	if len(mutations) < least {
		t.Errorf("%d mutations; there were %d", len(mutations), least)
	}
	for _, rule := range regexp.MustCompile(`- (?:alert|record): `).Split(read(t, rulesFile), -1)[1:] {
		name, body, _ := strings.Cut(rule, "\n")
		if strings.Contains(body, " by (") && !slices.ContainsFunc(mutations, func(m mutation) bool { return m.rule == name && m.what == "all services as one" }) {
			t.Errorf("%s: its job is not taken away", name)
		}
		if by := regexp.MustCompile(`\b(by|on) \([^)]*`).FindAllString(body, -1); slices.ContainsFunc(by, func(s string) bool { return !strings.Contains(s, "(job, client") }) {
			t.Errorf("%s is not by job and client: %q", name, by)
		}
	}
	for _, rule := range strings.Split(read(t, rulesFile), "- alert: ")[1:] {
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

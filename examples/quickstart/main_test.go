package main

import (
	"bytes"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
)

// promised is the table that a newcomer is to see.
var promised = map[string]string{
	"customers_created":           "1",
	"payment_attempts":            "2",
	"charges_after_lost_response": "1",
	"charges_listed":              "23",
	"pages_read":                  "3",
	"duplicates":                  "0",
	"waited_on_429":               "1.0s",
	"further_429":                 "0",
	"calls_failed_fast":           "200",
	"calls_that_reached_the_host": "0",
	"breaker_probes":              "1",
	"graphql_nodes_kept":          "9",
	"graphql_error_path":          "user.repositories.nodes[3]",
	"events_handled":              "2",
	"handled_twice":               "0",
	"webhooks_acknowledged":       "200 200",
	"bad_signature":               "401",
	"old_timestamp":               "401",
	"sunset_warnings":             "2",
	"secrets_in_output":           "0",
}

// environ is an environment of just these variables.
func environ(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// take runs the program and returns what it printed.
func take(t *testing.T, vars map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	began := time.Now()
	err := run(t.Context(), &out, environ(vars), args)
	t.Logf("took %v", time.Since(began).Round(10*time.Millisecond))
	return out.String(), err
}

// table is what stands behind the empty line.
func table(out string) map[string]string {
	_, lines, _ := strings.Cut(out, "\n\n")
	figures := map[string]string{}
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		figures[key] = value
	}
	return figures
}

func TestTourIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	first := make(chan string)
	go func() {
		out, err := take(t, nil)
		if err != nil {
			t.Error(err)
		}
		first <- out
	}()
	second, err := take(t, nil)
	if err != nil {
		t.Error(err)
	}
	if out := <-first; out != second {
		t.Errorf("two runs differ:\n%s\n---\n%s", out, second)
	}
	if got := table(second); !maps.Equal(got, promised) {
		t.Errorf("got  %v\nwant %v", got, promised)
	}
	for _, text := range []string{
		"1. mode: built-in fakes (no STRIPE_SECRET_KEY, no GITHUB_TOKEN).",
		"created customer cus_1 for alice@example.com",
		"resent with the same Idempotency-Key → 1 charge on the server",
		"charges: 23 items over 3 pages, in order, none twice",
		"429, Retry-After 1s → waited 1.0s",
		"quota 3 of 100 left → slowed down, 0 further 429",
		"200 calls failed fast, 0 reached the host",
		"hello-go (Go) – 42 stars",
		"partial data kept: 9 of 10 nodes; error at user.repositories.nodes[3]",
		"Authorization: [redacted]", "Cookie: [redacted]", "payment_method_data[card][number]=[redacted]", `"client_secret":"[redacted]"`,
	} {
		if !strings.Contains(second, text) {
			t.Errorf("the output lacks %q", text)
		}
	}
	if strings.Contains(second, "127.0.0.1") {
		t.Error("the output names a port, which is another one each time")
	}
}

// TestTourOfGivenAPIs has two servers stand in for the real ones.
func TestTourOfGivenAPIs(t *testing.T) {
	t.Parallel()
	shop, repos := aplombtest.NewStripe(), aplombtest.NewGitHub()
	repos.SeedRepos("octocat", 2)
	payments, graphql := httptest.NewServer(shop), httptest.NewServer(repos)
	t.Cleanup(payments.Close)
	t.Cleanup(graphql.Close)

	out, err := take(t, map[string]string{
		"STRIPE_SECRET_KEY": "sk_test_" + "given", "STRIPE_BASE_URL": payments.URL,
		"GITHUB_TOKEN": "given-token", "GITHUB_GRAPHQL_URL": graphql.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"Stripe at " + payments.URL + " in test mode; GitHub at " + graphql.URL,
		"What needs a staged fault stays on the fakes.",
		"charges: 1 item\n", "… 2 repositories in all",
	} {
		if !strings.Contains(out, text) {
			t.Errorf("the output lacks %q:\n%s", text, out)
		}
	}
	if e := shop.Effects(); e.Customers != 1 || e.Charges != 1 {
		t.Errorf("the given Stripe saw %+v, want one customer and one charge", e)
	}
	if n := repos.Effects().Queries; n != 1 {
		t.Errorf("the given GitHub saw %d queries, want 1", n)
	}
	if got := table(out); got["customers_created"] != "2" || got["secrets_in_output"] != "0" || got["graphql_nodes_kept"] != "9" {
		t.Errorf("got %v", got)
	}
}

func TestLiveKey(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"sk_live_", "rk_live_"} {
		out, err := take(t, map[string]string{"STRIPE_SECRET_KEY": prefix + "given"})
		if err == nil || !strings.Contains(err.Error(), "-allow-live") || out != "" {
			t.Errorf("%s: error %v, output %q; want a refusal that names -allow-live", prefix, err, out)
		}
		if err != nil && strings.Contains(err.Error(), "given") {
			t.Errorf("the refusal shows the key: %v", err)
		}
		m, err := chooseMode(environ(map[string]string{"STRIPE_SECRET_KEY": prefix + "given"}), true)
		if err != nil || !strings.Contains(m.String(), "LIVE") {
			t.Errorf("%s with -allow-live: %q, %v", prefix, m, err)
		}
	}
}

func TestBaseURLNeedsAKey(t *testing.T) {
	t.Parallel()
	if _, err := take(t, map[string]string{"STRIPE_BASE_URL": "http://127.0.0.1:1"}); err == nil {
		t.Error("no error")
	}
}

func TestFailureNamesItsStepAndNoSecret(t *testing.T) {
	t.Parallel()
	key := "sk_test_" + "given"
	_, err := take(t, map[string]string{"STRIPE_SECRET_KEY": key, "STRIPE_BASE_URL": "http://127.0.0.1:1"})
	if err == nil || !strings.HasPrefix(err.Error(), "step 2: stripe: POST /v1/customers: ") || strings.Contains(err.Error(), key) {
		t.Errorf("got %v", err)
	}
}

func TestTranscriptFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tr := newTranscript(&out)
	tr.plant("4242 4242", "", "session=x")
	for _, text := range []string{"card 4242 4242", "card=4242+4242", "nothing"} {
		_, _ = tr.Write([]byte(text))
	}
	_, _ = tr.aside().Write([]byte("Cookie: session=x"))
	if n := tr.leaks(); n != 3 {
		t.Errorf("found %d secrets, want 3", n)
	}
	if strings.Contains(out.String(), "Cookie") {
		t.Error("what goes aside was shown")
	}
}

func TestBrokenPromiseIsAnError(t *testing.T) {
	t.Parallel()
	var r report
	r.promise("duplicates", 0, 0)
	r.state("charges_listed", 7)
	if err := r.broken(); err != nil {
		t.Error(err)
	}
	r.promise("charges_after_lost_response", 2, 1)
	if err := r.broken(); err == nil || err.Error() != "charges_after_lost_response is 2, not 1 as promised" {
		t.Errorf("got %v", err)
	}
}

func TestStepsAreInOrder(t *testing.T) {
	t.Parallel()
	var numbers []int
	for _, s := range steps {
		numbers = append(numbers, s.number)
	}
	if !slices.IsSorted(numbers) {
		t.Errorf("steps %v", numbers)
	}
}

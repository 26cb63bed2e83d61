package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/aplombtest"
)

// TestMain is the program itself where a test has started it as such.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program runs it with this key and server and no other variables.
func program(t *testing.T, key, url string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{"STRIPE_SECRET_KEY=" + key, "STRIPE_BASE_URL=" + url, "RUN_PROGRAM=1", "GOCOVERDIR=" + t.TempDir()}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Log(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

const testKey = "sk_test_" + "given"

func TestPaysAndLists(t *testing.T) {
	t.Parallel()
	shop := aplombtest.NewStripe()
	script := aplombtest.NewScript(shop, aplombtest.LostResponse(), aplombtest.LostResponse())
	out, errs, code := program(t, testKey, serve(t, script))
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	want := "customer cus_1 alice@example.com\npayment intent pi_1 25.00 USD succeeded\ncharge ch_1 25.00 USD succeeded\n"
	if out != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
	if e := shop.Effects(); e.Customers != 1 || e.Charges != 1 || e.Replays == 0 {
		t.Errorf("%+v; want one customer and one charge, although responses were lost", e)
	}
	requests := shop.Received()
	if body := requests[0].Body; !strings.Contains(body, "metadata%5Bplan%5D=pro") && !strings.Contains(body, "metadata[plan]=pro") {
		t.Errorf("no metadata in %q", body)
	}
	if query := requests[len(requests)-1].Query; !strings.Contains(query, "customer=cus_1") || !strings.Contains(query, "limit=10") {
		t.Errorf("the list was asked for by %q", query)
	}
}

func TestFailsInOneLine(t *testing.T) {
	t.Parallel()
	url := serve(t, aplombtest.NewStripe())
	for name, c := range map[string]struct{ key, url, want string }{
		"no key":         {"", url, "the environment variable STRIPE_SECRET_KEY is empty: set it"},
		"live key":       {"sk_live_" + "given", url, "-allow-live"},
		"restricted key": {"rk_live_" + "given", url, "-allow-live"},
		"public key":     {"pk_" + "given", url, "a publishable one"},
		"wrong key":      {"xk_" + "given", url, "401"},
		"no such place":  {testKey, "nowhere", "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := program(t, c.key, c.url)
			if code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.want) || strings.Contains(errs, "_given") {
				t.Errorf("exit code %d, output %q, error %q; want 1, none and a line with %q", code, out, errs, c.want)
			}
		})
	}
}

func TestAllowLive(t *testing.T) {
	t.Parallel()
	shop := aplombtest.NewStripe() // refuses live keys itself, but is asked
	_, errs, code := program(t, "sk_live_"+"given", serve(t, shop), "-allow-live")
	if code != 1 || shop.Effects().Requests != 1 || strings.Contains(errs, "given") {
		t.Errorf("exit code %d after %d requests: %s", code, shop.Effects().Requests, errs)
	}
}

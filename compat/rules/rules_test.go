// Package rules has promtool hold package prometheus' rules.yml against the cases of
// rules_test.yml beside it, and against a hundred ways to get the rules wrong.
package rules

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/compat/need"
)

const (
	rulesFile = "../../prometheus/rules.yml"
	casesFile = "../../prometheus/rules_test.yml"
)

func TestCheckRules(t *testing.T) {
	t.Parallel()
	out, err := promtool(t, "check", "rules", rulesFile)
	if err != nil || !strings.Contains(out, "12 rules found") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	if out, err := promtool(t, "test", "rules", casesFile); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func promtool(t testing.TB, args ...string) (output string, err error) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		need.Missingf(t, "no promtool: apt-get install prometheus")
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(out), err
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// casesOf are the cases of rules_test.yml by their names; what stands before them has
// the name "".
func casesOf(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for i, part := range strings.Split(read(t, casesFile), "  - name: ") {
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

// Package quickstart runs the quickstart against a real peer.
package quickstart

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/compat/stripemock"
)

// Given a test key and stripe-mock's address, the quickstart talks to it and
// ends well, with the Stripe rows that stripe-mock can fill.
func TestQuickstartAgainstStripeMock(t *testing.T) {
	t.Parallel()
	base := stripemock.Start(t)
	cmd := exec.Command("go", "run", "./quickstart")
	cmd.Dir = "../../examples"
	cmd.Env = append(os.Environ(), "STRIPE_SECRET_KEY=sk_test_123", "STRIPE_BASE_URL="+base, "GITHUB_TOKEN=")
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"created customer cus_", "payment intent pi_", "secrets_in_output 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "sk_test_123") {
		t.Errorf("the key is printed:\n%s", out)
	}
}

// Package need decides what a test does whose server or program is missing: it
// skips on a developer's machine and fails in CI, where a quiet skip would let
// an untested peer pass for a tested one.
package need

import (
	"os"
	"testing"
)

// RequireServers is the environment variable that CI sets to 1, so that
// [Missingf] fails the test.
const RequireServers = "APLOMB_REQUIRE_SERVERS"

// Missingf ends the test because something it needs is not there; what and why
// is said like with tb.Skipf. It is the only way for compat's tests to skip.
func Missingf(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv(RequireServers) == "1" {
		tb.Fatalf("missing, and "+RequireServers+" is 1: "+format, args...)
	}
	tb.Skipf(format, args...)
}

// Package retry_test puts other people's retries through aplombtest.TestRetry: a
// table of what each of them leaves to its user.
package retry_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/failsafe-go/failsafe-go/failsafehttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// report is a testing.TB that keeps what the suite has to say.
type report struct {
	testing.TB

	mu    sync.Mutex
	rules []string
	lines []string
}

func (r *report) Helper() {}

func (r *report) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	rule, _, _ := strings.Cut(line, ": ")
	r.rules, r.lines = append(r.rules, rule), append(r.lines, line)
	slices.Sort(r.rules)
}

func TestRetriesOfPeers(t *testing.T) {
	t.Parallel()
	for name, peer := range map[string]struct {
		m      aplomb.Middleware
		breaks []string
	}{
		"failsafe-go": {func(next http.RoundTripper) http.RoundTripper {
			return failsafehttp.NewRoundTripper(next, failsafehttp.NewRetryPolicyBuilder().Build())
		}, []string{
			"close what is dropped",      // after the attempt that follows
			"heed the deadline",          // sleeps up to it
			"repeat what may pass",       // 505, a bad certificate
			"return the last answer",     // "retries exceeded"
			"send once what may be done", // a POST three times
			"wait as told",               // Retry-After as a date
			"wait between",               // no backoff unless asked for
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &report{TB: t}
				aplombtest.TestRetry(r, peer.m)
				if !slices.Equal(r.rules, peer.breaks) {
					t.Errorf("breaks %q, want %q:\n%s", r.rules, peer.breaks, strings.Join(r.lines, "\n"))
				}
			})
		})
	}
}

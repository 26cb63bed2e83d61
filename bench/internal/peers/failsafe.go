package peers

import (
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// newFailsafe has failsafehttp's retries, with the waits of 0.1 to 2 s that its
// examples have, Retry-After obeyed; a breaker that opens after five failures, for
// its minute; and a smooth limiter where a quota is told.
func newFailsafe(s Setting) (Call, error) {
	policies := []failsafe.Policy[*http.Response]{
		failsafehttp.NewRetryPolicyBuilder().WithBackoff(s.wait(100*time.Millisecond), s.wait(2*time.Second)).Build(),
		circuitbreaker.NewBuilder[*http.Response]().
			HandleIf(func(resp *http.Response, err error) bool {
				return err != nil || resp.StatusCode >= http.StatusInternalServerError
			}).
			WithFailureThreshold(5).WithDelay(s.wait(time.Minute)).Build(),
	}
	if s.PerSecond > 0 {
		limiter := ratelimiter.NewSmoothBuilder[*http.Response](uint(s.PerSecond), time.Second).WithMaxWaitTime(time.Minute).Build()
		policies = append(policies, limiter)
	}
	return over(&http.Client{Transport: failsafehttp.NewRoundTripper(s.Transport, policies...)}, s.URL), nil
}

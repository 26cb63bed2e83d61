package call_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
)

func failsafe(_ testing.TB, rt http.RoundTripper) client {
	retries := failsafehttp.NewRetryPolicyBuilder().Build()
	breaker := circuitbreaker.NewBuilder[*http.Response]().
		HandleIf(func(resp *http.Response, err error) bool {
			return err != nil || resp != nil && resp.StatusCode >= http.StatusInternalServerError
		}).
		WithFailureRateThreshold(0.5, 20, 10*time.Second).
		Build()
	return client{
		name: "failsafe-go", signed: true,
		http: &http.Client{Transport: failsafehttp.NewRoundTripper(rt, retries, breaker)},
	}.over()
}

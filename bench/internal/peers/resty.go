package peers

import (
	"context"
	"fmt"
	"net/http"
	"time"

	restytwo "github.com/go-resty/resty/v2"
	"golang.org/x/time/rate"
	restythree "resty.dev/v3"
)

// newRestyTwo has 3 retries of 429 and of faults, 0.1 to 2 s, as its examples have;
// it looks at no Retry-After by itself. Its limiter refuses and does not wait.
func newRestyTwo(s Setting) (Call, error) {
	c := restytwo.New().SetTransport(s.Transport).SetLogger(silent{}).SetRetryCount(3).
		SetRetryWaitTime(s.wait(100 * time.Millisecond)).SetRetryMaxWaitTime(s.wait(2 * time.Second)).
		AddRetryCondition(func(resp *restytwo.Response, _ error) bool {
			if resp == nil { // its limiter refused
				return true
			}
			return resp.StatusCode() == http.StatusTooManyRequests || resp.StatusCode() >= http.StatusInternalServerError
		})
	if s.PerSecond > 0 {
		c.SetRateLimiter(rate.NewLimiter(rate.Limit(s.PerSecond), s.Burst))
	}
	return func(ctx context.Context) error {
		resp, err := c.R().SetContext(ctx).Get(s.URL)
		if err == nil && resp.StatusCode() != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode())
		}
		return err
	}, nil
}

// newRestyThree has 3 retries by the conditions that it brings along, 0.1 to 2 s, Retry-After obeyed, and a
// breaker that opens after five failures, for a minute.
func newRestyThree(s Setting) (Call, error) {
	c := restythree.New().SetTransport(s.Transport).SetLogger(silent{}).
		SetRetryCount(3).AddRetryConditions(restythree.RetryConditionStatusTooManyRequests, restythree.RetryConditionStatus5XX).
		SetRetryWaitTime(s.wait(100 * time.Millisecond)).SetRetryMaxWaitTime(s.wait(2 * time.Second)).
		SetCircuitBreaker(restythree.NewCircuitBreakerCount(5, 1, s.wait(time.Minute)))
	if s.PerSecond > 0 {
		c.SetRateLimiter(restythree.NewRateLimitTokenBucket(s.PerSecond, s.Burst))
	}
	return func(ctx context.Context) error {
		resp, err := c.R().SetContext(ctx).Get(s.URL)
		if err == nil && resp.StatusCode() != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode())
		}
		return err
	}, nil
}

// silent is the loggers' level that everybody else has.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

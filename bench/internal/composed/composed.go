// Package composed is the stack that a careful engineer makes by hand of the
// packages that everybody names: go-retryablehttp around x/oauth2's transport,
// around x/time/rate, around gobreaker.
//
// It is made for one API, so that it has one limiter and one breaker. It has no
// quota that is learned from answers, no budget for retries, no bound of a body
// and no check of what an answer is: what the packages do not bring along, nobody
// added. Its caller gives each call a context with Total.
package composed

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"
)

// Total is what a call may take, retries included: as much as aplomb's typed calls
// have. An http.Client's Timeout would bound each attempt only, and cost 20
// allocations.
const Total = time.Minute

// Settings are what differs between its users. The zero value is what a careful
// person would write who has read the packages' documentation to the end.
type Settings struct {
	Token string
	// PerSecond and Burst are the quota of an API that tells it. By default the rate
	// is one that holds nobody up, but is reckoned with.
	PerSecond float64
	Burst     int
	// OpenFor is how long the breaker stays open: a second by default, where
	// gobreaker's own is a minute.
	OpenFor time.Duration
	// Tenth divides by ten whatever it waits.
	Tenth bool
}

// plenty is a rate that holds nobody up.
const plenty = 1e9

// New puts the stack over a transport. It is used directly, or as an
// *http.Client by its StandardClient. How often it repeats, and how long it waits in
// between, is go-retryablehttp's own: four times, 1 to 30 s, Retry-After obeyed.
func New(base http.RoundTripper, s Settings) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: &oauth2.Transport{
		Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.Token}),
		Base:   &limited{s.limiter(), Guard(s.breaker(), base)},
	}}
	c.RetryWaitMin, c.RetryWaitMax = s.wait(c.RetryWaitMin), s.wait(c.RetryWaitMax)
	c.CheckRetry = repeatable
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler // or the last answer is lost
	c.Logger = nil
	return c
}

func (s *Settings) limiter() *rate.Limiter {
	if s.PerSecond > 0 {
		return rate.NewLimiter(rate.Limit(s.PerSecond), s.Burst)
	}
	return rate.NewLimiter(plenty, plenty)
}

// breaker opens when half of at least 20 attempts of the last 10 s failed.
func (s *Settings) breaker() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: s.wait(10 * time.Second), BucketPeriod: s.wait(time.Second), Timeout: s.wait(cmp.Or(s.OpenFor, time.Second)),
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.Requests >= 20 && 2*n.TotalFailures >= n.Requests },
	})
}

func (s *Settings) wait(d time.Duration) time.Duration {
	if s.Tenth {
		return d / 10
	}
	return d
}

// repeatable is retryablehttp's own rule, but that what may have taken effect is
// not sent again.
func repeatable(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if resp != nil && resp.Request != nil && resp.Request.Method == http.MethodPost && resp.StatusCode != http.StatusTooManyRequests {
		return false, ctx.Err()
	}
	return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
}

// limited waits for its turn.
type limited struct {
	limiter *rate.Limiter
	next    http.RoundTripper
}

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := l.limiter.Wait(r.Context()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return l.next.RoundTrip(r)
}

// guarded asks a breaker first, and tells it of the answer.
type guarded struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	next    http.RoundTripper
}

// Guard puts a breaker before a transport.
func Guard(b *gobreaker.TwoStepCircuitBreaker[struct{}], next http.RoundTripper) http.RoundTripper {
	return &guarded{b, next}
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	done, err := g.breaker.Allow()
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	resp, err := g.next.RoundTrip(r)
	switch {
	case err != nil:
		done(err)
	case resp.StatusCode >= http.StatusInternalServerError:
		done(fmt.Errorf("status %d", resp.StatusCode))
	default:
		done(nil)
	}
	return resp, err
}

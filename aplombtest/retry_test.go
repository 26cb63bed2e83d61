package aplombtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// retrier is a retry loop as one writes it by hand, right unless told otherwise.
type retrier struct {
	next http.RoundTripper

	never, unsafe, newKeys, dropKey, spent, impatient, late, deaf, blind, leaky, lateClose, gaveUp, endless, alike, hasty, stubborn, nosy, hides bool
	forgetful, early, tiny, oneMore                                                                                                              bool
}

func (t *retrier) RoundTrip(r *http.Request) (*http.Response, error) {
	for n := 1; ; n++ {
		own := r.Clone(r.Context())
		if n > 1 && r.GetBody != nil && !t.spent {
			own.Body, _ = r.GetBody()
		}
		if t.newKeys && r.Method == http.MethodPost {
			own.Header.Set("Idempotency-Key", strconv.Itoa(n))
		}
		if t.dropKey {
			own.Header.Del("Idempotency-Key")
		}
		resp, err := t.next.RoundTrip(own)
		if !t.repeat(r, resp, err) {
			return resp, err
		}
		if n == 4 && !t.endless {
			return t.last(resp, err)
		}
		wait := t.wait(n, resp)
		if by, ok := r.Context().Deadline(); ok && time.Until(by) < wait && !t.late {
			if !t.early {
				return resp, err
			}
			wait = time.Until(by) / 2
		}
		if resp != nil && !t.leaky && !t.lateClose {
			_ = resp.Body.Close()
		}
		if resp != nil && t.lateClose {
			defer func() { _ = resp.Body.Close() }()
		}
		if err := t.sleep(r.Context(), wait); err != nil {
			if t.oneMore {
				return t.next.RoundTrip(own)
			}
			return nil, err
		}
	}
}

func (t *retrier) repeat(r *http.Request, resp *http.Response, err error) bool {
	safe := r.Method != http.MethodPost && r.Method != http.MethodPatch || r.Header.Get("Idempotency-Key") != "" || t.unsafe
	again := r.Body == nil || r.GetBody != nil || t.spent
	switch {
	case t.never || !safe || !again:
		return false
	case err != nil:
		return (r.Context().Err() == nil || t.blind) && (t.stubborn || !strings.Contains(err.Error(), "certificate"))
	case resp.StatusCode == http.StatusFound:
		return t.nosy
	case t.stubborn:
		return resp.StatusCode >= 400
	}
	return resp.StatusCode == 429 || resp.StatusCode == 500 || resp.StatusCode >= 502 && resp.StatusCode <= 504
}

func (t *retrier) last(resp *http.Response, err error) (*http.Response, error) {
	switch {
	case t.gaveUp && err == nil:
		_ = resp.Body.Close()
		return nil, errors.New("giving up")
	case t.hides && err != nil:
		return nil, errors.New("giving up: " + err.Error())
	}
	return resp, err
}

func (t *retrier) wait(n int, resp *http.Response) time.Duration {
	wait := time.Second << min(n, 3)
	if !t.alike {
		wait = rand.N(wait) + 1
	}
	if t.hasty {
		return 0
	}
	if t.tiny {
		wait = rand.N(100 * time.Nanosecond)
	}
	if resp != nil && !t.impatient && (n == 1 || !t.forgetful) {
		after := resp.Header.Get("Retry-After")
		if at, err := http.ParseTime(after); err == nil {
			return time.Until(at) + wait
		}
		if s, err := strconv.Atoi(after); err == nil {
			return time.Duration(s)*time.Second + wait
		}
	}
	return wait
}

func (t *retrier) sleep(ctx context.Context, d time.Duration) error {
	if t.deaf || t.blind && ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestRetryFindsEach: each flaw breaks the rule it is against, and the loop without
// one breaks none.
func TestRetryFindsEach(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flawed retrier
		rules  []string
		word   string
	}{
		"none":                            {retrier{}, []string{}, ""},
		"never repeats":                   {retrier{never: true}, []string{"try again"}, "was not sent again"},
		"repeats every POST":              {retrier{unsafe: true}, []string{"send once what may be done"}, "RFC 9110"},
		"mints a key for each attempt":    {retrier{newKeys: true}, []string{"one key"}, "another Idempotency-Key"},
		"takes the key off":               {retrier{dropKey: true}, []string{"one key"}, "has no Idempotency-Key"},
		"sends a body that is spent":      {retrier{spent: true}, []string{"the whole body"}, "sent 0 bytes"},
		"does not read Retry-After":       {retrier{impatient: true}, []string{"wait as told"}, "Retry-After: 7, which is in 7s"},
		"reads Retry-After once":          {retrier{forgetful: true}, []string{"wait as told"}, "attempt 2 was answered"},
		"comes early for the deadline":    {retrier{early: true}, []string{"wait as told"}, "in vain"},
		"waits for nanoseconds":           {retrier{tiny: true}, []string{"wait between"}, "as good as that"},
		"sends once more when cancelled":  {retrier{oneMore: true}, []string{"stop with the context"}, "after the wait"},
		"sleeps up to the deadline":       {retrier{late: true}, []string{"heed the deadline"}, "in vain"},
		"sleeps on":                       {retrier{deaf: true}, []string{"stop with the context"}, "ctx.Done()"},
		"goes on after the end":           {retrier{blind: true}, []string{"stop with the context"}, "look at ctx.Err()"},
		"leaves answers open":             {retrier{leaky: true}, []string{"close what is dropped"}, "close it first"},
		"closes answers at the end":       {retrier{lateClose: true}, []string{"close what is dropped"}, "still open"},
		"gives up with an error":          {retrier{gaveUp: true}, []string{"return the last answer"}, "return the last response"},
		"hides the error":                 {retrier{hides: true}, []string{"return the last answer"}, "does not wrap"},
		"never gives up":                  {retrier{endless: true}, []string{"come to an end"}, "bound the attempts"},
		"waits as all others do":          {retrier{alike: true}, []string{"wait between"}, "by chance"},
		"does not wait":                   {retrier{hasty: true}, []string{"wait as told", "wait between"}, "at once"},
		"repeats what is wrong for good":  {retrier{stubborn: true}, []string{"repeat what may pass"}, "no attempt will change"},
		"repeats what is moved elsewhere": {retrier{nosy: true}, []string{"leave success alone"}, "redirects too"},
	} {
		bubbled(t, name, func(t *testing.T) {
			r := &report{TB: t}
			aplombtest.TestRetry(r, func(next http.RoundTripper) http.RoundTripper {
				own := tt.flawed
				own.next = next
				return &own
			})
			assert.Equal(t, r.rules(), tt.rules, strings.Join(r.lines, "\n"))
			assert.Contains(t, fmt.Sprint(r.lines), tt.word)
		})
	}
}

// TestRetryOfOurs: the stack keeps the rules, in parts and with a Judge of one's own.
func TestRetryOfOurs(t *testing.T) {
	t.Parallel()
	wrap := func(opts ...aplomb.Option) aplomb.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			rt, err := aplomb.Wrap(next, opts...)
			if err != nil {
				panic(err)
			}
			return rt
		}
	}
	for name, m := range map[string]aplomb.Middleware{
		"Retry":   wrap(aplomb.Retry{}),
		"breaker": wrap(aplomb.Retry{}, aplomb.Breaker{}, aplomb.RateLimit{}),
		"keys":    wrap(aplomb.Retry{}, aplomb.Idempotency{}),
		"a Judge": wrap(aplomb.Retry{Attempts: 3}, aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict { return a.Verdict })),
		"a client": func(next http.RoundTripper) http.RoundTripper {
			c, err := aplomb.New("https://api.test", aplomb.Transport(next))
			if err != nil {
				panic(err)
			}
			return c.Transport()
		},
	} {
		bubbled(t, name, func(t *testing.T) { aplombtest.TestRetry(t, m) })
	}
	bubbled(t, "a Judge that repeats 404", func(t *testing.T) {
		r := &report{TB: t}
		aplombtest.TestRetry(r, wrap(aplomb.Retry{}, aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
			if a.Response != nil && a.Response.StatusCode == http.StatusNotFound {
				a.Verdict.Resend = aplomb.ResendYes
			}
			return a.Verdict
		})))
		assert.Equal(t, r.rules(), []string{"repeat what may pass"})
	})
}

// TestRetryOfPeers is what go-retryablehttp does by itself; beneath our stack it is
// driven so that it breaks none of this.
func TestRetryOfPeers(t *testing.T) {
	t.Parallel()
	bubbled(t, "go-retryablehttp", func(t *testing.T) {
		r := &report{TB: t}
		aplombtest.TestRetry(r, func(next http.RoundTripper) http.RoundTripper {
			c := retryablehttp.NewClient()
			c.Logger, c.HTTPClient = nil, &http.Client{Transport: next}
			return &retryablehttp.RoundTripper{Client: c}
		})
		assert.Equal(t, r.rules(), []string{
			"heed the deadline",          // sleeps up to it
			"leave success alone",        // follows redirects itself
			"repeat what may pass",       // 505
			"return the last answer",     // "giving up after 5 attempt(s)"
			"send once what may be done", // a POST five times
			"wait between",               // no jitter
		}, strings.Join(r.lines, "\n"))
	})
}

// TestMiddlewareOfPeers is what the same does to the contract of a RoundTripper.
func TestMiddlewareOfPeers(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("the race detector finds it first, as it should")
	}
	bubbled(t, "go-retryablehttp", func(t *testing.T) {
		r := &report{TB: t}
		aplombtest.TestMiddleware(r, func(next http.RoundTripper) http.RoundTripper {
			c := retryablehttp.NewClient()
			c.Logger, c.HTTPClient = nil, &http.Client{Transport: next}
			return &retryablehttp.RoundTripper{Client: c}
		})
		assert.Equal(t, r.rules(), []string{
			"clone before mutate", // it puts a body of its own into the caller's request
			"close the body",      // and leaves the caller's open
		}, strings.Join(r.lines, "\n"))
	})
}

func TestRetryWantsABubble(t *testing.T) {
	t.Parallel()
	assert.Contains(t, fatal(t, func(tb testing.TB) { aplombtest.TestRetry(tb, nil) }), "call TestRetry in a bubble")
}

// Package peers is the clients that are put under pressure, each set up as its
// documentation recommends for an API that may refuse and may fail. All of them take
// their transport from outside, so that they live in a bubble of virtual time.
package peers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Setting is what a client is set up for.
type Setting struct {
	URL       string
	Transport http.RoundTripper
	// PerSecond and Burst are the quota, for those who are told; zero is not told.
	PerSecond float64
	Burst     int
	// Tenth divides by ten whatever the client waits by its defaults, so that an
	// outage of 5 s is one of 50.
	Tenth bool
}

// wait is a default, or its tenth.
func (s *Setting) wait(d time.Duration) time.Duration {
	if s.Tenth {
		return d / 10
	}
	return d
}

// Call asks once, as a user of the client does. What it does not get is an error.
type Call func(ctx context.Context) error

// Peer is one client.
type Peer struct {
	Name string
	New  func(s Setting) (Call, error)
	// Limits has a way to tell it a quota.
	Limits bool
}

// All are the clients, ours first. Those with a breaker that is open for a minute
// have it from its documentation; composed-1s is what a careful person would write
// who has read it to the end.
var All = []Peer{
	{"aplomb", newAplomb, true},
	{"net-http", newBare, false},
	{"composed", newComposed(time.Minute), true},
	{"composed-1s", newComposed(time.Second), true},
	{"retryablehttp", newRetryable, false},
	{"gobreaker", newGobreaker, false},
	{"azcore", newAzcore, false},
	{"failsafe-go", newFailsafe, true},
	{"resty-v2", newRestyTwo, true},
	{"resty-v3", newRestyThree, true},
}

// newBare is net/http alone.
func newBare(s Setting) (Call, error) {
	return over(&http.Client{Transport: s.Transport}, s.URL), nil
}

// over asks by an *http.Client, and reads what comes.
func over(c *http.Client, url string) Call {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		return answered(c.Do(req))
	}
}

// answered is nil for a good answer, which it reads to its end.
func answered(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

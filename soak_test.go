package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// turnstile is a transport that lets a bucket's worth through, refuses the rest
// for a second, and counts what comes while the client knows that it is closed.
type turnstile struct {
	mu          sync.Mutex
	tokens      float64
	at          time.Time
	closedUntil time.Time // by the client's own events
	good, bad   int
	trespassed  int
}

func (s *turnstile) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	if time.Now().Before(s.closedUntil) {
		s.trespassed++
	}
	s.mu.Unlock()
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	now := time.Now()
	s.tokens = min(10, s.tokens+200*now.Sub(s.at).Seconds())
	s.at = now
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	resp.Body = io.NopCloser(strings.NewReader(`{}`))
	resp.Header.Set("Content-Type", "application/json")
	if s.tokens < 1 {
		s.bad++
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", "1")
	} else {
		s.good++
		s.tokens--
	}
	s.mu.Unlock()
	time.Sleep(time.Millisecond)
	return resp, nil
}

// Ten thousand goroutines on one quota: once a 429 was processed, none of them
// sends a request until its time is over, and then they do not come all at once.
func TestSoak(t *testing.T) {
	const goroutines = 10_000
	bubble(t, func(t *testing.T) {
		s := &turnstile{at: time.Now(), tokens: 10}
		c := newClientAt(t, "http://api.test", aplomb.Transport(s), aplomb.Hooks{Quota: func(_ context.Context, e aplomb.QuotaEvent) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if e.ClosedUntil.After(s.closedUntil) {
				s.closedUntil = e.ClosedUntil
			}
		}})
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range goroutines {
			all.Go(func() {
				for ctx.Err() == nil {
					if _, err := aplomb.Get[struct{}](ctx, c, "/x"); err != nil {
						time.Sleep(time.Second)
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
		t.Logf("%d good, %d refused, %d in a closed window", s.good, s.bad, s.trespassed)
		assert.Equal(t, s.trespassed, 0)
		assert.True(t, s.good > 800, s.good)
		assert.True(t, s.bad < goroutines+200, s.bad) // all of the first round, before anybody knew
	})
}

// Twenty thousand hosts and keys leave the memory of the ones that fit.
func TestLaw07_ManyHosts(t *testing.T) {
	answer := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}, "X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1"}}
		return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
	})
	c := newClientAt(t, "http://api.test", aplomb.Transport(answer))
	visit := func(from, to int) {
		for i := from; i < to; i++ {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://h%d.test/v1/x%d", i, i), http.NoBody)
			assert.NoError(t, err)
			r.Header.Set("Authorization", fmt.Sprintf("Bearer %d", i))
			resp, err := c.Do(r)
			assert.NoError(t, err)
			_ = resp.Body.Close()
		}
	}
	visit(0, 17_000)
	full := heap()
	visit(17_000, 37_000)
	grown := int64(heap()) - int64(full)
	t.Logf("%d MB with every map full; 20 000 hosts later %+d kB", full>>20, grown>>10)
	assert.True(t, grown < 2<<20, grown)
	assert.True(t, aplomb.KeyCount(c) <= 1<<14)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

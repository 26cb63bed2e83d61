package aplomb_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// outage answers 503 until it is over, and counts.
type outage struct {
	over time.Time

	mu           sync.Mutex
	duringOutage int
	firstGood    time.Time
}

func (o *outage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(2 * time.Millisecond)
	o.mu.Lock()
	good := !time.Now().Before(o.over)
	switch {
	case !good:
		o.duringOutage++
	case o.firstGood.IsZero():
		o.firstGood = time.Now()
	}
	o.mu.Unlock()
	if good {
		ok(w, r)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// storm is 50 workers, each with one call after the other, 50 ms apart, during
// an outage and for a second after it. It tells how many calls failed after the
// first that did not.
func storm(t *testing.T, last, healthy time.Duration, call func(*aplombtest.Server) func() error) (o *outage, late int) {
	began := time.Now().Add(healthy)
	o = &outage{over: began.Add(last)}
	server := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Now().Before(began) {
			ok(w, r)
			return
		}
		o.ServeHTTP(w, r)
	}))
	one := call(server)
	end := o.over.Add(time.Second)
	var workers sync.WaitGroup
	for range 50 {
		workers.Go(func() {
			for time.Now().Before(end) {
				begun := time.Now()
				err := one()
				o.mu.Lock()
				if err != nil && !o.firstGood.IsZero() && begun.After(o.firstGood) {
					late++
				}
				o.mu.Unlock()
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	workers.Wait()
	synctest.Wait()
	return o, late
}

// tenth is every default wait divided by ten.
var tenth = []aplomb.Option{
	aplomb.Retry{MinBackoff: 20 * time.Millisecond, ThrottleBackoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second},
	aplomb.Breaker{Window: time.Second, OpenFor: 50 * time.Millisecond, MaxOpenFor: 150 * time.Millisecond},
}

// In a storm the client all but falls silent, and is back as soon as the host
// is, however long that took.
func TestStorm(t *testing.T) {
	bare := func(s *aplombtest.Server) func() error {
		c := s.Client()
		return func() error {
			resp, err := c.Get(s.URL)
			if err == nil {
				err = resp.Body.Close()
			}
			return err
		}
	}
	for name, tt := range map[string]struct {
		last, healthy time.Duration
		most          float64
	}{
		"5 s":                     {last: 5 * time.Second, most: 0.02},
		"20 s":                    {last: 20 * time.Second, most: 0.02},
		"5 s after healthy times": {last: 5 * time.Second, healthy: 20 * time.Second, most: 0.03},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			plain, _ := storm(t, tt.last, 0, bare)
			o, late := storm(t, tt.last, tt.healthy, func(s *aplombtest.Server) func() error {
				c := newClient(t, s, tenth...)
				return func() error {
					_, err := aplomb.Get[order](context.Background(), c, "/x")
					return err
				}
			})
			share := float64(o.duringOutage) / float64(plain.duringOutage)
			t.Logf("%s: %d of a bare client's %d requests during the outage, %.2f %%; first good answer %v after it; %d late failures",
				name, o.duringOutage, plain.duringOutage, 100*share, o.firstGood.Sub(o.over), late)
			assert.True(t, share <= tt.most, share)
			assert.True(t, o.firstGood.Sub(o.over) <= 250*time.Millisecond, o.firstGood.Sub(o.over))
			assert.Equal(t, late, 0)
		})
	}
}

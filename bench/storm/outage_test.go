package storm_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/bench/internal/peers"
)

// The scene.
const (
	workers = 50
	between = 50 * time.Millisecond // a worker's calls
	after   = 7 * time.Second       // the outage: a minute is 6 s here
)

// outage is a host that is down for a while.
type outage struct {
	begins, over time.Time

	mu        sync.Mutex
	requests  int // while it was down
	firstGood time.Time
}

// ServeHTTP implements [http.Handler].
func (o *outage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(2 * time.Millisecond)
	now := time.Now()
	o.mu.Lock()
	down := !now.Before(o.begins) && now.Before(o.over)
	if down {
		o.requests++
	} else if !now.Before(o.over) && o.firstGood.IsZero() {
		o.firstGood = now
	}
	o.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, `{"id":"o_1"}`)
}

// call is one that a worker made.
type call struct {
	worker       int
	began, ended time.Time
	failed       bool
}

// weather is an outage that lasts so long, after healthy times.
func weather(t *testing.T, p peers.Peer, healthy, last time.Duration) (o *outage, calls []call) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begins := time.Now().Add(healthy)
		o = &outage{begins: begins, over: begins.Add(last)}
		server := aplombtest.NewServer(t, o)
		ask, err := p.New(peers.Setting{URL: server.URL, Transport: server.Transport(), Tenth: true})
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for worker := range workers {
			group.Go(func() {
				for time.Now().Before(o.over.Add(after)) {
					began := time.Now()
					err := ask(context.Background())
					o.mu.Lock()
					calls = append(calls, call{worker, began, time.Now(), err != nil})
					o.mu.Unlock()
					time.Sleep(between)
				}
			})
		}
		group.Wait()
		synctest.Wait()
	})
	return o, calls
}

// during counts the calls that were made while the host was down.
func (o *outage) during(calls []call) (n int) {
	for _, c := range calls {
		if !c.began.Before(o.begins) && c.began.Before(o.over) {
			n++
		}
	}
	return n
}

// failedSince counts the calls that were made after this and failed.
func failedSince(calls []call, since time.Time) (n int) {
	for _, c := range calls {
		if c.failed && c.began.After(since) {
			n++
		}
	}
	return n
}

// back is how long after the outage nine workers of ten had a good answer.
func (o *outage) back(calls []call) time.Duration {
	first := make([]time.Duration, workers)
	for i := range first {
		first[i] = after // at the soonest
	}
	for _, c := range calls {
		if !c.failed && c.ended.After(o.over) {
			first[c.worker] = min(first[c.worker], c.ended.Sub(o.over))
		}
	}
	slices.Sort(first)
	return first[workers*9/10-1]
}

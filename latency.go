package aplomb

import (
	"sync"
	"time"
)

// Bounds of what is remembered of one operation at one host. Twenty answers
// are the fewest of which a twentieth can be told.
const (
	latencyRing    = 64
	latencyEnough  = 20
	latencyPercent = 95
)

// A latencyKey is an operation at a host: a search and a ping of the same
// server have nothing in common.
type latencyKey struct {
	to        origin
	operation string
}

// latency remembers how long the latest good answers took. It is written on
// every good answer of a default client, so it only stores; the sorting is for
// whoever asks.
type latency struct {
	mu     sync.Mutex
	recent [latencyRing]time.Duration
	n      int // answers recorded, those overwritten included
}

func newLatencies() *keyed[latencyKey, *latency] {
	return newKeyed(maxKeys, func(latencyKey) *latency { return &latency{} })
}

func (l *latency) record(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent[l.n%latencyRing] = took
	l.n++
}

// p95 is the time within which 19 of 20 of the latest good answers came; false
// while too few are known.
func (l *latency) p95() (time.Duration, bool) {
	l.mu.Lock()
	recent, n := l.recent, min(l.n, latencyRing)
	l.mu.Unlock()
	if n < latencyEnough {
		return 0, false
	}
	var found time.Duration
	for range n - (n*latencyPercent+99)/100 + 1 { // the second to fourth longest: no sort is needed, which would add 8 KB to each program
		longest := 0
		for i := range n {
			if recent[i] > recent[longest] {
				longest = i
			}
		}
		found, recent[longest] = recent[longest], -1
	}
	return found, true
}

// latency is what is remembered of the call's operation at a host.
func (s *stack) latency(to origin, operation string) *latency {
	return s.latencies.get(latencyKey{to, operation})
}

// remember records a good answer, for whom it is of use. One that a hedge
// brought counts from the first attempt: counted from its own start it would
// take the slow answers out of the picture, and the p95 would sink with each.
func (s *stack) remember(a *Attempt) {
	if a.Verdict.Outcome != OutcomeOK || s.breakers == nil && s.bulkheads == nil && a.call.hedge == nil {
		return
	}
	took := a.elapsed
	if a.hedge {
		took += a.start.Sub(a.behind)
	}
	s.latency(originOf(a.Request.URL), a.Operation).record(took)
}

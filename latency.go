package aplomb

import (
	"sync/atomic"
	"time"
)

// Bounds of what is remembered of one operation at one host. Twenty answers
// are the fewest of which a twentieth can be told.
const (
	latencyRing    = 64
	latencyEnough  = 20
	latencyPercent = 95
)

// latency remembers how long the latest good answers took. It is written on
// every good answer of a default client, so it only stores, without a lock; the sorting
// is for whoever asks.
type latency struct {
	recent [latencyRing]atomic.Int64
	n      atomic.Int64 // answers recorded, those overwritten included
}

func newLatencies() *keyed[*latency] {
	return newKeyed(maxKeys, func(string) *latency { return &latency{} })
}

func (l *latency) record(took time.Duration) {
	l.recent[(l.n.Add(1)-1)%latencyRing].Store(int64(took))
}

// p95 is the time within which 19 of 20 of the latest good answers came; false
// while too few are known.
func (l *latency) p95() (time.Duration, bool) {
	n := int(min(l.n.Load(), latencyRing))
	if n < latencyEnough {
		return 0, false
	}
	var recent [latencyRing]int64
	for i := range recent[:n] {
		recent[i] = l.recent[i].Load()
	}
	var found int64
	// It is the second to fourth longest: no sort is needed, which every program would have.
	for range n - (n*latencyPercent+99)/100 + 1 {
		longest := 0
		for i := range n {
			if recent[i] > recent[longest] {
				longest = i
			}
		}
		found, recent[longest] = recent[longest], -1
	}
	return time.Duration(found), true
}

// latency is what is remembered of an operation at a host: a search and a ping of the
// same server have nothing in common.
func (s *stack) latency(to origin, operation string) *latency {
	return s.latencies.at(stateKey{to, operation})
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
	s.latency(a.origin(), a.Operation).record(took)
}

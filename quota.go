package aplomb

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
)

// quota is what was learned of one key from answers: a gate for each quota
// that the server names, and which operations fall under which.
type quota struct {
	headroom float64

	mu     sync.Mutex
	gates  map[string]*gate   // by the server's name; "" for a quota without one
	belong map[string][]*gate // operation to the named gates it was seen to pass; replaced, never changed
}

// Bounds of what one key can learn (law 7).
const (
	maxGates      = 32
	maxOperations = 1024
)

func newQuota(headroom float64) *quota {
	return &quota{headroom: headroom, gates: map[string]*gate{}, belong: map[string][]*gate{}}
}

// slot is a place in the schedule of every gate that concerns an operation.
type slot struct {
	at     time.Time
	common *gate // of the quota without a name, nil if there is none
	named  []*gate
	held   bool
}

// each calls f with every gate of the slot until f returns false.
func (s *slot) each(f func(*gate) bool) {
	if s.common != nil && !f(s.common) {
		return
	}
	for _, g := range s.named {
		if !f(g) {
			return
		}
	}
}

// wait takes a slot and sleeps until it comes. A gate that closed meanwhile
// sends the attempt back for another slot: no request enters a closed window.
func (q *quota) wait(a *Attempt, latest time.Time) error {
	for {
		q.mu.Lock()
		now := time.Now()
		s, why := q.take(a.Operation, now, latest)
		q.mu.Unlock()
		if why != "" {
			return limitRefusal(why, now, s.at, latest)
		}
		a.slot = s
		if !s.at.After(now) {
			return nil
		}
		if err := a.call.sleep(a.ctx, WaitQuota, s.at.Sub(now)); err != nil {
			q.release(a)
			return err
		}
		if !q.closedSince(s) {
			return nil
		}
		q.release(a)
	}
}

// admitNow takes a slot if one may be used at once.
func (q *quota) admitNow(a *Attempt, latest time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var why string
	if a.slot, why = q.take(a.Operation, now, latest); why == "" && !a.slot.at.After(now) {
		return true
	}
	q.settle(a, true)
	return false
}

// take finds the first moment that every gate concerned allows, and books it;
// else it names the gate that does not. q.mu is held.
func (q *quota) take(operation string, now, latest time.Time) (s slot, refusing string) {
	s = slot{at: now, common: q.gates[""], named: q.belong[operation]}
	s.each(func(g *gate) bool {
		if s.at = later(s.at, g.reserve(now, latest, q.headroom)); s.at.After(latest) {
			refusing = g.String()
		}
		return refusing == ""
	})
	if refusing == "" {
		s.each(func(g *gate) bool { g.book(s.at); return true })
		s.held = true
	}
	return s, refusing
}

func (q *quota) closedSince(s slot) (closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.each(func(g *gate) bool {
		closed = g.closed(s.at)
		return !closed
	})
	return closed
}

// release undoes a booking whose request was not sent. Nil holds nothing.
func (q *quota) release(a *Attempt) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settle(a, true)
}

// settle ends a booking. q.mu is held.
func (q *quota) settle(a *Attempt, unsent bool) {
	if !a.slot.held {
		return
	}
	a.slot.held = false
	a.slot.each(func(g *gate) bool { g.settle(a.slot.at, unsent); return true })
}

// observe reads an answer: what the server says of its quotas, and a 429.
func (q *quota) observe(a *Attempt) {
	if q == nil {
		return
	}
	for _, e := range q.absorb(a, time.Now()) {
		a.call.stack.watch.quota(a.ctx, e)
	}
}

func (q *quota) absorb(a *Attempt, now time.Time) []QuotaEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settle(a, a.wire.Load() == nil && a.Response == nil)
	if a.Response == nil {
		return nil
	}
	stated := header.Limits(a.Response.Header, now)
	if len(stated) == 0 && !closes(a) && len(q.gates) == 0 {
		return nil
	}
	return q.learn(a, stated, now)
}

// learn updates the gates. q.mu is held.
func (q *quota) learn(a *Attempt, stated []header.Limit, now time.Time) []QuotaEvent {
	var events []QuotaEvent
	// A 401 says nothing of the quota although some servers put numbers on it.
	if a.Response.StatusCode != http.StatusUnauthorized {
		for _, l := range stated {
			if g := q.gate(l.Name); g != nil {
				g.state(l, now)
				q.remember(a.Operation, g)
				events = append(events, g.event(a, now))
			}
		}
	}
	if closes(a) {
		g := q.throttled(a, stated)
		g.throttled(a.start, now, a.Verdict.Wait)
		return append(events, g.event(a, now))
	}
	if a.Verdict.Outcome == OutcomeOK {
		s := slot{common: q.gates[""], named: q.belong[a.Operation]}
		s.each(func(g *gate) bool { g.succeeded(now); return true })
	}
	return events
}

// remember puts the operation under a named gate.
func (q *quota) remember(operation string, g *gate) {
	known := q.belong[operation]
	if g.name == "" || slices.Contains(known, g) || known == nil && len(q.belong) >= maxOperations {
		return
	}
	q.belong[operation] = append(slices.Clone(known), g)
}

// throttled is the gate that a 429 is for: the stated quota that is used up, or
// the only one the operation falls under, or the one without a name.
func (q *quota) throttled(a *Attempt, stated []header.Limit) *gate {
	for _, l := range stated {
		if g := q.gates[l.Name]; g != nil && (l.Remaining == 0 || len(stated) == 1) {
			return g
		}
	}
	if known := q.belong[a.Operation]; len(known) == 1 {
		return known[0]
	}
	return q.gate("")
}

// closes reports an answer that closes the gate: a throttle, and a 503 that
// says how long the service will be away (RFC 9110, section 10.2.3).
func closes(a *Attempt) bool {
	return a.Verdict.Outcome == OutcomeThrottled || a.Response.StatusCode == http.StatusServiceUnavailable && a.Verdict.Wait > 0
}

// gate returns the named gate, making it while there is room; there is always
// room for the one without a name.
func (q *quota) gate(name string) *gate {
	g := q.gates[name]
	if g == nil && (name == "" || len(q.gates) < maxGates) {
		g = &gate{name: name, remaining: -1}
		q.gates[name] = g
	}
	return g
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

package aplomb

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
)

// quota is what was learned of one key from answers: a gate for each quota
// that the server names, and which operations fall under which; and the queue
// of those who wait for them.
type quota struct {
	queue
	random func() float64
	prior  pace // what a gate knows of its pace to begin with

	common *gate              // the quota without a name
	gates  map[string]*gate   // by the server's name
	belong map[string][]*gate // operation to the named gates it was seen to pass; replaced, never changed
}

// Bounds of what one key can learn (law 7).
const (
	maxGates      = 32
	maxOperations = 1024
)

func newQuota(cfg RateLimit, random func() float64) *quota {
	q := &quota{queue: queue{headroom: cfg.Headroom}, random: random, gates: map[string]*gate{}, belong: map[string][]*gate{}}
	if cfg.PerSecond > 0 {
		q.prior = pace{burst: float64(cfg.Burst), told: cfg.PerSecond}
	}
	q.common = q.newGate("")
	return q
}

func (q *quota) newGate(name string) *gate { return &gate{name: name, pace: q.prior} }

// route is the gates that the attempt's operation falls under, and its told rate.
func (q *quota) route(a *Attempt) route { return route{q.common, q.belong[a.Operation], a.told} }

// wait holds the attempt until its gates and its told rate let it pass. A gate that
// closes in the moment of passing sends it back: no request enters a closed window.
func (q *quota) wait(a *Attempt, latest time.Time) error {
	for {
		q.mu.Lock()
		now := a.at
		s, w, at, err := q.enter(q.route(a), now, latest)
		cause := w.cause()
		q.mu.Unlock()
		if a.slot = s; w == nil {
			return err
		}
		if err := q.hold(a, w, cause, at.Sub(now)); err != nil {
			return err
		}
		if q.open(a) {
			return nil
		}
	}
}

// hold waits as w for cause, which is expected to take so long. Who does not pass leaves
// the queue, also where a hook died.
func (q *quota) hold(a *Attempt, w *waiter, cause WaitCause, expected time.Duration) error {
	passed := false
	defer func() {
		if !passed {
			q.abandon(w)
		}
	}()
	var over <-chan time.Time
	if until, bounded := a.ctx.Deadline(); !bounded || w.latest.Before(until) {
		timer := time.NewTimer(time.Until(w.latest))
		defer timer.Stop()
		over = timer.C
	}
	err := a.call.await(a.ctx, cause, expected, w.passed, over)
	a.at = time.Now()
	if errors.Is(err, errPatience) {
		return q.overdue(w)
	}
	if err != nil {
		return err
	}
	a.slot, passed = w.slot, true
	return nil
}

// admitNow lets the attempt pass if it may do so at once.
func (q *quota) admitNow(a *Attempt) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r, now := q.route(a), a.at
	if at, _ := q.estimate(r, now); at.After(now) || r.told.take(&q.turn, now).After(now) {
		return false
	}
	a.slot = r.book(now)
	return true
}

// open reports that the gates are open still, those included that the operation
// was seen to pass only meanwhile, and gives the booking back if they are not.
func (q *quota) open(a *Attempt) bool {
	q.mu.Lock()
	now := time.Now()
	closed := q.route(a).closed(now)
	if closed {
		a.slot.settle(true)
		q.pump(now)
	}
	q.mu.Unlock()
	return !closed
}

// release undoes a booking whose request was not sent. Nil holds nothing.
func (q *quota) release(a *Attempt) {
	if q == nil {
		return
	}
	q.mu.Lock()
	a.slot.settle(true)
	q.pump(time.Now())
	q.mu.Unlock()
}

// observe reads an answer: what the server says of its quotas, and a 429.
func (q *quota) observe(a *Attempt, now time.Time) {
	if q == nil {
		return
	}
	events := q.absorb(a, now)
	a.call.stack.fleet.announce(q, a, events)
	for i := range events {
		a.call.stack.watch.quota(a.ctx, events[i])
	}
}

func (q *quota) absorb(a *Attempt, now time.Time) (events []QuotaEvent) {
	var stated []header.Limit
	if a.Response != nil {
		stated = header.Limits(a.Response.Header, now) // before the lock, which others wait for
	}
	q.mu.Lock()
	a.slot.settle(a.wire.Load() == nil && a.Response == nil || a.provablyUnsent())
	if a.Response != nil {
		a.told.answered(a.start, now)
		events = q.learn(a, stated, now)
	}
	q.pump(now)
	q.mu.Unlock()
	return events
}

// learn updates the gates. q.mu is held.
func (q *quota) learn(a *Attempt, stated []header.Limit, now time.Time) (events []QuotaEvent) {
	refused := closes(a)
	var touched []*gate
	// A 401 says nothing of the quota although some servers put numbers on it.
	if a.Response.StatusCode != http.StatusUnauthorized {
		for i, l := range stated {
			if eclipsed(stated, i) {
				continue
			}
			if g := q.gate(l.Name); g != nil {
				spent := l.Remaining == 0 && a.Response.StatusCode == http.StatusForbidden // GitHub's refusal
				if spent && !refused {
					g.mirror.refused()
					g.mirror.reopen()
				}
				g.state(l, a.slot.seq(g), refused || spent, now, q.random())
				q.remember(a.Operation, g)
				touched = append(touched, g)
			}
		}
	}
	if a.slot.route.common != nil && !refused {
		a.slot.route.each(func(g *gate) bool {
			if !g.spokenOf(stated) {
				g.spare()
			}
			return true
		})
	}
	r := q.route(a)
	switch {
	case refused:
		g := q.throttled(a, stated)
		g.throttled(a.start, now, a.Verdict.Wait, q.random())
		touched = append(slices.DeleteFunc(touched, func(t *gate) bool { return t == g }), g) // last, as the fleet expects
	case a.Verdict.Outcome == OutcomeOK:
		r.each(func(g *gate) bool { g.succeeded(a.start, now, a.elapsed); return true })
	}
	if refused || len(touched) > 0 && r.closed(now) {
		q.sweep(now)
	}
	for _, g := range touched {
		events = append(events, g.event(a, now, q.headroom))
	}
	return events
}

// eclipsed reports a quota that shares its name with another of the answer, of
// which less is left, or that is used up for longer: one gate keeps to that.
func eclipsed(stated []header.Limit, i int) bool {
	l := stated[i]
	for j, other := range stated {
		if j == i || other.Name != l.Name || other.Remaining < 0 {
			continue
		}
		switch {
		case l.Remaining < 0 || other.Remaining < l.Remaining:
			return true
		case other.Remaining > l.Remaining:
		case other.Reset > l.Reset || other.Reset == l.Reset && j < i:
			return true
		}
	}
	return false
}

// remember puts the operation under a named gate.
func (q *quota) remember(operation string, g *gate) {
	known := q.belong[operation]
	if g == q.common || slices.Contains(known, g) || known == nil && len(q.belong) >= maxOperations {
		return
	}
	q.belong[operation] = append(slices.Clone(known), g)
}

// throttled is the gate that a 429 is for: the stated quota that is used up, or
// the only one the operation falls under, or the one without a name.
func (q *quota) throttled(a *Attempt, stated []header.Limit) *gate {
	for _, l := range stated {
		if g := q.gate(l.Name); g != nil && (l.Remaining == 0 || len(stated) == 1) {
			return g
		}
	}
	if known := q.belong[a.Operation]; len(known) == 1 {
		return known[0]
	}
	return q.common
}

// closes reports an answer that closes the gate: a throttle, and a 503 that
// says how long the service will be away (RFC 9110, section 10.2.3).
func closes(a *Attempt) bool {
	return a.Verdict.Outcome == OutcomeThrottled || a.Response.StatusCode == http.StatusServiceUnavailable && a.Verdict.Wait > 0
}

// gate returns the named gate, making it while there is room; there is always
// room for the one without a name.
func (q *quota) gate(name string) *gate {
	if name == "" {
		return q.common
	}
	g := q.gates[name]
	if g == nil && len(q.gates) < maxGates {
		g = q.newGate(name)
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

package aplomb

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// How limits use a fleet. The gates of this replica come first, since a place
// taken in the store cannot be given back; then a place in the schedule of all.

const (
	// So many go at once by a rate that the server states, not the quota's size:
	// what a server takes at once it does not say, and what is let through at
	// once adds to what bunches up on the way. Not one, though: a place that no
	// replica takes in time would be lost.
	statedBurst = 2
	// A stated rate holds for so long after it was last stated.
	statedFor = time.Minute
	// A bucket that was seen to fill so much faster than stated stated its size.
	statedSize = 1.25
)

// waitShared is wait for the replicas of a fleet.
func (l *limits) waitShared(a *Attempt, f *fleet) error {
	key, latest := l.key(a), l.latest(a)
	q := l.quotas.get(l.quotaKey(a, key))
	a.quota, a.shared = q, l.sharedKey(a, key, f)
	for {
		q.hear(a, f)
		if err := q.wait(a, latest); err != nil {
			return err
		}
		passed, away, err := l.place(a, f, key, latest)
		if passed {
			return nil
		}
		q.release(a)
		switch {
		case err != nil:
			return err
		case away && l.told != nil:
			if err := l.told.get(key).wait(a, latest); err != nil {
				return err
			}
			return q.wait(a, latest)
		}
	}
}

// place takes a place in the fleet's schedule and waits for it. An attempt that
// has not passed goes through its own gates again: one has closed meanwhile, or
// the store is away.
func (l *limits) place(a *Attempt, f *fleet, key string, latest time.Time) (passed, away bool, err error) {
	at, claim, cause := l.claim(a, key, latest)
	wait, ok := f.take(a.ctx, at, claim)
	now := time.Now()
	ready := now.Add(wait)
	switch {
	case a.ctx.Err() != nil:
		return false, false, &refusal{why: "ended before it was sent", err: context.Cause(a.ctx)}
	case !ok:
		return l.told == nil && a.quota.confirm(a, f), true, nil
	case ready.After(latest):
		return false, false, limitRefusal(l.sharedName(), now, ready, latest)
	case claim.PerSecond == 0 && wait > f.guard.timeout && f.inquire(a.ctx, at) > 0:
		return false, false, nil // a closing, after which nothing paces but the gates
	case wait > 0:
		a.quota.park(a)
		if err := a.call.sleep(a.ctx, cause, time.Until(ready)); err != nil {
			return false, false, err
		}
	}
	if passed = a.quota.confirm(a, f); passed && l.told != nil {
		l.told.get(key).book()
	}
	return passed, false, nil
}

// claim is what the attempt claims of the fleet, and where. A told rate is the
// same for every credential, so its schedule is too.
func (l *limits) claim(a *Attempt, key string, latest time.Time) (at string, claim Claim, cause WaitCause) {
	now := time.Now()
	if l.told != nil {
		at, cause = "quota "+key, WaitLimiter
		claim = Claim{PerSecond: l.cfg.PerSecond, Burst: l.cfg.Burst}
	} else {
		var name string
		name, claim = a.quota.claim(a, now)
		at, cause = a.sharedGate(name), WaitQuota
	}
	claim.MaxWait = max(0, latest.Sub(now))
	return at, claim, cause
}

func (l *limits) sharedName() string {
	if l.told == nil {
		return "the server's rate limit, shared with other replicas,"
	}
	return "the rate limit of " + strconv.FormatFloat(l.cfg.PerSecond, 'g', 4, 64) + " per second, shared with other replicas,"
}

// sharedKey is quotaKey for a store: the same in every replica. Of a credential
// the store is shown 96 bits of a hash, with the prefix in it so that services
// cannot be compared.
func (l *limits) sharedKey(a *Attempt, key string, f *fleet) string {
	scheme, secret, own := l.credential(a)
	if !own {
		return "quota " + key
	}
	mac := hmac.New(sha256.New, []byte("aplomb quota "+f.prefix))
	mac.Write([]byte(strings.ToLower(scheme) + " " + secret))
	return "quota " + key + " " + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// sharedGate is what the fleet knows a gate by. Each has a key of its own: what
// closes the server's quota for searches leaves the others open.
func (a *Attempt) sharedGate(name string) string {
	if name == "" {
		return a.shared
	}
	return a.shared + " " + name
}

// book takes a token if there is one. While the store keeps the rate the
// limiter only follows, so that an outage does not begin with a fresh burst.
func (p *told) book() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limiter.AllowN(time.Now(), 1)
}

// claim is the gate by which the replicas take their places, and a claim of the
// rate that the server states for it. What is measured here is never claimed:
// it is this replica's share of the quota, not the whole.
func (q *quota) claim(a *Attempt, now time.Time) (name string, claim Claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	claim = Claim{Burst: statedBurst, Learned: true}
	r := a.slot.route
	if len(r.named) == 1 {
		name = r.named[0].name
	}
	r.each(func(g *gate) bool {
		if rate := g.numbers.statedRate(now); rate > 0 && (claim.PerSecond == 0 || rate < claim.PerSecond) {
			name, claim.PerSecond = g.name, rate
		}
		return true
	})
	return name, claim
}

// hear closes the gates that other replicas closed.
func (q *quota) hear(a *Attempt, f *fleet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	heard := false
	q.route(a).each(func(g *gate) bool {
		if left := f.closed(a.sharedGate(g.name)); left > 0 && g.hear(now, left, q.random()) {
			heard = true
		}
		return true
	})
	if heard {
		q.sweep(now)
		q.pump(now)
	}
}

// hear closes the gate for others' sake, and reports that it was not closed for
// so long already. It says nothing of this replica's own pace.
func (g *gate) hear(now time.Time, left time.Duration, random float64) bool {
	if !now.Add(left).After(g.closedUntil) {
		return false
	}
	g.closedUntil = now.Add(spread(left, random))
	g.numbers.reopen()
	g.pace.look()
	return true
}

// tell closes for all replicas what this answer closed here.
func (q *quota) tell(a *Attempt, f *fleet, events []QuotaEvent) {
	now := time.Now()
	refused := a.Response != nil && closes(a)
	for i, e := range events {
		until := q.usedUpUntil(e.Name, now)
		if refused && i == len(events)-1 { // learn tells of the refusal last
			until = later(until, e.ClosedUntil)
		}
		f.close(a.sharedGate(e.Name), until.Sub(now))
	}
}

func (q *quota) usedUpUntil(name string, now time.Time) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gate(name).numbers.usedUpUntil(now)
}

// park gives the booking back for as long as the attempt waits for its place
// among the replicas: it is not under way, and takes nothing from the mirror of
// the server's numbers.
func (q *quota) park(a *Attempt) { q.release(a) }

// confirm reports that no gate has closed meanwhile, here or elsewhere, and books
// a parked attempt again. It passed the gates' pace before, and leaves that as
// it is.
func (q *quota) confirm(a *Attempt, f *fleet) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, r, open := time.Now(), a.slot.route, true
	r.each(func(g *gate) bool {
		open = !g.closed(now) && f.closed(a.sharedGate(g.name)) == 0
		return open
	})
	if open && !a.slot.held {
		a.slot = r.count()
	}
	return open
}

package aplomb

import (
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
	// A bucket that is seen to fill so much faster named its size, not a rate.
	statedSize = 1.25
	// For so long after a place at the stated rate the fleet's schedule decides,
	// and this replica's mirror of the numbers does not.
	keptFor = time.Second
	// A closing so short is left to the replicas' own mirrors where they have one.
	mirroredFor = shortWindow + reopenJitter
	// A closing that ends so soon after the gate's own is that one, heard again:
	// it was under way to the store, and back.
	heardSlack = 50 * time.Millisecond
)

// wait is limits.wait for the replicas of a fleet. An attempt takes one place; it
// takes another only where the gates closed while it waited for that one, which
// is lost then: what had waited would come back as a burst.
func (f *fleet) wait(l *limits, a *Attempt) error {
	key, latest := l.key(a), l.latest(a)
	q := l.join(a, f, key)
	for {
		if err := q.wait(a, latest); err != nil {
			return err
		}
		if a.told == nil {
			if err := l.place(a, f, key, latest); err != nil {
				q.release(a)
				return err
			}
			if a.told != nil { // the store is away
				q.release(a)
				continue
			}
		}
		if q.hear(a, f); q.open(a) {
			return nil
		}
	}
}

// admitNow is limits.admitNow for the replicas of a fleet. What may not wait waits
// for the store, and no longer than that for its place.
func (f *fleet) admitNow(l *limits, a *Attempt) bool {
	key := l.key(a)
	q := l.join(a, f, key)
	if !q.admitNow(a) || l.place(a, f, key, time.Now().Add(f.guard.timeout)) != nil {
		return false
	}
	if a.told != nil {
		q.release(a)
		if !q.admitNow(a) {
			return false
		}
	}
	q.hear(a, f)
	return q.open(a)
}

// join finds the attempt's quota, here and in the store, and hears what others
// know of it.
func (l *limits) join(a *Attempt, f *fleet, key string) *quota {
	a.quota, a.shared = l.quotas.get(l.quotaKey(a, key)), l.sharedKey(a, key, f)
	a.quota.hear(a, f)
	return a.quota
}

// place takes a place in the fleet's schedule and waits for it. A told rate is
// kept by the store while it answers; while it does not there is no place, but the
// attempt is to keep to the rate by itself.
func (l *limits) place(a *Attempt, f *fleet, key string, latest time.Time) error {
	at, claim, cause := l.claim(a, key, latest)
	wait, ok := f.take(a.ctx, at, claim)
	now := time.Now()
	a.at = now
	a.quota.keep(a, ok && claim.Learned, now.Add(wait+keptFor))
	switch ready := now.Add(wait); {
	case a.ctx.Err() != nil:
		return endedUnsent(a.ctx)
	case !ok && l.told != nil:
		a.told = l.told.get(key)
		return nil
	case claim.PerSecond == 0: // a closing, for the gates to obey
		f.learn(at, wait)
		return nil
	case wait > 0 && ready.After(latest):
		return limitRefusal(l.sharedName(), now, ready, latest)
	case wait > 0:
		if err := a.call.sleep(a.ctx, cause, wait); err != nil {
			return err
		}
		a.at = time.Now()
	}
	if l.told != nil {
		l.told.get(key).follow(time.Now())
	}
	return nil
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

// claim is the gate by which the replicas take their places, and a claim of the
// rate that the server states for it. What is measured here is never claimed:
// it is this replica's share of the quota, not the whole.
func (q *quota) claim(a *Attempt, now time.Time) (name string, claim Claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := a.slot.route
	if len(r.named) == 1 {
		name = r.named[0].name
	}
	r.each(func(g *gate) bool {
		if rate := g.mirror.statedRate(now); rate > 0 && (claim.PerSecond == 0 || rate < claim.PerSecond) {
			name, claim = g.name, Claim{PerSecond: rate, Burst: statedBurst, Learned: true}
		}
		return true
	})
	return name, claim
}

// keep notes whether the fleet's schedule keeps the attempt's stated rate.
func (q *quota) keep(a *Attempt, kept bool, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a.slot.route.each(func(g *gate) bool {
		switch {
		case !kept:
			g.kept = time.Time{}
		case g.mirror.statedRate(until) > 0:
			g.kept = later(g.kept, until)
		}
		return true
	})
}

// hear closes the gates that other replicas closed.
func (q *quota) hear(a *Attempt, f *fleet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, heard := time.Now(), false
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

// hear closes the gate after another replica's refusal, and reports that it was
// not closed for so long already. All are refused together: what this one sent
// until then is its share of what was too much.
func (g *gate) hear(now time.Time, left time.Duration, random float64) bool {
	until := now.Add(left)
	if !until.After(g.opens(now)) || until.Sub(g.closedUntil) < heardSlack {
		return false
	}
	g.throttled(now, now, left, random)
	return true
}

// announce closes for all replicas what this answer closed here.
func (f *fleet) announce(q *quota, a *Attempt, events []QuotaEvent) {
	now := time.Now()
	refused := a.Response != nil && closes(a)
	for i := range events {
		e := &events[i]
		// learn tells of the refusal last.
		if left := q.closing(e, refused && i == len(events)-1, now); left > 0 {
			f.close(a.sharedGate(e.Name), left)
		}
	}
}

// closing is how long e closes its gate for all replicas. A short one does so
// only where nobody else would see it: a replica that is told in each answer
// what is left mirrors a bucket, and learns how fast it fills while it is open.
func (q *quota) closing(e *QuotaEvent, refused bool, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.gate(e.Name)
	if g == nil {
		return 0
	}
	until := g.mirror.usedUpUntil(now)
	if refused {
		until = later(until, e.ClosedUntil)
	}
	left := until.Sub(now)
	mirrored := g.mirror.known(now) && g.mirror.statedRate(now) == 0
	if left <= mirroredFor && (mirrored || !refused) {
		return 0
	}
	return left
}

package aplomb

import (
	"slices"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
)

// gate is one quota of a server. It is closed for a time after a 429; else it
// lets requests through at the pace that the server's numbers allow (mirror)
// or, where there are none, at the one that its refusals taught (pace). Its
// quota's lock guards it.
type gate struct {
	name string

	closedUntil time.Time
	closedAt    time.Time // when the last 429 was processed
	streak      int       // 429s in a row that named no time
	shut        bool      // nothing was let through since the last 429
	untold      bool      // the last 429 said itself that units are left: another quota refuses

	last      time.Time // when the latest request was let through
	sent      int64     // let through so far; the number of the latest
	void      int64     // of them, those that took nothing from the quota: unsent, or refused
	inFlight  int64
	kept      time.Time     // until when the fleet's schedule keeps its pace
	queued    int           // waiters for whom this gate decides
	round     int64         // of the queue's pump that last found it blocked
	roundTrip time.Duration // of late

	mirror mirror
	pace   pace
}

// Bounds of a closing.
const (
	// Without a time from the server a gate closes for closeBase, doubled with
	// each 429 in a row.
	closeBase = time.Second
	closeMax  = 20 * time.Second
	// Nothing a server says closes a gate for longer: its clock may be broken.
	longest = 24 * time.Hour
	// A reopening waits up to a twentieth longer, at most this.
	reopenJitter = time.Second
)

// padded is a wait with jitter added, so that the replicas of a service do not
// all come back at once; random is in [0, 1).
func padded(wait time.Duration, random float64) time.Duration {
	return wait + time.Duration(random*float64(min(wait/20, reopenJitter)))
}

func (g *gate) String() string {
	if g.name == "" {
		return "the server's rate limit"
	}
	return "the server's rate limit " + g.name
}

// opens is when something may pass at the earliest, pacing apart.
func (g *gate) opens(now time.Time) time.Time {
	if now.Before(g.kept) {
		return later(now, g.closedUntil)
	}
	return later(later(now, g.closedUntil), g.mirror.usedUpUntil(now))
}

// next is when the next request may pass.
func (g *gate) next(now time.Time, headroom float64) time.Time {
	at := g.opens(now)
	if at.Before(g.kept) {
		return at
	}
	if g.mirror.known(at) {
		if at = g.mirror.next(at, g.last, headroom, g.roundTrip); !g.untold {
			return at
		}
	}
	if interval := g.pace.interval(at); interval > 0 && !g.shut {
		at = later(at, g.last.Add(interval))
	}
	return at
}

// expected is the time between two requests that those who queue may count on; 0
// is none.
func (g *gate) expected(now time.Time, headroom float64) time.Duration {
	at := g.opens(now)
	if at.Before(g.kept) {
		return 0
	}
	if !g.mirror.known(at) {
		return g.pace.expected(at)
	}
	interval := g.mirror.interval(at, headroom, g.roundTrip)
	if g.untold {
		interval = max(interval, g.pace.expected(at))
	}
	return interval
}

// credit reports that the server's own numbers leave room for a request now,
// whatever the pace says.
func (g *gate) credit(now time.Time) bool {
	return !g.untold && !g.opens(now).After(now) && g.mirror.known(now) && g.mirror.level(now) >= 1
}

// reopens reports that a request would be the first since the gate was closed.
func (g *gate) reopens(now time.Time) bool { return g.shut || g.mirror.spent(now) }

// book lets a request through and returns its number.
func (g *gate) book(now time.Time) int64 {
	if g.shut {
		g.shut = false
		g.pace.reopen(now)
		g.mirror.reopen()
	}
	if g.mirror.renew(now) {
		g.pace.look()
	}
	g.last = now
	g.sent++
	g.inFlight++
	g.mirror.take(g.inFlight)
	return g.sent
}

// settle ends a booking; one whose request was not sent gives its unit back.
func (g *gate) settle(unsent bool) {
	g.inFlight--
	if unsent {
		g.spare()
	}
}

// spare gives back the unit of a request that took none: it was not sent, or
// its answer does not speak of the quota, which others may be for. Counted all
// the same, those would use up numbers that none of their answers corrects.
func (g *gate) spare() {
	g.void++
	g.mirror.giveBack()
}

// spokenOf reports that an answer says what is left of the gate's quota.
func (g *gate) spokenOf(stated []header.Limit) bool {
	return slices.ContainsFunc(stated, func(l header.Limit) bool { return l.Name == g.name && l.Remaining >= 0 })
}

// closed reports that nothing may pass at that moment.
func (g *gate) closed(at time.Time) bool { return g.opens(at).After(at) }

// state takes the numbers of an answer to the request of that number, 0 for one
// that was sent before the gate was known.
func (g *gate) state(l header.Limit, number int64, refused bool, now time.Time, random float64) {
	if refused {
		g.void++
	}
	if l.Remaining == 0 && l.Reset > 0 {
		l.Reset = padded(min(l.Reset, longest), random)
	}
	g.mirror.state(l, number, g, now)
}

// throttled closes the gate after a 429 for a request sent at sentAt; random is
// in [0, 1).
func (g *gate) throttled(sentAt, now time.Time, asked time.Duration, random float64) {
	fresh := sentAt.After(g.closedAt) || g.closedAt.IsZero()
	switch {
	case asked > 0:
		asked = padded(min(asked, longest), random)
	case fresh:
		asked = time.Duration((0.5 + random/2) * float64(doubled(g.pace.pause(), g.streak, closeMax)))
		g.streak++
	default:
		return // it was under way when the gate closed
	}
	g.untold = g.mirror.at.Equal(now) && !g.mirror.empty
	g.closedUntil = later(g.closedUntil, now.Add(asked))
	g.closedAt = now
	if fresh && !g.shut {
		g.pace.refused(now, asked, g.closedUntil)
		g.mirror.refused()
	}
	g.shut = true
}

// succeeded takes a good answer.
func (g *gate) succeeded(sentAt, now time.Time, took time.Duration) {
	g.streak = 0
	if g.roundTrip == 0 {
		g.roundTrip = took
	}
	g.roundTrip += (took - g.roundTrip) / 8
	g.pace.accepted(sentAt, now)
}

func (g *gate) event(a *Attempt, now time.Time, headroom float64) QuotaEvent {
	e := QuotaEvent{Call: a.call.id, Operation: a.Operation, Name: g.name, Limit: g.mirror.limit, Remaining: -1, ClosedUntil: g.closedUntil}
	if g.mirror.known(now) {
		e.Remaining = int64(min(max(0, g.mirror.level(now)), 1<<62)) // no more fits once it was a float
	}
	if interval := g.expected(now, headroom); interval > 0 {
		e.PerSecond = 1 / interval.Seconds()
	}
	if g.mirror.stated && now.Before(g.mirror.resetAt) {
		e.ResetAt = g.mirror.resetAt
	}
	return e
}

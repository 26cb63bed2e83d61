package aplomb

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
)

// gate is one quota: closed until a moment, and spaced while it recovers or
// runs low. Its quota's lock guards it.
type gate struct {
	name string

	closedUntil time.Time
	closedAt    time.Time     // when the last 429 was processed
	streak      int           // 429s in a row that named no time
	last        time.Time     // the latest slot given out
	freed       []time.Time   // slots before it that were given back, in order
	interval    time.Duration // between slots while recovering from a 429; 0 means free

	limit     int64
	remaining int64 // by the server's word less what was sent since; -1 unknown
	empty     bool  // the server itself said that nothing is left
	resetAt   time.Time
	inFlight  int64

	successes   int // since rateFrom, to know the pace before a 429
	rateFrom    time.Time
	successRate float64 // per second
}

// After a 429 slots are given out at half the pace that had succeeded before,
// within these bounds; each success shortens the interval.
const (
	slowest    = time.Second
	quickest   = time.Millisecond
	unmeasured = 50 * time.Millisecond // where no pace is known
	speedUp    = 0.9
	// Without a time from the server, a gate closes for this, doubled with each 429 in a row.
	closeBase = time.Second
	closeMax  = 20 * time.Second
	// Nothing a server says closes a gate for longer: its clock may be broken.
	longest = 24 * time.Hour
)

func (g *gate) String() string {
	if g.name == "" {
		return "the server's rate limit"
	}
	return "the server's rate limit " + g.name
}

// opens is when the gate is passed at the earliest, pacing apart.
func (g *gate) opens(now time.Time) time.Time {
	g.forgetStale(now)
	at := later(now, g.closedUntil)
	if g.empty {
		at = later(at, g.resetAt)
	}
	return at
}

// forgetStale drops numbers of a window that is over, and paces the start of
// the next one where the last had been used up.
func (g *gate) forgetStale(now time.Time) {
	if g.remaining < 0 || now.Before(g.resetAt) {
		return
	}
	if g.empty && g.interval == 0 {
		g.interval = g.recovery()
	}
	g.remaining, g.empty = -1, false
}

// reserve is the slot that a request may have, at the gate's present pace. It
// is taken by book.
func (g *gate) reserve(now, latest time.Time, headroom float64) time.Time {
	opens := g.opens(now)
	at := opens
	if at.After(now) && g.interval == 0 {
		g.interval = g.recovery()
	}
	if g.interval > 0 && !g.last.IsZero() {
		at = later(at, g.last.Add(g.interval))
	}
	if paced := g.spread(now, headroom); paced.After(at) && !paced.After(latest) {
		at = paced // pacing never refuses what the quota still holds
	}
	i, _ := slices.BinarySearchFunc(g.freed, opens, time.Time.Compare)
	g.freed = slices.Delete(g.freed, 0, i) // too late to be of use
	if len(g.freed) > 0 && g.freed[0].Before(at) {
		at = g.freed[0]
	}
	return at
}

// spread is the next moment at which what is left lasts until the reset, once
// no more than the headroom is left.
func (g *gate) spread(now time.Time, headroom float64) time.Time {
	if g.remaining < 0 || g.empty || g.limit <= 0 || float64(g.remaining) > headroom*float64(g.limit) {
		return now
	}
	step := g.resetAt.Sub(now) / time.Duration(g.remaining+1)
	return later(now, later(g.last, now.Add(-step)).Add(step))
}

func (g *gate) book(at time.Time) {
	g.last = later(g.last, at)
	if i, found := slices.BinarySearchFunc(g.freed, at, time.Time.Compare); found {
		g.freed = slices.Delete(g.freed, i, i+1)
	}
	g.inFlight++
	if g.remaining > 0 {
		g.remaining--
	}
}

// settle ends a booking; one whose request was not sent gives its unit and its
// slot back, to the next that asks: no two are given the same.
func (g *gate) settle(at time.Time, unsent bool) {
	g.inFlight--
	if !unsent {
		return
	}
	if g.remaining >= 0 && !g.empty {
		g.remaining++
	}
	i, _ := slices.BinarySearchFunc(g.freed, at, time.Time.Compare)
	g.freed = slices.Insert(g.freed, i, at)
}

// closed reports that nothing may pass at that moment.
func (g *gate) closed(at time.Time) bool {
	return g.closedUntil.After(at) || g.empty && g.resetAt.After(at)
}

// state takes the server's numbers. With others under way answers arrive out
// of order, so within one window the lower number holds. A window whose reset
// keeps moving, a token bucket's, lasts no longer than it said at first.
func (g *gate) state(l header.Limit, now time.Time) {
	if l.Limit >= 0 {
		g.limit = l.Limit
	}
	if l.Remaining < 0 || l.Reset < 0 {
		return
	}
	g.forgetStale(now)
	resetAt := now.Add(min(l.Reset, longest))
	left := max(0, l.Remaining-g.inFlight)
	if sameWindow := g.remaining >= 0 && resetAt.Sub(g.resetAt).Abs() < 2*time.Second; sameWindow && g.inFlight > 0 {
		left = min(left, g.remaining)
		if resetAt.After(g.resetAt) {
			resetAt = g.resetAt
		}
	}
	g.remaining, g.resetAt, g.empty = left, resetAt, l.Remaining == 0
}

// throttled closes the gate after a 429 for a request sent at sentAt.
func (g *gate) throttled(sentAt, now time.Time, asked time.Duration) {
	fresh := sentAt.After(g.closedAt)
	switch {
	case asked > 0:
	case fresh:
		asked = time.Duration((0.5 + rand.Float64()/2) * float64(min(closeBase<<min(g.streak, 10), closeMax)))
		g.streak++
	default:
		return // it was under way when the gate closed
	}
	g.closedUntil = later(g.closedUntil, now.Add(min(asked, longest)))
	g.closedAt = now
	if fresh {
		g.interval = min(max(2*g.interval, g.recovery()), slowest)
	}
	g.successes, g.rateFrom = 0, now
	if fresh {
		g.last, g.freed = time.Time{}, nil
	}
	g.last = later(g.last, g.closedUntil.Add(-g.interval)) // so that the first slot is the reopening itself
}

// recovery is the interval to reopen with.
func (g *gate) recovery() time.Duration {
	if g.successRate <= 0 {
		return unmeasured
	}
	return min(max(time.Duration(2*float64(time.Second)/g.successRate), quickest), slowest)
}

// succeeded speeds a recovering gate up and measures the pace of a free one.
func (g *gate) succeeded(now time.Time) {
	g.streak = 0
	if g.interval > 0 {
		if g.interval = time.Duration(float64(g.interval) * speedUp); g.interval < quickest {
			g.interval = 0
		}
	}
	if g.rateFrom.IsZero() {
		g.rateFrom = now
	}
	g.successes++
	if since := now.Sub(g.rateFrom); since >= time.Second {
		g.successRate = float64(g.successes) / since.Seconds()
		g.successes, g.rateFrom = 0, now
	}
}

func (g *gate) event(a *Attempt, now time.Time) QuotaEvent {
	e := QuotaEvent{Operation: a.Operation, Name: g.name, Limit: g.limit, Remaining: g.remaining, ClosedUntil: g.closedUntil}
	if now.Before(g.resetAt) {
		e.ResetAt = g.resetAt
	}
	return e
}

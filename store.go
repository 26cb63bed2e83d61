package aplomb

import (
	"context"
	"math"
	"time"
)

// Store is what the replicas of a service share, so that together they keep to
// one rate and stop together when a server says so. [Fleet] puts one under a
// client. The package redis, a module of its own, has one for Redis;
// [NewMemoryStore] is for several clients in one process.
//
// What an implementation holds to (aplombtest.TestStore tests it):
//
//   - Every duration, given or returned, is counted by the store's own clock,
//     so that the replicas' clocks need not agree. Where that clock goes back,
//     no time has passed.
//   - Each method is one atomic step, safe for concurrent use.
//   - A key is any text. Keys do not touch each other.
//   - A method returns soon after its context is done. One that fails says so;
//     it guesses nothing.
//   - Memory is bounded: what no longer matters is forgotten.
//
// A store may lose everything, as a Redis without persistence does when it
// starts again: the schedule then begins anew. Nor does it take a slot back
// whose request was never sent.
type Store interface {
	// Take takes the next free place in key's schedule (the generic cell rate
	// algorithm, GCRA: claim.Burst at once, then one per interval), never before
	// a closing ends. It returns how long to wait before sending; a wait longer
	// than claim.MaxWait takes nothing, and is when to ask again at the earliest.
	//
	// From the end of a closing the places are one interval apart, the first at
	// the end itself: what had waited does not come back as a burst.
	Take(ctx context.Context, key string, claim Claim) (wait time.Duration, err error)
	// Close closes key for d for everyone; of two closings the later end holds.
	// A d that is not positive does nothing, and one above [MaxClosing] is
	// MaxClosing.
	Close(ctx context.Context, key string, d time.Duration) error
	// Closed is how much longer key is closed; 0 means open.
	Closed(ctx context.Context, key string) (time.Duration, error)
}

// Bounds that every [Store] keeps.
const (
	// MaxClosing is the longest that a key can be closed for at once.
	MaxClosing = 24 * time.Hour
	// LearnedFor is how long a learned rate holds after it was last claimed.
	LearnedFor = 10 * time.Second
)

// Claim says by which schedule a place is taken.
type Claim struct {
	// PerSecond is the rate. Zero: none, so that only closings hold and nothing
	// is taken; but see Learned.
	PerSecond float64
	// Burst is how many may go at once after a pause; below 1 it is 1.
	Burst int
	// Learned says that PerSecond was learned from the server, not told. Of the
	// rates that replicas learned the lowest holds for all, each for
	// [LearnedFor] after it was last claimed, also by a claim that took nothing.
	// A learned claim without a rate has learned none, and obeys the others'.
	Learned bool
	// MaxWait is the longest wait worth taking a place for. Zero: only a place
	// that is free now.
	MaxWait time.Duration
}

// slowestClaim bounds the interval of a claim: 100 years hold a few hundred of
// them, which a duration can still count.
const slowestClaim = 30 * 24 * time.Hour

// Interval is the time between two places at the claim's rate, 0 without one.
// It is rounded up to a microsecond, the unit that stores count in, and at most
// 30 days.
func (c Claim) Interval() time.Duration {
	if !(c.PerSecond > 0) { // so is NaN
		return 0
	}
	micros := math.Ceil(1e6 / c.PerSecond)
	return time.Duration(min(max(1, micros), float64(slowestClaim/time.Microsecond))) * time.Microsecond
}

// credit is how much unused time of the schedule a claim with this interval can
// have saved up: Burst intervals, bounded so that sums do not overflow.
func (c Claim) credit(interval time.Duration) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	return interval * time.Duration(max(1, min(int64(c.Burst), int64(most/interval))))
}

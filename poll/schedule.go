package poll

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Pace is how often to ask. What the server says goes before: the next request
// is sent after the longest of Floor, what Retry-After, X-Poll-Interval and the
// rest of the answer's Cache-Control max-age ask for, and, where the first two
// are absent, the pace of our own: Every at first and after each change, doubled
// with each further answer that brought nothing once there were three, up to Max.
// Up to a tenth is added by chance, so that those who began together do not stay
// together; nothing is ever taken away. The client's own rate limits and quota
// gates hold besides.
type Pace struct {
	// Every is the pace after a change. Default: 60 s for a [Feed], 2 s for [Wait].
	Every time.Duration
	// Max is the slowest pace of our own. Default: 15 min for a Feed, 30 s for
	// Wait, and never below Every.
	Max time.Duration
	// Floor is the fastest pace, whatever the server allows. Default 1 s.
	Floor time.Duration
	// MaxHint is as long as a server can make us wait: Azure, for one, asks for
	// 45 minutes at times. Default 15 min, and never below Max.
	MaxHint time.Duration
}

// patience is after how many answers without news the pace slows down.
const patience = 3

func (p Pace) check() error {
	for name, d := range map[string]time.Duration{"Every": p.Every, "Max": p.Max, "Floor": p.Floor, "MaxHint": p.MaxHint} {
		if d < 0 || d > 0 && d < time.Microsecond {
			return fmt.Errorf("poll: Pace.%s: %v is no time to wait: did you mean %d*time.Second?", name, d, max(d, -d))
		}
	}
	if p.Max > 0 && p.Max < p.Every {
		return errors.New("poll: Pace.Max is shorter than Every: leave one of them out")
	}
	return nil
}

func (p Pace) or(every, most time.Duration) Pace {
	p.Every = cmp.Or(p.Every, every)
	p.Max = max(cmp.Or(p.Max, most), p.Every)
	p.Floor = cmp.Or(p.Floor, time.Second)
	p.MaxHint = max(cmp.Or(p.MaxHint, 15*time.Minute), p.Max)
	return p
}

// Why is what decided when the next request is sent.
type Why string

// The reasons.
const (
	// Changed: our own pace, at its fastest.
	Changed Why = "changed"
	// Idle: our own pace, slowed down as there was no news of late.
	Idle Why = "idle"
	// Hinted: the server asked for it.
	Hinted Why = "hinted"
	// Floored: Pace.Floor.
	Floored Why = "floored"
	// Capped: the server asked for more than Pace.MaxHint.
	Capped Why = "capped"
	// Webhooks: they bring the news, so that the pace is ours although the server
	// would have a faster one.
	Webhooks Why = "webhooks"
	// Failed: a backoff after a failure.
	Failed Why = "failed"
	// More: there was more to read than a round may, and the next goes on with it
	// after Pace.Floor.
	More Why = "more"
)

// schedule decides when to ask next. It is not safe for concurrent use.
type schedule struct {
	Pace
	random   func() float64 // in [0, 1)
	interval time.Duration  // our own pace
	idle     int            // answers without news in a row
	failures int            // in a row
}

func newSchedule(p Pace) *schedule {
	return &schedule{Pace: p, random: rand.Float64, interval: p.Every}
}

// phase is how long the first request waits: a part of the pace that differs
// from replica to replica.
func (s *schedule) phase() time.Duration {
	return time.Duration(s.random() * float64(s.Every) / 10)
}

// changed brings the pace back to its fastest.
func (s *schedule) changed() { s.idle, s.failures, s.interval = 0, 0, s.Every }

// unchanged slows the pace down, with time.
func (s *schedule) unchanged() {
	s.failures = 0
	if s.idle++; s.idle > patience {
		s.interval = min(2*s.interval, s.Max)
	}
}

// next is how long to wait after an answer, and earliest how long at least,
// whatever happens meanwhile. relaxed says that our own pace counts even if the
// server has a faster one.
func (s *schedule) next(h hint, relaxed bool) (wait, earliest time.Duration, why Why) {
	earliest, why = s.Floor, Floored
	if asked := max(h.pace, h.fresh); asked > 0 && asked >= s.Floor {
		earliest, why = asked, Hinted
		if ceiling := max(s.MaxHint, s.Floor); asked > ceiling {
			earliest, why = ceiling, Capped
		}
	}
	wait = earliest
	if (h.pace == 0 || relaxed) && s.interval > earliest {
		wait, why = s.interval, s.ownReason(h)
	}
	return s.padded(wait), earliest, why
}

func (s *schedule) ownReason(h hint) Why {
	switch {
	case h.pace > 0:
		return Webhooks
	case s.interval > s.Every:
		return Idle
	}
	return Changed
}

// padded adds the jitter, a tenth at most.
func (s *schedule) padded(d time.Duration) time.Duration {
	return d + time.Duration(s.random()*float64(d)/10)
}

// failed is how long to wait after a failure: a random part of a time that
// doubles, and what whoever refused has asked for at least.
func (s *schedule) failed(atLeast time.Duration) time.Duration {
	s.failures++
	most := min(s.Every, s.Max)
	for range min(s.failures-1, 16) {
		most = min(2*most, s.Max)
	}
	least := max(s.Floor, min(atLeast, s.MaxHint))
	return max(s.padded(least), time.Duration(s.random()*float64(most)))
}

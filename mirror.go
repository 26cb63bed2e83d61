package aplomb

import (
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
)

// mirror follows a server's counter of one quota, be it a fixed window or a
// token bucket, from what its answers say. No request is sent that the mirror
// has no unit for, so that almost none is refused. Which of the two it is, and
// how fast a bucket fills, is measured: what remains and what was taken add up
// to a constant within a window, and grow in a bucket.
type mirror struct {
	limit   int64   // units per window; 0 unknown
	ceiling float64 // the most that was ever left

	units   float64 // left at the time of the last answer, less all that was sent since; negative unknown
	at      time.Time
	newest  int64     // the number of the request whose answer this is
	empty   bool      // the server itself said that nothing is left
	resetAt time.Time // when the units are forgotten
	stated  bool      // resetAt, by the server
	long    bool      // the window, in which units are spread

	rate    float64   // per second, as stated for a short window
	ratedAt time.Time // when it last was

	refill    float64 // per second; 0 for a window
	base, mid reading // the measurement's beginning, and the next one's
	latest    reading
	peak      float64 // most in flight since base
}

// reading is what was granted so far, by the server's numbers: left plus taken.
type reading struct {
	at      time.Time
	granted float64
}

const (
	// A window that ends so soon is not worth spreading: its rest is used in
	// steps that show whether it is a bucket.
	shortWindow = 2 * time.Second
	// A bucket is emptied at this share of its refill when nothing is left in
	// it, and at twice that when it is full; so a little is always left.
	bucketShare = 0.8
	// A bucket with so little in it is never emptied at once.
	smallBucket = 10
	// What is left but for which no reset is stated is believed for so long.
	noReset = time.Second
	// A bucket that was full for so long shows nothing of its refill.
	fullFor = 2 * time.Second
)

// known reports that the server's numbers still hold at that moment.
func (m *mirror) known(at time.Time) bool {
	return !m.at.IsZero() && (m.refill > 0 || at.Before(m.resetAt))
}

// usedUpUntil is the end of a window of which nothing is left.
func (m *mirror) usedUpUntil(now time.Time) time.Time {
	if m.empty && m.refill == 0 && now.Before(m.resetAt) {
		return m.resetAt
	}
	return time.Time{}
}

// level is what the mirror shows at that moment.
func (m *mirror) level(at time.Time) float64 {
	if m.refill == 0 {
		return m.units
	}
	return min(m.units+bucketShare*m.refill*at.Sub(m.at).Seconds(), max(m.ceiling, 1))
}

// next is when the mirror lets the next request pass.
func (m *mirror) next(at, last time.Time, headroom float64, roundTrip time.Duration) time.Time {
	level := m.level(at)
	if level < 1 {
		if m.refill == 0 {
			return m.resetAt
		}
		return at.Add(seconds((1 - level) / (bucketShare * m.refill)))
	}
	if interval := m.interval(at, headroom, roundTrip); interval > 0 {
		at = later(at, last.Add(interval))
	}
	if m.refill == 0 && at.After(m.resetAt) {
		return m.resetAt // whatever the pace, nothing of this window holds any more
	}
	return at
}

// interval is the time between two requests: none while much is left, then so
// that what is left lasts.
func (m *mirror) interval(at time.Time, headroom float64, roundTrip time.Duration) time.Duration {
	level, left := max(m.level(at), 0), m.resetAt.Sub(at)
	if m.refill == 0 && left <= shortWindow {
		return 2 * max(roundTrip, time.Millisecond) / time.Duration(level+1)
	}
	plenty := headroom * max(float64(m.limit), m.ceiling)
	if m.refill > 0 {
		plenty = max(plenty, smallBucket)
	}
	if level > plenty {
		return 0
	}
	rate := bucketShare * m.refill * (1 + level/max(m.ceiling, 1))
	if left > shortWindow {
		rate += (level + 1) / left.Seconds()
	}
	return seconds(1 / rate)
}

// take notes a request that was let through.
func (m *mirror) take(inFlight int64) {
	m.units--
	m.peak = max(m.peak, float64(inFlight))
}

func (m *mirror) giveBack() { m.units++ }

// renew forgets a window that was used up and is over, and reports that it did:
// what the next one holds is not known yet.
func (m *mirror) renew(now time.Time) bool {
	if !m.empty || m.known(now) {
		return false
	}
	m.empty = false
	return true
}

// spent reports that nothing was left of a window that is over, by the server's count
// or by this one.
func (m *mirror) spent(now time.Time) bool { return m.units < 1 && !m.at.IsZero() && !m.known(now) }

// refused takes a refusal that the mirror did not foresee: others use the
// quota too, or it is no more what it was.
func (m *mirror) refused() { m.refill /= 2 }

// reopen begins the measurement anew: a bucket fills while a gate is closed,
// and spills.
func (m *mirror) reopen() { m.base = reading{} }

// state takes the numbers of an answer. With others under way answers come out
// of order; one to an earlier request than the newest is old news. So may be one
// without a number, unless it says that less is left.
func (m *mirror) state(l header.Limit, number int64, g *gate, now time.Time) {
	if l.Limit >= 0 {
		m.limit = l.Limit
	}
	m.rated(l, now)
	if l.Remaining < 0 || number > 0 && number < m.newest {
		return
	}
	if !m.known(now) && m.long { // what a window granted is none of the next one's
		m.reopen()
	}
	left := float64(l.Remaining)
	units := left - float64(g.inFlight)
	if number == 0 && m.newest > 0 && m.known(now) && units >= m.level(now) {
		return
	}
	m.newest, m.at, m.empty = max(m.newest, number), now, l.Remaining == 0
	m.units = units
	m.ceiling = max(m.ceiling, left)
	m.resetAt, m.stated = now.Add(noReset), false
	if l.Reset >= 0 {
		m.resetAt, m.stated = now.Add(min(l.Reset, longest)), true
	}
	m.long = m.resetAt.Sub(now) > shortWindow
	if number > 0 && !g.shut {
		m.measure(reading{now, left + float64(number-g.void)}, left, float64(g.inFlight+1))
	}
}

// rated keeps the rate that an answer states: a quota's units over its window,
// where that is short. Units of a long window may go faster for a while.
func (m *mirror) rated(l header.Limit, now time.Time) {
	if l.Limit <= 0 || l.Window <= 0 || l.Window > shortWindow {
		return
	}
	if rate := float64(l.Limit) / l.Window.Seconds(); !m.ratedAt.Equal(now) || rate < m.rate {
		m.rate, m.ratedAt = rate, now
	}
}

// statedRate is the rate that the server states; 0 if it states none.
func (m *mirror) statedRate(now time.Time) float64 {
	if m.refill > statedSize*m.rate || now.Sub(m.ratedAt) > statedFor {
		return 0
	}
	return m.rate
}

// measure compares what was granted since the beginning of the measurement with
// what may be a matter of order: requests that were under way together are not
// counted in the order in which they were sent.
func (m *mirror) measure(r reading, left, underWay float64) {
	if m.base.at.IsZero() {
		m.begin(r, underWay)
		return
	}
	grown, noise, took := r.granted-m.base.granted, 2+2*m.peak, r.at.Sub(m.base.at).Seconds()
	rise := r.granted - m.latest.granted
	m.latest = r
	full := left >= 0.9*m.ceiling // it may have filled faster, and spilled
	expected := m.refill * took
	switch {
	case took <= 0:
		return
	case rise > max(m.ceiling/2, 2*noise): // at once: a new window
		m.begin(r, underWay)
		return
	case grown > noise && full:
		m.refill = max(m.refill, grown/took)
	case grown > noise:
		m.refill = grown / took
	case full && (expected > 2*noise || took > fullFor.Seconds()): // it spilled
		m.begin(r, underWay)
		return
	case !full && expected > 4*noise: // much more should have come by now
		m.refill = max(0, grown/took)
	default:
		return
	}
	if step := r.granted - m.mid.granted; step > 4*noise || step > noise && full || grown <= noise {
		m.base, m.mid, m.peak = m.mid, r, max(m.peak/2, underWay)
	}
}

// begin starts the measurement anew.
func (m *mirror) begin(r reading, underWay float64) {
	m.base, m.mid, m.latest, m.peak = r, r, r, underWay
}

// seconds is s as a duration, at most longest.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, longest.Seconds()) * float64(time.Second))
}

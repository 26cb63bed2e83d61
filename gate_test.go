package aplomb

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/header"
)

func inBubble(t *testing.T, f func(t *testing.T, now time.Time)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, time.Now()) })
}

const noHurry = time.Hour

// Answers come back out of order: within one window the lower number holds,
// and requests still under way are taken off.
func TestGateCountsDown(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{remaining: -1}
		say := func(remaining int64, reset time.Duration) {
			g.state(header.Limit{Limit: 100, Remaining: remaining, Reset: reset}, now)
		}
		say(60, time.Minute)
		assert.Equal(t, g.remaining, 60)
		for range 10 {
			g.book(now)
		}
		assert.Equal(t, g.remaining, 50)
		g.inFlight = 7
		say(70, time.Minute) // an older answer, late
		assert.Equal(t, g.remaining, 50)
		say(45, time.Minute)
		assert.Equal(t, g.remaining, 38)
		say(3, time.Minute) // others may be refused, but only the server's own zero closes
		assert.Equal(t, g.remaining, 0)
		assert.True(t, !g.closed(now))
		say(0, time.Minute)
		assert.True(t, g.closed(now))
		g.inFlight = 0
		say(9, time.Minute) // alone, the server's word is the truth: a token bucket refills
		assert.Equal(t, g.remaining, 9)
		say(99, 2*time.Minute) // a new window
		assert.Equal(t, g.remaining, 99)
		g.state(header.Limit{Limit: 100, Remaining: -1, Reset: -1}, now)
		assert.Equal(t, g.remaining, 99)
	})
}

// With plenty left there is no pacing; below the headroom, what is left lasts
// until the reset; and pacing never refuses what the quota still holds.
func TestGateSpreadsWhatIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{remaining: -1}
		g.state(header.Limit{Limit: 100, Remaining: 11, Reset: time.Minute}, now)
		assert.Equal(t, g.reserve(now, now.Add(noHurry), 0.1), now)
		g.state(header.Limit{Limit: 100, Remaining: 5, Reset: time.Minute}, now)
		first := g.reserve(now, now.Add(noHurry), 0.1)
		assert.Equal(t, first, now)
		g.book(first)
		second := g.reserve(now, now.Add(noHurry), 0.1)
		assert.Equal(t, second, now.Add(12*time.Second))
		assert.Equal(t, g.reserve(now, now.Add(time.Second), 0.1), now)
	})
}

// 429s for requests that were under way when the gate closed do not prolong
// it, unless they name a time.
func TestGateCountsAThrottleOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{remaining: -1}
		g.throttled(now.Add(-time.Second), now, 0)
		closed, interval := g.closedUntil, g.interval
		assert.True(t, closed.Sub(now) >= closeBase/2 && closed.Sub(now) <= closeBase)
		for range 20 {
			g.throttled(now.Add(-time.Second), now, 0)
		}
		assert.Equal(t, g.closedUntil, closed)
		assert.Equal(t, g.interval, interval)
		assert.Equal(t, g.streak, 1)
		g.throttled(now.Add(-time.Second), now, 10*time.Second)
		assert.Equal(t, g.closedUntil, now.Add(10*time.Second))
	})
}

// A success ends the streak that lengthens the closing.
func TestGateForgives(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{remaining: -1}
		for i := range 6 {
			g.throttled(now.Add(time.Duration(i)), now, 0)
			now = now.Add(time.Minute)
		}
		assert.Equal(t, g.streak, 6)
		g.succeeded(now)
		g.throttled(now, now, 0)
		assert.True(t, g.closedUntil.Sub(now) <= closeBase, g.closedUntil.Sub(now))
	})
}

// After a 429 the gate reopens at half the pace that had succeeded, speeds up
// with each success, and is free again in the end.
func TestGateRecovers(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{remaining: -1}
		for range 101 {
			g.succeeded(now)
			now = now.Add(10 * time.Millisecond)
		}
		g.throttled(now, now, time.Second)
		assert.Equal(t, g.reserve(now, now.Add(noHurry), 0.1), now.Add(time.Second))
		assert.True(t, g.interval > 19*time.Millisecond && g.interval < 21*time.Millisecond, g.interval)
		slot := now.Add(time.Second)
		g.book(slot)
		assert.Equal(t, g.reserve(now, now.Add(noHurry), 0.1), slot.Add(g.interval))
		for range 100 {
			g.succeeded(now)
		}
		assert.Equal(t, g.interval, 0)
	})
}

// A slot that is given back goes to the next that asks; no two requests are
// given the same, and one that is past is of no use.
func TestGateGivesASlotOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{remaining: -1}
		g.throttled(now, now, time.Second)
		opens := now.Add(time.Second)
		take := func(now time.Time) time.Duration {
			at := g.reserve(now, now.Add(noHurry), 0.1)
			g.book(at)
			return at.Sub(opens)
		}
		var given []time.Duration
		for range 4 {
			given = append(given, take(now))
		}
		assert.Equal(t, given, []time.Duration{0, unmeasured, 2 * unmeasured, 3 * unmeasured})
		g.settle(opens.Add(unmeasured), true)
		g.settle(opens, true)
		assert.Equal(t, take(now), 0)
		assert.Equal(t, take(now), unmeasured)
		assert.Equal(t, take(now), 4*unmeasured)
		g.settle(opens.Add(2*unmeasured), true)
		assert.Equal(t, take(opens.Add(2*unmeasured+1)), 5*unmeasured)
	})
}

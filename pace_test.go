package aplomb

import (
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// A first run shows what is granted at once; the second's refusal then proves
// the rate, whatever the pace was that led to it.
func TestPaceProvesARate(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		var p pace
		for range 10 {
			p.accepted(now, now.Add(5*time.Millisecond))
		}
		now = now.Add(5 * time.Millisecond)
		p.refused(now, time.Second, now.Add(time.Second))
		assert.Equal(t, [2]float64{p.current(now), p.rate}, [2]float64{rampStart, 0})
		now = now.Add(time.Second)
		p.reopen(now)
		assert.Equal(t, p.burst, 10.0)

		tokens, filled := 10.0, now // of a bucket of 10 that gets 200 a second
		for {
			now = now.Add(p.interval(now))
			tokens = min(10, tokens+200*now.Sub(filled).Seconds())
			filled = now
			if tokens < 1 {
				break
			}
			tokens--
			p.accepted(now, now)
		}
		p.refused(now, time.Second, now.Add(time.Second))
		assert.True(t, p.rate > 180 && p.rate <= 200, p.rate)
	})
}

// A rate is held, then exceeded, the longer the more, and in the end forgotten.
func TestPaceHoldsAndGrows(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		p := pace{rate: 100, since: now, hold: 30 * time.Second}
		at := func(seconds int) float64 { return p.current(now.Add(time.Duration(seconds) * time.Second)) }
		assert.Equal(t, at(0), 97)
		assert.True(t, at(15) < 98)
		assert.Equal(t, at(30), 100)
		assert.True(t, at(60) > 120 && at(60) < 125, at(60))
		assert.True(t, p.interval(now.Add(5*time.Minute)) == 0)
	})
}

// Where nothing proves a rate, a refusal takes the pace down; the first one, of
// what ran free for longer, too.
func TestPaceBacksDown(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		var p pace
		for range 500 {
			now = now.Add(10 * time.Millisecond)
			p.accepted(now, now)
		}
		p.refused(now, time.Second, now)
		assert.True(t, p.rate > 69 && p.rate < 71, p.rate)
		p.reopen(now)
		p.accepted(now, now)
		p.refused(now, time.Second, now)
		assert.True(t, p.rate > 46 && p.rate < 49, p.rate)
		p.reopen(now)
		rate := p.rate
		p.refused(now, time.Second, now) // whatever the pace: nothing got through
		assert.Equal(t, p.rate, rate)
	})
}

// The marks cover a run from its beginning, however long it is.
func TestPaceMarksAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		p := pace{stride: 1, burst: 10}
		for range 100_000 {
			now = now.Add(5 * time.Millisecond)
			p.accepted(now, now)
		}
		assert.True(t, len(p.marks) <= paceMarks && cap(p.marks) <= 2*paceMarks)
		assert.True(t, now.Sub(p.marks[0]) > 450*time.Second, now.Sub(p.marks[0]))
		proven := p.proven()
		assert.True(t, proven > 199 && proven < 201, proven)
	})
}

// A pace that is looked for grows e-fold in a tenth of a second at most: much
// faster, and it would be far beyond before the first refusal is back.
func TestPaceGrowsGently(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		p := pace{ramp: 1000, second: now, begun: now}
		for range 100 {
			now = now.Add(p.interval(now))
			p.accepted(now, now)
		}
		assert.Equal(t, p.current(now), 2000)
	})
}

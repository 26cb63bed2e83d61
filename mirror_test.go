package aplomb

import (
	"math/rand/v2"
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

const headroom = 0.1

// say is an answer to the request of that number.
func (g *gate) say(number, remaining int64, reset time.Duration, now time.Time) {
	g.state(header.Limit{Limit: 100, Remaining: remaining, Reset: reset}, number, false, now, 0)
}

// Requests under way are taken off, answers to earlier requests than the newest
// are old news, and what was not sent is given back.
func TestMirrorCountDown(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		for range 10 {
			g.book(now)
		}
		g.say(10, 60, time.Minute, now)
		assert.Equal(t, g.mirror.level(now), 50)
		g.book(now)
		g.settle(false)
		assert.Equal(t, g.mirror.level(now), 49)
		g.say(7, 63, time.Minute, now)
		assert.Equal(t, g.mirror.level(now), 49)
		g.say(11, 20, time.Minute, now)
		assert.Equal(t, g.mirror.level(now), 10)
		g.settle(true)
		assert.Equal(t, g.mirror.level(now), 11)
		g.state(header.Limit{Limit: 100, Remaining: -1, Reset: -1}, 12, false, now, 0)
		assert.Equal(t, g.mirror.level(now), 11)
		assert.True(t, !g.closed(now))
		g.say(12, 0, time.Minute, now)
		assert.True(t, g.closed(now) && !g.closed(now.Add(time.Minute)))
	})
}

// With plenty left there is no pacing; below the headroom, what is left lasts
// until the reset, and no longer.
func TestMirrorSpreadWhatIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		g.say(g.book(now), 13, time.Minute, now)
		g.settle(false)
		g.say(g.book(now), 12, time.Minute, now)
		assert.Equal(t, g.next(now, headroom), now)
		g.settle(false)
		g.say(g.book(now), 5, time.Minute, now)
		g.settle(false)
		assert.Equal(t, g.next(now, headroom), now.Add(12*time.Second))
		assert.True(t, g.credit(now), "a caller in a hurry may have what is left")
		assert.Equal(t, g.next(now.Add(time.Minute), headroom), now.Add(time.Minute))
	})
}

// A fixed window is not taken for a bucket, in whatever order its answers come.
func TestMirrorOfAWindow(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		bubbleOf(t, func(t *testing.T) {
			g := &gate{}
			left := int64(1000)
			reset := time.Now().Add(time.Minute)
			for range 20 {
				var order []int64
				for range 32 {
					order = append(order, g.book(time.Now()))
				}
				time.Sleep(time.Millisecond)
				random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				for _, number := range order {
					left--
					g.settle(false)
					g.say(number, left, time.Until(reset), time.Now())
					time.Sleep(time.Duration(random.Int64N(int64(time.Millisecond))))
				}
			}
			assert.Equal(t, g.mirror.refill, 0.0, seed)
		})
	}
}

func bubbleOf(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// The refill of a bucket is measured, also of one that spills now and then.
func TestMirrorOfABucket(t *testing.T) {
	inBubble(t, func(t *testing.T, _ time.Time) {
		g := &gate{}
		tokens, filled := 50.0, time.Now()
		for range 200 {
			time.Sleep(4 * time.Millisecond)
			number := g.book(time.Now())
			time.Sleep(time.Millisecond)
			tokens = min(50, tokens+100*time.Since(filled).Seconds()) - 1
			filled = time.Now()
			g.settle(false)
			g.say(number, int64(tokens), time.Second, time.Now())
		}
		assert.True(t, g.mirror.refill > 90 && g.mirror.refill < 110, g.mirror.refill)
		before := g.mirror.refill
		for range 100 { // slowly, so that it is always full
			time.Sleep(100 * time.Millisecond)
			g.say(g.book(time.Now()), 49, time.Second, time.Now())
			g.settle(false)
		}
		assert.Equal(t, g.mirror.refill, before)
		time.Sleep(time.Hour) // idle, and full
		g.say(g.book(time.Now()), 49, time.Second, time.Now())
		assert.Equal(t, g.mirror.refill, before)
		g.throttled(time.Now(), time.Now(), time.Second, 0)
		assert.Equal(t, g.mirror.refill, before/2, "a refusal that was not foreseen")
	})
}

// A small bucket is never emptied at once, and a closing, in which it fills and
// spills, is no part of the measurement.
func TestMirrorOfASmallBucket(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		g.mirror = mirror{limit: 5, ceiling: 4, units: 4, at: now, resetAt: now.Add(time.Second), refill: 50, newest: 1}
		g.mirror.begin(reading{now, 1000}, 1)
		assert.True(t, g.mirror.interval(now, headroom, 0) > 5*time.Millisecond)
		g.throttled(now, now, time.Second, 0)
		assert.Equal(t, g.mirror.refill, 25.0)
		now = now.Add(time.Second)
		g.sent = 1000
		for i := range int64(12) { // it had filled; now 40 ms bring two units
			now = now.Add(4 * time.Millisecond)
			number := g.book(now)
			g.settle(false)
			g.say(number, max(0, 4-i/2), time.Second, now)
		}
		assert.True(t, g.mirror.refill >= 25, g.mirror.refill)
	})
}

// A window's turn grants everything at once; that is no refill.
func TestMirrorOfTheNextWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		for window := range 3 {
			for i := range int64(99) {
				number := g.book(now)
				g.settle(false)
				// The server rounds its reset up, so the turn comes before we expect it.
				g.say(number, 99-i, time.Second, now)
				now = now.Add(10 * time.Millisecond)
			}
			assert.Equal(t, g.mirror.refill, 0.0, window)
		}
	})
}

// Nor is it after a window of which little was used.
func TestMirrorOfAQuietWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		for range 3 {
			for i := range int64(10) {
				number := g.book(now)
				g.settle(false)
				g.say(number, 99-i, time.Minute-time.Duration(i)*time.Second, now)
				now = now.Add(time.Second)
			}
			now = now.Add(time.Minute)
			assert.Equal(t, g.mirror.refill, 0.0)
		}
	})
}

// What was refused took nothing, and so granted nothing.
func TestMirrorOfRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		g.say(g.book(now), 50, time.Minute, now)
		g.settle(false)
		for range 100 {
			now = now.Add(10 * time.Millisecond)
			number := g.book(now)
			g.settle(false)
			g.state(header.Limit{Limit: 100, Remaining: 50, Reset: time.Minute}, number, true, now, 0)
		}
		assert.Equal(t, g.mirror.refill, 0.0)
	})
}

// 429s for requests that were under way when the gate closed do not prolong it,
// unless they name a time.
func TestGateCountsAThrottleOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		g.throttled(now.Add(-time.Second), now, 0, 1)
		assert.Equal(t, g.closedUntil, now.Add(closeBase))
		for range 20 {
			g.throttled(now.Add(-time.Second), now.Add(time.Millisecond), 0, 1)
		}
		assert.Equal(t, g.closedUntil, now.Add(closeBase))
		assert.Equal(t, g.streak, 1)
		g.throttled(now.Add(-time.Second), now, 10*time.Second, 0)
		assert.Equal(t, g.closedUntil, now.Add(10*time.Second))
		g.throttled(now.Add(-time.Second), now, time.Second, 0)
		assert.Equal(t, g.closedUntil, now.Add(10*time.Second), "of two, the later")
	})
}

// No numbers, of whatever order or size, make a gate wait for ever, or pass in
// a closed window.
func TestGateKeepsItsBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		random := rand.New(rand.NewPCG(7, 7))
		g := &gate{}
		var under []int64
		for range 50_000 {
			now = now.Add(time.Duration(random.ExpFloat64() * float64(20*time.Millisecond)))
			switch n := random.IntN(10); {
			case n < 4 && !g.next(now, headroom).After(now):
				under = append(under, g.book(now))
			case n < 8 && len(under) > 0:
				i := random.IntN(len(under))
				number := under[i]
				under = append(under[:i], under[i+1:]...)
				g.settle(random.IntN(20) == 0)
				if random.IntN(2) == 0 {
					g.say(number, random.Int64N(1000)-1, time.Duration(random.Int64N(int64(100*time.Hour))>>random.IntN(40))-1, now)
				}
				g.succeeded(now.Add(-time.Millisecond), now, time.Millisecond)
			case n == 9 && random.IntN(10) == 0:
				g.throttled(now.Add(-time.Millisecond), now, time.Duration(random.Int64N(int64(time.Minute))>>random.IntN(30)), random.Float64())
			}
			next := g.next(now, headroom)
			interval := g.expected(now, headroom)
			if next.Before(now) || next.Before(g.closedUntil) || next.Sub(now) > 2*longest || interval < 0 || interval > longest ||
				g.inFlight != int64(len(under)) || g.mirror.refill < 0 || g.pace.current(now) < 0 {
				t.Fatalf("next in %v, interval %v, %d in flight of %d: %+v", next.Sub(now), interval, g.inFlight, len(under), g)
			}
		}
	})
}

// An answer to a request that was sent before its gate was known may be as late
// as any: it opens no window that is used up.
func TestMirrorOfBeforeTheGate(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		g := &gate{}
		g.say(0, 90, time.Minute, now)
		assert.Equal(t, g.mirror.level(now), 90)
		g.say(g.book(now), 0, time.Minute, now)
		g.settle(false)
		assert.True(t, g.closed(now))
		g.say(0, 89, time.Minute, now)
		assert.True(t, g.closed(now), "old news")
		now = now.Add(time.Minute)
		g.say(0, 99, time.Minute, now)
		assert.Equal(t, g.mirror.level(now), 99, "of the next window")
		g.say(0, 0, time.Minute, now)
		assert.True(t, g.closed(now), "news, as it is less")
	})
}

package aplomb

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// line is a queue in front of a common gate and two named ones.
type line struct {
	queue
	common, a, b gate
}

func newLine() *line { return &line{queue: queue{headroom: headroom}} }

func (l *line) route(named ...*gate) route { return route{common: &l.common, named: named} }

func (l *line) close(g *gate, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	g.closedUntil = now.Add(d)
	l.sweep(now)
	l.pump(now)
}

// join queues a request and tells, some time, when it passed.
func (l *line) join(t *testing.T, r route, patience time.Duration) <-chan time.Duration {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	_, w, _, err := l.enter(r, now, now.Add(patience))
	assert.NoError(t, err)
	passed := make(chan time.Duration, 1)
	if w == nil {
		passed <- 0
		return passed
	}
	go func() {
		if err := <-w.passed; err != nil {
			passed <- -time.Since(now)
			return
		}
		passed <- time.Since(now)
	}()
	return passed
}

// First come, first served; but a gate that is closed holds only its own.
func TestQueueIsFair(t *testing.T) {
	inBubble(t, func(t *testing.T, _ time.Time) {
		l := newLine()
		l.common.pace.ramp = 10
		l.close(&l.a, 10*time.Second)
		l.close(&l.common, time.Second)
		held := l.join(t, l.route(&l.a), time.Minute)
		var free []<-chan time.Duration
		for range 3 {
			free = append(free, l.join(t, l.route(&l.b), time.Minute))
		}
		for i, passed := range free {
			assert.Equal(t, <-passed, time.Second+time.Duration(i)*100*time.Millisecond)
		}
		assert.Equal(t, <-held, 10*time.Second)
	})
}

// A gate that closes refuses at once those who will not live to see it open.
func TestQueueRefusesTheHopeless(t *testing.T) {
	inBubble(t, func(t *testing.T, _ time.Time) {
		l := newLine()
		l.close(&l.common, time.Second)
		short := l.join(t, l.route(), 5*time.Second)
		long := l.join(t, l.route(), time.Minute)
		time.Sleep(500 * time.Millisecond)
		l.close(&l.common, 20*time.Second)
		assert.Equal(t, <-short, -500*time.Millisecond)
		assert.Equal(t, <-long, 20500*time.Millisecond)
		_, _, at, err := l.enter(l.route(), time.Now(), time.Now())
		assert.True(t, err == nil && !at.After(time.Now()))
	})
}

// Who leaves makes room, and what it was given in the same moment goes back.
func TestQueueLeaving(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		l := newLine()
		l.common.pace.ramp = 1
		l.close(&l.common, time.Second)
		_, first, _, err := l.enter(l.route(), now, now.Add(time.Hour))
		assert.NoError(t, err)
		_, second, at, err := l.enter(l.route(), now, now.Add(time.Hour))
		assert.NoError(t, err)
		assert.Equal(t, at.Sub(now), 1100*time.Millisecond)
		l.abandon(first)
		l.mu.Lock() // the queue's timer comes
		assert.Equal(t, l.common.queued, 1)
		l.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		assert.NoError(t, <-second.passed)
		assert.Equal(t, l.common.inFlight, 1)
		l.abandon(second)
		l.abandon(second)
		assert.Equal(t, [3]int64{l.common.inFlight, l.common.sent, l.common.void}, [3]int64{0, 1, 1})
		assert.Equal(t, l.waiting.Len(), 0)
	})
}

func TestQueueRefusalNamesItsGate(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		l := newLine()
		l.a.name = "search"
		l.close(&l.a, time.Minute)
		_, _, at, err := l.enter(l.route(&l.a), now, now.Add(time.Second))
		assert.True(t, errors.Is(err, ErrRateLimited))
		assert.Equal(t, at.Sub(now), time.Minute)
		assert.Contains(t, err.Error(), "the server's rate limit search allows the next request in 1m0s")
	})
}

// Pacing never refuses what the quota still holds.
func TestQueueLetsTheHurriedPass(t *testing.T) {
	inBubble(t, func(t *testing.T, now time.Time) {
		l := newLine()
		first := l.common.book(now)
		l.common.settle(false)
		l.common.say(first, 6, time.Minute, now)
		for range 6 {
			s, w, _, err := l.enter(l.route(), now, now.Add(time.Second))
			assert.True(t, s.held && w == nil && err == nil)
		}
		_, _, _, err := l.enter(l.route(), now, now.Add(time.Second))
		assert.ErrorIs(t, err, ErrRateLimited)
	})
}

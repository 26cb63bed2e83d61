package monitor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestClockSetBack: numbers go, and alerts come, by the time that has gone by.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	var told []Alert
	m, err := New(Settings{Errors: ErrorRule{For: -1}, Alert: func(a Alert) { told = append(told, a) }})
	assert.NoError(t, err)
	pass := func(d time.Duration) { // and the clock is set back by as much
		m.start = m.start.Add(-d)
		m.feeds.start = m.start
	}
	h, ctx := m.hooks(), context.Background()
	done := func(n int, r aplomb.Result) {
		for range n {
			h.CallDone(ctx, aplomb.CallEvent{Client: "orders", Host: "a.test", Operation: "GET /x", Result: r})
		}
	}
	done(60, aplomb.ResultNetwork)
	pass(lookEvery)
	done(1, aplomb.ResultNetwork)
	assert.Equal(t, len(told), 1)
	assert.True(t, told[0].Firing && time.Since(told[0].At) < lookEvery, "by the clock as it is now", told[0].At)
	pass(time.Minute)
	done(1, aplomb.ResultOK)
	h.BodyFailed(ctx, aplomb.AttemptEvent{Client: "orders", Host: "a.test", Operation: "GET /x"})
	host := m.Snapshot().Clients[0].Hosts[0]
	assert.Equal(t, host.Last5Min[29], Slot{Calls: 1, Failed: 1})
	assert.Equal(t, host.Last5Min[23], Slot{Calls: 1, Failed: 1})
	m.Inbox().Handled(ctx, inbox.HandleEvent{Source: "stripe", Result: inbox.ResultDead})
	pass(6 * time.Minute)
	c := m.Snapshot().Clients[0]
	assert.Equal(t, []float64{c.PerSecond, c.Hosts[0].PerSecond, c.Hosts[0].Operations[0].PerSecond}, []float64{0, 0, 0})
	assert.Equal(t, []time.Duration{c.P99, c.Hosts[0].P99}, []time.Duration{0, 0})
	assert.Equal(t, m.Snapshot().Feeds[0].dead, 1)
	done(1, aplomb.ResultOK)
	assert.True(t, len(told) == 2 && !told[1].Firing, told)
	pass(time.Hour)
	assert.Equal(t, m.Snapshot().Feeds[0].dead, 0)
}

// TestTimerTooEarly: what it finds nothing to do for is looked at later.
func TestTimerTooEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Settings{})
		assert.NoError(t, err)
		a := &m.alerts
		m.client("orders")
		a.since, a.firing = map[string]time.Time{"orders": time.Now()}, map[string]Alert{"orders": {}}
		a.looked.Store(steady(m.start, time.Now()).UnixNano())
		a.wake(m)
		assert.Equal(t, len(a.now()), 1, "it is too early")
		time.Sleep(lookEvery)
		synctest.Wait()
		assert.Equal(t, len(a.now()), 0)
		assert.True(t, a.timer == nil)
	})
}

package monitor_test

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
)

// told is what the alert says, in minutes from the start.
type told struct {
	Firing bool
	Minute float64
}

// alarms runs f with a monitor, and returns what it tells.
func alarms(t *testing.T, rule monitor.ErrorRule, f func(a *api)) (all []told) {
	t.Helper()
	start := time.Now()
	var mu sync.Mutex // a timer tells as well
	defer mu.Unlock()
	defer mu.Lock()
	m := newMonitor(t, monitor.Settings{Errors: rule, Alert: func(a monitor.Alert) {
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, a.Client, "orders")
		assert.Equal(t, a.At, time.Now())
		assert.True(t, a.Firing == (a.ShortRatio > 0.05 && a.LongRatio > 0.05 && a.PerSecond > 0.05), a)
		all = append(all, told{a.Firing, time.Since(start).Round(10 * time.Second).Minutes()})
	}})
	f(newAPI(t, m, alone()))
	return all
}

func TestAlert(t *testing.T) {
	t.Parallel()
	const often = 5 * time.Second // 0.2 calls a second
	bubble(t, "fires when errors last, and is over when they are", func(t *testing.T) {
		got := alarms(t, monitor.ErrorRule{}, func(a *api) {
			a.load(t, time.Hour, often, 0)
			a.load(t, 30*time.Minute, often, 10)
			a.load(t, 30*time.Minute, often, 0)
		})
		// The long window is above one in twenty after 30 minutes of one in ten.
		assert.Equal(t, got, []told(nil), "an hour of health is half of the long window")
		got = alarms(t, monitor.ErrorRule{}, func(a *api) {
			a.load(t, time.Hour, often, 0)
			a.load(t, 30*time.Minute, often, 2)
			a.load(t, 30*time.Minute, often, 0)
		})
		assert.Equal(t, len(got), 2)
		assert.True(t, got[0].Firing && got[0].Minute > 70 && got[0].Minute < 73, got)
		assert.True(t, !got[1].Firing && got[1].Minute > 94 && got[1].Minute <= 96, got)
	})
	bubble(t, "not for a short outage", func(t *testing.T) {
		assert.Equal(t, len(alarms(t, monitor.ErrorRule{}, func(a *api) {
			a.load(t, time.Hour, often, 0)
			a.load(t, 6*time.Minute, often, 6) // one in six for six minutes
			a.load(t, 30*time.Minute, often, 0)
		})), 0)
	})
	bubble(t, "not without traffic", func(t *testing.T) {
		assert.Equal(t, len(alarms(t, monitor.ErrorRule{}, func(a *api) {
			a.load(t, 3*time.Hour, 100*time.Second, 1) // all of one call in 100 seconds
		})), 0)
	})
	bubble(t, "not before it has lasted", func(t *testing.T) {
		assert.Equal(t, alarms(t, monitor.ErrorRule{For: 20 * time.Minute}, func(a *api) {
			a.load(t, 15*time.Minute, often, 1)
			a.load(t, 7*time.Minute, often, 0)
			a.load(t, 30*time.Minute, often, 1)
		}), []told{{true, 42 + 1.0/6}})
	})
	bubble(t, "at once if asked to, and by a timer where no call comes", func(t *testing.T) {
		got := alarms(t, monitor.ErrorRule{For: -1}, func(a *api) {
			a.load(t, 2*time.Minute, often, 1)
			pass(10 * time.Minute)
		})
		assert.Equal(t, len(got), 2)
		assert.True(t, got[0].Firing && got[0].Minute < 2, got)
		assert.True(t, !got[1].Firing && got[1].Minute > 5 && got[1].Minute <= 7, got)
	})
}

// fire has a client fail for so long that an alert fires, or is over.
func fire(t *testing.T, a *api, failing int) {
	t.Helper()
	a.load(t, 11*time.Minute, 5*time.Second, failing)
}

func TestAlertFunc(t *testing.T) {
	t.Parallel()
	bubble(t, "may ask the monitor, and call what it watches", func(t *testing.T) {
		var m *monitor.Monitor
		var a *api
		var got []bool
		m = newMonitor(t, monitor.Settings{Alert: func(al monitor.Alert) {
			got = append(got, al.Firing)
			assert.Equal(t, m.Health().Status == monitor.Down, al.Firing)
			assert.Equal(t, len(m.Snapshot().Alerts) == 1, al.Firing)
			pass(15 * time.Second) // the next look is due
			_ = a.get(t.Context(), "/")
		}})
		a = newAPI(t, m, alone())
		fire(t, a, 1)
		fire(t, a, 0)
		assert.Equal(t, got, []bool{true, false})
	})
	bubble(t, "holds up no other call, and is told in order", func(t *testing.T) {
		hold := make(chan struct{})
		var running atomic.Int32
		var got []bool
		m := newMonitor(t, monitor.Settings{Errors: monitor.ErrorRule{For: -1}, Alert: func(al monitor.Alert) {
			assert.Equal(t, running.Add(1), 1)
			if got = append(got, al.Firing); len(got) == 1 {
				<-hold
			}
			running.Add(-1)
		}})
		a := newAPI(t, m, alone())
		a.load(t, time.Minute, 5*time.Second, 0)
		go a.load(t, time.Minute, 5*time.Second, 1) // its goroutine tells
		pass(time.Minute)
		fire(t, a, 0)
		fire(t, a, 1)
		assert.Equal(t, got, []bool{true})
		close(hold)
		synctest.Wait()
		assert.Equal(t, got, []bool{true, false, true})
		pass(2 * time.Minute) // it has the rest of its calls to make
	})
	bubble(t, "is called again after a panic", func(t *testing.T) {
		calls := 0
		m := newMonitor(t, monitor.Settings{Errors: monitor.ErrorRule{For: -1}, Alert: func(monitor.Alert) {
			if calls++; calls == 1 {
				panic("the pager is broken")
			}
		}})
		a := newAPI(t, m, alone())
		done := func(r aplomb.Result) {
			for range 30 {
				hooksOf(m).CallDone(t.Context(), aplomb.CallEvent{Client: "orders", Result: r})
			}
		}
		done(aplomb.ResultOK)
		done(aplomb.ResultNetwork)
		pass(10 * time.Second)
		func() {
			defer func() { assert.True(t, recover() != nil) }() // no timer has looked yet
			done(aplomb.ResultNetwork)
		}()
		fire(t, a, 0)
		assert.Equal(t, calls, 2)
	})
	bubble(t, "is of something that is wrong", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{Errors: monitor.ErrorRule{For: -1, Short: 5 * time.Minute}})
		a := newAPI(t, m, alone())
		a.load(t, 2*time.Minute, time.Second, 1)
		a.load(t, 90*time.Second, time.Second, 0)
		synctest.Wait()   // a timer may look now
		got := reasons(m) // the last look was before or after the call of the same moment
		assert.Contains(t, got, "degraded; degraded orders: errors have lasted for 3m10s: ")
		assert.Contains(t, got, " % of the calls in 5m and ")
		assert.Contains(t, got, " % in 1h failed")
		assert.Equal(t, m.Snapshot().Clients[0].Health, m.Health())
		hooksOf(m).CallDone(t.Context(), aplomb.CallEvent{Client: "other"})
		assert.Equal(t, m.Snapshot().Clients[1].Health.Status, monitor.Healthy, "and of no other client")
	})
	bubble(t, "of many clients stand in order", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{Errors: monitor.ErrorRule{For: -1}})
		for n := range 20 {
			for range 60 {
				hooksOf(m).CallDone(t.Context(), aplomb.CallEvent{Client: string(rune('a' + n)), Result: aplomb.ResultNetwork})
			}
		}
		pass(10 * time.Second)
		hooksOf(m).CallDone(t.Context(), aplomb.CallEvent{Client: "a", Result: aplomb.ResultNetwork})
		all := m.Snapshot().Alerts
		assert.Equal(t, len(all), 20)
		assert.True(t, slices.IsSortedFunc(all, func(a, b monitor.Alert) int { return strings.Compare(a.Client, b.Client) }))
	})
}

// TestAlertWindowsAreWhole: that a slot has just begun does not empty a window of one.
func TestAlertWindowsAreWhole(t *testing.T) {
	t.Parallel()
	bubble(t, "the shortest ones", func(t *testing.T) {
		var got []monitor.Alert
		m := newMonitor(t, monitor.Settings{
			Errors: monitor.ErrorRule{Ratio: 0.4, Short: 10 * time.Second, Long: time.Minute, For: -1},
			Alert:  func(a monitor.Alert) { got = append(got, a) },
		})
		done := func(r aplomb.Result) {
			hooksOf(m).CallDone(t.Context(), aplomb.CallEvent{Client: "c", Result: r})
		}
		done(aplomb.ResultOK) // looks
		for range 100 {
			done(aplomb.ResultOK)
		}
		pass(59 * time.Second)
		done(aplomb.ResultOK)
		pass(time.Second) // the clock's minute has just begun
		for range 50 {
			done(aplomb.ResultNetwork)
		}
		pass(10 * time.Second)
		done(aplomb.ResultNetwork)
		assert.Equal(t, len(got), 0, "a third of the calls of a minute")
	})
}

func TestErrorRuleIsChecked(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for _, tt := range []struct {
		rule  monitor.ErrorRule
		wants string
	}{
		{monitor.ErrorRule{Ratio: -1}, "Errors.Ratio is -1: "},
		{monitor.ErrorRule{Ratio: 5}, "Errors.Ratio is 5: write a part of all calls, such as 0.05"},
		{monitor.ErrorRule{Ratio: nan}, "Errors.Ratio is NaN"},
		{monitor.ErrorRule{Short: 7 * time.Second}, "Errors.Short is 7s"},
		{monitor.ErrorRule{Short: 10 * time.Minute}, "Errors.Short is 10m0s"},
		{monitor.ErrorRule{Short: -10 * time.Second}, "Errors.Short is -10s"},
		{monitor.ErrorRule{Long: 90 * time.Second}, "Errors.Long is 1m30s"},
		{monitor.ErrorRule{Long: 2 * time.Hour}, "Errors.Long is 2h0m0s"},
		{monitor.ErrorRule{Long: -time.Minute}, "Errors.Long is -1m0s"},
		{monitor.ErrorRule{Short: 4 * time.Minute, Long: 2 * time.Minute}, "Errors.Short is 4m0s and longer than Errors.Long, 2m0s"},
		{monitor.ErrorRule{PerSecond: -1}, "Errors.PerSecond is -1"},
		{monitor.ErrorRule{PerSecond: nan}, "Errors.PerSecond is NaN"},
		{monitor.ErrorRule{PerSecond: inf}, "Errors.PerSecond is +Inf"},
	} {
		_, err := monitor.New(monitor.Settings{Errors: tt.rule})
		if assert.True(t, err != nil, tt.rule) {
			assert.Contains(t, err.Error(), "monitor: "+tt.wants)
		}
	}
	for _, r := range []monitor.ErrorRule{
		{Ratio: 0.2, Short: time.Minute, Long: 10 * time.Minute, PerSecond: 1, For: time.Minute}, {Long: 2 * time.Minute},
	} {
		_, err := monitor.New(monitor.Settings{Errors: r})
		assert.NoError(t, err)
	}
}

package monitor_test

import (
	"sync"
	"testing"
	"time"

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

func TestErrorRuleIsChecked(t *testing.T) {
	t.Parallel()
	for _, r := range []monitor.ErrorRule{
		{Ratio: -1}, {Ratio: 5}, {Short: 7 * time.Second}, {Short: 10 * time.Minute}, {Short: -10 * time.Second},
		{Long: 90 * time.Second}, {Long: 2 * time.Hour}, {Long: -time.Minute}, {PerSecond: -1},
	} {
		_, err := monitor.New(monitor.Settings{Errors: r})
		assert.True(t, err != nil, r)
	}
	_, err := monitor.New(monitor.Settings{Errors: monitor.ErrorRule{Ratio: 0.2, Short: time.Minute, Long: 10 * time.Minute, PerSecond: 1, For: time.Minute}})
	assert.NoError(t, err)
}

package monitor

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrorRule is when errors have lasted: their part of all calls is above Ratio over
// the short and over the long window, there were enough of them, and that for a time.
// The long window keeps a short outage from ringing, the short one ends the alert
// soon after it is over, and the traffic keeps one failed call in the night from
// being all of it.
type ErrorRule struct {
	// Ratio is from 0 to 1. Default 0.05.
	Ratio float64
	// Short and Long are the windows, up to 5 min and 1 h, which are the defaults.
	Short, Long time.Duration
	// PerSecond is the traffic over the short window below which nothing is said.
	// Default 0.05 calls, three a minute.
	PerSecond float64
	// For is how long it has to last. Default 5 min; negative is not at all.
	For time.Duration
}

func (r ErrorRule) check() error {
	switch {
	case r.Ratio < 0 || r.Ratio >= 1:
		return errors.New("monitor: ErrorRule.Ratio is a part of all calls, from 0 to 1: 0.05 is one in twenty")
	case r.Short < 0 || r.Short > shortSlots*shortSlot || r.Short%shortSlot != 0:
		return errors.New("monitor: ErrorRule.Short is from 10 s to 5 min, in steps of 10 s")
	case r.Long < 0 || r.Long > longSlots*longSlot || r.Long%longSlot != 0:
		return errors.New("monitor: ErrorRule.Long is from 1 min to 1 h, in minutes")
	case r.PerSecond < 0:
		return errors.New("monitor: ErrorRule.PerSecond is not negative")
	}
	return nil
}

func (r ErrorRule) withDefaults() ErrorRule {
	if r.Ratio == 0 {
		r.Ratio = 0.05
	}
	if r.Short == 0 {
		r.Short = shortSlots * shortSlot
	}
	if r.Long == 0 {
		r.Long = longSlots * longSlot
	}
	if r.PerSecond == 0 {
		r.PerSecond = 0.05
	}
	if r.For == 0 {
		r.For = 5 * time.Minute
	}
	return r
}

// Alert is that a client's errors have lasted, or that they are over.
type Alert struct {
	Client string `json:"client"`
	// Firing is false where it is over.
	Firing bool `json:"firing"`
	// ShortRatio and LongRatio are the parts of calls that failed in the two windows,
	// Short and Long, and PerSecond the calls in the short one.
	ShortRatio float64       `json:"short_ratio"`
	LongRatio  float64       `json:"long_ratio"`
	PerSecond  float64       `json:"per_second"`
	Short      time.Duration `json:"short_ns"`
	Long       time.Duration `json:"long_ns"`
	// Since is when the rule began to hold, and At when it was looked at.
	Since time.Time `json:"since"`
	At    time.Time `json:"at"`
}

// alerts looks at the rule after calls, and by a timer while there is something that
// time alone decides.
type alerts struct {
	rule ErrorRule

	looked atomic.Int64 // when, in nanoseconds

	mu     sync.Mutex
	timer  *time.Timer
	since  map[string]time.Time // by client, where the rule holds
	firing map[string]Alert

	telling sync.Mutex
}

// lookEvery is how often.
const lookEvery = 10 * time.Second

// look applies the rule to each client, unless that was done just now.
func (a *alerts) look(m *Monitor, now time.Time) {
	last := a.looked.Load()
	if now.UnixNano()-last < int64(lookEvery) || !a.looked.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	a.mu.Lock()
	var news []Alert
	for _, c := range m.all() {
		news = append(news, a.apply(c, now)...)
	}
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	if len(a.since) > 0 {
		a.timer = time.AfterFunc(lookEvery, func() { a.look(m, time.Now()) })
	}
	a.telling.Lock() // in the order in which it happened
	defer a.telling.Unlock()
	a.mu.Unlock()
	if m.settings.Alert != nil {
		for _, alert := range news {
			m.settings.Alert(alert)
		}
	}
}

// apply is what the rule says of a client that it did not say before.
func (a *alerts) apply(c *client, now time.Time) []Alert {
	alert, holds := a.rule.of(c, now)
	if a.since == nil {
		a.since, a.firing = map[string]time.Time{}, map[string]Alert{}
	}
	since, held := a.since[c.name]
	_, fires := a.firing[c.name]
	switch {
	case !holds:
		delete(a.since, c.name)
		if fires {
			delete(a.firing, c.name)
			alert.Since = since
			return []Alert{alert}
		}
		return nil
	case !held:
		since = now
		a.since[c.name] = now
	}
	alert.Since, alert.Firing = since, true
	if now.Sub(since) < a.rule.For {
		return nil
	}
	a.firing[c.name] = alert
	if fires {
		return nil
	}
	return []Alert{alert}
}

// of is the rule's numbers of a client, and whether they are above it.
func (r ErrorRule) of(c *client, now time.Time) (Alert, bool) {
	c.mu.Lock()
	short, long := c.overall.short.last(now, int(r.Short/shortSlot)), c.overall.long.last(now, int(r.Long/longSlot))
	c.mu.Unlock()
	a := Alert{Client: c.name, At: now, Short: r.Short, Long: r.Long, ShortRatio: ratio(short), LongRatio: ratio(long), PerSecond: float64(short.Calls) / r.Short.Seconds()}
	return a, a.ShortRatio > r.Ratio && a.LongRatio > r.Ratio && a.PerSecond > r.PerSecond
}

func ratio(t tally) float64 {
	if t.Calls == 0 {
		return 0
	}
	return float64(t.Failed) / float64(t.Calls)
}

// now is the alerts that fire.
func (a *alerts) now() (all []Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alert := range a.firing {
		all = append(all, alert)
	}
	return all
}

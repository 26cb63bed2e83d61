package monitor

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
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
	// Short and Long are the windows. Short is from 10 s to 5 min, in steps of 10 s, and
	// not longer than Long; the default is 5 min, or Long where that is shorter. Long is
	// from 1 min to 1 h, in minutes; the default is 1 h. A window ends now, so that it
	// is longer by the part of a step that has gone by, and the longest is shorter by the
	// part that has not.
	Short, Long time.Duration
	// PerSecond is the traffic over the short window below which nothing is said.
	// Default 0.05 calls, three a minute.
	PerSecond float64
	// For is how long it has to last. Default 5 min; negative is not at all.
	For time.Duration
}

func (r ErrorRule) check() error {
	d := r.withDefaults()
	switch {
	case !(r.Ratio >= 0 && r.Ratio < 1): // nor is NaN
		return fmt.Errorf("monitor: Errors.Ratio is %v: write a part of all calls, such as 0.05 for one in twenty", r.Ratio)
	case r.Short < 0 || r.Short > shortSlots*shortSlot || r.Short%shortSlot != 0:
		return fmt.Errorf("monitor: Errors.Short is %v: write 10 s to 5 min, in steps of 10 s", r.Short)
	case r.Long < 0 || r.Long > longSlots*longSlot || r.Long%longSlot != 0:
		return fmt.Errorf("monitor: Errors.Long is %v: write 1 min to 1 h, in minutes", r.Long)
	case d.Short > d.Long:
		return fmt.Errorf("monitor: Errors.Short is %v and longer than Errors.Long, %v: write a shorter one", d.Short, d.Long)
	case !(r.PerSecond >= 0) || math.IsInf(r.PerSecond, 1):
		return fmt.Errorf("monitor: Errors.PerSecond is %v: write calls in a second, such as 0.05 for three in a minute", r.PerSecond)
	}
	return nil
}

func (r ErrorRule) withDefaults() ErrorRule {
	r.Ratio = cmp.Or(r.Ratio, 0.05)
	r.Long = cmp.Or(r.Long, longSlots*longSlot)
	r.Short = cmp.Or(r.Short, min(shortSlots*shortSlot, r.Long))
	r.PerSecond = cmp.Or(r.PerSecond, 0.05)
	r.For = cmp.Or(r.For, 5*time.Minute)
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

	looked atomic.Int64 // when, in nanoseconds of the steady clock

	mu     sync.Mutex
	timer  *time.Timer
	since  map[string]time.Time // by client, where the rule holds
	firing map[string]Alert

	queue   []Alert // not yet told, in the order in which it happened
	telling bool    // by somebody, who tells the rest of the queue as well
}

// maxQueue bounds what waits behind an Alert func that does not return; the oldest
// news are dropped.
const maxQueue = 1000

// lookEvery is how often.
const lookEvery = 10 * time.Second

// look applies the rule to each client, unless that was done just now, which it reports.
func (a *alerts) look(m *Monitor, now time.Time) (done bool) {
	last, at := a.looked.Load(), steady(m.start, now).UnixNano()
	if at-last < int64(lookEvery) || !a.looked.CompareAndSwap(last, at) {
		return false
	}
	a.mu.Lock()
	for _, c := range m.all() {
		a.queue = append(a.queue, a.apply(c, now)...)
	}
	a.queue = a.queue[max(0, len(a.queue)-maxQueue):]
	a.arm(m)
	a.mu.Unlock()
	a.tell(m.settings.Alert)
	return true
}

// arm has the rule looked at by a timer if time alone decides anything. The caller holds
// the lock.
func (a *alerts) arm(m *Monitor) {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	if len(a.since) > 0 {
		a.timer = time.AfterFunc(lookEvery, func() { a.wake(m) })
	}
}

// wake looks when the timer says so. Where that is too early it is not the last time.
func (a *alerts) wake(m *Monitor) {
	if a.look(m, time.Now()) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arm(m)
}

// tell empties the queue. No lock is held while to runs: it may take its time, ask the
// monitor, or make a call that comes here again, and what comes meanwhile is told by
// who tells already.
func (a *alerts) tell(to func(Alert)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.telling {
		return
	}
	a.telling = true
	defer func() { a.telling = false }() // also if to panics
	for len(a.queue) > 0 {
		next := a.queue[0]
		a.queue = a.queue[1:]
		if to != nil {
			a.unlocked(func() { to(next) })
		}
	}
}

// unlocked runs f without the lock that the caller holds.
func (a *alerts) unlocked(f func()) {
	a.mu.Unlock()
	defer a.mu.Lock()
	f()
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
	at := steady(c.monitor.start, now)
	c.mu.Lock()
	// One slot more, since the newest has only begun.
	short, covers := c.overall.short.over(at, int(r.Short/shortSlot)+1)
	long, _ := c.overall.long.over(at, int(r.Long/longSlot)+1)
	c.mu.Unlock()
	a := Alert{Client: c.name, At: now, Short: r.Short, Long: r.Long, ShortRatio: ratio(short), LongRatio: ratio(long), PerSecond: float64(short.Calls) / covers.Seconds()}
	return a, a.ShortRatio > r.Ratio && a.LongRatio > r.Ratio && a.PerSecond > r.PerSecond
}

func ratio(t tally) float64 {
	if t.Calls == 0 {
		return 0
	}
	return float64(t.Failed) / float64(t.Calls)
}

// now is the alerts that fire, by client.
func (a *alerts) now() (all []Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alert := range a.firing {
		all = append(all, alert)
	}
	slices.SortFunc(all, func(a, b Alert) int { return strings.Compare(a.Client, b.Client) })
	return all
}

package monitor

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// counted is a copy of what a client has counted. It is made while the lock of the client
// is held, as fast as may be, and what takes long is made of it after that: calls are not
// to wait for who looks at the page.
type counted struct {
	overall counts
	series  []counts
	span    time.Duration // that it was counted in
}

// counts is a copy of a series over five minutes.
type counts struct {
	seriesKey

	slots [shortSlots]tally
	times histogram
	total Totals
}

// numbers copies what was counted. The caller holds the lock.
func (c *client) numbers(now time.Time) counted {
	at := steady(c.monitor.start, now)
	n := counted{series: make([]counts, len(c.series)), span: c.span(at)}
	c.overall.copy(&n.overall, at)
	i := 0
	for key, s := range c.series {
		n.series[i].seriesKey = key
		s.copy(&n.series[i], at)
		i++
	}
	return n
}

// span is how long there has been something to count, up to five minutes. It is the same
// for all of a client's numbers, so that they add up.
func (c *client) span(at time.Time) time.Duration {
	return max(shortSlot, min(shortSlots*shortSlot, at.Sub(c.began)))
}

// pace is its calls in a second.
func (c *client) pace(now time.Time) float64 {
	at := steady(c.monitor.start, now)
	return float64(c.overall.short.last(at, shortSlots).Calls) / c.span(at).Seconds()
}

func (s *series) copy(to *counts, at time.Time) {
	s.short.copy(to.slots[:], at)
	for _, h := range s.histograms(at) {
		to.times.add(h)
	}
	to.total = s.total
}

// count fills in the numbers.
func (c *Client) count(n *counted) {
	c.Numbers = n.overall.numbers(n.span)
	for i := range c.Hosts {
		if h := &c.Hosts[i]; h.Last5Min == nil { // else it is a breaker's, of no host
			h.count(n)
		}
	}
}

// count fills in a host's numbers, of all of its operations together.
func (host *Host) count(n *counted) {
	var sum counts
	host.Operations = []Operation{}
	for i := range n.series {
		s := &n.series[i]
		if s.host != host.Name {
			continue
		}
		sum.add(s)
		host.Operations = append(host.Operations, Operation{s.operation, s.numbers(n.span)})
	}
	host.Numbers = sum.numbers(n.span)
	host.Last5Min = make([]Slot, shortSlots)
	for i, t := range &sum.slots {
		host.Last5Min[i] = Slot{t.Calls, t.Failed}
	}
	slices.SortFunc(host.Operations, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.PerSecond, a.PerSecond), strings.Compare(a.Name, b.Name))
	})
	host.lately = host.state.lately(&sum.slots)
}

func (c *counts) add(o *counts) {
	for i, t := range &o.slots {
		c.slots[i].add(t)
	}
	c.times.add(&o.times)
	c.total.Calls += o.total.Calls
	c.total.Failed += o.total.Failed
	c.total.Attempts += o.total.Attempts
}

// numbers are those of what was counted in a time.
func (c *counts) numbers(span time.Duration) Numbers {
	var t tally
	for _, slot := range &c.slots {
		t.add(slot)
	}
	n := Numbers{PerSecond: float64(t.Calls) / span.Seconds(), ErrorRatio: ratio(t), Totals: c.total}
	if t.Calls > 0 {
		n.AttemptsPerCall = float64(t.Attempts) / float64(t.Calls)
	}
	p := percentiles([]*histogram{&c.times}, 0.5, 0.95, 0.99)
	n.P50, n.P95, n.P99 = p[0], p[1], p[2]
	return n
}

package prometheus

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aplomb-go/aplomb"
)

// circuit is the series of one breaker, or of all that are beyond the bound.
type circuit struct {
	states map[aplomb.BreakerState]prometheus.Gauge
	became map[aplomb.BreakerState]prometheus.Counter

	mu    sync.Mutex
	known map[string]turned // by the breaker's key
	in    map[aplomb.BreakerState]int
}

// turned is the latest transition that is known of a breaker.
type turned struct {
	to aplomb.BreakerState
	at time.Time
}

func (m *Metrics) newCircuit(client, host string) *circuit {
	c := &circuit{
		states: map[aplomb.BreakerState]prometheus.Gauge{}, became: map[aplomb.BreakerState]prometheus.Counter{},
		known: map[string]turned{}, in: map[aplomb.BreakerState]int{},
	}
	for _, s := range worst {
		c.states[s] = m.breaker.WithLabelValues(client, host, string(s))
		c.became[s] = m.transitions.WithLabelValues(client, host, string(s))
	}
	return c
}

// turn is under a lock, so that of two transitions at the same time none leaves
// two states behind. They are told on the goroutines of calls: one that comes late is
// counted, and does not show again what is over.
func (c *circuit) turn(key string, to aplomb.BreakerState, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if became := c.became[to]; became != nil {
		became.Inc()
	}
	if !c.learn(key, turned{to, at}) {
		return
	}
	shown := c.shown()
	for s, gauge := range c.states {
		if s == shown {
			gauge.Set(1)
		} else {
			gauge.Set(0)
		}
	}
}

// learn reports whether t is news, and there was room for it. c.mu is held.
func (c *circuit) learn(key string, t turned) bool {
	before, known := c.known[key]
	switch {
	case known && t.at.Before(before.at):
		return false
	case known:
		c.in[before.to]--
	case len(c.known) >= maxFolded && !c.forgetClosed():
		return false
	}
	c.known[key] = t
	c.in[t.to]++
	return true
}

// forgetClosed makes room, if there is a breaker that is well. c.mu is held.
func (c *circuit) forgetClosed() bool {
	if c.in[aplomb.BreakerClosed] == 0 {
		return false
	}
	for key, t := range c.known {
		if t.to == aplomb.BreakerClosed {
			delete(c.known, key)
			c.in[t.to]--
			break
		}
	}
	return true
}

// worst is a breaker's states, the worst first.
var worst = []aplomb.BreakerState{aplomb.BreakerOpen, aplomb.BreakerHalfOpen, aplomb.BreakerClosed}

// shown is the worst state that one of them is in: as one of many closes, the others
// are as open as before. c.mu is held.
func (c *circuit) shown() aplomb.BreakerState {
	for _, s := range worst {
		if c.in[s] > 0 {
			return s
		}
	}
	return ""
}

package monitor

import (
	"context"
	"time"

	"github.com/aplomb-go/aplomb"
)

// put sets m[key] unless that would make it larger than most.
func put[V any](m map[string]V, key string, v V, most int) {
	if _, there := m[key]; there || len(m) < most {
		m[key] = v
	}
}

// turned is a breaker that is not closed, and since when.
type turned struct {
	aplomb.BreakerEvent

	since time.Time
}

func (c *client) breaker(e aplomb.BreakerEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.To == aplomb.BreakerClosed {
		delete(c.breakers, e.Key)
		return
	}
	since := e.At
	if known, there := c.breakers[e.Key]; there { // it flips between open and half-open
		since = known.since
	}
	put(c.breakers, e.Key, turned{e, since}, maxHosts)
}

// quotaAge is for how long a quota is shown whose server said no end of its window,
// since its last word: what was left then says nothing any more.
const quotaAge = 10 * time.Minute

// stated is what a server said of a quota, and until when it is worth something.
type stated struct {
	aplomb.QuotaEvent

	until time.Time
}

func (c *client) quota(_ context.Context, e aplomb.QuotaEvent) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.quotas[e.Name]; !there && len(c.quotas) >= maxQuotas {
		c.forget(now, true)
	}
	q := &stated{QuotaEvent: e}
	if !e.ResetAt.After(now) {
		q.until = now.Add(quotaAge)
		if e.ClosedUntil.After(q.until) {
			q.until = e.ClosedUntil
		}
	}
	put(c.quotas, e.Name, q, maxQuotas)
}

// forget drops the quotas whose word is old, and where there is no room those, too, whose
// window is over. The caller holds the lock.
func (c *client) forget(now time.Time, full bool) {
	for name, q := range c.quotas {
		old := !q.until.IsZero() && !now.Before(q.until)
		if old || full && q.until.IsZero() && !now.Before(q.ResetAt) {
			delete(c.quotas, name)
		}
	}
}

func (c *client) deprecated(_ context.Context, e aplomb.DeprecationEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	put(c.retired, e.Operation, e, maxOperations)
}

func (c *client) storeState(e aplomb.StoreEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store = e
}

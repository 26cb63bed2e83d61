package monitor

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb"
)

// put sets m[key] unless that would make it larger than most.
func put[V any](m map[string]V, key string, v V, most int) {
	if _, there := m[key]; there || len(m) < most {
		m[key] = v
	}
}

// turned is the last word of a breaker, and since when it is not closed.
type turned struct {
	aplomb.BreakerEvent

	since time.Time
}

func (c *client) breaker(e aplomb.BreakerEvent) {
	e.Client, e.Key = c.name, guarded(e.Key)
	c.mu.Lock()
	defer c.mu.Unlock()
	known, there := c.breakers[e.Key]
	if there && e.At.Before(known.At) { // it was overtaken
		return
	}
	if !there && len(c.breakers) >= maxHosts {
		c.forgetClosed()
	}
	since := e.At
	if there && known.To != aplomb.BreakerClosed { // it flips between open and half-open
		since = known.since
	}
	put(c.breakers, e.Key, turned{e, since}, maxHosts)
}

// forgetClosed makes room for breakers that are not. The caller holds the lock.
func (c *client) forgetClosed() {
	maps.DeleteFunc(c.breakers, func(_ string, t turned) bool { return t.To == aplomb.BreakerClosed })
}

// broken is the breakers that are not closed, by what they guard. The caller holds the
// lock.
func (c *client) broken() (all []*turned) {
	for _, key := range slices.Sorted(maps.Keys(c.breakers)) {
		if t := c.breakers[key]; t.To != aplomb.BreakerClosed {
			all = append(all, &t)
		}
	}
	return all
}

// latest is the later one.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
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
	e.Client, e.Operation, e.Name = c.name, "", named(e.Name)
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
	e.Client, e.Operation, e.Link = c.name, named(e.Operation), whole(e.Link, maxText)
	c.mu.Lock()
	defer c.mu.Unlock()
	put(c.retired, e.Operation, e, maxOperations)
}

func (c *client) storeState(e aplomb.StoreEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store = nil
	if e.Down {
		c.store = &Store{Since: e.At, Error: textOf(e.Err)}
	}
}

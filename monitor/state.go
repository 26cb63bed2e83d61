package monitor

import (
	"context"

	"github.com/aplomb-go/aplomb"
)

// put sets m[key] unless that would make it larger than most.
func put[V any](m map[string]V, key string, v V, most int) {
	if _, there := m[key]; there || len(m) < most {
		m[key] = v
	}
}

func (c *client) breaker(e aplomb.BreakerEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.To == aplomb.BreakerClosed {
		delete(c.breakers, e.Key)
		return
	}
	put(c.breakers, e.Key, e, maxHosts)
}

func (c *client) quota(_ context.Context, e aplomb.QuotaEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	put(c.quotas, e.Name, e, maxQuotas)
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

package cache

import (
	"context"
	"io"

	"github.com/aplomb-go/aplomb"
)

// refresh validates an answer in the background that was handed out stale, unless
// that is being done, or too much of it.
func (x *exchange) refresh(e *entry) {
	c := x.cache
	f, leads := c.flights.join(flightKey(x.address, x.owner, x.epoch, x.request))
	if !leads {
		return
	}
	if !c.reserve() {
		f.end(alone, nil)
		return
	}
	ctx, cancel := context.WithTimeout(aplomb.Beside(x.ctx()), refreshTime)
	unlink := context.AfterFunc(c.closing, cancel)
	again := *x
	again.request = x.request.Clone(ctx) // the caller may change its own, address and all, once it has its answer
	again.store = c.store.visit()
	again.quiet = true
	go func() {
		defer c.pending.Done()
		defer func() { <-c.slots }()
		defer cancel()
		defer unlink()
		resp, err := again.forward(e, f)
		if err == nil {
			_, _ = io.CopyN(io.Discard, resp.Body, c.settings.MaxEntry+1)
			_ = resp.Body.Close()
		}
	}()
}

// reserve takes a place in the background, if there is one.
func (c *Cache) reserve() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Err() != nil {
		return false
	}
	select {
	case c.slots <- struct{}{}:
		c.pending.Add(1)
		return true
	default:
		return false
	}
}

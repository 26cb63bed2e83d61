package prometheus

import (
	"context"
	"sync"
)

// underway are a client's calls that have begun and not ended. They are kept one by
// one, not as a number: a call whose hook, middleware or decoder panics is never told
// of as done, and a number would be too high for ever. Here it is forgotten as its
// context ends: that of a typed call with the call, another with the caller's, such as
// a request's that a server answers.
type underway struct {
	mu      sync.Mutex
	calls   map[uint64]<-chan struct{} // closed when the call's context is over
	sweepAt int
}

// leastSweep is from how many calls on it is worth looking whether some are over.
const leastSweep = 64

func (u *underway) begin(ctx context.Context, call uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls, u.sweepAt = map[uint64]<-chan struct{}{}, leastSweep
	}
	if len(u.calls) >= u.sweepAt { // also where nobody collects
		u.sweep()
		u.sweepAt = max(leastSweep, 2*len(u.calls))
	}
	u.calls[call] = ctx.Done()
}

func (u *underway) end(call uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.calls, call)
}

func (u *underway) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sweep()
	return len(u.calls)
}

// sweep forgets the calls whose context is over. u.mu is held.
func (u *underway) sweep() {
	for call, over := range u.calls {
		select {
		case <-over:
			delete(u.calls, call)
		default:
		}
	}
}

package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Store keeps what a [Cache] has to remember. [NewMemory] and [OpenDisk] make those
// of this package.
//
// What an implementation holds to:
//
//   - A key is 64 hexadecimal digits, a value any bytes. The cache checks what it
//     gets back, so that a value may be lost or torn, but not taken for another's.
//   - Get of a key that is not there is nil and no error. The cache does not change
//     a value that it was given or gave away, and neither does the store.
//   - Each method is one atomic step, safe for concurrent use, and returns soon
//     after its context is done.
//   - What is kept is bounded, and what was not used for longest goes first.
type Store interface {
	Get(ctx context.Context, key string) (value []byte, err error)
	Set(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

const (
	// storeTime is how long a call waits for the store (law 10).
	storeTime = 250 * time.Millisecond
	// storeRest is how long a store is left alone after it failed.
	storeRest = time.Second
)

var errResting = errors.New("cache: the store failed a moment ago")

// guarded is a Store that slows no call beyond its small time and is not asked
// again at once when it failed.
type guarded struct {
	store  Store
	until  atomic.Int64 // nanoseconds, when the rest ends
	failed atomic.Int64

	mu sync.Mutex
	// owed are the keys that could not be removed: until they are, there is nothing
	// under them. With more than maxOwed there is nothing under any key.
	owed map[string]bool
}

const maxOwed = 10_000

// owes reports a key whose value ought to be gone, and tries to have it so.
func (g *guarded) owes(ctx context.Context, key string) bool {
	g.mu.Lock()
	owed, all := g.owed[key], len(g.owed) > maxOwed
	g.mu.Unlock()
	return all || owed && g.remove(ctx, key) != nil
}

func (g *guarded) owe(key string, owed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !owed:
		delete(g.owed, key)
	case len(g.owed) <= maxOwed:
		if g.owed == nil {
			g.owed = map[string]bool{}
		}
		g.owed[key] = true
	}
}

// get ends with the call (law 3).
func (g *guarded) get(ctx context.Context, key string) (value []byte) {
	if g.owes(ctx, key) {
		return nil
	}
	_ = g.do(ctx, func(ctx context.Context) (err error) {
		value, err = g.store.Get(ctx, key)
		return err
	})
	return value
}

// set and remove are not ended by the call's own end: what was changed has to be
// forgotten also if nobody waits any more.
func (g *guarded) set(ctx context.Context, key string, value []byte) error {
	err := g.do(context.WithoutCancel(ctx), func(ctx context.Context) error { return g.store.Set(ctx, key, value) })
	if err == nil {
		g.owe(key, false)
	}
	return err
}

func (g *guarded) remove(ctx context.Context, key string) error {
	err := g.do(context.WithoutCancel(ctx), func(ctx context.Context) error { return g.store.Delete(ctx, key) })
	g.owe(key, err != nil)
	return err
}

func (g *guarded) do(call context.Context, f func(context.Context) error) error {
	if time.Now().UnixNano() < g.until.Load() {
		return errResting
	}
	ctx, cancel := context.WithTimeout(call, storeTime)
	defer cancel()
	err := f(ctx)
	if err != nil && call.Err() == nil {
		g.failed.Add(1)
		g.until.Store(time.Now().Add(storeRest).UnixNano())
	}
	return err
}

package cache

import (
	"context"
	"errors"
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
}

// get ends with the call (law 3).
func (g *guarded) get(ctx context.Context, key string) (value []byte) {
	_ = g.do(ctx, func(ctx context.Context) (err error) {
		value, err = g.store.Get(ctx, key)
		return err
	})
	return value
}

// set and remove are not ended by the call's own end: what was changed has to be
// forgotten also if nobody waits any more.
func (g *guarded) set(ctx context.Context, key string, value []byte) error {
	return g.do(context.WithoutCancel(ctx), func(ctx context.Context) error { return g.store.Set(ctx, key, value) })
}

func (g *guarded) remove(ctx context.Context, key string) error {
	return g.do(context.WithoutCancel(ctx), func(ctx context.Context) error { return g.store.Delete(ctx, key) })
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

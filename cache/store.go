package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
//     after its context is done. One that does not is left behind, and until it is
//     back the store is not asked again.
//   - What is kept is bounded, and what was not used for longest goes first.
type Store interface {
	Get(ctx context.Context, key string) (value []byte, err error)
	Set(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

const (
	// storeTime is how long one exchange waits for the store, however often it asks
	// (law 10).
	storeTime = 250 * time.Millisecond
	// storeRest is how long a store is left alone after it failed.
	storeRest = time.Second
	// maxOwed bounds how many keys are remembered that could not be removed.
	maxOwed = 10_000
)

var (
	errResting = errors.New("cache: the store failed a moment ago, or its time is up")
	errPanic   = errors.New("cache: the store panicked")
)

// step is one thing that is done with a store. Only Get has a value.
type step func(context.Context) (value []byte, err error)

// single is a store of one Cache, which knows for which credential it is.
type single struct{ taken atomic.Bool }

// take reports that the store was nobody's.
func (s *single) take() bool { return !s.taken.Swap(true) }

// guarded is a Store that is not asked again at once when it failed, and that
// gives back nothing that it failed to remove.
type guarded struct {
	store  Store
	until  atomic.Int64 // nanoseconds, when the rest ends
	failed atomic.Int64
	hung   atomic.Int32 // steps that were left behind

	mu   sync.Mutex
	owed map[string]bool // keys that could not be removed: until they are, there is nothing under them
	salt string          // of the keys from when more were owed than are remembered
}

// visit is what one exchange has of the store: its time is spent by each step.
type visit struct {
	*guarded
	left time.Duration
}

func (g *guarded) visit() *visit { return &visit{g, storeTime} }

// get ends with the call (law 3).
func (v *visit) get(ctx context.Context, key string) (value []byte) {
	key = v.salted(key)
	if v.owes(key) && v.delete(ctx, key) != nil {
		return nil
	}
	value, _ = v.do(ctx, func(ctx context.Context) ([]byte, error) { return v.store.Get(ctx, key) })
	return value
}

// set is of a key that was got before, so that nothing is owed of it. It and remove
// are not ended by the call's own end: what was changed has to be forgotten also if
// nobody waits any more.
func (v *visit) set(ctx context.Context, key string, value []byte) error {
	key = v.salted(key)
	_, err := v.do(context.WithoutCancel(ctx), func(ctx context.Context) ([]byte, error) { return nil, v.store.Set(ctx, key, value) })
	return err
}

func (v *visit) remove(ctx context.Context, key string) error { return v.delete(ctx, v.salted(key)) }

func (v *visit) delete(ctx context.Context, key string) error {
	_, err := v.do(context.WithoutCancel(ctx), func(ctx context.Context) ([]byte, error) { return nil, v.store.Delete(ctx, key) })
	v.owe(key, err != nil)
	return err
}

func (v *visit) do(call context.Context, f step) ([]byte, error) {
	began := time.Now()
	if v.left <= 0 || began.UnixNano() < v.until.Load() || v.hung.Load() > 0 {
		return nil, errResting
	}
	ctx, cancel := context.WithTimeout(call, v.left)
	defer cancel()
	value, err := v.try(ctx, f)
	v.left -= time.Since(began)
	if err != nil && call.Err() == nil {
		v.failed.Add(1)
		v.until.Store(time.Now().Add(storeRest).UnixNano())
	}
	return value, err
}

// try waits for a step no longer than ctx, whatever the store makes of that: a
// disk of a network knows of no context.
func (g *guarded) try(ctx context.Context, f step) ([]byte, error) {
	if _, instant := g.store.(*Memory); instant {
		return f(ctx)
	}
	var value []byte
	err, done := errPanic, make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }() // it would end the program
		value, err = f(ctx)
	}()
	select {
	case <-done:
		return value, err
	case <-ctx.Done():
		g.hung.Add(1)
		go func() { <-done; g.hung.Add(-1) }()
		return nil, ctx.Err()
	}
}

func (g *guarded) owes(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.owed[key]
}

// owe notes whether a key's value ought to be gone. When there are too many to
// remember each is gone, and those of other processes with them.
func (g *guarded) owe(key string, owed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !owed:
		delete(g.owed, key)
	case len(g.owed) >= maxOwed:
		g.owed, g.salt = nil, rand.Text()
	case g.owed == nil:
		g.owed = map[string]bool{key: true}
	default:
		g.owed[key] = true
	}
}

func (g *guarded) salted(key string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.salt == "" {
		return key
	}
	h := sha256.New()
	part(h, g.salt)
	part(h, key)
	return hex.EncodeToString(h.Sum(nil))
}

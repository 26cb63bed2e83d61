package aplomb

import (
	"sync"
	"sync/atomic"
)

// maxKeys bounds how many hosts or quotas a client keeps state for (law 7). A host takes
// some 3 KB, so a full client some 50 MB. For one more, one not used of late is forgotten.
const maxKeys = 1 << 14

// A stateKey is what state is kept for: an origin, a name, or a name at an origin. It is
// one type, since each type of key would be the code of keyed once more.
type stateKey struct {
	to   origin
	name string
}

// keyed is a bounded map from a key to its state, made on first use. What is known is
// found without a lock that keeps others out: every call looks here several times.
type keyed[V any] struct {
	create func(name string) V
	limit  int

	// latest is the entry found or made last, to find the only host again without lock or
	// hash, and without a mark. A Value, since Pointers to each V make programs larger.
	latest atomic.Value

	mu    sync.RWMutex
	byKey map[stateKey]*keyedEntry[V]
	ring  keyedEntry[V] // ring.next was made or spared last, ring.prev is looked at first
}

type keyedEntry[V any] struct {
	key        stateKey
	value      V
	used       atomic.Bool // found since it was made or last spared
	prev, next *keyedEntry[V]
}

func newKeyed[V any](limit int, create func(name string) V) *keyed[V] {
	k := &keyed[V]{create: create, limit: limit, byKey: map[stateKey]*keyedEntry[V]{}}
	k.ring.prev, k.ring.next = &k.ring, &k.ring
	return k
}

// get is the state of a name.
func (k *keyed[V]) get(name string) V { return k.at(stateKey{name: name}) }

func (k *keyed[V]) at(key stateKey) V {
	if e, _ := k.latest.Load().(*keyedEntry[V]); e != nil && e.key == key {
		return e.value
	}
	e := k.find(key)
	if e == nil {
		e = k.add(key)
	}
	return e.value
}

func (k *keyed[V]) find(key stateKey) *keyedEntry[V] {
	k.mu.RLock()
	e := k.byKey[key]
	if e != nil {
		e.used.Store(true)
		k.latest.Store(e) // under the lock, lest it was forgotten meanwhile
	}
	k.mu.RUnlock()
	return e
}

func (k *keyed[V]) add(key stateKey) *keyedEntry[V] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.byKey[key]; e != nil {
		return e
	}
	if len(k.byKey) >= k.limit {
		k.forget() // first, lest it is the new one that goes
	}
	e := &keyedEntry[V]{key: key, value: k.create(key.name)}
	k.byKey[key] = e
	e.link(&k.ring)
	k.latest.Store(e)
	return e
}

// forget drops the oldest that was not used since it was last looked at, and spares the
// others; the latest too, once, since that may be in use without a mark. k.mu is held.
func (k *keyed[V]) forget() {
	latest, _ := k.latest.Load().(*keyedEntry[V])
	for {
		oldest := k.ring.prev
		oldest.unlink()
		switch {
		case oldest.used.Swap(false):
		case oldest == latest:
			latest = nil
		default:
			delete(k.byKey, oldest.key)
			k.latest.CompareAndSwap(oldest, (*keyedEntry[V])(nil))
			return
		}
		oldest.link(&k.ring)
	}
}

func (k *keyed[V]) len() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.byKey)
}

// link puts e after at.
func (e *keyedEntry[V]) link(at *keyedEntry[V]) {
	e.prev, e.next = at, at.next
	e.prev.next, e.next.prev = e, e
}

func (e *keyedEntry[V]) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}

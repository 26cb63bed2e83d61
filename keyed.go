package aplomb

import "sync"

// maxKeys bounds how many hosts or quotas a client keeps state for; the least
// recently used is forgotten (law 7).
const maxKeys = 4096

// keyed is a bounded map from a key to its state, made on first use.
type keyed[K comparable, V any] struct {
	create func(key K) V
	limit  int

	mu    sync.Mutex
	byKey map[K]*keyedEntry[K, V]
	ring  keyedEntry[K, V] // ring.next is the most recent, ring.prev the least
}

type keyedEntry[K comparable, V any] struct {
	key        K
	value      V
	prev, next *keyedEntry[K, V]
}

func newKeyed[K comparable, V any](limit int, create func(key K) V) *keyed[K, V] {
	k := &keyed[K, V]{create: create, limit: limit, byKey: map[K]*keyedEntry[K, V]{}}
	k.ring.prev, k.ring.next = &k.ring, &k.ring
	return k
}

func (k *keyed[K, V]) get(key K) V {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byKey[key]
	switch {
	case !ok:
		e = &keyedEntry[K, V]{key: key, value: k.create(key)}
		k.byKey[key] = e
	case k.ring.next == e:
		return e.value
	default:
		e.unlink()
	}
	e.link(&k.ring)
	if len(k.byKey) > k.limit {
		oldest := k.ring.prev
		oldest.unlink()
		delete(k.byKey, oldest.key)
	}
	return e.value
}

func (k *keyed[K, V]) len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.byKey)
}

// link puts e after at.
func (e *keyedEntry[K, V]) link(at *keyedEntry[K, V]) {
	e.prev, e.next = at, at.next
	e.prev.next, e.next.prev = e, e
}

func (e *keyedEntry[K, V]) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}

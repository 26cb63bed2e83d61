package aplomb

import (
	"container/list"
	"sync"
)

// maxKeys bounds how many hosts or quotas a client keeps state for; the least
// recently used is forgotten (law 7).
const maxKeys = 4096

// keyed is a bounded map from a key to its state, made on first use.
type keyed[K comparable, V any] struct {
	make func(key K) V
	max  int

	mu     sync.Mutex
	byKey  map[K]*list.Element
	recent list.List // of *keyedEntry[K, V], most recent first
}

type keyedEntry[K comparable, V any] struct {
	key   K
	value V
}

func newKeyed[K comparable, V any](limit int, make func(key K) V) *keyed[K, V] {
	return &keyed[K, V]{make: make, max: limit, byKey: map[K]*list.Element{}}
}

func (k *keyed[K, V]) get(key K) V {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byKey[key]; ok {
		k.recent.MoveToFront(e)
		return e.Value.(*keyedEntry[K, V]).value
	}
	entry := &keyedEntry[K, V]{key, k.make(key)}
	k.byKey[key] = k.recent.PushFront(entry)
	if k.recent.Len() > k.max {
		oldest := k.recent.Remove(k.recent.Back()).(*keyedEntry[K, V])
		delete(k.byKey, oldest.key)
	}
	return entry.value
}

func (k *keyed[K, V]) len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.recent.Len()
}

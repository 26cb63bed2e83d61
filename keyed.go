package aplomb

import (
	"container/list"
	"sync"
)

// maxKeys bounds how many hosts or quotas a client keeps state for; the least
// recently used is forgotten (law 7).
const maxKeys = 4096

// keyed is a bounded map from a key to its state, made on first use.
type keyed[V any] struct {
	make func(key string) V
	max  int

	mu     sync.Mutex
	byKey  map[string]*list.Element
	recent list.List // of *keyedEntry[V], most recent first
}

type keyedEntry[V any] struct {
	key   string
	value V
}

func newKeyed[V any](limit int, make func(key string) V) *keyed[V] {
	return &keyed[V]{make: make, max: limit, byKey: map[string]*list.Element{}}
}

func (k *keyed[V]) get(key string) V {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byKey[key]; ok {
		k.recent.MoveToFront(e)
		return e.Value.(*keyedEntry[V]).value
	}
	entry := &keyedEntry[V]{key, k.make(key)}
	k.byKey[key] = k.recent.PushFront(entry)
	if k.recent.Len() > k.max {
		oldest := k.recent.Remove(k.recent.Back()).(*keyedEntry[V])
		delete(k.byKey, oldest.key)
	}
	return entry.value
}

func (k *keyed[V]) len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.recent.Len()
}

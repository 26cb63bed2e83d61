package cache

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// memoryOverhead is about what a value costs beside its bytes.
const memoryOverhead = 256

// Memory is a [Store] in this process's memory. [NewMemory] makes it.
type Memory struct {
	single
	mu     sync.Mutex
	max    int64
	size   int64
	values map[string]*list.Element
	recent list.List // of *memoryValue, the latest used first
}

type memoryValue struct {
	key   string
	value []byte
}

func (v *memoryValue) cost() int64 { return int64(len(v.key)+cap(v.value)) + memoryOverhead }

// NewMemory returns a store that takes up to maxBytes, and forgets what was not
// used for longest.
func NewMemory(maxBytes int64) *Memory {
	return &Memory{max: maxBytes, values: map[string]*list.Element{}}
}

// Get is [Store.Get].
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.values[key]
	if !ok {
		return nil, nil
	}
	m.recent.MoveToFront(el)
	return el.Value.(*memoryValue).value, nil //nolint:forcetypeassert // the list holds nothing else
}

// Set is [Store.Set].
func (m *Memory) Set(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.values[key])
	v := &memoryValue{key, value}
	if v.cost() > m.max {
		return nil
	}
	m.values[key] = m.recent.PushFront(v)
	m.size += v.cost()
	for m.size > m.max {
		m.drop(m.recent.Back())
	}
	return nil
}

// Delete is [Store.Delete].
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.values[key])
	return nil
}

// Size is how many bytes are taken.
func (m *Memory) Size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size
}

// Format prints how full the store is and not what is in it.
func (m *Memory) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "cache.Memory(%d of %d bytes)", m.Size(), m.max)
}

func (m *Memory) drop(el *list.Element) {
	if el == nil {
		return
	}
	v := m.recent.Remove(el).(*memoryValue) //nolint:forcetypeassert // the list holds nothing else
	delete(m.values, v.key)
	m.size -= v.cost()
}

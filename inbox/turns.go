package inbox

import (
	"context"
	"sync"
)

// turns has one writer at a time, and of those that wait by turns one that is
// quick, such as an insert, and one that may take its time, a handler with a
// transaction: many handlers keep no webhook waiting, nor the other way about.
type turns struct {
	mu      sync.Mutex
	busy    bool
	waiting [2][]chan struct{} // quick and slow
	last    speed              // whose turn it was
}

type speed int

const (
	quick speed = iota
	slow
)

// take waits for a turn, and give ends it.
func (t *turns) take(ctx context.Context, s speed) error {
	t.mu.Lock()
	if !t.busy {
		t.busy, t.last = true, s
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	t.waiting[s] = append(t.waiting[s], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	for i, w := range t.waiting[s] {
		if w == turn {
			t.waiting[s] = append(t.waiting[s][:i:i], t.waiting[s][i+1:]...)
			t.mu.Unlock()
			return context.Cause(ctx)
		}
	}
	t.mu.Unlock()
	t.give() // it came at the same time
	return context.Cause(ctx)
}

func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range []speed{1 - t.last, t.last} {
		if len(t.waiting[s]) > 0 {
			close(t.waiting[s][0])
			t.waiting[s], t.last = t.waiting[s][1:], s
			return
		}
	}
	t.busy = false
}

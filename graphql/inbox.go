package graphql

import (
	"context"
	"sync"
)

// inbox holds what has come and was not asked for yet. One goroutine puts and one
// takes; any may end it.
type inbox struct {
	most int64
	news chan struct{} // has a token after a change
	room chan struct{}

	mu      sync.Mutex
	waiting [][]byte
	size    int64
	err     error // why nothing more comes
}

func newInbox(most int64) *inbox {
	return &inbox{most: most, news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// perItem is what an event costs beside its bytes.
const perItem = 64

// put waits for room; one event has it always. False is the end of ctx.
func (b *inbox) put(ctx context.Context, item []byte) bool {
	for !b.fits(item) {
		select {
		case <-b.room:
		case <-ctx.Done():
			return false
		}
	}
	signal(b.news)
	return true
}

func (b *inbox) fits(item []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return true // and into the void: nobody takes it any more
	}
	size := int64(len(item)) + perItem
	if b.size > 0 && b.size+size > b.most {
		return false
	}
	b.waiting, b.size = append(b.waiting, item), b.size+size
	return true
}

// take waits for the next item. What came before the end comes before it.
func (b *inbox) take(ctx context.Context) ([]byte, error) {
	for {
		item, ok, err := b.first()
		switch {
		case ctx.Err() != nil:
			return nil, &fault{what: "ended", cause: context.Cause(ctx), final: true}
		case ok:
			signal(b.room)
			return item, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-b.news:
		case <-ctx.Done():
		}
	}
}

func (b *inbox) first() (item []byte, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return nil, false, b.err
	}
	item = b.waiting[0]
	b.waiting[0] = nil
	b.waiting, b.size = b.waiting[1:], b.size-int64(len(item))-perItem
	return item, true, nil
}

// end says that nothing more comes, and why; the first reason holds.
func (b *inbox) end(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	signal(b.news)
	signal(b.room)
}

// open reports that more may come.
func (b *inbox) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

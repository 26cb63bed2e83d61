package aplomb

import (
	"context"
	"sync"
	"time"
)

// A lazyEnd is a context that ends before another, made when somebody asks for its end or
// derives one from it. For most calls nobody does, which saves each a timer, and for most
// attempts the transport alone.
type lazyEnd struct {
	mu   sync.Mutex
	made context.Context // nil until asked for
	quit context.CancelCauseFunc
	over bool
}

// inner is what Value and Err have to ask: the one that was made, else outer. Package
// context finds by Value whose channel Done gave, else it starts a goroutine for each child.
func (l *lazyEnd) inner(outer context.Context) (ctx context.Context, over bool) {
	l.mu.Lock()
	ctx, over = l.made, l.over
	l.mu.Unlock()
	if ctx == nil {
		ctx = outer
	}
	return ctx, over
}

// context is the one that ends, made of outer when it is first asked for: by end, and at
// the deadline where that is not zero.
func (l *lazyEnd) context(outer context.Context, deadline time.Time, late *timeoutError) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.made != nil:
		return l.made
	case deadline.IsZero():
		l.made, l.quit = context.WithCancelCause(outer)
	default:
		timed, stop := context.WithDeadlineCause(outer, deadline, late)
		l.made, l.quit = timed, func(error) { stop() }
	}
	if l.over {
		l.quit(nil)
	}
	return l.made
}

// end ends it.
func (l *lazyEnd) end(cause error) {
	l.mu.Lock()
	l.over = true
	quit := l.quit
	l.mu.Unlock()
	if quit != nil {
		quit(cause)
	}
}

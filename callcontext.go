package aplomb

import (
	"context"
	"time"
)

// A callContext has its call in it, and ends at the call's deadline.
type callContext struct {
	context.Context // the caller's

	call     *call
	deadline time.Time     // sooner than the caller's; zero: that alone
	late     *timeoutError // the cause at the deadline
	ending   lazyEnd       // where there is a deadline
}

// enter is ctx with the call in it. The first is a part of the call, so that it
// allocates nothing.
func (c *call) enter(ctx context.Context) *callContext {
	own := &c.context
	if own.call != nil {
		own = &callContext{}
	}
	own.Context, own.call = ctx, c
	return own
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c.call
	}
	inner, _ := c.ending.inner(c.Context)
	return inner.Value(key)
}

func (c *callContext) Deadline() (time.Time, bool) {
	if c.deadline.IsZero() {
		return c.Context.Deadline()
	}
	return c.deadline, true
}

func (c *callContext) Done() <-chan struct{} {
	if c.deadline.IsZero() {
		return c.Context.Done()
	}
	return c.ending.context(c.Context, c.deadline, c.late).Done()
}

// endedBy reports that ctx has ended, where it is known what time it is.
func endedBy(ctx context.Context, now time.Time) bool {
	if c, ok := ctx.(*callContext); ok {
		return c.errAt(now) != nil
	}
	return ctx.Err() != nil
}

func (c *callContext) Err() error { return c.errAt(time.Now()) }

func (c *callContext) errAt(now time.Time) error {
	inner, over := c.ending.inner(c.Context)
	switch {
	case c.deadline.IsZero():
		return inner.Err()
	case !now.Before(c.deadline):
		// Its timer is due, or it is made as one that ended at the deadline: what the
		// caller's context did since is of no account.
		late := c.ending.context(context.WithoutCancel(c.Context), c.deadline, c.late)
		<-late.Done()
		return late.Err()
	case over:
		return c.ending.context(c.Context, c.deadline, c.late).Err()
	}
	return inner.Err()
}

// end ends the context with its call, where it has a deadline of its own.
func (c *callContext) end() { c.ending.end(nil) }

// String keeps fmt from printing the call, which may hold secrets.
func (c *callContext) String() string { return "aplomb.call" }

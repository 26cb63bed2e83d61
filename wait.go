package aplomb

import (
	"context"
	"time"
)

// WaitCause is what a call waits for.
type WaitCause string

// The causes of waits.
const (
	WaitBackoff  WaitCause = "backoff"  // before a retry, Retry-After included
	WaitBulkhead WaitCause = "bulkhead" // a place among the requests in flight
	WaitLimiter  WaitCause = "limiter"  // a told rate
	WaitQuota    WaitCause = "quota"    // a closed or paced quota
)

// A wait is one wait of a call, from startWait to end.
type wait struct {
	call  *call
	ctx   context.Context
	event WaitEvent
}

func (c *call) startWait(ctx context.Context, cause WaitCause, d time.Duration) *wait {
	w := &wait{c, ctx, WaitEvent{Call: c.id, Client: c.stack.cfg.name, Operation: c.operation, Cause: cause, Start: time.Now(), Duration: d}}
	if hooks := c.stack.watch.hooks; hooks != nil {
		hooks.waitStart(w)
	}
	if log := c.stack.watch.log; log != nil {
		log.wait(ctx, w.event)
	}
	return w
}

func (w *wait) end() {
	w.event.Duration = time.Since(w.event.Start)
	w.call.waited += w.event.Duration
	if hooks := w.call.stack.watch.hooks; hooks != nil {
		hooks.waitDone(w)
	}
}

// sleep waits for d or for the context, whichever ends first.
func (c *call) sleep(ctx context.Context, cause WaitCause, d time.Duration) error {
	w := c.startWait(ctx, cause, d)
	defer w.end()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return w.cut()
	}
}

// await waits for passed, which is expected after d, for the end of the longest
// wait, or for the context.
func (c *call) await(ctx context.Context, cause WaitCause, d time.Duration, passed <-chan error, over <-chan time.Time) error {
	w := c.startWait(ctx, cause, d)
	defer w.end()
	select {
	case err := <-passed:
		return err
	case <-over:
		return errPatience
	case <-ctx.Done():
		return w.cut()
	}
}

// cut is the error of a wait that the context ended.
func (w *wait) cut() error {
	return &refusal{why: "ended while waiting for the " + string(w.event.Cause), err: context.Cause(w.ctx)}
}

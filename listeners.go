package aplomb

import (
	"context"
	"time"
)

// A listener is a Hooks without its methods: the linker keeps every method of what a
// client holds, and Hooks.applyClient would keep all of this file in each program.
type listener Hooks

// listeners are the audience that Hooks make.
type listeners []listener

func newListeners(cfg config) audience { return listeners(cfg.hooks) }

func (l listeners) callStart(ctx context.Context, c *call) {
	c.began = c.start
	if c.hops > 0 {
		c.began = time.Now()
	}
	e := c.event()
	for i := range l {
		if start := l[i].CallStart; start != nil {
			start(ctx, e)
		}
		c.heard = i + 1
	}
}

func (l listeners) callDone(ctx context.Context, c *call, err error) {
	e := c.event()
	e.Elapsed, e.Waited, e.Attempts, e.Err = time.Since(c.began), c.waited-c.counted.waited, c.attempts-c.counted.attempts, err
	hooks := l[:c.heard]
	c.counted, c.heard = tally{c.attempts, c.waited}, 0
	whole := 0
	if c.last != nil && c.last.answer() != nil {
		e.Status = c.last.answer().StatusCode
		if c.last.Response != nil {
			whole = e.Status
		}
	}
	e.Result = resultOf(whole, err)
	for i := range hooks {
		if done := hooks[i].CallDone; done != nil {
			done(ctx, e)
		}
	}
}

func (l listeners) attemptStart(a *Attempt) {
	for i := range l {
		if want := l[i].WantPhases; want != nil && a.watch == nil && want(a.ctx, a.event()) {
			a.measure()
		}
	}
	for i := range l {
		if start := l[i].AttemptStart; start != nil {
			start(a.ctx, a.event())
		}
		a.heard = i + 1
	}
}

func (l listeners) attemptDone(a *Attempt) {
	phases, hooks := a.watch.stop(a.call.typed), l[:a.heard]
	a.heard = 0
	for i := range hooks {
		if done := hooks[i].AttemptDone; done != nil {
			e := a.event()
			e.Phases, e.done = phases, true
			done(a.ctx, e)
		}
	}
}

func (l listeners) bodyFailed(a *Attempt, err error) {
	for i := range l {
		if failed := l[i].BodyFailed; failed != nil {
			e := a.event()
			e.Err = a.tell(err)
			failed(a.ctx, e)
		}
	}
}

func (l listeners) waitStart(w *wait) {
	for i := range l {
		if start := l[i].WaitStart; start != nil {
			start(w.ctx, w.event)
		}
	}
}

func (l listeners) waitDone(w *wait) {
	for i := range l {
		if done := l[i].WaitDone; done != nil {
			done(w.ctx, w.event)
		}
	}
}

func (l listeners) breaker(e BreakerEvent) {
	for i := range l {
		if told := l[i].Breaker; told != nil {
			told(e)
		}
	}
}

func (l listeners) quota(ctx context.Context, e QuotaEvent) {
	for i := range l {
		if told := l[i].Quota; told != nil {
			told(ctx, e)
		}
	}
}

func (l listeners) store(e StoreEvent) {
	for i := range l {
		if told := l[i].Store; told != nil {
			told(e)
		}
	}
}

func (l listeners) deprecated(ctx context.Context, e DeprecationEvent) {
	for i := range l {
		if told := l[i].Deprecated; told != nil {
			told(ctx, e)
		}
	}
}

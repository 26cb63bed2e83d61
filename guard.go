package aplomb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// guard stands between the calls and a store that may be slow, gone or mad: it
// bounds each operation in time, leaves a failing store alone, and lets one
// operation at a time try whether it is back.
type guard struct {
	timeout time.Duration

	mu      sync.Mutex
	away    bool
	pause   time.Duration // how long it is left alone; 0 while it is there
	until   time.Time     // when the next trial may begin
	trying  bool
	overdue int          // operations that are past their time and have not returned
	events  []StoreEvent // to be told by fleet.flush
}

const (
	pauseBase = time.Second
	pauseMax  = 5 * time.Second
	// A store that heeds no context may keep a goroutine for as long as it
	// likes. With so many kept, it is not tried again.
	maxOverdue = 16
	maxEvents  = 16
)

var (
	errStoreSlow = errors.New("no answer in time")
	errStoreExit = errors.New("the store ended its goroutine")
)

// operation is one call of the store. A nil one was not made.
type operation struct {
	guard *guard
	trial bool
	done  chan struct{} // closed when the outcome stands; err may be read then
	err   error

	settled bool // guard.mu
}

// start runs an operation in the background, unless the store is left alone.
// The context of run is no child of the caller's: an impatient caller says
// nothing of the store's health, and its values are none of the store's.
func (g *guard) start(run func(context.Context) error) *operation {
	op := g.admit(time.Now())
	if op == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	stop := context.AfterFunc(ctx, op.expire)
	go func() {
		err := errStoreExit
		defer func() {
			if r := recover(); r != nil {
				err = errors.New("the store panicked: " + redact.Text(fmt.Sprint(r), 200))
			}
			stop()
			op.finish(err)
			cancel()
		}()
		err = run(ctx)
	}()
	return op
}

// admit lets an operation through while the store is there, and one at a time
// when it has been left alone for long enough.
func (g *guard) admit(now time.Time) *operation {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away {
		if g.trying || now.Before(g.until) || g.overdue >= maxOverdue {
			return nil
		}
		g.trying = true
	}
	return &operation{guard: g, trial: g.away, done: make(chan struct{})}
}

// finish ends the operation with what run returned, unless it had expired.
func (o *operation) finish(err error) {
	o.guard.mu.Lock()
	defer o.guard.mu.Unlock()
	if o.settled {
		o.guard.overdue--
		return
	}
	o.settle(err)
}

// expire ends an operation that is past its time, whether or not the store
// heeds its context.
func (o *operation) expire() {
	o.guard.mu.Lock()
	defer o.guard.mu.Unlock()
	if !o.settled {
		o.guard.overdue++
		o.settle(errStoreSlow)
	}
}

// settle draws the conclusions. guard.mu is held.
func (o *operation) settle(err error) {
	g, now := o.guard, time.Now()
	o.settled, o.err = true, err
	close(o.done)
	if o.trial {
		g.trying = false
	}
	switch {
	case err == nil && o.trial:
		g.away, g.pause = false, 0
		g.note(StoreEvent{At: now})
	case err != nil && (o.trial || !g.away):
		g.pause = min(max(2*g.pause, pauseBase), pauseMax)
		g.until = now.Add(g.pause)
		if !g.away {
			g.away = true
			g.note(StoreEvent{Err: err, At: now, Down: true})
		}
	}
}

// note keeps an event for flush, the latest few if nobody flushes. g.mu is held.
func (g *guard) note(e StoreEvent) {
	if len(g.events) == maxEvents {
		g.events = g.events[:copy(g.events, g.events[1:])]
	}
	g.events = append(g.events, e)
}

// drain hands out the events since it was last called.
func (g *guard) drain() []StoreEvent {
	g.mu.Lock()
	defer g.mu.Unlock()
	events := g.events
	g.events = nil
	return events
}

// wait waits for the outcome, which the guard's timeout bounds.
func (o *operation) wait() {
	if o != nil {
		<-o.done
	}
}

// await reports success. It gives up when ctx is done, and when half the time
// until its deadline is over: the rest is the call's. The operation goes on.
func (o *operation) await(ctx context.Context) bool {
	if o == nil {
		return false
	}
	var impatient <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		if half := time.Until(deadline) / 2; half < o.guard.timeout {
			timer := time.NewTimer(half)
			defer timer.Stop()
			impatient = timer.C
		}
	}
	select {
	case <-o.done:
		return o.err == nil
	case <-impatient:
	case <-ctx.Done():
	}
	return false
}

package inbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// run is one Run of an inbox: a loop that claims, a goroutine for each event at
// work, one that renews leases and one that purges.
type run struct {
	*Inbox
	ended chan struct{} // an event at work has ended

	mu       sync.Mutex
	atWork   map[int64]*work // by Seq: the latest attempt
	handling int             // handlers at work, also those that have lost their events
}

// work is an event that is being handled.
type work struct {
	record  *Record
	began   time.Time
	suspect bool // its last lease ran out
	stop    context.CancelCauseFunc
	// settling says that its handler has returned: only the store is missing.
	settling bool
}

// Run handles events until the context ends, and returns once the handlers that
// are at work have. Several processes, and several inboxes, may run on one store.
// A store that fails is asked again, at growing intervals of up to five seconds:
// Run returns an error only if there is no handler.
func (b *Inbox) Run(ctx context.Context) error {
	if b.handler == nil {
		return errors.New("inbox: Run needs a handler: give New one")
	}
	r := &run{Inbox: b, ended: make(chan struct{}, 1), atWork: map[int64]*work{}}
	// What is at work outlives ctx, so that it can end well.
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var renewing, purging, handling sync.WaitGroup
	renewing.Go(func() { r.renew(working) })
	purging.Go(func() { r.purge(ctx) })
	r.claim(ctx, func(w *work) { handling.Go(func() { r.handle(working, w) }) })

	drained := time.AfterFunc(b.set.Drain, func() { stop(errDrained) })
	handling.Wait()
	drained.Stop()
	stop(nil)
	renewing.Wait()
	purging.Wait()
	return nil
}

var errDrained = errors.New("the process is ending")

// claim starts what is due, as long as there are workers, until ctx ends.
func (r *run) claim(ctx context.Context, start func(*work)) {
	failures := 0
	for ctx.Err() == nil {
		limit, expired := r.capacity()
		if limit == 0 {
			r.idle(ctx, r.set.Every)
			continue
		}
		records, next, err := r.lease(ctx, limit, expired)
		if err != nil {
			if ctx.Err() == nil {
				r.set.Hooks.trouble(ctx, "claim", err)
				failures++
				pause(ctx, troubled(failures))
			}
			continue
		}
		failures = 0
		for i := range records {
			start(r.begin(&records[i]))
		}
		if len(records) < limit {
			r.idle(ctx, min(next, r.set.Every))
		}
	}
}

// storeTimeout is what one step of the store may take.
const storeTimeout = 10 * time.Second

// lease claims events. It outlives ctx: what was leased and not received would
// wait until its lease runs out.
func (r *run) lease(ctx context.Context, limit, expired int) ([]Record, time.Duration, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return r.store.Claim(limited, Claim{Owner: r.set.Owner, Limit: limit, Lease: r.set.Lease, Expired: expired, Sources: r.set.Sources})
}

// capacity is how many events may be claimed, and how many of them may be ones
// whose lease ran out. Those are handled one at a time: the one that kills the
// process then takes no other such event with it again and again, until that is
// a dead letter too.
func (r *run) capacity() (limit, expired int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	expired = 1
	for _, w := range r.atWork {
		if w.suspect && time.Since(w.began) <= r.set.Timeout { // one that hangs is not awaited
			expired = 0
		}
	}
	return max(0, r.set.Workers-r.handling), expired
}

func (r *run) begin(e *Record) *work {
	w := &work{record: e, began: time.Now(), suspect: len(e.History) > 0 && e.History[len(e.History)-1].Error == RanOut}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before := r.atWork[e.Seq]; before != nil && before.stop != nil {
		before.stop(ErrLost) // to this very process, after a time without the store
	}
	r.atWork[e.Seq] = w
	r.handling++
	return w
}

func (r *run) end(w *work) {
	r.mu.Lock()
	if r.atWork[w.record.Seq] == w {
		delete(r.atWork, w.record.Seq)
	}
	r.handling--
	r.mu.Unlock()
	select {
	case r.ended <- struct{}{}:
	default: // it will look
	}
}

// idle waits for something to do, for d at most.
func (r *run) idle(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-r.woken:
	case <-r.ended:
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// troubled is how long to leave a store alone that has failed so often in a row.
func troubled(failures int) time.Duration {
	return jitter(min(5*time.Second, 100*time.Millisecond<<min(failures, 10)))
}

// jitter is between half of d and d.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }

// renew extends the leases of what is at work.
func (r *run) renew(ctx context.Context) {
	for {
		pause(ctx, r.set.Lease/3)
		if ctx.Err() != nil {
			return
		}
		busy, leases := r.renewable()
		if len(leases) == 0 {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, r.set.Lease/3)
		held, err := r.store.Extend(limited, r.set.Lease, leases...)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				r.set.Hooks.trouble(ctx, "extend", err)
			}
			continue
		}
		for i, w := range busy {
			if !held[i] {
				w.stop(ErrLost)
			}
		}
	}
}

// renewable is what may keep its lease: not a handler that ignores that its time
// is up, or the event would be its own for ever.
func (r *run) renewable() (busy []*work, leases []Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.atWork {
		if w.stop != nil && (w.settling || time.Since(w.began) <= r.set.Timeout) {
			busy, leases = append(busy, w), append(leases, w.record.Lease())
		}
	}
	return busy, leases
}

// purgeEvery is how often what is old is forgotten.
const purgeEvery = 10 * time.Minute

func (r *run) purge(ctx context.Context) {
	for {
		pause(ctx, jitter(purgeEvery)) // not all processes at once
		if ctx.Err() != nil {
			return
		}
		if _, err := r.store.Purge(ctx, r.set.Retention); err != nil && ctx.Err() == nil {
			r.set.Hooks.trouble(ctx, "purge", err)
		}
	}
}

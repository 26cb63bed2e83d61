package poll

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// Run polls as long as ctx lasts and puts what is new into Store: the events, what
// was read and the validators in one commit. It waits for the cursor's lease,
// keeps it while it polls, also between rounds, and gives it back in the end; a
// feed that has lost it goes back to waiting. Start it in every replica.
//
// It returns an error always: the context's, or one that does not pass by
// itself, as [Feed.Events] has it. A store that fails is tried again.
func (f *Feed[T]) Run(ctx context.Context) error {
	if err := f.check(true); err != nil {
		return err
	}
	t := &tenure[T]{
		feed: f, owner: rand.Text(), lease: cmp.Or(f.Lease, 30*time.Second), rounds: newRounds(f),
		webhooks: webhooks{expected: f.Webhook, grace: f.grace()},
	}
	for {
		if err := t.wait(ctx); err != nil {
			return f.named(err)
		}
		if err := t.reign(ctx); !errors.Is(err, inbox.ErrLost) {
			return f.named(err)
		}
	}
}

// tenure is one process's part in polling a feed.
type tenure[T any] struct {
	feed  *Feed[T]
	owner string
	lease time.Duration
	fence atomic.Int64 // of the latest lease
	// committing says that a commit is under way. It fails if the lease was lost, so
	// nothing has to be known of the lease meanwhile; and where writes wait for each
	// other, an extension would wait for it in vain.
	committing atomic.Bool
	rounds     *rounds[T]
	webhooks   webhooks
}

// storeError is a failure of the store. It passes: nothing is lost meanwhile.
type storeError struct{ err error }

func (e *storeError) Error() string { return "the store: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// hold takes the lease or extends it.
func (t *tenure[T]) hold(ctx context.Context) (inbox.Cursor, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, t.lease)
	defer cancel()
	c, held, err := t.feed.Store.Hold(ctx, t.feed.name(), t.owner, t.lease)
	if err != nil {
		return c, false, &storeError{err}
	}
	if held {
		t.fence.Store(c.Fence)
	}
	return c, held, nil
}

// wait returns when the lease is ours.
func (t *tenure[T]) wait(ctx context.Context) error {
	for {
		_, held, err := t.hold(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case held:
			t.tell(ctx, true, nil)
			return nil
		}
		again := t.rounds.schedule.padded(t.lease / 3)
		if polled := t.feed.Hooks.Polled; err != nil && polled != nil {
			polled(ctx, PollEvent{Feed: t.feed.name(), Start: time.Now(), Delay: again, Why: Failed, Err: err})
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

func (t *tenure[T]) tell(ctx context.Context, held bool, err error) {
	if hook := t.feed.Hooks.Lease; hook != nil {
		hook(ctx, LeaseEvent{Feed: t.feed.name(), Owner: t.owner, Held: held, Err: err})
	}
}

// reign polls as long as the lease is ours.
func (t *tenure[T]) reign(ctx context.Context) (err error) {
	ruling, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.beat(ruling, stop)
	}()
	defer func() {
		stop(nil)
		<-done
		if errors.Is(err, inbox.ErrLost) {
			t.tell(ctx, false, err)
			return
		}
		// Whoever waits need not wait until it runs out; if this fails, it will.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(t.lease, 5*time.Second))
		defer cancel()
		_ = t.feed.Store.Release(ctx, t.feed.name(), t.fence.Load())
		t.tell(ctx, false, nil)
	}()
	return t.rounds.loop(ruling, t.round)
}

// beat extends the lease, and stops the reign once it is lost. A store that is
// away for a moment does no harm.
func (t *tenure[T]) beat(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(t.lease / 3)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		held, err := true, error(nil)
		if !t.committing.Load() {
			_, held, err = t.hold(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case held, err != nil && t.committing.Load():
			last = time.Now()
		case err == nil:
			stop(inbox.ErrLost)
			return
		case time.Since(last) >= t.lease:
			stop(fmt.Errorf("%w: it could not be extended: %w", inbox.ErrLost, err))
			return
		}
	}
}

// round is one round: the cursor is read from the store each time, so that a
// commit of which it is unknown whether it was made does no harm.
func (t *tenure[T]) round(ctx context.Context) (outcome, error) {
	f := t.feed
	cursor, held, err := t.hold(ctx)
	if err != nil {
		return outcome{}, err
	}
	if !held {
		return outcome{}, inbox.ErrLost
	}
	from, started, err := parseState(cursor.Value)
	if err != nil {
		return outcome{}, err
	}
	w, err := f.round(ctx, from, started)
	if err != nil {
		return failure(w), err
	}
	batch := t.webhooks.batch(f.events(w), w.now, started)
	out := success(w)
	to := w.to()
	if value := to.String(); len(batch.events) > 0 || value != cursor.Value {
		t.committing.Store(true)
		done, err := t.commit(ctx, cursor.Fence, value, batch.events)
		t.committing.Store(false)
		switch {
		case errors.Is(err, inbox.ErrLost):
			return out, err
		case err != nil:
			return out, &storeError{err}
		}
		missed := t.webhooks.learn(batch, done)
		for _, m := range missed {
			if m.Feed = f.name(); f.Hooks.Missed != nil {
				f.Hooks.Missed(ctx, m)
			}
		}
		out.event.New, out.event.Missed = batch.stored(done), len(missed)
	}
	out.relaxed = t.webhooks.healthy
	out.changed = out.event.Missed > 0 || out.event.New > 0 && !out.relaxed
	out.soon = t.webhooks.soon()
	return out, nil
}

// commit bounds a commit, which no heartbeat watches: a store that hangs is to be
// tried again.
func (t *tenure[T]) commit(ctx context.Context, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, max(10*t.lease, longCommit))
	defer cancel()
	return t.feed.Store.Commit(ctx, t.feed.name(), fence, value, events...)
}

// longCommit is longer than a commit takes.
const longCommit = 5 * time.Minute

// events are what is fresh, for the inbox.
func (f *Feed[T]) events(w *walk[T]) []inbox.Event {
	events := make([]inbox.Event, 0, len(w.entries))
	for _, i := range w.fresh() {
		events = append(events, f.event(w.items[i], &w.entries[i]))
	}
	return events
}

// event is an item as the inbox takes it. Its digest is the key's: items with one
// key are one, although a list shows it in other bytes each time.
func (f *Feed[T]) event(item T, e *entry) inbox.Event {
	digest := sha256.Sum256([]byte(e.key))
	event := inbox.Event{Source: f.Source, Key: e.key, Occurred: e.at, Via: inbox.Poll, Body: e.raw, Digest: digest[:]}
	if f.Type != nil {
		event.Type = f.Type(item)
	}
	if f.Order != nil {
		event.Order = f.Order(item)
	}
	return event
}

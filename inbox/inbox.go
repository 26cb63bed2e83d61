package inbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Inbox takes events in and has them handled. [New] makes it. It is a [Sink] for
// webhooks and has the [Cursors] of feeds.
type Inbox struct {
	store   Store
	handler Handler
	set     Settings
	woken   chan struct{}

	room    sync.Mutex // held by who counts what is pending
	counted time.Time
	pending atomic.Int64
}

// Settings say how an [Inbox] works. The zero value is the recommended setting.
type Settings struct {
	// Owner names this process in leases and histories: host, process id and a
	// random part if empty. No two that share a store may have the same.
	Owner string
	// Sources are the only ones whose events are handled here; empty means all.
	Sources []string
	// Workers is how many events are handled at once: 16 if zero.
	Workers int
	// Attempts is how often an event's handler is begun before the event becomes a
	// dead letter: 15 if zero, which the backoff spreads over 46 minutes on average.
	Attempts int
	// Timeout is what one attempt may take: 30 s if zero. Then its context ends;
	// a handler that goes on loses its lease and the event is handled again.
	Timeout time.Duration
	// Backoff is the most that the first retry waits, and each further one at most
	// twice as long, up to MaxBackoff; the wait is drawn evenly from zero on (full
	// jitter). 2 s and 15 min if zero.
	Backoff, MaxBackoff time.Duration
	// Lease is how long an event stays with a process that was killed: 30 s if
	// zero. Who handles an event renews its lease three times as often.
	Lease time.Duration
	// Park has a dead letter hold up the later events of its Order until somebody
	// replays or discards it. Otherwise they go on without it.
	Park bool
	// Stale says that an event comes too late to be handled: newest, of the same
	// Order, occurred later and is done. The event is done then, too. Nil has all
	// events handled. It costs a query for each event with an Order.
	Stale func(newest, e *Record) bool
	// Every is how often the store is asked for what other processes inserted: 1 s
	// if zero. What this one inserts is handled at once.
	Every time.Duration
	// MaxPending is how many events may wait to be handled before Insert fails with
	// [ErrFull]: 100,000 if zero. It is counted about once a second, so somewhat
	// more may get in.
	MaxPending int
	// Drain is what the handlers that are at work may take when Run is to end: 10 s
	// if zero. Then their contexts end.
	Drain time.Duration
	// Retention is 7 days for Keys if that is zero, and as long for Bodies, but not
	// longer than Keys.
	Retention Retention
	// Hooks are told what happens.
	Hooks Hooks
}

// New returns an inbox on the store. Events are inserted with [Inbox.Insert] at
// any time, and handled by handler while [Inbox.Run] runs; a process that only
// takes events in gives nil.
func New(store Store, handler Handler, s Settings) (*Inbox, error) {
	if store == nil {
		return nil, errors.New("inbox: New needs a store: NewMemory is one for a test")
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"Workers", int64(s.Workers)}, {"Attempts", int64(s.Attempts)}, {"Timeout", int64(s.Timeout)}, {"Backoff", int64(s.Backoff)},
		{"MaxBackoff", int64(s.MaxBackoff)}, {"Lease", int64(s.Lease)}, {"Every", int64(s.Every)}, {"MaxPending", int64(s.MaxPending)}, {"Drain", int64(s.Drain)},
		{"Retention.Bodies", int64(s.Retention.Bodies)}, {"Retention.Keys", int64(s.Retention.Keys)},
	} {
		if f.value < 0 {
			return nil, fmt.Errorf("inbox: Settings.%s is negative: leave it zero for the default", f.name)
		}
	}
	s = s.withDefaults()
	if err := s.Retention.Check(); err != nil {
		return nil, err
	}
	if len(s.Owner) > MaxKey {
		return nil, fmt.Errorf("inbox: Settings.Owner is longer than %d bytes", MaxKey)
	}
	return &Inbox{store: store, handler: handler, set: s, woken: make(chan struct{}, 1)}, nil
}

func (s Settings) withDefaults() Settings {
	const week = 7 * 24 * time.Hour
	if s.Owner == "" {
		host, _ := os.Hostname() // the rest tells processes apart
		s.Owner = fmt.Sprintf("%s:%d:%s", host[:min(len(host), 64)], os.Getpid(), rand.Text()[:8])
	}
	s.Retention.Keys = cmp.Or(s.Retention.Keys, week)
	s.Retention.Bodies = cmp.Or(s.Retention.Bodies, min(week, s.Retention.Keys))
	s.Workers = cmp.Or(s.Workers, 16)
	s.Attempts = cmp.Or(s.Attempts, 15)
	s.Timeout = cmp.Or(s.Timeout, 30*time.Second)
	s.Backoff = cmp.Or(s.Backoff, 2*time.Second)
	s.MaxBackoff = cmp.Or(s.MaxBackoff, 15*time.Minute)
	s.Lease = cmp.Or(s.Lease, 30*time.Second)
	s.Every = cmp.Or(s.Every, time.Second)
	s.MaxPending = cmp.Or(s.MaxPending, 100_000)
	s.Drain = cmp.Or(s.Drain, 10*time.Second)
	return s
}

// Insert is [Sink.Insert]. It fails with [ErrFull] while too much is pending.
func (b *Inbox) Insert(ctx context.Context, events ...Event) ([]Outcome, error) {
	return b.take(ctx, events, func() ([]Outcome, error) { return b.store.Insert(ctx, events...) })
}

// take takes events in, by what a store does.
func (b *Inbox) take(ctx context.Context, events []Event, insert func() ([]Outcome, error)) ([]Outcome, error) {
	began := time.Now()
	err := b.hasRoom(ctx, len(events))
	var out []Outcome
	if err == nil {
		if out, err = insert(); err != nil {
			b.pending.Add(-int64(len(events)))
		}
	}
	if err == nil && len(events) > 0 {
		b.Wake()
	}
	b.set.Hooks.inserted(ctx, events, out, time.Since(began), err)
	return out, err
}

// Hold is [Cursors.Hold].
func (b *Inbox) Hold(ctx context.Context, name, owner string, d time.Duration) (Cursor, bool, error) {
	return b.store.Hold(ctx, name, owner, d)
}

// Commit is [Cursors.Commit]. It has the events handled at once, tells Hooks.Inserted
// of them, and fails with [ErrFull], as Insert does: so a feed is given the inbox and
// not its store.
func (b *Inbox) Commit(ctx context.Context, name string, fence int64, value string, events ...Event) ([]Outcome, error) {
	return b.take(ctx, events, func() ([]Outcome, error) { return b.store.Commit(ctx, name, fence, value, events...) })
}

// Release is [Cursors.Release].
func (b *Inbox) Release(ctx context.Context, name string, fence int64) error {
	return b.store.Release(ctx, name, fence)
}

// roomEvery is how often Insert has what is pending counted.
const roomEvery = time.Second

// hasRoom counts anew now and then, while the others go on with the old count. A
// store that cannot count is not full.
func (b *Inbox) hasRoom(ctx context.Context, n int) error {
	if b.room.TryLock() {
		if now := time.Now(); now.Sub(b.counted) >= roomEvery {
			s, _ := b.store.Stats(ctx) // nothing, where it cannot count
			b.pending.Store(int64(s.Pending()))
			b.counted = now
		}
		b.room.Unlock()
	}
	if pending := b.pending.Add(int64(n)); pending > int64(b.set.MaxPending) {
		b.pending.Add(-int64(n))
		return fmt.Errorf("%w: %d events wait to be handled, and %d may", ErrFull, pending-int64(n), b.set.MaxPending)
	}
	return nil
}

// Wake has Run look at once for events that are due, as after a [Archive.Replay].
func (b *Inbox) Wake() {
	select {
	case b.woken <- struct{}{}:
	default: // it will
	}
}

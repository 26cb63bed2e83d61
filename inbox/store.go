package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Store keeps events until they are handled, and their keys for longer.
// [NewMemory] and [OpenSQL] make stores, and the module redis has one;
// aplombtest.TestInbox tests one of your own.
//
// What an implementation holds to:
//
//   - What a method did is durable when it returns without an error.
//   - Each method is one atomic step, safe for concurrent use, also by several
//     processes, except for a store in memory.
//   - Durations, given or returned, are counted by the store's own clock, so that
//     the processes' clocks need not agree.
//   - A method returns soon after its context is done. One that fails may have
//     done its work, and can be called again.
type Store interface {
	Sink
	Queue
	Cursors
	Archive
}

// Queue hands out events to be handled.
type Queue interface {
	// Claim leases events that are due, those that have waited longest first. An
	// event with an Order is due only if no earlier one of that Order is ready or
	// parked, and none is leased. The attempt counts from here on, so that an event that kills
	// the process is counted too; an event whose lease ran out is due again, and
	// its History says so.
	//
	// next is when to ask again if nothing is inserted meanwhile; it is positive
	// and at most an hour.
	Claim(ctx context.Context, c Claim) (records []Record, next time.Duration, err error)
	// Extend has leases last for d from now. It reports which of them were held, and
	// had not run out.
	Extend(ctx context.Context, d time.Duration, leases ...Lease) (held []bool, err error)
	// Settle ends attempts. It reports which of the leases were held; where one was
	// not, nothing changed.
	Settle(ctx context.Context, s ...Settlement) (held []bool, err error)
	// Last is the latest event of an Order, by Occurred and Seq, that is done;
	// nil if there is none.
	Last(ctx context.Context, source, order string) (*Record, error)
}

// Claim says what is to be leased.
type Claim struct {
	// Owner names the process, for people.
	Owner string
	// Limit is how many events at most.
	Limit int
	// Lease is how long they are this owner's alone.
	Lease time.Duration
	// Expired is how many of them may be events whose last lease ran out: one of
	// those may have killed its process.
	Expired int
	// Sources are the only ones to be claimed; empty means all.
	Sources []string
}

// Lease is the right to handle an event. A later claim of the same event has a
// higher Fence, and ends this one.
type Lease struct{ Seq, Fence int64 }

// Settlement ends an attempt.
type Settlement struct {
	Lease
	// State is what the event becomes: [StateDone], [StateDead], [StateParked], or
	// [StateReady] to be tried again.
	State State
	// After is how long StateReady waits before the next attempt.
	After time.Duration
	// Error is why the attempt failed; empty if it did not. What is not empty is
	// kept in History, cut to [MaxError] bytes.
	Error string
	// Undo has the attempt not count: its handler was not to blame.
	Undo bool
}

// MaxError is how many bytes of an attempt's error are kept.
const MaxError = 2 << 10

// MaxHistory is how many attempts a record's history holds, the last ones.
const MaxHistory = 32

// Record is an event in a store.
type Record struct {
	Event
	// Seq numbers the records of a store in the order they were stored.
	Seq   int64
	State State
	// Received is when it was stored.
	Received time.Time
	// Due is when it may be handled, if it is ready; zero where it is known only that
	// another of its Order comes first.
	Due time.Time
	// Attempts is how often its handler was begun, since it came or was replayed.
	Attempts int
	// Fence is that of its latest lease.
	Fence int64
	// Replay is the name of the replay that has it handled again; else empty.
	Replay string
	// History are the attempts that failed, the latest last: [MaxHistory] at most.
	History []Attempt

	// unreadable is why a sealed body could not be opened.
	unreadable error
}

// Lease is the lease of a record that [Queue.Claim] returned.
func (r *Record) Lease() Lease { return Lease{r.Seq, r.Fence} }

// Attempt is an attempt that failed, or, with the Number 0, that somebody gave the
// event up: see [Archive.Discard].
type Attempt struct {
	Number int       `json:"number"`
	Owner  string    `json:"owner"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended"`
	Error  string    `json:"error"`
	Replay string    `json:"replay,omitempty"`
}

// State is where a record is in its life.
type State string

// The states.
const (
	StateReady     State = "ready"     // waits to be handled, maybe again
	StateLeased    State = "leased"    // is being handled
	StateDone      State = "done"      // was handled
	StateDiscarded State = "discarded" // was given up by somebody
	StateDead      State = "dead"      // is a dead letter: its attempts have failed
	StateParked    State = "parked"    // is a dead letter that holds up the later events of its Order
	StateConflict  State = "conflict"  // has the key of another event; see [Conflict]
)

// Cursors are where feeds are. Only the feed that holds a cursor's lease may
// move it.
type Cursors interface {
	// Hold takes the lease of the cursor with this name for d, or has it last for
	// d from now if owner holds it; false says that another owner has it.
	Hold(ctx context.Context, name, owner string, d time.Duration) (Cursor, bool, error)
	// Commit inserts the events and sets the cursor's value in one atomic step. It
	// fails with [ErrLost], and does nothing, if another owner has taken the lease
	// meanwhile.
	Commit(ctx context.Context, name string, fence int64, value string, events ...Event) ([]Outcome, error)
	// Release gives the lease back, so that another owner need not wait until it
	// runs out.
	Release(ctx context.Context, name string, fence int64) error
}

// Cursor is where a feed is.
type Cursor struct {
	// Value is what the feed committed last; empty at first.
	Value string
	// Fence is higher for each owner that takes the lease.
	Fence int64
}

// Archive is what people and housekeeping do.
type Archive interface {
	// List returns the records that the query names, in the order of Seq.
	List(ctx context.Context, q Query) ([]Record, error)
	// Replay has the records that the query names, and that are neither ready nor
	// leased, handled again under the given name; those that are done, too, whose
	// effects take place again then, unless the query's States leave them out: they are ready, with no attempts
	// made. Their ids, times and histories stay. It returns how many there are; a
	// record without a body is not among them.
	Replay(ctx context.Context, q Query, name string) (int, error)
	// Discard gives up the records that the query names, and that are ready, dead,
	// parked or in conflict: they are [StateDiscarded], and their histories say why. It
	// returns how many there are.
	Discard(ctx context.Context, q Query, why string) (int, error)
	// Purge forgets what is old, of what is done, discarded or in conflict. The rest
	// stays.
	Purge(ctx context.Context, r Retention) (Purged, error)
	// Stats counts what is in the store.
	Stats(ctx context.Context) (Stats, error)
}

// Query names records. Its fields narrow it; a zero one does not.
type Query struct {
	// All says that Replay and Discard are to change every record, if nothing else
	// narrows the query. Without it they refuse one that names everything, as a list
	// that turned out to be empty does.
	All          bool
	Seqs         []int64
	Source, Key  string
	Type, Order  string
	States       []State
	ReceivedFrom time.Time // inclusive
	ReceivedTo   time.Time // exclusive
	// After is the Seq that all records are above: that of the last record of the
	// page before.
	After int64
	// Limit is how many there may be: if zero 100 for List, and all for Replay and
	// Discard.
	Limit int
}

// Retention is how long is kept what needs no handling any more.
type Retention struct {
	// Bodies is how long the body and headers of such an event are kept after it was
	// received.
	Bodies time.Duration
	// Keys is how long the event is known at all, and a duplicate of it recognized. It
	// must be longer than any sender goes on delivering: Stripe does for 3 days,
	// Standard Webhooks for over 75 hours.
	Keys time.Duration
}

// Purged is how many records lost their bodies and how many are forgotten.
type Purged struct{ Bodies, Records int }

// Stats is what is in a store.
type Stats struct {
	Ready, Leased, Dead, Parked, Conflicts int
	// Oldest is how long ago the oldest event was received that is ready or leased.
	Oldest time.Duration
}

// Pending is how many events are to be handled.
func (s Stats) Pending() int { return s.Ready + s.Leased }

// Check reports what no store can do.
func (c *Claim) Check() error {
	if c.Limit <= 0 || c.Lease <= 0 {
		return errors.New("inbox: Claim needs a Limit and a Lease above zero")
	}
	return nil
}

// Check reports what no store can do.
func (s *Settlement) Check() error {
	switch s.State {
	case StateDone, StateDead, StateParked, StateReady:
		return nil
	case StateLeased, StateConflict, StateDiscarded:
	}
	return fmt.Errorf("inbox: an event cannot be settled as %q: it may be done, dead, parked or ready", s.State)
}

func checkSettlements(settlements []Settlement) error {
	for i := range settlements {
		if err := settlements[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

func checkHold(ctx context.Context, name, owner string, d time.Duration) error {
	if name == "" || owner == "" || d <= 0 {
		return errors.New("inbox: Hold needs a name, an owner and a duration above zero")
	}
	return ctx.Err()
}

func checkReplay(ctx context.Context, name string) error {
	if name == "" || len(name) > MaxKey {
		return fmt.Errorf("inbox: a replay needs a name of at most %d bytes, which its attempts are known by", MaxKey)
	}
	return ctx.Err()
}

// Check reports what makes no sense.
func (r *Retention) Check() error {
	if r.Bodies <= 0 || r.Keys < r.Bodies {
		return errors.New("inbox: Retention needs Bodies above zero and Keys not below it")
	}
	return nil
}

// CheckChange reports why records must not be changed by the query: it names
// everything, and All does not say so.
func (q *Query) CheckChange() error {
	narrow := len(q.Seqs) > 0 || len(q.States) > 0 || q.Source != "" || q.Key != "" || q.Type != "" || q.Order != "" ||
		!q.ReceivedFrom.IsZero() || !q.ReceivedTo.IsZero() || q.After > 0
	if (q.Seqs != nil && len(q.Seqs) == 0) || (q.States != nil && len(q.States) == 0) || (!narrow && !q.All) {
		return errors.New("inbox: the query names no record, or every one: narrow it, or set Query.All")
	}
	return nil
}

// Shorten cuts a text to so many bytes, between characters, and has what is not UTF-8
// be U+FFFD: so stores keep errors, and webhooks types.
func Shorten(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// RanOut is the error of an attempt whose lease ran out. Whoever claims the event
// knows by it that the event may have ended its process: see [Claim.Expired].
const RanOut = "its lease ran out: the process ended, or hung, while it was handled"

// Discarded is the error in the history of an event that was given up.
func Discarded(why string) string { return "discarded: " + why }

package poll

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
)

// Feed is a list at an API that shows what is new: events, or things with the
// time they changed. Client, Path and Key are needed; what else is zero has the
// recommended setting. [Feed.Events] reads it in one process, [Feed.Run] puts it
// into an inbox. A Feed must not be copied or changed once it is in use.
type Feed[T any] struct {
	// Client sends the requests.
	Client *aplomb.Client
	// Path is the list's, as for [aplomb.Pages].
	Path string
	// Options are the requests'. With an [aplomb.Expect] among them, let 304 be one
	// of its statuses.
	Options []aplomb.CallOption
	// By says how the list is paged. Default [aplomb.ByLink].
	By aplomb.Pager

	// Key is what an item is known by; of items with one key the first counts, so a
	// thing that changes has its version in the key. See [Snapshot].
	Key func(T) string
	// Occurred is when an item happened, by the server's clock. It makes the
	// look-back exact, and tells how long a webhook had.
	Occurred func(T) time.Time

	// OldestFirst says that the list grows at its end. It is read on from the last
	// page that had items. Default: the newest item is the first.
	OldestFirst bool
	// Whole says that the list is a state, in no order of change, and is read to its
	// end in each round: see [Snapshot]. With MaxPages 1 it has no more than a page.
	Whole bool
	// Since makes options of where the feed is, for a list that can be asked for
	// what is newer, such as with a parameter "since".
	Since func(Mark) []aplomb.CallOption
	// LookBack is how far behind the newest item is read again, since lists show
	// some events late. Default 60 s. Without Occurred it is a page more than needed,
	// and with Since the items of the round before.
	LookBack time.Duration
	// MaxPages is how many pages a round reads at most. Default 10. In the first
	// round of a list that shows the newest first, what lies further back is not read.
	MaxPages int
	// FromNow takes what is in the list at first for known, and nothing of it for
	// news. Default: it is all new.
	FromNow bool
	// Variant names what answers depend on besides the address, such as the account
	// whose credential is sent: what was learned for If-Modified-Since under one is
	// not used under another. Change it with Options.
	Variant string

	// Pace is how often to ask.
	Pace Pace
	// Resume is an [Event.Resume] of another day, for Events.
	Resume string

	// Store keeps the cursor and takes the events, for Run: an [inbox.Inbox], which has
	// them handled at once, or the store of one in another process.
	Store inbox.Cursors
	// Source is [inbox.Event].Source; needed for Run. A webhook that brings the same
	// events shares it.
	Source string
	// Name is the cursor's, and the feed's in errors and events. Default: Source and
	// Path. Of two feeds with one Name in a store only one polls, so where Path is the
	// same, but not what stands in its place, each needs a name of its own.
	Name string
	// Type and Order make the fields of [inbox.Event] with these names.
	Type, Order func(T) string
	// Lease is how long after its last sign of life another process takes over.
	// Default 30 s.
	Lease time.Duration

	// Webhook says that a webhook puts the same events into the store. Give Key, Type,
	// Order and Occurred as its events have them: an event that the webhook missed is
	// handled by these. Bodies may differ: [inbox.Event.Via] tells them apart.
	//
	// While the webhook delivers, the pace of the feed slows down to Pace.Max, and an
	// event that the feed finds first is held for Grace so that the webhook's body,
	// which may say more, counts. An event that the webhook has not brought within
	// Grace is missed: that is told to Hooks.Missed, and the pace is Pace.Every until
	// the webhook delivers again. The first round leaves out what occurred more than 6
	// days ago, since an inbox forgets keys after 7.
	Webhook bool
	// Grace is how much later than the poll a webhook may be. Default 30 s.
	Grace time.Duration

	// Gap is called where something may have been missed. If it returns nil the feed
	// goes on, after a refused cursor from the beginning of the list; what it does
	// before, such as reading all there is, is its own business. Default: the error
	// ends the feed.
	Gap func(context.Context, *GapError) error
	// Poisoned is called for an item that cannot be taken. If it returns nil the item
	// is left out, this time and the next. Default: the error ends the feed before the item's round.
	Poisoned func(context.Context, *ItemError) error
	// Hooks are told what happens.
	Hooks Hooks

	bell   bell
	random func() float64 // in tests
}

// Event is an item of a feed that was not read before.
type Event[T any] struct {
	// Item is what the list shows.
	Item T
	// Key is what it is known by.
	Key string
	// Occurred is when it happened; zero without [Feed.Occurred].
	Occurred time.Time
	// Raw is the item as it came.
	Raw json.RawMessage

	resume func() string
}

// Resume is a text for [Feed.Resume], to go on after this event. It holds hashes
// of keys, the latest key itself and the place in the list, and no secret of the
// client's.
func (e Event[T]) Resume() string {
	if e.resume == nil {
		return ""
	}
	return e.resume()
}

// Snapshot makes a key of a thing's id and a digest of its state, the JSON of T: a
// thing is an event each time that its state differs from what the list showed
// before. Members that T does not have do not count. A store takes a state only
// once: where a thing may become again what it was, let T have the time of the
// change.
//
//	feed := &poll.Feed[Machine]{..., Whole: true, Key: poll.Snapshot(func(m Machine) string { return m.ID })}
func Snapshot[T any](id func(T) string) func(T) string {
	return func(v T) string {
		name := id(v)
		raw, err := json.Marshal(v)
		if name == "" || err != nil {
			return "" // no key: an ItemError
		}
		sum := sha256.Sum256(raw)
		return name + ":" + hex.EncodeToString(sum[:16])
	}
}

// Nudge has the feed ask as soon as it may, and at its fastest pace again: for a
// webhook that tells only that there is something, or a user who waits. It is
// not waited for, and safe for concurrent use.
func (f *Feed[T]) Nudge() { f.bell.ring() }

// bell is a signal that is remembered until it is heard. Its zero value works.
type bell struct {
	once sync.Once
	c    chan struct{}
}

func (b *bell) heard() chan struct{} {
	b.once.Do(func() { b.c = make(chan struct{}, 1) })
	return b.c
}

func (b *bell) ring() {
	select {
	case b.heard() <- struct{}{}:
	default: // it has rung
	}
}

func (f *Feed[T]) name() string {
	if f.Name == "" && f.Source != "" {
		return f.Source + " " + f.Path
	}
	return cmp.Or(f.Name, f.Path)
}

// check reports settings that cannot work.
func (f *Feed[T]) check(stored bool) error {
	switch {
	case f == nil || f.Client == nil:
		return errors.New("poll: Feed.Client is nil")
	case f.Path == "":
		return errors.New("poll: Feed.Path is empty")
	case f.Key == nil:
		return errors.New("poll: Feed.Key is nil: say what an item is known by, such as its id")
	case f.MaxPages < 0 || f.LookBack < 0 || f.Lease < 0 || f.Grace < 0:
		return errors.New("poll: Feed: MaxPages, LookBack, Lease and Grace cannot be negative")
	case f.Whole && f.Since != nil:
		return errors.New("poll: Feed.Whole reads all there is, and Since only what is newer: leave one of them out")
	case stored && f.Store == nil:
		return errors.New("poll: Feed.Store is nil: Run needs one, and Events does not")
	case stored && f.Source == "":
		return errors.New("poll: Feed.Source is empty: events are kept under it")
	case stored && f.Resume != "":
		return errors.New("poll: Feed.Resume is for Events: Run goes on from its cursor")
	case !stored && (f.Store != nil || f.Webhook):
		return errors.New("poll: Feed.Store and Webhook are for Run: leave them out for Events")
	}
	return f.Pace.check()
}

func (f *Feed[T]) pace() Pace { return f.Pace.or(time.Minute, 15*time.Minute) }

func (f *Feed[T]) lookBack() time.Duration { return cmp.Or(f.LookBack, time.Minute) }

func (f *Feed[T]) grace() time.Duration { return cmp.Or(f.Grace, 30*time.Second) }

// rest waits for d, for ctx, or for a nudge, which shortens the wait to earliest.
// It reports whether it was nudged.
func (f *Feed[T]) rest(ctx context.Context, d, earliest time.Duration) (nudged bool, err error) {
	start := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nudged, context.Cause(ctx)
		case <-timer.C:
			return nudged, nil
		case <-f.bell.heard():
			nudged = true
			if passed := time.Since(start); earliest < d {
				timer.Reset(max(0, earliest-passed))
			}
		}
	}
}

// named says of an error which feed it was.
func (f *Feed[T]) named(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	_, gap := errors.AsType[*GapError](err)
	if _, item := errors.AsType[*ItemError](err); gap || item {
		return err
	}
	return fmt.Errorf("poll: %s: %w", f.name(), err)
}

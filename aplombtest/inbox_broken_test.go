package aplombtest_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// brokenInbox is a store in memory between whose methods and their caller a defect
// stands. Fields that are nil change nothing.
type brokenInbox struct {
	inbox.Store

	event  func(*inbox.Event)  // as it is inserted
	record func(*inbox.Record) // as it is shown

	insert  func(context.Context, []inbox.Event) ([]inbox.Outcome, error)
	claim   func(context.Context, inbox.Claim) ([]inbox.Record, time.Duration, error)
	extend  func(context.Context, time.Duration, []inbox.Lease) ([]bool, error)
	settle  func(context.Context, []inbox.Settlement) ([]bool, error)
	last    func(ctx context.Context, source, order string) (*inbox.Record, error)
	hold    func(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error)
	commit  func(ctx context.Context, name string, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error)
	release func(ctx context.Context, name string, fence int64) error
	list    func(context.Context, inbox.Query) ([]inbox.Record, error)
	replay  func(context.Context, inbox.Query, string) (int, error)
	discard func(context.Context, inbox.Query, string) (int, error)
	purge   func(context.Context, inbox.Retention) (inbox.Purged, error)
	stats   func(context.Context) (inbox.Stats, error)
}

func (b *brokenInbox) changed(events []inbox.Event) []inbox.Event {
	if b.event == nil {
		return events
	}
	events = slices.Clone(events)
	for i := range events {
		b.event(&events[i])
	}
	return events
}

func (b *brokenInbox) shown(records []inbox.Record) []inbox.Record {
	for i := range records {
		if b.record != nil {
			b.record(&records[i])
		}
	}
	return records
}

func (b *brokenInbox) Insert(ctx context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	if b.insert != nil {
		return b.insert(ctx, events)
	}
	return b.Store.Insert(ctx, b.changed(events)...)
}

func (b *brokenInbox) Claim(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
	do := b.Store.Claim
	if b.claim != nil {
		do = b.claim
	}
	records, next, err := do(ctx, c)
	return b.shown(records), next, err
}

func (b *brokenInbox) Extend(ctx context.Context, d time.Duration, leases ...inbox.Lease) ([]bool, error) {
	if b.extend != nil {
		return b.extend(ctx, d, leases)
	}
	return b.Store.Extend(ctx, d, leases...)
}

func (b *brokenInbox) Settle(ctx context.Context, settlements ...inbox.Settlement) ([]bool, error) {
	if b.settle != nil {
		return b.settle(ctx, slices.Clone(settlements))
	}
	return b.Store.Settle(ctx, settlements...)
}

func (b *brokenInbox) Last(ctx context.Context, source, order string) (*inbox.Record, error) {
	do := b.Store.Last
	if b.last != nil {
		do = b.last
	}
	r, err := do(ctx, source, order)
	if r != nil && b.record != nil {
		b.record(r)
	}
	return r, err
}

func (b *brokenInbox) Hold(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
	if b.hold != nil {
		return b.hold(ctx, name, owner, d)
	}
	return b.Store.Hold(ctx, name, owner, d)
}

func (b *brokenInbox) Commit(ctx context.Context, name string, fence int64, value string, events ...inbox.Event) ([]inbox.Outcome, error) {
	if b.commit != nil {
		return b.commit(ctx, name, fence, value, b.changed(events))
	}
	return b.Store.Commit(ctx, name, fence, value, b.changed(events)...)
}

func (b *brokenInbox) Release(ctx context.Context, name string, fence int64) error {
	if b.release != nil {
		return b.release(ctx, name, fence)
	}
	return b.Store.Release(ctx, name, fence)
}

func (b *brokenInbox) List(ctx context.Context, q inbox.Query) ([]inbox.Record, error) {
	do := b.Store.List
	if b.list != nil {
		do = b.list
	}
	records, err := do(ctx, q)
	return b.shown(records), err
}

func (b *brokenInbox) Replay(ctx context.Context, q inbox.Query, name string) (int, error) {
	if b.replay != nil {
		return b.replay(ctx, q, name)
	}
	return b.Store.Replay(ctx, q, name)
}

func (b *brokenInbox) Discard(ctx context.Context, q inbox.Query, why string) (int, error) {
	if b.discard != nil {
		return b.discard(ctx, q, why)
	}
	return b.Store.Discard(ctx, q, why)
}

func (b *brokenInbox) Purge(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
	if b.purge != nil {
		return b.purge(ctx, keep)
	}
	return b.Store.Purge(ctx, keep)
}

func (b *brokenInbox) Stats(ctx context.Context) (inbox.Stats, error) {
	if b.stats != nil {
		return b.stats(ctx)
	}
	return b.Store.Stats(ctx)
}

// notes is what a defect remembers.
type notes[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]V
}

func (n *notes[K, V]) get(k K) (V, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, there := n.of[k]
	return v, there
}

func (n *notes[K, V]) set(k K, v V) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = map[K]V{}
	}
	n.of[k] = v
}

// eventID is what an event is known by.
type eventID struct{ source, key string }

// claims has each Claim be changed first.
func (b *brokenInbox) claims(change func(*inbox.Claim)) {
	b.claim = func(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
		if c.Check() == nil { // what makes no sense is still refused
			change(&c)
		}
		return b.Store.Claim(ctx, c)
	}
}

// settles has each Settlement be changed first.
func (b *brokenInbox) settles(change func(*inbox.Settlement)) {
	b.settle = func(ctx context.Context, settlements []inbox.Settlement) ([]bool, error) {
		for i := range settlements {
			change(&settlements[i])
		}
		return b.Store.Settle(ctx, settlements...)
	}
}

// lists has each List be of another query.
func (b *brokenInbox) lists(change func(*inbox.Query)) {
	b.list = func(ctx context.Context, q inbox.Query) ([]inbox.Record, error) {
		change(&q)
		return b.Store.List(ctx, q)
	}
}

// replays has each Replay be of another query.
func (b *brokenInbox) replays(change func(*inbox.Query)) {
	b.replay = func(ctx context.Context, q inbox.Query, name string) (int, error) {
		change(&q)
		return b.Store.Replay(ctx, q, name)
	}
}

// discards has each Discard be of another query.
func (b *brokenInbox) discards(change func(*inbox.Query)) {
	b.discard = func(ctx context.Context, q inbox.Query, why string) (int, error) {
		change(&q)
		return b.Store.Discard(ctx, q, why)
	}
}

// outcomes has what Insert says be changed.
func (b *brokenInbox) outcomes(change func(*inbox.Event, *inbox.Outcome)) {
	b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
		out, err := b.Store.Insert(ctx, events...)
		for i := range out {
			change(&events[i], &out[i])
		}
		return out, err
	}
}

// lastOf is the latest that is done of what q names, in the sources whose names
// begin with source.
func (b *brokenInbox) lastOf(ctx context.Context, q inbox.Query, source string) (*inbox.Record, error) {
	q.States, q.Limit = []inbox.State{inbox.StateDone}, 1<<20
	records, err := b.Store.List(ctx, q)
	records = slices.DeleteFunc(records, func(r inbox.Record) bool { return !strings.HasPrefix(r.Source, source) })
	return latest(records), err
}

func latest(records []inbox.Record) *inbox.Record {
	if len(records) == 0 {
		return nil
	}
	last := slices.MaxFunc(records, func(x, y inbox.Record) int {
		return cmp.Or(x.Occurred.Compare(y.Occurred), cmp.Compare(x.Seq, y.Seq))
	})
	return &last
}

// fences keeps the latest fence of each record, for defects that look no further.
func (b *brokenInbox) fences() *notes[int64, int64] {
	n := &notes[int64, int64]{}
	b.record = func(r *inbox.Record) { n.set(r.Seq, r.Fence) }
	return n
}

// unordered hides the Orders of events from the store, and nobody else.
func (b *brokenInbox) unordered() {
	var orders notes[eventID, string]
	b.event = func(e *inbox.Event) {
		if e.Check() != nil {
			return
		}
		if _, there := orders.get(eventID{e.Source, e.Key}); !there {
			orders.set(eventID{e.Source, e.Key}, e.Order)
		}
		e.Order = ""
	}
	b.record = func(r *inbox.Record) { r.Order, _ = orders.get(eventID{r.Source, r.Key}) }
	b.list = func(ctx context.Context, q inbox.Query) ([]inbox.Record, error) {
		if q.Order == "" {
			return b.Store.List(ctx, q)
		}
		wide := q
		wide.Order, wide.Limit = "", 1<<20
		records, err := b.Store.List(ctx, wide)
		records = slices.DeleteFunc(b.shown(records), func(r inbox.Record) bool { return r.Order != q.Order })
		return records[:min(len(records), cmp.Or(q.Limit, 100))], err
	}
	b.last = func(ctx context.Context, source, order string) (*inbox.Record, error) {
		records, err := b.list(ctx, inbox.Query{Source: source, Order: order, States: []inbox.State{inbox.StateDone}, Limit: 1 << 20})
		return latest(records), err
	}
}

// byArrival hides when events occurred from the store, and nobody else.
func (b *brokenInbox) byArrival() {
	var occurred notes[eventID, time.Time]
	b.event = func(e *inbox.Event) {
		if !e.Occurred.IsZero() {
			occurred.set(eventID{e.Source, e.Key}, e.Occurred)
			e.Occurred = time.Time{}
		}
	}
	b.record = func(r *inbox.Record) {
		if at, there := occurred.get(eventID{r.Source, r.Key}); there {
			r.Occurred = at
		}
	}
}

// keepsBodies has records be shown with the very bytes that the caller inserted.
func (b *brokenInbox) keepsBodies() {
	var bodies notes[int64, []byte]
	b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
		out, err := b.Store.Insert(ctx, events...)
		for i := range out {
			switch out[i].Status {
			case inbox.Stored, inbox.Conflict, inbox.Replaced:
				bodies.set(out[i].Seq, events[i].Body)
			case inbox.Duplicate:
			}
		}
		return out, err
	}
	b.record = func(r *inbox.Record) {
		if body, there := bodies.get(r.Seq); there && len(r.Body) > 0 {
			r.Body = body
		}
	}
}

// sharesHeaders has all who ask be shown one and the same map.
func (b *brokenInbox) sharesHeaders() {
	type version struct {
		seq int64
		via inbox.Via // another one replaced it
	}
	var headers notes[version, map[string][]string]
	b.record = func(r *inbox.Record) {
		if len(r.Header) == 0 {
			return
		}
		v := version{r.Seq, r.Via}
		if h, there := headers.get(v); there {
			r.Header = h
		} else {
			headers.set(v, r.Header)
		}
	}
}

// storesTwice has a duplicate be an event of its own.
func (b *brokenInbox) storesTwice() {
	b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
		out, err := b.Store.Insert(ctx, events...)
		for i := range out {
			if out[i].Status != inbox.Duplicate {
				continue
			}
			e := events[i]
			e.Key += " again"
			again, err := b.Store.Insert(ctx, e)
			if err != nil {
				return nil, err
			}
			out[i] = again[0]
		}
		return out, err
	}
}

// looksFirst has Insert look, and then act, in two steps.
func (b *brokenInbox) looksFirst() {
	b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
		fresh := make([]bool, len(events))
		for i := range events {
			if events[i].Key == "" {
				continue
			}
			there, err := b.Store.List(ctx, inbox.Query{Source: events[i].Source, Key: events[i].Key})
			if err != nil {
				return nil, err
			}
			fresh[i] = len(there) == 0
		}
		pause(time.Nanosecond)
		out, err := b.Store.Insert(ctx, events...)
		for i := range out {
			if fresh[i] && out[i].Status == inbox.Duplicate && !slices.ContainsFunc(events[:i], func(e inbox.Event) bool { return e.Key == events[i].Key }) {
				out[i].Status = inbox.Stored
			}
		}
		return out, err
	}
}

// claimsTogether has all who claim at one moment be given the same events.
func (b *brokenInbox) claimsTogether() {
	var mu sync.Mutex
	var at time.Time
	var records []inbox.Record
	b.claim = func(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
		pause(time.Nanosecond)
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); !at.Equal(now) {
			got, next, err := b.Store.Claim(ctx, c)
			at, records = now, got
			return slices.Clone(got), next, err
		}
		return slices.Clone(records[:min(len(records), c.Limit)]), time.Second, nil
	}
}

// lastSettled has Last be what was done last.
func (b *brokenInbox) lastSettled() {
	var last notes[eventID, int64]
	of := func(ctx context.Context, seq int64) (*inbox.Record, error) {
		records, err := b.Store.List(ctx, inbox.Query{Seqs: []int64{seq}, States: []inbox.State{inbox.StateDone}})
		if len(records) == 0 {
			return nil, err
		}
		return &records[0], err
	}
	b.settle = func(ctx context.Context, settlements []inbox.Settlement) ([]bool, error) {
		held, err := b.Store.Settle(ctx, settlements...)
		for i := range held {
			if r, _ := of(ctx, settlements[i].Seq); held[i] && r != nil {
				last.set(eventID{r.Source, r.Order}, r.Seq)
			}
		}
		return held, err
	}
	b.last = func(ctx context.Context, source, order string) (*inbox.Record, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		seq, _ := last.get(eventID{source, order})
		return of(ctx, cmp.Or(seq, -1))
	}
}

// heedless looks at no context.
type heedless struct{ s inbox.Store }

func (h heedless) Insert(ctx context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	return h.s.Insert(context.WithoutCancel(ctx), events...)
}

func (h heedless) Claim(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
	return h.s.Claim(context.WithoutCancel(ctx), c)
}

func (h heedless) Extend(ctx context.Context, d time.Duration, leases ...inbox.Lease) ([]bool, error) {
	return h.s.Extend(context.WithoutCancel(ctx), d, leases...)
}

func (h heedless) Settle(ctx context.Context, settlements ...inbox.Settlement) ([]bool, error) {
	return h.s.Settle(context.WithoutCancel(ctx), settlements...)
}

func (h heedless) Last(ctx context.Context, source, order string) (*inbox.Record, error) {
	return h.s.Last(context.WithoutCancel(ctx), source, order)
}

func (h heedless) Hold(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
	return h.s.Hold(context.WithoutCancel(ctx), name, owner, d)
}

func (h heedless) Commit(ctx context.Context, name string, fence int64, value string, events ...inbox.Event) ([]inbox.Outcome, error) {
	return h.s.Commit(context.WithoutCancel(ctx), name, fence, value, events...)
}

func (h heedless) Release(ctx context.Context, name string, fence int64) error {
	return h.s.Release(context.WithoutCancel(ctx), name, fence)
}

func (h heedless) List(ctx context.Context, q inbox.Query) ([]inbox.Record, error) {
	return h.s.List(context.WithoutCancel(ctx), q)
}

func (h heedless) Replay(ctx context.Context, q inbox.Query, name string) (int, error) {
	return h.s.Replay(context.WithoutCancel(ctx), q, name)
}

func (h heedless) Discard(ctx context.Context, q inbox.Query, why string) (int, error) {
	return h.s.Discard(context.WithoutCancel(ctx), q, why)
}

func (h heedless) Purge(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
	return h.s.Purge(context.WithoutCancel(ctx), keep)
}

func (h heedless) Stats(ctx context.Context) (inbox.Stats, error) {
	return h.s.Stats(context.WithoutCancel(ctx))
}

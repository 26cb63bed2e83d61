package aplombtest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// brokenInboxes break one rule each, and come with the parts of TestInbox that must
// say so, these and no others.
var brokenInboxes = map[string]struct {
	parts  string
	defect func(*brokenInbox)
}{
	// Insert.

	"nothing":                     {"", func(*brokenInbox) {}},
	"a duplicate is stored twice": {"a webhook replaces a poll's event, conflict, digest, duplicates in one insert, not replaced, odd names, stats, stored and duplicate", (*brokenInbox).storesTwice},
	"another event with the key is taken for the same": {"a webhook replaces a poll's event, conflict, digest, discard, duplicates in one insert, list, purge, purge leaves, replay, stats", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Digest = []byte("all the same") }
	}},
	"Digest ignored": {"digest", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Digest = nil }
	}},
	"a conflict is handled": {"conflict, duplicates in one insert, list, purge, purge leaves, replay, stats", func(b *brokenInbox) {
		b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
			out, err := b.Store.Insert(ctx, events...)
			for _, o := range out {
				if o.Status == inbox.Conflict {
					_, _ = b.Store.Replay(ctx, inbox.Query{Seqs: []int64{o.Seq}}, "never asked for")
				}
			}
			return out, err
		}
	}},
	"a webhook does not replace": {"a webhook replaces a poll's event, conflict, duplicates in one insert", func(b *brokenInbox) {
		b.outcomes(func(e *inbox.Event, o *inbox.Outcome) {
			if o.Status == inbox.Replaced {
				o.Status, o.Via = inbox.Duplicate, inbox.Poll
			}
		})
	}},
	"a webhook replaces what has begun": {"a webhook replaces a poll's event, conflict, not replaced, replay again", func(b *brokenInbox) {
		b.outcomes(func(e *inbox.Event, o *inbox.Outcome) {
			if o.Status == inbox.Duplicate && o.Via == inbox.Poll && e.Via == inbox.Webhook {
				o.Status, o.Via = inbox.Replaced, inbox.Webhook
			}
		})
	}},
	"a duplicate changes the type": {"a webhook replaces a poll's event, stored and duplicate", func(b *brokenInbox) {
		var types notes[int64, string]
		b.outcomes(func(e *inbox.Event, o *inbox.Outcome) {
			if o.Status == inbox.Duplicate {
				types.set(o.Seq, e.Type)
			}
		})
		b.record = func(r *inbox.Record) {
			if text, there := types.get(r.Seq); there {
				r.Type = text
			}
		}
	}},
	"Hold ignored": {"a held event in an Order, a webhook replaces a poll's event, claim, commit, due order, stats, when to ask again", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Hold = 0 }
	}},
	"Hold a second too short": {"a webhook replaces a poll's event", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Hold -= time.Second }
	}},
	"Hold a second too long": {"a webhook replaces a poll's event, claim, when to ask again", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) {
			if e.Hold > 0 {
				e.Hold += time.Second
			}
		}
	}},
	"half of a batch is kept": {"all or none", func(b *brokenInbox) {
		b.insert = func(ctx context.Context, events []inbox.Event) (all []inbox.Outcome, _ error) {
			for i := range events {
				out, err := b.Store.Insert(ctx, events[i])
				if err != nil {
					return nil, err
				}
				all = append(all, out...)
			}
			return all, ctx.Err()
		}
	}},
	"Insert keeps the caller's slice":    {"copies", (*brokenInbox).keepsBodies},
	"a record's headers are everybody's": {"copies", (*brokenInbox).sharesHeaders},
	"a body is made UTF-8": {"byte for byte", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Body = bytes.ToValidUTF8(e.Body, []byte("?")) }
	}},
	"a body loses its last line's end": {"byte for byte", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Body = bytes.TrimSuffix(e.Body, []byte("\n")) }
	}},
	"headers have one value each": {"byte for byte", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			for name, values := range r.Header {
				r.Header[name] = values[:min(1, len(values))]
			}
		}
	}},
	"headers are named anew": {"byte for byte", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			h := http.Header{}
			for name, values := range r.Header {
				h[http.CanonicalHeaderKey(name)] = values
			}
			r.Header = h
		}
	}},
	"Occurred to the millisecond": {"Orders at once, a late earlier event, a lease runs out in an Order, a retry in an Order, byte for byte, dead and parked in an Order, one of an Order at a time, the last of an Order", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Occurred = e.Occurred.Truncate(time.Millisecond) }
	}},
	"Occurred in 64 bits of nanoseconds": {"an Order over the ages, byte for byte", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) {
			if !e.Occurred.IsZero() {
				e.Occurred = time.Unix(0, e.Occurred.UnixNano())
			}
		}
	}},
	"keys without case": {"odd names", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Key = strings.ToLower(e.Key) }
		b.lists(func(q *inbox.Query) { q.Key = strings.ToLower(q.Key) })
	}},
	"keys of all sources together": {"odd names", func(b *brokenInbox) {
		var first notes[string, inbox.Outcome]
		b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
			if len(events) != 1 {
				return b.Store.Insert(ctx, events...)
			}
			name := events[0].Source + events[0].Key
			if o, there := first.get(name); there {
				return []inbox.Outcome{{Status: inbox.Duplicate, Seq: o.Seq, Via: o.Via}}, nil
			}
			out, err := b.Store.Insert(ctx, events...)
			if err == nil && strings.HasSuffix(name, "bc") {
				first.set(name, out[0])
			}
			return out, err
		}
	}},
	"Insert looks and then acts": {"the same keys at once", (*brokenInbox).looksFirst},
	"a big batch is numbered backwards": {"big batch", func(b *brokenInbox) {
		b.insert = func(ctx context.Context, events []inbox.Event) ([]inbox.Outcome, error) {
			if len(events) < 1000 {
				return b.Store.Insert(ctx, events...)
			}
			events = slices.Clone(events)
			slices.Reverse(events)
			out, err := b.Store.Insert(ctx, events...)
			slices.Reverse(out)
			return out, err
		}
	}},
	"what makes no sense is taken": {"refusals", func(b *brokenInbox) {
		b.purge = func(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
			p, err := b.Store.Purge(ctx, keep)
			if keep.Check() != nil {
				err = nil
			}
			return p, err
		}
	}},

	// Claim and leases.

	"a lease never ends": {"a lease runs out, a lease runs out in an Order, discard, expired, when to ask again", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Lease = 1e6 * time.Hour })
	}},
	"a lease ends too early": {"a lease runs out, extend", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Lease -= 2 * time.Minute })
	}},
	"a lease ends a second too early": {"a lease runs out, extend", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Lease -= time.Second })
	}},
	"a lease ends a second too late": {"a lease runs out, a lease runs out in an Order, discard, when to ask again", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Lease += time.Second })
	}},
	"a claim hands one event to two": {"Orders at once, claims at once", (*brokenInbox).claimsTogether},
	"Limit ignored": {"claim, contexts that are done, expired, limits of replay and discard", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Limit++ })
	}},
	"Sources are beginnings": {"claim, list, stored and duplicate, the last of an Order", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) {
			for _, s := range c.Sources {
				c.Sources = append(c.Sources, s+"2")
			}
		})
	}},
	"no Sources are none": {"claim", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) {
			if len(c.Sources) == 0 {
				c.Sources = []string{"none"}
			}
		})
	}},
	"one Source of several": {"Orders apart, claim, what a change names", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Sources = c.Sources[:min(1, len(c.Sources))] })
	}},
	"Expired ignored": {"a lease runs out in an Order, a retry in an Order, claim, expired", func(b *brokenInbox) {
		b.claims(func(c *inbox.Claim) { c.Expired = c.Limit })
	}},
	"claimed as they came, not as they were due": {"due order", func(b *brokenInbox) {
		b.claim = func(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
			records, next, err := b.Store.Claim(ctx, c)
			slices.SortFunc(records, func(x, y inbox.Record) int { return cmp.Compare(x.Seq, y.Seq) })
			return records, next, err
		}
	}},
	"always to be asked again in an hour": {"when to ask again", func(b *brokenInbox) {
		b.claim = func(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
			records, _, err := b.Store.Claim(ctx, c)
			return records, time.Hour, err
		}
	}},
	"attempts count when they end": {"a lease runs out", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			for _, a := range r.History {
				if a.Error == inbox.RanOut {
					r.Attempts--
				}
			}
		}
	}},
	"a lease that ran out leaves no trace": {"a lease runs out", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			r.History = slices.DeleteFunc(r.History, func(a inbox.Attempt) bool { return a.Error == inbox.RanOut })
		}
	}},
	"Extend ignored": {"extend", func(b *brokenInbox) {
		b.extend = func(ctx context.Context, _ time.Duration, leases []inbox.Lease) ([]bool, error) {
			return b.Store.Extend(ctx, time.Hour, leases...)
		}
	}},
	"Extend counts from the lease's end": {"extend", func(b *brokenInbox) {
		var until notes[int64, time.Time]
		b.claim = func(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
			records, next, err := b.Store.Claim(ctx, c)
			for i := range records {
				until.set(records[i].Seq, time.Now().Add(c.Lease))
			}
			return records, next, err
		}
		b.extend = func(ctx context.Context, d time.Duration, leases []inbox.Lease) ([]bool, error) {
			end, _ := until.get(leases[0].Seq)
			end = end.Add(d)
			held, err := b.Store.Extend(ctx, time.Until(end), leases...)
			if err == nil && held[0] {
				until.set(leases[0].Seq, end)
			}
			return held, err
		}
	}},
	"Extend of what has run out": {"extend", func(b *brokenInbox) {
		b.extend = func(ctx context.Context, d time.Duration, leases []inbox.Lease) ([]bool, error) {
			held, err := b.Store.Extend(ctx, d, leases...)
			for i := range held {
				r, _ := b.Store.List(ctx, inbox.Query{Seqs: []int64{leases[i].Seq}})
				held[i] = len(r) == 1 && r[0].State == inbox.StateLeased && r[0].Fence == leases[i].Fence
			}
			return held, err
		}
	}},

	"Extend has no answers": {"big batch, extend, lost leases", func(b *brokenInbox) {
		b.extend = func(ctx context.Context, d time.Duration, leases []inbox.Lease) ([]bool, error) {
			_, err := b.Store.Extend(ctx, d, leases...)
			return nil, err
		}
	}},

	// Settle.

	"Settle has one answer": {"big batch, lost leases", func(b *brokenInbox) {
		b.settle = func(ctx context.Context, settlements []inbox.Settlement) ([]bool, error) {
			held, err := b.Store.Settle(ctx, settlements...)
			return held[:min(len(held), 1)], err
		}
	}},
	"done of a lost lease is accepted": {"a lease runs out, lost leases", func(b *brokenInbox) {
		fence := b.fences()
		b.settles(func(s *inbox.Settlement) { s.Fence, _ = fence.get(s.Seq) })
	}},
	"a lost lease is told that it was held": {"a lease runs out, lost leases", func(b *brokenInbox) {
		b.settle = func(ctx context.Context, settlements []inbox.Settlement) ([]bool, error) {
			held, err := b.Store.Settle(ctx, settlements...)
			for i := range held {
				held[i] = true
			}
			return held, err
		}
	}},
	"fences stay at one": {"a lease runs out, lost leases, undo", func(b *brokenInbox) {
		var fence notes[int64, int64]
		b.record = func(r *inbox.Record) { fence.set(r.Seq, r.Fence); r.Fence = min(r.Fence, 1) }
		b.settles(func(s *inbox.Settlement) {
			if s.Fence == 1 {
				s.Fence, _ = fence.get(s.Seq)
			}
		})
	}},
	"After ignored": {"purge leaves, replay, retry, when to ask again", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) { s.After = 0 })
	}},
	"After a second too short": {"retry", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) { s.After -= time.Second })
	}},
	"After a second too long": {"retry, when to ask again", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) {
			if s.After > 0 {
				s.After += time.Second
			}
		})
	}},
	"a negative After waits": {"settle", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) { s.After = max(s.After, -s.After) })
	}},
	"Undo ignored": {"undo", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) { s.Undo = false })
	}},
	"Error ignored": {"a lease runs out, discard, history, odd errors, replay again", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) { s.Error = "" })
	}},
	"errors cut short": {"odd errors", func(b *brokenInbox) {
		b.settles(func(s *inbox.Settlement) { s.Error = s.Error[:min(len(s.Error), inbox.MaxError/2)] })
	}},
	"histories cut short": {"history", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) { r.History = r.History[max(0, len(r.History)-inbox.MaxHistory/2):] }
	}},
	"attempts of nobody": {"a lease runs out, history", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			for i := range r.History {
				r.History[i].Owner = ""
			}
		}
	}},

	// Orders.

	"Order ignored":           {"Orders apart, Orders at once, a held event in an Order, a late earlier event, a lease runs out in an Order, a replay in an Order, a retry in an Order, an Order over the ages, dead and parked in an Order, expired, list, one of an Order at a time, stats, what a change names, when to ask again", (*brokenInbox).unordered},
	"an Order as events came": {"Orders at once, a late earlier event, a lease runs out in an Order, a retry in an Order, an Order over the ages, dead and parked in an Order, one of an Order at a time, the last of an Order", (*brokenInbox).byArrival},
	"Last is what ended last": {"the last of an Order", (*brokenInbox).lastSettled},
	"Orders without case": {"Orders apart, all or none, odd names", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) { e.Order = strings.ToLower(e.Order) }
		b.lists(func(q *inbox.Query) { q.Order = strings.ToLower(q.Order) })
	}},
	"a held event holds up nothing": {"a held event in an Order", func(b *brokenInbox) {
		b.event = func(e *inbox.Event) {
			if e.Hold > 0 && e.Order != "" {
				e.Order += " " + e.Key
			}
		}
	}},
	"Last is of any source": {"the last of an Order", func(b *brokenInbox) {
		b.last = func(ctx context.Context, source, order string) (*inbox.Record, error) {
			return b.lastOf(ctx, inbox.Query{Order: order}, source)
		}
	}},
	"Last is of any Order": {"purge, the last of an Order", func(b *brokenInbox) {
		b.last = func(ctx context.Context, source, _ string) (*inbox.Record, error) {
			return b.lastOf(ctx, inbox.Query{Source: source}, source)
		}
	}},
	"a parked event holds up nothing": {"dead and parked in an Order, stats, what a change names", func(b *brokenInbox) {
		var parked notes[int64, bool]
		b.settles(func(s *inbox.Settlement) {
			parked.set(s.Seq, s.State == inbox.StateParked)
			if s.State == inbox.StateParked {
				s.State = inbox.StateDead
			}
		})
		b.record = func(r *inbox.Record) {
			if is, _ := parked.get(r.Seq); is && r.State == inbox.StateDead {
				r.State = inbox.StateParked
			}
		}
	}},

	// Cursors.

	"a cursor moves back": {"commit of a lease that was lost, release", func(b *brokenInbox) {
		b.release = func(ctx context.Context, name string, fence int64) error {
			_, _ = b.Store.Commit(ctx, name, fence, "")
			return b.Store.Release(ctx, name, fence)
		}
	}},
	"a lost fence still commits": {"a cursor's lease runs out, commit of a lease that was lost", func(b *brokenInbox) {
		var fences notes[string, int64]
		b.hold = func(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
			c, ok, err := b.Store.Hold(ctx, name, owner, d)
			if ok {
				fences.set(name, c.Fence)
			}
			return c, ok, err
		}
		b.commit = func(ctx context.Context, name string, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error) {
			if now, there := fences.get(name); there && fence < now && fence > 0 {
				fence = now
			}
			return b.Store.Commit(ctx, name, fence, value, events...)
		}
	}},
	"a lost commit keeps its events": {"a cursor's lease runs out, commit of a lease that was lost", func(b *brokenInbox) {
		b.commit = func(ctx context.Context, name string, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error) {
			out, err := b.Store.Commit(ctx, name, fence, value, events...)
			if errors.Is(err, inbox.ErrLost) {
				_, _ = b.Store.Insert(ctx, events...)
			}
			return out, err
		}
	}},
	"a commit that failed moves the cursor": {"commit", func(b *brokenInbox) {
		b.commit = func(ctx context.Context, name string, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error) {
			if _, err := b.Store.Commit(ctx, name, fence, value); err != nil {
				return nil, err
			}
			return b.Store.Insert(ctx, events...)
		}
	}},
	"a cursor is anybody's": {"a cursor's lease runs out, contexts that are done, hold, holds at once, refusals, release", func(b *brokenInbox) {
		b.hold = func(ctx context.Context, name, _ string, d time.Duration) (inbox.Cursor, bool, error) {
			return b.Store.Hold(ctx, name, "all", d)
		}
	}},
	"a cursor is held on in vain": {"a cursor's lease runs out", func(b *brokenInbox) {
		var owners notes[string, string]
		b.hold = func(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
			if was, _ := owners.get(name); was == owner && d > 0 {
				d = time.Hour
			}
			c, ok, err := b.Store.Hold(ctx, name, owner, d)
			if ok {
				owners.set(name, owner)
			}
			return c, ok, err
		}
	}},
	"a cursor's lease never ends": {"a cursor's lease runs out", func(b *brokenInbox) {
		b.hold = func(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
			return b.Store.Hold(ctx, name, owner, d*1000)
		}
	}},
	"a cursor's lease ends a second too early": {"a cursor's lease runs out", func(b *brokenInbox) {
		b.hold = func(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
			return b.Store.Hold(ctx, name, owner, d-time.Second)
		}
	}},
	"Release ignored": {"commit of a lease that was lost, holds at once, release", func(b *brokenInbox) {
		b.release = func(ctx context.Context, _ string, _ int64) error { return ctx.Err() }
	}},
	"a lost fence still releases": {"release", func(b *brokenInbox) {
		b.release = func(ctx context.Context, name string, fence int64) error {
			for f := fence; f < fence+3; f++ {
				if err := b.Store.Release(ctx, name, f); err != nil {
					return err
				}
			}
			return nil
		}
	}},
	"cursors without case": {"cursors' names and values", func(b *brokenInbox) {
		b.hold = func(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
			return b.Store.Hold(ctx, strings.ToLower(name), owner, d)
		}
		b.commit = func(ctx context.Context, name string, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error) {
			return b.Store.Commit(ctx, strings.ToLower(name), fence, value, events...)
		}
		b.release = func(ctx context.Context, name string, fence int64) error {
			return b.Store.Release(ctx, strings.ToLower(name), fence)
		}
	}},

	// Archive.

	"List by State ignored": {"list", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) { q.States = nil })
	}},
	"List is of 100 at most": {"big batch", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) { q.Limit = min(q.Limit, 100) })
	}},
	"List is of all if nothing is said": {"pages", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) { q.Limit = cmp.Or(q.Limit, 1<<20) })
	}},
	"List by ReceivedTo is inclusive": {"list", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) {
			if !q.ReceivedTo.IsZero() {
				q.ReceivedTo = q.ReceivedTo.Add(1)
			}
		})
	}},
	"List by ReceivedFrom is exclusive": {"list", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) {
			if !q.ReceivedFrom.IsZero() {
				q.ReceivedFrom = q.ReceivedFrom.Add(1)
			}
		})
	}},
	"List by After is inclusive": {"list, pages", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) { q.After = max(0, q.After-1) })
	}},
	"List by Type ignored": {"list, odd names", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) { q.Type = "" })
	}},
	"List by Order ignored": {"list, odd names", func(b *brokenInbox) {
		b.lists(func(q *inbox.Query) { q.Order = "" })
	}},
	"List is of the latest first": {"big batch, list, pages", func(b *brokenInbox) {
		b.list = func(ctx context.Context, q inbox.Query) ([]inbox.Record, error) {
			records, err := b.Store.List(ctx, q)
			slices.Reverse(records)
			return records, err
		}
	}},
	"Replay by State ignored": {"changes that name everything, what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.States = nil })
	}},
	"Replay by Type ignored": {"what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.Type = "" })
	}},
	"Replay by Order ignored": {"what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.Order = "" })
	}},
	"Replay by Key ignored": {"purge, what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.Key = "" })
	}},
	"Replay by time ignored": {"what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.ReceivedFrom, q.ReceivedTo = time.Time{}, time.Time{} })
	}},
	"Replay of All refused": {"changes that name everything", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.All = false })
	}},
	"an empty body is none": {"byte for byte, what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) {
			wide := *q
			wide.Limit = 1 << 20
			records, _ := b.Store.List(context.Background(), wide)
			for _, r := range records {
				if len(r.Body) > 0 && q.CheckChange() == nil {
					q.Seqs = append(q.Seqs, r.Seq)
				}
			}
		})
	}},
	"Discard by State ignored": {"changes that name everything, what a change names", func(b *brokenInbox) {
		b.discards(func(q *inbox.Query) { q.States = nil })
	}},
	"Discard by Type ignored": {"what a change names", func(b *brokenInbox) {
		b.discards(func(q *inbox.Query) { q.Type = "" })
	}},
	"Discard of All refused": {"changes that name everything", func(b *brokenInbox) {
		b.discards(func(q *inbox.Query) { q.All = false })
	}},
	"attempts without times": {"a lease runs out, history", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			for i := range r.History {
				r.History[i].Began = time.Time{}
			}
		}
	}},
	"attempts of no replay": {"replay again", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			for i := range r.History {
				r.History[i].Replay = ""
			}
		}
	}},
	"a replay loses the time of receipt": {"a replay in an Order, dead and parked in an Order, limits of replay and discard, replay, replay again, what a change names", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			if r.Replay != "" {
				r.Received = r.Due
			}
		}
	}},
	"a replay loses the id": {"a replay in an Order, dead and parked in an Order, replay, replay again", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			if r.Replay != "" {
				r.Key = r.Replay
			}
		}
	}},
	"a replay loses the history": {"replay, replay again", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			r.History = slices.DeleteFunc(r.History, func(a inbox.Attempt) bool { return a.Replay != r.Replay })
		}
	}},
	"a replay goes on counting": {"replay, replay again", func(b *brokenInbox) {
		b.record = func(r *inbox.Record) {
			if r.Replay != "" {
				r.Attempts += len(r.History)
			}
		}
	}},
	"a replay of an empty list is one of everything": {"changes that name everything", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) {
			if len(q.Seqs) == 0 {
				q.Seqs = nil
			}
		})
	}},
	"a limit of replays ignored": {"changes that name everything, limits of replay and discard, what a change names", func(b *brokenInbox) {
		b.replays(func(q *inbox.Query) { q.Limit = 0 })
	}},
	"Discard says nothing": {"discard", func(b *brokenInbox) {
		b.discard = func(ctx context.Context, q inbox.Query, _ string) (int, error) { return b.Store.Discard(ctx, q, "") }
	}},
	"Purge takes what is not old enough": {"purge", func(b *brokenInbox) {
		b.purge = func(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
			keep.Bodies, keep.Keys = keep.Bodies*9/10, keep.Keys*9/10
			return b.Store.Purge(ctx, keep)
		}
	}},
	"Purge leaves what is old": {"purge", func(b *brokenInbox) {
		b.purge = func(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
			keep.Bodies, keep.Keys = keep.Bodies*11/10, keep.Keys*11/10
			return b.Store.Purge(ctx, keep)
		}
	}},
	"Purge takes what is dead": {"purge leaves", func(b *brokenInbox) {
		b.purge = func(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
			if keep.Check() == nil {
				_, _ = b.Store.Discard(ctx, inbox.Query{States: []inbox.State{inbox.StateDead}}, "old")
			}
			return b.Store.Purge(ctx, keep)
		}
	}},
	"Stats count conflicts as dead": {"stats", func(b *brokenInbox) {
		b.stats = func(ctx context.Context) (inbox.Stats, error) {
			s, err := b.Store.Stats(ctx)
			s.Dead, s.Conflicts = s.Dead+s.Conflicts, 0
			return s, err
		}
	}},
	"Oldest is not told": {"stats", func(b *brokenInbox) {
		b.stats = func(ctx context.Context) (inbox.Stats, error) {
			s, err := b.Store.Stats(ctx)
			s.Oldest = 0
			return s, err
		}
	}},
}

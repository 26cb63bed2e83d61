package aplombtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

var inboxCursors = []inboxPart{
	{"hold", (*inboxTest).holds},
	{"release", (*inboxTest).release},
	{"commit", (*inboxTest).commit},
	{"commit of a lease that was lost", (*inboxTest).commitLost},
	{"a cursor's lease runs out", (*inboxTest).cursorRunsOut},
	{"cursors' names and values", (*inboxTest).cursorNames},
	{"holds at once", (*inboxTest).holdsAtOnce},
}

// inboxStats come first: what other parts leave is in the counts.
var inboxStats = []inboxPart{{"stats", (*inboxTest).stats}}

// hold takes a cursor's lease, which must be free or the owner's.
func (t *inboxTest) hold(name, owner string, d time.Duration) inbox.Cursor {
	t.Helper()
	c, ok, err := t.store.Hold(context.Background(), name, owner, d)
	if err != nil || !ok {
		t.endf("Hold for %s: %v, %v; want it held", owner, ok, err)
	}
	return c
}

func (t *inboxTest) isHeld(name, by string) {
	t.Helper()
	if c, ok, err := t.store.Hold(context.Background(), name, "somebody else", inboxLease); ok || err != nil {
		t.failf("a cursor that %s holds was given to somebody else: %+v, %v, %v", by, c, ok, err)
	}
}

func (t *inboxTest) moves(name string, fence int64, value string, events ...inbox.Event) []inbox.Outcome {
	t.Helper()
	out, err := t.store.Commit(context.Background(), name, fence, value, events...)
	t.must(err, "Commit")
	if len(out) != len(events) {
		t.endf("Commit of %d events has %d outcomes", len(events), len(out))
	}
	return out
}

func (t *inboxTest) holds() {
	first := t.hold(t.source, "one", inboxLease)
	if first.Value != "" || first.Fence <= 0 {
		t.failf("a new cursor is %+v; want no value and a fence above zero", first)
	}
	t.isHeld(t.source, "one")
	if again := t.hold(t.source, "one", inboxLease); again != first {
		t.failf("a cursor held on by its owner is %+v, was %+v", again, first)
	}
	t.hold(t.source+"2", "somebody else", inboxLease) // another cursor is free
	t.moves(t.source, first.Fence, "here")
	if again := t.hold(t.source, "one", inboxLease); again.Value != "here" || again.Fence != first.Fence {
		t.failf("after a Commit the cursor is %+v", again)
	}
}

func (t *inboxTest) release() {
	ctx := context.Background()
	first := t.hold(t.source, "one", inboxLease)
	t.moves(t.source, first.Fence, "here")
	t.must(t.store.Release(ctx, t.source, first.Fence), "Release")
	second := t.hold(t.source, "two", inboxLease)
	if second.Value != "here" || second.Fence <= first.Fence {
		t.failf("after a Release the cursor is %+v; want the value kept and a fence above %d", second, first.Fence)
	}
	for _, fence := range []int64{first.Fence, second.Fence + 1, 0} {
		if err := t.store.Release(ctx, t.source, fence); err != nil && !errors.Is(err, inbox.ErrLost) {
			t.failf("Release with fence %d, which is not held: %v", fence, err)
		}
	}
	t.isHeld(t.source, "two")
	if err := t.store.Release(ctx, t.source+" of nobody", 1); err != nil && !errors.Is(err, inbox.ErrLost) {
		t.failf("Release of a cursor that is not there: %v", err)
	}
	t.must(t.store.Release(ctx, t.source, second.Fence), "Release")
	if third := t.hold(t.source, "one", inboxLease); third.Fence <= second.Fence {
		t.failf("the third lease has fence %d, the second had %d", third.Fence, second.Fence)
	}
}

func (t *inboxTest) commit() {
	c := t.hold(t.source, "one", inboxLease)
	seq := t.put(t.event("a"))[0]
	out := t.moves(t.source, c.Fence, "page 2", t.event("a", polled), t.event("b", polled), t.event("b", polled), t.event("c", polled, held(time.Hour)))
	want := []inbox.Outcome{
		{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}, {Status: inbox.Stored, Seq: out[1].Seq, Via: inbox.Poll},
		{Status: inbox.Duplicate, Seq: out[1].Seq, Via: inbox.Poll}, {Status: inbox.Stored, Seq: out[3].Seq, Via: inbox.Poll},
	}
	if !slices.Equal(out, want) {
		t.failf("Commit: got %+v\nwant %+v", out, want)
	}
	t.take("events that were committed", "a", "b")
	if got := t.hold(t.source, "one", inboxLease); got.Value != "page 2" {
		t.failf("the cursor's value is %q, want page 2", got.Value)
	}
	if out, err := t.store.Commit(context.Background(), t.source, c.Fence, "page 3", t.event("d"), t.event("")); err == nil {
		t.failf("Commit of an event without a key: %v, want an error", out)
	}
	if got := t.hold(t.source, "one", inboxLease); got.Value != "page 2" || len(t.list(inbox.Query{Source: t.source})) != 3 {
		t.failf("a Commit that failed moved the cursor to %q, or kept an event", got.Value)
	}
	t.moves(t.source, c.Fence, "")
	if got := t.hold(t.source, "one", inboxLease); got.Value != "" {
		t.failf("the cursor's value is %q, want it empty again", got.Value)
	}
}

func (t *inboxTest) commitLost() {
	ctx := context.Background()
	first := t.hold(t.source, "one", inboxLease)
	t.moves(t.source, first.Fence, "here", t.event("a", polled))
	t.must(t.store.Release(ctx, t.source, first.Fence), "Release")
	second := t.hold(t.source, "two", inboxLease)
	for what, fence := range map[string]int64{"the fence before": first.Fence, "a fence to come": second.Fence + 1, "no fence": 0} {
		out, err := t.store.Commit(ctx, t.source, fence, "there", t.event("lost", polled))
		if !errors.Is(err, inbox.ErrLost) || len(out) != 0 {
			t.failf("Commit with %s: %v, %v; want ErrLost", what, out, err)
		}
	}
	if out, err := t.store.Commit(ctx, t.source+" of nobody", 1, "there", t.event("lost", polled)); !errors.Is(err, inbox.ErrLost) {
		t.failf("Commit of a cursor that nobody has held: %v, %v; want ErrLost", out, err)
	}
	if got := t.hold(t.source, "two", inboxLease); got != second || got.Value != "here" {
		t.failf("after commits that were lost the cursor is %+v, was %+v", got, second)
	}
	t.take("nothing of a commit that was lost is kept", "a")
}

func (t *inboxTest) cursorRunsOut() {
	first := t.hold(t.source, "one", 2*time.Hour)
	if !t.pass(2*time.Hour - t.slack()) {
		return
	}
	t.isHeld(t.source, "one")
	t.hold(t.source, "one", 2*time.Hour)
	t.pass(2*time.Hour - t.slack())
	t.isHeld(t.source, "one")
	t.pass(2 * t.slack())
	t.moves(t.source, first.Fence, "late") // nobody has taken it
	second := t.hold(t.source, "two", inboxLease)
	if second.Value != "late" || second.Fence <= first.Fence {
		t.failf("after the lease ran out the cursor is %+v; want its value and a fence above %d", second, first.Fence)
	}
	if _, err := t.store.Commit(context.Background(), t.source, first.Fence, "too late", t.event("lost", polled)); !errors.Is(err, inbox.ErrLost) {
		t.failf("Commit after another owner took the lease: %v, want ErrLost", err)
	}
	t.isHeld(t.source, "two")
	t.take("nothing of a commit that was lost is kept")
}

func (t *inboxTest) cursorNames() {
	for i, name := range []string{"", " ", ":", "{}", "'", `"\`, "é", "e\u0301", "a", "A", strings.Repeat("n", 200)} {
		c := t.hold(t.source+name, "owner "+name, inboxLease)
		value := fmt.Sprint(i, ` {"é": "\u0000 鍵 '`, strings.Repeat("v", 10<<10))
		t.moves(t.source+name, c.Fence, value)
		if got := t.hold(t.source+name, "owner "+name, inboxLease); c.Value != "" || got.Value != value {
			t.failf("cursor %.20q: %.20q at first, then %.40q of %d bytes; want what was committed, %d bytes", name, c.Value, got.Value, len(got.Value), len(value))
		}
	}
}

func (t *inboxTest) holdsAtOnce() {
	const owners, rounds = 16, 5
	last := int64(0)
	for range rounds {
		var held atomic.Int32
		var fence atomic.Int64
		var group sync.WaitGroup
		for o := range owners {
			group.Go(func() {
				c, ok, err := t.store.Hold(context.Background(), t.source, fmt.Sprint("owner ", o), inboxLease)
				if err != nil {
					t.failf("Hold beside others: %v", err)
				}
				if ok {
					held.Add(1)
					fence.Store(c.Fence)
				}
			})
		}
		group.Wait()
		if held.Load() != 1 || fence.Load() <= last {
			t.failf("%d owners hold the cursor, with fence %d after %d; want one, and a higher one", held.Load(), fence.Load(), last)
		}
		last = fence.Load()
		t.must(t.store.Release(context.Background(), t.source, last), "Release")
	}
}

func (t *inboxTest) stats() {
	count := func() inbox.Stats {
		t.Helper()
		s, err := t.store.Stats(context.Background())
		t.must(err, "Stats")
		return s
	}
	before := count()
	grew := func(what string, want inbox.Stats) inbox.Stats {
		t.Helper()
		s := count()
		got := inbox.Stats{
			Ready: s.Ready - before.Ready, Leased: s.Leased - before.Leased, Dead: s.Dead - before.Dead,
			Parked: s.Parked - before.Parked, Conflicts: s.Conflicts - before.Conflicts,
		}
		if got != want {
			t.failf("%s: the counts grew by %+v, want %+v", what, got, want)
		}
		return s
	}
	alone := before.Pending() == 0
	if alone && before.Oldest != 0 {
		t.failf("nothing is pending, and the oldest of it is %v old", before.Oldest)
	}
	t.put(t.event("a"))
	aged := t.pass(time.Hour)
	t.put(t.event("b"), t.event("c"), t.event("d", held(time.Hour)), t.event("e", about("x", 0)), t.event("f", about("x", 1)))
	t.insert(t.event("b", saying("another")), t.event("c"))
	oldest := func(what string, want time.Duration) {
		t.Helper()
		if s := count(); aged && (alone && (s.Oldest > want+t.slack()+t.tolerance) || s.Oldest < want-t.tolerance) {
			t.failf("%s: the oldest is %v old, want %v", what, s.Oldest, want)
		}
	}
	grew("six came", inbox.Stats{Ready: 6, Conflicts: 1})
	oldest("six came", time.Hour)
	r := t.take("what is due", "a", "b", "c", "e")
	grew("four are handled", inbox.Stats{Ready: 2, Leased: 4, Conflicts: 1})
	oldest("the oldest is handled", time.Hour)
	t.settle(r[0], asDone)
	oldest("the oldest is done", 0)
	t.settle(r[1], inbox.Settlement{State: inbox.StateDead, Error: "x"})
	t.settle(r[2], inbox.Settlement{State: inbox.StateParked, Error: "x"})
	t.settle(r[3], inbox.Settlement{State: inbox.StateReady, After: time.Hour, Error: "x"})
	grew("they ended", inbox.Stats{Ready: 3, Dead: 1, Parked: 1, Conflicts: 1})
	n, err := t.store.Discard(context.Background(), inbox.Query{Source: t.source}, "x")
	t.must(err, "Discard")
	if s := grew("all are discarded", inbox.Stats{}); n != 6 || alone && s.Oldest != 0 {
		t.failf("%d were discarded, and the oldest that is pending is %v old", n, s.Oldest)
	}
}

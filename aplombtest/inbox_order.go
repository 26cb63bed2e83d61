package aplombtest

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

var inboxOrders = []inboxPart{
	{"one of an Order at a time", (*inboxTest).oneAtATime},
	{"an Order over the ages", (*inboxTest).overTheAges},
	{"a late earlier event", (*inboxTest).lateEarlier},
	{"dead and parked in an Order", (*inboxTest).deadAndParked},
	{"a retry in an Order", (*inboxTest).retryInOrder},
	{"a held event in an Order", (*inboxTest).heldInOrder},
	{"a lease runs out in an Order", (*inboxTest).runsOutInOrder},
	{"Orders apart", (*inboxTest).ordersApart},
	{"a replay in an Order", (*inboxTest).replayInOrder},
	{"Orders at once", (*inboxTest).ordersAtOnce},
	{"the last of an Order", (*inboxTest).last},
}

var asDone = inbox.Settlement{State: inbox.StateDone}

func (t *inboxTest) oneAtATime() {
	// By Occurred to the microsecond, then as they came; free ones in between.
	t.put(t.event("c", about("x", 2)), t.event("free"), t.event("b", about("x", 1)), t.event("a", about("x", 0)), t.event("b2", about("x", 1)), t.event("free2"))
	got := t.take("the first of the Order, and what has none", "free", "a", "free2")
	for _, want := range []string{"b", "b2", "c"} {
		t.take("one is being handled")
		at := slices.IndexFunc(got, func(r *inbox.Record) bool { return r.Order == "x" })
		t.settle(got[at], asDone)
		got = t.take("the next of the Order", want)
	}
	t.settle(got[0], asDone)
	t.take("nothing is left")
}

// overTheAges: a sender's clock may be anywhere.
func (t *inboxTest) overTheAges() {
	years := []int{9999, 1969, 1, 1970, 2300, 1600}
	for _, y := range years {
		t.put(t.event(fmt.Sprintf("%04d", y), about("x", 0), func(e *inbox.Event) { e.Occurred = e.Occurred.AddDate(y-e.Occurred.Year(), 0, 0) }))
	}
	t.put(t.event("now", func(e *inbox.Event) { e.Order = "x" }))
	slices.Sort(years)
	for _, y := range years {
		if y == 2300 {
			t.settle(t.take("as they occurred", "now")[0], asDone)
		}
		t.settle(t.take("as they occurred", fmt.Sprintf("%04d", y))[0], asDone)
	}
}

func (t *inboxTest) lateEarlier() {
	t.put(t.event("b", about("x", 10)), t.event("c", about("x", 20)))
	b := t.take("the first that came", "b")[0]
	t.put(t.event("a", about("x", 5)))
	t.take("an earlier one does not begin while a later one is handled")
	t.settle(b, inbox.Settlement{State: inbox.StateReady})
	a := t.take("then it goes first", "a")[0]
	t.settle(a, asDone)
	b = t.take("before the one that is tried again", "b")[0]
	t.settle(b, asDone)
	t.put(t.event("too late", about("x", 0)))
	t.settle(t.take("what comes later than a done one is still handled", "too late")[0], asDone)
	t.take("and then the rest", "c")
}

func (t *inboxTest) deadAndParked() {
	seqs := t.put(t.event("a", about("x", 0)), t.event("b", about("x", 1)), t.event("c", about("x", 2)), t.event("other", about("y", 0)))
	r := t.take("the first of each Order", "a", "other")
	t.settle(r[1], asDone)
	t.settle(r[0], inbox.Settlement{State: inbox.StateDead, Error: "poison"})
	b := t.take("a dead letter holds up nothing", "b")[0]
	t.settle(b, inbox.Settlement{State: inbox.StateParked, Error: "poison"})
	t.take("a parked one does")
	t.put(t.event("earlier", about("x", 0)), t.event("free"))
	r = t.take("but only what is later", "earlier", "free")
	t.settle(r[0], asDone)
	t.take("a parked one still does")

	n, err := t.store.Discard(context.Background(), inbox.Query{Seqs: seqs[1:2]}, "nobody needs it")
	if n != 1 || err != nil {
		t.failf("Discard of the parked event: %d, %v", n, err)
	}
	c := t.take("until it is discarded", "c")[0]
	t.settle(c, inbox.Settlement{State: inbox.StateParked, Error: "poison"})
	t.put(t.event("d", about("x", 3)))
	t.take("c is parked")
	n, err = t.store.Replay(context.Background(), inbox.Query{Seqs: seqs[2:3]}, "again")
	if n != 1 || err != nil {
		t.failf("Replay of the parked event: %d, %v", n, err)
	}
	t.settle(t.take("or replayed, and then it is first", "c")[0], asDone)
	t.take("and the rest go on", "d")
}

func (t *inboxTest) retryInOrder() {
	t.put(t.event("a", about("x", 0)), t.event("b", about("x", 1)), t.event("other", about("y", 0)))
	r := t.take("the first of each Order", "a", "other")
	t.settle(r[0], inbox.Settlement{State: inbox.StateReady, After: inboxLease, Error: "not now"})
	t.settle(r[1], asDone)
	t.put(t.event("free"), t.event("other2", about("y", 1)), t.event("earlier", about("x", -1)))
	t.take("a retry holds up the later ones of its own Order only", "free", "other2", "earlier")
	if !t.pass(inboxLease + t.slack()) {
		return
	}
	t.put(t.event("fresh"))
	r, _ = t.claim(inbox.Claim{Limit: 9})
	if got := keysOf(r); !slices.Equal(got, []string{"fresh"}) {
		t.failf("earlier's lease ran out and it has not been handled: got %q, want fresh alone", got)
	}
}

// heldInOrder: a held event is ready, so later ones of its Order wait for it.
func (t *inboxTest) heldInOrder() {
	t.put(t.event("a", polled, held(time.Hour), about("x", 0)), t.event("b", about("x", 1)))
	t.take("an earlier one is held")
	t.insert(t.event("a", about("x", 0)))
	t.settle(t.take("the webhook ends the wait", "a")[0], asDone)
	t.take("and the later one follows", "b")
}

func (t *inboxTest) runsOutInOrder() {
	t.put(t.event("b", about("x", 1)), t.event("c", about("x", 2)))
	t.take("the first", "b")
	if !t.pass(inboxLease + t.slack()) {
		return
	}
	if r, _ := t.claim(inbox.Claim{Limit: 9}); len(r) != 0 {
		t.failf("b's lease ran out and b has not been handled: got %q, want nothing", keysOf(r))
	}
	t.put(t.event("a", about("x", 0)))
	a := t.take("what is earlier goes first", "a")[0]
	t.take("and what had its lease run out waits for it")
	t.settle(a, asDone)
	t.settle(t.take("then that", "b")[0], asDone)
	t.take("then the rest", "c")
}

func (t *inboxTest) ordersApart() {
	two := t.source + "2"
	t.put(t.event("a", about("x", 0)), t.event("b", about("x", 1)), t.event("a", about("x", 0), from(two)), t.event("b", about("X", 0), from(two)), t.event("c", about("x ", 0)))
	r, _ := t.claim(inbox.Claim{Limit: 9, Sources: []string{t.source, two}})
	if got := keysOf(r); !slices.Equal(got, []string{"a", "a", "b", "c"}) {
		t.failf("Orders of two sources, and of similar names: got %q, want one of each", got)
	}
}

// replayInOrder: what is replayed goes before what is later, but not beside it.
func (t *inboxTest) replayInOrder() {
	seqs := t.done(t.event("a", about("x", 0)), t.event("b", about("x", 1)))
	t.put(t.event("c", about("x", 2)), t.event("d", about("x", 3)))
	c := t.take("the next", "c")[0]
	if n, err := t.store.Replay(context.Background(), inbox.Query{Seqs: seqs}, "again"); n != 2 || err != nil {
		t.failf("Replay of two events: %d, %v", n, err)
	}
	t.take("c is being handled")
	t.settle(c, asDone)
	for _, want := range []string{"a", "b", "d"} {
		t.settle(t.take("in the Order's order", want)[0], asDone)
	}
}

// ordersAtOnce: many workers, and never two at one Order.
func (t *inboxTest) ordersAtOnce() {
	const orders, each, goroutines = 6, 12, 12
	var all []inbox.Event
	for i := range each {
		for o := range orders {
			all = append(all, t.event(fmt.Sprintf("%d-%02d", o, each-i), about(strconv.Itoa(o), each-i)))
		}
	}
	t.put(all...)
	w := &orderWork{inboxTest: t, left: len(all), busy: map[string]string{}, handled: map[string][]string{}}
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for w.goesOn() {
				w.handle(inbox.Claim{Owner: strconv.Itoa(g), Limit: 1 + g%3, Lease: inboxLease, Sources: []string{t.source}})
				runtime.Gosched()
			}
		})
	}
	group.Wait()
	for o, keys := range w.handled {
		if len(keys) != each || !slices.IsSorted(keys) {
			t.failf("the events of Order %s were handled as %q; want each once, as they occurred", o, keys)
		}
	}
}

// orderWork is what many workers handle.
type orderWork struct {
	*inboxTest
	mu      sync.Mutex
	left    int
	busy    map[string]string   // by Order: the key at work
	handled map[string][]string // by Order: the keys
}

func (w *orderWork) goesOn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left > 0
}

// handle claims events and has them done.
func (w *orderWork) handle(c inbox.Claim) {
	records, _, err := w.store.Claim(context.Background(), c)
	for i := range records {
		w.begin(&records[i])
	}
	for i := range records {
		runtime.Gosched()
		w.end(&records[i])
		ok, failed := w.store.Settle(context.Background(), inbox.Settlement{Lease: records[i].Lease(), State: inbox.StateDone})
		if failed == nil && !slices.Equal(ok, []bool{true}) {
			w.failf("the lease of %s was lost", records[i].Key)
		}
		err = cmp.Or(err, failed)
	}
	if err != nil {
		w.failf("beside others: %v", err)
		w.mu.Lock()
		w.left = 0
		w.mu.Unlock()
	}
}

func (w *orderWork) begin(r *inbox.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if other, is := w.busy[r.Order]; is {
		w.failf("%s was claimed while %s of the same Order was handled", r.Key, other)
	}
	w.busy[r.Order] = r.Key
	w.handled[r.Order] = append(w.handled[r.Order], r.Key)
}

func (w *orderWork) end(r *inbox.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, r.Order)
	w.left--
}

func (t *inboxTest) last() {
	last := func(what, order, want string) {
		t.Helper()
		r, err := t.store.Last(context.Background(), t.source, order)
		t.must(err, "Last")
		switch {
		case r == nil && want == "":
		case r == nil || r.Key != want || r.State != inbox.StateDone:
			t.failf("%s: Last returned %v, want %q", what, r, want)
		}
	}
	last("nothing came", "x", "")
	seqs := t.put(t.event("b", about("x", 10)), t.event("other", about("y", 99)), t.event("elsewhere", about("x", 99), from(t.source+"2")))
	last("nothing is done", "x", "")
	r := t.take("new events", "b", "other")
	last("nothing is done yet", "x", "")
	elsewhere, _ := t.claim(inbox.Claim{Limit: 1, Sources: []string{t.source + "2"}})
	if len(elsewhere) != 1 {
		t.endf("a new event is not due")
	}
	t.settle(elsewhere[0], asDone)
	last("one is done elsewhere", "x", "")
	t.settle(r[0], asDone)
	last("one is done", "x", "b")
	last("of another Order", "y", "")
	t.done(t.event("a", about("x", 5)))
	last("an earlier one was done later", "x", "b")
	t.done(t.event("b2", about("x", 10)))
	last("of two at one time the one that came later", "x", "b2")
	t.put(t.event("c", about("x", 20)))
	c := t.take("another", "c")[0]
	last("a later one is being handled", "x", "b2")
	t.settle(c, inbox.Settlement{State: inbox.StateDead, Error: "x"})
	last("a later one is dead", "x", "b2")
	n, err := t.store.Discard(context.Background(), inbox.Query{Seqs: []int64{c.Seq}}, "x")
	if n != 1 || err != nil {
		t.failf("Discard of a dead letter: %d, %v", n, err)
	}
	last("what is discarded was not done", "x", "b2")
	n, err = t.store.Replay(context.Background(), inbox.Query{Seqs: []int64{c.Seq, seqs[0]}}, "again")
	if n != 2 || err != nil {
		t.failf("Replay of two events: %d, %v", n, err)
	}
	last("what is replayed is not done", "x", "b2")
}

package aplombtest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

var inboxQueue = []inboxPart{
	{"claim", (*inboxTest).claims},
	{"due order", (*inboxTest).dueOrder},
	{"settle", (*inboxTest).settles},
	{"retry", (*inboxTest).retry},
	{"undo", (*inboxTest).undo},
	{"lost leases", (*inboxTest).lostLeases},
	{"history", (*inboxTest).history},
	{"odd errors", (*inboxTest).oddErrors},
	{"a lease runs out", (*inboxTest).runsOut},
	{"expired", (*inboxTest).expired},
	{"extend", (*inboxTest).extend},
	{"when to ask again", (*inboxTest).next},
	{"claims at once", (*inboxTest).claimsAtOnce},
}

func (t *inboxTest) claims() {
	seqs := t.put(t.event("a"), t.event("b"), t.event("c"))
	r, _ := t.claim(inbox.Claim{Limit: 2, Owner: "the first"})
	if got := keysOf(r); !slices.Equal(got, []string{"a", "b"}) {
		t.endf("Claim of 2 returned %q, want a and b", got)
	}
	if r[0].Seq != seqs[0] || r[0].Attempts != 1 || len(r[0].History) != 0 || r[0].Replay != "" {
		t.failf("the first claim returned %v with a history of %d: want record %d, its first attempt", r[0], len(r[0].History), seqs[0])
	}
	t.hasState(seqs[0], inbox.StateLeased, "what was claimed")
	t.hasState(seqs[2], inbox.StateReady, "what was not claimed")
	t.take("what is leased is nobody else's", "c")
	t.take("nothing is left")

	two, three := t.source+"2", t.source+"3"
	t.put(t.event("x", from(two)), t.event("y", from(three)), t.event("z", from(two)))
	t.take("another source's events are not claimed")
	of := []string{three, two + "?", two}
	for _, want := range [][]string{{"x"}, {"y", "z"}} {
		r, _ = t.claim(inbox.Claim{Limit: len(want), Sources: of})
		if got := keysOf(r); !slices.Equal(got, want) {
			t.failf("Claim of %d of two sources returned %q, want %q", len(want), got, want)
		}
	}
	t.put(t.event("x", from(three)), t.event("d"), t.event("held", from(t.source+"4"), held(2*time.Hour)))
	all := func(want ...string) {
		t.Helper()
		records, _, err := t.store.Claim(context.Background(), inbox.Claim{Owner: "o", Limit: 1 << 20, Lease: inboxLease})
		t.must(err, "Claim of all sources")
		mine := slices.DeleteFunc(pointersTo(records), func(r *inbox.Record) bool { return !strings.HasPrefix(r.Source, t.source) })
		if got := keysOf(mine); !slices.Equal(got, want) {
			t.failf("Claim of all sources returned %q of them, want %q", got, want)
		}
	}
	all("x", "d")
	if t.pass(2*time.Hour + t.slack()) {
		all("held")
	}
}

// dueOrder: what has been due for longest comes first.
func (t *inboxTest) dueOrder() {
	t.put(t.event("held", held(30*time.Minute)), t.event("a"))
	t.put(t.event("b"))
	r := t.take("as they came", "a", "b")
	t.settle(r[0], inbox.Settlement{State: inbox.StateReady, After: 20 * time.Minute, Error: "x"})
	if !t.pass(25 * time.Minute) {
		return
	}
	t.put(t.event("c"))
	t.pass(10 * time.Minute)
	t.put(t.event("d"))
	t.take("as they were due", "a", "c", "held", "d")
}

func (t *inboxTest) settles() {
	for _, state := range []inbox.State{inbox.StateDone, inbox.StateDead, inbox.StateParked} {
		key := string(state)
		seq := t.put(t.event(key))[0]
		r := t.take("a new event", key)[0]
		t.settle(r, inbox.Settlement{State: state})
		t.hasState(seq, state, "what was settled as "+key)
		if r := t.get(seq); r.Attempts != 1 || len(r.History) != 0 || string(r.Body) != `{"id":"`+key+`"}` {
			t.failf("what was settled as %s without an error is %v, with a history of %d and a body of %q", key, r, len(r.History), r.Body)
		}
		t.take("what is " + key + " is not due")
	}
	seq := t.put(t.event("ready"))[0]
	for i := range 3 {
		r := t.take("what was settled as ready", "ready")[0]
		if r.Attempts != i+1 || r.Seq != seq {
			t.failf("claim %d returned %v", i+1, r)
		}
		t.settle(r, inbox.Settlement{State: inbox.StateReady, After: -time.Hour})
		t.hasState(seq, inbox.StateReady, "what was settled as ready")
	}
	if !t.pass(10 * time.Hour) {
		return
	}
	t.take("what is done, dead or parked is never due", "ready")
}

func (t *inboxTest) retry() {
	seq := t.put(t.event("a"))[0]
	r := t.take("a new event", "a")[0]
	before := time.Now()
	t.settle(r, inbox.Settlement{State: inbox.StateReady, After: 3 * time.Hour, Error: "not now"})
	t.take("what waits for its next attempt")
	if r := t.get(seq); r.State != inbox.StateReady || r.Due.Sub(r.Received) < 3*time.Hour-t.tolerance || r.Due.Sub(r.Received) > 3*time.Hour+time.Since(before)+t.slack() {
		t.failf("what waits 3 h is %v, received %v and due %v", r, r.Received, r.Due)
	}
	if !t.pass(3*time.Hour - t.slack()) {
		return
	}
	t.take("just before its next attempt")
	t.pass(2 * t.slack())
	if r := t.take("at its next attempt", "a")[0]; r.Attempts != 2 {
		t.failf("the second attempt is number %d", r.Attempts)
	}
}

func (t *inboxTest) undo() {
	seq := t.put(t.event("a"))[0]
	r := t.take("a new event", "a")[0]
	t.settle(r, inbox.Settlement{State: inbox.StateReady, Undo: true})
	if got := t.get(seq); got.Attempts != 0 || len(got.History) != 0 {
		t.failf("an attempt undone: %v, a history of %d; want none made", got, len(got.History))
	}
	again := t.take("at once", "a")[0]
	if again.Attempts != 1 || again.Fence <= r.Fence {
		t.failf("the attempt after one undone is number %d with fence %d; want 1 and a fence above %d", again.Attempts, again.Fence, r.Fence)
	}
}

func (t *inboxTest) lostLeases() {
	seqs := t.put(t.event("a"), t.event("b"))
	r := t.take("new events", "a", "b")
	if held, err := t.store.Extend(context.Background(), inboxLease, r[0].Lease(), inbox.Lease{Seq: r[1].Seq, Fence: r[1].Fence + 1}, inbox.Lease{Seq: 1 << 60, Fence: 1}); err != nil || !slices.Equal(held, []bool{true, false, false}) {
		t.failf("Extend of a lease and two others: %v, %v; want the first held", held, err)
	}
	t.settle(r[0], inbox.Settlement{State: inbox.StateReady})
	for what, s := range map[string]inbox.Settlement{
		"settled before":    {Lease: r[0].Lease(), State: inbox.StateDone, Error: "lost"},
		"of a higher fence": {Lease: inbox.Lease{Seq: r[1].Seq, Fence: r[1].Fence + 1}, State: inbox.StateDone, Error: "lost"},
		"of a lower fence":  {Lease: inbox.Lease{Seq: r[1].Seq, Fence: r[1].Fence - 1}, State: inbox.StateDone, Error: "lost"},
		"of no record":      {Lease: inbox.Lease{Seq: 1 << 60, Fence: 1}, State: inbox.StateDone},
		"of record zero":    {State: inbox.StateDone},
	} {
		if t.settled(s) {
			t.failf("a lease %s was held", what)
		}
	}
	t.hasState(seqs[0], inbox.StateReady, "after settlements without a lease")
	t.hasState(seqs[1], inbox.StateLeased, "after settlements without a lease")

	again := t.take("a again", "a")[0]
	if again.Fence <= r[0].Fence {
		t.failf("the second lease has fence %d, the first %d: want it to rise", again.Fence, r[0].Fence)
	}
	if held, err := t.store.Extend(context.Background(), inboxLease, r[0].Lease()); err != nil || !slices.Equal(held, []bool{false}) {
		t.failf("Extend of the lease before: %v, %v", held, err)
	}
	ok, err := t.store.Settle(context.Background(),
		inbox.Settlement{Lease: r[0].Lease(), State: inbox.StateDead, Error: "lost"}, inbox.Settlement{Lease: again.Lease(), State: inbox.StateDone},
		inbox.Settlement{Lease: again.Lease(), State: inbox.StateDead, Error: "lost"}, inbox.Settlement{Lease: r[1].Lease(), State: inbox.StateParked})
	if err != nil || !slices.Equal(ok, []bool{false, true, false, true}) {
		t.failf("Settle of four leases: %v, %v; want the second and the last held", ok, err)
	}
	t.hasState(seqs[0], inbox.StateDone, "after one lease of two was held")
	if got := t.get(seqs[0]); len(got.History) != 0 || got.Attempts != 2 {
		t.failf("what was not held left %v with a history %+v", got, got.History)
	}
}

func (t *inboxTest) history() {
	seq := t.put(t.event("a"))[0]
	const attempts = 40
	for i := range attempts {
		r, _ := t.claim(inbox.Claim{Limit: 1, Owner: fmt.Sprint("owner ", i)})
		if len(r) != 1 || r[0].Attempts != i+1 {
			t.endf("claim %d returned %v", i+1, r)
		}
		if len(r[0].History) != min(i, 32) {
			t.failf("after %d attempts that failed the history has %d; want each of the last 32", i, len(r[0].History))
		}
		t.settle(r[0], inbox.Settlement{State: inbox.StateReady, Error: fmt.Sprint("error ", i, " é")})
	}
	got := t.get(seq)
	if len(got.History) != 32 {
		t.endf("%d attempts are kept, want 32", len(got.History))
	}
	for i, a := range got.History {
		n := attempts - 32 + i
		if a.Number != n+1 || a.Owner != fmt.Sprint("owner ", n) || a.Error != fmt.Sprint("error ", n, " é") || a.Replay != "" || a.Began.Before(got.Received) || a.Ended.Before(a.Began) {
			t.failf("attempt %d is kept as %+v, the event having been received %v", n+1, a, got.Received)
		}
	}
}

// oddErrors: an error holds whatever an API or a panic said.
func (t *inboxTest) oddErrors() {
	for i, text := range []string{
		strings.Repeat("e", inbox.MaxError), strings.Repeat("e", inbox.MaxError+1), strings.Repeat("é鍵", inbox.MaxError), strings.Repeat("\xff", 2*inbox.MaxError),
		"a\x00b", "\xff\xfe", `"'\`, "\n", "%s ? $1 :a",
	} {
		key := strconv.Itoa(i)
		seq := t.put(t.event(key))[0]
		t.settle(t.take("a new event", key)[0], inbox.Settlement{State: inbox.StateDead, Error: text})
		got := t.get(seq)
		if len(got.History) != 1 || got.State != inbox.StateDead {
			t.failf("settled with the error %.20q: %v, with a history of %d", text, got, len(got.History))
			continue
		}
		kept := got.History[0].Error
		if kept == "" || len(kept) > inbox.MaxError || i < 2 && kept != text[:inbox.MaxError] || i > 5 && kept != text {
			t.failf("the error %.20q of %d bytes is kept as %.20q of %d", text, len(text), kept, len(kept))
		}
	}
}

func (t *inboxTest) runsOut() {
	seq := t.put(t.event("a"))[0]
	first, _ := t.claim(inbox.Claim{Limit: 1, Owner: "the first", Lease: 2 * time.Hour})
	if len(first) != 1 || !t.pass(2*time.Hour-t.slack()) {
		return
	}
	t.take("just before the lease runs out")
	t.hasState(seq, inbox.StateLeased, "just before the lease runs out")
	t.pass(2 * t.slack())
	second, _ := t.claim(inbox.Claim{Limit: 1, Owner: "the second", Expired: 1})
	if len(second) != 1 {
		t.endf("an event whose lease ran out is not due")
	}
	r := second[0]
	if r.Attempts != 2 || r.Fence <= first[0].Fence || len(r.History) != 1 {
		t.endf("after the lease ran out the record is %v with fence %d and a history of %d; want attempt 2, a fence above %d and 1", r, r.Fence, len(r.History), first[0].Fence)
	}
	if a := r.History[0]; a.Number != 1 || a.Owner != "the first" || a.Error != inbox.RanOut || a.Began.Before(r.Received) || a.Ended.Before(a.Began) {
		t.failf("the attempt whose lease ran out is kept as %+v; want its error to be %q", a, inbox.RanOut)
	}
	if t.settled(inbox.Settlement{Lease: first[0].Lease(), State: inbox.StateDone}) {
		t.failf("a lease that ran out was held although another owner has the event")
	}
	t.settle(r, inbox.Settlement{State: inbox.StateReady, Error: "failed"})
	if got := t.get(seq); len(got.History) != 2 || got.History[0].Error != inbox.RanOut || got.History[1].Error != "failed" || got.History[1].Owner != "the second" || got.History[1].Number != 2 {
		t.failf("the history is %+v, want both attempts", got.History)
	}

	// A process that was only slow, while nobody else claimed it.
	slow, _ := t.claim(inbox.Claim{Limit: 1})
	if len(slow) != 1 {
		t.endf("the event is not due")
	}
	t.pass(2 * inboxLease)
	t.settle(slow[0], inbox.Settlement{State: inbox.StateDone})
	t.take("what was settled late, and by nobody else")
}

// expired: at most so many of those that may have killed their process.
func (t *inboxTest) expired() {
	for _, key := range []string{"z", "a", "b", "c"} {
		t.put(t.event(key, about("order of "+key, 0)))
	}
	t.take("new events", "z", "a", "b", "c")
	if !t.pass(2 * inboxLease) {
		return
	}
	t.put(t.event("d"), t.event("e", about("order of b", 1)))
	for _, c := range []struct {
		claim inbox.Claim
		want  []string
	}{
		{inbox.Claim{Limit: 1, Expired: 9}, []string{"z"}},
		{inbox.Claim{Limit: 9}, []string{"d"}}, // what b's Order still has to handle holds up e
		{inbox.Claim{Limit: 9}, []string{}},
		{inbox.Claim{Limit: 9, Expired: 1}, []string{"a"}},
		{inbox.Claim{Limit: 1, Expired: 9}, []string{"b"}},
		{inbox.Claim{Limit: 9, Expired: 9}, []string{"c"}},
		{inbox.Claim{Limit: 9, Expired: 9}, []string{}},
	} {
		r, _ := t.claim(c.claim)
		if got := keysOf(r); !slices.Equal(got, c.want) {
			t.failf("Claim of %d, %d of them expired: got %q, want %q", c.claim.Limit, c.claim.Expired, got, c.want)
		}
	}

	two := t.source + "2"
	t.put(t.event("x", from(two)))
	t.claim(inbox.Claim{Limit: 1, Sources: []string{two}})
	t.pass(2 * inboxLease)
	for _, want := range []int{1, 2, 0} { // of x, a, b and c, with or without b's e
		r, _ := t.claim(inbox.Claim{Limit: 2, Expired: want, Sources: []string{t.source, two}})
		if len(r) != want {
			t.failf("Claim of two sources, %d of them expired: got %q", want, keysOf(r))
		}
	}
}

func (t *inboxTest) extend() {
	seq := t.put(t.event("a"))[0]
	r := t.take("a new event", "a")[0]
	if !t.pass(inboxLease - t.slack()) {
		return
	}
	extend := func(d time.Duration) {
		t.Helper()
		held, err := t.store.Extend(context.Background(), d, r.Lease())
		if err != nil || !slices.Equal(held, []bool{true}) {
			t.failf("Extend of a lease that is held: %v, %v", held, err)
		}
	}
	extend(3 * time.Hour)
	t.pass(3*time.Hour - t.slack())
	t.take("just before the extended lease runs out")
	if got := t.get(seq); got.Attempts != 1 || got.Fence != r.Fence {
		t.failf("an extended lease is of %v with fence %d, want the same attempt and fence %d", got, got.Fence, r.Fence)
	}
	extend(10 * time.Minute) // counted from now, not from the end
	t.pass(10*time.Minute + t.slack())
	if held, err := t.store.Extend(context.Background(), time.Hour, r.Lease()); err != nil || !slices.Equal(held, []bool{false}) {
		t.failf("Extend of a lease that has run out: %v, %v", held, err)
	}
	t.take("after the extended lease ran out", "a")
	if held, err := t.store.Extend(context.Background(), time.Hour, r.Lease()); err != nil || !slices.Equal(held, []bool{false}) {
		t.failf("Extend of a lease that another owner has: %v, %v", held, err)
	}
}

// next: nothing is late because the hint was too long.
func (t *inboxTest) next() {
	most := func(want time.Duration, what string) {
		t.Helper()
		if r, next := t.claim(inbox.Claim{Limit: 9}); len(r) != 0 || next > want+t.tolerance {
			t.failf("%s: Claim returned %q and says to ask again after %v; want nothing, and %v at most", what, keysOf(r), next, want)
		}
	}
	most(time.Hour, "nothing waits")
	t.put(t.event("held", held(50*time.Minute)), t.event("a", about("x", 0)), t.event("b", about("x", 1)))
	r := t.take("what is due", "a")[0]
	most(50*time.Minute, "one is held")
	t.settle(r, inbox.Settlement{State: inbox.StateReady, After: 40 * time.Minute})
	most(40*time.Minute, "the first of an Order waits for its next attempt")
	t.put(t.event("c"))
	t.claim(inbox.Claim{Limit: 1, Lease: 30 * time.Minute})
	most(30*time.Minute, "a lease may run out")
	if t.pass(20 * time.Minute) {
		most(10*time.Minute, "20 minutes later")
	}
}

func (t *inboxTest) claimsAtOnce() {
	const events, goroutines = 240, 16
	var all []inbox.Event
	for i := range events {
		all = append(all, t.event(strconv.Itoa(i)))
	}
	t.put(all...)
	var mu sync.Mutex
	claimed := map[string]int{}
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for {
				records, _, err := t.store.Claim(context.Background(), inbox.Claim{Owner: strconv.Itoa(g), Limit: 1 + g%5, Lease: inboxLease, Expired: 9, Sources: []string{t.source}})
				if err != nil {
					t.failf("Claim beside others: %v", err)
					return
				}
				mu.Lock()
				for i := range records {
					claimed[records[i].Key]++
				}
				all := len(claimed) == events
				mu.Unlock()
				if len(records) == 0 || all {
					return
				}
				runtime.Gosched()
			}
		})
	}
	group.Wait()
	for i := range all {
		if n := claimed[all[i].Key]; n != 1 {
			t.failf("event %s was claimed %d times at once, want once", all[i].Key, n)
		}
	}
}

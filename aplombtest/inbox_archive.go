package aplombtest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

var inboxArchive = []inboxPart{
	{"list", (*inboxTest).lists},
	{"pages", (*inboxTest).pages},
	{"replay", (*inboxTest).replay},
	{"replay again", (*inboxTest).replayAgain},
	{"discard", (*inboxTest).discard},
	{"limits of replay and discard", (*inboxTest).limits},
	{"what a change names", (*inboxTest).named},
	{"changes that name everything", (*inboxTest).nothingNamed},
	{"purge", (*inboxTest).purge},
	{"purge leaves", (*inboxTest).purgeLeaves},
}

func (t *inboxTest) lists() {
	two := t.source + "2"
	of := func(kind, order string) func(*inbox.Event) {
		return func(e *inbox.Event) { e.Type, e.Order = kind, order }
	}
	seqs := t.put(t.event("a", of("t1", "x")), t.event("b", of("t2", "y")), t.event("c", of("t1", "x")), t.event("a", of("t1", "y"), from(two)))
	seqs = append(seqs, t.insert(t.event("a", saying("another"), of("t1", "x")))[0].Seq)
	r := t.take("what is due", "a", "b") // seqs: leased, dead, ready, ready of source 2, conflict
	t.settle(r[1], inbox.Settlement{State: inbox.StateDead, Error: "x"})
	both := func(q inbox.Query) []int64 {
		t.Helper()
		var got []int64
		for _, r := range t.list(q) {
			if strings.HasPrefix(r.Source, t.source) {
				got = append(got, r.Seq)
			}
		}
		return got
	}
	cases := []struct {
		q    inbox.Query
		want []int // in seqs
	}{
		{inbox.Query{Source: t.source}, []int{0, 1, 2, 4}},
		{inbox.Query{Source: two}, []int{3}},
		{inbox.Query{Source: t.source, Key: "a"}, []int{0, 4}},
		{inbox.Query{Source: t.source, Key: "a", After: seqs[0]}, []int{4}},
		{inbox.Query{Source: t.source, Key: "a", Limit: 1}, []int{0}},
		{inbox.Query{Source: t.source, Key: "a", Seqs: seqs[1:]}, []int{4}},
		{inbox.Query{Source: t.source, Type: "t1"}, []int{0, 2, 4}},
		{inbox.Query{Source: t.source, Order: "y"}, []int{1}},
		{inbox.Query{Source: t.source, States: []inbox.State{inbox.StateReady}}, []int{2}},
		{inbox.Query{Source: t.source, States: []inbox.State{inbox.StateLeased, inbox.StateDead}}, []int{0, 1}},
		{inbox.Query{Source: t.source, States: []inbox.State{inbox.StateConflict}, Key: "a"}, []int{4}},
		{inbox.Query{Source: t.source, States: []inbox.State{inbox.StateDone}}, nil},
		{inbox.Query{Seqs: []int64{seqs[3], seqs[0], 1 << 60}}, []int{0, 3}},
		{inbox.Query{Seqs: seqs, Source: two}, []int{3}},
		{inbox.Query{Seqs: seqs, After: seqs[1]}, []int{2, 3, 4}},
		{inbox.Query{Seqs: seqs, Limit: 2}, []int{0, 1}},
		{inbox.Query{Seqs: seqs, After: seqs[0], Limit: 2, Source: t.source}, []int{1, 2}},
		{inbox.Query{Source: t.source, After: seqs[4]}, nil},
		{inbox.Query{Seqs: seqs, Type: "t1", Order: "x", Key: "c", States: []inbox.State{inbox.StateReady, inbox.StateDone}}, []int{2}},
	}
	for i := range cases {
		c := &cases[i]
		var want []int64
		for _, i := range c.want {
			want = append(want, seqs[i])
		}
		if got := both(c.q); !slices.Equal(got, want) {
			t.failf("List(%+v) returned %v, want %v", c.q, got, want)
		}
	}
	t.settle(r[0], asDone)
	some := []inbox.State{inbox.StateDone, inbox.StateReady}
	if got := both(inbox.Query{Source: t.source, States: some}); !slices.Equal(got, []int64{seqs[0], seqs[2]}) {
		t.failf("List of what is done or ready returned %v, want %d and %d", got, seqs[0], seqs[2])
	}
	t.listByTime()
}

func (t *inboxTest) listByTime() {
	if !t.pass(time.Hour) {
		return
	}
	source := t.source + "3"
	early := t.put(t.event("early", from(source)))[0]
	t.pass(time.Hour)
	late := t.put(t.event("late", from(source)))[0]
	// As the store has it now, by its own clock.
	at, middle := t.get(late).Received, t.get(late).Received.Add(-30*time.Minute)
	for _, c := range []struct {
		what     string
		from, to time.Time
		want     []int64
	}{
		{"from between", middle, time.Time{}, []int64{late}},
		{"up to between", time.Time{}, middle, []int64{early}},
		{"from the time itself", at, time.Time{}, []int64{late}},
		{"up to the time itself", time.Time{}, at, []int64{early}},
		{"from just after", at.Add(time.Millisecond), time.Time{}, nil},
		{"between the two", middle.Add(-time.Hour), middle, []int64{early}},
	} {
		var got []int64
		for _, r := range t.list(inbox.Query{Source: source, ReceivedFrom: c.from, ReceivedTo: c.to}) {
			got = append(got, r.Seq)
		}
		if !slices.Equal(got, c.want) {
			t.failf("List of what was received %s: got %v, want %v (of %d and %d)", c.what, got, c.want, early, late)
		}
	}
}

func (t *inboxTest) pages() {
	const n = 230
	var events []inbox.Event
	for i := range n {
		events = append(events, t.event(strconv.Itoa(i)))
	}
	seqs := t.put(events...)
	if got := len(t.list(inbox.Query{Source: t.source})); got != 100 {
		t.failf("List without a limit returned %d records, want 100", got)
	}
	for _, limit := range []int{0, 1000, 7} {
		var got []int64
		q := inbox.Query{Source: t.source, Limit: limit}
		for {
			page := t.list(q)
			if len(page) == 0 || len(got) > n {
				break
			}
			for _, r := range page {
				got = append(got, r.Seq)
			}
			q.After = page[len(page)-1].Seq
		}
		if !slices.Equal(got, seqs) {
			t.failf("pages of %d held %d records in all, want each of %d once, in the order they were stored", limit, len(got), n)
		}
	}
}

func (t *inboxTest) replay() {
	ctx := context.Background()
	states := []inbox.State{inbox.StateDone, inbox.StateDead, inbox.StateParked, inbox.StateReady, inbox.StateLeased}
	var seqs []int64
	for _, s := range states {
		seqs = append(seqs, t.put(t.event(string(s)))[0])
		r := t.take("a new event", string(s))[0]
		if s != inbox.StateLeased {
			t.settle(r, inbox.Settlement{State: s, After: time.Hour, Error: "failed"})
		}
	}
	conflict := t.insert(t.event("done", saying("another")))[0].Seq
	before := t.list(inbox.Query{Source: t.source})
	n, err := t.store.Replay(ctx, inbox.Query{Source: t.source}, "a replay é")
	if n != 4 || err != nil {
		t.failf("Replay of one event in each state: %d, %v; want 4", n, err)
	}
	t.hasState(seqs[4], inbox.StateLeased, "what is leased")
	for _, was := range before {
		r := t.get(was.Seq)
		again := was.State != inbox.StateReady && was.State != inbox.StateLeased
		switch {
		case again && (r.State != inbox.StateReady || r.Attempts != 0 || r.Replay != "a replay é"):
			t.failf("what was %s and is replayed is %v, replay %q", was.State, r, r.Replay)
		case !again && (r.Attempts != 1 || r.Replay != "" || r.State != was.State):
			t.failf("what was %s, and not to be replayed, is %v, replay %q", was.State, r, r.Replay)
		case !r.Received.Equal(was.Received) || !r.Occurred.Equal(was.Occurred) || len(r.History) != len(was.History) || !bytes.Equal(r.Body, was.Body):
			t.failf("a replay changed %v of %v to %v of %v", was, was.Received, r, r.Received)
		}
	}
	records := t.take("what is replayed", "done", "dead", "parked", "done")
	for _, r := range records {
		if r.Attempts != 1 || r.Replay != "a replay é" {
			t.failf("a replayed record was claimed as %v, replay %q", r, r.Replay)
		}
	}
	if records[3].Seq != conflict || string(records[3].Body) != "another" {
		t.failf("the conflict was replayed as record %d, %q; want %d", records[3].Seq, records[3].Body, conflict)
	}
}

func (t *inboxTest) replayAgain() {
	ctx := context.Background()
	e := t.event("a", polled)
	seq := t.done(e)[0]
	for i, name := range []string{"one", "two", "two"} {
		if n, err := t.store.Replay(ctx, inbox.Query{Source: t.source, Key: "a"}, name); n != 1 || err != nil {
			t.failf("Replay: %d, %v", n, err)
		}
		t.outcome(t.event("a", saying("more")), inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Poll}, "the webhook of what is replayed")
		r := t.take("what is replayed", "a")[0]
		if r.Replay != name || r.Attempts != 1 || r.Seq != seq || len(r.History) != i {
			t.failf("replay %q is claimed as %v, replay %q, history of %d", name, r, r.Replay, len(r.History))
		}
		t.settle(r, inbox.Settlement{State: inbox.StateDone, Error: "so-so"})
		got := t.get(seq)
		if len(got.History) != i+1 || got.History[i].Replay != name || got.History[i].Number != 1 {
			t.failf("the history after replay %q is %+v", name, got.History)
		}
		t.outcome(e, inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Poll}, "after a replay")
	}
}

func (t *inboxTest) discard() {
	ctx := context.Background()
	states := []inbox.State{inbox.StateDone, inbox.StateDead, inbox.StateParked, inbox.StateLeased, inbox.StateReady}
	for _, s := range states {
		t.put(t.event(string(s)))
		r := t.take("a new event", string(s))[0]
		if s != inbox.StateLeased {
			t.settle(r, inbox.Settlement{State: s, After: time.Hour, Error: "failed"})
		}
	}
	t.put(t.event("fresh"))
	conflict := t.event("done", saying("another"))
	other := t.insert(conflict)[0].Seq
	n, err := t.store.Discard(ctx, inbox.Query{Source: t.source}, "nobody's é")
	if n != 5 || err != nil {
		t.failf("Discard of one event in each state: %d, %v; want 5", n, err)
	}
	for _, r := range t.list(inbox.Query{Source: t.source}) {
		switch {
		case r.Key == "leased":
			if r.State != inbox.StateLeased {
				t.failf("what was leased is %v after a Discard", r)
			}
		case r.Key == "done" && r.Seq != other:
			if r.State != inbox.StateDone || len(r.History) != 1 {
				t.failf("what was done is %v after a Discard, with the history %+v", r, r.History)
			}
		case r.State != inbox.StateDiscarded:
			t.failf("what was discarded is %v", r)
		case len(r.History) == 0 || !strings.Contains(r.History[len(r.History)-1].Error, "nobody's é"):
			t.failf("what was discarded has the history %+v: it must say why", r.History)
		case r.History[len(r.History)-1].Number != 0 || r.History[len(r.History)-1].Owner != "":
			t.failf("that it was discarded is kept as %+v: it is nobody's attempt", r.History[len(r.History)-1])
		}
	}
	t.outcome(conflict, inbox.Outcome{Status: inbox.Duplicate, Seq: other, Via: inbox.Webhook}, "a discarded conflict again")
	if !t.pass(inboxLease + t.slack()) {
		return
	}
	t.take("what was discarded is never due", "leased")
}

func (t *inboxTest) limits() {
	ctx := context.Background()
	seqs := t.done(t.event("a"), t.event("b"), t.event("c"), t.event("d"))
	t.put(t.event("e"))
	q := inbox.Query{Source: t.source, Limit: 2}
	for i, want := range []int{2, 2, 0} {
		n, err := t.store.Replay(ctx, q, "again")
		if n != want || err != nil {
			t.failf("Replay number %d of two of four: %d, %v; want %d", i+1, n, err, want)
		}
		if i == 0 && (t.get(seqs[1]).State != inbox.StateReady || t.get(seqs[2]).State != inbox.StateDone) {
			t.failf("Replay of two took others than the first two")
		}
	}
	r, _ := t.claim(inbox.Claim{Limit: 9})
	if len(r) != 5 {
		t.failf("%q are due after replays, want all five", keysOf(r))
	}
	for _, r := range r {
		t.settle(r, inbox.Settlement{State: inbox.StateDead, Error: "x"})
	}
	for _, c := range []struct {
		limit int
		after int64
		want  int
	}{{1, seqs[1], 1}, {2, 0, 2}, {2, seqs[3] + 1<<40, 0}, {0, 0, 2}, {0, 0, 0}} {
		q.Limit, q.After = c.limit, c.after
		if n, err := t.store.Discard(ctx, q, "x"); n != c.want || err != nil {
			t.failf("Discard of %d after %d: %d, %v; want %d", c.limit, c.after, n, err, c.want)
		}
	}
}

// purge: bodies go first, keys later.
func (t *inboxTest) purge() {
	if !t.pass(1000 * time.Hour) {
		return
	}
	keep := inbox.Retention{Bodies: 10 * time.Hour, Keys: 100 * time.Hour}
	purge := func(what string, want inbox.Purged) {
		t.Helper()
		p, err := t.store.Purge(context.Background(), keep)
		t.must(err, "Purge")
		if p != want {
			t.failf("%s: Purge returned %+v, want %+v", what, p, want)
		}
	}
	_, err := t.store.Purge(context.Background(), keep) // what other parts left
	t.must(err, "Purge")
	purge("nothing is old", inbox.Purged{})

	a := t.event("a", about("x", 0), func(e *inbox.Event) { e.Header = http.Header{"A": {"b"}} })
	seq := t.done(a)[0]
	other := t.insert(t.event("a", saying("another")))[0].Seq
	purge("all is new", inbox.Purged{})
	t.pass(10*time.Hour - t.slack())
	purge("just too early", inbox.Purged{})
	t.pass(2 * t.slack())
	young := t.done(t.event("b"))[0]
	purge("bodies are old", inbox.Purged{Bodies: 2})
	purge("and are gone", inbox.Purged{})
	for _, s := range []int64{seq, other} {
		if r := t.get(s); len(r.Body) != 0 || len(r.Header) != 0 || r.Key != "a" {
			t.failf("after its body's time the record is %v, with %d bytes and the headers %v", r, len(r.Body), r.Header)
		}
	}
	if r := t.get(young); len(r.Body) == 0 {
		t.failf("a young record has lost its body")
	}
	t.outcome(a, inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}, "known without a body")
	t.outcome(t.event("a", saying("another")), inbox.Outcome{Status: inbox.Duplicate, Seq: other, Via: inbox.Webhook}, "a conflict known without a body")
	if n, err := t.store.Replay(context.Background(), inbox.Query{Source: t.source, Key: "a"}, "again"); n != 0 || err != nil {
		t.failf("Replay of what has no body: %d, %v; want none", n, err)
	}
	if n, err := t.store.Discard(context.Background(), inbox.Query{Seqs: []int64{other}}, "x"); n != 1 || err != nil {
		t.failf("Discard of a conflict without a body: %d, %v", n, err)
	}
	purge("and has none to lose", inbox.Purged{})
	if last, err := t.store.Last(context.Background(), t.source, "x"); err != nil || last == nil || last.Seq != seq {
		t.failf("Last of what has no body: %v, %v; want record %d", last, err, seq)
	}

	t.pass(90*time.Hour - 3*t.slack())
	purge("just before keys are old", inbox.Purged{Bodies: 1}) // the young one's
	t.pass(2 * t.slack())
	purge("keys are old", inbox.Purged{Records: 2})
	if got := t.list(inbox.Query{Source: t.source}); len(got) != 1 || got[0].Seq != young {
		t.failf("after their time there are %v, want the young one alone", got)
	}
	if last, err := t.store.Last(context.Background(), t.source, "x"); last != nil || err != nil {
		t.failf("Last of what is forgotten: %v, %v", last, err)
	}
	if again := t.put(a)[0]; again <= young {
		t.failf("a number was given out again: %d", again)
	}
	t.put(t.event("c"))
	t.take("what is forgotten comes anew", "a", "c")
}

// purgeLeaves: what is to be handled, or needs somebody, stays however old.
func (t *inboxTest) purgeLeaves() {
	states := []inbox.State{inbox.StateDead, inbox.StateParked, inbox.StateReady, inbox.StateLeased}
	for _, s := range states {
		t.put(t.event(string(s)))
		r := t.take("a new event", string(s))[0]
		if s != inbox.StateLeased {
			t.settle(r, inbox.Settlement{State: s, After: time.Hour, Error: "failed"})
		}
	}
	replayed := t.done(t.event("replayed"))
	t.put(t.event("held", held(5000*time.Hour)))
	if !t.pass(3000 * time.Hour) {
		return
	}
	if n, err := t.store.Replay(context.Background(), inbox.Query{Seqs: replayed}, "again"); n != 1 || err != nil {
		t.failf("Replay of what is old: %d, %v", n, err)
	}
	t.insert(t.event("dead", saying("another"))) // in conflict, and young
	for _, keys := range []time.Duration{10000 * time.Hour, time.Hour} {
		_, err := t.store.Purge(context.Background(), inbox.Retention{Bodies: time.Hour, Keys: keys})
		t.must(err, "Purge")
	}
	got := t.list(inbox.Query{Source: t.source})
	if len(got) != len(states)+3 {
		t.failf("after a Purge there are %v, want all", got)
	}
	for _, r := range got {
		if len(r.Body) == 0 {
			t.failf("a Purge took the body of %v", r)
		}
	}
	if n, err := t.store.Replay(context.Background(), inbox.Query{Source: t.source}, "again"); n != 3 || err != nil {
		t.failf("Replay after a Purge: %d, %v; want the two dead letters and the conflict", n, err)
	}
}

// named: a change is of the records that its query names, and of no other.
func (t *inboxTest) named() {
	kind := func(kind, order string) func(*inbox.Event) {
		return func(e *inbox.Event) { e.Type, e.Order = kind, order }
	}
	two := t.source + "2"
	states := []inbox.State{inbox.StateParked, inbox.StateParked, inbox.StateDead}
	seqs := t.put(t.event("a", kind("t1", "x")), t.event("b", kind("t2", "y"), from(two)))
	aged := t.pass(time.Hour)
	seqs = append(seqs, t.put(t.event("b", kind("t2", "y")))...)
	records, _ := t.claim(inbox.Claim{Limit: 3, Sources: []string{t.source, two}})
	if len(records) != 3 {
		t.endf("Claim returned %q, want three new events", keysOf(records))
	}
	for i, r := range records {
		t.settle(r, inbox.Settlement{State: states[i]})
	}
	type named struct {
		q    inbox.Query
		want int // in seqs
	}
	cases := []named{
		{inbox.Query{Source: two}, 1}, {inbox.Query{Source: t.source, Key: "b"}, 2}, {inbox.Query{Source: t.source, Type: "t2"}, 2},
		{inbox.Query{Source: t.source, Order: "x"}, 0}, {inbox.Query{Source: t.source, States: states[2:]}, 2}, {inbox.Query{Source: t.source, Seqs: seqs[1:]}, 2},
		{inbox.Query{Source: t.source, After: seqs[0]}, 2}, {inbox.Query{Source: t.source, Limit: 1}, 0},
	}
	if aged {
		middle := t.get(seqs[2]).Received.Add(-30 * time.Minute)
		cases = append(cases, named{inbox.Query{Source: t.source, ReceivedFrom: middle}, 2}, named{inbox.Query{Source: t.source, ReceivedTo: middle}, 0})
	}
	for i := range cases {
		q, want := cases[i].q, cases[i].want
		t.alone("Replay", q, seqs, want, states)
		t.alone("Discard", q, seqs, want, states)
	}
}

// alone has one change be made of record want alone, and undoes it.
func (t *inboxTest) alone(change string, q inbox.Query, seqs []int64, want int, states []inbox.State) {
	t.Helper()
	ctx, becomes := context.Background(), inbox.StateReady
	var n int
	var err error
	if change == "Replay" {
		n, err = t.store.Replay(ctx, q, "again")
	} else {
		becomes = inbox.StateDiscarded
		n, err = t.store.Discard(ctx, q, "why")
	}
	if n != 1 || err != nil {
		t.endf("%s of %+v: %d, %v; want one", change, q, n, err)
	}
	for i, seq := range seqs {
		state := states[i]
		if i == want {
			state = becomes
		}
		t.hasState(seq, state, fmt.Sprintf("after a %s of %+v", change, q))
	}
	if becomes == inbox.StateDiscarded {
		_, err = t.store.Replay(ctx, inbox.Query{Seqs: seqs[want : want+1]}, "again")
		t.must(err, "Replay")
	}
	records, _ := t.claim(inbox.Claim{Limit: 1, Sources: []string{t.source, t.source + "2"}})
	if len(records) != 1 || records[0].Seq != seqs[want] {
		t.endf("after a %s of %+v, and a replay, %q are due", change, q, keysOf(records))
	}
	t.settle(records[0], inbox.Settlement{State: states[want]})
}

// nothingNamed: a list that turned out to be empty must not name every record.
func (t *inboxTest) nothingNamed() {
	seq := t.done(t.event("a"))[0]
	queries := []inbox.Query{{}, {Limit: 5}, {Source: t.source, Seqs: []int64{}}, {Source: t.source, States: []inbox.State{}}}
	for i := range queries {
		q := queries[i]
		if n, err := t.store.Replay(context.Background(), q, "again"); n != 0 || err == nil {
			t.failf("Replay of %+v: %d, %v; want an error", q, n, err)
		}
		if n, err := t.store.Discard(context.Background(), q, "why"); n != 0 || err == nil {
			t.failf("Discard of %+v: %d, %v; want an error", q, n, err)
		}
	}
	t.hasState(seq, inbox.StateDone, "after changes that were refused")

	// Who says All means it. One record is enough to see that.
	t.put(t.event("b"))
	all := inbox.Query{All: true, Limit: 1}
	if n, err := t.store.Replay(context.Background(), all, "again"); n != 1 || err != nil {
		t.failf("Replay of one record of All: %d, %v; want one", n, err)
	}
	if n, err := t.store.Discard(context.Background(), all, "why"); n != 1 || err != nil {
		t.failf("Discard of one record of All: %d, %v; want one", n, err)
	}
}

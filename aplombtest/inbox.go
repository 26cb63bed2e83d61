package aplombtest

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// TestInbox reports each way in which s is not what [inbox.Store] asks for. It is
// for the tests of a store of your own:
//
//	func TestConformance(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			aplombtest.TestInbox(t, mystore.New(), time.Sleep, 0)
//		})
//	}
//
// Leases, waits and ages need time to pass, some weeks of it in all. That is what
// pass does: [time.Sleep] in a bubble, elsewhere what makes everything in s older:
// records, leases and cursors. Nil leaves out what needs it. What s says of times may
// be wrong by tolerance: zero is for a store in a bubble, 1 ms for one elsewhere,
// which is also given a minute for the time that the test itself takes.
//
// The names are new ones each time, and s need not be empty, but what is done in it
// is forgotten, and nobody else may use it meanwhile.
func TestInbox(tb testing.TB, s inbox.Store, pass func(time.Duration), tolerance time.Duration) {
	tb.Helper()
	for _, part := range inboxParts() {
		t := &inboxTest{TB: tb, name: part.name, store: s, letPass: pass, tolerance: tolerance}
		t.source = rand.Text() + " " + part.name
		t.run(part.test)
	}
}

func inboxParts() []inboxPart {
	return slices.Concat(inboxStats, inboxInserts, inboxQueue, inboxOrders, inboxArchive, inboxCursors)
}

// inboxTest is one part of TestInbox.
type inboxTest struct {
	testing.TB
	name      string
	store     inbox.Store
	letPass   func(time.Duration)
	tolerance time.Duration
	source    string // of its events, unless it needs several
}

type inboxPart struct {
	name string
	test func(*inboxTest)
}

const inboxLease = time.Hour // of a claim, far more than a test takes

var inboxEpoch = time.Date(2026, 1, 31, 23, 59, 59, 123456000, time.UTC)

// pass lets time pass; false says that it cannot.
func (t *inboxTest) pass(d time.Duration) bool {
	if t.letPass == nil {
		return false
	}
	t.letPass(d)
	return true
}

// slack is how long before and after the very moment a part looks, and how much
// less than it should a time may be, for what the test itself takes: nothing in a
// bubble.
func (t *inboxTest) slack() time.Duration {
	if t.tolerance == 0 {
		return time.Millisecond
	}
	return time.Minute
}

func (t *inboxTest) failf(format string, args ...any) {
	t.Helper()
	t.Errorf("%s: "+format, append([]any{t.name}, args...)...)
}

// run does one part, which may end early: the parts share nothing, and what one
// of them finds says nothing of the next.
func (t *inboxTest) run(part func(*inboxTest)) {
	defer func() {
		if p := recover(); p != nil && p != any(t) {
			panic(p)
		}
	}()
	part(t)
}

// endf ends the part where the rest would only repeat the same news.
func (t *inboxTest) endf(format string, args ...any) {
	t.Helper()
	t.failf(format, args...)
	panic(t)
}

// must ends the whole test: a store that fails does so in each part.
func (t *inboxTest) must(err error, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %s: %v", t.name, what, err)
	}
}

// near says that got is want, less the little that the test itself took.
func (t *inboxTest) near(got, want time.Duration, what string) {
	t.Helper()
	if got > want+t.tolerance || got < want-t.slack()-t.tolerance {
		t.failf("%s: got %v, want %v", what, got, want)
	}
}

// event is a webhook's event, as changed.
func (t *inboxTest) event(key string, change ...func(*inbox.Event)) inbox.Event {
	e := inbox.Event{Source: t.source, Key: key, Via: inbox.Webhook, Type: "a.happened", Body: []byte(`{"id":"` + key + `"}`)}
	for _, c := range change {
		c(&e)
	}
	return e
}

// The changes.

func polled(e *inbox.Event) { e.Via = inbox.Poll }

func saying(body string) func(*inbox.Event) {
	return func(e *inbox.Event) { e.Body = []byte(body) }
}

func held(d time.Duration) func(*inbox.Event) {
	return func(e *inbox.Event) { e.Hold = d }
}

func from(source string) func(*inbox.Event) {
	return func(e *inbox.Event) { e.Source = source }
}

// about has the event belong to an Order, so many microseconds after the epoch.
func about(order string, at int) func(*inbox.Event) {
	return func(e *inbox.Event) {
		e.Order, e.Occurred = order, inboxEpoch.Add(time.Duration(at)*time.Microsecond)
	}
}

func (t *inboxTest) insert(events ...inbox.Event) []inbox.Outcome {
	t.Helper()
	out, err := t.store.Insert(context.Background(), events...)
	t.must(err, "Insert")
	if len(out) != len(events) {
		t.endf("Insert of %d events has %d outcomes", len(events), len(out))
	}
	return out
}

// put inserts events that are new, and returns their numbers.
func (t *inboxTest) put(events ...inbox.Event) []int64 {
	t.Helper()
	var seqs []int64
	out := t.insert(events...)
	for i := range events {
		o := out[i]
		if o.Status != inbox.Stored || o.Via != events[i].Via || o.Seq <= 0 {
			t.failf("Insert of a new event %v = %+v, want it stored", events[i], o)
		}
		seqs = append(seqs, o.Seq)
	}
	return seqs
}

// outcome inserts one event and says what must become of it.
func (t *inboxTest) outcome(e inbox.Event, want inbox.Outcome, what string) {
	t.Helper()
	if got := t.insert(e)[0]; got != want {
		t.failf("%s: got %+v, want %+v", what, got, want)
	}
}

func (t *inboxTest) claim(c inbox.Claim) ([]*inbox.Record, time.Duration) {
	t.Helper()
	if c.Owner == "" {
		c.Owner = "an owner"
	}
	if c.Sources == nil {
		c.Sources = []string{t.source}
	}
	if c.Lease == 0 {
		c.Lease = inboxLease
	}
	records, next, err := t.store.Claim(context.Background(), c)
	t.must(err, "Claim")
	if next <= 0 || next > time.Hour {
		t.failf("Claim says to ask again after %v: it must be positive and an hour at most", next)
	}
	if len(records) > c.Limit {
		t.failf("Claim returned %d records, and %d at most were asked for", len(records), c.Limit)
	}
	pointers := pointersTo(records)
	for _, r := range pointers {
		if r.State != inbox.StateLeased || r.Attempts < 1 || r.Fence < 1 || r.Received.IsZero() {
			t.failf("a claimed record is %v with fence %d, received %v: want it leased, with an attempt, a fence and a time", r, r.Fence, r.Received)
		}
	}
	return pointers, next
}

// take claims everything that is due, which must be the events with these keys in
// this order.
func (t *inboxTest) take(what string, keys ...string) []*inbox.Record {
	t.Helper()
	records, _ := t.claim(inbox.Claim{Limit: len(keys) + 3, Expired: len(keys) + 3})
	if got := keysOf(records); !slices.Equal(got, keys) {
		t.endf("%s: Claim returned %q, want %q", what, got, keys)
	}
	return records
}

func pointersTo(records []inbox.Record) (p []*inbox.Record) {
	for i := range records {
		p = append(p, &records[i])
	}
	return p
}

func keysOf(records []*inbox.Record) []string {
	keys := []string{} // one that is empty, as what is wanted is
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

// settle ends the attempt on a record whose lease must be held.
func (t *inboxTest) settle(r *inbox.Record, s inbox.Settlement) {
	t.Helper()
	s.Lease = r.Lease()
	if !t.settled(s) {
		t.failf("Settle of %v as %q: its lease was not held", r, s.State)
	}
}

func (t *inboxTest) settled(s inbox.Settlement) bool {
	t.Helper()
	ok, err := t.store.Settle(context.Background(), s)
	t.must(err, "Settle")
	if len(ok) != 1 {
		t.endf("Settle of one lease has %d answers", len(ok))
	}
	return ok[0]
}

// done puts events, claims them and has them done.
func (t *inboxTest) done(events ...inbox.Event) []int64 {
	t.Helper()
	seqs := t.put(events...)
	for range events {
		records, _ := t.claim(inbox.Claim{Limit: 1})
		if len(records) != 1 {
			t.endf("a new event is not due")
		}
		t.settle(records[0], inbox.Settlement{State: inbox.StateDone})
	}
	return seqs
}

func (t *inboxTest) list(q inbox.Query) []*inbox.Record {
	t.Helper()
	records, err := t.store.List(context.Background(), q)
	t.must(err, "List")
	return pointersTo(records)
}

// get returns one record.
func (t *inboxTest) get(seq int64) *inbox.Record {
	t.Helper()
	records := t.list(inbox.Query{Seqs: []int64{seq}})
	if len(records) != 1 || records[0].Seq != seq {
		t.endf("List of record %d returned %d records: %v", seq, len(records), records)
	}
	return records[0]
}

func (t *inboxTest) hasState(seq int64, want inbox.State, what string) {
	t.Helper()
	if r := t.get(seq); r.State != want {
		t.failf("%s: the record is %q, want %q", what, r.State, want)
	}
}

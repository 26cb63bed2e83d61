package aplombtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

var inboxInserts = []inboxPart{
	{"stored and duplicate", (*inboxTest).duplicates},
	{"duplicates in one insert", (*inboxTest).oneInsert},
	{"conflict", (*inboxTest).conflict},
	{"digest", (*inboxTest).digest},
	{"a webhook replaces a poll's event", (*inboxTest).replaced},
	{"not replaced", (*inboxTest).notReplaced},
	{"all or none", (*inboxTest).allOrNone},
	{"byte for byte", (*inboxTest).byteForByte},
	{"copies", (*inboxTest).copies},
	{"odd names", (*inboxTest).oddNames},
	{"big batch", (*inboxTest).bigBatch},
	{"the same keys at once", (*inboxTest).sameKeys},
	{"refusals", (*inboxTest).refusals},
	{"contexts that are done", (*inboxTest).contexts},
}

func (t *inboxTest) duplicates() {
	e := t.event("a")
	seq := t.put(e)[0]
	was := inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}
	t.outcome(e, was, "the same event again")
	t.outcome(t.event("a", polled), was, "the same event by poll")
	t.outcome(t.event("a", polled, saying("another view")), was, "by poll, in other bytes")
	t.outcome(t.event("a", func(e *inbox.Event) { e.Type, e.Order = "b", "c" }), was, "what is not its body may differ")
	if r := t.get(seq); r.Type != e.Type || r.Order != "" || !bytes.Equal(r.Body, e.Body) {
		t.failf("a duplicate changed the record to %v, Order %q, %q", r, r.Order, r.Body)
	}
	others := t.put(t.event("a", from(t.source+"2")), t.event("b"))
	if others[0] <= seq || others[1] <= others[0] {
		t.failf("the records were numbered %d, then %v: want them to rise", seq, others)
	}
	r := t.take("one event of each key", "a", "b")[0]
	t.outcome(e, was, "while it is handled")
	t.settle(r, inbox.Settlement{State: inbox.StateDone})
	t.outcome(e, was, "after it is done")
	t.take("a duplicate of what is done is not handled")
	if out := t.insert(); len(out) != 0 {
		t.failf("an insert of nothing has outcomes: %v", out)
	}
}

func (t *inboxTest) oneInsert() {
	out := t.insert(t.event("a"), t.event("b"), t.event("a"), t.event("a", saying("x")), t.event("a", saying("x")), t.event("p", polled), t.event("p"))
	want := []inbox.Outcome{
		{Status: inbox.Stored, Seq: out[0].Seq, Via: inbox.Webhook},
		{Status: inbox.Stored, Seq: out[1].Seq, Via: inbox.Webhook},
		{Status: inbox.Duplicate, Seq: out[0].Seq, Via: inbox.Webhook},
		{Status: inbox.Conflict, Seq: out[3].Seq, Via: inbox.Webhook},
		{Status: inbox.Duplicate, Seq: out[3].Seq, Via: inbox.Webhook},
		{Status: inbox.Stored, Seq: out[5].Seq, Via: inbox.Poll},
		{Status: inbox.Replaced, Seq: out[5].Seq, Via: inbox.Webhook},
	}
	if !slices.Equal(out, want) {
		t.failf("one insert: got %+v\nwant %+v", out, want)
	}
	if !(out[0].Seq < out[1].Seq && out[1].Seq < out[3].Seq && out[3].Seq < out[5].Seq) {
		t.failf("one insert's records are not numbered as its events stand: %+v", out)
	}
	t.take("each event once", "a", "b", "p")
}

func (t *inboxTest) conflict() {
	first := t.put(t.event("a", about("x", 0)))[0]
	other := t.event("a", saying("another"), about("x", 0))
	kept := t.insert(other)[0]
	if kept.Status != inbox.Conflict || kept.Via != inbox.Webhook || kept.Seq <= first {
		t.failf("another event with the key: got %+v, want a conflict kept under a new number", kept)
	}
	t.hasState(kept.Seq, inbox.StateConflict, "another event with the key")
	t.outcome(other, inbox.Outcome{Status: inbox.Duplicate, Seq: kept.Seq, Via: inbox.Webhook}, "the other one again")
	third := t.insert(t.event("a", saying("a third")))[0]
	if third.Status != inbox.Conflict || third.Seq <= kept.Seq {
		t.failf("a third event with the key: got %+v, want a conflict", third)
	}
	if r := t.get(kept.Seq); string(r.Body) != "another" || r.Key != "a" {
		t.failf("the conflict was kept as %v, %q", r, r.Body)
	}
	r := t.take("a conflict is not handled", "a")[0]
	if r.Seq != first {
		t.failf("record %d is handled, want the first, %d", r.Seq, first)
	}
	t.settle(r, inbox.Settlement{State: inbox.StateDone})
	t.put(t.event("b", about("x", 1)))
	t.take("a conflict does not hold up its Order", "b")

	polls := []inbox.Event{t.event("p", polled), t.event("p", polled, saying("another"))}
	if out := t.insert(polls...); out[1].Status != inbox.Conflict || out[1].Via != inbox.Poll {
		t.failf("another event by poll: got %+v, want a conflict", out[1])
	} else {
		t.outcome(t.event("p"), inbox.Outcome{Status: inbox.Replaced, Seq: out[0].Seq, Via: inbox.Webhook}, "the webhook of it")
		t.outcome(t.event("p", saying("another")), inbox.Outcome{Status: inbox.Duplicate, Seq: out[1].Seq, Via: inbox.Poll}, "a webhook of the other one")
	}
}

func (t *inboxTest) digest() {
	with := func(digest string) func(*inbox.Event) {
		return func(e *inbox.Event) { e.Digest = []byte(digest) }
	}
	seq := t.put(t.event("a", with("\x00\xff1")))[0]
	t.outcome(t.event("a", with("\x00\xff1"), saying("in other bytes")), inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}, "the same digest")
	if out := t.insert(t.event("a", with("\x00\xff2")))[0]; out.Status != inbox.Conflict {
		t.failf("the same body with another digest: got %+v, want a conflict", out)
	}
}

func (t *inboxTest) replaced() {
	said := http.Header{"X-Said": {"the webhook"}}
	poll := t.event("a", polled, held(time.Hour), saying("the list's view"))
	hook := t.event("a", saying("the webhook's view"), func(e *inbox.Event) { e.Type, e.Header = "b.happened", said })
	seq := t.put(poll)[0]
	r := t.get(seq)
	t.near(r.Due.Sub(r.Received), time.Hour, "a held event's wait")
	_, next := t.claim(inbox.Claim{Limit: 1})
	if next > time.Hour {
		t.failf("Claim says to ask after %v", next)
	}
	t.take("a held event waits")
	t.outcome(poll, inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Poll}, "the list again")
	t.take("a duplicate does not end the wait")
	t.outcome(hook, inbox.Outcome{Status: inbox.Replaced, Seq: seq, Via: inbox.Webhook}, "the webhook of it")
	t.outcome(hook, inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}, "the webhook again")
	t.outcome(poll, inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}, "the list after it")
	r = t.take("what a webhook replaced waits no more", "a")[0]
	if r.Seq != seq || r.Via != inbox.Webhook || string(r.Body) != "the webhook's view" || r.Type != "b.happened" || r.Header.Get("X-Said") != "the webhook" {
		t.failf("what the webhook replaced is %v, %q, %v", r, r.Body, r.Header)
	}
	if out := t.insert(t.event("a", saying("another")))[0]; out.Status != inbox.Conflict {
		t.failf("another webhook after the one that replaced: got %+v, want a conflict", out)
	}

	seq = t.put(t.event("b", polled, held(2*time.Hour)))[0]
	if !t.pass(2*time.Hour - t.slack()) {
		return
	}
	if r, _ := t.claim(inbox.Claim{Limit: 9}); slices.Contains(keysOf(r), "b") {
		t.failf("a held event is due just too early")
	}
	t.pass(2 * t.slack())
	if r, _ := t.claim(inbox.Claim{Limit: 9}); !slices.Contains(keysOf(r), "b") {
		t.failf("a held event is not due at its time")
	}
	t.outcome(t.event("b", saying("too late")), inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Poll}, "the webhook too late")
}

// notReplaced: what has been begun, or is done, is the event that counts.
func (t *inboxTest) notReplaced() {
	for _, s := range []inbox.Settlement{
		{State: inbox.StateLeased}, {State: inbox.StateDone}, {State: inbox.StateDead, Error: "x"}, {State: inbox.StateParked, Error: "x"},
		{State: inbox.StateReady, After: time.Hour, Error: "x"},
	} {
		key := string(s.State)
		seq := t.put(t.event(key, polled, saying("the list's view")))[0]
		r := t.take("a new event", key)[0]
		if s.State != inbox.StateLeased {
			t.settle(r, s)
		}
		t.outcome(t.event(key, saying("the webhook's view")), inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Poll}, "the webhook of what is "+key)
		if r := t.get(seq); string(r.Body) != "the list's view" || r.State != s.State {
			t.failf("what was %s is %v, %q after the webhook", key, r, r.Body)
		}
	}
	seq := t.put(t.event("discarded", polled))[0]
	n, err := t.store.Discard(context.Background(), inbox.Query{Seqs: []int64{seq}}, "not needed")
	if n != 1 || err != nil {
		t.failf("Discard of a new event: %d, %v", n, err)
	}
	t.outcome(t.event("discarded", saying("more")), inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Poll}, "the webhook of what is discarded")
	t.hasState(seq, inbox.StateDiscarded, "what was discarded")
}

func (t *inboxTest) allOrNone() {
	ctx := context.Background()
	before := len(t.list(inbox.Query{Source: t.source}))
	for what, change := range map[string]func(*inbox.Event){
		"no key": func(e *inbox.Event) { e.Key = "" }, "no source": from(""), "a NUL": func(e *inbox.Event) { e.Type = "x\x00" },
		"no UTF-8": func(e *inbox.Event) { e.Order = "\xff" }, "a long key": func(e *inbox.Event) { e.Key = strings.Repeat("k", inbox.MaxKey+1) },
		"a body too large": func(e *inbox.Event) { e.Body = make([]byte, inbox.MaxBody+1) },
	} {
		if out, err := t.store.Insert(ctx, t.event("a"), t.event("x", change), t.event("b")); err == nil {
			t.failf("an event with %s was inserted: %v", what, out)
		}
		if got := len(t.list(inbox.Query{Source: t.source})); got != before {
			t.failf("an insert that failed, because of %s, kept %d events", what, got-before)
		}
	}
	t.put(t.event("a"), t.event("b"))
}

func (t *inboxTest) byteForByte() {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	bodies := [][]byte{
		nil, {}, {0}, every, []byte("\x00\x00"), []byte("\xff\xfe\xed\xa0\x80"), []byte("a\r\nb\r\n"), []byte("\ufeff{}"), []byte(`{"a": 1.0, "a":1e400}` + "\n"),
		[]byte(`\x00`), []byte(`'; DROP TABLE events; --`), bytes.Repeat(every, 4<<10),
	}
	header := http.Header{"Content-Type": {"application/json"}, "X-Many": {"b", "a", "", "b"}, "x-Raw": {` "\';é鍵` + "\t"}, "X-None": {}}
	for i, body := range bodies {
		want := t.event(strconv.Itoa(i), about("o", i), func(e *inbox.Event) { e.Body, e.Header, e.Via, e.Digest = body, header, inbox.Poll, []byte("d") })
		if i == 0 {
			want.Header = nil
		}
		seq := t.put(want)[0]
		claimed := t.take("a new event", want.Key)[0]
		for how, got := range map[string]*inbox.Record{"Claim": claimed, "List": t.get(seq)} {
			t.sameEvent(got, want, how)
		}
		t.settle(claimed, inbox.Settlement{State: inbox.StateDone})
		last, err := t.store.Last(context.Background(), t.source, "o")
		t.must(err, "Last")
		if last == nil {
			t.endf("Last knows of no event that is done")
		}
		t.sameEvent(last, want, "Last")
	}
	if n, err := t.store.Replay(context.Background(), inbox.Query{Source: t.source}, "again"); n != len(bodies) || err != nil {
		t.failf("Replay of events, the first two of which have an empty body: %d, %v; want %d", n, err, len(bodies))
	}

	for _, at := range []time.Time{time.Unix(0, 1000), time.Unix(-1, 999000), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)} {
		seq := t.put(t.event(at.UTC().String(), func(e *inbox.Event) { e.Occurred = at }))[0]
		if r := t.get(seq); !r.Occurred.Equal(at) {
			t.failf("an event that occurred at %v came back as of %v", at, r.Occurred)
		}
	}
	if r := t.get(t.put(t.event("whenever"))[0]); !r.Occurred.Equal(r.Received) || r.Received.IsZero() {
		t.failf("an event without a time occurred at %v and was received at %v: want the same", r.Occurred, r.Received)
	}
}

func (t *inboxTest) sameEvent(got *inbox.Record, want inbox.Event, how string) {
	t.Helper()
	if got.Source != want.Source || got.Key != want.Key || got.Type != want.Type || got.Order != want.Order || got.Via != want.Via || !got.Occurred.Equal(want.Occurred) {
		t.failf("%s returned %v, Order %q, occurred %v; want %v, %q, %v", how, got, got.Order, got.Occurred, want, want.Order, want.Occurred)
	}
	if !bytes.Equal(got.Body, want.Body) {
		t.failf("%s returned a body of %d bytes, %.40q; want %d, %.40q", how, len(got.Body), got.Body, len(want.Body), want.Body)
	}
	kept := func(h http.Header) http.Header {
		h = h.Clone()
		maps.DeleteFunc(h, func(_ string, values []string) bool { return len(values) == 0 })
		return h
	}
	if !maps.EqualFunc(kept(got.Header), kept(want.Header), slices.Equal) {
		t.failf("%s returned headers %q, want %q", how, got.Header, want.Header)
	}
}

// copies: what is the caller's and what is the store's are apart.
func (t *inboxTest) copies() {
	e := t.event("a", saying("body"), func(e *inbox.Event) { e.Header = http.Header{"A": {"b"}} })
	want := t.event("a", saying("body"), func(e *inbox.Event) { e.Header = http.Header{"A": {"b"}} })
	seq := t.put(e)[0]
	e.Body[0], e.Header["A"][0] = 'X', "X"
	got := t.get(seq)
	want.Occurred = got.Occurred
	t.sameEvent(got, want, "List, after the inserted event was changed,")
	got.Body[0], got.Header["A"][0] = 'X', "X"
	claimed := t.take("a new event", "a")[0]
	t.sameEvent(claimed, want, "Claim, after a listed record was changed,")
	claimed.Body[0], claimed.Header["A"][0] = 'X', "X"
	t.sameEvent(t.get(seq), want, "List, after a claimed record was changed,")
}

func (t *inboxTest) oddNames() {
	names := []string{
		"a", "A", " a", "a ", "a\n", "é", "e\u0301", "鍵", "😀", "'", `"`, `\`, "''", "%", "_", "a%", "*", "?", "{a}", "{", "}", ":", "a:b", "a:b:c", "|", ",", "0", "00", "1e3", "-1",
		"null", "NULL", "$1", "?1", ";--", "\u2028", "\ufeff", "\x01", "\x1f", "\x7f", strings.Repeat("k", inbox.MaxKey), strings.Repeat("k", inbox.MaxKey-1) + "l",
	}
	names = append(names, t.source+":", ":"+t.source)
	var events []inbox.Event
	for _, n := range names {
		events = append(events, t.event(n, about(n, 0), func(e *inbox.Event) { e.Type = n }))
	}
	seqs := t.put(events...)
	for i, o := range t.insert(events...) {
		if o.Status != inbox.Duplicate || o.Seq != seqs[i] {
			t.failf("key %.20q again: %+v, want a duplicate of %d", names[i], o, seqs[i])
		}
	}
	for i, n := range names {
		for field, q := range map[string]*inbox.Query{"Key": {Key: n}, "Type": {Type: n}, "Order": {Order: n}} {
			q.Source = t.source
			if found := t.list(*q); len(found) != 1 || found[0].Seq != seqs[i] {
				t.failf("List by %s %.20q returned %.200v; want record %d alone", field, n, found, seqs[i])
			}
		}
	}
	t.take("one event of each Order", names...)

	// Sources, also where the parts of two names put together are the same text.
	pairs := [][2]string{{"a", "b:c"}, {"a:b", "c"}, {"a", "b"}, {"A", "b"}, {"a ", "b"}, {"ab", "c"}, {"a", "bc"}, {"é", "x"}, {"e\u0301", "x"}}
	for _, p := range pairs {
		source := t.source + p[0]
		seq := t.put(t.event(p[1], from(source)))[0]
		if found := t.list(inbox.Query{Source: source, Key: p[1]}); len(found) != 1 || found[0].Seq != seq {
			t.failf("List by Source %q and Key %q returned %v; want record %d", p[0], p[1], found, seq)
		}
	}
}

func (t *inboxTest) bigBatch() {
	const n = 2500
	var events []inbox.Event
	for i := range n {
		events = append(events, t.event(fmt.Sprintf("%04d", i)))
	}
	seqs := t.put(events...)
	if !slices.IsSorted(seqs) {
		t.failf("the records of one insert are not numbered in its order")
	}
	for i, o := range t.insert(events...) {
		if o.Status != inbox.Duplicate || o.Seq != seqs[i] {
			t.endf("event %d inserted again: %+v, want a duplicate of %d", i, o, seqs[i])
		}
	}
	var listed []int64
	for _, r := range t.list(inbox.Query{Seqs: seqs, Limit: 2 * n}) {
		listed = append(listed, r.Seq)
	}
	if !slices.Equal(listed, seqs) {
		t.failf("List by %d numbers returned %d records, or others", n, len(listed))
	}
	records, _ := t.claim(inbox.Claim{Limit: n})
	if len(records) != n {
		t.endf("Claim returned %d of %d events", len(records), n)
	}
	leases, settlements := make([]inbox.Lease, n), make([]inbox.Settlement, n)
	for i, r := range records {
		if r.Key != events[i].Key {
			t.endf("event %s was claimed as number %d: want them as they came", r.Key, i)
		}
		leases[i] = r.Lease()
		settlements[i] = inbox.Settlement{Lease: r.Lease(), State: inbox.StateDone}
	}
	held, err := t.store.Extend(context.Background(), inboxLease, leases...)
	t.must(err, "Extend")
	ok, err := t.store.Settle(context.Background(), settlements...)
	t.must(err, "Settle")
	if len(held) != n || len(ok) != n || slices.Contains(held, false) || slices.Contains(ok, false) {
		t.failf("of %d leases not all were held", n)
	}
	again, err := t.store.Replay(context.Background(), inbox.Query{Source: t.source}, "again")
	t.must(err, "Replay")
	given, err := t.store.Discard(context.Background(), inbox.Query{Source: t.source}, "enough")
	t.must(err, "Discard")
	if again != n || given != n {
		t.failf("%d of %d events were replayed, and %d discarded", again, n, given)
	}
}

func (t *inboxTest) sameKeys() {
	const goroutines, keys = 64, 8
	var events []inbox.Event
	for i := range keys {
		events = append(events, t.event(strconv.Itoa(i)))
	}
	outcomes := make([][]inbox.Outcome, goroutines)
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			mine := slices.Concat(events[g%keys:], events[:g%keys])
			if g%2 == 1 {
				slices.Reverse(mine) // two that lock in opposite orders
			}
			out, err := t.store.Insert(context.Background(), mine...)
			if err != nil || len(out) != keys {
				t.failf("Insert beside others: %d outcomes, %v", len(out), err)
				return
			}
			outcomes[g] = make([]inbox.Outcome, keys)
			for i := range mine {
				outcomes[g][mine[i].Key[0]-'0'] = out[i]
			}
		})
	}
	group.Wait()
	for k := range keys {
		stored, seqs := 0, map[int64]bool{}
		for _, out := range outcomes {
			if out == nil {
				return
			}
			seqs[out[k].Seq] = true
			switch out[k].Status {
			case inbox.Stored:
				stored++
			case inbox.Duplicate:
			case inbox.Replaced, inbox.Conflict:
				t.failf("the same event, inserted at once: %+v", out[k])
			}
		}
		if stored != 1 || len(seqs) != 1 {
			t.failf("one event, inserted %d times at once, was stored %d times under %d numbers; want once", goroutines, stored, len(seqs))
		}
	}
	if got := len(t.list(inbox.Query{Source: t.source})); got != keys {
		t.failf("%d records of %d events", got, keys)
	}
}

// refusals: what makes no sense is an error and changes nothing.
func (t *inboxTest) refusals() {
	ctx := context.Background()
	seq := t.put(t.event("a"))[0]
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.failf("%s: want an error", what)
		}
	}
	for _, c := range []inbox.Claim{{Lease: time.Hour}, {Limit: -1, Lease: time.Hour}, {Limit: 1}, {Limit: 1, Lease: -1}} {
		_, _, err := t.store.Claim(ctx, c)
		refused(fmt.Sprintf("Claim(%+v)", c), err)
	}
	r := t.take("a new event", "a")[0]
	for _, state := range []inbox.State{"", inbox.StateLeased, inbox.StateConflict, "gone"} {
		_, err := t.store.Settle(ctx, inbox.Settlement{Lease: r.Lease(), State: inbox.StateDone}, inbox.Settlement{Lease: r.Lease(), State: state})
		refused(fmt.Sprintf("Settle as %q", state), err)
	}
	t.hasState(seq, inbox.StateLeased, "after a Settle that was refused")
	for _, h := range []struct {
		name, owner string
		d           time.Duration
	}{{"", "o", 1}, {t.source, "", 1}, {t.source, "o", 0}, {t.source, "o", -1}} {
		_, _, err := t.store.Hold(ctx, h.name, h.owner, h.d)
		refused(fmt.Sprintf("Hold(%q, %q, %v)", h.name, h.owner, h.d), err)
	}
	for _, name := range []string{"", strings.Repeat("r", inbox.MaxKey+1)} {
		_, err := t.store.Replay(ctx, inbox.Query{Source: t.source}, name)
		refused(fmt.Sprintf("Replay as %.10q", name), err)
	}
	for _, keep := range []inbox.Retention{{}, {Keys: time.Hour}, {Bodies: time.Hour}, {Bodies: time.Hour, Keys: time.Minute}, {Bodies: -1, Keys: time.Hour}} {
		_, err := t.store.Purge(ctx, keep)
		refused(fmt.Sprintf("Purge(%+v)", keep), err)
	}
}

func (t *inboxTest) contexts() {
	seqs := t.put(t.event("a"), t.event("b"))
	claimed, _ := t.claim(inbox.Claim{Limit: 1})
	cursor, ok, err := t.store.Hold(context.Background(), t.source, "me", inboxLease)
	if len(claimed) != 1 || !ok || err != nil {
		t.endf("%d events are due, Hold = %v, %v", len(claimed), ok, err)
	}
	lease := claimed[0].Lease()

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	of := inbox.Query{Source: t.source}
	for what, call := range map[string]func() error{
		"Insert": func() error { _, err := t.store.Insert(ctx, t.event("new")); return err },
		"Claim": func() error {
			_, _, err := t.store.Claim(ctx, inbox.Claim{Owner: "o", Limit: 9, Lease: inboxLease, Sources: []string{t.source}})
			return err
		},
		"Extend": func() error { _, err := t.store.Extend(ctx, time.Nanosecond, lease); return err },
		"Settle": func() error {
			_, err := t.store.Settle(ctx, inbox.Settlement{Lease: lease, State: inbox.StateDone})
			return err
		},
		"Last": func() error { _, err := t.store.Last(ctx, t.source, "x"); return err },
		"Hold": func() error { _, _, err := t.store.Hold(ctx, t.source+"2", "me", time.Hour); return err },
		"Commit": func() error {
			_, err := t.store.Commit(ctx, t.source, cursor.Fence, "moved", t.event("new"))
			return err
		},
		"Release": func() error { return t.store.Release(ctx, t.source, cursor.Fence) },
		"List":    func() error { _, err := t.store.List(ctx, of); return err },
		"Replay":  func() error { _, err := t.store.Replay(ctx, of, "again"); return err },
		"Discard": func() error { _, err := t.store.Discard(ctx, of, "no"); return err },
		"Purge": func() error {
			_, err := t.store.Purge(ctx, inbox.Retention{Bodies: time.Hour, Keys: time.Hour})
			return err
		},
		"Stats": func() error { _, err := t.store.Stats(ctx); return err },
	} {
		if call() == nil {
			t.failf("%s with a context that is done: want an error", what)
		}
	}
	if got := len(t.list(of)); got != 2 {
		t.failf("there are %d records after calls whose context was done, want 2", got)
	}
	t.hasState(seqs[0], inbox.StateLeased, "after calls whose context was done")
	t.hasState(seqs[1], inbox.StateReady, "after calls whose context was done")
	if c, ok, err := t.store.Hold(context.Background(), t.source, "another", inboxLease); ok || err != nil {
		t.failf("a cursor that was held has %+v, %v, %v after calls whose context was done", c, ok, err)
	}
	if c, _, err := t.store.Hold(context.Background(), t.source, "me", inboxLease); c.Value != "" || err != nil {
		t.failf("the cursor was moved to %q, %v by a call whose context was done", c.Value, err)
	}
}

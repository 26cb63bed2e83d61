package inbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in this process's memory, for tests and for events that may
// be lost with the process: nothing in it is durable. [NewMemory] makes it.
type Memory struct {
	mu      sync.Mutex
	seq     int64
	records map[int64]*kept
	first   map[name]*kept     // by key: the record that counts
	others  map[variant]*kept  // in conflict with it
	waiting []*kept            // ready and leased, by due and Seq
	lanes   map[name][]*kept   // by Order: ready, leased and parked, by occurred and Seq
	cursors map[string]*cursor // by name
}

// name is a text of a source: a Key or an Order.
type name struct{ source, text string }

// variant is another event with a key that is taken.
type variant struct {
	name
	digest string
}

// kept is a record and what only the store knows.
type kept struct {
	Record
	digest []byte
	owner  string
	began  time.Time // of the latest attempt
	due    time.Time // or when its lease runs out
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		records: map[int64]*kept{},
		first:   map[name]*kept{},
		others:  map[variant]*kept{},
		lanes:   map[name][]*kept{},
		cursors: map[string]*cursor{},
	}
}

// Insert is [Sink.Insert].
func (m *Memory) Insert(ctx context.Context, events ...Event) ([]Outcome, error) {
	if err := check(ctx, events); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.insert(events), nil
}

// check reports why events cannot be inserted.
func check(ctx context.Context, events []Event) error {
	for i := range events {
		if err := events[i].Check(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *Memory) insert(events []Event) []Outcome {
	out := make([]Outcome, len(events))
	for i := range events {
		out[i] = m.insertOne(&events[i], time.Now())
	}
	return out
}

func (m *Memory) insertOne(e *Event, now time.Time) Outcome {
	key, digest := name{e.Source, e.Key}, e.Fingerprint()
	was, there := m.first[key]
	switch {
	case !there:
		r := m.add(e, digest, StateReady, now)
		m.first[key] = r
		m.wait(r, now.Add(max(0, e.Hold)))
		m.queue(r)
		return Outcome{Stored, r.Seq, e.Via}
	case was.replaceable(e):
		was.Via, was.Type, was.Header, was.Body, was.digest = e.Via, e.Type, e.Header.Clone(), e.bytes(), digest
		m.wait(was, now)
		return Outcome{Replaced, was.Seq, e.Via}
	case was.Via != e.Via || slices.Equal(was.digest, digest):
		return Outcome{Duplicate, was.Seq, was.Via}
	}
	other := variant{key, string(digest)}
	if r, there := m.others[other]; there {
		return Outcome{Duplicate, r.Seq, r.Via}
	}
	r := m.add(e, digest, StateConflict, now)
	m.others[other] = r
	return Outcome{Conflict, r.Seq, e.Via}
}

// replaceable reports whether e, which has the record's key, says more than the
// record, and still can.
func (r *Record) replaceable(e *Event) bool {
	return r.Via == Poll && e.Via == Webhook && r.State == StateReady && r.Attempts == 0 && r.Replay == ""
}

func (m *Memory) add(e *Event, digest []byte, state State, now time.Time) *kept {
	m.seq++
	r := &kept{Record: Record{Event: *e, Seq: m.seq, State: state, Received: now}, digest: digest}
	r.Digest, r.Hold = nil, 0
	r.Header, r.Body = e.Header.Clone(), e.bytes()
	if r.Occurred.IsZero() {
		r.Occurred = now
	}
	m.records[r.Seq] = r
	return r
}

// bytes is a copy of the body that is not nil: only a record that lost its body has
// none.
func (e *Event) bytes() []byte { return append([]byte{}, e.Body...) }

func byDue(a, b *kept) int {
	return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.Seq, b.Seq))
}

func byOccurred(a, b *kept) int {
	return cmp.Or(a.Occurred.Compare(b.Occurred), cmp.Compare(a.Seq, b.Seq))
}

// place puts r into list, which has its order.
func place(list []*kept, r *kept, by func(a, b *kept) int) []*kept {
	i, _ := slices.BinarySearchFunc(list, r, by)
	return slices.Insert(list, i, r)
}

// without takes r out of list.
func without(list []*kept, r *kept, by func(a, b *kept) int) []*kept {
	if i, found := slices.BinarySearchFunc(list, r, by); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// wait has r, ready or leased, be due at t.
func (m *Memory) wait(r *kept, t time.Time) {
	m.waiting = without(m.waiting, r, byDue)
	r.due = t
	m.waiting = place(m.waiting, r, byDue)
}

// queue has r wait in its lane, if it has one.
func (m *Memory) queue(r *kept) {
	if lane := (name{r.Source, r.Order}); r.Order != "" && !slices.Contains(m.lanes[lane], r) {
		m.lanes[lane] = place(m.lanes[lane], r, byOccurred)
	}
}

// leave takes r, which is neither ready nor leased any more, from what waits.
func (m *Memory) leave(r *kept, parked bool) {
	m.waiting = without(m.waiting, r, byDue)
	lane := name{r.Source, r.Order}
	if parked || r.Order == "" {
		return
	}
	m.lanes[lane] = without(m.lanes[lane], r, byOccurred)
	if len(m.lanes[lane]) == 0 {
		delete(m.lanes, lane)
	}
}

// shown is a copy of r for the caller.
func (r *kept) shown() Record {
	c := r.Record
	c.Header, c.Body, c.History = r.Header.Clone(), slices.Clone(r.Body), slices.Clone(r.History)
	if c.State == StateReady {
		c.Due = r.due
	}
	return c
}

// failed adds an attempt that failed to the history.
func (r *kept) failed(why string, now time.Time) {
	r.History = remember(r.History, Attempt{Number: r.Attempts, Owner: r.owner, Began: r.began, Ended: now, Error: why, Replay: r.Replay})
}

// remember adds an attempt to a history, which is kept short.
func remember(history []Attempt, a Attempt) []Attempt {
	a.Error = Shorten(a.Error, MaxError)
	history = append(history, a)
	return history[max(0, len(history)-MaxHistory):]
}

// List is [Archive.List].
func (m *Memory) List(ctx context.Context, q Query) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Record
	for _, r := range m.find(q, cmp.Or(q.Limit, defaultPage)) {
		out = append(out, r.shown())
	}
	return out, nil
}

// defaultPage is how many records List returns where nothing is said.
const defaultPage = 100

// find returns the records that q names, limit at most if that is not zero.
func (m *Memory) find(q Query, limit int) []*kept {
	var out []*kept
	for _, r := range m.records {
		if q.names(&r.Record) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *kept) int { return cmp.Compare(a.Seq, b.Seq) })
	if limit > 0 {
		out = out[:min(limit, len(out))]
	}
	return out
}

func (q *Query) names(r *Record) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return r.Seq > q.After && is(q.Source, r.Source) && is(q.Key, r.Key) && is(q.Type, r.Type) && is(q.Order, r.Order) &&
		(len(q.Seqs) == 0 || slices.Contains(q.Seqs, r.Seq)) &&
		(len(q.States) == 0 || slices.Contains(q.States, r.State)) &&
		(q.ReceivedFrom.IsZero() || !r.Received.Before(q.ReceivedFrom)) &&
		(q.ReceivedTo.IsZero() || r.Received.Before(q.ReceivedTo))
}

// Replay is [Archive.Replay].
func (m *Memory) Replay(ctx context.Context, q Query, replay string) (int, error) {
	if err := cmp.Or(checkReplay(ctx, replay), q.CheckChange()); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.find(q, 0) {
		if r.State == StateReady || r.State == StateLeased || r.Body == nil || n == q.Limit && n > 0 {
			continue
		}
		n++
		r.State, r.Attempts, r.Replay = StateReady, 0, replay
		m.wait(r, time.Now())
		m.queue(r)
	}
	return n, nil
}

// Discard is [Archive.Discard].
func (m *Memory) Discard(ctx context.Context, q Query, why string) (int, error) {
	if err := cmp.Or(q.CheckChange(), ctx.Err()); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.find(q, 0) {
		if r.State == StateLeased || r.State == StateDone || r.State == StateDiscarded || n == q.Limit && n > 0 {
			continue
		}
		n++
		now := time.Now()
		r.History = remember(r.History, Attempt{Began: now, Ended: now, Error: Discarded(why), Replay: r.Replay})
		r.State = StateDiscarded
		m.leave(r, false)
	}
	return n, nil
}

// Purge is [Archive.Purge].
func (m *Memory) Purge(ctx context.Context, keep Retention) (Purged, error) {
	if err := cmp.Or(keep.Check(), ctx.Err()); err != nil {
		return Purged{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var p Purged
	for seq, r := range m.records {
		age := time.Since(r.Received)
		switch {
		case r.State != StateDone && r.State != StateDiscarded && r.State != StateConflict:
		case age >= keep.Keys:
			p.Records++
			delete(m.records, seq)
			if key := (name{r.Source, r.Key}); m.first[key] == r {
				delete(m.first, key)
			} else {
				delete(m.others, variant{key, string(r.digest)})
			}
		case age >= keep.Bodies && r.Body != nil:
			p.Bodies++
			r.Body, r.Header = nil, nil
		}
	}
	return p, nil
}

// Stats is [Archive.Stats].
func (m *Memory) Stats(ctx context.Context) (Stats, error) {
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var s Stats
	for _, r := range m.records {
		switch r.State {
		case StateReady, StateLeased:
			s.Oldest = max(s.Oldest, time.Since(r.Received))
			if r.State == StateReady {
				s.Ready++
			} else {
				s.Leased++
			}
		case StateDead:
			s.Dead++
		case StateParked:
			s.Parked++
		case StateConflict:
			s.Conflicts++
		case StateDone, StateDiscarded:
		}
	}
	return s, nil
}

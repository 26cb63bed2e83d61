package monitor

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Snapshot is everything that a monitor knows at one moment: the page, its JSON and
// expvar. Durations are in nanoseconds.
type Snapshot struct {
	Time    time.Time `json:"time"`
	Start   time.Time `json:"start"`
	Health  Health    `json:"health"`
	Alerts  []Alert   `json:"alerts,omitempty"`
	Clients []Client  `json:"clients"`
	// Waiting are the calls that wait for something, the longest first.
	Waiting []Waiting `json:"waiting,omitempty"`
	// Recent are the last hundred calls of each client, the newest first, and Trouble
	// those of them and before that failed or took long.
	Recent  []Call  `json:"recent,omitempty"`
	Trouble []Call  `json:"trouble,omitempty"`
	Tokens  []Token `json:"tokens,omitempty"`
	Feeds   []Feed  `json:"feeds,omitempty"`
}

// Numbers are those of five minutes, and totals since the start.
type Numbers struct {
	// PerSecond is the number of calls, and ErrorRatio the part of them that failed.
	PerSecond  float64 `json:"per_second"`
	ErrorRatio float64 `json:"error_ratio"`
	// AttemptsPerCall is 1 where nothing was sent twice.
	AttemptsPerCall float64       `json:"attempts_per_call"`
	P50             time.Duration `json:"p50_ns"`
	P95             time.Duration `json:"p95_ns"`
	P99             time.Duration `json:"p99_ns"`
	Totals          Totals        `json:"totals"`
}

// Client is one client.
type Client struct {
	Name   string `json:"name"`
	Health Health `json:"health"`
	Numbers
	// InFlight are the calls under way that do not wait, and Waiting those that do.
	InFlight     int                       `json:"in_flight"`
	Waiting      int                       `json:"waiting"`
	Hosts        []Host                    `json:"hosts,omitempty"`
	Quotas       []Quota                   `json:"quotas,omitempty"`
	Waits        map[aplomb.WaitCause]Wait `json:"waits,omitempty"`
	Deprecations []Deprecation             `json:"deprecations,omitempty"`
	// ClockSkew is how far the server's clock is ahead of ours, by the last answer.
	ClockSkew time.Duration                   `json:"clock_skew_ns,omitempty"`
	Store     *Store                          `json:"store,omitempty"`
	Policy    string                          `json:"policy,omitempty"`
	circuits  map[string]*aplomb.BreakerEvent // not yet told of with a host
}

// Host is one host of a client.
type Host struct {
	Name string `json:"name"`
	Numbers
	// Last5Min are the calls in slots of 10 s, the oldest first.
	Last5Min []Slot `json:"last_5_min"`
	// Circuit is the breaker's, nil while it is closed.
	Circuit    *Circuit    `json:"circuit,omitempty"`
	Operations []Operation `json:"operations"`
	LastError  string      `json:"last_error,omitempty"`
	LastFailed time.Time   `json:"last_failed,omitzero"`
	// InFlight are the calls under way to it that do not wait, and Oldest is when the
	// first of them began.
	InFlight int       `json:"in_flight"`
	Oldest   time.Time `json:"oldest,omitzero"`

	minute tally // the last one
}

// Deprecation is an operation that is going away.
type Deprecation struct {
	Operation  string    `json:"operation"`
	Deprecated time.Time `json:"deprecated,omitzero"`
	Sunset     time.Time `json:"sunset,omitzero"`
	Link       string    `json:"link,omitempty"`
}

// Slot is the calls of ten seconds.
type Slot struct {
	Calls  uint32 `json:"calls"`
	Failed uint32 `json:"failed"`
}

// Operation is one operation of a host.
type Operation struct {
	Name string `json:"name"`
	Numbers
}

// Circuit is a breaker that is not closed.
type Circuit struct {
	State aplomb.BreakerState `json:"state"`
	Since time.Time           `json:"since"`
	// ProbeAt is from when on the next call is let through.
	ProbeAt   time.Time `json:"probe_at,omitzero"`
	Failed    int       `json:"failed"`
	Completed int       `json:"completed"`
}

// Quota is a quota of a server's.
type Quota struct {
	Name string `json:"name"`
	// Limit is 0 and Remaining -1 where they are not known.
	Limit       int64     `json:"limit"`
	Remaining   int64     `json:"remaining"`
	PerSecond   float64   `json:"per_second,omitempty"`
	ResetAt     time.Time `json:"reset_at,omitzero"`
	ClosedUntil time.Time `json:"closed_until,omitzero"`
	// EmptyIn is how long it lasts at the pace of the last five minutes; 0 where that
	// is not known or it lasts until it is reset.
	EmptyIn time.Duration `json:"empty_in_ns,omitempty"`
}

// Store is the state of a [aplomb.Fleet]'s store that is away.
type Store struct {
	Since time.Time `json:"since"`
	Error string    `json:"error"`
}

// Waiting is a call that waits.
type Waiting struct {
	Client    string           `json:"client"`
	Operation string           `json:"operation"`
	Cause     aplomb.WaitCause `json:"cause"`
	Since     time.Time        `json:"since"`
	// Until is when it ends; for a bulkhead's queue, at the latest.
	Until time.Time `json:"until"`
}

// Snapshot is everything at this moment.
func (m *Monitor) Snapshot() Snapshot {
	now := time.Now()
	s := Snapshot{Time: now, Start: m.start, Alerts: m.alerts.now(), Tokens: m.feeds.allTokens(), Feeds: m.feeds.all()}
	for _, c := range m.all() {
		c.mu.Lock()
		s.Clients = append(s.Clients, c.snapshot(now))
		s.Waiting = append(s.Waiting, c.waitingCalls()...)
		s.Recent = append(s.Recent, c.recent.newest()...)
		s.Trouble = append(s.Trouble, c.trouble.newest()...)
		c.mu.Unlock()
	}
	newestFirst := func(a, b Call) int { return b.Start.Add(b.Elapsed).Compare(a.Start.Add(a.Elapsed)) }
	slices.SortStableFunc(s.Recent, newestFirst)
	slices.SortStableFunc(s.Trouble, newestFirst)
	slices.SortFunc(s.Waiting, func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Operation, b.Operation))
	})
	s.Health = m.health(&s)
	return s
}

func (c *client) snapshot(now time.Time) Client {
	out := Client{
		Name: c.name, Numbers: c.overall.numbers(now, c.span(now)), InFlight: len(c.flying) + c.unseen, Policy: c.policy,
		Waits: map[aplomb.WaitCause]Wait{}, circuits: map[string]*aplomb.BreakerEvent{},
	}
	for _, f := range c.flying {
		if f.wait.Cause != "" {
			out.Waiting++
		}
	}
	for cause, w := range c.waits {
		out.Waits[cause] = *w
	}
	for _, name := range slices.Sorted(maps.Keys(c.hosts)) {
		out.Hosts = append(out.Hosts, c.host(name, now))
	}
	for key := range c.breakers { // one that guards something else than a host
		if !slices.ContainsFunc(out.Hosts, func(h Host) bool { return guards(key, h.Name) }) {
			out.Hosts = append(out.Hosts, Host{Name: key, Circuit: circuit(c.breakers[key]), Last5Min: []Slot{}, Operations: []Operation{}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.quotas)) {
		out.Quotas = append(out.Quotas, quotaOf(c.quotas[name], out.PerSecond, now))
	}
	for _, name := range slices.Sorted(maps.Keys(c.retired)) {
		e := c.retired[name]
		out.Deprecations = append(out.Deprecations, Deprecation{e.Operation, e.Deprecated, e.Sunset, e.Link})
	}
	if c.store.Down {
		out.Store = &Store{Since: c.store.At}
		if c.store.Err != nil {
			out.Store.Error = c.store.Err.Error()
		}
	}
	return out
}

// host is what is known of one host, all of its operations together.
func (c *client) host(name string, now time.Time) Host {
	h := Host{Name: name, Last5Min: make([]Slot, shortSlots)}
	var sum tally
	var all []*histogram
	for key, s := range c.series {
		if key.host != name {
			continue
		}
		h.minute.add(s.short.last(now, slotsAHistogram))
		for i, t := range s.short.each(now) {
			h.Last5Min[i].Calls += t.Calls
			h.Last5Min[i].Failed += t.Failed
			sum.add(t)
		}
		all = append(all, s.histograms(now)...)
		h.Totals.Calls += s.total.Calls
		h.Totals.Failed += s.total.Failed
		h.Totals.Attempts += s.total.Attempts
		if s.lastFailed.After(h.LastFailed) {
			h.LastFailed, h.LastError = s.lastFailed, s.lastError
		}
		h.Operations = append(h.Operations, Operation{key.operation, s.numbers(now, c.span(now))})
	}
	h.Numbers.of(sum, all, c.span(now))
	slices.SortFunc(h.Operations, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.PerSecond, a.PerSecond), strings.Compare(a.Name, b.Name))
	})
	for key := range c.breakers {
		if guards(key, name) {
			h.Circuit = circuit(c.breakers[key])
		}
	}
	return h
}

// guards reports a breaker of that key that is the host's: its key is an origin.
func guards(key, host string) bool {
	_, after, found := strings.Cut(key, "://")
	return found && after == host
}

func circuit(e aplomb.BreakerEvent) *Circuit {
	return &Circuit{State: e.To, Since: e.At, ProbeAt: e.ReadyAt, Failed: e.Failed, Completed: e.Completed}
}

// span is how long there has been something to count, up to five minutes.
func (c *client) span(now time.Time) time.Duration {
	return max(shortSlot, min(shortSlots*shortSlot, now.Sub(c.monitor.start)))
}

// numbers are those of one operation.
func (s *series) numbers(now time.Time, span time.Duration) (n Numbers) {
	n.Totals = s.total
	n.of(s.short.last(now, shortSlots), s.histograms(now), span)
	return n
}

// of fills in what is counted over five minutes.
func (n *Numbers) of(t tally, hs []*histogram, span time.Duration) {
	n.PerSecond = float64(t.Calls) / span.Seconds()
	n.ErrorRatio = ratio(t)
	if t.Calls > 0 {
		n.AttemptsPerCall = float64(t.Attempts) / float64(t.Calls)
	}
	p := percentiles(hs, 0.5, 0.95, 0.99)
	n.P50, n.P95, n.P99 = p[0], p[1], p[2]
}

// quotaOf is the quota as it is now: one whose reset has passed is full again, as far
// as is known.
func quotaOf(e aplomb.QuotaEvent, pace float64, now time.Time) Quota {
	q := Quota{Name: e.Name, Limit: e.Limit, Remaining: e.Remaining, PerSecond: e.PerSecond}
	if e.ClosedUntil.After(now) {
		q.ClosedUntil = e.ClosedUntil
	}
	switch {
	case e.ResetAt.IsZero():
	case !e.ResetAt.After(now):
		q.Remaining = -1
		if e.Limit > 0 {
			q.Remaining = e.Limit
		}
	default:
		q.ResetAt = e.ResetAt
	}
	if q.Remaining > 0 && pace > 0 {
		lasts := time.Duration(float64(q.Remaining) / pace * float64(time.Second))
		if q.ResetAt.IsZero() && e.ResetAt.IsZero() || now.Add(lasts).Before(q.ResetAt) {
			q.EmptyIn = lasts
		}
	}
	return q
}

func (c *client) waitingCalls() (all []Waiting) {
	for _, f := range c.flying {
		if w := f.wait; w.Cause != "" {
			all = append(all, Waiting{Client: c.name, Operation: f.Operation, Cause: w.Cause, Since: w.Start, Until: w.Start.Add(w.Duration)})
		}
	}
	return all
}

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
	// Recent are the last hundred calls of each client, by their end, the newest first.
	// Trouble are those of them and before that failed or took long, in the same order,
	// and behind them a few that the server blamed on the request or that were canceled:
	// a hundred in all, but the first ten of each client in any case.
	Recent  []Call  `json:"recent,omitempty"`
	Trouble []Call  `json:"trouble,omitempty"`
	Tokens  []Token `json:"tokens,omitempty"`
	Feeds   []Feed  `json:"feeds,omitempty"`
}

// Numbers are those of five minutes, and totals since the start.
type Numbers struct {
	// PerSecond is the number of calls, since the client's first one where that is less
	// than five minutes ago, and ErrorRatio the part of them that failed: for
	// a reason of the server's, the network's or the client's own policy
	// (server_error, rate_limited, timeout, network, breaker_open, bulkhead_full, or a
	// body that broke off). A 4xx, a cancel, a panic and an answer that could not be
	// decoded are not among them; [Health] has words for many of those.
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
	// It is 0 below two seconds.
	ClockSkew time.Duration `json:"clock_skew_ns,omitempty"`
	Store     *Store        `json:"store,omitempty"`
	Policy    string        `json:"policy,omitempty"`

	queue queue
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
	// LastError is the last failure's, and LastFailed when that was. One of a call that
	// was not sent does not take the place of one that was, for an hour: it comes of it.
	LastError  string    `json:"last_error,omitempty"`
	LastFailed time.Time `json:"last_failed,omitzero"`
	// InFlight are the calls under way to it that do not wait, from their first attempt
	// on, and Oldest is when the first of them began.
	InFlight int       `json:"in_flight"`
	Oldest   time.Time `json:"oldest,omitzero"`

	lately lately
	state  hostState
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
	// Since is when it left closed, however many probes have failed since.
	Since time.Time `json:"since"`
	// ProbeAt is from when on the next call is let through; zero while a probe is under
	// way, which is half-open.
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
	// is not known, it lasts until it is reset, or for a year.
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
	s := Snapshot{Time: now, Start: m.start, Clients: []Client{}, Alerts: m.alerts.now(), Tokens: m.feeds.allTokens(), Feeds: m.feeds.all()}
	var faults, refused []Call
	for _, c := range m.all() {
		c.mu.Lock()
		known, numbers := c.snapshot(now), c.numbers(now)
		s.Waiting = append(s.Waiting, c.waitingCalls()...)
		s.Recent = append(s.Recent, c.recent.newest()...)
		faults = append(faults, c.trouble.newest()...)
		refused = append(refused, c.refused.newest()...)
		c.mu.Unlock()
		known.count(&numbers)
		s.Clients = append(s.Clients, known)
	}
	sortByEnd(s.Recent)
	s.Trouble = trouble(faults, refused)
	slices.SortFunc(s.Waiting, func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Client, b.Client), strings.Compare(a.Operation, b.Operation), a.Until.Compare(b.Until))
	})
	s.Health = m.health(&s)
	return s
}

// sortByEnd has the newest first.
func sortByEnd(calls []Call) {
	slices.SortStableFunc(calls, func(a, b Call) int {
		return cmp.Or(b.Start.Add(b.Elapsed).Compare(a.Start.Add(a.Elapsed)), cmp.Compare(b.ID, a.ID))
	})
}

// ofEachClient is how many calls of a client are kept where the list is too long.
const ofEachClient = 10

// trouble is the list of it: faults first, and what room is left to refusals.
func trouble(faults, refused []Call) (kept []Call) {
	sortByEnd(faults)
	sortByEnd(refused)
	all := slices.Concat(faults, refused)
	seen := map[string]int{}
	for i := range all {
		seen[all[i].Client]++
	}
	room := keptCalls
	for _, n := range seen {
		room -= min(n, ofEachClient)
	}
	clear(seen)
	for i := range all {
		switch seen[all[i].Client]++; {
		case seen[all[i].Client] <= ofEachClient:
		case room > 0:
			room--
		default:
			continue
		}
		kept = append(kept, all[i])
	}
	return kept
}

// snapshot is what is known of a client, but for its numbers. The caller holds the lock.
func (c *client) snapshot(now time.Time) Client {
	c.forget(now, false)
	out := Client{
		Name: c.name, Policy: c.policy,
		Waits: map[aplomb.WaitCause]Wait{}, ClockSkew: c.skew, queue: c.queueNow(),
	}
	out.Waiting = out.queue.calls
	out.InFlight = len(c.flying) + c.unseen - out.Waiting
	for cause, w := range c.waits {
		out.Waits[cause] = *w
	}
	broken := c.broken()
	for _, name := range slices.Sorted(maps.Keys(c.hosts)) {
		out.Hosts = append(out.Hosts, c.host(name, broken))
	}
	c.flights(out.Hosts)
	for _, e := range broken { // one that guards something else than a host
		if !slices.ContainsFunc(out.Hosts, func(h Host) bool { return guards(e.Key, h.Name) }) {
			called := latest(c.called, e.At) // which of the calls it guards is not known
			out.Hosts = append(out.Hosts, Host{Name: e.Key, Circuit: circuit(e), Last5Min: []Slot{}, Operations: []Operation{}, lately: lately{minutes: 1}, state: hostState{called: called}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.quotas)) {
		out.Quotas = append(out.Quotas, quotaOf(c.quotas[name].QuotaEvent, c.pace(now), now))
	}
	for _, name := range slices.Sorted(maps.Keys(c.retired)) {
		e := c.retired[name]
		out.Deprecations = append(out.Deprecations, Deprecation{e.Operation, e.Deprecated, e.Sunset, e.Link})
	}
	if c.store != nil {
		away := *c.store
		out.Store = &away
	}
	return out
}

// flights counts the calls under way to each host; hosts are all of them, by name.
func (c *client) flights(hosts []Host) {
	for _, f := range c.flying {
		if !f.sent || f.wait.Cause != "" {
			continue
		}
		name := f.Host
		if c.hosts[name] == nil {
			name = other
		}
		i, found := slices.BinarySearchFunc(hosts, name, func(h Host, name string) int { return strings.Compare(h.Name, name) })
		if !found {
			continue
		}
		h := &hosts[i]
		h.InFlight++
		if h.Oldest.IsZero() || f.Start.Before(h.Oldest) {
			h.Oldest = f.Start
		}
	}
}

// host is what is known of one host, but for its numbers.
func (c *client) host(name string, broken []*turned) Host {
	state := *c.hosts[name]
	h := Host{Name: name, LastError: state.lastError, LastFailed: state.lastFailed, state: state}
	for _, e := range broken {
		if guards(e.Key, name) && (h.Circuit == nil || h.Circuit.State != aplomb.BreakerOpen) { // http and https have one each
			h.Circuit = circuit(e)
			h.state.called = latest(state.called, e.At)
		}
	}
	return h
}

// guards reports a breaker of that key that is the host's: its key is an origin.
func guards(key, host string) bool {
	_, after, found := strings.Cut(key, "://")
	return found && after == host
}

func circuit(e *turned) *Circuit {
	c := &Circuit{State: e.To, Since: e.since, ProbeAt: e.ReadyAt, Failed: e.Failed, Completed: e.Completed}
	if e.To == aplomb.BreakerHalfOpen { // what is told then is when it was ready
		c.ProbeAt = time.Time{}
	}
	return c
}

// longLasting is from when on how long a quota lasts is no news.
const longLasting = 365 * 24 * time.Hour

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
	if seconds := float64(q.Remaining) / pace; q.Remaining > 0 && pace > 0 && seconds < longLasting.Seconds() { // more may overflow
		lasts := time.Duration(seconds * float64(time.Second))
		if e.ResetAt.IsZero() || now.Add(lasts).Before(q.ResetAt) {
			q.EmptyIn = lasts
		}
	}
	return q
}

// queue is the calls that wait.
type queue struct {
	calls  int
	oldest time.Time
	cause  aplomb.WaitCause // of most
	mixed  bool             // and not of all
}

func (c *client) queueNow() (q queue) {
	causes := map[aplomb.WaitCause]int{}
	for _, f := range c.flying {
		if f.wait.Cause == "" {
			continue
		}
		q.calls++
		causes[f.wait.Cause]++
		if q.oldest.IsZero() || f.wait.Start.Before(q.oldest) {
			q.oldest = f.wait.Start
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(causes)) {
		if causes[cause] > causes[q.cause] {
			q.cause = cause
		}
	}
	q.mixed = len(causes) > 1
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

package monitor

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Everything is bounded; what is beyond is counted under the name other.
const (
	maxClients    = 100
	maxHosts      = 100 // of a client
	maxOperations = 300 // of a client
	maxQuotas     = 50  // of a client
	maxFlying     = 10_000
	other         = "other"
)

// The lists of calls are this long, and that of calls which are the caller's own fault.
const (
	keptCalls    = 100
	keptRefusals = 20
)

// client is what is known of one client.
type client struct {
	monitor *Monitor
	name    string

	mu       sync.Mutex
	policy   string    // as of aplomb.Explain
	began    time.Time // with the first call, by the steady clock
	overall  *series
	series   map[seriesKey]*series
	hosts    map[string]*hostState
	called   time.Time         // when the last call was done
	breakers map[string]turned // by what they guard
	quotas   map[string]*stated
	retired  map[string]aplomb.DeprecationEvent
	flying   map[uint64]*flight
	unseen   int // in flight beyond maxFlying
	waits    map[aplomb.WaitCause]*Wait
	store    *Store // nil where it is not away
	recent   list   // of all
	trouble  list   // of those that failed or took long
	refused  list   // of those that the server blamed on us, or that we canceled
	skew     time.Duration
	free     []*flight
	detailed int       // attempts looked at closely
	second   time.Time // in this one
}

type seriesKey struct{ host, operation string }

// Wait is what was waited for one cause.
type Wait struct {
	Count uint64        `json:"count"`
	Total time.Duration `json:"total_ns"`
}

func newClient(m *Monitor, name string) *client {
	return &client{
		monitor: m, name: name, overall: newSeries(), series: map[seriesKey]*series{}, hosts: map[string]*hostState{},
		breakers: map[string]turned{}, quotas: map[string]*stated{}, retired: map[string]aplomb.DeprecationEvent{}, flying: map[uint64]*flight{}, waits: map[aplomb.WaitCause]*Wait{},
	}
}

// hostOf is the name that a host is known by. The caller holds the lock.
func (c *client) hostOf(at string) string {
	if c.hosts[at] == nil {
		if len(c.hosts) >= maxHosts {
			at = other
		}
		if c.hosts[at] == nil {
			c.hosts[at] = &hostState{}
		}
	}
	return at
}

// seriesOf finds the numbers of an operation at a host of [client.hostOf]. The caller
// holds the lock.
func (c *client) seriesOf(host, operation string) *series {
	key := seriesKey{host, operation}
	s := c.series[key]
	if s == nil && len(c.series) >= maxOperations {
		key.operation = other
		s = c.series[key]
	}
	if s == nil {
		s = newSeries()
		c.series[key] = s
	}
	return s
}

func (c *client) callStart(_ context.Context, e aplomb.CallEvent) {
	e.Operation, e.Host = named(e.Operation), named(e.Host)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flying[e.Call]; f != nil { // the next hop of a redirect
		f.Host, f.sent = e.Host, false
		return
	}
	if len(c.flying) >= maxFlying {
		c.unseen++
		return
	}
	c.begin()
	if e.Host != "" {
		c.hostOf(e.Host)
	}
	f := c.take()
	f.held = 1
	f.ID, f.Client, f.Operation, f.Method, f.Host, f.Start = e.Call, named(e.Client), e.Operation, named(e.Method), e.Host, e.Start
	c.flying[e.Call] = f
}

// begin takes in that there is a call. The caller holds the lock.
func (c *client) begin() {
	if c.began.IsZero() {
		c.began = steady(c.monitor.start, time.Now())
	}
}

func (c *client) take() *flight {
	n := len(c.free)
	if n == 0 {
		return &flight{}
	}
	f := c.free[n-1]
	c.free = c.free[:n-1]
	return f
}

// drop lets go of a flight; nil is none.
func (c *client) drop(f *flight) {
	if f == nil {
		return
	}
	if f.held--; f.held == 0 && len(c.free) < 3*keptCalls {
		f.reset()
		c.free = append(c.free, f)
	}
}

func (c *client) callDone(_ context.Context, e aplomb.CallEvent) {
	now, text := time.Now(), textOf(e.Err)
	e.Operation, e.Host = named(e.Operation), named(e.Host)
	c.mu.Lock()
	c.begin()
	host := c.hostOf(e.Host)
	s := c.seriesOf(host, e.Operation)
	c.hosts[host].done(&e, text, now)
	c.called = now
	t, at := tallyOf(&e), steady(c.monitor.start, now)
	late := slow(s, e.Elapsed, at)
	s.record(at, e.Elapsed, t)
	c.overall.record(at, e.Elapsed, t)
	f := c.flying[e.Call]
	switch {
	case f != nil:
		delete(c.flying, e.Call)
		f.Host, f.Elapsed, f.Result, f.Status, f.Attempts, f.Error = e.Host, e.Elapsed, e.Result, e.Status, e.Attempts, text
		c.drop(c.recent.push(f, keptCalls))
		switch blameless := e.Result == aplomb.ResultClientError || e.Result == aplomb.ResultCanceled; {
		case late || e.Result != aplomb.ResultOK && !blameless:
			c.drop(c.trouble.push(f, keptCalls))
		case blameless:
			c.drop(c.refused.push(f, keptRefusals))
		}
		c.drop(f)
	case c.unseen > 0:
		c.unseen--
	}
	c.mu.Unlock()
	_ = c.monitor.alerts.look(c.monitor, now)
}

// tallyOf is a call that is done, counted.
func tallyOf(e *aplomb.CallEvent) tally {
	t := tally{Calls: 1, Attempts: uint32(e.Attempts)}
	if failed(e.Result) {
		t.Failed = 1
	}
	switch e.Result {
	case aplomb.ResultRateLimited:
		t.Limited = 1
	case aplomb.ResultClientError:
		t.Refused = 1
	case aplomb.ResultDecodeError:
		t.Unread = 1
	default:
	}
	return t
}

// bodyFailed counts a call that was done, and whose body broke off, as one that failed.
func (c *client) bodyFailed(_ context.Context, e aplomb.AttemptEvent) {
	e.Operation, e.Host = named(e.Operation), named(e.Host)
	now, text := time.Now(), "a body broke off"
	if e.Err != nil {
		text += ": " + textOf(e.Err)
	}
	c.mu.Lock()
	host := c.hostOf(e.Host)
	c.hosts[host].broke(text, now)
	if e.Status < 500 && e.Status != http.StatusTooManyRequests { // else it is one already
		at := steady(c.monitor.start, now)
		c.seriesOf(host, e.Operation).spoil(at)
		c.overall.spoil(at)
	}
	if f := c.recent.find(e.Call); f != nil {
		f.Error = text
		if f.Result == aplomb.ResultOK {
			f.Result = aplomb.ResultNetwork
		}
		if c.trouble.find(e.Call) == nil {
			c.drop(c.trouble.push(f, keptCalls))
		}
	}
	c.mu.Unlock()
	_ = c.monitor.alerts.look(c.monitor, now)
}

// failed reports a result that the API or the way to it is to blame for: those that
// alerts count.
func failed(r aplomb.Result) bool {
	switch r {
	case aplomb.ResultServerError, aplomb.ResultRateLimited, aplomb.ResultTimeout, aplomb.ResultNetwork, aplomb.ResultBreakerOpen, aplomb.ResultBulkheadFull:
		return true
	default:
		return false
	}
}

// A call is slow that takes a second, and longer than nearly all before it.
const (
	slowFrom   = time.Second
	slowBeyond = 0.95
)

func slow(s *series, took time.Duration, now time.Time) bool {
	return took >= slowFrom && took > percentiles(s.histograms(now), slowBeyond)[0]
}

// closely reports whether an attempt is looked at closely, which costs: ten are in a
// second.
const closePerSecond = 10

func (c *client) closely(context.Context, aplomb.AttemptEvent) bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.second) >= time.Second {
		c.second, c.detailed = now, 0
	}
	c.detailed++
	return c.detailed <= closePerSecond
}

// attemptStart has the call be under way to the attempt's host.
func (c *client) attemptStart(_ context.Context, e aplomb.AttemptEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flying[e.Call]; f != nil {
		f.Host, f.sent = named(e.Host), true
		c.hostOf(f.Host)
	}
}

func (c *client) attemptDone(_ context.Context, e aplomb.AttemptEvent) {
	c.mu.Lock()
	if ahead, ok := clockSkew(&e); ok {
		c.skew = ahead
	}
	f := c.flying[e.Call]
	var began time.Time
	if f != nil {
		began = f.Start
	}
	c.mu.Unlock()
	if f == nil {
		return
	}
	step := Step{
		Start: e.Start.Sub(began), Took: e.Elapsed, Number: e.Number, Status: e.Status, Outcome: e.Verdict.Outcome.String(),
		Probe: e.Probe, Hedge: e.Hedge, Phases: e.Phases,
	}
	if e.Phases != nil {
		step.RequestID, step.Curl, step.Error = named(e.RequestID()), whole(e.Curl(), maxCommand), textOf(e.Err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flying[e.Call] == f {
		f.add(step)
		f.Host = named(e.Host)
		f.Attempts = max(f.Attempts, e.Number)
	}
}

func (c *client) waitStart(_ context.Context, e aplomb.WaitEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flying[e.Call]; f != nil {
		f.wait = e
	}
}

func (c *client) waitDone(_ context.Context, e aplomb.WaitEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waits[e.Cause]
	if w == nil {
		w = &Wait{}
		c.waits[e.Cause] = w
	}
	w.Count++
	w.Total += e.Duration
	if f := c.flying[e.Call]; f != nil {
		f.wait = aplomb.WaitEvent{}
		f.add(Step{Start: e.Start.Sub(f.Start), Took: e.Duration, Wait: e.Cause})
	}
}

// skewFrom is how far a clock has to be wrong to be worth a word.
const skewFrom = 2 * time.Second

// clockSkew is the least by which the server's clock is ahead: a Date names a second,
// which had begun when the answer was written, between sending and receiving.
func clockSkew(e *aplomb.AttemptEvent) (ahead time.Duration, ok bool) {
	if e.Date.IsZero() {
		return 0, false
	}
	least, most := e.Date.Sub(e.Start.Add(e.Elapsed)), e.Date.Add(time.Second).Sub(e.Start)
	switch {
	case least >= skewFrom:
		return least, true
	case most <= -skewFrom:
		return most, true
	}
	return 0, true
}

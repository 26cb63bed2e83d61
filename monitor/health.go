package monitor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Status is how something is: see [Health].
type Status string

// The states, the worst last.
const (
	Healthy  Status = "healthy"
	Degraded Status = "degraded" // it works, and not as it should
	Down     Status = "down"     // calls fail
)

// Health is how something is, and why.
//
// A host is judged by its calls in the last minute, or in the last two to five where
// that had fewer than ten. It is [Down] while half of them fail or its circuit is open,
// and [Degraded] while more than one in twenty fail, its circuit is half open, its last
// three calls or more all failed, or the server refuses half of at least ten calls (4xx)
// or half of their answers cannot be decoded. An open circuit that the next call may
// probe is degraded, too, once no call has come for five minutes: nothing but a call
// closes it. A client is degraded while an [Alert] fires, ten of its calls wait or one
// has for more than 10 s, a quota is used up or below a tenth, the store of its
// [aplomb.Fleet] is away, or an operation stops answering within 30 days.
// A token that cannot be fetched is degraded ten minutes before it ends, and down from
// then on; what came in is degraded by its own trouble, and for an hour by a dead letter.
//
// A readiness probe that fails on Down takes every replica out of service when one
// API is down, since they all see the same. Let it fail only if nothing that you serve
// works without that API, or show the health and answer 200.
type Health struct {
	Status  Status   `json:"status"`
	Reasons []Reason `json:"reasons,omitempty"` // the worst first
}

// Reason is one thing that is wrong.
type Reason struct {
	Status Status `json:"status"`
	// Kind is what Name is the name of: "client", "token", "webhook", "poll", "inbox"
	// or "cache".
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Host is a client's, "" where it is about more than one.
	Host string `json:"host,omitempty"`
	// Text says what is wrong.
	Text string `json:"text"`
}

// String is one line.
func (r Reason) String() string {
	where := r.Name
	if r.Kind != "client" {
		where = r.Kind + " " + where
	}
	if r.Host != "" && r.Host != r.Name {
		where += " (" + r.Host + ")"
	}
	return where + ": " + r.Text
}

// What makes a host degraded or down: from so many calls on, and such a part of
// failures.
const (
	leastCalls    = 10
	leastRun      = 3 // where there are fewer calls
	degradedRatio = 0.05
	downRatio     = 0.5
	usuallyRatio  = 0.5 // of calls that were refused, or could not be read
)

// What makes the rest of it degraded.
const (
	longQueue  = 10 // calls that wait
	longWait   = 10 * time.Second
	lowQuota   = 0.1
	tokenSoon  = 10 * time.Minute
	sunsetSoon = 30 * 24 * time.Hour
)

// Health is how all of it is.
func (m *Monitor) Health() Health { return m.Snapshot().Health }

// health judges the clients of s, and all of it.
func (m *Monitor) health(s *Snapshot) Health {
	var all Health
	for i := range s.Clients {
		c := &s.Clients[i]
		c.Health.client(c, s.Time)
		for _, a := range s.Alerts {
			if a.Client == c.Name {
				c.Health.add(Reason{Degraded, "client", c.Name, "", a.judge(s.Time)})
			}
		}
		c.Health.sort()
		all.Reasons = append(all.Reasons, c.Health.Reasons...)
	}
	for _, t := range s.Tokens {
		all.token(t, s.Time)
	}
	for _, f := range s.Feeds {
		if f.Trouble != "" {
			all.add(Reason{Degraded, f.Kind, f.Name, "", f.Trouble})
		}
		if f.dead > 0 {
			all.add(Reason{Degraded, f.Kind, f.Name, "", count(f.dead, "dead letter") + " in the last hour"})
		}
	}
	all.sort()
	return all
}

func (h *Health) add(r Reason) { h.Reasons = append(h.Reasons, r) }

// sort has the worst first, and takes its status.
func (h *Health) sort() {
	rank := func(s Status) int { return slices.Index([]Status{Down, Degraded, Healthy}, s) }
	slices.SortStableFunc(h.Reasons, func(a, b Reason) int { return rank(a.Status) - rank(b.Status) })
	h.Status = Healthy
	if len(h.Reasons) > 0 {
		h.Status = h.Reasons[0].Status
	}
}

// client has the causes before what comes of them: a quota that is used up before
// the calls that fail or wait for it.
func (h *Health) client(c *Client, now time.Time) {
	var hosts []finding
	for j := range c.Hosts {
		if f := c.Hosts[j].judge(now); f.Status != Healthy {
			hosts = append(hosts, f)
		}
	}
	for _, q := range c.Quotas {
		text, usedUp := q.judge(now)
		if text == "" {
			continue
		}
		r := Reason{Degraded, "client", c.Name, "", text}
		if i := worstLimited(hosts); usedUp && i >= 0 {
			r.Status, r.Host, r.Text = hosts[i].Status, hosts[i].Host, text+"; "+hosts[i].Text
			hosts = slices.Delete(hosts, i, i+1)
		}
		h.add(r)
	}
	for _, f := range hosts {
		f.Kind, f.Name = "client", c.Name
		h.add(f.Reason)
	}
	if c.Store != nil {
		h.add(Reason{Degraded, "client", c.Name, "", "the fleet's store is away, and each replica goes by its own numbers: " + c.Store.Error})
	}
	for _, text := range []string{c.queue.judge(now), sunset(c.Deprecations, now)} {
		if text != "" {
			h.add(Reason{Degraded, "client", c.Name, "", text})
		}
	}
}

// finding is how a host is, and whether calls fail there for a quota's sake.
type finding struct {
	Reason

	limited bool
}

// worstLimited is the one of hosts that fails the most for a quota's sake, -1 if none.
func worstLimited(hosts []finding) int {
	found := -1
	for i, f := range hosts {
		if f.limited && (found < 0 || f.Status == Down && hosts[found].Status != Down) {
			found = i
		}
	}
	return found
}

func (host *Host) judge(now time.Time) finding {
	l := host.lately
	status, text := l.judge()
	f := finding{Reason: Reason{Status: status, Host: host.Name, Text: text}}
	switch circuit := host.Circuit; {
	case circuit == nil:
		f.limited = l.Limited > 0 && 2*l.Limited >= l.Failed
	case circuit.State == aplomb.BreakerOpen && host.forgotten(now):
		f.Status, f.Text = Degraded, "the circuit was open when the last call came, "+span(now.Sub(host.state.called))+" ago; the next call is a probe"
	case circuit.State == aplomb.BreakerOpen:
		f.Status, f.Text = Down, fmt.Sprintf("the circuit is open: %d of %d attempts failed; %s", circuit.Failed, circuit.Completed, probe(circuit, now))
	default:
		f.Text = "the circuit is half open: a probe decides whether it closes"
		if status == Down {
			f.Text += "; " + text
		} else {
			f.Status = Degraded
		}
	}
	return f
}

// forgotten reports that a circuit is open only because nobody calls: it would be a trap
// for a readiness probe to be down for it, since what is not ready gets no traffic, and
// a circuit closes by a call alone.
func (host *Host) forgotten(now time.Time) bool {
	return host.InFlight == 0 && !now.Before(host.Circuit.ProbeAt) && now.Sub(host.state.called) >= shortSlots*shortSlot
}

// judge is how the calls of a host go.
func (l lately) judge() (Status, string) {
	failed, enough := ratio(l.tally), l.Calls >= leastCalls
	calls := fmt.Sprintf("of %d calls in %s", l.Calls, l.window())
	part := func(n uint32) float64 { return float64(n) / float64(max(l.Calls, 1)) }
	switch {
	case enough && failed >= downRatio:
		return Down, percent(failed) + " " + calls + " failed"
	case enough && failed > degradedRatio:
		return Degraded, percent(failed) + " " + calls + " failed"
	case l.run >= leastRun:
		return Degraded, fmt.Sprintf("the last %d calls failed", l.run)
	case enough && part(l.Refused) >= usuallyRatio:
		return Degraded, fmt.Sprintf("%s %s were refused by the server, the last with %d", percent(part(l.Refused)), calls, l.refusedWith)
	case enough && part(l.Unread) >= usuallyRatio:
		return Degraded, percent(part(l.Unread)) + " " + calls + " could not be read"
	}
	return Healthy, ""
}

// judge is what an alert that fires says.
func (a *Alert) judge(now time.Time) string {
	return fmt.Sprintf("errors have lasted for %s: %s of the calls in %s and %s in %s failed",
		span(now.Sub(a.Since)), percent(a.ShortRatio), span(a.Short), percent(a.LongRatio), span(a.Long))
}

// judge is what calls wait for, "" if that is as it should be.
func (q queue) judge(now time.Time) string {
	longest := now.Sub(q.oldest)
	if q.calls == 0 || q.calls < longQueue && longest <= longWait {
		return ""
	}
	if q.calls == 1 {
		return "a call has waited for " + cause(q.cause) + " for " + short(longest)
	}
	most := ""
	if q.mixed {
		most = "most of them "
	}
	return fmt.Sprintf("%d calls wait, the longest for %s, %sfor %s", q.calls, short(longest), most, cause(q.cause))
}

// sunset says which operation stops answering, and "" if none does soon.
func sunset(all []Deprecation, now time.Time) string {
	var first *Deprecation
	more := -1
	for i := range all {
		if d := &all[i]; !d.Sunset.IsZero() && d.Sunset.Sub(now) < sunsetSoon {
			more++
			if first == nil || d.Sunset.Before(first.Sunset) {
				first = d
			}
		}
	}
	if first == nil {
		return ""
	}
	stops, date := " stops answering on ", first.Sunset.UTC().Format(time.DateOnly)
	if !first.Sunset.After(now) {
		stops = " was to stop answering on "
	}
	if more > 0 {
		return first.Operation + stops + date + ", and " + count(more, "other operation") + " by and by"
	}
	return first.Operation + stops + date
}

// count is a number of things.
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return strconv.Itoa(n) + " " + of + "s"
}

// probe says when an open circuit is tried.
func probe(c *Circuit, now time.Time) string {
	if in := c.ProbeAt.Sub(now); in > 0 {
		return "the next call in " + short(in) + " is a probe"
	}
	return "the next call is a probe"
}

// judge is what is wrong with a quota, "" if nothing is, and whether it is used up.
func (q Quota) judge(now time.Time) (text string, usedUp bool) {
	name := "the quota"
	if q.Name != "" {
		name = "the quota " + q.Name
	}
	opens := q.ClosedUntil
	if q.Remaining == 0 && q.ResetAt.After(opens) {
		opens = q.ResetAt
	}
	switch {
	case !opens.IsZero() && q.Limit == 0 && q.Remaining < 0:
		return "the server has asked for a pause: no request for " + short(opens.Sub(now)), true
	case !opens.IsZero():
		return fmt.Sprintf("%s is used up: no request for %s", name, short(opens.Sub(now))), true
	case q.Limit > 0 && q.Remaining >= 0 && float64(q.Remaining) < lowQuota*float64(q.Limit):
		return fmt.Sprintf("%d of %d are left of %s", q.Remaining, q.Limit, name), q.Remaining == 0
	}
	return "", false
}

func (h *Health) token(t Token, now time.Time) {
	switch in := t.Expiry.Sub(now); {
	case t.Error == "":
	case t.Expiry.IsZero() || in <= 0:
		h.add(Reason{Down, "token", t.Name, "", "there is no token: " + t.Error})
	case in < tokenSoon:
		h.add(Reason{Degraded, "token", t.Name, "", "the token ends in " + short(in) + ", and cannot be fetched anew: " + t.Error})
	}
}

// short is a duration for people.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= time.Second:
		return d.Round(time.Second).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

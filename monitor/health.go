package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Status is how something is.
type Status string

// The states, the worst last.
const (
	Healthy  Status = "healthy"
	Degraded Status = "degraded" // it works, and not as it should
	Down     Status = "down"     // calls fail
)

// Health is how something is, and why.
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

// What makes a host degraded or down: from so many calls in a minute on, and such a part
// of failures.
const (
	leastCalls    = 10
	degradedRatio = 0.05
	downRatio     = 0.5
	lowQuota      = 0.1
	tokenSoon     = 10 * time.Minute
)

// Health is how all of it is.
func (m *Monitor) Health() Health { return m.Snapshot().Health }

// health judges the clients of s, and all of it.
func (m *Monitor) health(s *Snapshot) Health {
	var all Health
	for i := range s.Clients {
		c := &s.Clients[i]
		for j := range c.Hosts {
			c.Health.of(c.Name, &c.Hosts[j], s.Time)
		}
		for _, q := range c.Quotas {
			c.Health.quota(c.Name, q, s.Time)
		}
		if c.Store != nil {
			c.Health.add(Reason{Degraded, "client", c.Name, "", "the fleet's store is away, and each replica goes by its own numbers: " + c.Store.Error})
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

func (h *Health) of(client string, host *Host, now time.Time) {
	calls, failed := host.minute.Calls, ratio(host.minute)
	switch circuit := host.Circuit; {
	case circuit != nil && circuit.State == aplomb.BreakerOpen:
		h.add(Reason{Down, "client", client, host.Name, fmt.Sprintf("the circuit is open: %d of %d attempts failed; %s", circuit.Failed, circuit.Completed, probe(circuit, now))})
	case circuit != nil:
		h.add(Reason{Degraded, "client", client, host.Name, "the circuit is half open: a probe decides whether it closes"})
	case calls >= leastCalls && failed >= downRatio:
		h.add(Reason{Down, "client", client, host.Name, fmt.Sprintf("%s of %d calls in a minute failed", percent(failed), calls)})
	case calls >= leastCalls && failed > degradedRatio:
		h.add(Reason{Degraded, "client", client, host.Name, fmt.Sprintf("%s of %d calls in a minute failed", percent(failed), calls)})
	}
}

// probe says when an open circuit is tried.
func probe(c *Circuit, now time.Time) string {
	if in := c.ProbeAt.Sub(now); in > 0 {
		return "the next call in " + short(in) + " is a probe"
	}
	return "the next call is a probe"
}

func (h *Health) quota(client string, q Quota, now time.Time) {
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
		h.add(Reason{Degraded, "client", client, "", "the server has asked for a pause: no request for " + short(opens.Sub(now))})
	case !opens.IsZero():
		h.add(Reason{Degraded, "client", client, "", fmt.Sprintf("%s is used up: no request for %s", name, short(opens.Sub(now)))})
	case q.Limit > 0 && q.Remaining >= 0 && float64(q.Remaining) < lowQuota*float64(q.Limit):
		h.add(Reason{Degraded, "client", client, "", fmt.Sprintf("%d of %d are left of %s", q.Remaining, q.Limit, name)})
	}
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

package monitor

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// view is what the page and its text show: a [Snapshot], the worst first.
type view struct {
	Snapshot
	wish

	Blocks []block
	Queue  waitList
	Calls  []Call
	// Reload says that a reader without JavaScript gets the page anew by itself: not
	// where that would close what was asked for.
	Reload bool
}

// shownCalls and shownWaiting are how many are listed.
const (
	shownCalls   = 100
	shownWaiting = 20
)

// wish is what a reader has a say in, of the part that is live.
type wish struct {
	// Chosen is which calls are listed: "recent" or "trouble".
	Chosen string
	// Opened is the call that the address asks for, 0 if none.
	Opened uint64
}

func wishOf(query url.Values) wish {
	w := wish{Chosen: "recent"}
	if query.Get("calls") == "trouble" {
		w.Chosen = "trouble"
	}
	w.Opened, _ = strconv.ParseUint(query.Get("call"), 10, 64) // any other is none
	return w
}

func newView(s Snapshot, query url.Values) view {
	v := view{Snapshot: s, Blocks: blocks(s), Queue: waitListOf(s), wish: wishOf(query), Calls: s.Recent}
	if v.Chosen == "trouble" {
		v.Calls = s.Trouble
	}
	v.Calls = v.Calls[:min(shownCalls, len(v.Calls))]
	v.Reload = !query.Has("calls") && !query.Has("call") && query.Get("refresh") != "off"
	return v
}

// viewOf is what a request asks for.
func (p *page) viewOf(r *http.Request) view { return newView(p.monitor.Snapshot(), r.URL.Query()) }

// Lost reports a call that was asked for and is not in the list.
func (v view) Lost() bool {
	return v.Opened != 0 && !slices.ContainsFunc(v.Calls, func(c Call) bool { return c.ID == v.Opened })
}

// Deprecations reports whether anything is going away.
func (v view) Deprecations() bool {
	return slices.ContainsFunc(v.Clients, func(c Client) bool { return len(c.Deprecations) > 0 })
}

// block is a client, with what is its own, and a card for each of its hosts.
type block struct {
	Client

	ID    string
	State string // a [Status], or [idle]
	// Own are the reasons about no host of it.
	Own   []Reason
	Cards []card
}

// card is a host of a client.
type card struct {
	Host

	ID    string
	State string
	// Waiting are the calls that wait; -1 where it is not known which host they are for.
	Waiting int
}

// idle is the state of what is not wrong and made no call for five minutes.
const idle = "idle"

// blocks are the clients, the worst first, then by name.
func blocks(s Snapshot) []block {
	all := make([]block, 0, len(s.Clients))
	for i := range s.Clients {
		all = append(all, newBlock(s.Clients[i]))
	}
	slices.SortStableFunc(all, func(a, b block) int {
		return cmp.Or(rank(a.Health.Status)-rank(b.Health.Status), strings.Compare(a.Name, b.Name))
	})
	return all
}

func newBlock(c Client) block {
	b := block{Client: c, ID: ident("card", c.Name), State: idle}
	for _, r := range c.Health.Reasons {
		if r.Host == "" {
			b.Own = append(b.Own, r)
		}
	}
	slices.SortStableFunc(c.Hosts, func(x, y Host) int {
		return cmp.Or(rank(worst(c, x))-rank(worst(c, y)), strings.Compare(x.Name, y.Name))
	})
	for i := range c.Hosts {
		h := &c.Hosts[i]
		one := card{Host: *h, ID: ident("card", c.Name, h.Name), State: string(worst(c, *h)), Waiting: -1}
		if len(c.Hosts) == 1 {
			one.Waiting = c.Waiting
		}
		if one.State == string(Healthy) && quiet(*h) {
			one.State = idle
		}
		if one.State != idle {
			b.State = string(Healthy)
		}
		b.Cards = append(b.Cards, one)
	}
	if c.Health.Status != Healthy || b.State == idle && c.InFlight+c.Waiting > 0 {
		b.State = string(c.Health.Status)
	}
	return b
}

// quiet reports a host that no call was made to for five minutes, nor is.
func quiet(h Host) bool {
	return h.InFlight == 0 && !slices.ContainsFunc(h.Last5Min, func(s Slot) bool { return s.Calls > 0 })
}

// worst is the state of one host of a client: what is wrong with the client, such as
// its quota, is wrong with each of its hosts.
func worst(c Client, h Host) Status {
	s := Healthy
	for _, r := range c.Health.Reasons {
		if (r.Host == "" || r.Host == h.Name) && rank(r.Status) < rank(s) {
			s = r.Status
		}
	}
	return s
}

// rank is the order of states, the worst first.
func rank(s Status) int { return slices.Index([]Status{Down, Degraded, Healthy}, s) }

// waitList is the calls that wait: the first of them, and how many there are for what.
type waitList struct {
	Shown  []Waiting
	Total  int
	Causes []waitingFor
}

// waitingFor is how many calls wait for one thing.
type waitingFor struct {
	Cause string
	Calls int
	First time.Time // since when the longest waits
}

// String is as in "204 for the server's quota".
func (w waitingFor) String() string { return fmt.Sprintf("%d for %s", w.Calls, w.Cause) }

func waitListOf(s Snapshot) waitList {
	q := waitList{Shown: s.Waiting[:min(shownWaiting, len(s.Waiting))], Total: len(s.Waiting)}
	for _, w := range s.Waiting { // the longest first
		text := cause(w.Cause)
		i := slices.IndexFunc(q.Causes, func(known waitingFor) bool { return known.Cause == text })
		if i < 0 {
			i = len(q.Causes)
			q.Causes = append(q.Causes, waitingFor{Cause: text, First: w.Since})
		}
		q.Causes[i].Calls++
	}
	slices.SortStableFunc(q.Causes, func(a, b waitingFor) int { return b.Calls - a.Calls })
	return q
}

// ident is an id that is valid in HTML and another one for each list of parts: what is
// not a letter, a digit or a point is escaped, so that "-" stands between parts alone.
func ident(kind string, parts ...string) string {
	var b strings.Builder
	b.WriteString(kind)
	for _, part := range parts {
		b.WriteByte('-')
		for _, c := range []byte(part) {
			if c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "_%02x", c)
			}
		}
	}
	return b.String()
}

// about is the id of what a reason is about.
func about(r Reason) string {
	switch {
	case r.Kind == "token":
		return ident("token", r.Name)
	case r.Kind != "client":
		return ident("feed", r.Kind, r.Name)
	case r.Host != "":
		return ident("card", r.Name, r.Host)
	}
	return ident("card", r.Name)
}

package monitor

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// shownText is how many rows of a table a terminal is given, and shownHosts of what has
// the worst first.
const (
	shownText  = 20
	shownHosts = 100
)

// text is the page for a terminal.
func text(v view) []byte {
	b := &report{}
	b.linef("%s at %s, up for %s", v.Health.Status, clock(v.Time), span(v.Time.Sub(v.Start)))
	for _, r := range v.Health.Reasons {
		b.linef("  %-8s  %s", r.Status, r)
	}
	for _, a := range v.Alerts {
		b.linef("  ALERT     %s: errors have lasted since %s: %s of calls in the last %s, %s in the last %s",
			a.Client, clock(a.Since), percent(a.ShortRatio), span(a.Short), percent(a.LongRatio), span(a.Long))
	}
	b.waiting(v)
	b.clients(v)
	b.hosts(v)
	b.quotas(v)
	b.rest(v)
	b.calls(v)
	return b.Bytes()
}

// report is a text of tables.
type report struct{ bytes.Buffer }

// linef adds one line, whatever the values hold.
func (b *report) linef(format string, values ...any) {
	_, _ = b.WriteString(plain(fmt.Sprintf(format, values...)) + "\n")
}

// table adds a table of so many rows at most, unless it is empty.
func (b *report) table(title, head string, most int, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	all := len(rows)
	rows = rows[:min(most, all)]
	fmt.Fprintf(b, "\n%s\n", title)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.ReplaceAll(head, ", ", "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	b.more(len(rows), all)
}

// more says that a table is not all.
func (b *report) more(shown, of int) {
	if shown < of {
		b.linef("%d of %d shown", shown, of)
	}
}

// plain has nothing in it that a terminal would obey, or a table: servers and callers
// have a say in what is shown. What is not printable is as in a quoted string of Go, so
// that it is seen that there is something.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		escaped := strconv.QuoteRune(r)
		b.WriteString(escaped[1 : len(escaped)-1])
	}
	return b.String()
}

func (b *report) waiting(v view) {
	var rows [][]string
	for _, c := range v.Queue.Shown {
		until := "now"
		if c.Until.After(v.Time) {
			until = "in " + span(c.Until.Sub(v.Time))
		}
		rows = append(rows, []string{c.Client, c.Operation, cause(c.Cause), span(max(0, v.Time.Sub(c.Since))) + " ago", until})
	}
	b.table("Why is it waiting?", "CLIENT, OPERATION, FOR, SINCE, UNTIL", shownText, rows)
	if v.Queue.Total == 0 {
		return
	}
	b.more(len(v.Queue.Shown), v.Queue.Total)
	for _, c := range v.Queue.Causes {
		b.linef("%s, the longest for %s", c, span(max(0, v.Time.Sub(c.First))))
	}
}

func (b *report) clients(v view) {
	var rows [][]string
	for i := range v.Blocks {
		c, store, skew := &v.Blocks[i], "-", "-"
		if c.Store != nil {
			store = "away for " + span(v.Time.Sub(c.Store.Since)) + ": " + c.Store.Error
		}
		if c.ClockSkew != 0 {
			skew = c.ClockSkew.String()
		}
		rows = append(rows, []string{c.Name, c.State, strconv.Itoa(c.InFlight), strconv.Itoa(c.Waiting), skew, store})
	}
	b.table("Clients", "CLIENT, HEALTH, SENT, WAITING, CLOCK OFF BY, FLEET'S STORE", shownHosts, rows)
}

func (b *report) hosts(v view) {
	var rows, failures [][]string
	for i := range v.Blocks {
		c := &v.Blocks[i]
		for j := range c.Cards {
			h := &c.Cards[j]
			sent := strconv.Itoa(h.InFlight)
			if !h.Oldest.IsZero() && v.Time.Sub(h.Oldest) > longFlight {
				sent += ", the oldest for " + span(v.Time.Sub(h.Oldest))
			}
			rows = append(rows, []string{
				c.Name, h.Name, h.State, pace(h.PerSecond), percent(h.ErrorRatio), took(h.P50), took(h.P95), took(h.P99), sent, circuitText(h.Circuit, v.Time),
			})
			if h.LastError != "" {
				failures = append(failures, []string{c.Name, h.Name, span(max(0, v.Time.Sub(h.LastFailed))) + " ago", h.LastError})
			}
		}
	}
	b.table("Hosts, last 5 minutes", "CLIENT, HOST, HEALTH, CALLS, ERRORS, P50, P95, P99, SENT, CIRCUIT", shownHosts, rows)
	b.table("Last failures", "CLIENT, HOST, WHEN, WHAT", shownText, failures)
}

func (b *report) quotas(v view) {
	var rows [][]string
	for i := range v.Blocks {
		c := &v.Blocks[i]
		for _, q := range c.Quotas {
			name := q.Name
			if name == "" {
				name = "(unnamed)"
			}
			rows = append(rows, []string{c.Name, name, q.left(), q.reset(v.Time)})
		}
	}
	b.table("Quotas", "CLIENT, QUOTA, LEFT, NOTE", shownHosts, rows)
}

// rest is what is not about calls.
func (b *report) rest(v view) {
	var retired, tokens, feeds [][]string
	for i := range v.Blocks {
		for _, d := range v.Blocks[i].Deprecations {
			retired = append(retired, []string{v.Blocks[i].Name, d.Operation, d.text()})
		}
	}
	for i := range v.Tokens {
		tokens = append(tokens, []string{v.Tokens[i].Name, tokenText(v.Tokens[i], v.Time)})
	}
	for i := range v.Feeds {
		f := &v.Feeds[i]
		var counts []string
		for _, what := range slices.Sorted(maps.Keys(f.Counts)) {
			counts = append(counts, fmt.Sprintf("%s %d", what, f.Counts[what]))
		}
		feeds = append(feeds, []string{f.Kind, f.Name, strings.Join(counts, ", "), span(max(0, v.Time.Sub(f.Last))) + " ago", f.Trouble})
	}
	b.table("Going away", "CLIENT, OPERATION, WHAT", shownText, retired)
	b.table("Tokens", "TOKEN, STATE", shownText, tokens)
	b.table("What came in", "BY, OF, COUNTS, LAST, TROUBLE", shownText, feeds)
}

func (b *report) calls(v view) {
	var rows [][]string
	for i := range v.Trouble {
		c := &v.Trouble[i]
		rows = append(rows, []string{clock(c.end()), c.Client, c.Operation, result(*c), strconv.Itoa(c.Attempts), took(c.Elapsed)})
	}
	b.table("Calls that failed or took long", "ENDED, CLIENT, OPERATION, RESULT, ATTEMPTS, TOOK", shownText, rows)
}

package monitor

import (
	"bytes"
	"fmt"
	"strconv"
	"text/tabwriter"
)

// text is the page for a terminal.
func text(s Snapshot) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s at %s, up for %s\n", s.Health.Status, s.Time.UTC().Format("15:04:05"), short(s.Time.Sub(s.Start)))
	for _, r := range s.Health.Reasons {
		fmt.Fprintf(&b, "  %-8s  %s\n", r.Status, r)
	}
	for _, a := range s.Alerts {
		fmt.Fprintf(&b, "  ALERT     %s: errors have lasted since %s: %s of calls in the short window, %s in the long one\n",
			a.Client, a.Since.UTC().Format("15:04:05"), percent(a.ShortRatio), percent(a.LongRatio))
	}
	table := func(title, head string, rows func(w *tabwriter.Writer)) {
		var t bytes.Buffer
		w := tabwriter.NewWriter(&t, 0, 0, 2, ' ', 0)
		rows(w)
		if _ = w.Flush(); t.Len() == 0 {
			return
		}
		t.Reset()
		w = tabwriter.NewWriter(&t, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, head)
		rows(w)
		_ = w.Flush()
		fmt.Fprintf(&b, "\n%s\n%s", title, t.Bytes())
	}
	table("Why is it waiting?", "CLIENT\tOPERATION\tFOR\tSINCE\tUNTIL", func(w *tabwriter.Writer) {
		for _, c := range s.Waiting {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s ago\tin %s\n", c.Client, c.Operation, cause(c.Cause), short(s.Time.Sub(c.Since)), short(max(0, c.Until.Sub(s.Time))))
		}
	})
	table("Hosts, last 5 minutes", "CLIENT\tHOST\tHEALTH\tCALLS\tERRORS\tP50\tP95\tP99\tCIRCUIT", func(w *tabwriter.Writer) {
		for i := range s.Clients {
			c := &s.Clients[i]
			for j := range c.Hosts {
				h, state := &c.Hosts[j], "closed"
				if h.Circuit != nil {
					state = string(h.Circuit.State) + ", " + probe(h.Circuit, s.Time)
				}
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, h.Name, worst(*c, *h), pace(h.PerSecond), percent(h.ErrorRatio), took(h.P50), took(h.P95), took(h.P99), state)
			}
		}
	})
	table("Quotas", "CLIENT\tQUOTA\tLEFT\tRESET\tEMPTY", func(w *tabwriter.Writer) {
		for i := range s.Clients {
			c := &s.Clients[i]
			for _, q := range c.Quotas {
				reset, empty := "-", "-"
				if !q.ResetAt.IsZero() {
					reset = "in " + short(q.ResetAt.Sub(s.Time))
				}
				if q.EmptyIn > 0 {
					empty = "in " + short(q.EmptyIn) + " at this pace"
				}
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Name, q.title(), q.left(), reset, empty)
			}
		}
	})
	table("Calls that failed or took long", "AT\tCLIENT\tOPERATION\tRESULT\tATTEMPTS\tTOOK", func(w *tabwriter.Writer) {
		for i := range s.Trouble[:min(20, len(s.Trouble))] {
			c := &s.Trouble[i]
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", c.Start.UTC().Format("15:04:05"), c.Client, c.Operation, result(*c), c.Attempts, short(c.Elapsed))
		}
	})
	return b.Bytes()
}

func (q Quota) title() string {
	if q.Name == "" {
		return "(unnamed)"
	}
	return q.Name
}

func (q Quota) left() string {
	switch {
	case q.Remaining < 0:
		return "unknown"
	case q.Limit <= 0:
		return strconv.FormatInt(q.Remaining, 10)
	}
	return fmt.Sprintf("%d of %d", q.Remaining, q.Limit)
}

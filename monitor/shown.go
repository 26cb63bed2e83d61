package monitor

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// shown is how values are shown to people.
var shown = template.FuncMap{
	"ago":         func(now, t time.Time) string { return span(max(0, now.Sub(t))) },
	"until":       func(now, t time.Time) string { return span(max(0, t.Sub(now))) },
	"long":        func(now, t time.Time) bool { return !t.IsZero() && now.Sub(t) > longFlight },
	"duration":    took,
	"percent":     percent,
	"pace":        pace,
	"clock":       clock,
	"date":        func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"passed":      func(now, t time.Time) bool { return !t.After(now) },
	"spark":       spark,
	"tallest":     tallest,
	"waterfall":   waterfall,
	"phases":      func() []string { return phases },
	"cause":       cause,
	"leftPercent": leftPercent,
	"script":      script,
	"result":      result,
	"left":        Quota.left,
	"reset":       Quota.reset,
	"circuit":     circuitText,
	"token":       tokenText,
	"skew":        skewText,
	"retired":     Deprecation.text,
	"ident":       ident,
	"about":       about,
	"ended":       Call.end,
}

// longFlight is from when on the page says how old the oldest call under way is.
const longFlight = 10 * time.Second

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

func (c Call) end() time.Time { return c.Start.Add(c.Elapsed) }

// took is how long something took, "–" where it is not known: below ten seconds to
// the tenth, above as [span].
func took(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d >= time.Second && d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return span(d)
}

// span is a duration without the zeros at its end: "5m", not "5m0s".
func span(d time.Duration) string {
	s := short(d)
	for _, zero := range []string{"0s", "0m"} {
		if cut := strings.TrimSuffix(s, zero); cut != "" && strings.ContainsAny(cut[len(cut)-1:], "hm") {
			s = cut
		}
	}
	return s
}

// times is "once", or as in "3 times".
func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}

// circuitText says what is with a circuit; nil is a closed one.
func circuitText(c *Circuit, now time.Time) string {
	if c == nil {
		return "closed"
	}
	s := strings.ReplaceAll(string(c.State), "-", " ") + " for " + span(max(0, now.Sub(c.Since)))
	if c.Completed > 0 {
		s += fmt.Sprintf(", after %d of %d attempts failed", c.Failed, c.Completed)
	}
	return s + ": " + circuitNext(c, now)
}

// circuitNext says how a circuit that is not closed is tried.
func circuitNext(c *Circuit, now time.Time) string {
	if c.State != aplomb.BreakerOpen {
		return "a probe is under way"
	}
	return probe(c, now)
}

// tokenText says how a token is.
func tokenText(t Token, now time.Time) string {
	s := "no token yet"
	switch {
	case t.Fetched == 0:
	case t.Expiry.IsZero():
		s = "without an end, fetched " + times(t.Fetched)
	case !t.Expiry.After(now):
		s = "ended " + span(now.Sub(t.Expiry)) + " ago, fetched " + times(t.Fetched)
	default:
		s = "ends in " + span(t.Expiry.Sub(now)) + ", fetched " + times(t.Fetched)
	}
	if t.Failed > 0 {
		s += ", failed " + times(t.Failed)
	}
	if t.RetryAt.After(now) {
		s += ", next try in " + span(t.RetryAt.Sub(now))
	}
	if t.Error != "" {
		s += "; the last fetch failed: " + t.Error
	}
	return s
}

// skewText says how far the server's clock is off.
func skewText(d time.Duration) string {
	if d < 0 {
		return "The server's clock is " + span(-d) + " behind ours."
	}
	return "The server's clock is " + span(d) + " ahead of ours."
}

// text says what becomes of an operation.
func (d Deprecation) text() string {
	s := "is deprecated"
	if !d.Deprecated.IsZero() {
		s += " since " + d.Deprecated.UTC().Format(time.DateOnly)
	}
	if !d.Sunset.IsZero() {
		s += ", stops answering on " + d.Sunset.UTC().Format(time.DateOnly)
	}
	if d.Link != "" {
		s += ": " + d.Link
	}
	return s
}

// left is what is left of a quota.
func (q Quota) left() string {
	switch {
	case q.Remaining < 0 && !q.ClosedUntil.IsZero():
		return "paused"
	case q.Remaining < 0 && q.PerSecond > 0:
		return "about " + pace(q.PerSecond) + ", learned from refusals"
	case q.Remaining < 0:
		return "unknown"
	case q.Limit <= 0:
		return strconv.FormatInt(q.Remaining, 10)
	}
	return fmt.Sprintf("%d of %d", q.Remaining, q.Limit)
}

// reset says what time does to a quota.
func (q Quota) reset(now time.Time) string {
	var all []string
	if q.ClosedUntil.After(now) {
		all = append(all, "no request for "+span(q.ClosedUntil.Sub(now)))
	}
	if q.ResetAt.After(now) {
		all = append(all, "reset in "+span(q.ResetAt.Sub(now)))
	}
	if q.EmptyIn > 0 {
		all = append(all, "at this pace empty in "+span(q.EmptyIn))
	}
	if q.PerSecond > 0 && q.Remaining >= 0 {
		all = append(all, "requests keep to "+pace(q.PerSecond))
	}
	return strings.Join(all, "; ")
}

// leftPercent is how much of a quota is left, in hundredths.
func leftPercent(q Quota) int64 {
	if q.Limit <= 0 || q.Remaining < 0 {
		return 0
	}
	return int64(min(100, 100*(float64(q.Remaining)/float64(q.Limit)))) // as floats, which no server makes overflow
}

func percent(ratio float64) string {
	switch {
	case ratio == 0:
		return "0 %"
	case ratio < 0.01:
		return "< 1 %"
	}
	return strconv.FormatFloat(100*ratio, 'f', 0, 64) + " %"
}

func pace(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "none"
	case perSecond < 1:
		return strconv.FormatFloat(60*perSecond, 'f', 1, 64) + "/min"
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64) + "/s"
}

// cause says what is waited for.
func cause(c aplomb.WaitCause) string {
	switch c {
	case aplomb.WaitBackoff:
		return "the pause before a retry"
	case aplomb.WaitBulkhead:
		return "a place among the requests in flight"
	case aplomb.WaitLimiter:
		return "the rate set by RateLimit"
	case aplomb.WaitQuota:
		return "the server's quota or pause"
	}
	return string(c)
}

// result says how a call ended.
func result(c Call) string {
	words := strings.ReplaceAll(string(c.Result), "_", " ")
	switch {
	case c.Result == aplomb.ResultBreakerOpen:
		return "circuit open"
	case c.Result == aplomb.ResultOK && c.Status > 0:
		return strconv.Itoa(c.Status)
	case c.Status > 0:
		return strconv.Itoa(c.Status) + " " + words
	}
	return words
}

// tallest is the most calls in a slot.
func tallest(slots []Slot) (most uint32) {
	for _, s := range slots {
		most = max(most, s.Calls)
	}
	return most
}

// spark draws the calls of five minutes, and of them what failed.
func spark(slots []Slot) template.HTML {
	const width, height, bar = 300, 40, 10
	most := max(1, tallest(slots))
	var calls, failed uint32
	for _, s := range slots {
		calls, failed = calls+s.Calls, failed+s.Failed
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%d calls in the last five minutes, %d failed">`, width, height, calls, failed)
	for i, s := range slots {
		full := float64(height-2) * float64(s.Calls) / float64(most)
		bad := float64(height-2) * float64(s.Failed) / float64(most)
		fmt.Fprintf(&b, `<rect class="calls" x="%d" y="%.1f" width="%d" height="%.1f"/>`, i*bar+1, height-full, bar-2, full)
		if bad > 0 {
			fmt.Fprintf(&b, `<rect class="failed" x="%d" y="%.1f" width="%d" height="%.1f"/>`, i*bar+1, height-bad, bar-2, bad)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // of numbers alone
}

// phases are the classes of a waterfall's bars, in the words of its legend.
var phases = []string{"wait", "queued", "dns", "connect", "tls", "sent", "first", "body"}

// waterfall draws the steps of a call beside each other in time.
func waterfall(c Call) template.HTML {
	const width, row = 600, 12
	total := float64(max(c.Elapsed, 1))
	for i := range c.Steps {
		total = max(total, float64(c.Steps[i].Start+c.Steps[i].Took))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="waterfall" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%d steps in %s">`, width, row*max(len(c.Steps), 1), len(c.Steps), took(c.Elapsed))
	for i := range c.Steps {
		for _, part := range parts(&c.Steps[i]) {
			x, w := float64(width)*float64(part.from)/total, float64(width)*float64(part.took)/total
			fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`, part.class, min(x, width-2), i*row+1, max(w, 2), row-2)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // of numbers and our own words
}

type bar struct {
	class      string
	from, took time.Duration
}

// parts are what a step is drawn as.
func parts(s *Step) []bar {
	switch p := s.Phases; {
	case s.Wait != "":
		return []bar{{"wait", s.Start, s.Took}}
	case p == nil:
		return []bar{{"attempt", s.Start, s.Took}}
	default:
		var all []bar
		at := s.Start
		for _, one := range []bar{{"queued", 0, p.Queued}, {"dns", 0, p.DNS}, {"connect", 0, p.Connect}, {"tls", 0, p.TLS}, {"sent", 0, p.Sent}, {"first", 0, p.FirstByte}, {"body", 0, p.Body}} {
			if one.took > 0 {
				all = append(all, bar{one.class, at, one.took})
				at += one.took
			}
		}
		if rest := s.Start + s.Took - at; rest > 0 && len(all) == 0 {
			all = append(all, bar{"attempt", at, rest})
		}
		return all
	}
}

// script is a call as a test of package aplombtest, which has its server do the same.
func script(c Call) string {
	var faults []string
	for i := range c.Steps {
		switch s := &c.Steps[i]; {
		case s.Wait != "" || s.Number == 0:
		case s.Status >= 400:
			faults = append(faults, fmt.Sprintf("aplombtest.Status(%d)", s.Status))
		case s.Status == 0:
			faults = append(faults, "aplombtest.LostResponse()")
		default:
			faults = append(faults, "aplombtest.Pass()")
		}
	}
	if len(faults) == 0 {
		return ""
	}
	return "// " + c.Operation + "\nserver := aplombtest.NewServer(t, aplombtest.NewScript(api, " + strings.Join(faults, ", ") + "))\n"
}

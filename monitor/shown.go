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
	"ago":       func(now, t time.Time) string { return short(max(0, now.Sub(t))) },
	"until":     func(now, t time.Time) string { return short(max(0, t.Sub(now))) },
	"duration":  took,
	"percent":   percent,
	"pace":      pace,
	"clock":     func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"date":      func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"passed":    func(now, t time.Time) bool { return !t.After(now) },
	"spark":     spark,
	"waterfall": waterfall,
	"cause":     cause,
	"used":      used,
	"script":    script,
	"worst":     worst,
	"result":    result,
	"left":      Quota.left,
}

// took is a duration, "-" where there is none.
func took(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return short(d)
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
		return "the rate that was told"
	case aplomb.WaitQuota:
		return "the server's quota"
	}
	return string(c)
}

// result says how a call ended.
func result(c Call) string {
	switch {
	case c.Result == aplomb.ResultOK && c.Status > 0:
		return strconv.Itoa(c.Status)
	case c.Status > 0:
		return strconv.Itoa(c.Status) + " " + strings.ReplaceAll(string(c.Result), "_", " ")
	}
	return strings.ReplaceAll(string(c.Result), "_", " ")
}

// used is how much of a quota is left, in hundredths.
func used(q Quota) int64 {
	if q.Limit <= 0 || q.Remaining < 0 {
		return 0
	}
	return min(100, 100*q.Remaining/q.Limit)
}

// worst is the state of one host of a client.
func worst(c Client, h Host) Status {
	s := Healthy
	for _, r := range c.Health.Reasons {
		if r.Host == h.Name && (s == Healthy || r.Status == Down) {
			s = r.Status
		}
	}
	return s
}

// spark draws the calls of five minutes, and of them what failed.
func spark(slots []Slot) template.HTML {
	const width, height, bar = 300, 40, 10
	most := uint32(1)
	var calls, failed uint32
	for _, s := range slots {
		most = max(most, s.Calls)
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

// waterfall draws the steps of a call beside each other in time.
func waterfall(c Call) template.HTML {
	const width, row = 600, 12
	total := float64(max(c.Elapsed, 1))
	for i := range c.Steps {
		total = max(total, float64(c.Steps[i].Start+c.Steps[i].Took))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="waterfall" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%d steps in %s">`, width, row*max(len(c.Steps), 1), len(c.Steps), short(c.Elapsed))
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

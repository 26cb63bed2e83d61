package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// page is everything: a table for each part, the goals, and with what it was
// measured.
func page(all *figures, parts []part, verdicts []verdict) string {
	var b strings.Builder
	h := all.head
	rounds, _ := strconv.Atoi(h["rounds"])
	fmt.Fprintf(&b, "# aplomb beside its peers\n\nWritten by `make bench` on %s: %s, %s/%s, %s processors (%s). "+
		"Medians of %s interleaved rounds, in which each way has %s, unless a part says otherwise; ± is where the median is with 95 %% certainty. "+
		"Times are a machine's own: look at the ratios.\n",
		h["date"], h["go"], h["goos"], h["goarch"], h["processors"], cmp.Or(h["cpu"], "unknown"), h["rounds"], span(h["benchtime"]))
	var done []string
	for _, p := range parts {
		if slices.Contains(done, p.name) { // a part may come from two folders
			continue
		}
		done = append(done, p.name)
		rows := all.of(p.name)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s: %s\n\n", p.name, p.title)
		if how := strings.TrimSpace(p.how + " " + p.pace(rounds)); how != "" {
			fmt.Fprintf(&b, "%s\n\n", how)
		}
		b.WriteString(table(rows, unitsOf(rows, p.units)))
	}
	fmt.Fprintf(&b, "\n## Goals\n\n%s", goalTable(verdicts))
	fmt.Fprintf(&b, "\n## Versions\n\n")
	for peer := range strings.SplitSeq(h["peers"], ", ") {
		fmt.Fprintf(&b, "- %s\n", peer)
	}
	return b.String()
}

// table compares the ways of each case. The first unit's ratio is of the case's first
// way, which is aplomb.
func table(rows []*row, units []string) string {
	lead := units[0]
	compared := !strings.HasSuffix(lead, "%") // a share is comparable as it is
	heads := []string{"case", "way", lead}
	if compared {
		heads = append(heads, "of the first")
	}
	heads = append(heads, units[1:]...)
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	first := map[string]float64{}
	for _, w := range rows {
		m, ok := w.median(lead)
		if _, seen := first[w.name]; ok && !seen {
			first[w.name] = m.Center
		}
		cells := []string{cmp.Or(w.name, " "), w.way, w.cell(lead, true)}
		if compared {
			cells = append(cells, ratio(m.Center, first[w.name], ok))
		}
		for _, unit := range units[1:] {
			cells = append(cells, w.cell(unit, false))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// unitsOf are those of the columns that there are, or all as they come where no
// columns are named.
func unitsOf(rows []*row, columns []string) []string {
	var units []string
	for _, w := range rows {
		for _, unit := range w.units {
			if !slices.Contains(units, unit) {
				units = append(units, unit)
			}
		}
	}
	shown := slices.DeleteFunc(slices.Clone(columns), func(unit string) bool { return !slices.Contains(units, unit) })
	if len(shown) == 0 {
		return units
	}
	return shown
}

func (w *row) cell(unit string, precise bool) string {
	m, ok := w.median(unit)
	if !ok {
		return ""
	}
	text := number(m.Center, unit)
	if precise && m.Center != 0 && m.Hi > m.Lo && !math.IsInf(m.Hi-m.Lo, 0) {
		text += fmt.Sprintf(" ±%.0f %%", 100*(m.Hi-m.Lo)/2/m.Center)
	}
	return text
}

func ratio(value, first float64, ok bool) string {
	if !ok || first == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g", value/first)
}

// number prints a figure as one reads it: nanoseconds as a duration, the others with
// four digits.
func number(value float64, unit string) string {
	switch {
	case strings.HasSuffix(unit, "-ns") || strings.HasPrefix(unit, "ns/") || strings.Contains(unit, "-ns/"):
		return rounded(time.Duration(math.Round(value)))
	case math.Abs(value) >= 1000:
		return strconv.FormatFloat(math.Round(value), 'f', -1, 64)
	default:
		return fmt.Sprintf("%.4g", value)
	}
}

// rounded has three or four digits.
func rounded(d time.Duration) string {
	for unit := time.Second; unit >= time.Microsecond; unit /= 1000 {
		if d.Abs() >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}

// quantity is a number and its unit, where the number does not say it itself.
func quantity(value float64, unit string) string {
	text := number(value, unit)
	if strings.HasSuffix(text, "s") {
		return text
	}
	return text + " " + unit
}

// goalTable says which goals are met.
func goalTable(verdicts []verdict) string {
	var b strings.Builder
	b.WriteString("| goal | limit | got | | figures |\n| --- | --- | --- | --- | --- |\n")
	for i := range verdicts {
		v := &verdicts[i]
		g := v.goal
		name := strings.Trim(g.Part+"/"+g.Name, "/")
		fmt.Fprintf(&b, "| %s: %s of %s | %s | %s | %s | %s |\n", name, g.Unit, g.Own, limit(g), v.got(), v.outcome(), v.figures)
	}
	return b.String()
}

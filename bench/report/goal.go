package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

// verdict is what became of a goal.
type verdict struct {
	goal    goals.Goal
	met     bool
	absent  []string // whose figures there are not
	figure  float64
	figures string
}

// judge holds what was measured to the goals of these parts.
func judge(all []goals.Goal, parts []part, measured *figures) (verdicts []verdict) {
	for _, g := range all {
		if slices.ContainsFunc(parts, func(p part) bool { return p.name == g.Part }) {
			verdicts = append(verdicts, judgeOne(g, measured))
		}
	}
	return verdicts
}

func judgeOne(g goals.Goal, all *figures) verdict {
	v := verdict{goal: g}
	figure := func(way string) float64 {
		m, ok := all.find(g.Part, g.Name, way).median(g.Unit)
		if !ok {
			v.absent = append(v.absent, way)
		}
		return m.Center
	}
	own := figure(g.Own)
	v.figure, v.figures = own, number(own, g.Unit)
	if g.Other != "" {
		other := figure(g.Other)
		v.figures += " against " + number(other, g.Unit)
		if g.Beyond {
			v.figure = own - other
		} else {
			v.figure = own / other
		}
	}
	switch {
	case len(v.absent) > 0:
		v.figures = "no figures of " + strings.Join(v.absent, ", ")
	case g.None, g.Most > 0:
		v.met = v.figure <= g.Most
	default:
		v.met = v.figure >= g.Least
	}
	return v
}

// limit says the goal in words.
func limit(g goals.Goal) string {
	word, value := "at most", g.Most
	if !g.None && g.Most == 0 {
		word, value = "at least", g.Least
	}
	switch {
	case g.Other == "":
		return fmt.Sprintf("%s %s", word, quantity(value, g.Unit))
	case g.Beyond:
		return fmt.Sprintf("%s %s more than %s", word, quantity(value, g.Unit), g.Other)
	default:
		return fmt.Sprintf("%s %.3g of %s's %s", word, value, g.Other, g.Unit)
	}
}

// outcome says what came of it.
func (v *verdict) outcome() string {
	switch {
	case len(v.absent) > 0:
		return "**absent**"
	case !v.met:
		return "**missed**"
	default:
		return "met"
	}
}

// got is the figure that the limit is about.
func (v *verdict) got() string {
	switch {
	case len(v.absent) > 0:
		return ""
	case v.goal.Other != "" && !v.goal.Beyond:
		return fmt.Sprintf("%.3g", v.figure)
	default:
		return number(v.figure, v.goal.Unit)
	}
}

func allMet(verdicts []verdict) bool {
	return !slices.ContainsFunc(verdicts, func(v verdict) bool { return !v.met })
}

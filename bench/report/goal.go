package main

import (
	"fmt"
	"slices"
	"strings"
)

// goal is what a figure has to be at most, or at least.
type goal struct {
	part, name string // the case's
	unit       string
	own        string // the way that is held to it
	other      string // it counts in times of this way's; "" is the figure itself
	beyond     bool   // it counts beyond the other's, and not in times of it
	most       float64
	least      float64 // where there is no most
	none       bool    // at most 0
}

// verdict is what became of a goal.
type verdict struct {
	goal    goal
	met     bool
	absent  []string // whose figures there are not
	figure  float64
	figures string
}

// judge holds what was measured to the goals of these parts.
func judge(goals []goal, parts []part, all *figures) (verdicts []verdict) {
	for _, g := range goals {
		if slices.ContainsFunc(parts, func(p part) bool { return p.name == g.part }) {
			verdicts = append(verdicts, g.judge(all))
		}
	}
	return verdicts
}

func (g goal) judge(all *figures) verdict {
	v := verdict{goal: g}
	figure := func(way string) float64 {
		m, ok := all.find(g.part, g.name, way).median(g.unit)
		if !ok {
			v.absent = append(v.absent, way)
		}
		return m.Center
	}
	own := figure(g.own)
	v.figure, v.figures = own, number(own, g.unit)
	if g.other != "" {
		other := figure(g.other)
		v.figures += " against " + number(other, g.unit)
		if g.beyond {
			v.figure = own - other
		} else {
			v.figure = own / other
		}
	}
	switch {
	case len(v.absent) > 0:
		v.figures = "no figures of " + strings.Join(v.absent, ", ")
	case g.none, g.most > 0:
		v.met = v.figure <= g.most
	default:
		v.met = v.figure >= g.least
	}
	return v
}

// limit says the goal in words.
func (g goal) limit() string {
	word, value := "at most", g.most
	if !g.none && g.most == 0 {
		word, value = "at least", g.least
	}
	switch {
	case g.other == "":
		return fmt.Sprintf("%s %s", word, quantity(value, g.unit))
	case g.beyond:
		return fmt.Sprintf("%s %s more than %s", word, quantity(value, g.unit), g.other)
	default:
		return fmt.Sprintf("%s %.3g of %s's %s", word, value, g.other, g.unit)
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
	case v.goal.other != "" && !v.goal.beyond:
		return fmt.Sprintf("%.3g", v.figure)
	default:
		return number(v.figure, v.goal.unit)
	}
}

func allMet(verdicts []verdict) bool {
	return !slices.ContainsFunc(verdicts, func(v verdict) bool { return !v.met })
}

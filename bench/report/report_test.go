package main

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/page.md")

var some = []part{{name: "Verify", title: "a delivery", how: "Each with one secret."}, {name: "Quota", title: "of 200 a second", units: []string{"429s", "used-%", "other"}, rounds: 2, benchtime: "20x"}}

func canned(t *testing.T) *figures {
	t.Helper()
	raw, err := os.ReadFile("testdata/raw.txt")
	if err != nil {
		t.Fatal(err)
	}
	all, err := read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRead: names are taken apart, units stay as they were printed, and medians are
// over the rounds.
func TestRead(t *testing.T) {
	t.Parallel()
	all := canned(t)
	if len(all.rows) != 5 {
		t.Errorf("%d rows, want 5", len(all.rows))
	}
	for _, want := range []struct {
		part, name, way, unit string
		median                float64
	}{
		{"Verify", "1KiB", "aplomb", "ns/op", 1305},
		{"Verify", "1KiB", "peer", "ns/op", 2600},
		{"Verify", "1KiB", "peer", "allocs/op", 17},
		{"Quota", "", "peer", "used-%", 8.02},
		{"Quota", "", "aplomb", "429s", 0},
	} {
		got, ok := all.find(want.part, want.name, want.way).median(want.unit)
		if !ok || got.Center != want.median {
			t.Errorf("%s/%s/%s: %v %s, %v; want %v", want.part, want.name, want.way, got.Center, want.unit, ok, want.median)
		}
	}
	if got := all.head["peers"]; got != "example.com/a v1.2.3, example.com/b v0.1.0" {
		t.Errorf("peers %q", got)
	}
}

// TestReadRefuses: what cannot be taken apart is no figure that is left out in silence.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"BenchmarkAlone-2 1 2 ns/op\n", "BenchmarkA/b 1 two ns/op\n"} {
		if _, err := read(strings.NewReader(raw)); err == nil {
			t.Errorf("%q: no error", raw)
		}
	}
}

// TestJudge: met, missed and absent, by itself, in times of another's and beyond it.
func TestJudge(t *testing.T) {
	t.Parallel()
	all := canned(t)
	verify := func(g goal) goal {
		g.part, g.name, g.own = "Verify", "1KiB", "aplomb"
		return g
	}
	for _, tt := range []struct {
		goal           goal
		outcome, limit string
	}{
		{verify(goal{unit: "ns/op", other: "peer", most: 0.65}), "met", "at most 0.65 of peer's ns/op"},
		{verify(goal{unit: "ns/op", other: "peer", most: 0.5}), "**missed**", "at most 0.5 of peer's ns/op"},
		{verify(goal{unit: "ns/op", most: 1305}), "met", "at most 1.31µs"},
		{verify(goal{unit: "ns/op", most: 1304}), "**missed**", "at most 1.3µs"},
		{verify(goal{unit: "allocs/op", none: true}), "met", "at most 0 allocs/op"},
		{verify(goal{unit: "allocs/op", other: "peer", beyond: true, most: 2}), "met", "at most 2 allocs/op more than peer"},
		{verify(goal{unit: "ns/op", other: "nobody", most: 2}), "**absent**", "at most 2 of nobody's ns/op"},
		{verify(goal{unit: "p99-ns", most: 2}), "**absent**", "at most 2ns"},
		{goal{part: "Quota", unit: "used-%", own: "aplomb", least: 95}, "met", "at least 95 used-%"},
		{goal{part: "Quota", unit: "used-%", own: "peer", least: 95}, "**missed**", "at least 95 used-%"},
		{goal{part: "Quota", unit: "429s", own: "peer", none: true}, "**missed**", "at most 0 429s"},
		{goal{part: "Nothing", unit: "ns/op", own: "aplomb", most: 1}, "", ""},
	} {
		verdicts := judge([]goal{tt.goal}, some, all)
		if tt.outcome == "" { // of a part that was not asked for
			if len(verdicts) != 0 || !allMet(verdicts) {
				t.Errorf("%+v: %v", tt.goal, verdicts)
			}
			continue
		}
		v := verdicts[0]
		if v.outcome() != tt.outcome || tt.goal.limit() != tt.limit || allMet(verdicts) != (tt.outcome == "met") {
			t.Errorf("%+v: %s, %s, %v; want %s, %s", tt.goal, v.outcome(), tt.goal.limit(), allMet(verdicts), tt.outcome, tt.limit)
		}
	}
}

// TestPage: the page as it is written.
func TestPage(t *testing.T) {
	t.Parallel()
	all := canned(t)
	goals := []goal{
		{part: "Verify", name: "1KiB", unit: "ns/op", own: "aplomb", other: "peer", most: 0.65},
		{part: "Verify", name: "1KiB", unit: "allocs/op", own: "aplomb", none: true},
		{part: "Quota", unit: "used-%", own: "aplomb", least: 99.9},
		{part: "Quota", unit: "429s", own: "nobody", none: true},
	}
	got := page(all, some, judge(goals, some, all))
	const golden = "testdata/page.md"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestFrom: a file that was kept makes the same tables, and what has no figures is an
// error of the report.
func TestFrom(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	met, err := report(t.Context(), []string{"-from", "testdata/raw.txt"}, &out)
	if err != nil || met || !strings.Contains(out.String(), "**absent**") {
		t.Errorf("%v, %v\n%s", met, err, out.String())
	}
}

// TestGoals: each goal is of a part that there is.
func TestGoals(t *testing.T) {
	t.Parallel()
	for _, g := range goals {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == g.part }) {
			t.Errorf("no part %q", g.part)
		}
		if limits := b2i(g.most > 0) + b2i(g.least > 0) + b2i(g.none); limits != 1 {
			t.Errorf("%+v has %d limits", g, limits)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

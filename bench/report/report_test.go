package main

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/goals"
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
	verify := func(g goals.Goal) goals.Goal {
		g.Part, g.Name, g.Own = "Verify", "1KiB", "aplomb"
		return g
	}
	for _, tt := range []struct {
		goal           goals.Goal
		outcome, limit string
	}{
		{verify(goals.Goal{Unit: "ns/op", Other: "peer", Most: 0.65}), "met", "at most 0.65 of peer's ns/op"},
		{verify(goals.Goal{Unit: "ns/op", Other: "peer", Most: 0.5}), "**missed**", "at most 0.5 of peer's ns/op"},
		{verify(goals.Goal{Unit: "ns/op", Most: 1305}), "met", "at most 1.31µs"},
		{verify(goals.Goal{Unit: "ns/op", Most: 1304}), "**missed**", "at most 1.3µs"},
		{verify(goals.Goal{Unit: "allocs/op", None: true}), "met", "at most 0 allocs/op"},
		{verify(goals.Goal{Unit: "allocs/op", Other: "peer", Beyond: true, Most: 2}), "met", "at most 2 allocs/op more than peer"},
		{verify(goals.Goal{Unit: "ns/op", Other: "nobody", Most: 2}), "**absent**", "at most 2 of nobody's ns/op"},
		{verify(goals.Goal{Unit: "p99-ns", Most: 2}), "**absent**", "at most 2ns"},
		{goals.Goal{Part: "Quota", Unit: "used-%", Own: "aplomb", Least: 95}, "met", "at least 95 used-%"},
		{goals.Goal{Part: "Quota", Unit: "used-%", Own: "peer", Least: 95}, "**missed**", "at least 95 used-%"},
		{goals.Goal{Part: "Quota", Unit: "429s", Own: "peer", None: true}, "**missed**", "at most 0 429s"},
		{goals.Goal{Part: "Nothing", Unit: "ns/op", Own: "aplomb", Most: 1}, "", ""},
	} {
		verdicts := judge([]goals.Goal{tt.goal}, some, all)
		if tt.outcome == "" { // of a part that was not asked for
			if len(verdicts) != 0 || !allMet(verdicts) {
				t.Errorf("%+v: %v", tt.goal, verdicts)
			}
			continue
		}
		v := verdicts[0]
		if v.outcome() != tt.outcome || limit(tt.goal) != tt.limit || allMet(verdicts) != (tt.outcome == "met") {
			t.Errorf("%+v: %s, %s, %v; want %s, %s", tt.goal, v.outcome(), limit(tt.goal), allMet(verdicts), tt.outcome, tt.limit)
		}
	}
}

// TestPage: the page as it is written.
func TestPage(t *testing.T) {
	t.Parallel()
	all := canned(t)
	held := []goals.Goal{
		{Part: "Verify", Name: "1KiB", Unit: "ns/op", Own: "aplomb", Other: "peer", Most: 0.65},
		{Part: "Verify", Name: "1KiB", Unit: "allocs/op", Own: "aplomb", None: true},
		{Part: "Quota", Unit: "used-%", Own: "aplomb", Least: 99.9},
		{Part: "Quota", Unit: "429s", Own: "nobody", None: true},
	}
	got := page(all, some, judge(held, some, all))
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
	for _, g := range goals.All {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == g.Part }) {
			t.Errorf("no part %q", g.Part)
		}
		if limits := b2i(g.Most > 0) + b2i(g.Least > 0) + b2i(g.None); limits != 1 {
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

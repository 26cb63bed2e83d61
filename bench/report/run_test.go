package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestRun builds and runs a package in rounds, as benchmarks and as a test of figures;
// one that there is not is told, and keeps nothing from being measured.
func TestRun(t *testing.T) {
	t.Parallel()
	var raw bytes.Buffer
	r := runner{dir: t.TempDir(), out: &raw, asked: asked{
		rounds: 3, benchtime: "1ms",
		parts: []part{
			{name: "Tiny", dir: "testdata/tiny"},
			{name: "Absent", dir: "testdata/absent"},
			{name: "Virtual", dir: "testdata/tiny", virtual: true, rounds: 2},
		},
	}}
	if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "testdata/absent") {
		t.Errorf("error %v, want one about the folder that is not there", err)
	}
	all, err := read(&raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(all.find("Tiny", "case", "aplomb").samples["ns/op"]); got != 3 {
		t.Errorf("%d rounds, want 3", got)
	}
	if got := len(all.find("Virtual", "case", "aplomb").samples["used-%"]); got != 2 {
		t.Errorf("%d rounds of figures, want 2", got)
	}
	if all.head["go"] == "" || all.head["rounds"] != "3" {
		t.Errorf("head %v", all.head)
	}
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// figures are what was measured, in the order in which it came.
type figures struct {
	rows []*row
	head map[string]string // what the head of the file says
}

// row is what was measured of one way.
type row struct {
	part, name, way string // name is the case's: "64KiB", or "" where there is one only
	units           []string
	samples         map[string][]float64 // by unit, one for each round
}

// headed are the lines of the head that the page shows.
var headed = []string{"date", "go", "goos", "goarch", "cpu", "processors", "rounds", "benchtime", "peers"}

// read takes the benchmarks' output apart.
func read(raw io.Reader) (*figures, error) {
	all := &figures{head: map[string]string{}}
	r := benchfmt.NewReader(raw, "raw output")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			if err := all.add(rec); err != nil {
				return nil, err
			}
		}
	}
	return all, r.Err()
}

func (f *figures) add(res *benchfmt.Result) error {
	for _, key := range headed {
		if value := res.GetConfig(key); value != "" {
			f.head[key] = value
		}
	}
	base, parts := res.Name.Parts()
	if n := len(parts); n > 0 && parts[n-1][0] == '-' { // how many processors it had
		parts = parts[:n-1]
	}
	if len(parts) == 0 {
		return fmt.Errorf("%s: want part/case/way", res.Name)
	}
	var names []string
	for _, p := range parts {
		names = append(names, strings.TrimPrefix(string(p), "/"))
	}
	last := len(names) - 1
	w := f.row(string(base), strings.Join(names[:last], "/"), names[last])
	for _, v := range res.Values {
		value, unit := v.Value, v.Unit
		if v.OrigUnit != "" { // as it was printed: ns, not s
			value, unit = v.OrigValue, v.OrigUnit
		}
		if !slices.Contains(w.units, unit) {
			w.units = append(w.units, unit)
		}
		w.samples[unit] = append(w.samples[unit], value)
	}
	return nil
}

// row is the one of these names, which is made where there is none yet.
func (f *figures) row(part, name, way string) *row {
	if w := f.find(part, name, way); w != nil {
		return w
	}
	w := &row{part: part, name: name, way: way, samples: map[string][]float64{}}
	f.rows = append(f.rows, w)
	return w
}

// find is the row of these names, or nil.
func (f *figures) find(part, name, way string) *row {
	for _, w := range f.rows {
		if w.part == part && w.name == name && w.way == way {
			return w
		}
	}
	return nil
}

// of are the rows of a part.
func (f *figures) of(part string) (rows []*row) {
	for _, w := range f.rows {
		if w.part == part {
			rows = append(rows, w)
		}
	}
	return rows
}

// median is the middle one of what was measured, and between which two values it is
// with 95 % certainty; ok is false if there is none.
func (w *row) median(unit string) (s benchmath.Summary, ok bool) {
	if w == nil || len(w.samples[unit]) == 0 {
		return s, false
	}
	sample := benchmath.NewSample(slices.Clone(w.samples[unit]), &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(sample, 0.95), true
}

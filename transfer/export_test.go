package transfer

import (
	"io"
	"net/http"
)

// ParallelFrom is lowered so that a test of parallel connections need not be large.
func ParallelFrom(n int64) { parallelFrom = n }

// ParseContentRange is exported for its fuzz target, as are the two after it.
func ParseContentRange(s string) (from, to, total int64, err error) {
	c, err := contentRangeOf(http.Header{"Content-Range": {s}})
	return c.from, c.to, c.total, err
}

// ParseState reports how much of a part of size bytes a state vouches for.
func ParseState(raw []byte, size int64) (done int64, total int64, gaps [][2]int64, err error) {
	e, all, err := parseState(raw, size)
	if err != nil {
		return 0, 0, nil, err
	}
	for _, g := range all.missing(e.total) {
		gaps = append(gaps, [2]int64{g.from, g.to})
	}
	return all.size(), e.total, gaps, nil
}

// Strongest reads a field of digests.
func Strongest(value string) (algorithm string, sum []byte) {
	for _, d := range strongest(map[string][]string{"Repr-Digest": {value}}, "Repr-Digest") {
		return d.Algorithm, d.Sum
	}
	return "", nil
}

// Merge adds parts of a file in turn, and says what is there.
func Merge(parts ...[2]int64) (got [][2]int64) {
	var all spans
	for _, p := range parts {
		all.add(span{p[0], p[1]})
	}
	for _, s := range all {
		got = append(got, [2]int64{s.from, s.to})
	}
	return got
}

// Split makes n of some parts of a file.
func Split(n int, atLeast int64, parts ...[2]int64) (got [][2]int64) {
	var all spans
	for _, p := range parts {
		all = append(all, span{p[0], p[1]})
	}
	for _, s := range all.split(n, atLeast) {
		got = append(got, [2]int64{s.from, s.to})
	}
	return got
}

// Bodies opens the bodies of u's attempts.
func Bodies(u Upload) func() (io.ReadCloser, error) { return (&attempts{upload: u}).open }

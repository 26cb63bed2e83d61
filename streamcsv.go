package aplomb

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/aplomb-go/aplomb/internal/header"
)

// CSV is the records of comma-separated values (RFC 4180), read by encoding/csv. All
// have as many fields as the first. The last line needs no end, as for [JSONLines].
type CSV struct {
	// Comma separates the fields. Default ','.
	Comma rune
	// LazyQuotes takes quotes within a field as they are. A field that is cut within
	// quotes then passes for whole.
	LazyQuotes bool
}

func (f CSV) each(ctx context.Context, s *stream, yield func([]string) bool) error {
	r, err := f.open(ctx, s)
	if err != nil {
		return err
	}
	return r.each(s, yield)
}

// CSVMaps is [CSV] with each record by the names in the first one, which have to be
// unique.
type CSVMaps CSV

func (f CSVMaps) each(ctx context.Context, s *stream, yield func(map[string]string) bool) error {
	r, err := CSV(f).open(ctx, s)
	if err != nil {
		return err
	}
	names, err := r.names()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return s.failed(err)
	}
	return r.each(s, func(record []string) bool {
		named := make(map[string]string, len(names))
		for i, name := range names {
			named[name] = record[i]
		}
		return yield(named)
	})
}

// open sends the request.
func (f CSV) open(ctx context.Context, s *stream) (*recordReader, error) {
	if c := f.Comma; c == '"' || c == '\r' || c == '\n' || c == utf8.RuneError || c != 0 && !utf8.ValidRune(c) {
		return nil, fmt.Errorf("aplomb: CSV: Comma %q cannot separate fields", c)
	}
	if err := s.open(ctx, "text/csv"); err != nil {
		return nil, err
	}
	items := &itemReader{streamBody: s.body}
	r := &recordReader{items, csv.NewReader(items), header.UntilClosed(s.resp)}
	r.csv.Comma, r.csv.LazyQuotes = orDefault(f.Comma, ','), f.LazyQuotes
	return r, nil
}

// recordReader reads records of any size up to the body's limit.
type recordReader struct {
	body        *itemReader
	csv         *csv.Reader
	untilClosed bool // as of the answer
}

func (r *recordReader) each(s *stream, yield func([]string) bool) error {
	for {
		record, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return s.failed(err)
		case !yield(record):
			return nil
		}
	}
}

// next is the next record. One whose line has no end is the last, or, where nobody
// can tell, half of one.
func (r *recordReader) next() ([]string, error) {
	r.body.item = r.csv.InputOffset()
	record, err := r.csv.Read()
	if err != nil {
		return nil, err
	}
	end := r.csv.InputOffset()
	if r.untilClosed && end == r.body.n && r.body.last != '\n' {
		return nil, io.ErrUnexpectedEOF
	}
	return record, r.body.fits(end - r.body.item)
}

// names is the first record, of names that are each its own: of two that are equal a
// map would lose one.
func (r *recordReader) names() ([]string, error) {
	names, err := r.next()
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			return nil, fmt.Errorf("two columns are named alike (the second is number %d), which a map cannot hold: use CSV", i+1)
		}
		seen[name] = true
	}
	return names, err
}

package aplomb

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"unicode/utf8"
)

// CSV is the records of comma-separated values (RFC 4180), read by encoding/csv. T is
// []string, or map[string]string by the names in the first record, which are to be
// unique. All records have as many fields as the first. The last line needs no
// end, as for [JSONLines].
type CSV struct {
	// Comma separates the fields. Default ','.
	Comma rune
	// LazyQuotes takes quotes within a field as they are.
	LazyQuotes bool
}

func (f CSV) items(ctx context.Context, s *stream, t reflect.Type) iter.Seq2[func(any) error, error] {
	return func(yield func(func(any) error, error) bool) {
		named := t == reflect.TypeFor[map[string]string]()
		if !named && t != reflect.TypeFor[[]string]() {
			yield(nil, fmt.Errorf("aplomb: CSV has records of []string or map[string]string, and not of %v", t))
			return
		}
		if c := f.Comma; c == '"' || c == '\r' || c == '\n' || c == utf8.RuneError || c != 0 && !utf8.ValidRune(c) {
			yield(nil, fmt.Errorf("aplomb: CSV: Comma %q cannot separate fields", c))
			return
		}
		if err := s.open(ctx, "text/csv"); err != nil {
			yield(nil, err)
			return
		}
		r := newRecordReader(f, s.body, s.endless())
		var names []string
		if named {
			var err error
			if names, err = r.names(); err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, s.failed(err))
				}
				return
			}
		}
		for {
			record, err := r.next()
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(nil, s.failed(err))
				return
			}
			if !yield(func(into any) error { return intoRecord(names, record, into) }, nil) {
				return
			}
		}
	}
}

// recordReader reads records of any size up to the body's limit.
type recordReader struct {
	body    *itemReader
	csv     *csv.Reader
	endless bool // the answer ends where its connection does
}

func newRecordReader(f CSV, body *streamBody, endless bool) *recordReader {
	items := &itemReader{streamBody: body}
	r := &recordReader{items, csv.NewReader(items), endless}
	r.csv.Comma, r.csv.LazyQuotes = orDefault(f.Comma, ','), f.LazyQuotes
	return r
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
	if r.endless && end == r.body.n && r.body.last != '\n' {
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
			return nil, fmt.Errorf("two columns are named alike (the second is number %d), which a map cannot hold: read []string", i+1)
		}
		seen[name] = true
	}
	return names, err
}

func intoRecord(names, record []string, into any) error {
	switch into := into.(type) {
	case *[]string:
		*into = record
	case *map[string]string:
		*into = make(map[string]string, len(names))
		for i, name := range names {
			(*into)[name] = record[i]
		}
	}
	return nil
}

package aplomb

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"unicode/utf8"
)

// JSONLines is items of one line each: newline-delimited JSON, also called NDJSON or
// JSON Lines (jsonlines.org). Blank lines are passed over. The last line needs no end
// where the answer has a length or comes in chunks: elsewhere nobody could tell it from
// half of one.
type JSONLines struct{}

func (JSONLines) items(ctx context.Context, s *stream, _ reflect.Type) iter.Seq2[func(any) error, error] {
	return func(yield func(func(any) error, error) bool) {
		if err := s.open(ctx, "application/x-ndjson, application/jsonl"); err != nil {
			yield(nil, err)
			return
		}
		lines := newLineReader(s.body)
		for {
			line, err := lines.next()
			line = bytes.Trim(line, " \t\r")
			if len(line) > 0 && errors.Is(err, io.EOF) && s.endless() {
				err = io.ErrUnexpectedEOF
			}
			if len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) {
				if !yield(func(into any) error { return s.decode(line, into) }, nil) {
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, s.failed(err))
				}
				return
			}
		}
	}
}

// lineReader reads lines of any length up to the reader's limit.
type lineReader struct {
	body *itemReader
	r    *bufio.Reader
	long []byte
	at   int64 // where the next line begins
}

func newLineReader(body *itemReader) *lineReader {
	return &lineReader{body: body, r: bufio.NewReaderSize(body, 32<<10)}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// next is a line without its end. The last may come with io.EOF; it holds until the
// next call.
func (l *lineReader) next() ([]byte, error) {
	l.body.item = l.at
	l.long = l.long[:0]
	line, err := l.r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long, line...)
		if int64(len(l.long)) > l.body.limit {
			return nil, &tooLargeError{l.body.status, l.body.limit}
		}
		line, err = l.r.ReadSlice('\n')
	}
	if len(l.long) > 0 {
		l.long = append(l.long, line...)
		line = l.long
	}
	l.at += int64(len(line))
	if int64(len(line)) > l.body.limit {
		return nil, &tooLargeError{l.body.status, l.body.limit}
	}
	return bytes.TrimSuffix(line, []byte("\n")), err
}

// CSV is the records of comma-separated values (RFC 4180), read by encoding/csv. T is
// []string, or map[string]string by the names in the first record. All records have
// as many fields as the first.
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
		r := csv.NewReader(s.body)
		r.Comma, r.LazyQuotes = orDefault(f.Comma, ','), f.LazyQuotes
		var header []string
		for first := true; ; first = false {
			s.body.item = r.InputOffset()
			record, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, s.failed(err))
				return
			}
			if first && named {
				header = record
				continue
			}
			if !yield(func(into any) error { return intoRecord(header, record, into) }, nil) {
				return
			}
		}
	}
}

func intoRecord(header, record []string, into any) error {
	switch into := into.(type) {
	case *[]string:
		*into = record
	case *map[string]string:
		*into = make(map[string]string, len(header))
		for i, name := range header {
			(*into)[name] = record[i]
		}
	}
	return nil
}

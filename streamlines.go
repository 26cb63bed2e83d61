package aplomb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"reflect"
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

// lineReader reads lines of any length up to the body's limit.
type lineReader struct {
	body *streamBody
	r    *bufio.Reader
	long []byte
}

func newLineReader(body *streamBody) *lineReader {
	return &lineReader{body: body, r: bufio.NewReaderSize(body, 32<<10)}
}

// next is a line without its end. The last may come with io.EOF; it holds until the
// next call.
func (l *lineReader) next() ([]byte, error) {
	l.long = l.long[:0]
	line, err := l.r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long, line...)
		if err := l.body.fits(int64(len(l.long))); err != nil {
			return nil, err
		}
		line, err = l.r.ReadSlice('\n')
	}
	if len(l.long) > 0 {
		l.long = append(l.long, line...)
		line = l.long
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	if err := l.body.fits(int64(len(line))); err != nil {
		return nil, err
	}
	return line, err
}

package aplomb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/aplomb-go/aplomb/internal/header"
)

// JSONLines is items of one line each: newline-delimited JSON, also called NDJSON or
// JSON Lines (jsonlines.org), each decoded into a T; json.RawMessage and []byte have
// them as they came. Blank lines are passed over. The last line needs no end where the
// answer has a length or comes in chunks: elsewhere nobody could tell it from half of
// one.
type JSONLines[T any] struct{}

func (JSONLines[T]) each(ctx context.Context, s *stream, yield func(T) bool) error {
	if err := s.open(ctx, "application/x-ndjson, application/jsonl"); err != nil {
		return err
	}
	lines, untilClosed := newLineReader(s.body), header.UntilClosed(s.resp)
	for {
		line, end := lines.next()
		if end != nil && !errors.Is(end, io.EOF) {
			return s.failed(end)
		}
		if line = bytes.Trim(line, " \t\r"); len(line) > 0 {
			if end != nil && untilClosed {
				return s.failed(io.ErrUnexpectedEOF)
			}
			v, err := decode[T](s, line)
			if err != nil {
				return err
			}
			if !yield(v) {
				return nil
			}
		}
		if end != nil {
			return nil //nolint:nilerr // the end is no error
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

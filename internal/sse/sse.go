// Package sse reads server-sent events, for streams of the root and subscriptions
// of graphql.
package sse

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"time"
	"unicode"
)

// Event is what stands between two blank lines. Browsers drop one without data;
// here it is the caller's to do, for some servers say no more than "complete", or
// where to go on.
type Event struct {
	// Type is "" if the event has none.
	Type string
	// Data is its lines, joined by line feeds; nil if it has none.
	Data []byte
	// ID is the event's own, if HasID.
	ID    string
	HasID bool
	// Retry is how long to wait until the next connection, 0 if nothing was said.
	Retry time.Duration
}

// maxID bounds an id, in bytes: it is sent back in a header.
const maxID = 1024

// Reader reads a stream of events, as the HTML standard has it
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
// An id with a control character, or a very long one, counts as none: no header
// could send it back.
type Reader struct {
	r       *bufio.Reader
	most    int64 // bytes of an event, and of a line
	large   error
	line    []byte
	afterCR bool // a line feed that follows belongs to the line before
	cut     bool
}

// NewReader reads r, which has no byte order mark. An event of more than most bytes is the error tooLarge.
func NewReader(r io.Reader, most int64, tooLarge error) *Reader {
	return &Reader{r: bufio.NewReader(r), most: most, large: tooLarge}
}

// Next returns the next event that says anything. At the end, clean as io.EOF or
// not, what came of an event until then is returned with the error; a line that is
// cut short is not in it.
func (r *Reader) Next() (Event, error) {
	var e Event
	said := false
	for {
		line, err := r.read(r.most - int64(len(e.Data)))
		switch {
		case err != nil:
			r.cut = said || len(r.line) > 0
			return e, err
		case len(line) > 0:
			said = e.take(line) || said
		case said:
			return e, nil
		}
	}
}

// Cut reports that the stream ended within an event, or what may be one.
func (r *Reader) Cut() bool { return r.cut }

// take reads one line into the event, and reports whether it said anything.
func (e *Event) take(line []byte) bool {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		e.Type = string(value)
		return e.Type != ""
	case "data":
		if e.Data == nil {
			e.Data = make([]byte, 0, len(value))
		} else {
			e.Data = append(e.Data, '\n')
		}
		e.Data = append(e.Data, value...)
	case "id":
		if len(value) > maxID || bytes.ContainsFunc(value, unicode.IsControl) {
			return false
		}
		e.ID, e.HasID = string(value), true
	case "retry":
		ms, err := strconv.ParseUint(string(value), 10, 31)
		if err != nil {
			return false
		}
		e.Retry = time.Duration(ms) * time.Millisecond
	default: // a comment, or a field that is yet to be invented
		return false
	}
	return true
}

// read returns the next line without its end, valid until the next read. A line
// that the end of the stream cuts short is dropped.
func (r *Reader) read(most int64) ([]byte, error) {
	r.line = r.line[:0]
	for {
		if _, err := r.r.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := r.r.Peek(r.r.Buffered())
		if r.afterCR {
			r.afterCR = false
			if chunk[0] == '\n' {
				_, _ = r.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		length := end
		if end < 0 {
			length = len(chunk)
		}
		if int64(len(r.line)+length) > most {
			return nil, r.large
		}
		if end < 0 {
			r.line = append(r.line, chunk...)
			_, _ = r.r.Discard(length)
			continue
		}
		line := chunk[:length]
		if len(r.line) > 0 {
			r.line = append(r.line, line...)
			line = r.line
		}
		r.afterCR = chunk[end] == '\r'
		_, _ = r.r.Discard(length + 1)
		return line, nil
	}
}

package aplomb

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// unfit is the error of an item that is no T. Its text may quote the item, and is told
// only where it does not.
func (s *stream) unfit(err error) error {
	e := s.failed(err).(*StreamError) //nolint:errorlint,forcetypeassert // it is nothing else
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.text = fmt.Sprintf("field %s of the item is a JSON %s, not a Go %s", orDefault(wrong.Field, "(the whole)"), kindOf(wrong.Value), wrong.Type)
	} else if !syntax(err) {
		e.text = fmt.Sprintf("the item is refused by its decoder (%T, which Unwrap gives)", err)
	}
	return e
}

// failed is the error of an answer that has begun.
func (s *stream) failed(err error) error {
	read, resp := s.read, s.call.response()
	if s.resp != nil {
		read += s.body.n
	}
	return &StreamError{
		Operation: s.call.operation, Items: s.count, Bytes: read, RequestID: redact.Text(resp.RequestID, 80, secretsOf(s.call.last)...), Err: err,
		Client: s.call.name(), text: safeText(err, secretsOf(s.call.last)),
	}
}

// StreamError is a [Stream] that ended before its end, or has an item that cannot be
// read. What was yielded before it stands.
type StreamError struct {
	// Operation is the call's name.
	Operation string
	// Items is how many were yielded, and Bytes how much of the answer was read, after
	// decompression; that is ahead of the last item, and no place to go on from.
	Items, Bytes int64
	// RequestID is the server's name for the request.
	RequestID string
	// Client is the client's name.
	Client string
	// Err is the cause: an error of the connection, of the decoder, or [ErrTooLarge].
	Err error

	text string
}

// Error is one line, without anything of the items.
func (e *StreamError) Error() string {
	line := fmt.Sprintf("%s: %s: the stream ended after %d items and %d bytes: %s", e.Client, e.Operation, e.Items, e.Bytes, e.text)
	if e.RequestID != "" {
		line += " (request " + e.RequestID + ")"
	}
	if errors.Is(e.Err, ErrTooLarge) {
		line += ". Hint: raise MaxBody, which bounds one item"
	}
	return line
}

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Err }

// Format prints the line for every verb.
func (e *StreamError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

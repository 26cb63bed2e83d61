package aplomb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"reflect"
	"slices"
)

// Stream sends method to path as [Open] does, and ranges over the items of the
// answer as they come, however many there are, with one of them in memory.
//
//	for row, err := range aplomb.Stream[Row](ctx, c, http.MethodGet, "/v1/export", aplomb.JSONLines{}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// as says how the items stand in the answer: [JSONLines], [JSONArray], [CSV] or
// [ServerEvents]. Each is decoded into a T; json.RawMessage and []byte have it as it
// came.
//
// An error is yielded once and ends the loop, after the items before it. One that
// comes once the answer has begun is a [*StreamError], which says how far it went: an
// answer that breaks off is an error, never a shorter stream. Leaving the loop closes
// the connection, and ranging again sends the request again.
//
// Where the server allows it a GET goes on where it broke off instead, up to five
// times without a byte between: by Accept-Ranges and a strong ETag, if it does not
// pack the body (ask that of it by the header Accept-Encoding: identity).
//
// Time is bounded as for [Open]: by the silence between two reads
// ([Timeouts].IdleRead) and not as a whole, unless a [Timeout] is set. [MaxBody] bounds
// one item and not the answer, by default to 8 MiB; more is [ErrTooLarge].
func Stream[T any](ctx context.Context, c *Client, method, path string, as Format, opts ...CallOption) iter.Seq2[T, error] {
	opts = slices.Clone(opts)
	return func(yield func(T, error) bool) {
		var zero T
		if isNil(as) {
			yield(zero, errors.New("aplomb: Stream: no Format: say how the items stand in the answer, such as JSONLines{}"))
			return
		}
		s := &stream{client: c, method: method, path: path, opts: opts}
		defer s.close()
		for item, err := range as.items(ctx, s, reflect.TypeFor[T]()) {
			var v T
			if err == nil {
				if err = item(&v); err != nil {
					err = s.unfit(err)
				}
			}
			if err != nil {
				yield(zero, err)
				return
			}
			s.count++
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Format says how the items of a [Stream] stand in the answer.
type Format interface {
	// items ranges over the items of the stream, as functions that decode one into
	// what a *T points to. Its errors are the caller's.
	items(ctx context.Context, s *stream, t reflect.Type) iter.Seq2[func(into any) error, error]
}

// stream is one range over a Stream.
type stream struct {
	client       *Client
	method, path string
	opts         []CallOption

	call  *call
	resp  *http.Response
	body  *streamBody
	count int64 // items yielded
	read  int64 // bytes of earlier responses
}

// open sends the request; an earlier answer is closed.
func (s *stream) open(ctx context.Context, accept string, more ...CallOption) error {
	call, resp, err := s.client.open(ctx, s.method, s.path, accept, slices.Concat(s.opts, more))
	if err != nil {
		return err
	}
	s.call, s.resp = call, resp
	resp.Body = s.resumable(ctx, accept)
	s.body = s.newBody(orDefault(call.maxBody, defaultMaxItem))
	if kind := mediaType(resp.Header.Get("Content-Type")); kind == "text/html" || kind == "application/xhtml+xml" {
		head, _ := io.ReadAll(io.LimitReader(resp.Body, maxDecodeBody))
		a := &answer{Response: call.response(), call: call}
		return a.decodeError(head, &otherFormatError{accept})
	}
	return nil
}

func (s *stream) close() {
	if s.resp != nil {
		s.read += s.body.n
		_ = s.resp.Body.Close()
		s.resp = nil
	}
}

// decode puts a JSON value into what into points to.
func (s *stream) decode(raw []byte, into any) error {
	switch into := into.(type) {
	case *[]byte:
		*into = slices.Clone(raw)
		return whole(raw)
	case *json.RawMessage:
		*into = slices.Clone(raw)
		return whole(raw)
	}
	return s.call.codec.unmarshal(raw, into)
}

// whole says what is wrong with JSON that nobody decodes.
func whole(raw []byte) error {
	if json.Valid(raw) {
		return nil
	}
	return json.Unmarshal(raw, new(any))
}

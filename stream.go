package aplomb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Stream sends method to path as [Open] does, and ranges over the items of the
// answer as they come, however many there are, with one of them in memory.
//
//	for row, err := range aplomb.Stream(ctx, c, http.MethodGet, "/v1/export", aplomb.JSONLines[Row]{}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// as says how the items stand in the answer, and what they are: [JSONLines],
// [JSONArray], [CSV], [CSVMaps], [ServerEvents] or [JSONEvents].
//
// An error is yielded once and ends the loop, after the items before it. One that
// comes once the answer has begun is a [*StreamError], which says how far it went: an
// answer that breaks off is an error, never a shorter stream. (HTTP/1 has answers that
// end with their connection. Of those, one that breaks off just where an item ends
// cannot be told from a whole one.) Leaving the loop closes the connection, and
// ranging again sends the request again.
//
// Where the server allows it a GET goes on where it broke off instead, up to five
// times without a byte between: by Accept-Ranges and a strong ETag, if it does not
// pack the body (ask that of it by the header Accept-Encoding: identity).
//
// Time is bounded as for [Open]: by the silence between two reads
// ([Timeouts].IdleRead), and as a whole only by a [Timeout] or the context. [MaxBody]
// bounds one item and not the answer, by default to 8 MiB; more is [ErrTooLarge].
func Stream[T any](ctx context.Context, c *Client, method, path string, as Format[T], opts ...CallOption) iter.Seq2[T, error] {
	opts = slices.Clone(opts)
	return func(yield func(T, error) bool) {
		var zero T
		if isNil(as) {
			yield(zero, errors.New("aplomb: Stream: no Format: say how the items stand in the answer, such as JSONLines[Row]{}"))
			return
		}
		s := &stream{client: c, method: method, path: path, opts: opts}
		defer s.end()
		err := as.each(ctx, s, func(v T) bool {
			s.count++
			return yield(v, nil)
		})
		if err != nil {
			yield(zero, err)
		}
	}
}

// Format says how the items of a [Stream] stand in the answer, and what each is.
type Format[T any] interface {
	// each yields the items of the stream, and returns nil once it is told to stop.
	each(ctx context.Context, s *stream, yield func(T) bool) error
}

// stream is one range over a Stream.
type stream struct {
	client       *Client
	method, path string
	opts         []CallOption

	bound  context.Context // of all of it, once a Timeout is known
	cancel context.CancelFunc
	call   *call
	resp   *http.Response
	body   *streamBody
	count  int64 // items yielded
	read   int64 // bytes of earlier responses
}

// request sends the request, or, with more, what goes on from it.
func (s *stream) request(ctx context.Context, accept string, more ...CallOption) (*call, *http.Response, error) {
	call, resp, err := s.client.open(s.context(ctx), s.method, s.path, accept, slices.Concat(s.opts, more))
	if err == nil && s.bound == nil && call.timeout > 0 {
		s.bound, s.cancel = context.WithDeadlineCause(ctx, call.start.Add(call.timeout), &timeoutError{totalTimeout, call.timeout})
	}
	return call, resp, err
}

// context is ctx, and what is left of a Timeout, which is for all of the stream.
func (s *stream) context(ctx context.Context) context.Context {
	if s.bound != nil {
		return s.bound
	}
	return ctx
}

// open sends the request; an earlier answer is closed.
func (s *stream) open(ctx context.Context, accept string, more ...CallOption) error {
	call, resp, err := s.request(ctx, accept, more...)
	if err != nil {
		return err
	}
	s.call, s.resp = call, resp
	resp.Body = s.resumable(ctx, accept)
	s.body = s.newBody(orDefault(call.maxBody, defaultMaxItem))
	if isPage(resp.Header) {
		head, _ := io.ReadAll(io.LimitReader(resp.Body, maxDecodeBody))
		a := &answer{response: resp, call: call}
		a.want, _, _ = strings.Cut(accept, ",")
		return a.decodeError(head, errNotJSON)
	}
	return nil
}

// pause waits before the next connection, after so many failures since the last byte.
// What would come too late is not begun (law 3), and a quota that is closed for long
// is the end.
func (s *stream) pause(ctx context.Context, d time.Duration, cause error) error {
	if e, ok := errors.AsType[*CallError](cause); ok && !e.ReadyAt.IsZero() {
		if until := time.Until(e.ReadyAt); until > maxReconnect {
			return cause
		} else if until > d {
			d = until
		}
	}
	ctx = s.context(ctx)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return &tooLateError{d, cause}
	}
	if err := s.call.sleep(ctx, WaitBackoff, d); err != nil {
		return ownCause(ctx, err)
	}
	return nil
}

// tooLateError is a connection that would be made after the deadline.
type tooLateError struct {
	in    time.Duration
	cause error
}

func (e *tooLateError) Error() string {
	return "the next connection would be in " + brief(e.in) + ", after the deadline; the last: " + e.cause.Error()
}

func (e *tooLateError) Unwrap() []error { return []error{context.DeadlineExceeded, e.cause} }

// close ends the answer.
func (s *stream) close() {
	if s.resp != nil {
		s.read += s.body.n
		_ = s.resp.Body.Close()
		s.resp = nil
	}
}

// end ends all of it.
func (s *stream) end() {
	s.close()
	if s.cancel != nil {
		s.cancel()
	}
}

// empty reports an answer that has no items by its status.
func (s *stream) empty() bool {
	return s.resp.StatusCode == http.StatusNoContent || s.resp.StatusCode == http.StatusResetContent
}

// decode makes a T of a JSON value, by the call's codec.
func decode[T any](s *stream, raw []byte) (v T, err error) {
	switch into := any(&v).(type) {
	case *[]byte:
		*into, err = slices.Clone(raw), whole(raw)
	case *json.RawMessage:
		*into, err = slices.Clone(raw), whole(raw)
	default:
		err = s.call.codec.unmarshal(raw, &v)
	}
	if err != nil {
		err = s.unfit(err)
	}
	return v, err
}

// whole says what is wrong with JSON that nobody decodes.
func whole(raw []byte) error {
	if json.Valid(raw) {
		return nil
	}
	return json.Unmarshal(raw, new(any))
}

package aplomb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"reflect"
	"time"

	"github.com/aplomb-go/aplomb/internal/sse"
)

// ServerEvent is one event of [ServerEvents].
type ServerEvent struct {
	// ID is the last id that the server gave, by this event or an earlier one: give
	// it to ServerEvents.LastEventID to go on another day.
	ID string
	// Type is the event's name, "message" if it has none.
	Type string
	// Data is its lines, joined by newlines.
	Data string
}

// ServerEvents is server-sent events, as an EventSource has them (WHATWG HTML, section
// 9.2). T is [ServerEvent], or what its Data is as JSON.
//
// A GET whose events have ids goes on where it was when the connection breaks or
// ends, with Last-Event-ID: after the time that the server has said, from 1 s to 1 min,
// or 3 s, and longer from one failure to the next. An event that came before it broke
// is not yielded once more. A 204 ends the stream, and so do five connections in a row
// that bring nothing at all, no comment either, or an answer that is an error. Without
// ids, or by POST, the end of the answer is the end, and one that breaks off is an
// error.
type ServerEvents struct {
	// Done is the Data that ends the stream and is not yielded, such as "[DONE]". An end
	// without it is an error. Where events have ids, and neither Done nor a 204 says that
	// they are over, set Once: else the end of the answer is one that broke.
	Done string
	// LastEventID is where to go on.
	LastEventID string
	// Once has the stream end with the first answer, whatever it gave for ids.
	Once bool
}

const (
	usualReconnect = 3 * time.Second
	maxReconnect   = time.Minute
	maxReconnects  = 5    // that brought nothing
	maxEventIDs    = 1000 // that are remembered
	leastReconnect = time.Second
)

func (f ServerEvents) items(ctx context.Context, s *stream, t reflect.Type) iter.Seq2[func(any) error, error] {
	return func(yield func(func(any) error, error) bool) {
		e := &eventStream{ServerEvents: f, s: s, id: f.LastEventID, retry: usualReconnect, seen: map[string]bool{}}
		whole := t == reflect.TypeFor[ServerEvent]()
		for {
			more, err := e.connection(ctx, func(ev ServerEvent) bool {
				return yield(func(into any) error {
					if whole {
						*into.(*ServerEvent) = ev //nolint:forcetypeassert // it is of type t
						return nil
					}
					return s.decode([]byte(ev.Data), into)
				}, nil)
			})
			if err == nil && more {
				err = e.wait(ctx)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// eventStream is a stream of events over one connection after the other.
type eventStream struct {
	ServerEvents
	s        *stream
	id       string
	retry    time.Duration
	failures int // since anything came
	begun    bool
	common   bool            // ids are no event's own: one came twice within a connection
	seen     map[string]bool // ids of events, of earlier connections and of this one
	order    []string        // in which they came
	current  map[string]bool // of this one
}

// connection yields the events of one answer. more is true if another is to follow.
func (e *eventStream) connection(ctx context.Context, yield func(ServerEvent) bool) (more bool, err error) {
	opts := []CallOption{Header("Cache-Control", "no-store")}
	if e.id != "" {
		opts = append(opts, Header("Last-Event-ID", e.id))
	}
	if err := e.s.open(ctx, "text/event-stream", opts...); err != nil {
		switch {
		case !e.begun:
			return false, err
		case answered(err):
			return false, e.s.failed(err)
		}
		return e.again(ctx, err)
	}
	e.begun = true
	if e.s.resp.StatusCode == http.StatusNoContent {
		return false, nil
	}
	if kind := mediaType(e.s.resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return false, e.s.failed(fmt.Errorf("expected text/event-stream, got %s", orDefault(kind, "no content type")))
	}
	e.current = map[string]bool{}
	events := sse.NewReader(e.s.body, e.s.body.over.limit, &e.s.body.over)
	for {
		ev, err := events.Next()
		if e.s.body.n > 0 {
			e.failures = 0
		}
		if ev.Retry > 0 { // which holds at once
			e.retry = min(max(ev.Retry, leastReconnect), maxReconnect)
		}
		if err != nil {
			return e.again(ctx, err)
		}
		if ev.HasID {
			e.id = ev.ID
		}
		switch {
		case ev.Data == nil: // where to go on, and no event
			continue
		case e.Done != "" && string(ev.Data) == e.Done:
			return false, nil
		case e.known(ev.HasID, ev.ID):
			continue
		}
		if !yield(ServerEvent{ID: e.id, Type: orDefault(ev.Type, "message"), Data: string(ev.Data)}) {
			return false, nil
		}
	}
}

// answered reports an error that the server itself has given, and would again.
func answered(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.StatusCode/100 == 4 && api.StatusCode != http.StatusTooManyRequests && api.StatusCode != http.StatusRequestTimeout
}

// again decides what follows on an answer that ended with err.
func (e *eventStream) again(ctx context.Context, err error) (more bool, _ error) {
	if ctx.Err() != nil || errors.Is(err, ErrTooLarge) {
		return false, e.s.failed(err)
	}
	resumes := !e.Once && e.id != "" && (e.s.method == http.MethodGet || e.s.call.safe)
	if !resumes {
		switch {
		case !errors.Is(err, io.EOF):
			return false, e.s.failed(err)
		case e.Done != "":
			return false, e.s.failed(fmt.Errorf("it ended without %q: %w", e.Done, io.ErrUnexpectedEOF))
		}
		return false, nil
	}
	if e.failures++; e.failures > maxReconnects {
		return false, e.s.failed(fmt.Errorf("%d connections in a row brought nothing, the last: %w", e.failures-1, err))
	}
	return true, nil
}

// wait waits until it is time to connect again.
func (e *eventStream) wait(ctx context.Context) error {
	e.s.close()
	d := min(e.retry<<(e.failures-1), max(e.retry, maxReconnect))
	d += rand.N(d/10 + 1) // so that not all clients come back at once
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return e.s.failed(fmt.Errorf("the next connection would be in %v: %w", d.Round(time.Millisecond), context.DeadlineExceeded))
	}
	if err := e.s.call.sleep(ctx, WaitBackoff, d); err != nil {
		return e.s.failed(err)
	}
	return nil
}

// known reports an event that an earlier connection brought. Where a server uses an id
// for more than one event, it says nothing of which.
func (e *eventStream) known(has bool, id string) bool {
	e.common = e.common || has && e.current[id]
	if !has || id == "" || e.common {
		return false
	}
	if e.seen[id] && !e.current[id] {
		return true
	}
	e.current[id] = true
	if !e.seen[id] {
		e.seen[id] = true
		if e.order = append(e.order, id); len(e.order) > maxEventIDs {
			delete(e.seen, e.order[0])
			delete(e.current, e.order[0])
			e.order = e.order[1:]
		}
	}
	return false
}

package aplomb

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
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
// 9.2).
//
// A GET whose events have ids goes on where it was when the connection breaks or
// ends, with Last-Event-ID: after the server's retry time (from 1 s to 1 min, 3 s if
// it gives none), doubled with each failure. Events that the server then sends once
// more, before any new one, are not yielded again. A 204 ends the stream. Five
// connections in a row that bring nothing at all, no comment either, are an error, and
// so is a 4xx but for 408 and 429. Without ids, or by POST, the end of the answer is
// the end, and one that breaks off is an error.
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

// JSONEvents is [ServerEvents] with each event's Data decoded into a T.
type JSONEvents[T any] struct{ ServerEvents }

const (
	usualReconnect = 3 * time.Second
	leastReconnect = time.Second
	maxReconnect   = time.Minute
	maxReconnects  = 5    // that brought nothing
	maxRemembered  = 1000 // events
)

func (f ServerEvents) each(ctx context.Context, s *stream, yield func(ServerEvent) bool) error {
	return f.events(ctx, s, func(e ServerEvent) (bool, error) { return yield(e), nil })
}

func (f JSONEvents[T]) each(ctx context.Context, s *stream, yield func(T) bool) error {
	return f.events(ctx, s, func(e ServerEvent) (bool, error) {
		v, err := decode[T](s, []byte(e.Data))
		return err == nil && yield(v), err
	})
}

// events goes from one connection to the next until take wants no more.
func (f ServerEvents) events(ctx context.Context, s *stream, take func(ServerEvent) (bool, error)) error {
	e := &eventStream{ServerEvents: f, s: s, take: take, id: f.LastEventID, retry: usualReconnect, seen: map[uint64]bool{}, seed: maphash.MakeSeed()}
	for {
		broken, err := e.connection(ctx)
		if broken == nil || errors.Is(broken, io.EOF) && e.over() {
			return err
		}
		if err := e.again(ctx, broken); err != nil {
			return err
		}
	}
}

// eventStream is a stream of events over one connection after the other.
type eventStream struct {
	ServerEvents
	s        *stream
	take     func(ServerEvent) (bool, error)
	id       string
	retry    time.Duration
	failures int // since anything came
	begun    bool

	seed  maphash.Seed
	seen  map[uint64]bool // events with an id
	order []uint64        // in which they came
}

// connection takes the events of one answer. broken is why another may be wanted; where
// it is nil the stream is over.
func (e *eventStream) connection(ctx context.Context) (broken, _ error) {
	opts := []CallOption{Header("Cache-Control", "no-store")}
	if e.id != "" {
		opts = append(opts, Header("Last-Event-ID", e.id))
	}
	if e.begun {
		opts = append(opts, NoRetry()) // this is one
	}
	err := e.s.open(ctx, "text/event-stream", opts...)
	switch {
	case err != nil && !e.begun:
		return nil, err
	case err != nil:
		return err, nil
	}
	e.begun = true
	if e.s.empty() {
		return nil, nil
	}
	if kind := mediaType(e.s.resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return nil, e.s.failed(fmt.Errorf("expected text/event-stream, got %s", orDefault(kind, "no content type")))
	}
	return e.read(sse.NewReader(e.s.body, e.s.body.over.limit, &e.s.body.over))
}

// read takes the events of an answer. The first of them may be such as came before.
func (e *eventStream) read(events *sse.Reader) (broken, _ error) {
	for old := true; ; {
		ev, err := events.Next()
		if e.s.body.n > 0 {
			e.failures = 0
		}
		if ev.Retry > 0 { // which holds at once
			e.retry = min(max(ev.Retry, leastReconnect), maxReconnect)
		}
		if errors.Is(err, io.EOF) && events.Cut() && header.UntilClosed(e.s.resp) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err, nil
		}
		if ev.HasID {
			e.id = ev.ID
		}
		switch {
		case ev.Data == nil: // where to go on, and no event
			continue
		case e.Done != "" && string(ev.Data) == e.Done:
			return nil, nil
		}
		if old = e.known(ev) && old; old {
			continue
		}
		if more, err := e.take(ServerEvent{ID: e.id, Type: orDefault(ev.Type, "message"), Data: string(ev.Data)}); !more {
			return nil, err
		}
	}
}

// answered reports an error that the server itself has given, and would again.
func answered(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.StatusCode/100 == 4 && api.StatusCode != http.StatusTooManyRequests && api.StatusCode != http.StatusRequestTimeout
}

// resumes reports a stream that can go on.
func (e *eventStream) resumes() bool {
	return !e.Once && e.id != "" && (e.s.method == http.MethodGet || e.s.call.safe)
}

// over reports that the end of the answer is the end.
func (e *eventStream) over() bool { return !e.resumes() && e.Done == "" }

// again waits until it is time for the next connection, after one that ended with
// broken; where there is to be none it is that error.
func (e *eventStream) again(ctx context.Context, broken error) error {
	e.failures++
	switch {
	case e.s.context(ctx).Err() != nil, errors.Is(broken, ErrTooLarge), answered(broken):
		return e.s.failed(broken)
	case !e.resumes() && errors.Is(broken, io.EOF):
		return e.s.failed(fmt.Errorf("it ended without %q: %w", e.Done, io.ErrUnexpectedEOF))
	case !e.resumes():
		return e.s.failed(broken)
	case e.failures > maxReconnects:
		return e.s.failed(fmt.Errorf("%d connections in a row brought nothing, the last: %w", e.failures-1, broken))
	}
	e.s.close()
	d := min(e.retry<<(e.failures-1), max(e.retry, maxReconnect))
	d += rand.N(d/10 + 1) // so that not all clients come back at once
	if err := e.s.pause(ctx, d, broken); err != nil {
		return e.s.failed(err)
	}
	return nil
}

// known reports an event that came before, with its id and the same data, and remembers
// one that did not.
func (e *eventStream) known(ev sse.Event) bool {
	if !ev.HasID || ev.ID == "" {
		return false
	}
	var h maphash.Hash
	h.SetSeed(e.seed)
	_, _ = h.WriteString(ev.ID + "\x00" + ev.Type + "\x00")
	_, _ = h.Write(ev.Data)
	sum := h.Sum64()
	if e.seen[sum] {
		return true
	}
	e.seen[sum] = true
	if e.order = append(e.order, sum); len(e.order) > maxRemembered {
		delete(e.seen, e.order[0])
		e.order = e.order[1:]
	}
	return false
}

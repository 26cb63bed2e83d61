package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb"
)

// message is one of the protocol's.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// id of the one subscription that a connection has.
const id = "1"

// socket is a source over a WebSocket. One goroutine reads and answers pings, one
// watches over the silence.
type socket struct {
	conn    Conn
	trip    *trip
	box     *inbox
	writing sync.Mutex
	heard   chan struct{} // has a token after a message
	held    atomic.Bool   // nothing is read, since too much waits
	ended   atomic.Bool   // by the server: there is nothing to unsubscribe from
	goodbye atomic.Int32  // the code to close with, 0 is 1000
	stop    context.CancelFunc
	tasks   sync.WaitGroup
}

// openSocket dials, introduces itself and subscribes.
func openSocket(ctx context.Context, t *trip) (source, error) {
	start := time.Now()
	t.response = aplomb.Response{}
	payload, err := t.introduce(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, trip: t, box: newInbox(t.plan.stream.most), heard: make(chan struct{}, 1), stop: func() {}}
	if err := s.begin(ctx, payload); err != nil {
		s.ended.Store(true)
		s.close()
		return nil, err
	}
	t.response = aplomb.Response{StatusCode: http.StatusSwitchingProtocols, Attempts: 1, Elapsed: time.Since(start)}
	// Not ctx: the server is to hear of its end.
	living, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.tasks.Go(func() { s.listen(living) })
	if t.plan.stream.silence >= 0 {
		s.tasks.Go(func() { s.watch(living) })
	}
	return s, nil
}

// introduce makes the payload of connection_init, nil for none, and learns what
// may not be shown.
func (t *trip) introduce(ctx context.Context) (payload json.RawMessage, err error) {
	if get := t.plan.stream.init; get != nil {
		v, err := get(ctx)
		if err == nil {
			payload, err = json.Marshal(v)
		}
		if err != nil {
			return nil, &fault{what: "InitPayload: " + t.scrub(err.Error()), cause: err, final: !passing(err)}
		}
	}
	variables, err := json.Marshal(t.plan.request.Variables)
	if err != nil {
		return nil, &fault{what: "variables: " + t.scrub(err.Error()), cause: err, final: true}
	}
	t.redact = hiding(payload, variables)
	return payload, nil
}

func (t *trip) dial(ctx context.Context) (Conn, error) {
	dialling, cancel := context.WithTimeoutCause(ctx, dialTime, errDialTime)
	defer cancel()
	to := t.plan.stream.socket
	conn, err := to.dialer.DialContext(dialling, to.url, Subprotocol)
	if err == nil && conn == nil {
		err = errors.New("the Dialer returned neither a connection nor an error")
	}
	if err == nil {
		return conn, nil
	}
	if dialling.Err() != nil && ctx.Err() == nil {
		err = errors.Join(context.Cause(dialling), err)
		return nil, &fault{what: errDialTime.Error(), cause: err}
	}
	_, answered := errors.AsType[*aplomb.APIError](err)
	_, called := errors.AsType[*aplomb.CallError](err)
	return nil, &fault{what: "no WebSocket: " + t.scrub(err.Error()), cause: err, final: (answered || called) && !passing(err)}
}

var (
	errDialTime = &overdue{"no WebSocket within " + dialTime.String()}
	errAckTime  = &overdue{"no connection_ack within " + ackTime.String()}
)

// overdue is a timeout of this package.
type overdue struct{ what string }

func (o *overdue) Error() string        { return o.what }
func (o *overdue) Timeout() bool        { return true }
func (o *overdue) Temporary() bool      { return true }
func (o *overdue) Is(target error) bool { return target == context.DeadlineExceeded }

// begin does all that comes before the first event.
func (s *socket) begin(ctx context.Context, payload json.RawMessage) error {
	hasty, cancel := context.WithTimeoutCause(ctx, ackTime, errAckTime)
	defer cancel()
	err := s.greet(hasty, payload)
	if err != nil && hasty.Err() != nil && ctx.Err() == nil {
		s.goodbye.Store(4504)
		return &fault{what: errAckTime.Error(), cause: errAckTime}
	}
	if err != nil {
		return err
	}
	request, err := json.Marshal(s.trip.plan.request)
	if err != nil {
		return &fault{what: s.trip.scrub(err.Error()), cause: err, final: true}
	}
	return s.write(ctx, message{ID: id, Type: "subscribe", Payload: request})
}

func (s *socket) greet(ctx context.Context, payload json.RawMessage) error {
	if err := s.write(ctx, message{Type: "connection_init", Payload: payload}); err != nil {
		return err
	}
	for {
		m, err := s.read(ctx)
		if err != nil {
			return err
		}
		switch m.Type {
		case "connection_ack":
			return nil
		case "ping":
			if err := s.write(ctx, message{Type: "pong"}); err != nil {
				return err
			}
		case "pong":
		default:
			return s.nonsense(m)
		}
	}
}

// listen reads until the connection ends, so that Close always finds a reader.
func (s *socket) listen(ctx context.Context) {
	for {
		m, err := s.read(ctx)
		if err != nil {
			s.box.end(err)
			return
		}
		select {
		case s.heard <- struct{}{}:
		default:
		}
		mine := m.ID == id || m.ID == ""
		switch m.Type {
		case "ping":
			if err := s.write(ctx, message{Type: "pong"}); err != nil {
				s.box.end(err)
				return
			}
		case "pong", "connection_ack":
		case "next", "error":
			if !mine || s.ended.Load() {
				continue
			}
			if m.Type == "error" {
				m.Payload = refusing(m.Payload)
			}
			s.held.Store(true)
			if !s.box.put(ctx, m.Payload) {
				return
			}
			s.held.Store(false)
			if m.Type == "error" {
				s.ended.Store(true)
				s.box.end(io.EOF)
			}
		case "complete":
			if mine {
				s.ended.Store(true)
				s.box.end(io.EOF)
			}
		default:
			s.box.end(s.nonsense(m))
			return
		}
	}
}

// refusing makes an execution result of an error message's payload, which is a
// list; from some servers it is one error.
func refusing(payload json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(payload, &list) != nil || len(list) == 0 {
		list = []json.RawMessage{payload}
		if len(payload) == 0 {
			list[0] = json.RawMessage(`"the server refused the subscription and did not say why"`)
		}
	}
	result, _ := json.Marshal(map[string]any{"errors": list}) //nolint:errchkjson // it came as JSON
	return result
}

// nonsense is the fault of a message that has no place here.
func (s *socket) nonsense(m message) error {
	s.goodbye.Store(4004)
	return &fault{what: fmt.Sprintf("a message of type %q, which %s does not have here", s.trip.scrub(m.Type), Subprotocol),
		cause: errors.New("graphql: unexpected message"), final: true}
}

// watch sends a ping when all is silent, and ends the connection when it stays so.
func (s *socket) watch(ctx context.Context) {
	silence := s.trip.plan.stream.silence
	if silence == 0 {
		silence = defaultHeartbeat
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for asked := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.heard:
			asked = false
		case <-timer.C:
			switch {
			case s.held.Load(): // it is the loop that lags, not the server
			case asked:
				what := &overdue{"the connection was silent for " + (2 * silence).String()}
				s.box.end(&fault{what: what.Error(), cause: what})
				s.stop()
				return
			default:
				asked = true
				if err := s.write(ctx, message{Type: "ping"}); err != nil {
					s.box.end(err)
					s.stop()
					return
				}
			}
		}
		timer.Reset(silence)
	}
}

func (s *socket) next(ctx context.Context) ([]byte, error) { return s.box.take(ctx) }

// close unsubscribes, says goodbye, and leaves no goroutine.
func (s *socket) close() {
	alive := s.box.open()
	s.box.end(io.EOF) // so that listen reads on, and finds the answer to Close
	if alive && !s.ended.Load() && s.writing.TryLock() {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
		raw, _ := json.Marshal(message{ID: id, Type: "complete"}) //nolint:errchkjson // two strings
		_ = s.conn.Write(ctx, raw)                                // the server hears of it by the close, too
		cancel()
		s.writing.Unlock()
	}
	code := int(s.goodbye.Load())
	if code == 0 {
		code = 1000
	}
	late := time.AfterFunc(farewellTime, s.stop)
	defer late.Stop()
	_ = s.conn.Close(code, "")
	s.stop()
	s.tasks.Wait()
}

// read reads one message, up to MaxEvent.
func (s *socket) read(ctx context.Context) (message, error) {
	r, err := s.conn.Reader(ctx)
	if err != nil {
		return message{}, s.broken(err)
	}
	most := s.trip.plan.stream.most
	raw, err := io.ReadAll(io.LimitReader(hearing{r, s.heard}, most+1))
	switch {
	case err != nil:
		return message{}, s.broken(err)
	case int64(len(raw)) > most:
		s.goodbye.Store(1009)
		return message{}, &fault{what: tooLarge(most), cause: aplomb.ErrTooLarge, final: true}
	}
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		s.goodbye.Store(4004)
		return message{}, &fault{what: "a message that is not of " + Subprotocol + ": " + describe(err), cause: err, final: true}
	}
	return m, nil
}

// hearing tells of each part of a message: one that takes long is no silence.
type hearing struct {
	io.Reader
	heard chan struct{}
}

func (h hearing) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		signal(h.heard)
	}
	return n, err
}

// broken is the fault of a connection that ended.
func (s *socket) broken(err error) error {
	if closed, ok := errors.AsType[*CloseError](err); ok {
		own := &CloseError{closed.Code, s.trip.scrub(closed.Reason)}
		return &fault{what: "the server " + own.words(), cause: own, final: own.final()}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &fault{what: "the connection was lost: " + s.trip.scrub(err.Error()), cause: err}
}

func (s *socket) write(ctx context.Context, m message) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return &fault{what: s.trip.scrub(err.Error()), cause: err, final: true}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	if err := s.conn.Write(ctx, raw); err != nil {
		return s.broken(err)
	}
	return nil
}

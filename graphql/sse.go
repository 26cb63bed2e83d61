package graphql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// eventType is all that Accept says: the reference server of the protocol
// compares the whole header with it, and a refusal is read as what it is anyway.
const eventType = "text/event-stream"

// eventStream is a source in the body of an answer.
type eventStream struct {
	body   io.Closer
	events *events
	trip   *trip
}

// openEvents posts the subscription. It may be sent again: nothing but events
// comes of it.
func openEvents(ctx context.Context, t *trip) (source, error) {
	p := t.plan
	var bad answer[json.RawMessage]
	opts := append([]aplomb.CallOption{
		aplomb.Header("Accept", eventType), aplomb.Operation(p.label()), aplomb.JSON(p.request), aplomb.Safe(),
		aplomb.Judge(t.judge), refused(t, &bad), aplomb.Capture(&t.response),
	}, p.opts...)
	resp, err := aplomb.Open(ctx, p.api, http.MethodPost, "", opts...)
	if err != nil {
		err = t.complete(err)
		if e, ok := errors.AsType[*ResponseError](err); ok {
			e.HasData = false // which came is not yielded
		}
		return nil, err
	}
	if kind := mediaType(resp); kind != eventType {
		defer func() { _ = resp.Body.Close() }()
		return nil, t.noStream(kind, resp.Body)
	}
	return &eventStream{resp.Body, newEvents(resp.Body, p.stream.most), t}, nil
}

func mediaType(resp *http.Response) string {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// noStream is the error of an answer of success that is no stream of events.
func (t *trip) noStream(kind string, body io.Reader) error {
	const most = 1 << 20
	text, _ := io.ReadAll(io.LimitReader(body, most)) // what came of it is enough to say no
	var a answer[json.RawMessage]
	if strings.HasSuffix(kind, "json") {
		_ = json.Unmarshal(bytes.TrimPrefix(text, []byte(byteOrderMark)), &a)
		if e := t.explain(&ResponseError{Errors: a.Errors, Extensions: a.Extensions, Response: t.response}); e != nil {
			return e
		}
	}
	what := fmt.Sprintf("status %d: expected %s, got %s", t.response.StatusCode, eventType, t.scrub(kind))
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		what += ": this server streams in parts, which is not supported; try a WebSocket"
	case a.Data != nil:
		what += ": the server gave one answer; it may know subscriptions over a WebSocket only"
	}
	r := t.response
	return &fault{what: what, final: true, cause: &aplomb.DecodeError{
		Client: t.plan.api.Name(), Operation: t.operation, StatusCode: r.StatusCode, ContentType: kind,
		Body: bytes.Clone(text[:min(len(text), 4<<10)]), RequestID: r.RequestID, Attempts: r.Attempts, Elapsed: r.Elapsed,
		Hint: "it is no stream of events", Err: errors.New("not " + eventType),
	}}
}

func (e *eventStream) next(context.Context) ([]byte, error) {
	for {
		event, err := e.events.next()
		switch {
		case err == io.EOF: //nolint:errorlint // a clean end
			return nil, &fault{what: "the stream ended without complete", cause: io.ErrUnexpectedEOF}
		case errors.Is(err, aplomb.ErrTooLarge):
			return nil, &fault{what: tooLarge(e.trip.plan.stream.most), cause: err, final: true}
		case err != nil:
			return nil, &fault{what: "the stream was cut: " + e.trip.scrub(err.Error()), cause: err}
		case event.name == "complete":
			return nil, io.EOF
		case len(event.data) > 0 && (event.name == "next" || event.name == "" || event.name == "message"):
			return event.data, nil
		}
	}
}

func tooLarge(most int64) string {
	return fmt.Sprintf("an event of more than %d bytes. Hint: raise MaxEvent", most)
}

func (e *eventStream) close() { _ = e.body.Close() }

// event is a server-sent event. A name without data counts, though browsers drop
// it: some servers say no more than "complete".
type event struct {
	name string
	data []byte
}

// events reads a stream of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream),
// ids and retry left out: no stream here can be resumed.
type events struct {
	r       *bufio.Reader
	most    int64 // bytes of an event
	line    []byte
	begun   bool
	afterCR bool // a line feed that follows belongs to the line before
}

func newEvents(r io.Reader, most int64) *events {
	return &events{r: bufio.NewReader(r), most: most}
}

// next returns the next event that says anything. io.EOF is the clean end of the
// stream; an event cut short by it is dropped, unless it is named already and has
// no data.
func (e *events) next() (event, error) {
	var found event
	var lines int
	for {
		line, err := e.read(e.most - int64(len(found.data)))
		if err != nil {
			if err == io.EOF && lines == 0 && found.name != "" { //nolint:errorlint // of our own reader
				return found, nil
			}
			return event{}, err
		}
		if len(line) == 0 {
			if found.name != "" || lines > 0 {
				return found, nil
			}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			found.name = string(value)
		case "data":
			if lines++; lines > 1 {
				found.data = append(found.data, '\n')
			}
			found.data = append(found.data, value...)
		}
	}
}

// read returns the next line without its end, valid until the next read. A line
// that the end of the stream cuts short is dropped.
func (e *events) read(most int64) ([]byte, error) {
	if !e.begun {
		e.begun = true
		if mark, _ := e.r.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
			_, _ = e.r.Discard(len(mark))
		}
	}
	e.line = e.line[:0]
	for {
		if _, err := e.r.Peek(1); err != nil {
			return nil, err
		}
		chunk, _ := e.r.Peek(e.r.Buffered())
		if e.afterCR {
			e.afterCR = false
			if chunk[0] == '\n' {
				_, _ = e.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		length := end
		if end < 0 {
			length = len(chunk)
		}
		if int64(len(e.line)+length) > most {
			return nil, aplomb.ErrTooLarge
		}
		e.line = append(e.line, chunk[:length]...)
		if end < 0 {
			_, _ = e.r.Discard(length)
			continue
		}
		e.afterCR = chunk[end] == '\r'
		_, _ = e.r.Discard(length + 1)
		return e.line, nil
	}
}

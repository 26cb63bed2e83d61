package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/bom"
	"github.com/aplomb-go/aplomb/internal/sse"
)

// eventType is all that Accept says: the reference server of the protocol
// compares the whole header with it, and a refusal is read as what it is anyway.
const eventType = "text/event-stream"

// eventStream is a source in the body of an answer.
type eventStream struct {
	body   io.Closer
	events *sse.Reader
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
	return &eventStream{resp.Body, sse.NewReader(bom.Reader(resp.Body), p.stream.most, aplomb.ErrTooLarge), t}, nil
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
		_ = json.Unmarshal(bom.Trim(text), &a)
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
		event, err := e.events.Next()
		switch {
		case event.Type == "complete" && (err == nil || err == io.EOF && event.Data == nil): //nolint:errorlint // a clean end
			return nil, io.EOF // some servers do not end the event
		case err == io.EOF: //nolint:errorlint // a clean end
			return nil, &fault{what: "the stream ended without complete", cause: io.ErrUnexpectedEOF}
		case errors.Is(err, aplomb.ErrTooLarge):
			return nil, &fault{what: tooLarge(e.trip.plan.stream.most), cause: err, final: true}
		case err != nil:
			return nil, &fault{what: "the stream was cut: " + e.trip.scrub(err.Error()), cause: err}
		case len(event.Data) > 0 && (event.Type == "next" || event.Type == "" || event.Type == "message"):
			return event.Data, nil
		}
	}
}

func tooLarge(most int64) string {
	return fmt.Sprintf("an event of more than %d bytes. Hint: raise MaxEvent", most)
}

func (e *eventStream) close() { _ = e.body.Close() }

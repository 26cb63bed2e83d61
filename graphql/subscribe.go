package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Subscribe ranges over the events of a subscription, as they come, until the
// server completes it or the loop is left, which unsubscribes and leaves nothing
// running. vars are [Vars], or a struct whose JSON is an object; nil is none. The
// events come as server-sent events in the answer to a POST
// (https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct
// connections), or over a [WebSocket].
//
// Each event is an answer of its own. One with data and errors is yielded as
// both, as by [Execute], and the range goes on: the errors are that event's.
// So are those of one without data, if one of them has a path. Every other error
// is the last thing that the range yields:
//
//	for tick, err := range graphql.Subscribe[Tick](ctx, shop, `subscription { tick { n } }`, nil) {
//		if err != nil {
//			log.Print(err) // a loop that goes on here ends by itself
//			continue
//		}
//		...
//	}
//
// These last errors are: a [*ResponseError] where the server refused the request;
// an [*aplomb.APIError] or [*aplomb.CallError] where no stream came; an
// [aplomb.ErrTooLarge] for an event above [MaxEvent]; one with the words "event
// 3" where an event is not a T; and, for a stream that was cut, one that says how
// and wraps the cause. A stream that ends without the server's word that it is
// complete was cut too: that is io.ErrUnexpectedEOF. With [Reconnect] a stream
// that was cut is followed by another.
//
// There is no limit on the whole time but ctx (an aplomb.Timeout is one for each
// stream). Silence is limited: by aplomb.Timeouts' IdleRead, for which a comment
// that the server sends to keep the stream alive is no silence, and over a
// WebSocket by [Heartbeat]. No event is asked for twice, so none that was sent
// while there was no stream is seen. Ranging again subscribes again.
func Subscribe[T any](ctx context.Context, c *Client, query string, vars any, opts ...aplomb.CallOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		p, err := c.subscription(ctx, query, vars, opts)
		if err != nil {
			yield(none, err)
			return
		}
		s := &subscription[T]{trip: trip{plan: p, operation: p.label()}, yield: yield, start: time.Now()}
		for {
			err := s.follow(ctx)
			if err == nil || s.left {
				return
			}
			if err := s.await(ctx, err); err != nil {
				yield(none, err)
				return
			}
		}
	}
}

// MaxEvent bounds one event of [Subscribe] in bytes; a larger one ends the range
// with [aplomb.ErrTooLarge]. Default 32 MiB. Given to [New] it holds for every
// subscription of the client.
func MaxEvent(n int64) aplomb.CallOption {
	return own("MaxEvent", func(p *plan) error {
		if n <= 0 {
			return fmt.Errorf("graphql: MaxEvent: %d is not a positive number of bytes", n)
		}
		p.stream.most = min(n, math.MaxInt64-1) // one byte more is read, to tell
		return nil
	})
}

// streaming is what the options of subscriptions say.
type streaming struct {
	wanted  bool // the call is Subscribe
	most    int64
	socket  *address // nil: server-sent events
	init    func(context.Context) (any, error)
	silence time.Duration // before a ping; negative: none
	again   *Reconnection
	random  func() float64
}

const defaultMaxEvent = 32 << 20

// subscription is the plan of a call of Subscribe.
func (c *Client) subscription(ctx context.Context, query string, vars any, opts []aplomb.CallOption) (*plan, error) {
	if ctx == nil {
		return nil, errors.New("graphql: nil context.Context: pass context.Background()")
	}
	wanted := own("Subscribe", func(p *plan) error { p.stream.wanted = true; return nil })
	p, err := c.plan(Request{Query: query, Variables: vars}, append([]aplomb.CallOption{wanted}, opts...))
	if err != nil {
		return nil, err
	}
	if p.stream.most == 0 {
		p.stream.most = defaultMaxEvent
	}
	switch {
	case p.at != "" || p.atMost != 0:
		return nil, errors.New("graphql: At and AtMost are for Nodes, Edges and Pages: leave the loop to end a subscription")
	case p.stream.socket == nil && p.stream.init != nil:
		return nil, errors.New("graphql: InitPayload is for a WebSocket; an HTTP request authenticates by the client's aplomb.Auth")
	}
	return p, nil
}

// chooseStream is choose for Subscribe.
func chooseStream(operations []operation, name string) (operation, error) {
	o, err := named(operations, name)
	if err == nil && o.kind != "subscription" {
		err = fmt.Errorf("graphql: Subscribe is for subscriptions: send a %s with Execute", o.kind)
	}
	return o, err
}

// A source is one stream of a subscription.
type source interface {
	// next is an execution result; io.EOF follows the last. Any other error is a
	// *fault.
	next(ctx context.Context) ([]byte, error)
	close()
}

// fault is why a source has no further event.
type fault struct {
	what  string // scrubbed
	cause error
	final bool // another stream would fare no better
}

func (f *fault) Error() string { return f.what }
func (f *fault) Unwrap() error { return f.cause }

// lost is the error of a stream that was cut: another may hold.
type lost struct{ *refusal }

// subscription is the state of one range.
type subscription[T any] struct {
	trip
	yield    func(T, error) bool
	start    time.Time
	events   int
	failures int  // streams in a row that brought no event
	left     bool // by the caller
}

// follow yields the events of one stream. Nil is the end of the subscription.
func (s *subscription[T]) follow(ctx context.Context) error {
	src, err := s.open(ctx)
	if err != nil {
		return s.final(ctx, err)
	}
	defer src.close()
	for {
		raw, err := src.next(ctx)
		if err == io.EOF { //nolint:errorlint // the contract of source
			return nil
		}
		if err != nil {
			return s.final(ctx, err)
		}
		s.events++
		s.failures = 0
		data, ours, err := s.event(raw)
		if err != nil && !ours {
			return err
		}
		if !s.yield(data, err) {
			s.left = true
			return nil
		}
	}
}

func (s *subscription[T]) open(ctx context.Context) (source, error) {
	if s.plan.stream.socket != nil {
		return openSocket(ctx, &s.trip)
	}
	return openEvents(ctx, &s.trip)
}

// event reads an execution result; ours says that err is this event's alone.
func (s *subscription[T]) event(raw []byte) (data T, ours bool, err error) {
	var a answer[T]
	if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte(byteOrderMark)), &a); err != nil {
		if e := s.explain(&ResponseError{Errors: a.Errors, Extensions: a.Extensions, Response: s.response, cause: err}); e != nil {
			return data, false, e
		}
		return data, false, &refusal{s.line(fmt.Sprintf("event %d: %s", s.events, s.scrub(describe(err)))), err}
	}
	err = s.plan.judged(a.failure(&s.trip))
	if a.Data != nil {
		return *a.Data, true, err
	}
	_, begun := throttled(a.Errors)
	return data, begun, err
}

// final is the error that the range would end with.
func (s *subscription[T]) final(ctx context.Context, err error) error {
	f, ok := errors.AsType[*fault](err)
	switch {
	case !ok: // the root's own, or the server's
		return err
	case ctx.Err() != nil:
		return &refusal{s.line("ended: " + s.scrub(context.Cause(ctx).Error())), context.Cause(ctx)}
	case f.final:
		return &refusal{s.line(f.what), f.cause}
	}
	return lost{&refusal{s.line(f.what), f.cause}}
}

// line is an error's text: client, operation, what happened, and when.
func (s *subscription[T]) line(what string) string {
	many := "s"
	if s.events == 1 {
		many = ""
	}
	return fmt.Sprintf("%s: %s: %s (%d event%s, %s)", s.plan.api.Name(), safe(s.operation), what,
		s.events, many, time.Since(s.start).Round(time.Millisecond))
}

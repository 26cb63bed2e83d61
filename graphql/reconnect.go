package graphql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Reconnection says how [Reconnect] follows a stream that was cut. Its zero value
// is the recommended setting.
type Reconnection struct {
	// Attempts is how many further streams are tried in a row before the range
	// ends with the last one's error. A stream that brings an event starts the
	// count anew. Default 8.
	Attempts int
	// MinBackoff and MaxBackoff bound the wait before a stream: it is random,
	// between nothing and MinBackoff, doubled with each attempt in a row up to
	// MaxBackoff. Defaults 1 s and 30 s. Where the server said how long to wait,
	// it is no shorter than that.
	MinBackoff, MaxBackoff time.Duration
	// On is told of each attempt before its wait, by the goroutine that ranges.
	// Nil is nobody.
	On func(ReconnectEvent)
}

// ReconnectEvent is a stream that was cut, or did not come about, and will be
// followed by another.
type ReconnectEvent struct {
	// Client is the client's name, Operation the subscription's.
	Client, Operation string
	// Attempt counts from 1 since the last event that came.
	Attempt int
	// Err is what the range would have ended with.
	Err error
	// Wait is the time until the attempt.
	Wait time.Duration
}

// Reconnect makes [Subscribe] begin anew when its stream is cut: by a lost
// connection, an end without complete, silence, or a WebSocket's close code for
// which that may help. Without it the range ends there.
//
// A subscription has no memory: what happens while there is no stream is missed,
// and a server that begins by telling how things stand tells it again. Where
// that matters, ask for the state after each [ReconnectEvent].
//
// What the server refused ends the range at once: an answer with GraphQL errors,
// a status of 4xx but 408 and 429, a close code after which another connection
// would fare no better (4004, 4005, 4400, 4401, 4406, 4409, 4429, 4500, and those
// below 2000 but 1000, 1001, 1005, 1006 and 1012 to 1014). So does the end of ctx, and a
// wait that would go past its deadline.
func Reconnect(r Reconnection) aplomb.CallOption {
	return own("Reconnect", func(p *plan) error {
		if r.Attempts < 0 || r.MinBackoff < 0 || r.MaxBackoff < 0 {
			return errors.New("graphql: Reconnect: a negative number; leave Reconnect out to switch it off")
		}
		full := r
		if full.Attempts == 0 {
			full.Attempts = 8
		}
		if full.MinBackoff == 0 {
			full.MinBackoff = time.Second
		}
		if full.MaxBackoff == 0 {
			full.MaxBackoff = max(30*time.Second, full.MinBackoff)
		}
		if full.MinBackoff > full.MaxBackoff {
			return fmt.Errorf("graphql: Reconnect: MinBackoff %v is above MaxBackoff %v", full.MinBackoff, full.MaxBackoff)
		}
		p.stream.again = &full
		return nil
	})
}

// await waits before the next stream. It returns an error, most often err, if
// there is to be none.
func (s *subscription[T]) await(ctx context.Context, err error) error {
	r := s.plan.stream.again
	if r == nil || s.failures >= r.Attempts || ctx.Err() != nil || !passing(err) {
		return err
	}
	s.failures++
	wait := max(s.backoff(r), asked(err))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return err
	}
	if r.On != nil {
		r.On(ReconnectEvent{Client: s.plan.api.Name(), Operation: s.operation, Attempt: s.failures, Err: err, Wait: wait})
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		cause := context.Cause(ctx)
		return &refusal{s.line("ended while waiting to reconnect: " + s.scrub(cause.Error())), errors.Join(cause, err)}
	}
}

// backoff is full jitter: of many clients that lost the same server, each comes
// back at a time of its own.
func (s *subscription[T]) backoff(r *Reconnection) time.Duration {
	random := s.plan.stream.random
	if random == nil {
		random = rand.Float64
	}
	limit := r.MinBackoff
	for i := 1; i < s.failures && limit < r.MaxBackoff; i++ {
		limit = min(2*limit, r.MaxBackoff)
	}
	return time.Duration(random() * float64(limit))
}

// passing reports an error that another stream may not meet.
func passing(err error) bool {
	if _, ok := errors.AsType[lost](err); ok {
		return true
	}
	if _, ok := errors.AsType[*ResponseError](err); ok {
		return false
	}
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		return e.StatusCode >= 500 || e.StatusCode == http.StatusRequestTimeout || e.StatusCode == http.StatusTooManyRequests
	}
	e, ok := errors.AsType[*aplomb.CallError](err)
	refused := errors.Is(err, aplomb.ErrCircuitOpen) || errors.Is(err, aplomb.ErrBulkheadFull) || errors.Is(err, aplomb.ErrRateLimited)
	return ok && (e.Attempts > 0 || refused)
}

// asked is how long err says to wait.
func asked(err error) time.Duration {
	var wait time.Duration
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		wait = e.RetryAfter
	} else if e, ok := errors.AsType[*aplomb.CallError](err); ok && !e.ReadyAt.IsZero() {
		wait = time.Until(e.ReadyAt)
	}
	return min(wait, 24*time.Hour) // a server's clock may be broken
}

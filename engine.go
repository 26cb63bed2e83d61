package aplomb

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// engine is go-retryablehttp as the loop and the timer of one call's attempts after the
// first. It sends a request that is nothing but a place in its loop; what goes to the
// server is made here, anew for each attempt.
type engine struct {
	loop

	results replay // of which it takes the first for its own
	asked   bool   // for the decision on the first, which was made before
	client  retryablehttp.Client
	beneath http.Client // that client sends by it
	turn    retryablehttp.Request
	request *http.Request // of the next attempt
}

func (e *engine) run() (*http.Response, error) {
	ctx := e.orig.Context()
	waiting := ctx
	if own, ok := ctx.(*callContext); ok {
		waiting = own.Context // no backoff outlives the call's deadline, so it needs no timer for that
	}
	// Functions, and not the engine as an interface: with that the linker would keep
	// all methods of what it consists of.
	e.results.next = RoundTripFunc(e.send)
	e.beneath.Transport, e.beneath.CheckRedirect = &e.results, stay
	e.client = retryablehttp.Client{
		// A transport without CloseIdleConnections, or the engine would drop
		// everybody's connections on any failure.
		HTTPClient:   &e.beneath,
		RetryMax:     1 << 20, // again counts, per call and across redirects
		CheckRetry:   e.check,
		Backoff:      e.pause,
		PrepareRetry: e.rearm,
		ErrorHandler: func(_ *http.Response, err error, _ int) (*http.Response, error) { return nil, err },
	}
	e.turn.Request = (&http.Request{Method: http.MethodGet, URL: e.orig.URL, Header: http.Header{}}).WithContext(waiting)
	resp, err := e.client.Do(&e.turn)
	switch {
	case e.lost != nil:
		return nil, e.lost
	case e.wake != nil:
		e.wake.end()
		e.budget(e.last).earn(e.cost) // paid for a retry that was not sent
		return nil, fmt.Errorf("%w (while waiting to retry after %w)", cmp.Or(context.Cause(ctx), context.Cause(waiting)), e.last.failure())
	default:
		return resp, withoutURL(err)
	}
}

func (e *engine) send(*http.Request) (*http.Response, error) { return e.t.next.RoundTrip(e.request) }

// stay leaves redirects to http.Client above us.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (e *engine) check(context.Context, *http.Response, error) (bool, error) {
	if !e.asked {
		e.asked = true
		return true, nil
	}
	return e.again(), nil
}

func (e *engine) pause(time.Duration, time.Duration, int, *http.Response) time.Duration {
	e.wake = e.call.startWait(e.orig.Context(), WaitBackoff, e.wait)
	return max(0, time.Until(e.from.Add(e.wait))) // what the draining and a hook took is over
}

// rearm makes the request of the next attempt, with a body opened anew.
func (e *engine) rearm(*http.Request) error {
	if ctx := e.orig.Context(); endedBy(ctx, time.Now()) { // while a hook took its time
		return ctx.Err() // which run words
	}
	e.wake.end()
	e.wake = nil
	next := *e.orig
	next.RequestURI = ""
	if e.call.stack.cfg.wrapped() { // a middleware may have changed the last one's
		next.Header = cloned(e.orig.Header)
	}
	if next.GetBody != nil {
		body, err := next.GetBody()
		if err != nil {
			e.lost = fmt.Errorf("open the request body again: %w", err)
			return e.lost
		}
		next.Body = body
	}
	e.request = &next
	return nil
}

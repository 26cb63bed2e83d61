package aplomb

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// A listener is Hooks that are no option any more. A client has these: the linker
// keeps all methods of what a client consists of, and with that of Hooks the stopwatch.
type listener Hooks

// watchers tells hooks and log of what happens. Without either, no event is
// even built (law 14).
type watchers struct {
	client  string
	hooks   []listener
	measure func(*Attempt) // starts an attempt's stopwatch; nil without hooks
	log     journal        // nil without Logging
}

// A journal writes down what happens. [Logging] is the only one, and behind an
// interface, so that a program without it links none of it.
type journal interface {
	attempt(a *Attempt)
	wait(ctx context.Context, e WaitEvent)
	breaker(e BreakerEvent)
	store(e StoreEvent)
	deprecated(ctx context.Context, e DeprecationEvent)
}

// A journalist opens a client's journal.
type journalist interface{ journal(client string) journal }

func newWatchers(cfg config) watchers {
	w := watchers{client: cfg.name, hooks: cfg.hooks, measure: cfg.measure}
	if cfg.logging != nil {
		w.log = cfg.logging.journal(cfg.name)
	}
	return w
}

var calls atomic.Uint64

// begin and done frame the logical call.
func (c *call) begin(ctx context.Context) {
	w := c.stack.watch
	if len(w.hooks) == 0 {
		return
	}
	c.began = c.start
	if c.hops > 0 {
		c.began = time.Now()
	}
	e := c.event()
	for i := range w.hooks {
		if start := w.hooks[i].CallStart; start != nil {
			start(ctx, e)
		}
		c.heard = i + 1
	}
}

// unwind tells of a call that panicked; a call that is done it tells nothing of.
func (c *call) unwind(ctx context.Context) {
	if c.heard > 0 {
		c.done(ctx, errPanicked)
	}
}

var errPanicked = errors.New("aplomb: a middleware, the transport or a hook panicked")

// done also hands out what Capture asked for.
func (c *call) done(ctx context.Context, err error) {
	for _, r := range c.capture {
		*r = c.response()
	}
	hooks := c.stack.watch.hooks[:c.heard]
	if len(hooks) == 0 {
		return
	}
	e := c.event()
	e.Elapsed, e.Waited, e.Attempts, e.Err = time.Since(c.began), c.waited-c.told.waited, c.attempts-c.told.attempts, err
	c.told, c.heard = telling{c.attempts, c.waited}, 0
	whole := 0
	if c.last != nil && c.last.answer() != nil {
		e.Status = c.last.answer().StatusCode
		if c.last.Response != nil {
			whole = e.Status
		}
	}
	e.Result = resultOf(whole, err)
	for i := range hooks {
		if done := hooks[i].CallDone; done != nil {
			done(ctx, e)
		}
	}
}

func (c *call) event() CallEvent {
	return CallEvent{Call: c.id, Client: c.stack.cfg.name, Operation: c.operation, Method: c.method, Host: c.host(), Start: c.began}
}

// host is where the call goes, its own server's before anything was sent.
func (c *call) host() string {
	if c.last != nil {
		return hostOf(c.last.Request.URL)
	}
	if c.stack.cfg.base != nil {
		return hostOf(c.stack.cfg.base)
	}
	return ""
}

// hostOf is a URL's host as in its origin: in lower case, with a port that is not the
// scheme's own.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch strings.ToLower(u.Scheme) {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

func (w *watchers) attemptEvent(a *Attempt) AttemptEvent {
	e := AttemptEvent{
		Call: a.call.id, Client: w.client, Operation: a.Operation, Method: methodOf(a.Request), Host: hostOf(a.Request.URL), Scheme: a.Request.URL.Scheme,
		Number: a.Number, Redirect: a.redirect, Start: a.start, Elapsed: a.elapsed, Verdict: a.Verdict, Err: a.tell(a.Err),
		Probe: a.permit != nil && a.permit.probe, Hedge: a.hedge, attempt: a,
	}
	if resp := a.answer(); resp != nil {
		e.Status = resp.StatusCode
		e.Date, _ = dateOf(resp.Header)
	}
	return e
}

// AttemptFrom is the attempt that a [PerAttempt] middleware is asked to send, by its
// request's context: the event that [Hooks].AttemptStart was told. ok is false outside
// of one.
func AttemptFrom(ctx context.Context) (e AttemptEvent, ok bool) {
	a := attemptFrom(ctx)
	if a == nil {
		return AttemptEvent{}, false
	}
	return a.call.stack.watch.attemptEvent(a), true
}

func (w *watchers) attemptStart(a *Attempt) {
	for _, h := range w.hooks {
		if h.WantPhases != nil && a.watch == nil && h.WantPhases(a.ctx, w.attemptEvent(a)) {
			w.measure(a)
		}
	}
	for i := range w.hooks {
		if start := w.hooks[i].AttemptStart; start != nil {
			start(a.ctx, w.attemptEvent(a))
		}
		a.heard = i + 1
	}
}

// attemptDone tells of an attempt that was made; one refused before is told of
// by its call.
func (w *watchers) attemptDone(a *Attempt) {
	if a.start.IsZero() {
		return
	}
	phases, hooks := a.watch.stop(a.call.typed), w.hooks[:a.heard]
	a.heard = 0
	for i := range hooks {
		if done := hooks[i].AttemptDone; done != nil {
			e := w.attemptEvent(a)
			e.Phases, e.done = phases, true
			done(a.ctx, e)
		}
	}
	if w.log != nil {
		w.log.attempt(a)
	}
}

func (w *watchers) bodyFailed(a *Attempt, err error) {
	for _, h := range w.hooks {
		if h.BodyFailed != nil {
			e := w.attemptEvent(a)
			e.Err = a.tell(err)
			h.BodyFailed(a.ctx, e)
		}
	}
}

func (w *watchers) breaker(e BreakerEvent) {
	e.Client = w.client
	for _, h := range w.hooks {
		if h.Breaker != nil {
			h.Breaker(e)
		}
	}
	if w.log != nil {
		w.log.breaker(e)
	}
}

func (w *watchers) quota(ctx context.Context, e QuotaEvent) {
	e.Client = w.client
	for _, h := range w.hooks {
		if h.Quota != nil {
			h.Quota(ctx, e)
		}
	}
}

func (w *watchers) store(e StoreEvent) {
	e.Client = w.client
	for _, h := range w.hooks {
		if h.Store != nil {
			h.Store(e)
		}
	}
	if w.log != nil {
		w.log.store(e)
	}
}

func (w *watchers) deprecated(ctx context.Context, e DeprecationEvent) {
	e.Client = w.client
	for _, h := range w.hooks {
		if h.Deprecated != nil {
			h.Deprecated(ctx, e)
		}
	}
	if w.log != nil {
		w.log.deprecated(ctx, e)
	}
}

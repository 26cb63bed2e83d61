package aplomb

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
)

// watchers tells hooks and log of what happens. Without either, no event is
// even built (law 14).
type watchers struct {
	client string
	hooks  audience // nil without Hooks
	log    journal  // nil without Logging
}

// An audience is told what happens. [Hooks] are the only one, and behind an interface,
// so that a program without them links none of it.
type audience interface { //nolint:interfacebloat // a method for each kind of event
	callStart(ctx context.Context, c *call)
	callDone(ctx context.Context, c *call, err error)
	attemptStart(a *Attempt)
	attemptDone(a *Attempt)
	bodyFailed(a *Attempt, err error)
	waitStart(w *wait)
	waitDone(w *wait)
	breaker(e BreakerEvent)
	quota(ctx context.Context, e QuotaEvent)
	store(e StoreEvent)
	deprecated(ctx context.Context, e DeprecationEvent)
}

// A journal writes down what happens. [Logging] is the only one, and like an audience
// behind an interface.
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
	w := watchers{client: cfg.name}
	if cfg.audience != nil {
		w.hooks = cfg.audience(cfg)
	}
	if cfg.logging != nil {
		w.log = cfg.logging.journal(cfg.name)
	}
	return w
}

var calls atomic.Uint64

// begin and done frame the logical call.
func (c *call) begin(ctx context.Context) {
	if hooks := c.stack.watch.hooks; hooks != nil {
		hooks.callStart(ctx, c)
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
	if c.heard > 0 {
		c.stack.watch.hooks.callDone(ctx, c, err)
	}
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

func (w *watchers) attemptStart(a *Attempt) {
	if w.hooks != nil {
		w.hooks.attemptStart(a)
	}
}

// attemptDone tells of an attempt that was made; one refused before is told of
// by its call.
func (w *watchers) attemptDone(a *Attempt) {
	if a.start.IsZero() {
		return
	}
	if a.heard > 0 {
		w.hooks.attemptDone(a)
	}
	if w.log != nil {
		w.log.attempt(a)
	}
}

func (w *watchers) bodyFailed(a *Attempt, err error) {
	if w.hooks != nil {
		w.hooks.bodyFailed(a, err)
	}
}

func (w *watchers) breaker(e BreakerEvent) {
	e.Client = w.client
	if w.hooks != nil {
		w.hooks.breaker(e)
	}
	if w.log != nil {
		w.log.breaker(e)
	}
}

func (w *watchers) quota(ctx context.Context, e QuotaEvent) {
	if e.Client = w.client; w.hooks != nil {
		w.hooks.quota(ctx, e)
	}
}

func (w *watchers) store(e StoreEvent) {
	e.Client = w.client
	if w.hooks != nil {
		w.hooks.store(e)
	}
	if w.log != nil {
		w.log.store(e)
	}
}

func (w *watchers) deprecated(ctx context.Context, e DeprecationEvent) {
	e.Client = w.client
	if w.hooks != nil {
		w.hooks.deprecated(ctx, e)
	}
	if w.log != nil {
		w.log.deprecated(ctx, e)
	}
}

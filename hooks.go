package aplomb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// Hooks is an [Option]: functions called when something happens, for metrics,
// traces and tests. Any may be nil. They run on the call's own goroutine, those
// of a hedge on one beside it, so they should be quick; several Hooks add up, in
// order. The context is the call's, with the caller's values and the call's
// deadline. No event holds a secret, and Operation has few values.
type Hooks struct {
	// CallStart and CallDone frame a logical call. Under [Client.HTTPClient]
	// each redirect hop is a call of its own.
	CallStart func(context.Context, CallEvent)
	CallDone  func(context.Context, CallEvent)
	// AttemptStart and AttemptDone frame each request sent. AttemptDone comes
	// when the verdict is sealed.
	AttemptStart func(context.Context, AttemptEvent)
	AttemptDone  func(context.Context, AttemptEvent)
	// WantPhases is asked before an attempt whether AttemptDone is to tell its
	// [Phases], which costs the attempt about twenty allocations.
	WantPhases func(context.Context, AttemptEvent) bool
	// BodyFailed reports a response body that broke off after its verdict, on
	// the net/http doors.
	BodyFailed func(context.Context, AttemptEvent)
	// WaitStart and WaitDone frame every wait.
	WaitStart func(context.Context, WaitEvent)
	WaitDone  func(context.Context, WaitEvent)
	// Breaker reports a circuit breaker's transition.
	Breaker func(BreakerEvent)
	// Quota reports what an answer said of a quota, and each refusal.
	Quota func(context.Context, QuotaEvent)
	// Store reports that the store behind [Fleet] went away or came back.
	Store func(StoreEvent)
	// Deprecated reports a Deprecation or Sunset header, once per operation.
	Deprecated func(context.Context, DeprecationEvent)
}

func (h Hooks) applyClient(c *config) error {
	c.hooks = append(slices.Clip(c.hooks), listener(h))
	c.measure = (*Attempt).measure
	return nil
}

// CallEvent is a logical call, begun or done.
type CallEvent struct {
	_ [0]func() // not compared as a whole: code for that would be in each program

	// Call is the same for all events of a call, and of no other in this process.
	// Where each redirect hop is an event of its own, all of them have it.
	Call uint64
	// Client is the name by [Name], the base URL's host without one. Operation is
	// the method and the path's template, or [Operation]'s. Host is in lower case, and
	// has a port unless that is the scheme's own.
	Client, Operation, Method, Host string
	Start                           time.Time
	// The rest is known when the call is done.
	Elapsed time.Duration
	// Waited is the part of Elapsed spent in backoff, bulkhead, limiter and gate.
	Waited time.Duration
	// Attempts counts the requests sent, for this hop where each hop is an event.
	Attempts int
	// Status is the last response's, 0 without one.
	Status int
	Result Result
	Err    error
}

// Result is how a call ended, in few words: a metric's label.
type Result string

// The results of calls.
const (
	ResultOK           Result = "ok"
	ResultClientError  Result = "client_error"  // the server blamed the request: 4xx
	ResultServerError  Result = "server_error"  // 5xx
	ResultRateLimited  Result = "rate_limited"  // 429, or a quota that would not free up in time
	ResultTimeout      Result = "timeout"       // of an attempt, or of the call
	ResultNetwork      Result = "network"       // no answer, or one that broke off
	ResultBreakerOpen  Result = "breaker_open"  // not sent: the circuit was open
	ResultBulkheadFull Result = "bulkhead_full" // not sent: too many are under way
	ResultCanceled     Result = "canceled"      // by the caller
	ResultDecodeError  Result = "decode_error"  // an answer that is not what was asked for
	// ResultRefused is what aplomb did not do or take, with nothing wrong at the
	// server: no credential, a redirect against its rules, an answer above MaxBody.
	ResultRefused Result = "refused"
	ResultPanic   Result = "panic" // of a middleware, the transport or a hook
)

// AttemptEvent is one request, about to be sent or answered.
type AttemptEvent struct {
	_ [0]func() // see CallEvent

	// Call is its [CallEvent]'s.
	Call                            uint64
	Client, Operation, Method, Host string
	// Scheme is "http" or "https".
	Scheme string
	// Number counts the call's attempts from 1.
	Number int
	// Redirect says that this is the first attempt after a redirect was followed,
	// and repeats nothing.
	Redirect bool
	Start    time.Time
	// The rest is known when the attempt is done.
	Elapsed time.Duration
	// Status is the answer's, 0 without one. One whose body broke off has an Err, too.
	Status  int
	Verdict Verdict
	// Date is when the answer was written, by the server's clock (RFC 9110, section
	// 6.6.1). Zero without one, and where a cache has kept the answer.
	Date time.Time
	// Probe says that this attempt tested whether a broken circuit can close.
	Probe bool
	// Hedge says that this is the extra attempt of a [Hedge]. The one of the two
	// that lost has the outcome neutral.
	Hedge bool
	Err   error
	// Phases is nil unless [Hooks].WantPhases asked for them.
	Phases *Phases

	attempt *Attempt
	done    bool
}

// Format prints one line for every verb: the attempt that it is of may hold what is
// for no log.
func (e AttemptEvent) Format(f fmt.State, verb rune) { formatLine(f, verb, e.summary()) }

func (e AttemptEvent) summary() string {
	line := "attempt " + strconv.Itoa(e.Number) + " of " + e.Operation
	if e.Status != 0 {
		line += ": status " + strconv.Itoa(e.Status)
	}
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	return line
}

// URL is the address that the attempt went to, without its secrets.
func (e AttemptEvent) URL() string {
	if e.attempt == nil {
		return ""
	}
	shown := redact.URL(e.attempt.Request.URL)
	if e.done { // before, not all of them are there
		shown = without(shown, secretsOf(e.attempt))
	}
	return shown
}

// Foreign reports an attempt that goes to another origin than the call was made for,
// by a redirect: what is between the caller and the API is not for it.
func (e AttemptEvent) Foreign() bool {
	return e.attempt != nil && e.attempt.call.foreign(e.attempt.Request)
}

// Traceparent is what the attempt was sent with (W3C Trace Context), "" if nothing.
func (e AttemptEvent) Traceparent() string {
	if e.attempt == nil {
		return ""
	}
	return e.attempt.carried().Header.Get("Traceparent")
}

// RequestID is the server's name for the request, "" if it gave none.
func (e AttemptEvent) RequestID() string {
	if e.attempt == nil || e.attempt.answer() == nil {
		return ""
	}
	return redact.Text(requestID(e.attempt.answer().Header), 80, secretsOf(e.attempt)...)
}

// Protocol is what the answer came by, such as "HTTP/2.0", "" without one.
func (e AttemptEvent) Protocol() string {
	if e.attempt == nil || e.attempt.answer() == nil {
		return ""
	}
	return e.attempt.answer().Proto
}

// WaitEvent is a wait, begun or ended.
type WaitEvent struct {
	// Call is its [CallEvent]'s.
	Call              uint64
	Client, Operation string
	Cause             WaitCause
	Start             time.Time
	// Duration is how long it will take, or may at most where the cause is
	// [WaitBulkhead]; in WaitDone, how long it took.
	Duration time.Duration
}

// BreakerState is a state of a circuit breaker.
type BreakerState string

// The states of a circuit breaker.
const (
	BreakerClosed   BreakerState = "closed"
	BreakerOpen     BreakerState = "open"
	BreakerHalfOpen BreakerState = "half-open" // a probe decides
)

// BreakerEvent is a transition of a circuit breaker.
type BreakerEvent struct {
	Client string
	// Key is what the breaker guards: an origin unless Breaker.Key says otherwise.
	Key      string
	From, To BreakerState
	// At is when. Events of one breaker may be told of out of order.
	At time.Time
	// ReadyAt is from when on an open breaker lets a call through as its probe;
	// without a call it stays open. Zero unless To is open.
	ReadyAt time.Time
	// Failed of Completed attempts were counted when it last tripped.
	Failed, Completed int
}

// QuotaEvent is what a server said of one quota.
type QuotaEvent struct {
	// Call is the [CallEvent]'s whose answer said it.
	Call              uint64
	Client, Operation string
	// Name is the server's name for the quota, "" if it gave none.
	Name string
	// Limit and Remaining are units per window; when unknown Limit is 0 and
	// Remaining -1.
	Limit, Remaining int64
	// PerSecond is the rate that requests keep to now, as found from the server's
	// numbers or its refusals; 0 is none.
	PerSecond float64
	// ResetAt is zero when unknown.
	ResetAt time.Time
	// ClosedUntil is in the future while no request is let through.
	ClosedUntil time.Time
}

// StoreEvent is that a [Fleet]'s store went away, or came back.
type StoreEvent struct {
	Client string
	// Down says that it went away, and Err why.
	Down bool
	Err  error
	At   time.Time
}

// DeprecationEvent is a server's announcement that an operation goes away.
type DeprecationEvent struct {
	// Call is the [CallEvent]'s whose answer said it.
	Call              uint64
	Client, Operation string
	// Deprecated is since when it is deprecated (RFC 9745); zero when not stated.
	Deprecated time.Time
	// Sunset is when it stops answering (RFC 8594); zero when not stated.
	Sunset time.Time
	// Link points to what the server says about it.
	Link string
}

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

func resultOf(status int, err error) Result {
	_, decoding := errors.AsType[*DecodeError](err)
	switch {
	case decoding:
		return ResultDecodeError
	case errors.Is(err, ErrCircuitOpen):
		return ResultBreakerOpen
	case errors.Is(err, ErrBulkheadFull):
		return ResultBulkheadFull
	case errors.Is(err, errPanicked):
		return ResultPanic
	case errors.Is(err, context.Canceled):
		return ResultCanceled
	case refused(err):
		return ResultRefused
	case status == http.StatusTooManyRequests, errors.Is(err, ErrRateLimited):
		return ResultRateLimited
	case status >= 500:
		return ResultServerError
	case status >= 400:
		return ResultClientError
	case err == nil:
		return ResultOK
	case timedOut(err):
		return ResultTimeout
	}
	return ResultNetwork
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

// refused reports what aplomb itself did not do, or did not take.
func refused(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.sentinel == nil && r.err == nil || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNoCredential)
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

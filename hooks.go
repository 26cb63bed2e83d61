package aplomb

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
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
	c.audience = newListeners
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

// Reason says in a word why the attempt was sent: "first", "retry", "redirect", "hedge"
// or "probe".
func (e AttemptEvent) Reason() string {
	switch {
	case e.Hedge:
		return "hedge"
	case e.Probe:
		return "probe"
	case e.Redirect:
		return "redirect"
	case e.Number > 1:
		return "retry"
	}
	return "first"
}

// Server is Host as an address and a port, which is the scheme's own where Host has
// none: server.address and server.port of OpenTelemetry's semantic conventions.
func (e AttemptEvent) Server() (address, port string) {
	address, port, err := net.SplitHostPort(e.Host)
	if err != nil {
		return strings.Trim(e.Host, "[]"), map[string]string{"http": "80", "https": "443"}[e.Scheme]
	}
	return address, port
}

// Traceparent is what the attempt was sent with (W3C Trace Context), "" if nothing.
func (e AttemptEvent) Traceparent() string {
	if e.attempt == nil {
		return ""
	}
	return e.attempt.sent().Header.Get("Traceparent")
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

func (c *call) event() CallEvent {
	return CallEvent{Call: c.id, Client: c.stack.cfg.name, Operation: c.operation, Method: c.method, Host: c.host(), Start: c.began}
}

func (a *Attempt) event() AttemptEvent {
	e := AttemptEvent{
		Call: a.call.id, Client: a.call.stack.watch.client, Operation: a.Operation, Method: methodOf(a.Request), Host: hostOf(a.Request.URL), Scheme: a.Request.URL.Scheme,
		Number: a.Number, Redirect: a.redirect, Start: a.start, Elapsed: a.elapsed, Verdict: a.Verdict, Err: a.tell(a.Err),
		Probe: a.permit.probe, Hedge: a.hedge, attempt: a,
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
	return a.event(), true
}

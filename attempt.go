package aplomb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Attempt is one sending of a call's request.
type Attempt struct {
	// Number counts the call's attempts from 1.
	Number int
	// Operation is the call's name: its method and path template, or what [Operation] said.
	Operation string
	// Request is what was handed to this attempt, without the credential. It is for
	// reading: its header may be shared with other calls, and its context may be the
	// call's.
	Request *http.Request
	// Response is nil when Err is not.
	Response *http.Response
	// Err is the transport's failure.
	Err error
	// Verdict is the verdict so far; it is sealed once the judges have run.
	Verdict Verdict

	carrier carrier // of itself
	call    *call
	ctx     context.Context // the call's; the attempt's own may end earlier
	dog     watchdog        // ends it
	beneath *Attempt        // whose answer a middleware made this one's of
	at      time.Time       // the time as last read: before the queues, and by whoever waited in one
	start   time.Time
	elapsed time.Duration
	oneShot oneShot
	// redirect says that it is the first after a redirect was followed.
	redirect bool
	// A PerAttempt middleware may send more than once at a time, so what is
	// found below it is atomic.
	wire      atomic.Pointer[http.Request] // as given to the base transport, credential included
	attached  atomic.Bool                  // a credential was attached
	dated     atomic.Value                 // a dating, where ServerTime was asked
	renewable atomic.Bool                  // the credential that was refused has a successor
	touched   atomic.Bool                  // the transport has asked for the body
	breaker   *breaker
	permit    permit
	quota     *quota
	told      *told  // the rate that it keeps to, if it is to keep one by itself
	shared    string // the quota's key in the fleet's store
	slot      slot
	seat      seat
	race      contest        // where the call is hedged
	hedge     bool           // the extra attempt of that race
	behind    time.Time      // when the first of the race was sent, for the extra one
	watch     *stopwatch     // where its phases are told
	body      []byte         // a typed call's, read inside the attempt
	broken    *http.Response // whose body did not come
	heard     int            // how many hooks know of it
	memory    memoryBody     // body, as the response has it
	returned  bool           // what it holds was handed on or given back

	mu         sync.Mutex
	carries    []carried // the secrets in it
	carriesOne [1]carried
	renewal    error // why one that was refused has no successor

	scrubOnce sync.Once
	secrets   []string // what carried may not show, found on demand
}

// answer is the response, also one whose body did not come.
func (a *Attempt) answer() *http.Response { return cmp.Or(a.Response, a.broken) }

// Format prints one line for every verb: the request and the response may hold
// what is for no log.
func (a *Attempt) Format(f fmt.State, verb rune) { formatLine(f, verb, a.summary()) }

// LogValue is what slog prints.
func (a *Attempt) LogValue() slog.Value { return slog.StringValue(a.summary()) }

// MarshalJSON gives the line alone.
func (a *Attempt) MarshalJSON() ([]byte, error) { return lineJSON(a.Operation, a.summary()) }

func (a *Attempt) summary() string {
	line := "attempt " + strconv.Itoa(a.Number) + " of " + a.Operation
	if a.Response != nil {
		line += ": status " + strconv.Itoa(a.Response.StatusCode)
	}
	if a.Err != nil {
		line += ": " + safeText(a.Err, secretsOf(a))
	}
	return line
}

// peekTime is how long a judge may wait for a body that nobody reads yet. What
// trickles for longer is closed, and fails who reads it then.
const peekTime = 10 * time.Second

// Peek returns up to limit bytes of the response body and leaves the body as it
// was. It returns nothing for a stream (server-sent events, a multipart or
// upgraded response), which it must not touch.
func (a *Attempt) Peek(limit int) ([]byte, error) {
	if a.body != nil {
		return slices.Clip(a.body[:min(limit, len(a.body))]), nil
	}
	if a.Response == nil || a.Response.Body == nil || isStream(a.Response) {
		return nil, nil
	}
	body := a.Response.Body
	timer := time.AfterFunc(peekTime, func() { _ = body.Close() })
	head, err := io.ReadAll(io.LimitReader(body, int64(limit)))
	timer.Stop()
	rest := io.Reader(a.Response.Body)
	if err != nil {
		rest = failedReader{err}
	}
	a.Response.Body = &peeked{io.MultiReader(bytes.NewReader(head), rest), a.Response.Body}
	return head, err
}

// sent is the request as it left: with the credential, once it had one.
func (a *Attempt) sent() *http.Request {
	if wire := a.wire.Load(); wire != nil {
		return wire
	}
	return a.Request
}

type peeked struct {
	io.Reader
	io.Closer
}

type failedReader struct{ err error }

func (f failedReader) Read([]byte) (int, error) { return 0, f.err }

// try is one attempt, the first of in where that is a race, from the breaker's
// check to the sealed verdict. Waits come before the breaker's admission, so
// that no probe is held in a queue, and before the credential, so that it is
// fresh when it is sent.
func (s *stack) try(r *http.Request, in contest) (*http.Response, error) {
	c := callFrom(r.Context())
	a := c.newAttempt(r)
	a.redirect = r.Response != nil && (c.last == nil || c.last.Request.Response != r.Response)
	c.last = a
	if in != nil {
		in.enter(a)
	}
	defer s.abandon(a)
	a.breaker = s.breakers.of(a)
	if a.Err = s.admit(a); a.Err == nil {
		s.perform(a)
	} else {
		closeBody(r)
		a.cancel(nil)
		s.seal(a)
	}
	a.returned = true
	return a.Response, a.Err
}

// perform sends an admitted attempt and seals its verdict.
func (s *stack) perform(a *Attempt) {
	c := a.call
	a.Number = c.count(1)
	if c.trace != nil {
		a.Request = c.trace(a.Request, c)
	}
	a.start = a.at
	s.watch.attemptStart(a)
	a.Response, a.Err = normalise(s.transmit(a))
	if a.Err == nil {
		a.Response.Request = a.Request // the transport's own carries the credential
	}
	if a.Err == nil && c.typed {
		a.Err = a.readBody()
	}
	if a.Err != nil {
		a.Response, a.broken = nil, a.Response
		a.cancel(nil)
		if a.unsent() {
			c.count(-1)
		}
	} else if !c.typed {
		a.seat.keep(a)
	}
	s.seal(a)
}

// unsent reports an attempt that the library itself did not send.
func (a *Attempt) unsent() bool {
	_, refused := errors.AsType[*refusal](a.Err)
	return refused && a.wire.Load() == nil
}

// endedUnsent is the error of an attempt whose call ended before it was sent.
func endedUnsent(ctx context.Context) error {
	return &refusal{why: "ended before it was sent", err: context.Cause(ctx)}
}

// transmit sends the attempt's request, through the PerAttempt middlewares if there are
// any, which then get a copy in the attempt's context.
func (s *stack) transmit(a *Attempt) (*http.Response, error) {
	if len(s.cfg.perAttempt) == 0 {
		return s.wire.roundTrip(a, a.Request)
	}
	a.bind()
	return s.attempt.RoundTrip(a.Request)
}

var errLostContext = errors.New("aplomb: a middleware replaced the request's context: derive it from the one it was given")

// attemptOf is the attempt that r belongs to. It is lost where a middleware
// gives r a context of its own; what then follows would go without credential
// and timeouts, so it does not go at all.
func attemptOf(r *http.Request) (*Attempt, error) {
	if a := attemptFrom(r.Context()); a != nil {
		return a, nil
	}
	closeBody(r)
	return nil, errLostContext
}

// newAttempt begins an attempt to send r, with a context to be cancelled by. r is in
// it only from bind or the wire on.
func (c *call) newAttempt(r *http.Request) *Attempt {
	c.mu.Lock() // a PerCall middleware may send two at a time
	a := &c.first
	if a.call != nil {
		a = &Attempt{}
	}
	a.call, a.Number = c, c.attempts+1
	c.mu.Unlock()
	a.Operation, a.ctx = c.operation, r.Context()
	a.carrier = carrier{Context: a.ctx, attempt: a}
	a.dog.carrier = &a.carrier
	a.Request = r
	if len(c.judges) > 0 || c.stack.cfg.keyed { // which may look for it by the context
		a.bind()
	}
	return a
}

// bind puts the attempt's context on its request, for middlewares and phases. Where there
// are none the wire does it, in the copy that it makes anyway.
func (a *Attempt) bind() {
	if attemptFrom(a.Request.Context()) != a {
		a.Request = inContext(&a.carrier, a.Request)
	}
}

// cancel ends the attempt; cause is nil where it is over anyway.
func (a *Attempt) cancel(cause error) {
	a.dog.stop()
	a.carrier.end(cause)
	if a.beneath != nil {
		a.beneath.cancel(cause)
	}
}

// count adds n to the requests sent. The two attempts of a hedged round count at the same
// time, and set trial; the rest of a call is for one goroutine.
func (c *call) count(n int) int {
	c.mu.Lock()
	c.attempts += n
	n = c.attempts
	c.mu.Unlock()
	return n
}

// admit passes the attempt through breaker, bulkhead and gates, in that order; what it
// took before it is refused, abandon or seal gives back, but for the told rate's token:
// that is spent.
func (s *stack) admit(a *Attempt) error {
	a.at = time.Now()
	if endedBy(a.ctx, a.at) {
		return endedUnsent(a.ctx)
	}
	err := a.breaker.check(a.at)
	a.resume(a.breaker.flush(&s.watch))
	if err != nil {
		return err
	}
	if s.bulkheads != nil {
		if err := s.bulkheads.enter(a); err != nil {
			return err
		}
	}
	err = s.limits.wait(a)
	a.resume(s.fleet.flush(&s.watch))
	if err != nil {
		return err
	}
	err = a.breaker.admit(&a.permit, a.at)
	a.resume(a.breaker.flush(&s.watch))
	return err
}

// resume reads the clock anew where somebody was told something, which may take time.
func (a *Attempt) resume(told bool) {
	if told {
		a.at = time.Now()
	}
}

// abandon gives back what a panicking attempt holds, or one that was refused
// without a word.
func (s *stack) abandon(a *Attempt) {
	if !a.returned {
		a.discard()
		if a.heard > 0 {
			a.Err, a.Verdict, a.elapsed = errPanicked, Verdict{Outcome: OutcomeNeutral, Resend: ResendNo}, time.Since(a.start)
			s.watch.attemptDone(a)
		}
		a.breaker.report(&a.permit, OutcomeNeutral, time.Now())
		a.quota.release(a)
		a.seat.leave()
	}
}

// normalise holds what a middleware or a foreign transport returns to net/http's
// contract: a response or an error, and a body.
func normalise(resp *http.Response, err error) (*http.Response, error) {
	switch {
	case err != nil && resp != nil:
		closeResponse(resp)
		return nil, err
	case err != nil:
		return nil, err
	case resp == nil:
		return nil, errors.New("a middleware or the transport returned neither a response nor an error")
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	return resp, nil
}

// seal decides the verdict, once, and tells everyone.
func (s *stack) seal(a *Attempt) {
	now := time.Now()
	if !a.start.IsZero() {
		a.elapsed = now.Sub(a.start)
	}
	if a.judge() {
		now = time.Now()
	}
	a.breaker.report(&a.permit, a.Verdict.Outcome, now)
	a.seat.observe(a)
	if a.Response == nil || a.call.typed { // else its body's end gives the seat up
		a.seat.leave()
	}
	s.remember(a)
	a.breaker.flush(&s.watch)
	a.quota.observe(a, now)
	s.fleet.flush(&s.watch)
	s.watch.attemptDone(a)
	s.notices.look(a, &s.watch)
}

// judge decides the verdict, and reports whether it asked a Judge, which may take its
// time. An attempt that lost a race was cancelled for that, which is for no Judge to
// read.
func (a *Attempt) judge() (asked bool) {
	a.Verdict = classify(a)
	if !a.lost() {
		asked = len(a.call.judges) > 0
		for _, judge := range a.call.judges {
			a.Verdict = a.refine(judge(a))
		}
		if a.race != nil {
			a.race.finish(a)
		}
	}
	if a.lost() {
		a.Verdict = Verdict{Outcome: OutcomeNeutral, Resend: ResendNo}
		if a.Err != nil {
			a.Err = errOutrun
		}
	}
	return asked
}

// lost reports that the race went to the other attempt.
func (a *Attempt) lost() bool { return a.race != nil && a.race.lost(a) }

// refine lays a judge's verdict over the one so far.
func (a *Attempt) refine(v Verdict) Verdict {
	if v == (Verdict{}) {
		return a.Verdict
	}
	if v.Outcome == OutcomeUnset {
		v.Outcome = a.Verdict.Outcome
	}
	return v
}

// readBody reads a typed call's body within the attempt, so that one cut short
// counts as a failure and can be retried.
func (a *Attempt) readBody() error {
	resp := a.Response
	limit, hard := orDefault(a.call.maxBody, defaultMaxBody), true
	if !a.call.expects(resp.StatusCode) {
		limit, hard = min(limit, maxErrorBody), false // an error's body may be cut
	}
	defer a.cancel(nil)
	defer func(body io.Closer) { _ = body.Close() }(resp.Body)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return errUpgraded // the connection would be ours for ever, beyond any context
	}
	got, n, err := gather(resp.Body, limit, resp.ContentLength)
	if err != nil && hard {
		return &bodyError{status: resp.StatusCode, read: int(n), err: err}
	}
	if hard && n > limit {
		return &tooLargeError{resp.StatusCode, limit}
	}
	body := got.join(n)
	a.body = body[:min(int64(len(body)), limit)]
	a.memory = memoryBody{rest: a.body}
	resp.Body = &a.memory
	return nil
}

var errUpgraded = errors.New("status 101: a call by a template cannot take over the connection; use Client.Do")

// memoryBody is a body that was read already.
type memoryBody struct{ rest []byte }

func (b *memoryBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *memoryBody) Close() error { return nil }

// bodyError is a response body that could not be read to its end.
type bodyError struct {
	status int
	read   int
	err    error
}

func (e *bodyError) Error() string {
	return fmt.Sprintf("status %d, body broke off after %d bytes: %v", e.status, e.read, e.err)
}

func (e *bodyError) Unwrap() error { return e.err }

// tooLargeError is a response body over MaxBody.
type tooLargeError struct {
	status int
	limit  int64
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("status %d, the body is larger than MaxBody's %d bytes", e.status, e.limit)
}

func (e *tooLargeError) Is(target error) bool { return target == ErrTooLarge }

// bodyFailed counts a body that broke off after the verdict was sealed.
func (a *Attempt) bodyFailed(err error) {
	if a.ctx.Err() != nil {
		return
	}
	w := &a.call.stack.watch
	a.breaker.fault()
	a.breaker.flush(w)
	w.bodyFailed(a, err)
}

// failure describes what the attempt failed with, for the error of a call that
// ended while waiting to retry it.
func (a *Attempt) failure() error {
	if a.Err != nil {
		return a.Err
	}
	return fmt.Errorf("status %d", a.Response.StatusCode)
}

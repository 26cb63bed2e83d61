package aplomb

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"
)

// Retry is a [RequestOption]: how a failed attempt is repeated. Retry{} is what
// every [New] client has; see [NoRetry].
//
// Repeated are 408, 429, 500, 502, 503, 504 and connection failures; 425 and a
// renewable 401 once. A request is sent twice only if its method is idempotent
// (RFC 9110, section 9.2.2), it is [Safe], it carries an idempotency key, or
// the server provably did nothing with it: 429, or no connection (law 1). When
// no attempt is left, or the next would come after the deadline, the last
// response is returned as it is.
//
// Beneath it all net/http itself resends a request without a body to read, or
// with an Idempotency-Key, when a kept connection turns out to be dead before a
// byte of the answer; that is one attempt here.
type Retry struct {
	// Attempts counts all sendings, the first included; following a redirect
	// is none. Default 4: the budget, not this, is what protects the server.
	Attempts int
	// MinBackoff is the first backoff, doubled each time, with full jitter: of
	// the ways to spread retries the one that does the least work. Default
	// 200 ms, fit for a server across the internet.
	MinBackoff time.Duration
	// ThrottleBackoff is MinBackoff after a 429 that names no time. Default 1 s.
	ThrottleBackoff time.Duration
	// MaxBackoff caps the backoff before jitter, so that the capped ones are
	// spread too. Default 20 s.
	MaxBackoff time.Duration
	// MaxRetryAfter is the longest wait a server may ask for; a longer one ends
	// the call at once with the response, whatever its deadline. Default 60 s, as long as a typed call
	// may take.
	MaxRetryAfter time.Duration
	// Budget is how many retries a success pays for, over a reserve of 10; one
	// more is granted each 10 s, for those who call seldom. It belongs to the
	// client: a Retry for one call must leave it out. Default 0.1. Fed by requests
	// instead, a budget keeps an overloaded server down.
	Budget float64
}

func (r Retry) applyClient(c *config) error { return r.applyCall(&c.settings) }

func (r Retry) applyCall(s *settings) error {
	switch {
	case r.Attempts < 0:
		return fmt.Errorf("aplomb: Retry.Attempts: %d is negative; zero means 4, and NoRetry() switches retries off", r.Attempts)
	case r.Budget < 0 || r.Budget > 1 || math.IsNaN(r.Budget):
		return fmt.Errorf("aplomb: Retry.Budget: %v is not between 0 and 1; zero means 0.1", r.Budget)
	}
	if err := plausible("Retry", named{"MinBackoff", r.MinBackoff}, named{"ThrottleBackoff", r.ThrottleBackoff},
		named{"MaxBackoff", r.MaxBackoff}, named{"MaxRetryAfter", r.MaxRetryAfter}); err != nil {
		return err
	}
	r = r.withDefaults()
	s.retry, s.noRetry = &r, false
	return nil
}

// NoRetry sends a request once. A renewable credential refused with 401 is
// still replaced once, which is no retry of a failure.
func NoRetry() RequestOption {
	return requestOption(func(s *settings) error { s.retry, s.noRetry = nil, true; return nil })
}

func (r Retry) withDefaults() Retry {
	r.Attempts = orDefault(r.Attempts, 4)
	r.MinBackoff = orDefault(r.MinBackoff, 200*time.Millisecond)
	r.ThrottleBackoff = orDefault(r.ThrottleBackoff, time.Second)
	r.MaxBackoff = orDefault(r.MaxBackoff, 20*time.Second)
	r.MaxRetryAfter = orDefault(r.MaxRetryAfter, 60*time.Second)
	r.Budget = orDefault(r.Budget, defaultBudget)
	return r
}

// retrying drives the attempts of a call. The first is sent straight away;
// only its failure brings in go-retryablehttp, as loop and timer: the failure
// is replayed to it as its own attempt 0. Success so costs nothing, and every
// decision stays here.
type retrying struct {
	next   http.RoundTripper // one attempt
	random func() float64
}

func (t *retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	c := callFrom(r.Context())
	l := loop{t: t, call: c, orig: r}
	if hasBody(r) && r.GetBody == nil {
		l.body = &singleUseBody{ReadCloser: r.Body}
		own := *r
		own.Body = l.body
		l.orig = &own
		defer l.body.finish()
	}
	resp, err := t.next.RoundTrip(l.orig)
	if !l.again() {
		return resp, err
	}
	e := &engine{loop: l, results: replay{first: resp, err: err}} // a copy on the heap, so that success allocates nothing
	return e.run()
}

// loop is the state of one call's attempts from the first failure on.
type loop struct {
	t    *retrying
	call *call
	orig *http.Request
	body *singleUseBody // a caller's body that cannot be opened again
	wait time.Duration  // until the attempt to come
	from time.Time      // when that was decided
	cost float64        // taken from the budget for the attempt to come
	last *Attempt
	lost error // why the next attempt could not be prepared
	wake *wait // the backoff under way, nil outside one
}

// withoutURL takes off the url.Error around err, whose text is the whole URL.
// One further in says where it came from, such as a token endpoint.
func withoutURL(err error) error {
	if ue, ok := err.(*url.Error); ok { //nolint:errorlint // the outermost only
		return ue.Err
	}
	return err
}

// again decides, after each attempt, whether to make another, and if so takes
// its price, fixes the wait and releases the failed response. What it refuses
// is left as it is: response and error are the caller's.
func (l *loop) again() bool {
	c := l.call
	a := c.last
	if a == nil || a == l.last {
		return false // refused before there was an attempt
	}
	l.last = a
	if a.unsent() {
		l.budget(a).earn(l.cost)
		l.cost = 0
	}
	if a.Verdict.Outcome == OutcomeOK && (c.retry != nil || c.hedge != nil) {
		l.budget(a).earn(l.cost + c.stack.budget)
	}
	if !l.worthwhile(a) || !l.maySendTwice(a) {
		return false
	}
	if a.oneShot != 0 {
		c.spent |= a.oneShot
		l.wait, l.cost = 0, 0
	} else if !l.pay(a) {
		return false
	}
	if a.Response != nil && !c.typed { // a typed call's was read
		drain(a.Response)
	}
	a.cancel(nil)
	return true
}

// pay fixes the wait for a retry and takes its price from the budget.
func (l *loop) pay(a *Attempt) bool {
	wait, ok := l.backoff(a)
	if !ok {
		return false
	}
	cost := 1.0
	switch {
	case a.Verdict.Outcome == OutcomeThrottled:
		cost = 0.5
	case errors.Is(a.Err, ErrNoCredential):
		cost = 0 // nothing was sent, and however many wait for a token, one asks
	}
	if !l.budget(a).spend(cost) {
		return l.call.stop("the retry budget is spent")
	}
	l.wait, l.cost = wait, cost
	l.call.retries++
	return true
}

// budget is the one that pays for requests to a's origin.
func (l *loop) budget(a *Attempt) *budget { return l.call.stack.budgetOf(a) }

// worthwhile asks the verdict, the number of attempts and the breaker.
func (l *loop) worthwhile(a *Attempt) bool {
	c, v := l.call, a.Verdict
	if v.Resend != ResendUnprocessed {
		a.oneShot = 0
	}
	switch {
	case v.Resend == ResendNo, v.Resend == ResendDefault && v.Outcome != OutcomeFault && v.Outcome != OutcomeThrottled:
		return false
	case a.oneShot != 0:
		return true
	case c.retry == nil || c.retries >= c.retry.Attempts-1:
		return false
	case a.permit.probe, !a.breaker.closed():
		return c.stop("the circuit is open")
	}
	return true
}

// repeatable reports a request that law 1 lets be sent twice although the server
// may have acted on it.
func (c *call) repeatable(r *http.Request) bool {
	return c.safe || safeMethod(r.Method) || c.carriesKey(r)
}

// maySendTwice is law 1.
func (l *loop) maySendTwice(a *Attempt) bool {
	c := l.call
	if a.Verdict.Resend != ResendUnprocessed && !c.repeatable(l.orig) {
		return c.stop("a " + l.orig.Method + " without an idempotency key is not sent twice: the first may have taken effect")
	}
	// A single-use body is whole only if no transport ever got hold of it: one
	// that answered early may still be reading it.
	if l.body != nil && (l.body.touched.Load() || !a.provablyUnsent()) {
		return c.stop("the request body cannot be read again: give Body an opener, or set GetBody")
	}
	return true
}

// backoff is the wait before the next attempt; false if it would be too long.
func (l *loop) backoff(a *Attempt) (time.Duration, bool) {
	c := l.call
	now := time.Now()
	l.from = now
	var wait time.Duration
	switch asked := a.Verdict.Wait; {
	case asked > c.retry.MaxRetryAfter:
		c.readyAt = now.Add(asked)
		return 0, c.stop(fmt.Sprintf("the server asked to wait %s, more than Retry.MaxRetryAfter's %s", brief(asked), brief(c.retry.MaxRetryAfter)))
	case asked > 0:
		// Jitter is only added: a server's time is a minimum.
		wait = asked + time.Duration(l.t.random()*float64(min(asked/10, 5*time.Second)))
	default:
		base := c.retry.MinBackoff
		if a.Verdict.Outcome == OutcomeThrottled {
			base = c.retry.ThrottleBackoff
		}
		wait = time.Duration(l.t.random() * float64(doubled(base, c.retries, c.retry.MaxBackoff)))
	}
	if until, ok := a.ctx.Deadline(); ok && now.Add(wait).After(until) {
		c.readyAt = now.Add(wait)
		return 0, c.stop(fmt.Sprintf("not waiting %s because the call's time ends in %s", brief(wait), brief(until.Sub(now))))
	}
	return wait, true
}

// doubled is d doubled n times, and never more than most.
func doubled(d time.Duration, n int, most time.Duration) time.Duration {
	for ; n > 0 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}

const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// drain reads what is left of a failed response, so that its connection can be
// used again, but neither much nor for long: a body that stalls is cheaper
// closed than waited for.
func drain(resp *http.Response) {
	body := resp.Body
	resp.Body = http.NoBody
	timer := time.AfterFunc(drainTime, func() { _ = body.Close() })
	_, _ = io.CopyN(io.Discard, body, drainBytes)
	timer.Stop()
	_ = body.Close()
}

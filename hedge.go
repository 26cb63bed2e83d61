package aplomb

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// Hedge is a [RequestOption]: one extra attempt, sent while the first is still
// unanswered after longer than usual, so that one slow server of many, or one
// lost packet, does not make the call slow. The first good answer wins, and the
// other attempt is cancelled. It is off unless given; see [NoHedge].
//
// Only what may be sent twice is hedged (law 1: a method that is idempotent,
// [Safe], or with an idempotency key, the same on both), and only with a body
// that can be opened again, or none: its opener may be called while the first
// is still being read. A call has one hedge at most, whatever its retries and
// redirects; it is no retry, so [Retry].Attempts does not count it.
//
// A hedge is extra load, so it costs 1 of the retry budget, which is not given
// back, and it never waits: it is left out where the budget is spent, the
// circuit is not closed, the deadline comes first, or a rate, a quota or a
// bulkhead would hold it.
//
// A success is good, and so is an answer that blames the request (4xx) where
// nothing is changed; where something is, it may be an echo of the other
// attempt: a 404 for what that one deleted, a 409 while it is at work. After an
// echo, a fault or a throttle the other attempt is waited for. When both fail,
// an answer comes before a lost connection and that before an echo, one that
// forbids a repetition before one that does not, and else the first attempt is
// what [Retry] and the caller see. The loser says nothing of the host.
//
// Judges, middlewares and hooks may run for both attempts at the same time.
type Hedge struct {
	// After is how long the first attempt may take, from its sending. Default:
	// the time in which 95 % of the operation's latest 64 good answers of that
	// host came, but 1 ms at least; no hedge while fewer than 20 are known. So it
	// helps where fewer than 5 in 100 are slow; with more, set After. The budget
	// pays for one hedge in ten calls.
	After time.Duration
}

func (h Hedge) applyClient(c *config) error { return h.applyCall(&c.settings) }

func (h Hedge) applyCall(s *settings) error {
	s.hedge, s.noHedge = &hedging{h.After, (*stack).sendHedged}, false
	return plausible("Hedge", named{"After", h.After})
}

// NoHedge sends one attempt at a time: for a call of a client with [Hedge].
func NoHedge() RequestOption {
	return requestOption(func(s *settings) error { s.hedge, s.noHedge = nil, true; return nil })
}

// errOutrun ends the attempt that lost a race.
var errOutrun = fmt.Errorf("%w: the other of two attempts was answered first", context.Canceled)

// hedging is a Hedge as the stack knows it. That it goes by a function, and a race by an
// interface, keeps both out of programs that hedge nothing.
type hedging struct {
	after time.Duration
	send  func(s *stack, c *call, r *http.Request) (*http.Response, error)
}

// A contest is the race that an attempt runs in.
type contest interface {
	enter(a *Attempt)
	arm()
	lost(a *Attempt) bool
	finish(a *Attempt)
}

// send is one round of a call: an attempt, or two where it is hedged.
func (s *stack) send(r *http.Request) (*http.Response, error) {
	c := callFrom(r.Context()) // keyedRequest, above, lets none pass without
	if c.hedge == nil {
		return s.try(r, nil)
	}
	return c.hedge.send(s, c, r)
}

func (s *stack) sendHedged(c *call, r *http.Request) (*http.Response, error) {
	delay, ok := s.hedgeDelay(c, r)
	if !ok {
		return s.try(r, nil)
	}
	// A request of its own, made before the first is on its way: what happens
	// to the headers of one is not seen by the other.
	spare := r.Clone(r.Context())
	return (&race{stack: s, call: c, spare: spare, delay: delay, echoes: c.changes(r)}).run(r)
}

// hedgeDelay is how long to wait for the first attempt of a request that may be
// hedged.
func (s *stack) hedgeDelay(c *call, r *http.Request) (time.Duration, bool) {
	oneShotBody := hasBody(r) && r.GetBody == nil
	if c.hedged || oneShotBody || !c.repeatable(r) {
		return 0, false
	}
	if c.hedge.after > 0 {
		return c.hedge.after, true
	}
	usual, known := s.latency(originOf(r.URL), c.operation).p95()
	return max(usual, leastHedge), known
}

// leastHedge is the shortest time after which an answer is slow: below, it is
// the scheduler that is.
const leastHedge = time.Millisecond

// changes reports a request that may leave something changed at the server,
// though no further by a second sending.
func (c *call) changes(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	default:
		return !c.safe
	}
}

// race is a hedged round. The first attempt runs on the call's own goroutine,
// the hedge on that of a timer; neither outlives the round. What both touch is
// under mu, and the call itself is told of the winner when the race is over.
type race struct {
	stack *stack
	call  *call
	spare *http.Request
	delay time.Duration
	// echoes says that one attempt's effect may be the reason of the other's 4xx.
	echoes bool
	done   chan struct{} // closed when the timer's goroutine ends

	mu     sync.Mutex
	timer  *time.Timer // nil until the first attempt is sent
	first  *Attempt
	hedge  *Attempt // nil unless it was sent
	winner *Attempt
	over   bool // no hedge any more
	void   bool // user's code died in one of the attempts
	panic  any  // of the hedge; nil where it was runtime.Goexit
}

// enter makes a the first attempt of the race.
func (r *race) enter(a *Attempt) { r.first, a.race = a, r }

// arm starts the time after which a hedge is sent: with the first attempt's
// handing over to the transport, so that neither a queue nor the fetching of a
// credential looks like a slow server.
func (r *race) arm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.first.ctx.Deadline(); r.timer != nil || ok && !time.Now().Add(r.delay).Before(until) {
		return
	}
	r.done = make(chan struct{})
	r.timer = time.AfterFunc(r.delay, r.fire)
}

// run sends the first attempt and returns when nothing of the round is left.
func (r *race) run(req *http.Request) (*http.Response, error) {
	returned := false
	defer func() {
		if !returned { // the first died, and takes the hedge with it
			r.join(true)
			r.hedge.discard()
		}
	}()
	_, _ = r.stack.try(req, r)
	returned = true
	r.join(false)
	if r.void {
		r.first.discard()
		r.die()
	}
	a, other := r.result()
	other.discard()
	r.call.last, r.call.hedged = a, r.hedge != nil
	return a.Response, a.Err
}

// join ends the race: a hedge not yet sent is not sent any more, one under way
// is waited for, or cancelled if void.
func (r *race) join(void bool) {
	r.mu.Lock()
	r.over, r.void = true, r.void || void
	idle := r.timer == nil || r.timer.Stop()
	if void && r.hedge != nil {
		r.hedge.cancel(errOutrun)
	}
	r.mu.Unlock()
	if !idle {
		<-r.done
	}
}

// fire is the timer's goroutine. What dies there must not end the program,
// where on the call's own goroutine the caller could have recovered it: it is
// carried over and dies there.
func (r *race) fire() {
	defer close(r.done)
	returned := false
	defer func() {
		if returned {
			return
		}
		cause := recover()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.void, r.panic = true, cause
		r.first.cancel(errOutrun)
	}()
	r.sendHedge()
	returned = true
}

// die repeats on the call's goroutine what ended the hedge's.
func (r *race) die() {
	if r.panic != nil {
		panic(r.panic) //nolint:forbidigo // the caller's own, carried over as it is: http.ErrAbortHandler must stay what it is
	}
	runtime.Goexit()
}

// sendHedge is the extra attempt.
func (r *race) sendHedge() {
	s := r.stack
	if r.spare.GetBody != nil && hasBody(r.spare) {
		body, err := r.spare.GetBody()
		if err != nil {
			return
		}
		r.spare.Body = body
	}
	a := r.call.newAttempt(r.spare)
	a.hedge, a.race, a.behind = true, r, r.first.start
	defer s.abandon(a)
	if !s.admitNow(a) || !r.pay(a) {
		closeBody(a.Request)
		return
	}
	s.perform(a)
	a.returned = true
}

// admitNow is admit for what may not wait. What it took before it refuses,
// abandon gives back.
func (s *stack) admitNow(a *Attempt) bool {
	a.at = time.Now()
	a.breaker = s.breakers.of(a)
	if endedBy(a.ctx, a.at) || !a.breaker.closed() || s.bulkheads != nil && !s.bulkheads.enterNow(a) || !s.limits.admitNow(a) {
		return false
	}
	err := a.breaker.admit(&a.permit, a.at)
	a.breaker.flush(&s.watch)
	return err == nil
}

// pay takes the hedge's price and puts it into the race, unless that is over.
func (r *race) pay(a *Attempt) bool {
	budget := r.stack.budgetOf(a)
	if !budget.spend(1) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		budget.earn(1)
		return false
	}
	r.hedge = a
	return true
}

// lost reports that the race went to another than a.
func (r *race) lost(a *Attempt) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.void || r.winner != nil && r.winner != a
}

// finish takes a's result, and makes a the winner if it is good and the first
// to be; the other is cancelled.
func (r *race) finish(a *Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = r.over || a == r.first
	good := a.Verdict.Outcome == OutcomeOK || a.Verdict.Outcome == OutcomeClientError && !r.echoes
	if r.winner != nil || r.void || !good {
		return
	}
	r.winner = a
	if loser := r.other(a); loser != nil {
		loser.cancel(errOutrun)
	}
}

func (r *race) other(a *Attempt) *Attempt {
	if a == r.hedge {
		return r.first
	}
	return r.hedge
}

// result is the attempt that stands for the round, and the one that does not,
// if there was one.
func (r *race) result() (a, other *Attempt) {
	switch {
	case r.winner != nil:
		a = r.winner
	case r.hedge != nil && r.hedge.weight() > r.first.weight():
		a = r.hedge
	default:
		a = r.first
	}
	return a, r.other(a)
}

// weight orders failures by what they say about sending the request again.
func (a *Attempt) weight() int {
	switch sent := a.wire.Load() != nil && !a.provablyUnsent(); {
	case !sent:
		return 0
	case a.Verdict.Outcome == OutcomeClientError: // an echo, else it had won
		return 1
	case a.Response == nil: // it may have taken effect
		return 2
	case a.Verdict.Resend != ResendNo:
		return 3
	default:
		return 4
	}
}

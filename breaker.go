package aplomb

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Breaker is an [Option]: a circuit breaker per host. When half of at least 20
// completed attempts of the last 10 s failed, or 20 in a row, calls to that host
// fail at once with [ErrCircuitOpen] until a probe succeeds. Breaker{} is what
// every [New] client has; see [NoBreaker].
//
// 5xx and transport failures count against the host, answers for it; 429 and
// the caller's own cancel say nothing (law 9). A caller's deadline or [Timeout]
// counts as a failure if the host had as long as 95 of 100 of the operation's
// latest good answers took, or 1 s while fewer than 20 are known; a shorter one
// says nothing.
type Breaker struct {
	// Ratio of failures that opens it. Default 0.5: a tenth, as some have it,
	// is noise at low volume.
	Ratio float64
	// MinAttempts is how many attempts must complete within Window before Ratio
	// is looked at. As many failures in a row open it whatever the ratio: after a
	// long healthy time the ratio alone would take as long again. Attempts under
	// way together when the first of a row failed count as one, since a lost
	// connection fails all that it carries. Default 20.
	MinAttempts int
	// Window is the rolling window, in whole seconds. Default 10 s: long enough
	// to hold 20 attempts of a quiet client, short enough to forget.
	Window time.Duration
	// OpenFor is how long it stays open at first, +-20 %; it doubles with each
	// failed probe up to MaxOpenFor. Default 500 ms.
	OpenFor time.Duration
	// MaxOpenFor caps OpenFor. Default 1.5 s, or OpenFor where that is longer:
	// one request in so long costs a broken host nothing, and a healthy one is
	// noticed as soon.
	MaxOpenFor time.Duration
	// ProbeLease is how long a probe may take before it counts as failed, so
	// that a lost one cannot wedge the breaker. Default: Timeouts.ResponseHeader
	// and 5 s.
	ProbeLease time.Duration
	// Key groups requests under one breaker. Default: the origin.
	Key func(*http.Request) string
}

func (b Breaker) applyClient(c *config) error {
	switch {
	case b.Ratio < 0 || b.Ratio > 1 || math.IsNaN(b.Ratio):
		return fmt.Errorf("aplomb: Breaker.Ratio: %v is not between 0 and 1; zero means 0.5", b.Ratio)
	case b.MinAttempts < 0:
		return fmt.Errorf("aplomb: Breaker.MinAttempts: %d is negative", b.MinAttempts)
	case b.Window < 0 || b.Window%time.Second != 0:
		return fmt.Errorf("aplomb: Breaker.Window: %v is not a whole number of seconds", b.Window)
	}
	c.breaker, c.keyed = &b, c.keyed || b.Key != nil
	return plausible("Breaker", named{"OpenFor", b.OpenFor}, named{"MaxOpenFor", b.MaxOpenFor}, named{"ProbeLease", b.ProbeLease})
}

// NoBreaker switches the circuit breaker off.
func NoBreaker() Option { return clientOption(func(c *config) error { c.breaker = nil; return nil }) }

func (b *Breaker) withDefaults(t *Timeouts) Breaker {
	d := *b
	d.Ratio = orDefault(d.Ratio, 0.5)
	d.MinAttempts = orDefault(d.MinAttempts, 20)
	d.Window = orDefault(d.Window, 10*time.Second)
	d.OpenFor = orDefault(d.OpenFor, 500*time.Millisecond)
	d.MaxOpenFor = max(orDefault(d.MaxOpenFor, 1500*time.Millisecond), d.OpenFor)
	d.ProbeLease = orDefault(d.ProbeLease, t.withDefaults().ResponseHeader+5*time.Second)
	return d
}

// breakers holds a breaker per key.
type breakers struct {
	key   func(*http.Request) string
	byKey *keyed[*breaker]
}

func newBreakers(b *Breaker, t *Timeouts, f replicas) *breakers {
	if b == nil {
		return nil
	}
	cfg := b.withDefaults(t)
	return &breakers{
		key:   b.Key,
		byKey: newKeyed(maxKeys, func(key string) *breaker { return newBreaker(key, cfg, f) }),
	}
}

func (b *breakers) of(a *Attempt) *breaker {
	switch {
	case b == nil:
		return nil
	case b.key != nil:
		return b.byKey.get(b.key(a.Request))
	default:
		return b.byKey.get(a.originKey())
	}
}

// breaker drives one gobreaker. gobreaker counts, over a rolling window, and
// decides about the trip and the probe's result. The schedule is ours, since
// gobreaker's open time is fixed, unjittered and unknown to the caller: its own
// Timeout is a nanosecond, and openUntil stands in front of it.
type breaker struct {
	key    string
	cfg    Breaker
	fleet  replicas // advise it
	shared string   // what they know it by
	cb     *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu        sync.Mutex // held around every call of cb, so around its callbacks too
	state     gobreaker.State
	openFor   time.Duration // before jitter; 0 while closed
	openUntil time.Time
	probe     *permit   // the probe under way
	row       uint32    // failures without a success between them
	failing   time.Time // when the first of them was known
	failed    uint32    // of completed, as counted at the trip
	completed uint32
	hearsay   bool           // it would not have tripped without another replica's advice
	events    []BreakerEvent // to be told by flush
	news      atomic.Bool    // there are some
	tripped   atomic.Bool    // state is not closed, for who needs no more
	at        time.Time      // the moment of the transition under way
}

// A permit is one admitted attempt, to be settled once. The zero permit is none.
type permit struct {
	done     func(error)
	admitted time.Time
	probe    bool
	leaseEnd time.Time
	settled  bool
}

// These stand for outcomes in gobreaker.
var (
	errNeutral = errors.New("neutral")
	errFailed  = errors.New("failed")
)

func newBreaker(key string, cfg Breaker, f replicas) *breaker {
	b := &breaker{key: key, cfg: cfg, fleet: f, shared: "open " + key}
	b.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   1,
		Interval:      cfg.Window,
		BucketPeriod:  time.Second,
		Timeout:       time.Nanosecond,
		IsExcluded:    func(err error) bool { return errors.Is(err, errNeutral) },
		ReadyToTrip:   b.readyToTrip,
		OnStateChange: func(_ string, from, to gobreaker.State) { b.changed(from, to) },
	})
	return b
}

// readyToTrip looks at completed attempts only: counting those in flight, a
// host that leaves most of them hanging would never reach the ratio. Where
// another replica's is open a few failures are enough, but its own they must be:
// a replica with a broken network does not take the healthy ones with it.
func (b *breaker) readyToTrip(n gobreaker.Counts) bool {
	if b.trips(n, uint32(b.cfg.MinAttempts)) {
		b.hearsay = false
		return true
	}
	b.hearsay = b.fleet.closed(b.shared) > 0
	return b.hearsay && b.trips(n, min(wary, uint32(b.cfg.MinAttempts)))
}

// wary is how many failures are enough where another replica's breaker is open:
// more than a healthy host strays in a row.
const wary = 3

// trips reports that at least so many failed in a row, or completed with too
// many failures.
func (b *breaker) trips(n gobreaker.Counts, least uint32) bool {
	if b.row >= least {
		b.failed, b.completed = b.row, b.row
		return true
	}
	b.failed, b.completed = n.TotalFailures, n.TotalSuccesses+n.TotalFailures
	return b.completed >= least && float64(b.failed) >= b.cfg.Ratio*float64(b.completed)
}

// changed follows gobreaker's state. b.mu is held.
func (b *breaker) changed(from, to gobreaker.State) {
	b.state = to
	b.tripped.Store(to != gobreaker.StateClosed)
	b.row, b.failing = 0, time.Time{}
	switch to {
	case gobreaker.StateOpen:
		b.openFor = min(max(2*b.openFor, b.cfg.OpenFor), b.cfg.MaxOpenFor)
		b.openUntil = b.at.Add(time.Duration(float64(b.openFor) * (0.8 + 0.4*rand.Float64())))
		if from == gobreaker.StateHalfOpen || !b.hearsay { // else replicas would keep each other wary
			b.fleet.close(b.shared, b.openUntil.Sub(b.at))
		}
	case gobreaker.StateClosed:
		b.openFor, b.openUntil = 0, time.Time{}
	case gobreaker.StateHalfOpen: // the schedule stays until the probe's result
	}
	e := BreakerEvent{
		Key: b.key, From: BreakerState(from.String()), To: BreakerState(to.String()), At: b.at,
		Failed: int(b.failed), Completed: int(b.completed),
	}
	if to == gobreaker.StateOpen {
		e.ReadyAt = b.openUntil
	}
	b.events = append(b.events, e)
	b.news.Store(true)
}

// flush tells w what happened, with no lock held, so that a hook may call the
// client. With shares breakers, so each caller brings its own watchers.
func (b *breaker) flush(w *watchers) (told bool) {
	if b == nil || !b.news.Swap(false) {
		return false
	}
	b.mu.Lock()
	events := b.events
	b.events = nil
	b.mu.Unlock()
	for i := range events {
		w.breaker(events[i])
	}
	return true
}

// check refuses, before any wait, while the breaker is open or probing.
func (b *breaker) check(now time.Time) error {
	if b.closed() {
		return nil
	}
	b.mu.Lock()
	err := b.refuse(now)
	b.mu.Unlock()
	return err
}

// closed reports the normal state, the only one in which retries are sent.
func (b *breaker) closed() bool { return b == nil || !b.tripped.Load() }

// refuse is the reason not to send now, nil when there is none. A probe whose
// lease has ended counts as failed at that moment. b.mu is held.
func (b *breaker) refuse(now time.Time) error {
	if p := b.probe; p != nil && !now.Before(p.leaseEnd) {
		b.settle(p, errFailed, p.leaseEnd)
	}
	switch {
	case b.state == gobreaker.StateClosed:
		return nil
	case b.probe != nil:
		return &refusal{sentinel: ErrCircuitOpen, why: "circuit half-open for " + b.key + ": a probe is under way, and is given " +
			brief(b.probe.leaseEnd.Sub(now)) + " more"}
	case now.Before(b.openUntil):
		return b.refusal(fmt.Sprintf("%d of %d attempts failed", b.failed, b.completed), b.openUntil)
	default:
		return nil
	}
}

func (b *breaker) refusal(why string, readyAt time.Time) error {
	in := brief(max(0, time.Until(readyAt)))
	return &refusal{sentinel: ErrCircuitOpen, why: "circuit open for " + b.key + ": " + why + "; the next call is let through in " + in, readyAt: readyAt}
}

// admit lets one attempt through, with p as its permit, which must be given to
// report; a probe that never is ends with its lease.
func (b *breaker) admit(p *permit, now time.Time) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuse(now); err != nil {
		return err
	}
	_ = b.fleet.closed(b.shared) // asks in the background, so that it is known when this attempt fails
	b.at = now
	done, err := b.cb.Allow()
	if err != nil {
		return b.refusal(err.Error(), b.openUntil)
	}
	p.done, p.admitted = done, now
	if b.state == gobreaker.StateHalfOpen {
		p.probe, p.leaseEnd = true, now.Add(b.cfg.ProbeLease)
		b.probe = p
	}
	return nil
}

// report settles p by the attempt's outcome.
func (b *breaker) report(p *permit, o Outcome, now time.Time) {
	if b == nil || p.done == nil {
		return
	}
	var result error
	switch o {
	case OutcomeFault:
		result = errFailed
	case OutcomeThrottled, OutcomeNeutral:
		result = errNeutral
	case OutcomeUnset, OutcomeOK, OutcomeClientError: // an answer, even one that blames the request, speaks for the host
	}
	b.mu.Lock()
	b.settle(p, result, now)
	b.mu.Unlock()
}

// settle hands a result to gobreaker, once. b.mu is held.
func (b *breaker) settle(p *permit, result error, at time.Time) {
	if p.settled {
		return
	}
	p.settled = true
	if b.probe == p {
		b.probe = nil
	}
	b.at = at
	b.count(p, result)
	p.done(result)
}

// count keeps the row of failures. Attempts that were under way when the first
// was known are no further ones: a lost connection fails all that it carried.
func (b *breaker) count(p *permit, result error) {
	switch {
	case result == nil:
		b.row, b.failing = 0, time.Time{}
	case !errors.Is(result, errFailed):
	case b.row == 0:
		b.row, b.failing = 1, b.at
	case !p.admitted.Before(b.failing):
		b.row++
	}
}

// fault counts a failure that shows after its attempt was settled: a body that
// broke off.
func (b *breaker) fault() {
	if b == nil || !b.closed() {
		return
	}
	var p permit
	if now := time.Now(); b.admit(&p, now) == nil {
		b.report(&p, OutcomeFault, now)
	}
}

package aplomb

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/aplomb-go/aplomb/internal/header"
)

// RateLimit is an [Option]: how fast requests are sent. RateLimit{} is what
// every [New] client has: no rate of its own, but it obeys the server's. A 429,
// or an answer that says nothing is left, closes the quota's gate for every
// caller until the server's time; it then reopens paced, not all at once. When
// little is left of a quota, what is left is spread over the time to its reset.
// See [NoRateLimit].
//
// A wait that would outlive the context's deadline, or MaxWait where there is
// none, is refused at once with [ErrRateLimited] and the time it would be ready
// (law 3).
type RateLimit struct {
	// PerSecond is a rate you were told, kept whatever the server says. Zero: none.
	PerSecond float64
	// Burst is how many requests may go at once under PerSecond. Default: one
	// second's worth, at least 1.
	Burst int
	// Headroom is the share of a quota that is spread over the time to its
	// reset. Default 0.1.
	Headroom float64
	// MaxWait is the longest wait of a call without a deadline. Default 60 s.
	MaxWait time.Duration
	// Key groups requests under one quota. Default: the origin and, where the
	// request brings its own Authorization, that credential.
	Key func(*http.Request) string
}

func (l RateLimit) applyClient(c *config) error {
	switch {
	case l.PerSecond < 0 || math.IsNaN(l.PerSecond) || math.IsInf(l.PerSecond, 0):
		return fmt.Errorf("aplomb: RateLimit.PerSecond: %v is not a rate; zero means none", l.PerSecond)
	case l.Burst < 0:
		return fmt.Errorf("aplomb: RateLimit.Burst: %d is negative; zero means one second's worth", l.Burst)
	case l.Burst > 0 && l.PerSecond == 0:
		return errors.New("aplomb: RateLimit.Burst has no effect without PerSecond")
	case l.Headroom < 0 || l.Headroom > 1:
		return fmt.Errorf("aplomb: RateLimit.Headroom: %v is not between 0 and 1", l.Headroom)
	case l.MaxWait < 0:
		return fmt.Errorf("aplomb: RateLimit.MaxWait: %v is negative; zero means 60s", l.MaxWait)
	}
	c.rateLimit = &l
	return nil
}

// NoRateLimit switches off the told rate, the quota gate and pacing.
func NoRateLimit() Option {
	return clientOption(func(c *config) error { c.rateLimit = nil; return nil })
}

// limits holds a told limiter and the learned quotas per key.
type limits struct {
	cfg   RateLimit
	seed  maphash.Seed
	byKey *keyed[string, *limit]
}

// limit is the state of one key.
type limit struct {
	told  *told
	quota *quota
}

func newLimits(l *RateLimit) *limits {
	if l == nil {
		return nil
	}
	cfg := *l
	cfg.Headroom = orDefault(cfg.Headroom, 0.1)
	cfg.MaxWait = orDefault(cfg.MaxWait, 60*time.Second)
	cfg.Burst = orDefault(cfg.Burst, max(1, int(cfg.PerSecond)))
	return &limits{cfg: cfg, seed: maphash.MakeSeed(), byKey: newKeyed(maxKeys, func(string) *limit {
		return &limit{told: newTold(cfg), quota: newQuota(cfg.Headroom)}
	})}
}

// key tells apart the credentials that requests bring themselves, by a hash
// that cannot be turned back.
func (l *limits) key(a *Attempt) string {
	if l.cfg.Key != nil {
		return l.cfg.Key(a.Request)
	}
	credential := a.Request.Header.Get("Authorization")
	if credential == "" {
		return a.originKey()
	}
	return a.originKey() + " " + strconv.FormatUint(maphash.String(l.seed, credential), 36)
}

// admission is what an attempt holds of its quota.
type admission struct {
	limit *limit
	slot  slot
}

// wait holds the attempt until the told rate and then the quota's gate let it
// through, or refuses it. The gate comes last: it may close during the other
// wait.
func (l *limits) wait(a *Attempt) error {
	if l == nil {
		return nil
	}
	limit := l.byKey.get(l.key(a))
	a.admission.limit = limit
	if err := limit.told.wait(a, l.latest(a)); err != nil {
		return err
	}
	return limit.quota.wait(a, l.latest(a))
}

// latest is the last moment a wait may last to.
func (l *limits) latest(a *Attempt) time.Time {
	if deadline, ok := a.ctx.Deadline(); ok {
		return deadline
	}
	return time.Now().Add(l.cfg.MaxWait)
}

// observe learns from the attempt's answer.
func (l *limits) observe(a *Attempt) {
	if l == nil || a.admission.limit == nil {
		return
	}
	a.admission.limit.quota.observe(a)
}

// forget gives back what an attempt held that was not sent after all.
func (l *limits) forget(a *Attempt) {
	if l != nil && a.admission.limit != nil {
		a.admission.limit.quota.release(a)
	}
}

// told is a rate that the user knows, on x/time/rate.
type told struct {
	mu      sync.Mutex // keeps "now" from going back, which mints tokens
	limiter *rate.Limiter
}

func newTold(cfg RateLimit) *told {
	if cfg.PerSecond == 0 {
		return nil
	}
	return &told{limiter: rate.NewLimiter(rate.Limit(cfg.PerSecond), cfg.Burst)}
}

func (t *told) wait(a *Attempt, latest time.Time) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	now := time.Now()
	reserved := t.limiter.ReserveN(now, 1)
	delay := reserved.DelayFrom(now)
	if now.Add(delay).After(latest) {
		reserved.CancelAt(now)
		t.mu.Unlock()
		return limitRefusal("the rate limit of "+strconv.FormatFloat(float64(t.limiter.Limit()), 'g', 4, 64)+" per second", now, now.Add(delay), latest)
	}
	t.mu.Unlock()
	if delay == 0 {
		return nil
	}
	if err := a.call.sleep(a.ctx, CauseLimiter, delay); err != nil {
		reserved.Cancel()
		return err
	}
	return nil
}

func limitRefusal(what string, now, readyAt, latest time.Time) error {
	return &refusal{sentinel: ErrRateLimited, readyAt: readyAt,
		why: fmt.Sprintf("%s allows the next request in %s; not waiting because the call may wait only %s",
			what, brief(readyAt.Sub(now)), brief(max(0, latest.Sub(now))))}
}

// quota is what was learned of one key from answers: a gate for each quota
// that the server names, and which operations fall under which.
type quota struct {
	headroom float64

	mu     sync.Mutex
	gates  map[string]*gate  // by the server's name; "" for a quota without one
	belong map[string]string // operation to quota name
}

// Bounds of what one key can learn (law 7).
const (
	maxGates      = 32
	maxOperations = 1024
)

func newQuota(headroom float64) *quota {
	return &quota{headroom: headroom, gates: map[string]*gate{}, belong: map[string]string{}}
}

// slot is a place in the gates' schedule.
type slot struct {
	at    time.Time
	gates [2]*gate
	held  bool
}

// wait takes a slot and sleeps until it comes. A gate that closed meanwhile
// sends the attempt back for another slot: no request enters a closed window.
func (q *quota) wait(a *Attempt, latest time.Time) error {
	for {
		q.mu.Lock()
		now := time.Now()
		s, why := q.take(a.Operation, now, latest)
		q.mu.Unlock()
		if why != "" {
			return limitRefusal(why, now, s.at, latest)
		}
		a.admission.slot = s
		if !s.at.After(now) {
			return nil
		}
		if err := a.call.sleep(a.ctx, CauseQuota, s.at.Sub(now)); err != nil {
			q.release(a)
			return err
		}
		if !q.closedSince(s) {
			return nil
		}
		q.release(a)
	}
}

// take finds the first moment that every gate concerned allows, and books it.
// q.mu is held.
func (q *quota) take(operation string, now, latest time.Time) (slot, string) {
	s := slot{at: now}
	if g := q.gates[""]; g != nil {
		s.gates[0] = g
	}
	if name := q.belong[operation]; name != "" {
		s.gates[1] = q.gates[name]
	}
	for _, g := range s.gates {
		if g == nil {
			continue
		}
		s.at = later(s.at, g.next(now, latest, q.headroom))
		if s.at.After(latest) {
			return s, g.String()
		}
	}
	for _, g := range s.gates {
		if g != nil {
			g.book(s.at)
		}
	}
	s.held = true
	return s, ""
}

func (q *quota) closedSince(s slot) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, g := range s.gates {
		if g != nil && g.closedUntil.After(s.at) {
			return true
		}
	}
	return false
}

// release undoes a booking whose request was not sent.
func (q *quota) release(a *Attempt) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settle(a, true)
}

// settle ends a booking. q.mu is held.
func (q *quota) settle(a *Attempt, unsent bool) {
	s := &a.admission.slot
	if !s.held {
		return
	}
	s.held = false
	for _, g := range s.gates {
		if g != nil {
			g.inFlight--
			if unsent && g.remaining >= 0 {
				g.remaining++
			}
		}
	}
}

// observe reads an answer: what the server says of its quotas, and a 429.
func (q *quota) observe(a *Attempt) {
	now := time.Now()
	q.mu.Lock()
	q.settle(a, a.sent == nil && a.Response == nil)
	if a.Response == nil {
		q.mu.Unlock()
		return
	}
	stated := header.Limits(a.Response.Header, now)
	if len(stated) == 0 && !closes(a) && len(q.gates) == 0 {
		q.mu.Unlock()
		return
	}
	events := q.learn(a, stated, now)
	q.mu.Unlock()
	for _, e := range events {
		a.call.stack.watch.quota(a.ctx, e)
	}
}

// learn updates the gates. q.mu is held.
func (q *quota) learn(a *Attempt, stated []header.Limit, now time.Time) []QuotaEvent {
	var events []QuotaEvent
	tightest := ""
	// A 401 says nothing of the quota although some servers put numbers on it.
	if a.Response.StatusCode != http.StatusUnauthorized {
		for _, l := range stated {
			g := q.gate(l.Name)
			if g == nil {
				continue
			}
			g.state(l, now)
			if tightest == "" || l.Remaining == 0 {
				tightest = l.Name
			}
			events = append(events, g.event(a, now))
		}
		if tightest != "" && (len(q.belong) < maxOperations || q.belong[a.Operation] != "") {
			q.belong[a.Operation] = tightest
		}
	}
	switch {
	case closes(a):
		if g := q.gate(tightest); g != nil {
			g.throttled(a.start, now, a.Verdict.Wait)
			events = append(events, g.event(a, now))
		}
	case a.Verdict.Outcome == OutcomeOK:
		for _, name := range [...]string{"", tightest} {
			if g := q.gates[name]; g != nil {
				g.succeeded(now)
			}
			if tightest == "" {
				break
			}
		}
	}
	return events
}

// closes reports an answer that closes the gate: a throttle, and a 503 that
// says how long the service will be away (RFC 9110, section 10.2.3).
func closes(a *Attempt) bool {
	return a.Verdict.Outcome == OutcomeThrottled || a.Response.StatusCode == http.StatusServiceUnavailable && a.Verdict.Wait > 0
}

// gate returns the named gate, making it while there is room.
func (q *quota) gate(name string) *gate {
	g := q.gates[name]
	if g == nil && len(q.gates) < maxGates {
		g = &gate{name: name, remaining: -1}
		q.gates[name] = g
	}
	return g
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

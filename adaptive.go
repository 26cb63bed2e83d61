package aplomb

import (
	"math"
	"net/http"
	"slices"
	"time"
)

// adaptive finds the bound of a bulkhead from what the host shows. The rule is
// TCP Vegas's, as Netflix's concurrency-limits and failsafe-go's adaptive
// limiter have it: of L in flight, by Little's law, L*(1-base/now) only wait at
// the server, base being how long an answer takes when none do. Few waiting,
// and a bound that was reached, let it grow; many make it shrink to where few
// would. Three things differ from theirs.
//
// Latencies are compared within one operation: a search is no sign that the
// ping before it was quick. They are compared by medians, since the few slow
// answers of a healthy server are none of a full one. And the base is measured
// anew at half the bound from time to time, as TCP BBR does: under a constant
// load a base could else only drift up, and the bound with it.
//
// The bulkhead's lock guards it.
type adaptive struct {
	most  float64
	limit float64
	// sprint doubles the bound with each round, until something waits.
	sprint  bool
	reached bool // the bound, since it was last moved
	// slow is by what factor answers had slowed down when the bound was last made
	// to shrink for it; 0 once they are quick again. Where shrinking did not help
	// it goes no further: the host itself is slow, and works on all it is sent.
	slow float64

	epoch int       // counts the moves that make earlier answers worthless
	since time.Time // of the latest; what began before says nothing
	early int       // good answers to come that say nothing either: the quick ones come first

	answers, faults int // of the present round

	probing  int // good answers to come until the probe of the base ends
	probedAt time.Time

	pulses *keyed[*pulse] // by operation
}

const (
	adaptiveStart  = 4   // small, so that the first base is one without a queue
	adaptiveRound  = 32  // answers whose median is one look
	adaptiveGlance = 16  // the same while sprinting
	adaptiveFaults = 4   // of a round, that make the bound shrink
	adaptiveCut    = 0.7 // CUBIC's (RFC 9438, section 4.6)
	// These many may wait at the server whatever the bound: fewer are noise.
	adaptiveSlack = 4
	// Above, what may wait is a share of the bound: below fewest it grows, above
	// most it shrinks to fewest.
	adaptiveFewest = 0.2
	adaptiveMost   = 0.4

	adaptiveHelps = 1.25 // by this factor quicker, and shrinking helped
	adaptiveWorse = 0.8  // by this factor slower, and it is worth another try

	adaptiveProbe = 30 * time.Second // between two probes of the base
	adaptiveAge   = time.Minute      // a base is one or two of these old at most
	maxPulses     = 256              // operations of one host
)

func newAdaptive(most int, now time.Time) *adaptive {
	return &adaptive{
		most: float64(most), limit: float64(min(adaptiveStart, most)), sprint: true, since: now, probedAt: now,
		pulses: newKeyed(maxPulses, func(string) *pulse { return &pulse{} }),
	}
}

// bound is the limit, halved during a probe.
func (d *adaptive) bound() int {
	if d.probing > 0 {
		return max(1, int(d.limit/2))
	}
	return max(1, int(d.limit))
}

// filled notes that so many are in flight. Nil learns nothing.
func (d *adaptive) filled(inFlight int) {
	if d != nil && inFlight >= d.bound() {
		d.reached = true
	}
}

// observe takes an attempt's result.
func (d *adaptive) observe(a *Attempt, now time.Time) {
	if a.start.Before(d.since) {
		return // answered to another bound
	}
	p := d.pulses.get(a.Operation)
	switch {
	case overloaded(a):
		d.faults++
	case a.Verdict.Outcome == OutcomeOK && d.early > 0:
		d.early--
	case a.Verdict.Outcome == OutcomeOK:
		d.sample(p, a.elapsed, now)
	default:
		return
	}
	switch d.answers++; {
	case d.faults >= adaptiveFaults:
		d.sprint = false
		d.move(max(1, d.limit*adaptiveCut), now)
	case d.answers >= adaptiveRound:
		d.answers, d.faults = 0, 0
	}
}

// overloaded reports a fault that fewer at a time may cure: no answer, or one
// that says so. A 500 is one operation's mistake.
func overloaded(a *Attempt) bool {
	if a.Verdict.Outcome != OutcomeFault || a.Response == nil {
		return a.Verdict.Outcome == OutcomeFault
	}
	code := a.Response.StatusCode
	return code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout
}

// sample adds one good answer to its operation's pulse, and moves the bound
// with each full one.
func (d *adaptive) sample(p *pulse, took time.Duration, now time.Time) {
	round := adaptiveRound
	if d.sprint {
		round = adaptiveGlance
	}
	median, full := p.add(d.epoch, took, round, now)
	if d.probing > 0 {
		if d.probing--; d.probing == 0 {
			d.move(d.limit, now)
		}
		return
	}
	if full {
		d.judge(float64(p.base())/float64(median), now)
	}
	if d.reached && !d.sprint && now.Sub(d.probedAt) >= adaptiveProbe {
		d.probedAt, d.probing = now, adaptiveRound
		d.move(d.limit, now)
	}
}

// judge moves the bound; quick is the share of a latency in which the request
// was worked on.
func (d *adaptive) judge(quick float64, now time.Time) {
	waiting := d.limit * (1 - quick)
	if waiting > max(adaptiveSlack, adaptiveMost*d.limit) {
		d.sprint = false
		if change := d.slow * quick; change == 0 || change >= adaptiveHelps || change <= adaptiveWorse {
			d.slow = 1 / quick
			d.move(max(1, d.limit/2, d.limit*quick/(1-adaptiveFewest)), now)
		}
		return
	}
	switch d.slow = 0; {
	case !d.reached:
	case waiting >= max(1, adaptiveFewest*d.limit):
		d.sprint = false
	case d.sprint:
		d.move(min(d.most, 2*d.limit), now)
	default: // in small steps, so what is in flight already still counts
		d.limit, d.reached = min(d.most, d.limit+math.Sqrt(d.limit)), false
	}
}

// move sets the bound and starts afresh.
func (d *adaptive) move(limit float64, now time.Time) {
	d.limit, d.since, d.reached = limit, now, false
	d.epoch++
	d.early = d.bound()
	d.answers, d.faults = 0, 0
}

// pulse is the latency of one operation: the answers of the present round, and
// the upper quartile of the quickest round of late, which stands for a server
// without a queue. It is not that round's median, with which the present one is
// compared: the lowest of many medians would lie below them all, the more so
// the more the answers differ.
type pulse struct {
	epoch  int
	n      int
	took   [adaptiveRound]time.Duration
	best   time.Duration // since turned, and before it
	former time.Duration
	turned time.Time
}

// add takes an answer; full is true with the last of a round, whose median it
// then returns. An unfinished round of an earlier bound still tells of the base.
func (p *pulse) add(epoch int, took time.Duration, round int, now time.Time) (median time.Duration, full bool) {
	if p.epoch != epoch {
		if p.n >= adaptiveGlance {
			p.close(now)
		}
		p.epoch, p.n = epoch, 0
	}
	p.took[p.n] = took
	if p.n++; p.n < round {
		return 0, false
	}
	return p.close(now), true
}

// close ends a round.
func (p *pulse) close(now time.Time) time.Duration {
	slices.Sort(p.took[:p.n])
	median, quartile := p.took[p.n/2], p.took[p.n*3/4]
	p.n = 0
	if now.Sub(p.turned) >= adaptiveAge {
		p.former, p.best, p.turned = p.best, math.MaxInt64, now
	}
	p.best = min(p.best, quartile)
	return median
}

// base is zero while unknown.
func (p *pulse) base() time.Duration {
	if p.former == 0 {
		return p.best
	}
	return min(p.best, p.former)
}

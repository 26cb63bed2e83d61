package aplomb

import "time"

// pace is what refusals alone teach of a quota: how fast requests may follow
// one another where the server gives no numbers. The bucket's size is taken
// from what a first run got before its refusal; then each refusal proves a rate,
// which is held, and after a while carefully exceeded.
type pace struct {
	rate  float64   // per second, by the last refusal; 0 unknown
	since time.Time // when rate began to hold
	hold  time.Duration
	ramp  float64 // the growing pace while rate is looked for; 0 is none
	told  float64 // the rate that the user was told; 0 if it was not

	// before is the rate before it was lowered without a proof, once or time after
	// time; 0 if it was not. What was lowered in a storm of refusals that no pace
	// would have avoided is too low by any factor, and a cubic that begins there
	// takes many minutes. So before is tried when some were granted in a row, each
	// time after four times as many: where there is a quota that low it costs a
	// refusal now and then, and few of them.
	before float64
	lower  float64 // what to go back to; 0 unless before is being tried
	tries  int     // that were refused

	burst  float64       // so many were granted in a run as short as spread, or as told; 0 unknown
	spread time.Duration // at once, but for the way

	begun    time.Time // the run since the last closing
	run      int       // accepted in it
	first    time.Time // of them
	latest   time.Time // of them
	marks    []time.Time
	stride   int // accepted between two marks
	lastRate float64
	second   time.Time // beginning of the second that inSecond counts
	inSecond int
}

const (
	rampStart = 20.0 // per second, where no rate is known
	rampStep  = 0.05 // of the pace, with each success,
	rampMost  = 10.0 // but at most so much: it so takes a tenth of a second to grow e-fold
	rampEnd   = 10_000.0
	// A tenfold growth takes a quarter of a second.
	rampGrowth = 10
	paceMarks  = 128
	backDown   = 0.7 // where a refusal proves no rate
	holdShare  = 0.97
	// A rate is held for so many times what a refusal costs, then exceeded.
	holdFactor = 30
	holdLeast  = 2 * time.Second
	holdMost   = 10 * time.Minute
	freeAgain  = 10.0 // times the rate: the quota is no more what it was
	// Granted in a row, before the rate from before is tried first, and while it is
	// for it to be good.
	firstTry = 3
	goodTry  = 16
)

// current is the pace per second; 0 is none.
func (p *pace) current(now time.Time) float64 {
	if p.rate == 0 {
		return p.ramp
	}
	x := max(0, now.Sub(p.since).Seconds()) / p.hold.Seconds()
	return p.rate * (holdShare + (1-holdShare)*x*x*x)
}

func (p *pace) interval(now time.Time) time.Duration {
	rate := p.current(now)
	if rate == 0 || p.rate > 0 && rate > freeAgain*p.rate {
		return 0
	}
	return seconds(1 / rate)
}

// expected is the interval to count on: a pace that grows does so soon.
func (p *pace) expected(now time.Time) time.Duration {
	if p.rate == 0 && p.ramp > 0 {
		return seconds(1 / max(rampGrowth*p.ramp, p.lastRate))
	}
	return p.interval(now)
}

// pause is how long to close for where the server names no time.
func (p *pace) pause() time.Duration {
	if p.rate == 0 {
		return closeBase
	}
	return min(max(seconds(10/p.rate), 50*time.Millisecond), closeBase)
}

// accepted takes a success of a request sent at sentAt.
func (p *pace) accepted(sentAt, now time.Time) {
	if p.second.IsZero() {
		p.second, p.begun = now, sentAt
	}
	if p.inSecond++; now.Sub(p.second) >= time.Second {
		p.lastRate = float64(p.inSecond) / now.Sub(p.second).Seconds()
		p.second, p.inSecond = now, 0
	}
	if sentAt.Before(p.begun) {
		return
	}
	if p.run++; p.run == 1 {
		p.first = now
	}
	p.latest = now
	p.try(now)
	if p.ramp > 0 {
		if p.ramp += min(rampStep*p.ramp, rampMost); p.ramp > rampEnd {
			p.ramp = 0
		}
	}
	if p.stride > 0 && p.run%p.stride == 0 {
		p.mark(now)
	}
}

// try goes back to the rate from before, when enough were granted at a much lower
// one.
func (p *pace) try(now time.Time) {
	switch {
	case p.before == 0:
	case p.lower > 0 && p.run >= goodTry:
		p.before, p.lower, p.tries = 0, 0, 0
		p.since, p.hold = now, holdLeast
	case p.lower == 0 && p.rate < p.before/2 && p.run >= firstTry<<(2*min(p.tries, 10)):
		p.lower, p.rate, p.since, p.run = p.rate, p.before, now, 0
	}
}

// mark keeps the times of successes, of every second one when there are too
// many, so that a run is covered from its beginning.
func (p *pace) mark(now time.Time) {
	if len(p.marks) == paceMarks {
		for i := range paceMarks / 2 {
			p.marks[i] = p.marks[2*i+1]
		}
		p.marks = p.marks[:paceMarks/2]
		p.stride *= 2
		if p.run%p.stride != 0 {
			return
		}
	}
	p.marks = append(p.marks, now)
}

// refused takes the first refusal of a run; the gate opens again at reopens.
func (p *pace) refused(now time.Time, asked time.Duration, reopens time.Time) {
	was := p.current(now)
	proven := p.proven()
	switch {
	case proven > 0:
		p.rate, p.before, p.lower, p.tries = proven, 0, 0, 0
	case p.lower > 0:
		p.rate, p.lower = p.lower, 0
		p.tries++
	case p.run == 0: // it was refused whatever its pace
	case was > 0:
		p.before = max(p.before, was)
		p.rate = max(backDown*was, min(was, p.average()))
	case p.lastRate > 0:
		p.rate = max(backDown*p.lastRate, p.average())
	}
	p.ramp = 0
	if p.rate == 0 {
		p.ramp = p.rampStart()
	}
	p.since = reopens
	p.hold = min(max(holdFactor*asked, holdLeast), holdMost)
}

// average is the rate of a run of some length: so much, at least, was granted.
func (p *pace) average() float64 {
	if took := p.latest.Sub(p.begun); took >= time.Second {
		return float64(p.run) / took.Seconds()
	}
	return 0
}

// look goes on with half the pace that was, where there is no other.
func (p *pace) look() {
	if p.rate == 0 && p.ramp == 0 {
		p.ramp = max(p.rampStart(), p.lastRate/2)
	}
}

func (p *pace) rampStart() float64 { return max(rampStart, p.told/2) }

// proven is the rate that the run proves: of all its ends, the greatest that
// exceeded what a full bucket would have given alone. A bucket of that size
// cannot fill more slowly; 0 if the run proves nothing.
func (p *pace) proven() (rate float64) {
	if p.burst == 0 {
		return 0
	}
	tail := p.run % max(p.stride, 1)
	for i, from := range p.marks {
		got := float64((len(p.marks)-1-i)*p.stride+tail) - p.burst
		if took := (p.latest.Sub(from) - p.spread).Seconds(); took > 0 && got >= max(4, p.burst/2) {
			rate = max(rate, got/took)
		}
	}
	return rate
}

// reopen begins a run. What the last one got, up to its refusal and just
// after, is no less than the bucket holds.
func (p *pace) reopen(now time.Time) {
	if run := float64(p.run); run > 0 && (p.burst == 0 && p.rate == 0 || run < p.burst) {
		p.burst, p.spread = run, p.latest.Sub(p.first)
	}
	p.begun, p.run = now, 0
	p.second, p.inSecond = now, 0
	p.marks, p.stride = p.marks[:0], 1
}

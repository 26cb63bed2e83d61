package aplomb

import (
	"math"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// told keeps a rate that the user was told, on x/time/rate. All queues of a key
// share it. Each takes a turn for the first of those who wait in it, and the next
// one when that has left: who holds a token and cannot leave comes later, and adds
// to a burst.
type told struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	latest  time.Time // by the limiter's clock, which must not go back: that mints tokens

	// The server's bucket begins to fill when the first of a burst gets there, not
	// when it leaves here: with both at the same level, who is quicker on the way
	// than that one was is refused. So the limiter's clock stands still from a
	// request that found the bucket full to an answer, but for no longer than half
	// of the bucket takes to fill.
	stopped time.Time // zero while the clock runs
	behind  time.Duration
	still   time.Duration // at most, at a time
}

func newTold(cfg RateLimit) *told {
	return &told{
		limiter: rate.NewLimiter(rate.Limit(cfg.PerSecond), cfg.Burst),
		still:   seconds(float64(cfg.Burst) / 2 / cfg.PerSecond),
	}
}

func (p *told) String() string {
	return "the rate limit of " + strconv.FormatFloat(float64(p.limiter.Limit()), 'g', 4, 64) + " per second"
}

// take is now if the queue with this turn got its token, else when it may.
func (p *told) take(turn *time.Time, now time.Time) time.Time {
	if p == nil {
		return now
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	clock := p.clock(now)
	if turn.IsZero() {
		full := p.limiter.TokensAt(clock) >= float64(p.limiter.Burst())
		*turn = clock.Add(p.limiter.ReserveN(clock, 1).DelayFrom(clock))
		if full {
			p.stopped = now
		}
	}
	if turn.After(clock) {
		return now.Add(turn.Sub(clock))
	}
	*turn = time.Time{}
	return now
}

// estimate is when one may expect a token who comes now, and wants it at open,
// behind so many of its queue, which has this turn. A gate that was closed
// opens with an empty bucket.
func (p *told) estimate(turn time.Time, ahead int, now, open time.Time, empty bool) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	clock := p.clock(now)
	queues := math.Ceil(max(0, -p.limiter.TokensAt(clock))) // each with a turn to come
	have := p.limiter.TokensAt(clock.Add(open.Sub(now)))
	if turn.IsZero() {
		queues++
		open = open.Add(p.fill(1 - have))
	} else {
		open = later(open, now.Add(turn.Sub(clock)))
		have = 1
	}
	if have < 1 || empty {
		have = 1
	}
	return open.Add(p.fill((float64(ahead+1) - have) * max(1, queues)))
}

// fill is the time that so many tokens take.
func (p *told) fill(tokens float64) time.Duration {
	return seconds(max(0, tokens) / float64(p.limiter.Limit()))
}

// follow takes a token if there is one. While a fleet's store keeps the rate the
// limiter only follows, so that an outage does not begin with a fresh burst.
func (p *told) follow(now time.Time) {
	p.mu.Lock()
	p.limiter.AllowN(p.clock(now), 1)
	p.mu.Unlock()
}

// empty takes all tokens.
func (p *told) empty(now time.Time) {
	p.mu.Lock()
	clock := p.clock(now)
	p.limiter.AllowN(clock, int(max(0, p.limiter.TokensAt(clock))))
	p.mu.Unlock()
}

// answered takes an answer to a request that was sent at sentAt.
func (p *told) answered(sentAt, now time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	if p.clock(now); !p.stopped.IsZero() && !sentAt.Before(p.stopped) {
		p.run(now)
	}
	p.mu.Unlock()
}

// clock is now for the limiter. p.mu is held.
func (p *told) clock(now time.Time) time.Time {
	switch {
	case p.stopped.IsZero():
	case now.Sub(p.stopped) < p.still:
		now = p.stopped
	default:
		p.run(p.stopped.Add(p.still))
	}
	p.latest = later(p.latest, now.Add(-p.behind))
	return p.latest
}

// run lets the clock go on from at.
func (p *told) run(at time.Time) {
	p.behind += at.Sub(p.stopped)
	p.stopped = time.Time{}
}

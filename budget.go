package aplomb

import (
	"sync"
	"sync/atomic"
	"time"
)

// budget pays for retries, so that an outage is not answered with a multiple
// of the load. It is fed by successes, never by requests: fed by requests it
// keeps a collapsed server down.
type budget struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
	full   atomic.Bool // there is no more to earn, as nearly always
}

const (
	defaultBudget = 0.1
	budgetReserve = 10
	budgetTrickle = 10 * time.Second
)

func newBudget(string) *budget { return &budget{tokens: budgetReserve, at: time.Now()} }

// budgetOf is what pays for requests to where a goes.
func (s *stack) budgetOf(a *Attempt) *budget {
	return s.budgets.at(stateKey{to: a.origin()})
}

func (b *budget) spend(cost float64) bool {
	b.mu.Lock()
	now := time.Now()
	b.tokens = min(b.tokens+float64(now.Sub(b.at))/float64(budgetTrickle), budgetReserve)
	b.at = now
	enough := b.tokens+1e-9 >= cost // ten times 0.1 is a little less than 1
	if enough {
		b.tokens -= cost
		b.full.Store(false)
	}
	b.mu.Unlock()
	return enough
}

// earn puts n in: what a success is worth, or the price of what succeeded or was
// not sent.
func (b *budget) earn(n float64) {
	if b.full.Load() {
		return
	}
	b.mu.Lock()
	b.tokens = min(b.tokens+n, budgetReserve)
	b.full.Store(b.tokens == budgetReserve)
	b.mu.Unlock()
}

package aplomb

import (
	"sync"
	"time"
)

// budget pays for retries, so that an outage is not answered with a multiple
// of the load. It is fed by successes, never by requests: fed by requests it
// keeps a collapsed server down.
type budget struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

const (
	defaultBudget = 0.1
	budgetReserve = 10
	budgetTrickle = 10 * time.Second
)

func newBudget(origin) *budget { return &budget{tokens: budgetReserve, at: time.Now()} }

func (b *budget) spend(cost float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(b.tokens+float64(now.Sub(b.at))/float64(budgetTrickle), budgetReserve)
	b.at = now
	if b.tokens+1e-9 < cost { // ten times 0.1 is a little less than 1
		return false
	}
	b.tokens -= cost
	return true
}

// earn puts n in: what a success is worth, or the price of what succeeded or was
// not sent.
func (b *budget) earn(n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+n, budgetReserve)
}

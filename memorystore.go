package aplomb

import (
	"context"
	"sync"
	"time"
)

// MemoryStore is a [Store] in this process's memory, for several clients that
// share one quota and for tests. [NewMemoryStore] makes it. It keeps 16384 keys;
// for one more it forgets one that was not used of late.
type MemoryStore struct {
	schedules *keyed[*schedule]
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{newKeyed(maxKeys, func(string) *schedule { return &schedule{} })}
}

// Take is [Store.Take].
func (m *MemoryStore) Take(ctx context.Context, key string, claim Claim) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return m.schedules.get(key).take(claim), nil
}

// Close is [Store.Close].
func (m *MemoryStore) Close(ctx context.Context, key string, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	m.schedules.get(key).shut(min(d, MaxClosing))
	return nil
}

// Closed is [Store.Closed].
func (m *MemoryStore) Closed(ctx context.Context, key string) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return m.schedules.get(key).closed(), nil
}

// schedule is GCRA as a bucket of time: a place costs one interval of credit,
// and credit comes back as time passes. at is the last place given out, maybe
// one in the future; credit is what was left there. Unlike a theoretical
// arrival time this keeps its meaning when the interval changes: credit counts
// places, and at never goes back.
type schedule struct {
	mu          sync.Mutex
	at          time.Time
	credit      time.Duration
	interval    time.Duration // that credit is counted in; 0 before the first place
	closedUntil time.Time
	learned     []learnedInterval
}

// learnedInterval is one over a rate that a replica learned. In a schedule the
// oldest comes first and is the longest: a claim makes all shorter ones before
// it moot, since they would also be forgotten earlier.
type learnedInterval struct {
	interval time.Duration
	until    time.Time
}

// maxLearned bounds a schedule's learned rates (law 7).
const maxLearned = 16

func (s *schedule) take(claim Claim) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	interval := claim.Interval()
	if claim.Learned {
		interval = s.learn(interval, now)
	}
	if interval == 0 {
		return max(0, s.closedUntil.Sub(now))
	}
	at, credit := s.next(interval, claim.credit(interval), now)
	wait = at.Sub(now)
	if wait <= max(0, claim.MaxWait) {
		s.at, s.credit, s.interval = at, credit, interval
	}
	return wait
}

// next is the first free place and the credit left there; full is the most
// credit there can be.
func (s *schedule) next(interval, full time.Duration, now time.Time) (at time.Time, credit time.Duration) {
	switch at = s.at; s.interval {
	case 0:
		credit = full
	case interval:
		credit = min(full, s.credit)
	default:
		credit = min(full, time.Duration(float64(s.credit)*(float64(interval)/float64(s.interval))))
	}
	if s.closedUntil.After(at) {
		at, credit = s.closedUntil, interval // one at the end, and nothing saved up
	}
	if passed := now.Sub(at); passed > 0 {
		at, credit = now, credit+min(passed, full-credit)
	}
	if credit < interval {
		at, credit = at.Add(interval-credit), interval
	}
	return at, credit - interval
}

// learn notes an interval, if there is one, and returns the longest that holds.
func (s *schedule) learn(interval time.Duration, now time.Time) time.Duration {
	kept := s.learned[:0]
	for _, l := range s.learned {
		if l.until.After(now) && l.interval > interval {
			kept = append(kept, l)
		}
	}
	switch {
	case interval == 0:
	case len(kept) == maxLearned: // rounded to the next slower, which is the safe side
		kept[maxLearned-1].until = now.Add(LearnedFor)
	default:
		kept = append(kept, learnedInterval{interval, now.Add(LearnedFor)})
	}
	s.learned = kept
	if len(kept) == 0 {
		return 0
	}
	return kept[0].interval
}

func (s *schedule) shut(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closedUntil = later(s.closedUntil, time.Now().Add(d))
}

func (s *schedule) closed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, time.Until(s.closedUntil))
}

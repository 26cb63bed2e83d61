package inbox

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Claim is [Queue.Claim].
func (m *Memory) Claim(ctx context.Context, c Claim) ([]Record, time.Duration, error) {
	if err := cmp.Or(c.Check(), ctx.Err()); err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var due []*kept
	expired := 0
	for _, r := range m.waiting {
		if r.due.After(now) || len(due) == c.Limit {
			break
		}
		if len(c.Sources) > 0 && !slices.Contains(c.Sources, r.Source) || !m.isNext(r, now) {
			continue
		}
		if r.State == StateLeased {
			if expired == c.Expired {
				continue
			}
			expired++
		}
		due = append(due, r)
		if r.State == StateLeased {
			r.failed(RanOut, now)
		}
		r.State = StateLeased // so that isNext sees it
		r.due = now.Add(c.Lease)
	}
	out := make([]Record, len(due))
	for i, r := range due {
		r.Attempts++
		r.Fence++
		r.owner, r.began = c.Owner, now
		out[i] = r.shown()
	}
	slices.SortFunc(m.waiting, byDue)
	return out, m.next(now), nil
}

// isNext reports whether r, which is due, may be handled as far as its Order goes.
func (m *Memory) isNext(r *kept, now time.Time) bool {
	if r.Order == "" {
		return true
	}
	lane := m.lanes[name{r.Source, r.Order}]
	if lane[0] != r {
		return false
	}
	return !slices.ContainsFunc(lane, func(o *kept) bool { return o.State == StateLeased && o.due.After(now) })
}

// next is how long nothing will be due, as far as is known.
func (m *Memory) next(now time.Time) time.Duration {
	i, _ := slices.BinarySearchFunc(m.waiting, now, func(r *kept, t time.Time) int {
		if r.due.After(t) {
			return 1
		}
		return -1
	})
	if i == len(m.waiting) {
		return longestNext
	}
	return min(longestNext, m.waiting[i].due.Sub(now))
}

// longestNext bounds what Claim says of when to ask again.
const longestNext = time.Hour

// lease finds a record whose lease is held.
func (m *Memory) lease(l Lease) *kept {
	if r, there := m.records[l.Seq]; there && r.State == StateLeased && r.Fence == l.Fence {
		return r
	}
	return nil
}

// Extend is [Queue.Extend].
func (m *Memory) Extend(ctx context.Context, d time.Duration, leases ...Lease) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held := make([]bool, len(leases))
	for i, l := range leases {
		if r := m.lease(l); r != nil && r.due.After(time.Now()) {
			held[i] = true
			m.wait(r, time.Now().Add(d))
		}
	}
	return held, nil
}

// Settle is [Queue.Settle].
func (m *Memory) Settle(ctx context.Context, settlements ...Settlement) ([]bool, error) {
	if err := cmp.Or(checkSettlements(settlements), ctx.Err()); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held := make([]bool, len(settlements))
	for i, s := range settlements {
		if r := m.lease(s.Lease); r != nil {
			held[i] = true
			m.settle(r, s, time.Now())
		}
	}
	return held, nil
}

func (m *Memory) settle(r *kept, s Settlement, now time.Time) {
	if s.Error != "" {
		r.failed(s.Error, now)
	}
	if s.Undo {
		r.Attempts--
	}
	r.State = s.State
	if s.State == StateReady {
		m.wait(r, now.Add(max(0, s.After)))
		return
	}
	m.leave(r, s.State == StateParked)
}

// Last is [Queue.Last].
func (m *Memory) Last(ctx context.Context, source, order string) (*Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var last *kept
	for _, r := range m.records {
		if r.State == StateDone && r.Source == source && r.Order == order && (last == nil || byOccurred(r, last) > 0) {
			last = r
		}
	}
	if last == nil {
		return nil, nil
	}
	shown := last.shown()
	return &shown, nil
}

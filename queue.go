package aplomb

import (
	"container/list"
	"sync"
	"time"
)

// queue holds back the requests of one quota key until every gate that concerns
// them lets them pass, first come first served at each gate. It is one list and
// one timer: when an answer changes what a gate allows, that holds at once for
// all who wait, and nobody has a place in a schedule that is no longer true.
type queue struct {
	headroom float64

	mu      sync.Mutex
	waiting list.List // of *waiter
	timer   *time.Timer
	rated   int       // waiters for whom the told rate decides
	turn    time.Time // when it has a token of that, by its clock; zero before it asked
	round   int64     // of pump
}

// A waiter is one request before its gates.
type waiter struct {
	route  route
	latest time.Time // when it had rather be refused
	by     *gate     // the gate that decides; nil is the told rate
	place  *list.Element
	passed chan error // capacity 1: nil, or why it will not pass in time
	slot   slot       // once it passed
}

// cause is what w begins to wait for.
func (w *waiter) cause() WaitCause {
	if w != nil && w.by == nil {
		return WaitLimiter
	}
	return WaitQuota
}

// route is the gates that concern an operation, and the told rate that does.
type route struct {
	common *gate // of the quota without a name
	named  []*gate
	told   *told // nil where no rate was told
}

// name is what by is called in a refusal.
func (r route) name(by *gate) string {
	if by == nil {
		return r.told.String()
	}
	return by.String()
}

// each calls f with every gate of the route until f returns false.
func (r route) each(f func(*gate) bool) {
	if !f(r.common) {
		return
	}
	for _, g := range r.named {
		if !f(g) {
			return
		}
	}
}

// closed reports that a gate of the route lets nothing through.
func (r route) closed(now time.Time) (closed bool) {
	r.each(func(g *gate) bool { closed = g.closed(now); return !closed })
	return closed
}

// slot is a request's booking at the gates of its route.
type slot struct {
	route  route
	held   bool
	common int64   // its sequence number at the common gate
	seqs   []int64 // at the named ones
}

// reopens reports that a request would be the first after one of the gates was closed.
func (r route) reopens(now time.Time) (reopens bool) {
	r.each(func(g *gate) bool { reopens = g.reopens(now); return !reopens })
	return reopens
}

// restart begins with an empty bucket after a gate was closed: those who waited are
// not to leave at once, with a bucket of the server's that is no fuller than the
// told one. What then comes at the told rate finds that bucket full, which shows
// nothing of how it filled before.
func (r route) restart(now time.Time) {
	if r.told == nil {
		return
	}
	r.each(func(g *gate) bool {
		if g.reopens(now) {
			r.told.empty(now)
			g.mirror.reopen()
		}
		return true
	})
}

// book passes a request, which has its token, through the gates of its route.
func (r route) book(now time.Time) slot {
	r.restart(now)
	s := slot{route: r, held: true, common: r.common.book(now)}
	if len(r.named) > 0 {
		s.seqs = make([]int64, len(r.named))
		for i, g := range r.named {
			s.seqs[i] = g.book(now)
		}
	}
	return s
}

// seq is the request's sequence number at g; 0 if it was sent before g was
// known.
func (s *slot) seq(g *gate) int64 {
	if s.route.common == g {
		return s.common
	}
	for i, named := range s.route.named {
		if named == g {
			return s.seqs[i]
		}
	}
	return 0
}

// settle ends the booking, once.
func (s *slot) settle(unsent bool) {
	if !s.held {
		return
	}
	s.held = false
	s.route.each(func(g *gate) bool { g.settle(unsent); return true })
}

// enter passes a request at once, queues it to pass at about the given moment,
// or refuses it. q.mu is held.
func (q *queue) enter(r route, now, latest time.Time) (slot, *waiter, time.Time, error) {
	at, by := q.estimate(r, now)
	if at.After(latest) && q.credit(r, now) { // pacing never refuses what the quota still holds
		at = now
	}
	if !at.After(now) {
		if at, by = r.told.take(&q.turn, now), nil; !at.After(now) {
			return r.book(now), nil, now, nil
		}
	}
	if at.After(latest) {
		return slot{}, nil, at, limitRefusal(r.name(by), now, at, latest)
	}
	w := &waiter{route: r, latest: latest, passed: make(chan error, 1), by: by}
	q.count(by, 1)
	w.place = q.waiting.PushBack(w)
	q.pump(now)
	return slot{}, w, at, nil
}

// count adds n to those for whom by decides.
func (q *queue) count(by *gate, n int) {
	if by == nil {
		q.rated += n
	} else {
		by.queued += n
	}
}

// estimate is when a request that comes now may expect to pass, behind those
// who wait, and the gate that decides it; nil is the told rate.
func (q *queue) estimate(r route, now time.Time) (at time.Time, by *gate) {
	at, by = now, r.common
	r.each(func(g *gate) bool {
		t := g.next(now, q.headroom)
		if g.queued > 0 {
			t = later(t, now.Add(1)).Add(time.Duration(g.queued) * g.expected(now, q.headroom))
		}
		if t.After(at) {
			at, by = t, g
		}
		return true
	})
	if t := q.token(r, now); t.After(at) {
		return t, nil
	}
	return at, by
}

// token is when such a request may expect a token of the told rate: once its gates
// are open, and those who wait before it at one of them have theirs.
func (q *queue) token(r route, now time.Time) time.Time {
	if r.told == nil {
		return now
	}
	open, ahead := now, q.rated
	r.each(func(g *gate) bool {
		open, ahead = later(open, g.opens(now)), ahead+g.queued
		return true
	})
	return r.told.estimate(q.turn, ahead, now, open, r.reopens(open))
}

// credit reports that every gate has room by the server's own numbers, and the
// told rate a token.
func (q *queue) credit(r route, now time.Time) (ok bool) {
	r.each(func(g *gate) bool {
		ok = !g.next(now, q.headroom).After(now) && g.queued == 0 || g.credit(now)
		return ok
	})
	return ok && !q.token(r, now).After(now)
}

// next is when a request may take the route, and the gate that decides it.
func (q *queue) next(r route, now time.Time) (at time.Time, by *gate) {
	at, by = now, r.common
	r.each(func(g *gate) bool {
		if t := g.next(now, q.headroom); t.After(at) {
			at, by = t, g
		}
		return true
	})
	return at, by
}

// pump lets pass whoever may, and sets the timer for the next. q.mu is held.
func (q *queue) pump(now time.Time) {
	var soonest time.Time
	q.round++
	for e := q.waiting.Front(); e != nil; {
		w, _ := e.Value.(*waiter) // nothing else is in it
		e = e.Next()
		if w.by != nil && w.by.round == q.round {
			continue // an earlier one waits for the same gate
		}
		at, by := q.next(w.route, now)
		if !at.After(now) {
			if at, by = w.route.told.take(&q.turn, now), nil; !at.After(now) {
				w.slot = w.route.book(now)
				q.leave(w, nil)
				continue
			}
		}
		if soonest.IsZero() || at.Before(soonest) {
			soonest = at
		}
		q.count(w.by, -1)
		w.by = by
		q.count(by, 1)
		if by == nil || by == w.route.common {
			break // it concerns everyone
		}
		by.round = q.round
	}
	q.schedule(now, soonest)
}

// leave takes a waiter out and tells it why.
func (q *queue) leave(w *waiter, why error) {
	q.waiting.Remove(w.place)
	w.place = nil
	q.count(w.by, -1)
	w.passed <- why
}

// sweep refuses those whose time ends before their gates open. q.mu is held.
func (q *queue) sweep(now time.Time) {
	for e := q.waiting.Front(); e != nil; {
		w, _ := e.Value.(*waiter) // nothing else is in it
		e = e.Next()
		w.route.each(func(g *gate) bool {
			if at := g.opens(now); at.After(w.latest) {
				q.leave(w, limitRefusal(g.String(), now, at, w.latest))
				return false
			}
			return true
		})
	}
}

// schedule sets the timer to the moment of the next pump; the zero moment
// needs none.
func (q *queue) schedule(now, moment time.Time) {
	switch {
	case moment.IsZero():
		if q.timer != nil {
			q.timer.Stop()
		}
	case q.timer == nil:
		q.timer = time.AfterFunc(moment.Sub(now), func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.pump(time.Now())
		})
	default:
		q.timer.Reset(moment.Sub(now))
	}
}

// overdue is the refusal of one whose longest wait ended in the queue, which
// moved on more slowly than it looked.
func (q *queue) overdue(w *waiter) error {
	q.mu.Lock()
	now := time.Now()
	at, by := q.estimate(w.route, now)
	q.mu.Unlock()
	return limitRefusal(w.route.name(by), now, at, now)
}

// abandon takes out a waiter whose call ended, or gives back what it got in the
// same moment.
func (q *queue) abandon(w *waiter) {
	q.mu.Lock()
	if w.place != nil {
		q.leave(w, nil)
	} else {
		w.slot.settle(true)
	}
	q.pump(time.Now())
	q.mu.Unlock()
}

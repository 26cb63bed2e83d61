package aplomb

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bulkhead is an [Option]: how many attempts may be in flight per host, so that
// one that hangs cannot hold all of your goroutines, connections and memory. It
// is off unless given; see [NoBulkhead].
//
// An attempt takes its place after the circuit breaker's check and before it
// waits for a rate or a quota, and gives it up when its body was read: for
// [Client.Do] and [Client.HTTPClient] when the caller closes the response's
// body or has read it to the end. Those who find no place wait in order, and
// are refused with [ErrBulkheadFull] when the queue is full or MaxWait is over,
// which is not retried.
//
// An attempt that is cancelled gives its place up at once, though the server may
// still be at work on it: with deadlines near the usual time of an answer, more
// than MaxInFlight may be at work there. The time in the queue counts against
// the deadline, so keep MaxWait well below it.
type Bulkhead struct {
	// MaxInFlight is the bound. Default 64, the idle connections that are kept
	// for one host: with more in flight, each burst dials anew.
	MaxInFlight int
	// Queue is how many may wait for a place. Default MaxInFlight: the last in
	// such a queue waits about as long as one answer takes.
	Queue int
	// MaxWait is the longest wait in the queue; a context that ends earlier ends
	// it. Default 1 s: a second behind a full bound is no burst any more.
	MaxWait time.Duration
	// Adaptive finds the bound from what the host shows, between 1 and
	// MaxInFlight: it grows while the host answers as quickly as it can, and
	// shrinks when answers slow down or an eighth of the attempts meet an
	// overload: no answer, 502, 503, 504. What the host can do is remembered for
	// one to two minutes; one that stays slow is then taken as it is. Fewer than about five requests per second teach it
	// little. Source: TCP Vegas (Brakmo and Peterson, 1995) as Netflix's
	// concurrency-limits and failsafe-go have it for requests.
	Adaptive bool
	// Key groups requests under one bound. Default: the origin.
	Key func(*http.Request) string
}

const (
	defaultInFlight = defaultIdleConnsAHost
	defaultPatience = time.Second
)

func (b Bulkhead) applyClient(c *config) error {
	switch {
	case b.MaxInFlight < 0:
		return fmt.Errorf("aplomb: Bulkhead.MaxInFlight: %d is negative; zero means %d, and NoBulkhead() switches it off", b.MaxInFlight, defaultInFlight)
	case b.Queue < 0:
		return fmt.Errorf("aplomb: Bulkhead.Queue: %d is negative; zero means MaxInFlight, and a short MaxWait keeps nobody waiting", b.Queue)
	}
	c.bulkhead, c.keyed = &b, c.keyed || b.Key != nil
	return plausible("Bulkhead", named{"MaxWait", b.MaxWait})
}

// NoBulkhead switches the bound on requests in flight off.
func NoBulkhead() Option { return clientOption(func(c *config) error { c.bulkhead = nil; return nil }) }

func (b *Bulkhead) withDefaults() Bulkhead {
	d := *b
	d.MaxInFlight = orDefault(d.MaxInFlight, defaultInFlight)
	d.Queue = orDefault(d.Queue, d.MaxInFlight)
	d.MaxWait = orDefault(d.MaxWait, defaultPatience)
	return d
}

// places are what attempts take before they are sent. They are known by this
// interface, and a place by that of its seat, so that a program without
// [Bulkhead] links none of it.
type places interface {
	// enter takes a place for the attempt, waiting in the queue for it if need be.
	enter(a *Attempt) error
	// enterNow takes a place if there is one, before nobody who waits.
	enterNow(a *Attempt) bool
}

// A builder makes the places of a client.
type builder interface{ build() places }

// bulkheads holds a bulkhead per key.
type bulkheads struct {
	key   func(*http.Request) string
	byKey *keyed[*bulkhead]
}

func (b *Bulkhead) build() places {
	cfg := b.withDefaults()
	return &bulkheads{
		key:   b.Key,
		byKey: newKeyed(maxKeys, func(key string) *bulkhead { return newBulkhead(key, cfg) }),
	}
}

func (b *bulkheads) of(a *Attempt) *bulkhead {
	if b.key != nil {
		key := b.key(a.Request)
		a.at = time.Now() // it may have taken its time
		return b.byKey.get(key)
	}
	return b.byKey.get(a.originKey())
}

func (b *bulkheads) enter(a *Attempt) error { return b.of(a).enter(a) }

func (b *bulkheads) enterNow(a *Attempt) bool {
	own := b.of(a)
	own.mu.Lock()
	defer own.mu.Unlock()
	return own.take(a)
}

// bulkhead is the bound of one key.
type bulkhead struct {
	key string
	cfg Bulkhead

	mu       sync.Mutex
	inFlight int
	queue    list.List // of *turn
	adaptive *adaptive // nil where the bound is fixed
}

// A turn is one waiting in the queue.
type turn struct{ come chan struct{} }

func newBulkhead(key string, cfg Bulkhead) *bulkhead {
	b := &bulkhead{key: key, cfg: cfg}
	if cfg.Adaptive {
		b.adaptive = newAdaptive(cfg.MaxInFlight, time.Now())
	}
	return b
}

// bound is how many may be in flight now. b.mu is held.
func (b *bulkhead) bound() int {
	if b.adaptive == nil {
		return b.cfg.MaxInFlight
	}
	return b.adaptive.bound()
}

// take gives the attempt a free place. b.mu is held.
func (b *bulkhead) take(a *Attempt) bool {
	if b.queue.Len() > 0 || b.inFlight >= b.bound() {
		return false
	}
	b.inFlight++
	a.seat = seat{b: b, held: true}
	b.adaptive.filled(b.inFlight)
	return true
}

// admitNext hands free places to those who wait, in order. b.mu is held.
func (b *bulkhead) admitNext() {
	for b.inFlight < b.bound() && b.queue.Len() > 0 {
		b.inFlight++
		b.adaptive.filled(b.inFlight)
		close(b.queue.Remove(b.queue.Front()).(*turn).come) //nolint:forcetypeassert // nothing else is in it
	}
}

func (b *bulkhead) enter(a *Attempt) error {
	b.mu.Lock()
	if b.take(a) {
		b.mu.Unlock()
		return nil
	}
	if b.queue.Len() >= b.cfg.Queue {
		err := b.refusal("", nil)
		b.mu.Unlock()
		return err
	}
	mine := &turn{make(chan struct{})}
	place := b.queue.PushBack(mine)
	b.mu.Unlock()
	a.seat.b = b
	waited := false
	defer func() {
		if !waited && !b.giveUp(place, mine) { // a hook died, and abandon leaves the seat
			a.seat.held = true
		}
	}()
	why := a.call.queueFor(a.ctx, mine, b.cfg.MaxWait)
	waited, a.at = true, time.Now()
	if why != nil && b.giveUp(place, mine) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.refusal(brief(b.cfg.MaxWait), why)
	}
	a.seat.held = true
	return nil
}

// errPatience says that the longest wait was over.
var errPatience = errors.New("the longest wait is over")

// queueFor waits for a turn. It returns why it did not come.
func (c *call) queueFor(ctx context.Context, mine *turn, longest time.Duration) error {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	if until, ok := ctx.Deadline(); ok {
		longest = min(longest, time.Until(until))
	}
	w := c.startWait(ctx, WaitBulkhead, longest)
	defer w.end()
	select {
	case <-mine.come:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return errPatience
	}
}

// giveUp leaves the queue; false if the turn had come meanwhile.
func (b *bulkhead) giveUp(place *list.Element, mine *turn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-mine.come:
		return false
	default:
		b.queue.Remove(place)
		return true
	}
}

// refusal is the error of an attempt that got no place. b.mu is held.
func (b *bulkhead) refusal(waited string, why error) error {
	state := fmt.Sprintf("%d in flight and %d waiting", b.inFlight, b.queue.Len())
	switch {
	case why == nil:
		return &refusal{sentinel: ErrBulkheadFull, why: "bulkhead full for " + b.key + ": " + state}
	case errors.Is(why, errPatience):
		return &refusal{sentinel: ErrBulkheadFull, why: "bulkhead full for " + b.key + ": no place within " + waited + ", " + state}
	case errors.Is(why, context.DeadlineExceeded):
		return &refusal{sentinel: ErrBulkheadFull, why: "bulkhead full for " + b.key + ": the call's time ended in the queue, " + state, err: why}
	default: // the caller's own cancel, which says nothing of the bulkhead
		return &refusal{why: "ended while waiting for the " + string(WaitBulkhead), err: why}
	}
}

// A seat is an attempt's place in a bulkhead, to be left once. The zero seat is
// none.
type seat struct {
	b interface { // a *bulkhead
		leave(s *seat)
		observe(a *Attempt)
		keep(s *seat, a *Attempt)
	}
	held bool // under b.mu
}

// leave gives the place up, to the first who waits.
func (s *seat) leave() {
	if s.b != nil {
		s.b.leave(s)
	}
}

// observe lets the bound learn from the attempt.
func (s *seat) observe(a *Attempt) {
	if s.b != nil {
		s.b.observe(a)
	}
}

// keep holds the place until the response's body is read or closed, by whoever
// has it, or the attempt's context ends, which ends the connection too.
func (s *seat) keep(a *Attempt) {
	if s.b != nil {
		s.b.keep(s, a)
	}
}

func (b *bulkhead) leave(s *seat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.held {
		s.held = false
		b.inFlight--
		b.admitNext()
	}
}

func (b *bulkhead) observe(a *Attempt) {
	if b.adaptive == nil || a.start.IsZero() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.adaptive.observe(a, time.Now())
	b.admitNext()
}

func (b *bulkhead) keep(s *seat, a *Attempt) {
	resp := a.Response
	held := heldBody{ReadCloser: resp.Body, seat: s, forget: context.AfterFunc(&a.carrier, s.leave)}
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = &heldConn{held, conn}
		return
	}
	resp.Body = &held
}

// heldBody gives its seat up at its end.
type heldBody struct {
	io.ReadCloser
	seat   *seat
	forget func() bool
}

// heldConn is the connection that a 101 hands over.
type heldConn struct {
	heldBody
	io.Writer
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.leave()
	}
	return n, err
}

func (b *heldBody) Close() error {
	defer b.leave()
	return b.ReadCloser.Close()
}

func (b *heldBody) leave() {
	b.forget()
	b.seat.leave()
}

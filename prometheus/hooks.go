package prometheus

import (
	"context"
	"errors"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Option counts what a client does, once, however often it is given: an SDK and the
// program around it may both have a client counted, and one made by With has its
// parent's already.
func (m *Metrics) Option() aplomb.Option { return aplomb.Once(m, m.hooks()) }

func (m *Metrics) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		CallStart:   m.callStart,
		CallDone:    m.callDone,
		AttemptDone: m.attemptDone,
		BodyFailed:  m.bodyFailed,
		WaitDone:    m.waitDone,
		Breaker:     m.breakerTurned,
		Quota:       m.quotaStated,
		Store:       m.storeTurned,
		Deprecated:  m.operationDeprecated,
	}
}

func (m *Metrics) callStart(_ context.Context, e aplomb.CallEvent) {
	m.client(e.Client).inflight.Inc()
}

func (m *Metrics) callDone(_ context.Context, e aplomb.CallEvent) {
	c := m.client(e.Client)
	c.inflight.Dec()
	c.operations.of(e.Operation).done(&e)
}

// attemptDone leaves out an attempt that was not sent for want of a credential: it is
// no request, and how long it took says nothing of the server.
func (m *Metrics) attemptDone(_ context.Context, e aplomb.AttemptEvent) {
	if e.Err != nil && errors.Is(e.Err, aplomb.ErrNoCredential) {
		return
	}
	c := m.client(e.Client)
	c.attempts.of(&e).Inc()
	m.requests.of(&e).Observe(e.Elapsed.Seconds())
	if ahead, ok := clockSkew(&e); ok {
		c.skew().Set(ahead.Seconds())
	}
}

func (m *Metrics) bodyFailed(_ context.Context, e aplomb.AttemptEvent) {
	m.client(e.Client).bodies.Inc()
}

func (m *Metrics) waitDone(_ context.Context, e aplomb.WaitEvent) {
	m.client(e.Client).waits.of(e.Cause).Observe(e.Duration.Seconds())
}

func (m *Metrics) breakerTurned(e aplomb.BreakerEvent) {
	m.client(e.Client).breakers.of(e.Key).turn(e.Key, e.To, e.At)
}

func (m *Metrics) storeTurned(e aplomb.StoreEvent) {
	c := m.client(e.Client)
	c.store.turn(m.store.WithLabelValues(c.name), &e)
}

func (m *Metrics) quotaStated(_ context.Context, e aplomb.QuotaEvent) {
	m.client(e.Client).buckets.state(&e, time.Now())
}

func (m *Metrics) operationDeprecated(_ context.Context, e aplomb.DeprecationEvent) {
	m.client(e.Client).operations.of(e.Operation).announce(e)
}

// clockSkew is the least by which the server's clock is ahead: a Date names a
// second, which had begun when the answer was written, between sending and receiving.
func clockSkew(e *aplomb.AttemptEvent) (ahead time.Duration, ok bool) {
	if e.Date.IsZero() {
		return 0, false
	}
	least, most := e.Date.Sub(e.Start.Add(e.Elapsed)), e.Date.Add(time.Second).Sub(e.Start)
	switch {
	case least > 0:
		return least, true
	case most < 0:
		return most, true
	}
	return 0, true
}

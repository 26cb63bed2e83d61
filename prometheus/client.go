package prometheus

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aplomb-go/aplomb"
)

// client is the series of one client.
type client struct {
	name       string // as the label has it
	inflight   prometheus.Gauge
	bodies     prometheus.Counter
	attempts   attempts
	operations *bounded[string, *operation]
	waits      *bounded[aplomb.WaitCause, prometheus.Observer]
	breakers   *bounded[string, *circuit]
	skew       func() prometheus.Gauge
	buckets    buckets
	store      storeState

	mu         sync.Mutex
	apiVersion string
}

// client finds the series of the client with that name. What [aplomb.Wrap] made has
// none.
func (m *Metrics) client(name string) *client {
	if name == "" {
		name = "unnamed"
	}
	return m.clients.of(label(name))
}

// newClient makes the series of a client that is seen for the first time. Those
// that are there from the beginning have their first increase seen by a rate.
func (m *Metrics) newClient(name string) *client {
	c := &client{
		name:     name,
		inflight: m.inflight.WithLabelValues(name),
		bodies:   m.bodies.WithLabelValues(name),
		attempts: attempts{
			first: m.attempts.WithLabelValues(name, "first"), retry: m.attempts.WithLabelValues(name, "retry"),
			hedge: m.attempts.WithLabelValues(name, "hedge"), redirect: m.attempts.WithLabelValues(name, "redirect"),
			probe: m.attempts.WithLabelValues(name, "probe"),
		},
		skew: sync.OnceValue(func() prometheus.Gauge { return m.skew.WithLabelValues(name) }),
	}
	c.operations = newBounded(maxOperations, other, func(raw string) *operation { return m.newOperation(name, label(raw)) })
	c.waits = newBounded(maxResults, aplomb.WaitCause(other), func(cause aplomb.WaitCause) prometheus.Observer {
		return m.waits.WithLabelValues(name, label(string(cause)))
	})
	c.breakers = newBounded(maxBreakers, other, func(raw string) *circuit { return m.newCircuit(name, label(raw)) })
	m.tellInfo(c)
	return c
}

// APIVersion names the version of the API that a client speaks, for
// aplomb_client_info: client is its [aplomb.Client.Name].
func (m *Metrics) APIVersion(client, apiVersion string) {
	c := m.client(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	m.info.DeletePartialMatch(prometheus.Labels{"client": c.name})
	c.apiVersion = label(apiVersion)
	m.tellInfo(c)
}

func (m *Metrics) tellInfo(c *client) {
	m.info.WithLabelValues(c.name, version(), c.apiVersion).Set(1)
}

// attempts are a client's requests by why they were sent.
type attempts struct{ first, retry, hedge, redirect, probe prometheus.Counter }

func (a *attempts) of(e *aplomb.AttemptEvent) prometheus.Counter {
	switch e.Reason() {
	case "hedge":
		return a.hedge
	case "probe":
		return a.probe
	case "redirect":
		return a.redirect
	case "retry":
		return a.retry
	}
	return a.first
}

// operation is the series of one operation.
type operation struct {
	duration   prometheus.Observer
	outcomes   *bounded[aplomb.Result, prometheus.Counter]
	deprecated atomic.Pointer[prometheus.Counter] // nil until it is
	announce   func(aplomb.DeprecationEvent)
}

func (m *Metrics) newOperation(client, name string) *operation {
	o := &operation{
		duration: m.callDuration.WithLabelValues(client, name),
		outcomes: newBounded(maxResults, aplomb.Result(other), func(r aplomb.Result) prometheus.Counter {
			return m.calls.WithLabelValues(client, name, label(string(r)))
		}),
	}
	o.announce = func(e aplomb.DeprecationEvent) {
		counter := m.deprecated.WithLabelValues(client, name)
		o.deprecated.Store(&counter)
		if !e.Sunset.IsZero() {
			m.sunset.WithLabelValues(client, name).Set(seconds(e.Sunset))
		}
	}
	return o
}

func (o *operation) done(e *aplomb.CallEvent) {
	o.duration.Observe(e.Elapsed.Seconds())
	o.outcomes.of(e.Result).Inc()
	if deprecated := o.deprecated.Load(); deprecated != nil && e.Attempts > 0 {
		(*deprecated).Inc()
	}
}

// storeState is whether a client's store is there, by the latest that was said of it.
type storeState struct {
	mu     sync.Mutex
	latest time.Time
}

func (s *storeState) turn(gauge prometheus.Gauge, e *aplomb.StoreEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.At.Before(s.latest) {
		return
	}
	s.latest = e.At
	up := 1.0
	if e.Down {
		up = 0
	}
	gauge.Set(up)
}

// seconds is a time as Prometheus writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

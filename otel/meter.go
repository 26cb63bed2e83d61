package otel

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/aplomb-go/aplomb"
)

// buckets are those that the conventions advise for http.client.request.duration.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// meters are the instruments.
type meters struct {
	duration   metric.Float64Histogram // of an attempt
	calls      metric.Float64Histogram
	waits      metric.Float64Histogram
	attempts   metric.Int64Counter
	inFlight   metric.Int64UpDownCounter
	broken     metric.Int64Counter
	remaining  metric.Int64Gauge
	deprecated metric.Int64Counter
	bodies     metric.Int64Counter

	operations, templates, hosts, breakers, quotas bounded

	mu      sync.Mutex
	clients map[string]metric.MeasurementOption
}

func newMeters(m metric.Meter) (*meters, error) {
	var errs []error
	histogram := func(name, what string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(buckets...))
		errs = append(errs, err)
		return h
	}
	counter := func(name, unit, what string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	all := &meters{
		duration:   histogram("http.client.request.duration", "Duration of HTTP client requests."),
		calls:      histogram("aplomb.call.duration", "Duration of calls, with their waits and retries."),
		waits:      histogram("aplomb.wait.duration", "Duration of waits, by what was waited for."),
		attempts:   counter("aplomb.attempts", "{attempt}", "Requests sent, by what came of them."),
		broken:     counter("aplomb.breaker.transitions", "{transition}", "Transitions of circuit breakers, by the state they went to."),
		deprecated: counter("aplomb.deprecations", "{operation}", "Operations that a server has announced to go away."),
		bodies:     counter("aplomb.body.failures", "{body}", "Answers whose body broke off while the caller read it."),
		operations: bounded{most: maxOperations}, templates: bounded{most: maxOperations},
		hosts: bounded{most: maxNames}, breakers: bounded{most: maxNames}, quotas: bounded{most: maxNames},
		clients: map[string]metric.MeasurementOption{},
	}
	var err error
	all.inFlight, err = m.Int64UpDownCounter("aplomb.calls.active", metric.WithUnit("{call}"), metric.WithDescription("Calls under way."))
	errs = append(errs, err)
	all.remaining, err = m.Int64Gauge("aplomb.quota.remaining", metric.WithUnit("{request}"), metric.WithDescription("What a server said is left of a quota."))
	return all, errors.Join(append(errs, err)...)
}

// maxClients bounds what is kept for the next event.
const maxClients = 100

// client is the one attribute of what has no other.
func (m *meters) client(name string) metric.MeasurementOption {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.clients[name]
	if !ok {
		o = metric.WithAttributeSet(attribute.NewSet(clientKey.String(name)))
		if len(m.clients) < maxClients {
			m.clients[name] = o
		}
	}
	return o
}

// attempt has the attributes of the conventions, and the template, which keeps the
// metric's series few.
func (m *meters) attempt(ctx context.Context, e aplomb.AttemptEvent) {
	if errors.Is(e.Err, aplomb.ErrNoCredential) {
		return // nothing was sent
	}
	name, _ := method(e.Method)
	e.Host = m.hosts.of(e.Host)
	attrs := append(server(e), methodKey.String(name))
	if path := template(e); path != "" {
		attrs = append(attrs, templateKey.String(m.templates.of(path)))
	}
	if e.Status > 0 {
		attrs = append(attrs, statusKey.Int(e.Status))
	}
	if kind := e.ErrorType(); kind != "" {
		attrs = append(attrs, errorTypeKey.String(kind))
	}
	if name, version := protocol(e.Protocol()); version != "" {
		attrs = append(attrs, protocolKey.String(name), versionKey.String(version))
	}
	m.duration.Record(ctx, e.Elapsed.Seconds(), metric.WithAttributes(attrs...))
	m.attempts.Add(ctx, 1, metric.WithAttributes(clientKey.String(e.Client), attribute.String("aplomb.reason", e.Reason()), attribute.String("aplomb.outcome", e.Verdict.Outcome.String())))
}

func (m *meters) call(ctx context.Context, e aplomb.CallEvent) {
	m.calls.Record(ctx, e.Elapsed.Seconds(), metric.WithAttributes(clientKey.String(e.Client), operationKey.String(m.operations.of(e.Operation)), resultKey.String(string(e.Result))))
}

func (m *meters) wait(ctx context.Context, e aplomb.WaitEvent) {
	m.waits.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(clientKey.String(e.Client), causeKey.String(string(e.Cause))))
}

func (m *meters) breaker(e aplomb.BreakerEvent) {
	m.broken.Add(context.Background(), 1, metric.WithAttributes(clientKey.String(e.Client), attribute.String("aplomb.breaker", m.breakers.of(e.Key)), attribute.String("aplomb.breaker.state", string(e.To))))
}

func (m *meters) quota(ctx context.Context, e aplomb.QuotaEvent) {
	if e.Remaining >= 0 {
		m.remaining.Record(ctx, e.Remaining, metric.WithAttributes(clientKey.String(e.Client), quotaKey.String(m.quotas.of(e.Name))))
	}
}

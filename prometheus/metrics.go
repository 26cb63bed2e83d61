package prometheus

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of any number of clients, and of the webhooks, feeds,
// inboxes and caches beside them, on one registry. [New] makes it. All methods are
// safe for concurrent use.
type Metrics struct {
	families
	clients  *bounded[string, *client]
	requests requests
	cached   *bounded[string, prometheus.Counter]
	hooked   *bounded[string, prometheus.Counter]
	dropped  *bounded[string, prometheus.Counter]
	feeds    feeds
}

// families are the metrics by their names, each of which has as many series as
// it has met values of its labels.
type families struct {
	calls, attempts, transitions, refreshes, deprecated  *prometheus.CounterVec
	cache, webhooks, duplicates, bodies                  *prometheus.CounterVec
	callDuration, requestDuration, waits                 *prometheus.HistogramVec
	breaker, skew, expiry, sunset, info, store, inflight *prometheus.GaugeVec
	quotaLimit, quotaRemaining, quotaReset, feedsLagging *prometheus.Desc
}

// New registers the metrics with reg, such as prometheus.DefaultRegisterer of
// client_golang. One Metrics serves a whole program: with a registry that has one
// already New returns that, so an SDK and the program around it need not know of
// each other. Any other conflict with what is registered is an error.
func New(reg prometheus.Registerer) (*Metrics, error) {
	if reg == nil {
		return nil, errors.New("aplomb/prometheus: the registerer is nil: give prometheus.DefaultRegisterer, or one of prometheus.NewRegistry")
	}
	m := &Metrics{families: newFamilies()}
	m.clients = newBounded(maxClients, other, m.newClient)
	m.requests = newRequests(m.requestDuration)
	m.cached = counters(maxResults, m.cache)
	m.hooked = counters(maxResults, m.webhooks)
	m.dropped = counters(maxSources, m.duplicates)
	err := reg.Register(&collector{m})
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if c, ours := there.ExistingCollector.(*collector); ours {
			return c.metrics, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("aplomb/prometheus: %w", err)
	}
	return m, nil
}

// counters are those of a family with one label.
func counters(limit int, vec *prometheus.CounterVec) *bounded[string, prometheus.Counter] {
	return newBounded(limit, other, func(name string) prometheus.Counter { return vec.WithLabelValues(label(name)) })
}

var (
	// callBuckets reach to the minute that a typed call takes at most.
	callBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
	// requestBuckets are those that OpenTelemetry's semantic conventions advise.
	requestBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	// waitBuckets reach from a queue's turn to a quota's window.
	waitBuckets = []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}
)

func newFamilies() families {
	return families{
		calls: counter("aplomb_calls_total", "Calls that ended, retries and waits within, by how they ended.", "client", "operation", "outcome"),
		callDuration: histogram("aplomb_call_duration_seconds", "How long calls took, with all their waits and retries.",
			callBuckets, "client", "operation"),
		requestDuration: histogram("http_client_request_duration_seconds", "Duration of HTTP client requests: each attempt of a call by itself.",
			requestBuckets, "http_request_method", "server_address", "server_port", "http_response_status_code", "error_type"),
		attempts: counter("aplomb_attempts_total", "Requests sent, by why: the first of a call, a retry, a hedge, a redirect, a breaker's probe.",
			"client", "reason"),
		bodies: counter("aplomb_body_failures_total", "Response bodies that broke off after their call had been answered.", "client"),
		waits: histogram("aplomb_wait_seconds", "How long calls waited, by what for: a backoff, a place in the bulkhead, a told rate, a server's quota.",
			waitBuckets, "client", "cause"),
		quotaLimit: desc("aplomb_rate_limit_limit", "How much a quota's window holds, as the server says.", "client", "bucket"),
		quotaRemaining: desc("aplomb_rate_limit_remaining", "How much is left of a quota, by what the server said last and what was sent since.",
			"client", "bucket"),
		quotaReset:  desc("aplomb_rate_limit_reset_timestamp_seconds", "When a quota's window ends, as the server says.", "client", "bucket"),
		breaker:     gauge("aplomb_breaker_state", "1 for the state that a circuit breaker is in, 0 for the others. It has a state once it has changed it.", "client", "host", "state"),
		transitions: counter("aplomb_breaker_transitions_total", "How often a circuit breaker came into a state.", "client", "host", "state"),
		inflight:    gauge("aplomb_inflight", "Calls that began and have not ended, those that wait among them.", "client"),
		store:       gauge("aplomb_store_up", "Whether the store that replicas share their limits by is there. It has a value once it went away.", "client"),
		skew:        gauge("aplomb_clock_skew_seconds", "How far the server's clock is ahead of ours, at least, by the Date of its last answer.", "client"),
		expiry:      gauge("aplomb_token_expiry_timestamp_seconds", "When the token in use ends.", "client"),
		refreshes:   counter("aplomb_token_refresh_total", "Tokens that were fetched, or could not be.", "client", "result"),
		sunset:      gauge("aplomb_sunset_timestamp_seconds", "When an operation stops answering, as the server says (RFC 8594).", "client", "operation"),
		deprecated: counter("aplomb_deprecated_calls_total", "Calls of operations that their server has called deprecated.",
			"client", "operation"),
		cache:        counter("aplomb_cache_total", "Answers of caches, by where they came from.", "result"),
		webhooks:     counter("aplomb_webhook_events_total", "Events that webhooks brought, by what became of them, and deliveries that were refused, by why.", "result"),
		feedsLagging: desc("aplomb_poll_lag_seconds", "How long ago the last good round of a feed began: for so long what is new may have gone unseen. The longest of all feeds."),
		duplicates:   counter("aplomb_dedupe_dropped_total", "Events that an inbox knew already.", "source"),
		info:         gauge("aplomb_client_info", "1 for each client; version is aplomb's, api_version what was named.", "client", "version", "api_version"),
	}
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// collector is what the registry knows of a Metrics.
type collector struct{ metrics *Metrics }

func (f *families) vecs() []prometheus.Collector {
	return []prometheus.Collector{
		f.calls, f.callDuration, f.requestDuration, f.attempts, f.bodies, f.waits, f.breaker, f.transitions, f.skew, f.store,
		f.inflight, f.expiry, f.refreshes, f.sunset, f.deprecated, f.cache, f.webhooks, f.duplicates, f.info,
	}
}

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	f := &c.metrics.families
	for _, v := range f.vecs() {
		v.Describe(out)
	}
	for _, d := range []*prometheus.Desc{f.quotaLimit, f.quotaRemaining, f.quotaReset, f.feedsLagging} {
		out <- d
	}
}

// Collect writes down beside what was counted what is true only for a time.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	m, now := c.metrics, time.Now()
	for _, v := range m.vecs() {
		v.Collect(out)
	}
	for _, client := range *m.clients.known.Load() {
		client.buckets.collect(out, &m.families, client.name, now)
	}
	if lag, ok := m.feeds.lag(now); ok {
		out <- prometheus.MustNewConstMetric(m.feedsLagging, prometheus.GaugeValue, lag.Seconds())
	}
}

// version is aplomb's, as this program was built.
func version() string {
	const path = "github.com/aplomb-go/aplomb"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == path && info.Main.Version != "" {
		return info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == path {
			return d.Version
		}
	}
	return "unknown"
}

package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Monitor gathers the numbers of any number of clients. [New] makes it; its Option
// goes into [aplomb.New], and its Page wherever net/http/pprof would go. It is an
// expvar.Var and a slog.LogValuer, and safe for concurrent use.
type Monitor struct {
	settings Settings
	start    time.Time
	alerts   alerts
	feeds    feeds

	mu      sync.RWMutex
	clients map[string]*client
}

// Settings are a [Monitor]'s. The zero value is the recommended one.
type Settings struct {
	// Alert is told when errors have lasted, and when they are over: see [Alert]. It is
	// called on the goroutine of a call or of a timer, one at a time and in order; what
	// comes while it runs waits, and no call does but the one it runs on. It may ask
	// the monitor and call monitored clients. Default none.
	Alert func(Alert)
	// Errors is when errors have lasted. The zero value has the limits of the rules file
	// of package prometheus.
	Errors ErrorRule
	// Allow decides who may see the page. Default: who comes from this very machine,
	// and asks for it by a name of it, "localhost" or its address.
	Allow func(*http.Request) bool
}

// New makes a monitor. A faulty setting is an error.
func New(s Settings) (*Monitor, error) {
	if err := s.Errors.check(); err != nil {
		return nil, err
	}
	m := &Monitor{settings: s, start: time.Now(), clients: map[string]*client{}}
	m.alerts.rule = s.Errors.withDefaults()
	m.feeds.init(m.start)
	return m, nil
}

// Option reports a client's calls to m; given twice, it counts once. One monitor is for
// any number of clients, which it tells apart by their names ([aplomb.Name]).
func (m *Monitor) Option() aplomb.Option { return aplomb.Once(m, m.hooks()) }

func (m *Monitor) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		CallStart:    func(ctx context.Context, e aplomb.CallEvent) { m.client(e.Client).callStart(ctx, e) },
		CallDone:     func(ctx context.Context, e aplomb.CallEvent) { m.client(e.Client).callDone(ctx, e) },
		WantPhases:   func(ctx context.Context, e aplomb.AttemptEvent) bool { return m.client(e.Client).closely(ctx, e) },
		AttemptStart: func(ctx context.Context, e aplomb.AttemptEvent) { m.client(e.Client).attemptStart(ctx, e) },
		BodyFailed:   func(ctx context.Context, e aplomb.AttemptEvent) { m.client(e.Client).bodyFailed(ctx, e) },
		AttemptDone:  func(ctx context.Context, e aplomb.AttemptEvent) { m.client(e.Client).attemptDone(ctx, e) },
		WaitStart:    func(ctx context.Context, e aplomb.WaitEvent) { m.client(e.Client).waitStart(ctx, e) },
		WaitDone:     func(ctx context.Context, e aplomb.WaitEvent) { m.client(e.Client).waitDone(ctx, e) },
		Breaker:      func(e aplomb.BreakerEvent) { m.client(e.Client).breaker(e) },
		Quota:        func(ctx context.Context, e aplomb.QuotaEvent) { m.client(e.Client).quota(ctx, e) },
		Store:        func(e aplomb.StoreEvent) { m.client(e.Client).storeState(e) },
		Deprecated:   func(ctx context.Context, e aplomb.DeprecationEvent) { m.client(e.Client).deprecated(ctx, e) },
	}
}

// Explain puts the client's policy on the page, as [aplomb.Explain] has it.
func (m *Monitor) Explain(c *aplomb.Client) error {
	if c == nil {
		return errors.New("monitor: Explain: the client is nil")
	}
	known := m.client(c.Name())
	known.mu.Lock()
	defer known.mu.Unlock()
	known.policy = aplomb.Explain(c)
	return nil
}

// steady is a moment by a clock that nobody sets: it counts what has gone by since start.
// Windows and looks go by it. By one that is set back old numbers would be kept, and no
// alert be looked at, until it has caught up.
func steady(start, now time.Time) time.Time { return time.Unix(1e9, 0).Add(now.Sub(start)) }

// client finds what is known of a client.
func (m *Monitor) client(name string) *client {
	name = named(name)
	m.mu.RLock()
	known := m.clients[name]
	m.mu.RUnlock()
	if known != nil {
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clients[name] == nil && len(m.clients) >= maxClients {
		name = other
	}
	if m.clients[name] == nil {
		m.clients[name] = newClient(m, name)
	}
	return m.clients[name]
}

// all is the clients by name.
func (m *Monitor) all() []*client {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.SortedFunc(maps.Values(m.clients), func(a, b *client) int { return strings.Compare(a.name, b.name) })
}

// String is the snapshot in JSON: a monitor is an expvar.Var.
//
//	expvar.Publish("aplomb", m)
//
// It is the whole snapshot, which may have 250 KB, and [Settings].Allow does not guard
// it: who may see /debug/vars sees all of it.
func (m *Monitor) String() string {
	raw, err := json.Marshal(m.Snapshot())
	if err != nil {
		return "{}"
	}
	return string(raw)
}

// LogValue is a summary, for a line now and then.
//
//	slog.Info("apis", "aplomb", m)
func (m *Monitor) LogValue() slog.Value {
	s := m.Snapshot()
	attrs := []slog.Attr{slog.String("health", string(s.Health.Status))}
	for i := range s.Clients {
		c := &s.Clients[i]
		attrs = append(attrs, slog.Group(c.Name,
			slog.String("health", string(c.Health.Status)), slog.Float64("per_second", rounded(c.PerSecond)), slog.Float64("error_ratio", rounded(c.ErrorRatio)),
			slog.Duration("p50", c.P50), slog.Duration("p99", c.P99), slog.Int("in_flight", c.InFlight), slog.Int("waiting", c.Waiting)))
	}
	if len(s.Health.Reasons) > 0 {
		attrs = append(attrs, slog.String("reason", s.Health.Reasons[0].String()))
	}
	return slog.GroupValue(attrs...)
}

// rounded has three digits behind the point.
func rounded(x float64) float64 { return math.Round(1000*x) / 1000 }

// Format prints the health for every verb.
func (m *Monitor) Format(f fmt.State, _ rune) {
	h := m.Health()
	_, _ = fmt.Fprintf(f, "monitor.Monitor(%s)", h.Status)
}

package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	aplombprom "github.com/aplomb-go/aplomb/prometheus"
	"github.com/aplomb-go/aplomb/webhook"
)

type order struct {
	ID string `json:"id"`
}

// rig is metrics on a registry of their own.
type rig struct {
	*aplombprom.Metrics

	t   testing.TB
	reg *prometheus.Registry
}

func newRig(t testing.TB) *rig {
	t.Helper()
	reg := prometheus.NewRegistry()
	m, err := aplombprom.New(reg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{m, t, reg}
}

// client is one of the API at url that the rig watches, called acme.
func (r *rig) client(url string, opts ...aplomb.Option) *aplomb.Client {
	r.t.Helper()
	c, err := aplomb.New(url, append([]aplomb.Option{aplomb.Name("acme"), r.Option()}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// series are the values of a metric by its labels, without braces; of a histogram,
// how often it was observed.
func (r *rig) series(name string) map[string]float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			found[strings.Join(labels, ",")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}

// sum is what a histogram's observations came to, of all its series.
func (r *rig) sum(name string) (sum float64) {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetHistogram().GetSampleSum()
			}
		}
	}
	return sum
}

// want compares all the series of a metric.
func (r *rig) want(name string, want map[string]float64) {
	r.t.Helper()
	got := r.series(name)
	for labels, v := range want {
		if g, ok := got[labels]; !ok || math.Abs(g-v) > 1e-6 {
			r.t.Errorf("%s{%s} is %s, want %v; there is\n%s", name, labels, shown(g, ok), v, table(got))
		}
	}
	for labels, v := range got {
		if _, ok := want[labels]; !ok {
			r.t.Errorf("%s{%s} is %v, and is not wanted", name, labels, v)
		}
	}
}

func shown(v float64, ok bool) string {
	if !ok {
		return "not there"
	}
	return fmt.Sprint(v)
}

func table(series map[string]float64) string {
	var lines []string
	for labels, v := range series {
		lines = append(lines, fmt.Sprintf("  {%s} %v", labels, v))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// exposition is what a Prometheus reads.
func (r *rig) exposition() string {
	r.t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		r.t.Fatalf("GET /metrics: %d %s", w.Code, w.Body)
	}
	body, err := io.ReadAll(w.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(body)
}

// answer is a handler that answers so to everything.
func answer(status int, body string, headers ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// beside tells the metrics of what is beside a client, and of what an hour need not
// bring.
func (r *rig) beside() {
	ctx := context.Background()
	r.Tokens("acme")(aplomb.TokenEvent{Expiry: time.Now().Add(time.Hour)})
	r.Webhook().Handshake(ctx, webhook.HandshakeEvent{})
	r.Inbox().Inserted(ctx, inbox.InsertEvent{Source: "acme", Outcome: inbox.Outcome{Status: inbox.Duplicate}})
	r.Poll().Polled(ctx, poll.PollEvent{Feed: "acme", Start: time.Now()})
	r.Cache()(ctx, cache.Event{Result: cache.ResultHit})
	r.hooks().Store(aplomb.StoreEvent{Client: "acme", At: time.Now(), Down: true})
}

// goneStore is a fleet's store that is not there.
type goneStore struct{}

var errGone = errors.New("the store is gone")

func (goneStore) Take(context.Context, string, aplomb.Claim) (time.Duration, error) {
	return 0, errGone
}
func (goneStore) Close(context.Context, string, time.Duration) error { return errGone }
func (goneStore) Closed(context.Context, string) (time.Duration, error) {
	return 0, errGone
}

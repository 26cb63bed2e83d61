package otel_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/otel"
)

// telemetry is what an application would send away.
type telemetry struct {
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
	tracer *trace.TracerProvider
	option aplomb.Option
}

func newTelemetry(t *testing.T) *telemetry {
	t.Helper()
	o := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	o.tracer = trace.NewTracerProvider(trace.WithSyncer(o.spans))
	made, err := otel.New(otel.Settings{Tracers: o.tracer, Meters: metric.NewMeterProvider(metric.WithReader(o.reader))})
	if err != nil {
		t.Fatal(err)
	}
	o.option = made.Option()
	return o
}

// told is the spans and the metrics as text, spans in the order of their beginning.
func (o *telemetry) told(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	spans := o.spans.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	names := map[string]string{"0000000000000000": "-"}
	for i, s := range spans {
		names[s.SpanContext.SpanID().String()] = strconv.Itoa(i + 1)
	}
	for i, s := range spans {
		fmt.Fprintf(&b, "span %d in %s: %s, %s, %v to %v, %s %q\n", i+1, names[s.Parent.SpanID().String()], s.Name, s.SpanKind,
			s.StartTime.Sub(midnight), s.EndTime.Sub(midnight), s.Status.Code, s.Status.Description)
		for _, line := range texts(s.Attributes) {
			b.WriteString("    " + line + "\n")
		}
		for _, e := range s.Events {
			fmt.Fprintf(&b, "    event %s at %v: %s\n", e.Name, e.Time.Sub(midnight), strings.Join(texts(e.Attributes), ", "))
		}
	}
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			fmt.Fprintf(&b, "metric %s (%s): %s\n", m.Name, m.Unit, m.Description)
			var points []string
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					points = append(points, fmt.Sprintf("%s: %d, %.3f s, buckets %v", strings.Join(texts(p.Attributes.ToSlice()), ", "), p.Count, p.Sum, p.Bounds))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					points = append(points, fmt.Sprintf("%s: %d", strings.Join(texts(p.Attributes.ToSlice()), ", "), p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					points = append(points, fmt.Sprintf("%s: %d", strings.Join(texts(p.Attributes.ToSlice()), ", "), p.Value))
				}
			}
			slices.Sort(points)
			for _, p := range points {
				b.WriteString("    " + p + "\n")
			}
		}
	}
	return b.String()
}

// midnight is when each bubble begins.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func texts(attrs []attribute.KeyValue) (lines []string) {
	for _, a := range attrs {
		lines = append(lines, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(lines)
	return lines
}

func ok(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(40 * time.Millisecond)
	w.Header().Set("X-Request-ID", "req_1")
	_, _ = w.Write([]byte(`{}`))
}

// cases are what is told of, each against its golden file.
var cases = map[string]func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error){
	"success": func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error) {
		n.Serve("https://api.test", http.HandlerFunc(ok))
		wants(t, get(), false)
	},
	"503 twice": func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error) {
		n.Serve("https://api.test", aplombtest.NewScript(http.HandlerFunc(ok), aplombtest.Status(503), aplombtest.Status(503)))
		wants(t, get(), false)
	},
	"timeout": func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error) {
		n.Serve("https://api.test", aplombtest.NewScript(nil).Always(aplombtest.Stall(0)))
		wants(t, get(aplomb.Timeout(3*time.Second)), true)
	},
	"refused": func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error) {
		wants(t, get(aplomb.NoRetry()), true)
	},
	"redirect": func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error) {
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.test:8443/v2?token=pl4nt-token", http.StatusTemporaryRedirect)
		}))
		n.Serve("https://other.test:8443", http.HandlerFunc(ok))
		wants(t, get(), false)
	},
	"cut short": func(t *testing.T, n *aplombtest.Network, get func(opts ...aplomb.CallOption) error) {
		n.Serve("https://api.test", aplombtest.NewScript(http.HandlerFunc(ok)).Always(aplombtest.TruncatedBody(1)))
		wants(t, get(aplomb.NoRetry()), true)
	},
}

func wants(t *testing.T, err error, failure bool) {
	t.Helper()
	if (err != nil) != failure {
		t.Fatal(err)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, n := newTelemetry(t), aplombtest.NewNetwork(t)
				c, err := aplomb.New("https://api.test", aplomb.Name("orders"), aplomb.Transport(n.Transport()), o.option,
					aplomb.Bearer(aplomb.Static("pl4nt-bearer-token")), aplomb.APIKeyQuery("key", aplomb.Static("pl4nt-query-key")))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.CloseIdleConnections)
				cases[name](t, n, func(opts ...aplomb.CallOption) error {
					opts = append(opts, aplomb.Path("id", "1"), aplomb.Query("sig", "pl4nt-signature"))
					_, err := aplomb.Get[struct{}](t.Context(), c, "/v1/orders/{id}", opts...)
					return err
				})
				golden(t, strings.ReplaceAll(name, " ", "-"), steady(o.told(t)))
			})
		})
	}
}

// waited is a time that the jitter of a wait has a part in.
var waited = regexp.MustCompile(`\b\d*\.?\d+(ms|s)\b( to \d*\.?\d+(ms|s))?|duration=\S+|aplomb.waited=\S+|\d+\.\d+ s,`)

// steady is the text of a trace that waited, without its times.
func steady(text string) string {
	if !strings.Contains(text, "aplomb.wait ") {
		return text
	}
	return waited.ReplaceAllString(text, "~")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if strings.Contains(got, "pl4nt") {
		t.Error("there is a secret in it")
	}
	path := filepath.Join("testdata", name+".txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (UPDATE=1 writes it anew):\n%s", path, got)
	}
}

// TestTraceGoesOn: the server is handed the span of the attempt, in the caller's trace.
func TestTraceGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newTelemetry(t)
		var sent []string
		srv := aplombtest.NewServer(t, aplombtest.NewScript(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Header.Get("Traceparent"))
			ok(w, r)
		}), aplombtest.Status(503), aplombtest.Pass()))
		c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()), o.option)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		ctx, mine := o.tracer.Tracer("x").Start(t.Context(), "mine")
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1", http.NoBody)
		resp, err := c.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		mine.End()
		if len(req.Header) != 0 {
			t.Errorf("the caller's request has %v", req.Header)
		}
		spans := o.spans.GetSpans()
		if len(spans) != 4 {
			t.Fatalf("%d spans", len(spans))
		}
		last := spans[1]
		want := "00-" + mine.SpanContext().TraceID().String() + "-" + last.SpanContext.SpanID().String() + "-01"
		if len(sent) != 1 || sent[0] != want {
			t.Errorf("sent %q, want %q", sent, want)
		}
		if call := spans[2]; call.Parent.SpanID() != mine.SpanContext().SpanID() || last.Parent.SpanID() != call.SpanContext.SpanID() {
			t.Error("the spans are not below each other")
		}
	})
}

// counting is a SpanProcessor that counts what is open: a hedge's spans end on two
// goroutines.
type counting struct{ open, ended atomic.Int64 }

func (c *counting) OnStart(context.Context, trace.ReadWriteSpan) { c.open.Add(1) }
func (c *counting) OnEnd(trace.ReadOnlySpan)                     { c.open.Add(-1); c.ended.Add(1) }
func (c *counting) Shutdown(context.Context) error               { return nil }
func (c *counting) ForceFlush(context.Context) error             { return nil }

// TestNothingStaysOpen: whatever becomes of calls, no span of theirs is kept.
func TestNothingStaysOpen(t *testing.T) {
	t.Parallel()
	twice := aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if resp, err := next.RoundTrip(r.Clone(r.Context())); err == nil {
				_ = resp.Body.Close()
			}
			return next.RoundTrip(r)
		})
	})
	panics := 0
	sometimes := aplomb.Judge(func(*aplomb.Attempt) aplomb.Verdict {
		if panics++; panics%7 == 0 {
			panic("boom")
		}
		return aplomb.Verdict{}
	})
	for name, opts := range map[string][]aplomb.Option{
		"hedged": {aplomb.Hedge{After: 10 * time.Millisecond}}, "sent twice": {twice}, "panics": {sometimes},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var spans counting
				made, err := otel.New(otel.Settings{Tracers: trace.NewTracerProvider(trace.WithSpanProcessor(&spans)), Meters: metric.NewMeterProvider()})
				if err != nil {
					t.Fatal(err)
				}
				srv := aplombtest.NewServer(t, aplombtest.NewScript(http.HandlerFunc(ok)).Always(aplombtest.Random(1)))
				c, err := aplomb.New(srv.URL, append(opts, aplomb.Transport(srv.Transport()), made.Option())...)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.CloseIdleConnections)
				for n := range 100 {
					func() {
						defer func() { _ = recover() }()
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*50*time.Millisecond)
						defer cancel()
						_, _ = aplomb.Get[struct{}](ctx, c, "/v1/{n}", aplomb.Path("n", strconv.Itoa(n)))
					}()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if calls, attempts := otel.Open(made); spans.open.Load() != 0 || spans.ended.Load() < 100 || calls+attempts > 0 {
					t.Errorf("%d spans are open and %d ended; %d calls and %d attempts are kept", spans.open.Load(), spans.ended.Load(), calls, attempts)
				}
			})
		})
	}
}

// TestForeign: the server that a redirect leads to, at another origin, is handed
// neither the trace nor its baggage.
func TestForeign(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		sent := map[string]http.Header{}
		n.Serve("https://a.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent[r.Host+r.URL.Path] = r.Header
			if r.URL.Path == "/" {
				http.Redirect(w, r, "https://b.test/", http.StatusFound)
			}
		}))
		n.Serve("https://b.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent[r.Host+r.URL.Path] = r.Header
			http.Redirect(w, r, "https://a.test/back", http.StatusFound)
		}))
		both := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
		made, err := otel.New(otel.Settings{Tracers: trace.NewTracerProvider(), Meters: metric.NewMeterProvider(), Propagator: both})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		c, err := aplomb.New("https://a.test", aplomb.Transport(n.Transport()), made.Option(), made.Option(), aplomb.Hooks{
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { told = append(told, e.Traceparent()) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		member, _ := baggage.NewMember("user", "ada")
		bag, _ := baggage.New(member)
		resp, err := aplomb.Open(baggage.ContextWithBaggage(t.Context(), bag), c, http.MethodGet, "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		for at, want := range map[string]bool{"a.test/": true, "b.test/": false, "a.test/back": true} {
			for _, name := range []string{"Traceparent", "Baggage"} {
				if got := sent[at].Get(name); (got != "") != want {
					t.Errorf("%s got %s %q", at, name, got)
				}
			}
		}
		if len(told) != 3 || told[0] == "" || told[0] != sent["a.test/"].Get("Traceparent") || told[1] != "" {
			t.Errorf("the events say %q", told)
		}
	})
}

// TestOptionTwice: a client that is given it twice is counted once; a body that
// breaks off later is counted; and ten thousand names make no more series than the
// first of them.
func TestOptionTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newTelemetry(t)
		srv := aplombtest.NewServer(t, aplombtest.NewScript(http.HandlerFunc(ok), aplombtest.TruncatedBody(1)))
		c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()), o.option, o.option)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		resp, err := aplomb.Open(t.Context(), c, http.MethodGet, "/v1")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		told := o.told(t)
		if strings.Count(told, "span ") != 2 || !strings.Contains(told, "metric aplomb.body.failures ({body}): Answers whose body broke off while the caller read it.\n    aplomb.client=api.test: 1") {
			t.Error(told)
		}
		for n := range 10_000 {
			_, _ = aplomb.Get[struct{}](t.Context(), c, fmt.Sprint("/v1/", n), aplomb.NoRetry())
		}
		told = o.told(t)
		if series := strings.Count(told, "\n    aplomb.client=api.test, aplomb.operation="); series > 305*2 || !strings.Contains(told, "aplomb.operation=other") {
			t.Errorf("%d series", series)
		}
	})
}

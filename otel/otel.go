package otel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/aplomb-go/aplomb"
)

// scope is the name of the instrumentation.
const scope = "github.com/aplomb-go/aplomb/otel"

// Settings are of [New]. The zero value takes what is global.
type Settings struct {
	// Tracers and Meters make the spans and the metrics. Default: those of
	// go.opentelemetry.io/otel.
	Tracers trace.TracerProvider
	Meters  metric.MeterProvider
	// Propagator writes the headers by which a trace goes on at the server. Default:
	// that of go.opentelemetry.io/otel, and W3C Trace Context where nobody set one.
	Propagator propagation.TextMapPropagator
}

// Telemetry traces and measures any number of clients. [New] makes it.
type Telemetry struct{ tracer *tracer }

// Option is for [aplomb.New]. A client that is given it twice is told of once.
func (t *Telemetry) Option() aplomb.Option {
	return aplomb.Once(t, aplomb.Options(t.tracer.hooks(), aplomb.PerAttempt(t.tracer.middleware)))
}

// New makes spans and instruments.
func New(s Settings) (*Telemetry, error) {
	if s.Tracers == nil {
		s.Tracers = otel.GetTracerProvider()
	}
	if s.Meters == nil {
		s.Meters = otel.GetMeterProvider()
	}
	m, err := newMeters(s.Meters.Meter(scope))
	if err != nil {
		return nil, fmt.Errorf("aplomb/otel: %w", err)
	}
	return &Telemetry{&tracer{Tracer: s.Tracers.Tracer(scope), given: s.Propagator, meters: m}}, nil
}

// tracer keeps the spans that are open: a call's under its number, an attempt's under
// both of its own.
type tracer struct {
	trace.Tracer
	given  propagation.TextMapPropagator
	meters *meters

	calls    sync.Map // of uint64: trace.Span
	attempts sync.Map // of attemptKey: trace.Span
}

// propagator is asked for each time: a program may set the global one later.
func (t *tracer) propagator() propagation.TextMapPropagator {
	if t.given != nil {
		return t.given
	}
	if global := otel.GetTextMapPropagator(); len(global.Fields()) > 0 {
		return global
	}
	return propagation.TraceContext{}
}

type attemptKey struct {
	call   uint64
	number int
}

func (t *tracer) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		CallStart:   t.callStart,
		CallDone:    t.callDone,
		AttemptDone: t.attemptDone,
		BodyFailed:  t.bodyFailed,
		WaitDone:    t.waitDone,
		Breaker:     t.breaker,
		Quota:       t.meters.quota,
		Deprecated:  t.deprecated,
	}
}

// callStart opens the logical span, which has no attributes of HTTP: those are its
// attempts'.
func (t *tracer) callStart(ctx context.Context, e aplomb.CallEvent) {
	t.meters.inFlight.Add(ctx, 1, t.meters.client(e.Client))
	_, span := t.Start(ctx, e.Operation, //nolint:spancheck // callDone ends it
		trace.WithTimestamp(e.Start), trace.WithAttributes(clientKey.String(e.Client), operationKey.String(e.Operation)))
	t.calls.Store(e.Call, span)
} //nolint:spancheck // as above

func (t *tracer) callDone(ctx context.Context, e aplomb.CallEvent) {
	t.meters.inFlight.Add(ctx, -1, t.meters.client(e.Client))
	t.meters.call(ctx, e)
	open, ok := t.calls.LoadAndDelete(e.Call)
	if !ok {
		return
	}
	span := open.(trace.Span) //nolint:forcetypeassert // nothing else is kept there
	span.SetAttributes(attribute.String("aplomb.result", string(e.Result)), attribute.Int("aplomb.attempts", e.Attempts))
	if e.Waited > 0 {
		span.SetAttributes(attribute.Float64("aplomb.waited", e.Waited.Seconds()))
	}
	if e.Result != aplomb.ResultOK {
		span.SetAttributes(errorTypeKey.String(e.ErrorType()))
		span.SetStatus(codes.Error, text(e.Err))
	}
	span.End(trace.WithTimestamp(e.Start.Add(e.Elapsed)))
}

// middleware opens the span of an attempt, and hands the trace on to the server.
func (t *tracer) middleware(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		e, ok := aplomb.AttemptFrom(r.Context())
		if !ok {
			return next.RoundTrip(r)
		}
		parent := r.Context()
		if open, ok := t.calls.Load(e.Call); ok {
			parent = trace.ContextWithSpan(parent, open.(trace.Span)) //nolint:forcetypeassert // nothing else is kept there
		}
		ctx, span := t.Start(parent, spanName(e),
			trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(e.Start), trace.WithAttributes(attributes(e)...))
		key := attemptKey{e.Call, e.Number}
		if replaced, ok := t.attempts.Swap(key, span); ok { // a middleware above sends twice
			replaced.(trace.Span).End() //nolint:forcetypeassert // nothing else is kept there
		}
		own := r.WithContext(ctx)
		if !e.Foreign() { // whose server has no part in the trace, and no right to its baggage
			own.Header = r.Header.Clone()
			own.Header.Del("Tracestate") // of a trace that aplomb.Traceparent goes on with
			t.propagator().Inject(ctx, propagation.HeaderCarrier(own.Header))
		}
		return next.RoundTrip(own)
	})
}

func (t *tracer) attemptDone(ctx context.Context, e aplomb.AttemptEvent) {
	t.meters.attempt(ctx, e)
	open, ok := t.attempts.LoadAndDelete(attemptKey{e.Call, e.Number})
	if !ok {
		return
	}
	span := open.(trace.Span) //nolint:forcetypeassert // nothing else is kept there
	if span.IsRecording() {
		span.SetAttributes(answer(e)...)
	}
	if kind := e.ErrorType(); kind != "" {
		span.SetStatus(codes.Error, text(e.Err))
	}
	span.End(trace.WithTimestamp(e.Start.Add(e.Elapsed)))
}

// bodyFailed comes when the attempt's span has ended: its caller reads the body.
func (t *tracer) bodyFailed(ctx context.Context, e aplomb.AttemptEvent) {
	t.meters.bodies.Add(ctx, 1, t.meters.client(e.Client))
	trace.SpanFromContext(ctx).AddEvent("aplomb.body_failed", trace.WithAttributes(operationKey.String(e.Operation), errorTypeKey.String(e.ErrorType())))
}

// waitDone tells of a wait in the call's span.
func (t *tracer) waitDone(ctx context.Context, e aplomb.WaitEvent) {
	t.meters.wait(ctx, e)
	if open, ok := t.calls.Load(e.Call); ok {
		span := open.(trace.Span) //nolint:forcetypeassert // nothing else is kept there
		span.AddEvent("aplomb.wait", trace.WithTimestamp(e.Start.Add(e.Duration)),
			trace.WithAttributes(causeKey.String(string(e.Cause)), attribute.Float64("aplomb.wait.duration", e.Duration.Seconds())))
	}
}

func (t *tracer) breaker(e aplomb.BreakerEvent) { t.meters.breaker(e) }

func (t *tracer) deprecated(ctx context.Context, e aplomb.DeprecationEvent) {
	t.meters.deprecated.Add(ctx, 1, metric.WithAttributes(clientKey.String(e.Client), operationKey.String(t.meters.operations.of(e.Operation))))
	open, ok := t.calls.Load(e.Call)
	if !ok {
		return
	}
	span := open.(trace.Span) //nolint:forcetypeassert // nothing else is kept there
	attrs := []attribute.KeyValue{operationKey.String(e.Operation)}
	if !e.Sunset.IsZero() {
		attrs = append(attrs, attribute.String("aplomb.sunset", e.Sunset.UTC().Format(time.RFC3339)))
	}
	span.AddEvent("aplomb.deprecated", trace.WithAttributes(attrs...))
}

// text is an error for a span's status, which shows no secret, as no error of aplomb's does.
func text(err error) string {
	if err == nil {
		return ""
	}
	if call, ok := errors.AsType[*aplomb.CallError](err); ok {
		return call.Error()
	}
	return err.Error()
}

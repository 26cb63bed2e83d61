package otel

import (
	"context"
	"errors"
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

// New is an option that traces and measures a client. It may be given to any number
// of them.
func New(s Settings) (aplomb.Option, error) {
	if s.Tracers == nil {
		s.Tracers = otel.GetTracerProvider()
	}
	if s.Meters == nil {
		s.Meters = otel.GetMeterProvider()
	}
	if s.Propagator == nil {
		s.Propagator = otel.GetTextMapPropagator()
		if len(s.Propagator.Fields()) == 0 {
			s.Propagator = propagation.TraceContext{}
		}
	}
	m, err := newMeters(s.Meters.Meter(scope))
	if err != nil {
		return nil, err
	}
	t := &tracer{Tracer: s.Tracers.Tracer(scope), propagator: s.Propagator, meters: m}
	return aplomb.Options(t.hooks(), aplomb.PerAttempt(t.middleware)), nil
}

// tracer keeps the spans that are open: a call's under its number, an attempt's under
// both of its own.
type tracer struct {
	trace.Tracer
	propagator propagation.TextMapPropagator
	meters     *meters

	calls    sync.Map // of uint64: *callSpan
	attempts sync.Map // of attemptKey: trace.Span
}

type attemptKey struct {
	call   uint64
	number int
}

// callSpan is an open span of a call.
type callSpan struct {
	trace.Span
	ctx context.Context
}

func (t *tracer) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		CallStart:   t.callStart,
		CallDone:    t.callDone,
		AttemptDone: t.attemptDone,
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
	own, span := t.Start(ctx, e.Operation, //nolint:spancheck // callDone ends it
		trace.WithTimestamp(e.Start), trace.WithAttributes(clientKey.String(e.Client), operationKey.String(e.Operation)))
	t.calls.Store(e.Call, &callSpan{span, own})
} //nolint:spancheck // as above

func (t *tracer) callDone(ctx context.Context, e aplomb.CallEvent) {
	t.meters.inFlight.Add(ctx, -1, t.meters.client(e.Client))
	t.meters.call(ctx, e)
	open, ok := t.calls.LoadAndDelete(e.Call)
	if !ok {
		return
	}
	span := open.(*callSpan) //nolint:forcetypeassert // nothing else is kept there
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
			parent = trace.ContextWithSpan(parent, open.(*callSpan).Span) //nolint:forcetypeassert // nothing else is kept there
		}
		ctx, span := t.Start(parent, spanName(e), //nolint:spancheck // attemptDone ends it
			trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(e.Start), trace.WithAttributes(attributes(e)...))
		key := attemptKey{e.Call, e.Number}
		t.attempts.Store(key, span)
		own := r.WithContext(ctx)
		own.Header = r.Header.Clone()
		t.propagator.Inject(ctx, propagation.HeaderCarrier(own.Header))
		return next.RoundTrip(own) //nolint:spancheck // as above
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

// waitDone tells of a wait in the call's span.
func (t *tracer) waitDone(ctx context.Context, e aplomb.WaitEvent) {
	t.meters.wait(ctx, e)
	if open, ok := t.calls.Load(e.Call); ok {
		span := open.(*callSpan) //nolint:forcetypeassert // nothing else is kept there
		span.AddEvent("aplomb.wait", trace.WithTimestamp(e.Start.Add(e.Duration)),
			trace.WithAttributes(causeKey.String(string(e.Cause)), attribute.Float64("aplomb.wait.duration", e.Duration.Seconds())))
	}
}

func (t *tracer) breaker(e aplomb.BreakerEvent) { t.meters.breaker(e) }

func (t *tracer) deprecated(ctx context.Context, e aplomb.DeprecationEvent) {
	t.meters.deprecated.Add(ctx, 1, metric.WithAttributes(clientKey.String(e.Client), operationKey.String(e.Operation)))
	span := trace.SpanFromContext(ctx)
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

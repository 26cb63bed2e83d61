package aplomb

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// Logging is an [Option]: a line per attempt and wait at debug level, broken
// circuits and a lost [Fleet] store at warn, and a warning, once per operation,
// when the server announces its end by a Deprecation (RFC 9745) or Sunset (RFC
// 8594) header.
//
// Everything is redacted by allow-list (law 5): a header, query parameter or
// body field that is not known to be harmless shows as "[redacted]".
type Logging struct {
	// Logger takes the lines. Default: slog.Default().
	Logger *slog.Logger
	// Bodies adds request and response bodies, redacted, up to 2 KiB each.
	// Streams and bodies that cannot be read twice are left out.
	Bodies bool
	// Fields are further headers and body fields that may be shown.
	Fields []string
}

func (l Logging) applyClient(c *config) error {
	c.logging = &l
	return nil
}

const maxLoggedBody = 2 << 10

// logger writes redacted lines.
type logger struct {
	Logging
	client string
}

func (l *Logging) journal(client string) journal {
	own := &logger{Logging: *l, client: client}
	if own.Logger == nil {
		own.Logger = slog.Default()
	}
	return own
}

func (l *logger) attempt(a *Attempt) {
	if !l.Logger.Enabled(a.ctx, slog.LevelDebug) {
		return
	}
	sent := a.sent()
	attrs := []slog.Attr{
		slog.String("client", l.client), slog.String("operation", a.Operation), slog.Int("attempt", a.Number),
		slog.String("method", sent.Method), slog.String("url", redact.URL(sent.URL)),
		slog.Any("request_header", l.headers(sent.Header)),
	}
	if a.hedge {
		attrs = append(attrs, slog.Bool("hedge", true))
	}
	if body := l.requestBody(sent); body != "" {
		attrs = append(attrs, slog.String("request_body", without(body, secretsOf(a))))
	}
	if a.Response != nil {
		attrs = append(attrs, slog.Int("status", a.Response.StatusCode), slog.Any("response_header", l.headers(a.Response.Header)))
		if body := l.responseBody(a); body != "" {
			attrs = append(attrs, slog.String("response_body", without(body, secretsOf(a))))
		}
	}
	attrs = append(attrs, slog.String("outcome", a.Verdict.Outcome.String()), slog.Duration("elapsed", a.elapsed))
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", safeText(a.Err, secretsOf(a))))
	}
	l.Logger.LogAttrs(a.ctx, slog.LevelDebug, "aplomb: attempt", attrs...)
}

func (l *logger) headers(h http.Header) slog.Value {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	attrs := make([]slog.Attr, 0, len(names))
	for _, name := range names {
		for _, v := range h[name] {
			shown := redact.Header(name, v)
			if slices.ContainsFunc(l.Fields, func(f string) bool { return strings.EqualFold(f, name) }) {
				shown = redact.Text(v, 0)
			}
			attrs = append(attrs, slog.String(name, shown))
		}
	}
	return slog.GroupValue(attrs...)
}

// requestBody opens the body anew: the one that was sent is gone.
func (l *logger) requestBody(r *http.Request) string {
	if !l.Bodies {
		return ""
	}
	raw := bodyAgain(r)
	if len(raw) == 0 {
		return ""
	}
	return redact.Body(r.Header.Get("Content-Type"), raw, maxLoggedBody, l.Fields...)
}

// responseBody shows what a typed call read; the net/http doors stream.
func (l *logger) responseBody(a *Attempt) string {
	if !l.Bodies || len(a.body) == 0 || len(a.body) > maxErrorBody {
		return ""
	}
	return redact.Body(a.Response.Header.Get("Content-Type"), a.body, maxLoggedBody, l.Fields...)
}

func (l *logger) wait(ctx context.Context, e WaitEvent) {
	if !l.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	l.Logger.LogAttrs(ctx, slog.LevelDebug, "aplomb: waiting", slog.String("client", l.client),
		slog.String("operation", e.Operation), slog.String("cause", string(e.Cause)), slog.Duration("for", e.Duration))
}

func (l *logger) breaker(e BreakerEvent) {
	ctx := context.Background()
	level := slog.LevelInfo
	if e.To == BreakerOpen {
		level = slog.LevelWarn
	}
	if !l.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("client", l.client), slog.String("key", e.Key), slog.String("from", string(e.From)), slog.String("to", string(e.To))}
	if e.To == BreakerOpen {
		attrs = append(attrs, slog.Int("failed", e.Failed), slog.Int("completed", e.Completed), slog.Time("probe_at", e.ReadyAt))
	}
	l.Logger.LogAttrs(ctx, level, "aplomb: circuit "+string(e.To), attrs...)
}

func (l *logger) store(e StoreEvent) {
	ctx := context.Background()
	level, text := slog.LevelInfo, "aplomb: the shared store is back"
	if e.Down {
		level, text = slog.LevelWarn, "aplomb: the shared store is away; own limits hold"
	}
	if !l.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("client", l.client)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", safeText(e.Err, nil)))
	}
	l.Logger.LogAttrs(ctx, level, text, attrs...)
}

func (l *logger) deprecated(ctx context.Context, e DeprecationEvent) {
	if !l.Logger.Enabled(ctx, slog.LevelWarn) {
		return
	}
	attrs := []slog.Attr{slog.String("client", l.client), slog.String("operation", e.Operation)}
	if !e.Deprecated.IsZero() {
		attrs = append(attrs, slog.String("deprecated", e.Deprecated.Format(time.DateOnly)))
	}
	if !e.Sunset.IsZero() {
		attrs = append(attrs, slog.String("sunset", e.Sunset.Format(time.DateOnly)))
	}
	if e.Link != "" {
		attrs = append(attrs, slog.String("link", e.Link))
	}
	l.Logger.LogAttrs(ctx, slog.LevelWarn, "aplomb: the server deprecates this operation", attrs...)
}

// notices remembers, per operation, what was warned of.
type notices struct{ seen *keyed[*notice] }

// notice is the last warning of one operation; a server that moves its date
// is worth another.
type notice struct {
	mu   sync.Mutex
	last DeprecationEvent
}

func newNotices() *notices {
	return &notices{newKeyed(maxKeys, func(string) *notice { return &notice{} })}
}

func (n *notice) first(e DeprecationEvent) bool {
	n.mu.Lock()
	known := n.last == e
	n.last = e
	n.mu.Unlock()
	return !known
}

// look warns of a Deprecation or Sunset header.
func (n *notices) look(a *Attempt, w *watchers) {
	if a.Response == nil || w.hooks == nil && w.log == nil {
		return
	}
	h := a.Response.Header
	if len(h["Deprecation"]) == 0 && len(h["Sunset"]) == 0 { // as nearly always
		return
	}
	since, deprecated := header.Deprecation(h)
	sunset, ends := header.Sunset(h)
	if !deprecated && !ends {
		return
	}
	e := DeprecationEvent{Operation: a.Operation, Deprecated: since, Sunset: sunset}
	if link := header.DeprecationLink(h); link != "" {
		e.Link = redact.Text(link, 200)
	}
	if n.seen.get(a.Operation).first(e) {
		e.Call = a.call.id
		w.deprecated(a.ctx, e)
	}
}

package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Handler is an [http.Handler] that takes deliveries in: it verifies each, hands
// its events to the Sink, and answers 200 when they are durable, never before.
// What it answers:
//
//	200            stored; or known already, or kept as a conflict; or a handshake
//	400, 408       the body broke off, or is well signed and cannot be read
//	401            not signed by a secret, or not lately; the answer does not say which
//	405            not a POST
//	413            a body of more than MaxBody
//	500            the settings are wrong, or a function of yours failed
//	503            not durable in time, no room, no secret at hand, or closed;
//	               with Retry-After
//
// A sender takes anything but a 2xx as a reason to deliver again, so what could
// not be stored is not lost, with those that do deliver again: GitHub does not by
// itself. One path, one Handler, one Source:
//
//	mux.Handle("/stripe", &webhook.Handler{Source: "stripe", Scheme: webhook.Stripe(secret), Sink: in})
//
// The fields are set before the first request and not changed after. A field's
// zero value is the recommended setting. Slow bodies are the [http.Server]'s to
// end: set its ReadTimeout.
type Handler struct {
	// Source is the events' Source: name the endpoint, for its keys are told apart
	// from others' by it.
	Source string
	// Scheme is how the sender signs.
	Scheme Scheme
	// Sink keeps the events, most often an inbox. An event reaches it with Via,
	// Source and the kept headers.
	Sink inbox.Sink
	// MaxBody is how many bytes a body may have: 1 MiB if zero, 64 MiB at most. A
	// larger one is refused before it is hashed.
	MaxBody int64
	// Deadline is how long it may take, once the body has come, until the events
	// are durable: 2.5 s if zero, since Slack and Zoom wait 3 s. Past it the answer
	// is 503. The insert may go through nevertheless; the next delivery is a
	// duplicate then.
	Deadline time.Duration
	// MaxPending is how many deliveries may be under way from here on: 1024 if zero.
	// It bounds what a Sink that hangs can hold on to.
	MaxPending int
	// Key, if set, gives an event another Key than the scheme does, where a feed lists
	// the same events under ids of its own: see package poll. It must not change the
	// event.
	Key func(*inbox.Event) string
	// Order, if set, gives an event its Order; empty leaves the scheme's. It must not
	// change the event.
	Order func(*inbox.Event) string
	// KeepHeaders are headers that an event keeps besides Content-Type,
	// Content-Encoding and the scheme's own. None is signed by most schemes.
	KeepHeaders []string
	// Hooks are told what happens.
	Hooks Hooks
	// Logger is told what is this side's fault: wrong settings, panics, a sink that
	// fails. Nil logs nothing.
	Logger *slog.Logger

	once    sync.Once
	set     settings
	pending atomic.Int64
	closed  atomic.Bool
}

// settings are a Handler's, with the defaults filled in.
type settings struct {
	err        error
	maxBody    int64
	deadline   time.Duration
	maxPending int64
	keep       []string
}

// Defaults of a [Handler].
const (
	defaultMaxBody    = 1 << 20
	defaultDeadline   = 2500 * time.Millisecond
	defaultMaxPending = 1024
	// retryAfter is what a sender that asks is told, in seconds: long enough for a
	// store to come back, soon enough for the ones that give up early.
	retryAfter = "10"
)

// Check reports what is wrong with the settings, without asking for a secret. With
// wrong ones every request is answered 500 and nothing is accepted.
func (h *Handler) Check() error {
	probe := inbox.Event{Source: h.Source, Key: "k"}
	switch {
	case h.Source == "":
		return settingsf("Handler.Source is empty: name the endpoint, for its events are told apart from others' by it")
	case probe.Check() != nil:
		return settingsf("Handler.Source is longer than %d bytes or no UTF-8", inbox.MaxKey)
	case h.Sink == nil:
		return settingsf("Handler.Sink is nil: nothing could be stored")
	case h.MaxBody < 0 || h.MaxBody > inbox.MaxBody:
		return settingsf("Handler.MaxBody is %d; it may be 1 to %d", h.MaxBody, inbox.MaxBody)
	case h.Deadline < 0 || h.MaxPending < 0:
		return settingsf("Handler.Deadline or MaxPending is negative")
	}
	for _, name := range h.KeepHeaders {
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "Proxy-Authorization", "Cookie":
			return settingsf("Handler.KeepHeaders: %s holds secrets, which no event keeps", name)
		}
		if !isToken(name) {
			return settingsf("Handler.KeepHeaders: %q is no header's name", name)
		}
	}
	return h.Scheme.Check()
}

func (h *Handler) settings() *settings {
	h.once.Do(func() {
		err := h.Check()
		if err != nil {
			h.set.err = err
			return
		}
		h.set = settings{
			maxBody:    cmp.Or(h.MaxBody, defaultMaxBody),
			deadline:   cmp.Or(h.Deadline, defaultDeadline),
			maxPending: int64(cmp.Or(h.MaxPending, defaultMaxPending)),
			keep:       slices.Concat([]string{"Content-Type", "Content-Encoding"}, h.Scheme.keep, h.KeepHeaders),
		}
	})
	return &h.set
}

// Close has every request from now on refused with 503, so that its sender comes
// back later. Those under way go on: [http.Server.Shutdown] waits for them. Close is
// for a handler that ends while its server goes on; where the server ends, Shutdown
// is enough. It returns nil, and may be called again.
func (h *Handler) Close() error {
	h.closed.Store(true)
	return nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	a := h.take(w, r)
	a.elapsed = time.Since(began)
	h.tell(r.Context(), a)
	a.write(w)
}

// answer is what becomes of a request.
type answer struct {
	status   int
	reason   Reason // "" for what is acknowledged
	err      error
	stack    []byte // of a panic
	verified Verified
	events   []inbox.Event
	outcomes []inbox.Outcome
	reply    *reply
	elapsed  time.Duration
}

func refuse(status int, reason Reason, err error) answer {
	return answer{status: status, reason: reason, err: err}
}

// take reads a request, and has the rest done in its time.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) answer {
	set := h.settings()
	switch {
	case set.err != nil:
		return refuse(http.StatusInternalServerError, ReasonSettings, set.err)
	case h.closed.Load():
		return refuse(http.StatusServiceUnavailable, ReasonClosed, errors.New("webhook: the handler is closed"))
	case r.Method != http.MethodPost:
		return refuse(http.StatusMethodNotAllowed, ReasonMethod, errors.New("webhook: only POST is a delivery"))
	}
	body, err := readBody(w, r, set.maxBody)
	switch {
	case errors.Is(err, errTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, ReasonTooLarge, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, ReasonBody, err)
	case err != nil:
		return refuse(http.StatusBadRequest, ReasonBody, err)
	}
	if h.pending.Add(1) > set.maxPending {
		h.pending.Add(-1)
		return refuse(http.StatusServiceUnavailable, ReasonFull, fmt.Errorf("webhook: %d deliveries are under way", set.maxPending))
	}
	// The sender that hangs up has not been told that its delivery counts, and is
	// none the worse if it does.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), set.deadline)
	defer cancel()
	return h.inTime(ctx, r.WithContext(ctx), body)
}

// inTime does not wait longer than ctx says, for a sink or a secret that does.
func (h *Handler) inTime(ctx context.Context, r *http.Request, body []byte) answer {
	done := make(chan answer, 1)
	go func() {
		defer h.pending.Add(-1)
		done <- h.guarded(ctx, r, body)
	}()
	select {
	case a := <-done:
		return a
	case <-ctx.Done():
		return refuse(http.StatusServiceUnavailable, ReasonDeadline, fmt.Errorf("webhook: not durable in time: %w", ctx.Err()))
	}
}

// guarded turns a panic of somebody's function into a refusal: without it the whole
// program would end.
func (h *Handler) guarded(ctx context.Context, r *http.Request, body []byte) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			a = refuse(http.StatusInternalServerError, ReasonFault, fmt.Errorf("webhook: panic: %.300v", v))
			a.stack = debug.Stack()
		}
	}()
	return h.accept(ctx, r, body)
}

// accept verifies, reads and stores.
func (h *Handler) accept(ctx context.Context, r *http.Request, body []byte) answer {
	verified, err := h.Scheme.Verify(r, body, time.Now())
	if err != nil {
		return unverified(err)
	}
	d := Delivery{Request: r, Body: body, Verified: verified}
	if h.Scheme.handshake != nil {
		reply, err := h.Scheme.handshake(d, h.Scheme.secrets[verified.index].Key)
		switch {
		case errors.Is(err, ErrMalformed):
			return unread(err)
		case err != nil:
			return unverified(err)
		case reply != nil:
			return answer{status: http.StatusOK, verified: verified, reply: reply}
		}
	}
	events, err := h.read(d)
	if err != nil {
		return unread(err)
	}
	outcomes, err := h.Sink.Insert(ctx, events...)
	if err != nil {
		return unstored(ctx, err)
	}
	return answer{status: http.StatusOK, verified: verified, events: events, outcomes: outcomes}
}

// read makes the events as the sink is to have them.
func (h *Handler) read(d Delivery) ([]inbox.Event, error) {
	events, err := h.Scheme.Read(d)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, malformedf("it holds no event")
	}
	for i := range events {
		e := &events[i]
		e.Source, e.Via = h.Source, inbox.Webhook
		// A strange type is no reason to refuse the event for ever.
		e.Type = inbox.Shorten(strings.ReplaceAll(e.Type, "\x00", "\uFFFD"), inbox.MaxKey)
		e.Header = h.kept(d.Request.Header, e.Header)
		if err := e.Check(); err != nil {
			return nil, malformedf("%v", err)
		}
		if h.Key == nil && h.Order == nil {
			continue
		}
		if h.Key != nil {
			e.Key = h.Key(e)
		}
		if h.Order != nil {
			e.Order = cmp.Or(h.Order(e), e.Order)
		}
		if err := e.Check(); err != nil {
			return nil, fmt.Errorf("webhook: Handler.Key or Handler.Order: %w", err)
		}
	}
	return events, nil
}

// kept are the headers that an event keeps: its own before the request's.
func (h *Handler) kept(from, own http.Header) http.Header {
	out := http.Header{}
	for _, name := range h.set.keep {
		name = http.CanonicalHeaderKey(name)
		if values := from[name]; len(values) > 0 {
			out[name] = slices.Clone(values)
		}
	}
	maps.Copy(out, own)
	return out
}

func unverified(err error) answer {
	switch _, ours := errors.AsType[*settingsError](err); {
	case errors.Is(err, signature.ErrExpired):
		return refuse(http.StatusUnauthorized, ReasonStale, err)
	case errors.Is(err, signature.ErrSignature):
		return refuse(http.StatusUnauthorized, ReasonSignature, err)
	case ours:
		return refuse(http.StatusInternalServerError, ReasonSettings, err)
	}
	return refuse(http.StatusServiceUnavailable, ReasonSecret, err)
}

func unread(err error) answer {
	if errors.Is(err, ErrMalformed) {
		return refuse(http.StatusBadRequest, ReasonMalformed, err)
	}
	return refuse(http.StatusInternalServerError, ReasonFault, err)
}

func unstored(ctx context.Context, err error) answer {
	switch {
	case errors.Is(err, inbox.ErrFull):
		return refuse(http.StatusServiceUnavailable, ReasonFull, err)
	case ctx.Err() != nil:
		return refuse(http.StatusServiceUnavailable, ReasonDeadline, err)
	}
	return refuse(http.StatusServiceUnavailable, ReasonStore, err)
}

// tell reports what happened, before the sender hears of it.
func (h *Handler) tell(ctx context.Context, a answer) {
	switch {
	case a.status >= http.StatusInternalServerError && a.reason != ReasonClosed: // which is as it should be
		h.log(ctx, "webhook not acknowledged", a)
	case a.verified.Faulty != nil:
		h.log(ctx, "webhook acknowledged, but another secret is at fault", answer{status: a.status, reason: ReasonSecret, err: a.verified.Faulty})
	}
	switch {
	case a.reason != "":
		if h.Hooks.Refused != nil {
			h.Hooks.Refused(ctx, RefusedEvent{h.Source, h.Scheme.Name, a.status, a.reason, a.err, a.elapsed})
		}
	case a.reply != nil:
		if h.Hooks.Handshake != nil {
			h.Hooks.Handshake(ctx, HandshakeEvent{h.Source, h.Scheme.Name, a.verified})
		}
	case h.Hooks.Accepted != nil:
		h.Hooks.Accepted(ctx, AcceptedEvent{h.Source, h.Scheme.Name, a.verified, a.events, a.outcomes, a.elapsed})
	}
}

func (h *Handler) log(ctx context.Context, what string, a answer) {
	if h.Logger == nil {
		return
	}
	attrs := []slog.Attr{
		slog.String("source", h.Source), slog.String("scheme", h.Scheme.Name), slog.Int("status", a.status),
		slog.String("reason", string(a.reason)), slog.Any("error", a.err),
	}
	if a.stack != nil {
		attrs = append(attrs, slog.String("stack", string(a.stack)))
	}
	h.Logger.LogAttrs(ctx, slog.LevelError, what, attrs...)
}

// write answers, with nothing of the delivery's and nothing of why.
func (a answer) write(w http.ResponseWriter) {
	switch {
	case a.reply != nil:
		w.Header().Set("Content-Type", a.reply.contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(a.reply.body)
		return
	case a.reason == "":
		w.WriteHeader(a.status)
		return
	case a.status == http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case a.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	http.Error(w, http.StatusText(a.status), a.status)
}

var errTooLarge = errors.New("webhook: the body is larger than MaxBody")

// readBody reads a body whole, or refuses it before it takes more memory than it
// may have.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), firstRead)) + bytes.MinRead) // what a sender says it will send it may not
	_, err := io.Copy(&b, http.MaxBytesReader(w, r.Body, limit))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: the body broke off: %w", err)
	}
	return b.Bytes(), nil
}

// firstRead is how much memory is set aside for a body before any of it has come.
const firstRead = 64 << 10

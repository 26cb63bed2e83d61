package aplomb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// The sentinels, for errors.Is.
var (
	// ErrCircuitOpen means that the host's circuit breaker let nothing through.
	// Like the next two it comes at once, so a loop that only calls again spins:
	// wait until [CallError].ReadyAt, or stop.
	ErrCircuitOpen = errors.New("aplomb: circuit open")
	// ErrBulkheadFull means that the call was not sent, since as many were in
	// flight to its host as [Bulkhead] allows, and no place came free in time.
	ErrBulkheadFull = errors.New("aplomb: bulkhead full")
	// ErrRateLimited means that the call was not sent, since a quota or rate
	// would have held it past its deadline; or that the server answered 429.
	ErrRateLimited = errors.New("aplomb: rate limited")
	// ErrNoCredential means that the call was not sent, since its credential was
	// not to be had: what could not be got is behind it.
	ErrNoCredential = errors.New("aplomb: no credential")
	// ErrTooLarge means that a response body was larger than MaxBody.
	ErrTooLarge = errors.New("aplomb: response body too large")
	// ErrTruncated means that a list ended before the total it had announced.
	ErrTruncated = errors.New("aplomb: list truncated")
	// ErrCursorStuck means that a list's next page was one already seen.
	ErrCursorStuck = errors.New("aplomb: the same page again")
)

// APIError is an answer with a status outside [Expect]: the server said so.
// Error is one safe line; everything else is in the fields. The body and the
// headers are never printed, not even by %#v or JSON.
type APIError struct {
	// Client is the client's name.
	Client     string
	StatusCode int
	// Operation is the method and path template, or what [Operation] said.
	Operation string
	// Code and Message are the server's own, read from RFC 9457 problem details
	// and the common JSON, XML, HTML and text shapes. Message is scrubbed of the
	// request's credentials.
	Code, Message string
	// RequestID is the server's name for the request.
	RequestID string
	Header    http.Header
	// Body is the answer as it came, up to 1 MiB.
	Body []byte
	// RetryAfter is how long the server asked to wait; 0 if it did not.
	RetryAfter time.Duration
	// Attempts counts the requests sent, Elapsed the time they and the waits took.
	Attempts int
	Elapsed  time.Duration
	// Hint is what to try next; "" when there is nothing to say.
	Hint string

	attempt *Attempt
	renewal error
}

// Unwrap returns, for a 401, why the credential that was refused has no
// successor: that the user has to log in again, for one. Nil where that is not
// known.
func (e *APIError) Unwrap() error { return e.renewal }

// Redact is [Response.Redact] for what an [ErrorDecoder] reads from the body.
func (e *APIError) Redact(text string) string { return redact.Text(text, 0, secretsOf(e.attempt)...) }

// Error is one line: client, operation, status, the server's code and message,
// request id, attempts, time and hint.
func (e *APIError) Error() string { return e.line() }

func (e APIError) line() string {
	line := e.Client + ": " + e.Operation + ": " + strconv.Itoa(e.StatusCode)
	if e.Code != "" {
		line += " " + redact.Text(e.Code, 60)
	}
	if e.Message != "" {
		line += " " + quoteMessage(e.Message)
	} else if e.Code == "" {
		line += " " + http.StatusText(e.StatusCode)
	}
	return line + spent(e.RequestID, e.Attempts, e.Elapsed) + hint(e.Hint)
}

// Is makes errors.Is(err, ErrRateLimited) true of a 429.
func (e *APIError) Is(target error) bool {
	return target == ErrRateLimited && e.StatusCode == http.StatusTooManyRequests
}

// Format prints the line for every verb, so that no dump shows the body.
func (e APIError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.line()) }

// LogValue is what slog prints.
func (e APIError) LogValue() slog.Value { return slog.StringValue(e.line()) }

// MarshalJSON gives the safe fields.
func (e APIError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"operation": e.Operation, "status": e.StatusCode, "code": e.Code, "message": e.Message,
		"request_id": e.RequestID, "attempts": e.Attempts, "error": e.line(),
	})
}

// CallError is a call that got no answer to speak of: we say so, not the
// server. errors.Is and errors.As find the cause: [ErrCircuitOpen],
// [ErrBulkheadFull], [ErrRateLimited], [ErrTooLarge], context.DeadlineExceeded, a *net.OpError.
// DeadlineExceeded is true of every timeout, the client's own included: ask the
// context whether it was yours. A call that was refused because its deadline
// comes too soon is ErrRateLimited alone.
type CallError struct {
	// Client is the client's name.
	Client string
	// Operation is the method and path template, or what [Operation] said.
	Operation string
	Host      string
	// Attempts counts the requests sent, Elapsed the time they and the waits took.
	Attempts int
	Elapsed  time.Duration
	// ReadyAt is when a request would be let through; zero when unknown.
	ReadyAt time.Time
	// Hint is what to try next; "" when there is nothing to say.
	Hint string
	// IdempotencyKey is the call's key, "" without one. The first request may
	// have taken effect: repeat the call with the same key.
	IdempotencyKey string
	// Err is the cause.
	Err error

	text string
}

// Error is one line: client, operation, what happened, attempts, time and hint.
func (e *CallError) Error() string { return e.line() }

func (e CallError) line() string {
	return e.Client + ": " + e.Operation + ": " + e.text + spent("", e.Attempts, e.Elapsed) + hint(e.Hint)
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// Timeout reports whether time ran out, as net.Error has it.
func (e *CallError) Timeout() bool { return timedOut(e.Err) }

// Temporary is there for net.Error, which asks for it; see Timeout.
func (e *CallError) Temporary() bool { return e.Timeout() }

// Format prints the line for every verb.
func (e CallError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.line()) }

// LogValue is what slog prints.
func (e CallError) LogValue() slog.Value { return slog.StringValue(e.line()) }

// DecodeError is an answer of an expected status whose body is not what the
// call asked for. It prints as one safe line, whatever the verb.
type DecodeError struct {
	// Client is the client's name.
	Client     string
	Operation  string
	StatusCode int
	// ContentType is the answer's media type.
	ContentType string
	// Body is how the answer began, up to 4 KiB. It is never printed.
	Body      []byte
	RequestID string
	Attempts  int
	Elapsed   time.Duration
	// Hint is what to try next; "" when there is nothing to say.
	Hint string
	// Err is the decoder's error.
	Err error

	text string
}

// Error is one line.
func (e *DecodeError) Error() string { return e.line() }

func (e DecodeError) line() string {
	return e.Client + ": " + e.Operation + ": " + e.text + spent(e.RequestID, e.Attempts, e.Elapsed) + hint(e.Hint)
}

// Unwrap returns the decoder's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// Format prints the line for every verb.
func (e DecodeError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.line()) }

// LogValue is what slog prints.
func (e DecodeError) LogValue() slog.Value { return slog.StringValue(e.line()) }

// MarshalJSON gives the line alone: the cause may print more than it should.
func (e CallError) MarshalJSON() ([]byte, error) { return lineJSON(e.Operation, e.line()) }

// MarshalJSON gives the line alone.
func (e DecodeError) MarshalJSON() ([]byte, error) { return lineJSON(e.Operation, e.line()) }

func lineJSON(operation, line string) ([]byte, error) {
	return json.Marshal(map[string]string{"operation": operation, "error": line})
}

// StatusCode is the HTTP status behind err, 0 when there was no answer, whatever
// another server, such as one that issues tokens, has answered.
func StatusCode(err error) int {
	switch e := err.(type) { //nolint:errorlint // one after the other, from the outside
	case *APIError:
		return e.StatusCode
	case *DecodeError:
		return e.StatusCode
	case *CallError: // what is behind it is another server's
		return 0
	case interface{ Unwrap() error }:
		return StatusCode(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if code := StatusCode(err); code != 0 {
				return code
			}
		}
	}
	return 0
}

// ErrorDecoder is a [RequestOption]: it turns an answer with a status outside
// [Expect] into the API's own error, which should wrap e so that errors.As
// finds both. It may correct e's Code and Message instead, and returns nil to
// leave the error to the next decoder. Decoders are asked newest first.
type ErrorDecoder func(e *APIError) error

func (d ErrorDecoder) applyClient(c *config) error { return d.applyCall(&c.settings) }
func (d ErrorDecoder) applyCall(s *settings) error {
	s.decoders = append(slices.Clip(s.decoders), d)
	return nil
}

// apiError makes the error of an answer with an unexpected status.
func (c *call) apiError(resp *http.Response, body []byte) error {
	e := &APIError{
		StatusCode: resp.StatusCode, Operation: c.operation, RequestID: redact.Text(requestID(resp.Header), 80, secretsOf(c.last)...),
		Header: resp.Header, Body: body, RetryAfter: c.last.Verdict.Wait,
		Attempts: c.attempts, Elapsed: time.Since(c.start), Client: c.name(), attempt: c.last,
	}
	if e.StatusCode == http.StatusUnauthorized {
		e.renewal = c.last.renewalError()
	}
	e.Code, e.Message = readProblem(resp.Header.Get("Content-Type"), body)
	e.Code = orDefault(e.Code, c.last.Verdict.Code)
	e.scrub()
	e.Hint = c.hintFor(e)
	for _, decode := range slices.Backward(c.decoders) {
		err := decode(e)
		e.scrub() // it may have put words of the body there
		if err != nil {
			return err
		}
	}
	return e
}

// scrub takes what the request carried out of the server's words.
func (e *APIError) scrub() {
	secrets := secretsOf(e.attempt)
	e.Code, e.Message = redact.Text(e.Code, 60, secrets...), redact.Text(e.Message, maxMessage, secrets...)
}

// hintFor says what the caller can do about e.
func (c *call) hintFor(e *APIError) string {
	switch {
	case e.StatusCode == http.StatusUnauthorized:
		return c.credentialHint()
	case e.StatusCode == http.StatusProxyAuthRequired:
		return proxyHint
	case e.StatusCode == http.StatusNotFound && e.Code == "": // no API's own word: perhaps the wrong address
		return "the URL was " + redact.URL(c.last.Request.URL)
	case e.StatusCode/100 == 2:
		return fmt.Sprintf("the call expects %v", c.expect)
	case c.stopped != "":
		return c.stopped
	case e.RetryAfter > 0:
		return "the server asks to wait " + brief(e.RetryAfter)
	}
	return ""
}

func (c *call) credentialHint() string {
	var sent []string
	for _, secret := range c.last.carriedSecrets() {
		if d, ok := secret.source.(described); ok {
			sent = append(sent, d.describe())
		}
	}
	if ahead, ok := c.last.clockOff(); ok {
		return fmt.Sprintf("the server's clock is %s ahead of ours, and its Date was not believed: see ServerTime and TrustDate", brief(ahead))
	}
	if len(sent) > 0 {
		return "the credential is " + strings.Join(sent, "; and ")
	}
	to := originOf(c.last.Request.URL)
	switch {
	case c.last.attached.Load():
		return ""
	case len(c.auths) == 0 && c.last.Request.Header.Get("Authorization") == "":
		return "no credential was sent: add " + schemes
	case len(c.auths) > 0 && to != c.stack.home && !slices.Contains(c.allowed, to):
		return "no credential was sent: " + to.String() + " is not among its origins"
	}
	return ""
}

// fail makes the error of a call without an answer.
func (c *call) fail(err error) error {
	err = withoutURL(err)
	if done, ok := err.(*CallError); ok { //nolint:errorlint // this call's own; further in may be another's
		return done
	}
	e := &CallError{Operation: c.operation, Host: c.host(), Attempts: c.attempts, Elapsed: time.Since(c.start), Err: err,
		ReadyAt: c.readyAt, Hint: c.stopped, IdempotencyKey: c.key, Client: c.name()}
	if r, ok := errors.AsType[*refusal](err); ok && !r.readyAt.IsZero() {
		e.ReadyAt = r.readyAt
		if errors.Is(r, ErrRateLimited) {
			e.Hint = "raise the deadline, or come back at ReadyAt"
		}
	}
	if errors.Is(err, ErrBulkheadFull) {
		e.Hint = "call less at once, or raise Bulkhead's MaxInFlight, Queue or MaxWait; a response body that Do returned keeps its place until it is closed"
	}
	e.text = safeText(err, secretsOf(c.last))
	if e.Hint == "" {
		e.Hint = causeHint(err)
	}
	if e.Hint == "" && c.unknownOutcome() {
		e.Hint = "it may have taken effect: check before you send it again, or use an idempotency key"
		if c.key != "" {
			e.Hint = "it may have taken effect: repeat it with the same idempotency key"
		}
	}
	return e
}

// unknownOutcome reports an unsafe request that was sent and not answered.
func (c *call) unknownOutcome() bool {
	return c.attempts > 0 && c.last != nil && c.last.wire.Load() != nil && c.last.Verdict.Resend != ResendUnprocessed &&
		!c.last.provablyUnsent() && !c.safe && !safeMethod(c.method)
}

// invalid makes the error of a call that could not be built.
func (c *call) invalid(err error) error {
	return &CallError{Operation: c.operation, Host: c.host(), Err: err, Client: c.name(), text: safeText(err, nil)}
}

const proxyHint = "give the proxy's URL its user and password"

// causeHint explains failures that puzzle newcomers.
func causeHint(err error) string {
	text := err.Error()
	p, proxied := errors.AsType[*proxyError](err)
	switch {
	case proxied && p.status == http.StatusProxyAuthRequired:
		return proxyHint
	case strings.Contains(text, "certificate signed by unknown authority"):
		return "a proxy may be in between; set SSL_CERT_FILE to its CA"
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return "the server speaks plain http on this port"
	case errors.Is(err, ErrTooLarge):
		return "raise MaxBody, or stream the answer with Open or Stream"
	case errors.Is(err, errUsualTotal):
		return "give the call more by Timeout, or its context a deadline"
	}
	return ""
}

func (c *call) name() string {
	if c.stack.cfg.name != "" {
		return c.stack.cfg.name
	}
	return "aplomb"
}

// safeText is an error's text without what a secret might stand in.
func safeText(err error, secrets []string) string {
	if e, ok := errors.AsType[*timeoutError](err); ok && e.what == totalTimeout {
		if t, ok := errors.AsType[*tokenError](err); ok {
			return e.Error() + ", waiting for a credential after " + redact.Text(t.Error(), 400, secrets...)
		}
		return e.Error()
	}
	if err == io.EOF { //nolint:errorlint // wrapped, it has words around it
		return "the connection was closed before an answer"
	}
	return redact.Text(err.Error(), 400, secrets...)
}

// timedOut reports a deadline or timeout behind err.
func timedOut(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && t.Timeout()
}

const maxMessage = 200

func quoteMessage(s string) string {
	if s == "" {
		return ""
	}
	return `"` + strings.ReplaceAll(redact.Text(s, maxMessage), `"`, "'") + `"`
}

// spent is " (request req_1, 2 attempts, 41ms)".
func spent(requestID string, attempts int, elapsed time.Duration) string {
	var parts []string
	if requestID != "" {
		parts = append(parts, "request "+redact.Text(requestID, 80))
	}
	switch attempts {
	case 0:
		parts = append(parts, "not sent")
	case 1:
		parts = append(parts, "1 attempt")
	default:
		parts = append(parts, strconv.Itoa(attempts)+" attempts")
	}
	return " (" + strings.Join(append(parts, brief(elapsed)), ", ") + ")"
}

func hint(s string) string {
	if s == "" {
		return ""
	}
	return ". Hint: " + s
}

// brief prints d with about three digits.
func brief(d time.Duration) string {
	for _, unit := range [...]time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit || -d >= unit {
			if unit >= time.Minute {
				return d.Round(time.Second).String()
			}
			return d.Round(unit / 10).String()
		}
	}
	return d.String()
}

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

// requestIDHeaders are where servers put their name for a request.
var requestIDHeaders = []string{"Request-Id", "X-Request-Id", "X-Github-Request-Id", "X-Amzn-Requestid", "X-Amz-Request-Id",
	"X-Ms-Request-Id", "X-Correlation-Id", "X-Trace-Id", "Cf-Ray"}

func requestID(h http.Header) string {
	for _, name := range requestIDHeaders {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			return v[0]
		}
	}
	return ""
}

// toldError is a cause as events carry it: scrubbed text around the error itself.
type toldError struct {
	text string
	err  error
}

func (e *toldError) Error() string              { return e.text }
func (e *toldError) Unwrap() error              { return e.err }
func (e *toldError) Format(f fmt.State, v rune) { formatLine(f, v, e.text) }

// tell makes err fit for an event.
func (a *Attempt) tell(err error) error {
	if err == nil {
		return nil
	}
	return &toldError{safeText(err, secretsOf(a)), err}
}

// A refusal is the library's own no: nothing was sent.
type refusal struct {
	sentinel error
	why      string
	// readyAt is when a request would be let through; zero when unknown.
	readyAt time.Time
	err     error
}

func (r *refusal) Error() string {
	if r.err != nil {
		return fmt.Sprintf("%s (%v)", r.why, r.err) // in brackets: after a colon it would look like the value of what is said before
	}
	return r.why
}

func (r *refusal) Unwrap() []error {
	var all []error
	for _, err := range []error{r.sentinel, r.err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

package aplomb

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb/internal/header"
)

// Outcome says what an attempt was worth. Breaker, budget, gate, metrics and
// log all read the same one.
type Outcome uint8

const (
	// OutcomeOK is an answer that speaks for the server's health.
	OutcomeOK Outcome = iota
	// OutcomeFault is a failure of the server or the network: 5xx, 408, a broken connection.
	OutcomeFault
	// OutcomeThrottled is a refusal for reasons of quota: 429.
	OutcomeThrottled
	// OutcomeNeutral says nothing of the server: the caller's own cancel, a refusal by this library.
	OutcomeNeutral
	// OutcomeClientError is an answer that blames the request: 4xx.
	OutcomeClientError
)

// String returns the name used in logs and metrics.
func (o Outcome) String() string {
	return [...]string{"ok", "fault", "throttled", "neutral", "client_error"}[min(int(o), 4)]
}

// Resend says whether an attempt may be repeated, apart from what it was worth.
type Resend uint8

const (
	// ResendDefault repeats what is worth repeating: faults and throttles of requests that may be sent twice.
	ResendDefault Resend = iota
	// ResendYes asks for a repetition whatever the status says. It never overrides
	// law 1: the request must still be safe or keyed.
	ResendYes
	// ResendNo forbids it.
	ResendNo
	// ResendUnprocessed says that the server did nothing with the request, so that any request may be repeated.
	ResendUnprocessed
)

// Verdict is what one attempt came to.
type Verdict struct {
	Outcome Outcome
	Resend  Resend
	// Wait is how long the server asked to wait before the next request; 0 if it said nothing.
	Wait time.Duration
	// Code is the API's own error code where a Judge read one.
	Code string
}

// Judge is a [RequestOption]: it refines the verdict on one attempt, which it
// finds in a.Verdict, and returns the one to use. Several judges run in order,
// each seeing what the one before made of it. One that needs the body calls
// [Attempt.Peek]; one that reads only headers costs nothing.
type Judge func(a *Attempt) Verdict

func (j Judge) applyClient(c *config) error { return j.applyCall(&c.settings) }
func (j Judge) applyCall(s *settings) error {
	s.judges = append(slices.Clip(s.judges), j)
	return nil
}

// Attempt is one sending of a call's request.
type Attempt struct {
	// Number counts the call's attempts from 1.
	Number int
	// Operation is the call's name: its method and path template, or what [Operation] said.
	Operation string
	// Request is what was handed to this attempt, without the credential.
	Request *http.Request
	// Response is nil when Err is not.
	Response *http.Response
	// Err is the transport's failure.
	Err error
	// Verdict is the verdict so far; it is sealed once the judges have run.
	Verdict Verdict

	call *call
	// ctx is the call's context; the attempt's own may end earlier.
	ctx     context.Context
	start   time.Time
	elapsed time.Duration
	cancel  context.CancelCauseFunc
	// sent is the request given to the base transport, credential included.
	sent *http.Request
	// reauthorised says that a credential can be renewed after a 401.
	reauthorised bool
	breaker      *breaker
	permit       *permit
	admission    admission
	body         []byte // a typed call's body, read inside the attempt
	sealed       bool
}

// Peek returns up to limit bytes of the response body and leaves the body as it
// was. It returns nothing for a stream (server-sent events, a multipart or
// upgraded response), which it must not touch.
func (a *Attempt) Peek(limit int) ([]byte, error) {
	if a.body != nil {
		return a.body[:min(limit, len(a.body))], nil
	}
	if a.Response == nil || a.Response.Body == nil || isStream(a.Response) {
		return nil, nil
	}
	head, err := io.ReadAll(io.LimitReader(a.Response.Body, int64(limit)))
	rest := io.Reader(a.Response.Body)
	if err != nil {
		rest = failedReader{err}
	}
	a.Response.Body = &peeked{io.MultiReader(bytes.NewReader(head), rest), a.Response.Body}
	return head, err
}

// carried is the request as it left: with the credential, once it had one.
func (a *Attempt) carried() *http.Request {
	if a.sent != nil {
		return a.sent
	}
	return a.Request
}

type peeked struct {
	io.Reader
	io.Closer
}

type failedReader struct{ err error }

func (f failedReader) Read([]byte) (int, error) { return 0, f.err }

// classify gives the verdict by the library's own rules (facts: 429 and the
// caller's cancel are neutral to a breaker, any other 4xx speaks for it).
func classify(a *Attempt) Verdict {
	if a.Err != nil {
		return classifyError(a.ctx, a.Err)
	}
	v := classifyStatus(a)
	if a.Response.StatusCode >= 400 {
		v.Wait, _ = header.RetryAfter(a.Response.Header, time.Now())
	}
	return v
}

func classifyStatus(a *Attempt) Verdict {
	switch code := a.Response.StatusCode; {
	case code == http.StatusTooManyRequests:
		return Verdict{Outcome: OutcomeThrottled, Resend: ResendUnprocessed}
	case code == http.StatusRequestTimeout, code == http.StatusInternalServerError,
		code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return Verdict{Outcome: OutcomeFault}
	case code >= 500:
		return Verdict{Outcome: OutcomeFault, Resend: ResendNo}
	case code == http.StatusUnauthorized && a.reauthorised && !a.call.reauthorised:
		return Verdict{Outcome: OutcomeClientError, Resend: ResendUnprocessed}
	case code == http.StatusTooEarly && !a.call.early:
		// RFC 8470, section 5.2: the server refused to act on early data; once is enough.
		return Verdict{Outcome: OutcomeClientError, Resend: ResendUnprocessed}
	case code >= 400:
		return Verdict{Outcome: OutcomeClientError, Resend: ResendNo}
	default:
		return Verdict{Outcome: OutcomeOK, Resend: ResendNo}
	}
}

func classifyError(ctx context.Context, err error) Verdict {
	// A refusal by the library is looked at first: it may wrap the caller's own deadline.
	if r, ok := errors.AsType[*refusal](err); ok {
		v := Verdict{Outcome: OutcomeNeutral, Resend: ResendNo}
		if errors.Is(r, errNoCredential) && ctx.Err() == nil && transient(r.err) {
			v.Resend = ResendUnprocessed
		}
		return v
	}
	if ctx.Err() != nil {
		v := Verdict{Outcome: OutcomeNeutral, Resend: ResendNo}
		if errors.Is(context.Cause(ctx), errTotalTimeout) {
			v.Outcome = OutcomeFault
		}
		return v
	}
	if permanent(err) {
		return Verdict{Outcome: OutcomeFault, Resend: ResendNo}
	}
	if provablyUnsent(err) {
		return Verdict{Outcome: OutcomeFault, Resend: ResendUnprocessed}
	}
	return Verdict{Outcome: OutcomeFault}
}

// transient reports a failure to get a credential that may pass: the token
// endpoint is down, busy or out of reach.
func transient(err error) bool {
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		return r.Response.StatusCode >= 500 || r.Response.StatusCode == http.StatusTooManyRequests
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !permanent(err)
}

// permanent reports failures that the next attempt would only repeat.
func permanent(err error) bool {
	if errors.Is(err, ErrTooLarge) {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
		return true
	}
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		return r.Response.StatusCode/100 == 4
	}
	// net/http has no types for an answer that is not HTTP and for headers over the limit.
	text := err.Error()
	return strings.Contains(text, "malformed HTTP") || strings.Contains(text, "malformed MIME header") ||
		strings.Contains(text, "response headers exceeded")
}

// provablyUnsent reports failures before a byte of the request left: of the
// dialling and of the TLS handshake.
func provablyUnsent(err error) bool {
	if _, ok := errors.AsType[*dialError](err); ok {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	return strings.Contains(err.Error(), "TLS handshake timeout")
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
		return fmt.Sprintf("%s: %v", r.why, r.err)
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

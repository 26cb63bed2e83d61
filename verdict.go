package aplomb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
	// OutcomeUnset is no opinion: in a Judge's verdict it leaves the outcome as it was.
	OutcomeUnset Outcome = iota
	// OutcomeOK is an answer that speaks for the server's health.
	OutcomeOK
	// OutcomeFault is a failure of the server or the network: 5xx, 408, a broken
	// connection, or a deadline although the host had its usual time.
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
	names := [...]string{"unset", "ok", "fault", "throttled", "neutral", "client_error"}
	return names[min(int(o), len(names)-1)]
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

// String returns the name used in logs.
func (r Resend) String() string {
	names := [...]string{"default", "yes", "no", "unprocessed"}
	return names[min(int(r), len(names)-1)]
}

// Verdict is what one attempt came to.
type Verdict struct {
	Outcome Outcome
	Resend  Resend
	// Wait is how long the server asked to wait before the next request; 0 if it said nothing.
	Wait time.Duration
	// Code is the API's own error code where a Judge read one. It becomes
	// APIError.Code where the body has none.
	Code string
}

// Judge is a [RequestOption]: it refines the verdict on one attempt, which it
// finds in a.Verdict, and returns the one to use; a zero Verdict leaves it as it
// is. It changes nothing of the request. Several judges run in order, each seeing
// what the one before made of it. One that needs the body calls [Attempt.Peek];
// one that reads only headers costs nothing. A verdict steers retry, breaker and
// gate; what a typed call returns is decided by the status alone, so errors inside
// a 200 are for its T.
type Judge func(a *Attempt) Verdict

func (j Judge) applyClient(c *config) error { return j.applyCall(&c.settings) }
func (j Judge) applyCall(s *settings) error {
	s.judges = append(slices.Clip(s.judges), j)
	return nil
}

// oneShot is a repetition that is no retry of a failure, waits for nothing and
// costs nothing, but happens once a call: after a refusal of a credential that
// has a successor, and after 425 (RFC 8470, section 5.2).
type oneShot uint8

const (
	renewal oneShot = 1 << iota
	notTooEarly
)

// classify gives the verdict by the library's own rules.
func classify(a *Attempt) Verdict {
	if a.Err != nil {
		return classifyError(a)
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
	case code/100 == 4 && a.renewable.Load() && a.call.spent&renewal == 0:
		a.oneShot = renewal
		return Verdict{Outcome: OutcomeClientError, Resend: ResendUnprocessed}
	case code == http.StatusRequestTimeout, code == http.StatusInternalServerError,
		code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return Verdict{Outcome: OutcomeFault}
	case code >= 500:
		return Verdict{Outcome: OutcomeFault, Resend: ResendNo}
	case code == http.StatusTooEarly && a.call.spent&notTooEarly == 0:
		a.oneShot = notTooEarly
		return Verdict{Outcome: OutcomeClientError, Resend: ResendUnprocessed}
	case code >= 400:
		return Verdict{Outcome: OutcomeClientError, Resend: ResendNo}
	default:
		return Verdict{Outcome: OutcomeOK, Resend: ResendNo}
	}
}

func classifyError(a *Attempt) Verdict {
	ctx, err := a.ctx, a.Err
	// A refusal by the library is looked at first: it may wrap the caller's own deadline.
	if r, ok := errors.AsType[*refusal](err); ok {
		v := Verdict{Outcome: OutcomeNeutral, Resend: ResendNo}
		if errors.Is(r, ErrNoCredential) && ctx.Err() == nil && transient(r.err) {
			v.Resend, v.Wait = ResendUnprocessed, max(0, time.Until(r.readyAt))
		}
		return v
	}
	if ctx.Err() != nil {
		v := Verdict{Outcome: OutcomeNeutral, Resend: ResendNo} // the caller's choice, unless the host had its time
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && a.overdue() {
			v.Outcome = OutcomeFault
		}
		return v
	}
	if _, ok := errors.AsType[*sourceError](err); ok {
		return Verdict{Outcome: OutcomeNeutral, Resend: ResendNo}
	}
	if permanent(err) {
		return Verdict{Outcome: OutcomeFault, Resend: ResendNo}
	}
	if a.provablyUnsent() || refusedStream(err) {
		return Verdict{Outcome: OutcomeFault, Resend: ResendUnprocessed}
	}
	return Verdict{Outcome: OutcomeFault}
}

// overdue reports an attempt that had its time: the host answers 95 of 100
// sooner, or, while too few answers are known, within unknownLatency. A shorter
// deadline says more of the caller than of the host.
func (a *Attempt) overdue() bool {
	usual, known := a.call.stack.latency(a.origin(), a.Operation).p95()
	if !known {
		usual = unknownLatency
	}
	return a.wire.Load() != nil && a.elapsed >= usual
}

// unknownLatency is how long a host of which nothing is known may take.
const unknownLatency = time.Second

// transient reports a failure to get a credential that may pass: who issues it
// is down, busy or out of reach.
func transient(err error) bool {
	status := 0
	if e, ok := errors.AsType[*APIError](err); ok {
		status = e.StatusCode
	}
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		status = r.Response.StatusCode
	}
	if status != 0 {
		return status >= 500 || status == http.StatusTooManyRequests
	}
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	if _, network := errors.AsType[net.Error](err); network {
		return !permanent(err)
	}
	return ok && t.Temporary()
}

// permanent reports failures that the next attempt would only repeat.
func permanent(err error) bool {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, errUpgraded) || errors.Is(err, errOwnToken) || distrusted(err) {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if p, ok := errors.AsType[*proxyError](err); ok {
		return p.permanent()
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

// distrusted reports a TLS handshake that this end broke off: the peer's
// certificate is not good, or it does not speak TLS.
func distrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	e, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && e.Conn != nil // set only where there was no handshake before
}

// refusedStream reports an HTTP/2 server's word that it did nothing with the
// request (RFC 9113, section 8.7). net/http resends by itself as long as it can;
// this is what it could not. Its error has no type, and one with another
// beginning may quote the server.
func refusedStream(err error) bool {
	text := strings.TrimPrefix(err.Error(), "http2: Transport: cannot retry err [")
	return strings.HasPrefix(text, "stream error: ") && strings.Contains(text, "; REFUSED_STREAM")
}

// provablyUnsent reports a failure before a byte of the request left: of the
// dialling or of the TLS handshake, with the body not even asked for.
func (a *Attempt) provablyUnsent() bool {
	if a.Err == nil || a.touched.Load() {
		return false
	}
	if _, ok := errors.AsType[*dialError](a.Err); ok {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](a.Err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	return distrusted(a.Err) || strings.Contains(a.Err.Error(), "TLS handshake timeout")
}

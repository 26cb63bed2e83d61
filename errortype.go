package aplomb

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"
)

// ErrorType says in a word why the attempt failed, "" if it did not: the status from
// 400 on; "fault" or "throttled" where a judge said so; or what was in its way:
// "timeout", "canceled", "name_resolution", "tls", "connection_refused",
// "connection_reset", "connection_closed", "truncated" (a body that broke off),
// "too_large", "decode_error", "no_credential", "refused" (by
// aplomb itself), "network". It is the error.type of
// OpenTelemetry's semantic conventions, and does not change with Go's types.
func (e AttemptEvent) ErrorType() string {
	switch {
	case e.Err != nil:
		return errorType(e.Err)
	case e.Status >= 400:
		return strconv.Itoa(e.Status)
	case e.Verdict.Outcome == OutcomeFault, e.Verdict.Outcome == OutcomeThrottled:
		return e.Verdict.Outcome.String()
	}
	return ""
}

// ErrorType says the same of a call that is done. Where no single attempt is to
// blame, it is the result.
func (e CallEvent) ErrorType() string {
	switch e.Result {
	case ResultOK:
		return ""
	case ResultClientError, ResultServerError, ResultRateLimited:
		if e.Status >= 400 {
			return strconv.Itoa(e.Status)
		}
	case ResultNetwork, ResultRefused:
		if e.Err != nil {
			return errorType(e.Err)
		}
	case ResultTimeout, ResultBreakerOpen, ResultBulkheadFull, ResultCanceled, ResultDecodeError, ResultPanic: // it says enough
	}
	return string(e.Result)
}

// errorType is a word for what kept a request from being answered.
func errorType(err error) string {
	if timedOut(err) {
		return "timeout"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "name_resolution"
	}
	if _, ok := errors.AsType[*DecodeError](err); ok {
		return "decode_error"
	}
	for _, known := range []struct {
		err  error
		word string
	}{
		{context.Canceled, "canceled"},
		{ErrTooLarge, "too_large"},
		{ErrNoCredential, "no_credential"},
		{syscall.ECONNREFUSED, "connection_refused"},
		{syscall.ECONNRESET, "connection_reset"},
		{syscall.EPIPE, "connection_reset"},
	} {
		if errors.Is(err, known.err) {
			return known.word
		}
	}
	_, body := errors.AsType[*bodyError](err)
	switch {
	case body:
		return "truncated"
	case refused(err):
		return "refused"
	case handshakeFailed(err):
		return "tls"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection_closed"
	}
	return "network"
}

// handshakeFailed reports a TLS handshake that either end broke off.
func handshakeFailed(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	op, ok := errors.AsType[*net.OpError](err)
	return distrusted(err) || record || alert || ok && op.Op == "remote error" // the peer's alert
}

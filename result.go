package aplomb

import (
	"context"
	"errors"
	"net/http"
)

// Result is how a call ended, in few words: a metric's label.
type Result string

// The results of calls.
const (
	ResultOK           Result = "ok"
	ResultClientError  Result = "client_error"  // the server blamed the request: 4xx
	ResultServerError  Result = "server_error"  // 5xx
	ResultRateLimited  Result = "rate_limited"  // 429, or a quota that would not free up in time
	ResultTimeout      Result = "timeout"       // of an attempt, or of the call
	ResultNetwork      Result = "network"       // no answer, or one that broke off
	ResultBreakerOpen  Result = "breaker_open"  // not sent: the circuit was open
	ResultBulkheadFull Result = "bulkhead_full" // not sent: too many are under way
	ResultCanceled     Result = "canceled"      // by the caller
	ResultDecodeError  Result = "decode_error"  // an answer that is not what was asked for
	// ResultRefused is what aplomb did not do or take, with nothing wrong at the
	// server: no credential, a redirect against its rules, an answer above MaxBody.
	ResultRefused Result = "refused"
	ResultPanic   Result = "panic" // of a middleware, the transport or a hook
)

func resultOf(status int, err error) Result {
	_, decoding := errors.AsType[*DecodeError](err)
	switch {
	case decoding:
		return ResultDecodeError
	case errors.Is(err, ErrCircuitOpen):
		return ResultBreakerOpen
	case errors.Is(err, ErrBulkheadFull):
		return ResultBulkheadFull
	case errors.Is(err, errPanicked):
		return ResultPanic
	case errors.Is(err, context.Canceled):
		return ResultCanceled
	case refused(err):
		return ResultRefused
	case status == http.StatusTooManyRequests, errors.Is(err, ErrRateLimited):
		return ResultRateLimited
	case status >= 500:
		return ResultServerError
	case status >= 400:
		return ResultClientError
	case err == nil:
		return ResultOK
	case timedOut(err):
		return ResultTimeout
	}
	return ResultNetwork
}

// refused reports what aplomb itself did not do, or did not take.
func refused(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.sentinel == nil && r.err == nil || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNoCredential)
}

package prometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aplomb-go/aplomb"
)

// requests are the series of http_client_request_duration_seconds, with the labels
// of OpenTelemetry's semantic conventions for HTTP clients.
type requests struct {
	hosts    *bounded[authority, authority]
	statuses *bounded[int, string]
	series   *bounded[request, prometheus.Observer]
}

// authority is a scheme and a host as in a URL, or an address and a port.
type authority struct{ first, second string }

// request is the labels of one series.
type request struct{ method, address, port, status, errorType string }

func newRequests(vec *prometheus.HistogramVec) requests {
	return requests{
		hosts:    newBounded(maxHosts, authority{"", other}, serverOf),
		statuses: newBounded(maxStatuses, -1, statusLabel),
		series: newBounded(maxRequests, request{method: unknownMethod, address: other}, func(r request) prometheus.Observer {
			return vec.WithLabelValues(r.method, r.address, r.port, r.status, r.errorType)
		}),
	}
}

func (r *requests) of(e *aplomb.AttemptEvent) prometheus.Observer {
	server := r.hosts.of(authority{e.Scheme, e.Host})
	q := request{method: methodOf(e.Method), address: server.first, port: server.second}
	if e.Status != 0 {
		q.status = r.statuses.of(e.Status)
	}
	switch {
	case e.Err != nil:
		q.errorType = errorType(e.Err)
	case e.Status >= http.StatusBadRequest:
		q.errorType = q.status
	case e.Verdict.Outcome == aplomb.OutcomeFault, e.Verdict.Outcome == aplomb.OutcomeThrottled:
		q.errorType = e.Verdict.Outcome.String() // by a judge
	}
	return r.series.of(q)
}

// serverOf is the address and port of a URL's scheme and host.
func serverOf(u authority) authority {
	host, port, err := net.SplitHostPort(u.second)
	if err != nil {
		host, port = strings.Trim(u.second, "[]"), map[string]string{"http": "80", "https": "443"}[u.first]
	}
	return authority{label(strings.ToLower(host)), label(port)}
}

func statusLabel(status int) string {
	if status < 0 {
		return other
	}
	return strconv.Itoa(status)
}

// unknownMethod is what the conventions call a method that is not HTTP's own.
const unknownMethod = "_OTHER"

func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	case "":
		return http.MethodGet
	}
	return unknownMethod
}

// errorType names an attempt's error by few words that stay the same whatever
// net/http calls its types.
func errorType(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "name_resolution"
	}
	if untrusted(err) {
		return "tls"
	}
	if _, ok := errors.AsType[*aplomb.DecodeError](err); ok {
		return "decode"
	}
	for _, known := range []struct {
		err  error
		name string
	}{
		{context.Canceled, "canceled"},
		{aplomb.ErrTooLarge, "too_large"},
		{aplomb.ErrNoCredential, "no_credential"},
		{syscall.ECONNREFUSED, "connection_refused"},
		{syscall.ECONNRESET, "connection_reset"},
		{syscall.EPIPE, "connection_reset"},
		{io.EOF, "connection_closed"},
		{io.ErrUnexpectedEOF, "connection_closed"},
		{net.ErrClosed, "connection_closed"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "_OTHER"
}

// untrusted reports a TLS handshake that failed.
func untrusted(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	op, ok := errors.AsType[*net.OpError](err)
	return certificate || record || alert || ok && op.Op == "remote error" // the peer's alert
}

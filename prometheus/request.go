package prometheus

import (
	"net/http"
	"strconv"

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
	if q.errorType = q.status; e.Err != nil || e.Status < http.StatusBadRequest {
		q.errorType = e.ErrorType()
	}
	return r.series.of(q)
}

// serverOf is the address and port of an event's scheme and host, which is in lower
// case and names no port that is the scheme's own.
func serverOf(u authority) authority {
	host, port := aplomb.AttemptEvent{Scheme: u.first, Host: u.second}.Server()
	return authority{label(host), label(port)}
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
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY":
		return method
	case "":
		return http.MethodGet
	}
	return unknownMethod
}

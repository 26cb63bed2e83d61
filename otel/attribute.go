package otel

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

	"go.opentelemetry.io/otel/attribute"

	"github.com/aplomb-go/aplomb"
)

// The keys of the semantic conventions for HTTP clients, and our own.
const (
	methodKey         = attribute.Key("http.request.method")
	originalMethodKey = attribute.Key("http.request.method_original")
	resendKey         = attribute.Key("http.request.resend_count")
	statusKey         = attribute.Key("http.response.status_code")
	errorTypeKey      = attribute.Key("error.type")
	addressKey        = attribute.Key("server.address")
	portKey           = attribute.Key("server.port")
	schemeKey         = attribute.Key("url.scheme")
	fullKey           = attribute.Key("url.full")
	templateKey       = attribute.Key("url.template")
	protocolKey       = attribute.Key("network.protocol.name")
	versionKey        = attribute.Key("network.protocol.version")

	clientKey    = attribute.Key("aplomb.client")
	operationKey = attribute.Key("aplomb.operation")
	resultKey    = attribute.Key("aplomb.result")
	causeKey     = attribute.Key("aplomb.wait.cause")
	quotaKey     = attribute.Key("aplomb.quota")
)

// knownMethods are those that the conventions name; others are _OTHER.
func method(m string) (name string, known bool) {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY":
		return m, true
	}
	return "_OTHER", false
}

// template is the path template of an operation that is named by one.
func template(e aplomb.AttemptEvent) string {
	if path, ok := strings.CutPrefix(e.Operation, e.Method+" "); ok && strings.HasPrefix(path, "/") {
		return path
	}
	return ""
}

// spanName is "{method} {url.template}", or the method (semantic conventions, HTTP
// spans, "Name").
func spanName(e aplomb.AttemptEvent) string {
	name, known := method(e.Method)
	if !known {
		name = "HTTP"
	}
	if path := template(e); path != "" {
		return name + " " + path
	}
	return name
}

// server is where a request goes.
func server(e aplomb.AttemptEvent) (attrs []attribute.KeyValue) {
	host, port, err := net.SplitHostPort(e.Host)
	if err != nil {
		host, port = strings.Trim(e.Host, "[]"), map[string]string{"http": "80", "https": "443"}[e.Scheme]
	}
	attrs = append(attrs, addressKey.String(host), schemeKey.String(e.Scheme))
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, portKey.Int(n))
	}
	return attrs
}

// attributes are what is known of an attempt before it is sent.
func attributes(e aplomb.AttemptEvent) []attribute.KeyValue {
	name, known := method(e.Method)
	attrs := append(server(e), methodKey.String(name), fullKey.String(e.URL()), clientKey.String(e.Client))
	if !known {
		attrs = append(attrs, originalMethodKey.String(e.Method))
	}
	if path := template(e); path != "" {
		attrs = append(attrs, templateKey.String(path))
	}
	if e.Number > 1 {
		attrs = append(attrs, resendKey.Int(e.Number-1))
	}
	if e.Hedge {
		attrs = append(attrs, attribute.Bool("aplomb.hedge", true))
	}
	if e.Probe {
		attrs = append(attrs, attribute.Bool("aplomb.probe", true))
	}
	return attrs
}

// answer is what is known of it afterwards.
func answer(e aplomb.AttemptEvent) (attrs []attribute.KeyValue) {
	if e.Status > 0 {
		attrs = append(attrs, statusKey.Int(e.Status))
	}
	if kind := attemptError(e); kind != "" {
		attrs = append(attrs, errorTypeKey.String(kind))
	}
	if name, version := protocol(e.Protocol()); version != "" {
		attrs = append(attrs, protocolKey.String(name), versionKey.String(version))
	}
	if id := e.RequestID(); id != "" {
		attrs = append(attrs, attribute.String("aplomb.request_id", id))
	}
	return append(attrs, attribute.String("aplomb.outcome", e.Verdict.Outcome.String()))
}

// protocol is "http" and its version, as the conventions write it: "1.1", "2".
func protocol(proto string) (name, version string) {
	name, version, _ = strings.Cut(proto, "/")
	return strings.ToLower(name), strings.TrimSuffix(version, ".0")
}

// attemptError is the error.type of an attempt, "" if it did not fail: the status
// from 400 on, or a word for what kept it from having one.
func attemptError(e aplomb.AttemptEvent) string {
	switch {
	case e.Err != nil:
		return kind(e.Err)
	case e.Status >= 400:
		return strconv.Itoa(e.Status)
	}
	return ""
}

// callError is the error.type of a call.
func callError(e aplomb.CallEvent) string {
	switch {
	case e.Result == aplomb.ResultNetwork && e.Err != nil:
		return kind(e.Err)
	case e.Status >= 400 && (e.Result == aplomb.ResultClientError || e.Result == aplomb.ResultServerError || e.Result == aplomb.ResultRateLimited):
		return strconv.Itoa(e.Status)
	}
	return string(e.Result)
}

// kind is an error in one of few words, whatever its Go type is.
func kind(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "name_resolution"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "tls"
	}
	if _, ok := errors.AsType[*tls.RecordHeaderError](err); ok {
		return "tls"
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return "timeout"
	case errors.Is(err, aplomb.ErrTooLarge):
		return "too_large"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
		return "connection_reset"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated"
	}
	return "network"
}

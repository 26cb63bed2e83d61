package otel

import (
	"net/http"
	"strconv"
	"strings"

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
	host, port := e.Server()
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

// answer is what is known of it afterwards. The address is told again: only now is a
// credential known that the caller put into it.
func answer(e aplomb.AttemptEvent) []attribute.KeyValue {
	attrs := []attribute.KeyValue{fullKey.String(e.URL())}
	if e.Status > 0 {
		attrs = append(attrs, statusKey.Int(e.Status))
	}
	if kind := e.ErrorType(); kind != "" {
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

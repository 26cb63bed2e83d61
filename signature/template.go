package signature

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// template is text with placeholders, such as "v0:{timestamp}:{body}".
type template struct {
	head  string
	parts []part
}

// part is a placeholder and the text up to the next one.
type part struct {
	name string // "timestamp"; "header" for {header:X-Acme-Version}
	arg  string // "X-Acme-Version"
	tail string
}

func parseTemplate(where, text string, allowed ...string) (template, error) {
	head, rest, found := strings.Cut(text, "{")
	t := template{head: head}
	for found {
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return t, fmt.Errorf("signature: %s %q has a { without its }", where, text)
		}
		p := part{}
		p.name, p.arg, _ = strings.Cut(inner, ":")
		if !slices.Contains(allowed, p.name) || (p.name == "header") != (p.arg != "") {
			return t, fmt.Errorf("signature: %s has {%s}; it may have {%s}", where, inner, strings.Join(allowed, "}, {"))
		}
		if p.name == "header" && !signableHeader(p.arg) {
			return t, fmt.Errorf("signature: %s has {%s}, which is not a header's name or one that net/http writes itself", where, inner)
		}
		p.tail, rest, found = strings.Cut(after, "{")
		t.parts = append(t.parts, p)
	}
	return t, nil
}

func (t template) has(name string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.name == name })
}

// splits reports whether text that begins with the value and the part's tail
// can be taken apart in one way only. If it cannot, a byte may move from one
// value to the next and the same signature is good for another message.
func (p part) splits(value string) bool {
	return strings.Index(value+p.tail, p.tail) == len(value)
}

// requestValue is what a placeholder stands for that only the request decides.
func requestValue(r *http.Request, p part) (string, error) {
	switch p.name {
	case "method":
		return methodOf(r), nil
	case "host":
		return strings.ToLower(hostOf(r)), nil
	case "path":
		return pathOf(r), nil
	case "query":
		return r.URL.RawQuery, nil
	case "target":
		return targetOf(r), nil
	case "header":
		value, err := oneHeader(r.Header, p.arg)
		return strings.TrimSpace(value), err
	}
	return "", fmt.Errorf("signature: {%s} is not known", p.name)
}

func methodOf(r *http.Request) string { return cmp.Or(r.Method, http.MethodGet) }

func hostOf(r *http.Request) string { return cmp.Or(r.Host, r.URL.Host) }

// withoutPort takes the scheme's own port off a host.
func withoutPort(scheme, host string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

// pathOf is the path as it is on the wire.
func pathOf(r *http.Request) string { return cmp.Or(r.URL.EscapedPath(), "/") }

// targetOf is the request line's target: path and query, as they are on the wire.
func targetOf(r *http.Request) string {
	if r.URL.RawQuery == "" && !r.URL.ForceQuery {
		return pathOf(r)
	}
	return pathOf(r) + "?" + r.URL.RawQuery
}

// signableHeader reports a header that is the same in r.Header and on the wire.
func signableHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection":
		return false
	}
	return isToken(name)
}

// isToken reports a header's or method's name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

package cache

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/internal/header"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// conditions are the headers of requests that are about one answer of the
// caller's, or a part of one: not for us to answer.
var conditions = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"}

// passes says why a request goes past the cache, "" if it does not.
func passes(r *http.Request, asked control) string {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != "":
		return "method"
	case r.Body != nil && r.Body != http.NoBody:
		return "request-body"
	case asked.has("no-store"):
		return "no-store"
	case r.Header.Get("Upgrade") != "":
		return "upgrade"
	case r.URL.Opaque != "": // it is sent as it stands, and its parts say nothing
		return "opaque"
	case secretURL(r.URL):
		return "secret-in-url"
	}
	for _, name := range conditions {
		if r.Header.Get(name) != "" {
			return "condition"
		}
	}
	return ""
}

// secretURL reports an address that is itself a credential: what it leads to is
// kept by nobody.
func secretURL(u *url.URL) bool {
	if u.User != nil || secretText(u.Hostname()+u.Path) {
		return true
	}
	for segment := range strings.FieldsFuncSeq(u.Path, func(r rune) bool { return r == '/' || r == ';' }) {
		if secretPair(segment) {
			return true
		}
	}
	for pair := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		if secretPair(pair) || secretText(unescaped(pair)) {
			return true
		}
	}
	return false
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// secretPair reports name=value where the name smells of a secret, and is not that
// of a page. What has only signs of equality behind it is base64.
func secretPair(pair string) bool {
	name, value, _ := strings.Cut(pair, "=")
	name = unescaped(name)
	return strings.Trim(value, "=") != "" && redact.SecretField(name) && !redact.Harmless(name) && !pageName(name)
}

// pageName reports a parameter that says where a list goes on: "page[number]" and
// "pageToken" grant nothing.
func pageName(name string) bool {
	word := strings.NewReplacer("_", "", "-", "", "$", "").Replace(strings.ToLower(name))
	switch word {
	case "page[number]", "pagenumber", "pagetoken", "nextpagetoken", "nexttoken", "continuationtoken", "skiptoken", "synctoken":
		return true
	}
	return false
}

// secretText reports what looks like a secret of some kind, whatever its name. A
// number that could be a card's most often is an id, and grants nothing; JSON in
// base64 is a token's only with a dot, without one it is a cursor's.
func secretText(text string) bool {
	return slices.ContainsFunc(redact.FindKinds(text), func(at redact.Span) bool {
		found := text[at.From:at.To]
		return strings.Trim(found, "0123456789 -") != "" && (!strings.HasPrefix(found, "eyJ") || strings.Contains(found, "."))
	})
}

// unsafeMethod reports a method that may change what its address holds (RFC 9110,
// section 9.2.1).
func unsafeMethod(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}

// cacheableByDefault are the final statuses that may be kept without a word of
// the server's (RFC 9110, section 15.1), less 206, which is a part.
func cacheableByDefault(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// keptStatus reports a status whose answer may be kept at all. Not kept are what
// speaks of the moment or of the credential and not of the resource: 401, 403, 407,
// 429, 511 and the like (RFC 6585 forbids some of them), and outages, which nobody
// wants remembered.
func keptStatus(status int) bool {
	switch status {
	case 206, 304, 401, 403, 407, 408, 421, 425, 428, 429, 431, 451:
		return false
	}
	return status >= 200 && status < 500 || status == http.StatusNotImplemented
}

// outage are the errors of RFC 5861, section 4.
func outage(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// passing reports a status that says nothing of what its address holds.
func passing(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

// storable reports that the answer may be kept, and that keeping it is of use.
func (e *entry) storable(resp *http.Response) bool {
	switch {
	case !keptStatus(e.Status), e.forbidden(resp), len(resp.Header["Set-Cookie"]) > 0:
		return false
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"), header.UntilClosed(resp):
		return false
	case e.Status/100 != 2 && resp.ContentLength < 0 && resp.Body != http.NoBody:
		return false // a typed call may have cut an error's body short
	case !cacheableByDefault(e.Status) && !e.explicit():
		return false
	}
	return e.lifetime() > 0 || e.validated() || e.control.has("stale-while-revalidate") || e.control.has("stale-if-error")
}

// forbidden reports that the answer, or what it was updated by, may not be kept.
func (e *entry) forbidden(by *http.Response) bool {
	_, few := varyOf(e.Header)
	return !few || e.control.has("no-store") || hasToken(e.Header["Vary"], "*") || secretHeader(by.Header)
}

// explicit reports that the server itself allowed keeping it (RFC 9111, section 3).
func (e *entry) explicit() bool {
	return e.control.has("max-age") || e.control.has("public") || e.control.has("private") || len(e.Header["Expires"]) > 0
}

// validated reports that the answer has what a validation needs.
func (e *entry) validated() bool {
	return e.Header.Get("ETag") != "" || e.Header.Get("Last-Modified") != ""
}

// secretHeader reports a header of an answer that hands out a secret. A cookie is
// looked for where an answer is new; one of a 304 is handed on and not kept.
func secretHeader(h http.Header) bool {
	for name := range h {
		if name == "Location" || name == "Content-Location" {
			if u, err := url.Parse(h.Get(name)); err != nil || secretURL(u) {
				return true
			}
		}
		if questions[name] || momentary(name) || hopByHop(name) {
			continue
		}
		if redact.SecretField(name) && redact.Header(name, "x") == redact.Mask || slices.ContainsFunc(h[name], secretValue) {
			return true
		}
	}
	return false
}

// secretValue reports a value with a secret in it, such as an address in a Link.
func secretValue(value string) bool {
	if secretText(value) {
		return true
	}
	for pair := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune("?&#;, <>\"'", r) }) {
		if secretPair(pair) {
			return true
		}
	}
	return false
}

// questions are headers that look like a secret and hold none: what a server asks for,
// tells browsers to send, and where, or allows them to see; and the name of a version,
// which may be made of anything.
var questions = map[string]bool{
	"Etag":             true,
	"Www-Authenticate": true, "Proxy-Authenticate": true, "X-Oauth-Scopes": true, "X-Accepted-Oauth-Scopes": true,
	"Access-Control-Allow-Credentials": true, "Github-Authentication-Token-Expiration": true, "Surrogate-Key": true,
	"Public-Key-Pins": true, "Public-Key-Pins-Report-Only": true, "Clear-Site-Data": true, "Cache-Tag": true, "X-Cache-Key": true,
	"Content-Security-Policy": true, "Content-Security-Policy-Report-Only": true, "Report-To": true, "Reporting-Endpoints": true, "Nel": true,
}

// hopByHop reports a header that is about the connection (RFC 9111, section 3.1).
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Authentication-Info":
		return true
	}
	return false
}

// momentary reports a header that held for the moment of the answer only: how much
// of a quota was left then is no news later.
func momentary(name string) bool {
	switch name {
	case "Set-Cookie", "Www-Authenticate", "Retry-After":
		return true
	}
	name = strings.ToLower(name)
	return strings.Contains(name, "ratelimit") || strings.Contains(name, "rate-limit")
}

// kept is what of an answer's header is stored.
func kept(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if !hopByHop(name) && !momentary(name) && !hasToken(h["Connection"], name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

func trim(s string) string { return strings.Trim(s, " \t") }

package signature

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// errNoGetBody says how to mend a body that cannot be read for signing.
var errNoGetBody = errors.New("signature: the body must be read to be signed and then once more to be sent: " +
	"make the request from bytes, a string or a buffer, or set its GetBody")

// checkSigning refuses what cannot be signed so that it holds on the wire.
func checkSigning(r *http.Request, now time.Time) error {
	if err := checkRequest(r); err != nil {
		return err
	}
	switch {
	case now.Unix() <= 0:
		return errors.New("signature: now is before 1970: pass the time")
	case strings.ContainsFunc(hostOf(r), func(c rune) bool { return c > '~' }):
		return errors.New("signature: the request's host is not ASCII: write it in punycode, as it is sent")
	}
	return nil
}

// checkRequest refuses a request whose target is not plain to see.
func checkRequest(r *http.Request) error {
	switch {
	case r.URL == nil:
		return errors.New("signature: the request has no URL")
	case r.URL.Opaque != "":
		return errors.New("signature: the request's URL has an Opaque part: use Path and RawPath, which can be signed")
	}
	return nil
}

// hasBody reports whether r brings a body; an unknown length counts as one.
func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// content writes a text that is signed or hashed, as often as it is asked to.
type content func(w io.Writer) error

// bytesOf is a text that is at hand.
func bytesOf(text []byte) content {
	return func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}
}

// bodyOf is the body of a request to be sent; r.Body stays where it was.
func bodyOf(r *http.Request) content {
	return func(w io.Writer) error {
		if !hasBody(r) {
			return nil
		}
		if r.GetBody == nil {
			return errNoGetBody
		}
		body, err := r.GetBody()
		if err != nil {
			return fmt.Errorf("signature: the body cannot be read again: %w", err)
		}
		defer body.Close()
		if _, err := io.Copy(w, body); err != nil {
			return fmt.Errorf("signature: the body cannot be read: %w", err)
		}
		return nil
	}
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

// checkPath refuses the path of a received request if net/url would write it in
// another way: EscapedPath then gives what URL.Path means and no longer tells an
// escaped separator from one that separates.
func checkPath(r *http.Request) error {
	if raw := r.URL.RawPath; raw != "" && raw != r.URL.EscapedPath() {
		return refusef("the path %.80q is not escaped as it should be, so it may not be the one that was signed", raw)
	}
	return nil
}

// targetOf is the request line's target: path and query, as they are on the wire.
func targetOf(r *http.Request) string {
	if r.URL.RawQuery == "" && !r.URL.ForceQuery {
		return pathOf(r)
	}
	return pathOf(r) + "?" + r.URL.RawQuery
}

// schemeOf of a received request is known by its connection only.
func schemeOf(r *http.Request) string {
	switch {
	case r.URL.Scheme != "":
		return strings.ToLower(r.URL.Scheme)
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// authorityOf is the host without the scheme's own port (RFC 9421, section 2.2.3).
func authorityOf(r *http.Request) string {
	return withoutPort(schemeOf(r), strings.ToLower(hostOf(r)))
}

// setHeader sets a header of a request that may have none at all yet.
func setHeader(r *http.Request, name, value string) {
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set(name, value)
}

// oneHeader returns the only value of a header: of two, one is not what was signed.
func oneHeader(h http.Header, name string) (string, error) {
	return onlyValue(h.Values(name), name)
}

func onlyValue(values []string, name string) (string, error) {
	switch {
	case len(values) == 0 || values[0] == "":
		return "", refusef("the header %s is missing", name)
	case len(values) > 1:
		return "", refusef("the header %s is there %d times", name, len(values))
	case len(values[0]) > maxHeader:
		return "", refusef("the header %s is longer than %d bytes", name, maxHeader)
	}
	return values[0], nil
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

package aplomb

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// Response is what [Capture] tells of a call's last response. Its body went
// into the typed result or error.
type Response struct {
	StatusCode int
	Header     http.Header
	// RequestID is the server's name for the request.
	RequestID string
	// Attempts is how many requests were sent.
	Attempts int
	// Elapsed is the time from the call's start, waits included.
	Elapsed time.Duration

	url     *url.URL // the last request's, for relative links
	attempt *Attempt
}

// Format prints the status line of the response for every verb: its headers may
// hold a cookie or a token.
func (r Response) Format(f fmt.State, verb rune) { formatLine(f, verb, r.summary()) }

// LogValue is what slog prints.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalJSON gives the safe fields.
func (r Response) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"status": r.StatusCode, "request_id": r.RequestID, "attempts": r.Attempts})
}

func (r Response) summary() string {
	return "status " + strconv.Itoa(r.StatusCode) + spent(r.RequestID, r.Attempts, r.Elapsed)
}

// Redact returns text, such as a message found in the body, without anything
// that the request carried and that may be secret, and without what looks like
// a key, a token or a card number: fit for an error or a log line.
func (r Response) Redact(text string) string { return redact.Text(text, 0, secretsOf(r.attempt)...) }

// RetryAfter is how long the server asked to wait, whatever the status: by
// Retry-After (RFC 9110, section 10.2.3), retry-after-ms or x-ms-retry-after-ms.
// It is 0 if the server did not ask.
func (r Response) RetryAfter() time.Duration {
	d, _ := header.RetryAfter(r.Header, time.Now())
	return d
}

// Link is the address that the response links to with this relation (RFC 8288),
// made absolute; "" if there is none.
func (r Response) Link(rel string) string {
	link, ok := header.LinkRel(r.Header, rel)
	if !ok {
		return ""
	}
	return r.Resolve(link)
}

// Resolve makes an address found in the response, such as its Location, absolute
// (RFC 3986, section 5); "" is the response's own. It returns "" for what is no
// address, or if there was no response.
func (r Response) Resolve(ref string) string {
	if r.url == nil {
		return ""
	}
	u, err := r.url.Parse(ref)
	if err != nil {
		return ""
	}
	return u.String()
}

// response is what is known of the call's last response.
func (c *call) response() Response {
	r := Response{Attempts: c.attempts, Elapsed: time.Since(c.start)}
	if c.last != nil && c.last.Response != nil {
		resp := c.last.Response
		r.StatusCode, r.Header, r.RequestID = resp.StatusCode, resp.Header, requestID(resp.Header)
		r.url, r.attempt = c.last.Request.URL, c.last
	}
	return r
}

// An answer is a successful typed call's response, with its body apart.
type answer struct {
	response *http.Response
	call     *call
	want     string // a format other than JSON, "" for that
}

func closeResponse(resp *http.Response) {
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
}

package poll

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// hint is what an answer says of when to ask again.
type hint struct {
	// pace is the server's own: Retry-After and X-Poll-Interval.
	pace time.Duration
	// fresh is for how long a cache would still answer the same. It is a minimum,
	// and no pace: max-age=1 does not ask to be polled every second.
	fresh time.Duration
}

// hintOf reads Retry-After in all its forms, X-Poll-Interval (GitHub, in seconds:
// docs.github.com/rest/activity/events) and Cache-Control max-age less Age (RFC
// 9111, section 4.2.1).
func hintOf(r aplomb.Response) hint {
	return hint{pace: max(r.RetryAfter(), seconds(r.Header.Get("X-Poll-Interval"))), fresh: freshness(r.Header)}
}

// longest is more than any hint that is meant.
const longest = 365 * 24 * time.Hour

// seconds reads a whole number of them; 0 for anything else.
func seconds(s string) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(longest/time.Second) {
		return longest // too many digits for a number
	}
	return time.Duration(n) * time.Second
}

// freshness is how long the answer stays fresh. An answer that may not be stored,
// or has to be asked for anew each time, is not fresh at all.
func freshness(h http.Header) time.Duration {
	var age time.Duration
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				age = max(age, seconds(strings.Trim(value, `"`)))
			}
		}
	}
	return max(0, age-seconds(h.Get("Age")))
}

// validators tell the server what we have, so that it need not send it again
// (RFC 9110, section 13.1).
type validators struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// For is which request they belong to.
	For string `json:"for,omitempty"`
}

// maxValidator bounds what is kept of one.
const maxValidator = 1 << 10

// validatorsOf are the answer's, verbatim: a weak one is as good to ask with.
func validatorsOf(h http.Header, request string) validators {
	if strings.Contains(strings.Join(h.Values("Vary"), ","), "*") {
		return validators{} // it depends on what no request says
	}
	v := validators{ETag: bounded(h.Get("ETag")), Modified: bounded(h.Get("Last-Modified")), For: request}
	if v.ETag == "" && v.Modified == "" {
		return validators{}
	}
	return v
}

func bounded(s string) string {
	if len(s) > maxValidator {
		return ""
	}
	return s
}

// options are the conditions of a request.
func (v validators) options(request string) []aplomb.CallOption {
	if v.For != request {
		return nil
	}
	var opts []aplomb.CallOption
	if v.ETag != "" {
		opts = append(opts, aplomb.Header("If-None-Match", v.ETag))
	}
	if v.Modified != "" {
		opts = append(opts, aplomb.Header("If-Modified-Since", v.Modified))
	}
	return opts
}

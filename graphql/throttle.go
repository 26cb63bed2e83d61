package graphql

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// peekLimit is far above the size of a refusal; a larger answer has data.
const peekLimit = 64 << 10

// judge reads what the status does not say: that the quota is spent, and that a
// 500 is a fault of the document.
func judge(a *aplomb.Attempt, batch int) aplomb.Verdict {
	v, resp := a.Verdict, a.Response
	if resp == nil || !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return v
	}
	status := resp.StatusCode
	if status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
		return v // the root knows these; GitHub's 401 says "remaining 0" and means nothing by it
	}
	body, err := a.Peek(peekLimit)
	if err != nil || status != http.StatusInternalServerError && !bytes.Contains(body, []byte("RATE_LIMIT")) && !bytes.Contains(body, []byte("THROTTLED")) {
		return v
	}
	body = bytes.TrimPrefix(body, []byte(byteOrderMark))
	if batch > 0 {
		var list []answer[json.RawMessage]
		if json.Unmarshal(body, &list) == nil {
			return judgeBatch(a, list, batch)
		}
	}
	var refusal answer[json.RawMessage]
	if json.Unmarshal(body, &refusal) != nil || refusal.Data != nil {
		return v // data that came is good, whatever is left of the quota
	}
	code, _ := throttled(refusal.Errors)
	switch {
	case code != "":
		v.Outcome, v.Code = aplomb.OutcomeThrottled, code
		v.Wait = waitOf(resp.Header, refusal.Extensions, time.Now())
		v.Resend = aplomb.ResendUnprocessed
		if !untouched(refusal.Errors) {
			v.Resend = aplomb.ResendDefault
		}
	case status == http.StatusInternalServerError && len(refusal.Errors) > 0:
		v.Resend = aplomb.ResendNo // some servers say 500 for a missing variable
	}
	return v
}

// throttled is the code of a spent quota among errs, "" without one. begun says
// that one of the errors has a path: execution had begun.
func throttled(errs []*Error) (code string, begun bool) {
	for _, e := range errs {
		if e == nil {
			continue
		}
		begun = begun || len(e.Path) > 0
		switch c := e.Code(); c {
		case "RATE_LIMITED", "RATE_LIMIT", "THROTTLED":
			code = c
		}
	}
	return code, begun
}

// untouched reports that errs say of a spent quota and of nothing else: with
// another error beside it, or at a path, a field may have taken effect.
func untouched(errs []*Error) bool {
	for _, e := range errs {
		if code, begun := throttled([]*Error{e}); code == "" || begun {
			return false
		}
	}
	return len(errs) > 0
}

// waitOf is how long to wait after a refusal; 0 if nothing says so.
func waitOf(h http.Header, extensions json.RawMessage, now time.Time) time.Duration {
	if text := h.Get("Retry-After"); text != "" { // RFC 9110, section 10.2.3
		if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
		if at, err := http.ParseTime(text); err == nil {
			return max(0, at.Sub(now))
		}
	}
	// GitHub: seconds since 1970. Remaining may be above zero although it refuses.
	if reset, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
		if wait := time.Unix(reset, 0).Sub(now); wait > 0 {
			return wait
		}
	}
	return costWait(extensions)
}

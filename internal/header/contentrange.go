package header

import (
	"net/http"
	"strconv"
	"strings"
)

// Range is a Content-Range in bytes (RFC 9110, section 14.4).
type Range struct {
	// From and To are what a 206 holds, To not included; both are 0 in a 416.
	From, To int64
	// Total is the length of the whole, -1 where the server does not know.
	Total int64
}

// ContentRange reads "bytes 0-99/1000", "bytes 0-99/*" or "bytes */1000".
func ContentRange(h http.Header) (r Range, ok bool) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(first(h, "Content-Range")), " ")
	which, whole, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !strings.EqualFold(unit, "bytes") || !ok {
		return Range{}, false
	}
	r.Total = -1
	if whole != "*" {
		if r.Total, ok = byteCount(whole); !ok {
			return Range{}, false
		}
	}
	if which == "*" {
		return r, r.Total >= 0
	}
	from, to, _ := strings.Cut(which, "-")
	var ok2 bool
	r.From, ok = byteCount(from)
	r.To, ok2 = byteCount(to)
	if !ok || !ok2 || r.To < r.From || r.Total >= 0 && r.To >= r.Total {
		return Range{}, false
	}
	r.To++
	return r, true
}

// byteCount is digits alone, and room for one more.
func byteCount(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n+1 > 0
}

package transfer

import (
	"errors"
	"strconv"
	"strings"
)

// contentRange is a Content-Range (RFC 9110, section 14.4).
type contentRange struct {
	span        // of a 206; {0, 0} in a 416
	total int64 // -1 where the server does not know
}

var errContentRange = errors.New("no Content-Range in bytes")

// parseContentRange reads "bytes 0-99/1000", "bytes 0-99/*" or "bytes */1000".
func parseContentRange(value string) (contentRange, error) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	which, whole, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !strings.EqualFold(unit, "bytes") || !ok {
		return contentRange{}, errContentRange
	}
	c := contentRange{total: -1}
	if whole != "*" {
		if c.total, ok = number(whole); !ok {
			return contentRange{}, errContentRange
		}
	}
	if which == "*" {
		if c.total < 0 {
			return contentRange{}, errContentRange
		}
		return c, nil
	}
	first, last, _ := strings.Cut(which, "-")
	from, ok := number(first)
	to, ok2 := number(last)
	if !ok || !ok2 || to < from || c.total >= 0 && to >= c.total {
		return contentRange{}, errContentRange
	}
	c.span = span{from, to + 1}
	return c, nil
}

// number is a count of bytes: digits alone, and room for one more.
func number(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n+1 > 0
}

// rangeOf asks for s of a file of total bytes (RFC 9110, section 14.2).
func rangeOf(s span, total int64) string {
	text := "bytes=" + strconv.FormatInt(s.from, 10) + "-"
	if s.to >= 0 && s.to != total {
		text += strconv.FormatInt(s.to-1, 10)
	}
	return text
}

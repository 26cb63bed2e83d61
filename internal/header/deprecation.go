package header

import (
	"net/http"
	"strings"
	"time"
)

// Deprecation reads the Deprecation field: `@1688169599`, a structured-field
// date (RFC 9745, section 2.1), and what the drafts before it sent, "true" or
// an HTTP-date. at is zero for "true", and may lie in the future.
func Deprecation(h http.Header) (at time.Time, ok bool) {
	v, _, _ := strings.Cut(first(h, "Deprecation"), ";") // no parameter is defined
	v = strings.TrimSpace(v)
	if v == "?1" || strings.EqualFold(v, "true") {
		return time.Time{}, true
	}
	if unix, isDate := strings.CutPrefix(v, "@"); isDate {
		return sfDate(unix)
	}
	return instant(v)
}

// sfDate reads the integer of a structured-field date (RFC 9651, section
// 3.3.7). It may be negative, but not beyond the years people write.
func sfDate(s string) (time.Time, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	d, ok := parseDecimal(digits)
	if !ok || strings.Contains(digits, ".") || d.whole > lastSecond {
		return time.Time{}, false
	}
	if negative {
		if d.whole > -firstSecond {
			return time.Time{}, false
		}
		d.whole = -d.whole
	}
	return time.Unix(d.whole, 0).UTC(), true
}

// firstSecond is the beginning of the year 1.
const firstSecond = -62_135_596_800

// Sunset reads the Sunset field: the HTTP-date from which the resource is
// expected to be gone (RFC 8594, section 3).
func Sunset(h http.Header) (at time.Time, ok bool) {
	return instant(first(h, "Sunset"))
}

// DeprecationLink is where a human reads about it: the URL of the first Link
// with rel=deprecation (RFC 9745, section 3), else rel=sunset (RFC 8594,
// section 6), else "".
func DeprecationLink(h http.Header) string {
	if u, ok := LinkRel(h, "deprecation"); ok {
		return u
	}
	u, _ := LinkRel(h, "sunset")
	return u
}

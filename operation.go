package aplomb

import (
	"net/url"
	"strings"
)

// routeOf names a request that has no path template: its path, with segments
// that look like values, and so might be secrets or without bound, made {}.
func routeOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	if plainRoute(u.Path) {
		return u.Path
	}
	var room [128]byte
	route := room[:0]
	for segment := range strings.SplitSeq(u.Path, "/") {
		if looksLikeValue(segment) {
			segment = "{}"
		}
		route = append(append(route, segment...), '/')
	}
	return string(route[:len(route)-1])
}

// plainRoute reports a path that is its own route, as most are, and need not be taken
// apart.
func plainRoute(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if looksLikeValue(segment) {
			return false
		}
	}
	return true
}

// looksLikeValue reports a segment with a digit, other than a version such as
// v1, and one too long for a name.
func looksLikeValue(s string) bool {
	if len(s) > 1 && len(s) <= 4 && s[0] == 'v' && strings.Trim(s[1:], "0123456789") == "" {
		return false
	}
	return len(s) > 30 || strings.ContainsAny(s, "0123456789@=%")
}

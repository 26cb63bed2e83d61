package aplomb

import (
	"net/url"
	"strings"
)

// originKey is the default key of breakers and quotas.
func (a *Attempt) originKey() string {
	o := originOf(a.Request.URL)
	if s := a.call.stack; o == s.home {
		return s.homeKey // made once
	}
	return o.String()
}

// routeOf names a request that has no path template: its path, with segments
// that look like values, and so might be secrets or without bound, made {}.
func routeOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	segments := strings.Split(u.Path, "/")
	for i, s := range segments {
		if looksLikeValue(s) {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// looksLikeValue reports a segment with a digit, other than a version such as
// v1, and one too long for a name.
func looksLikeValue(s string) bool {
	if len(s) > 1 && len(s) <= 4 && s[0] == 'v' && strings.Trim(s[1:], "0123456789") == "" {
		return false
	}
	return len(s) > 30 || strings.ContainsAny(s, "0123456789@=%")
}

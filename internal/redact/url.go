package redact

import (
	"net/url"
	"strings"
)

// queryAllowed are the parameters whose values say only how much of what, in
// which order and in which version.
var queryAllowed = set(`page per_page per-page perpage page_size pagesize page[size] page[number] limit offset first last
	sort sort_by sortby order order_by orderby direction count size api-version api_version version v format`)

// URL prints scheme://host/path?query for a log line: userinfo and fragment
// are dropped; query values are masked but for paging, sorting and versions; a
// query that does not parse, or has no names, is masked whole; so is a path
// segment that looks like a secret (see [Text]). nil gives "".
func URL(u *url.URL) string {
	if u == nil {
		return ""
	}
	head := ""
	if u.Scheme != "" {
		head = u.Scheme + ":"
	}
	if u.Opaque != "" {
		return escape(head + Mask) // mailto:, data: and the like have no harmless part
	}
	path := redactPath(u)
	if u.Host != "" {
		head += "//" + redactHost(u)
		// Some URLs are a secret over several segments, known by their host.
		whole := u.Hostname() + path
		if clean := scrub(whole, 0, nil); clean != whole {
			var ok bool
			if path, ok = strings.CutPrefix(clean, u.Hostname()); !ok {
				path = "/" + Mask
			}
		}
	}
	return escape(head + path + redactQuery(u.RawQuery))
}

// redactHost masks a host that looks like a secret, or holds what a URL put
// together by hand should have put elsewhere.
func redactHost(u *url.URL) string {
	if name := u.Hostname(); strings.ContainsAny(u.Host, "@/?#\\ ") || scrub(name, 0, nil) != name {
		return Mask
	}
	return u.Host
}

// redactPath masks the segments that look like a secret.
func redactPath(u *url.URL) string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, seg := range segments {
		plain, err := url.PathUnescape(seg)
		if err != nil || scrub(plain, 0, nil) != plain {
			segments[i] = Mask
		}
	}
	return strings.Join(segments, "/")
}

// redactQuery gives the query with its question mark, in the order it came.
func redactQuery(raw string) string {
	if raw == "" {
		return ""
	}
	if _, err := url.ParseQuery(raw); err != nil {
		return "?" + Mask
	}
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		pairs[i] = redactPair(pair, showQuery)
	}
	return "?" + strings.Join(pairs, "&")
}

// redactPair prints one name=value of a query or form whose escapes are valid.
// Without "=" it may be a bare secret, and so may a name nobody would choose.
func redactPair(pair string, show func(name, value string) bool) string {
	rawName, rawValue, ok := strings.Cut(pair, "=")
	if pair == "" {
		return ""
	}
	name, err := url.QueryUnescape(rawName)
	if !ok || err != nil || !isName(name) {
		return Mask
	}
	value, err := url.QueryUnescape(rawValue)
	switch {
	case rawValue == "":
		return name + "="
	case err != nil || !show(name, value) || scrub(value, 0, nil) != value:
		return name + "=" + Mask
	}
	return name + "=" + url.QueryEscape(value)
}

// showQuery allows a value by its name and, since cursors travel as "page"
// too, by being short and plain.
func showQuery(name, value string) bool {
	if !queryAllowed.has(strings.ToLower(name)) || len(value) > 32 {
		return false
	}
	for _, c := range []byte(value) {
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || strings.ContainsRune("_.,:+-", rune(c))
		if !plain {
			return false
		}
	}
	return true
}

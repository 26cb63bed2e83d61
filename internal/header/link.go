package header

import (
	"net/http"
	"slices"
	"strings"
)

// Link is one web link of RFC 8288.
type Link struct {
	URL    string            // the target as sent, often relative
	Rel    []string          // relation types, lower-cased
	Params map[string]string // the other parameters by lower-cased name, unquoted; the first of a name counts
}

// Links reads the values of the Link field (RFC 8288, section 3). It is
// tolerant: commas and semicolons may stand in quotes or in the URL, quotes may
// be missing, and a member that cannot be read is skipped.
func Links(values []string) []Link {
	var links []Link
	for _, line := range values {
		for member := range split(line, ',', true) {
			if l, ok := parseLink(member); ok && len(links) < maxMembers {
				links = append(links, l)
			}
		}
	}
	return links
}

func parseLink(s string) (Link, bool) {
	if !strings.HasPrefix(s, "<") {
		return Link{}, false
	}
	target, rest, ok := strings.Cut(s[1:], ">")
	target = strings.TrimSpace(target)
	if !ok || target == "" || strings.Contains(target, "<") {
		return Link{}, false
	}
	l := Link{URL: target}
	for p := range split(rest, ';', false) {
		name, value, _ := cut(p, '=', false)
		l.set(strings.ToLower(strings.TrimSpace(name)), unquote(strings.TrimSpace(value)))
	}
	return l, true
}

// set keeps the first parameter of a name: RFC 8288, section 3.3 says so for
// rel, and a second one is a mistake or an attack for the others.
func (l *Link) set(name, value string) {
	if name == "" {
		return
	}
	if name == "rel" {
		if l.Rel == nil {
			l.Rel = strings.Fields(strings.ToLower(value))
		}
		return
	}
	if _, ok := l.Params[name]; ok {
		return
	}
	if l.Params == nil {
		l.Params = make(map[string]string)
	}
	l.Params[name] = value
}

// LinkRel is the URL of the first Link with the relation rel, compared without
// regard to case. A link with an anchor speaks of another resource than the one
// asked for (RFC 8288, section 3.2) and is passed over.
func LinkRel(h http.Header, rel string) (string, bool) {
	rel = strings.ToLower(rel)
	for _, l := range Links(h["Link"]) {
		if l.Params["anchor"] == "" && slices.Contains(l.Rel, rel) {
			return l.URL, true
		}
	}
	return "", false
}

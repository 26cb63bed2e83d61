package signature

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// template is text with placeholders, such as "v0:{timestamp}:{body}".
type template struct {
	head  string
	parts []part
}

// part is a placeholder and the text up to the next one.
type part struct {
	name string // "timestamp"; "header" for {header:X-Acme-Version}
	arg  string // "X-Acme-Version"
	tail string
}

func parseTemplate(where, text string, allowed ...string) (template, error) {
	head, rest, found := strings.Cut(text, "{")
	t := template{head: head}
	for found {
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return t, fmt.Errorf("signature: %s %q has a { without its }", where, text)
		}
		p := part{}
		p.name, p.arg, _ = strings.Cut(inner, ":")
		if !slices.Contains(allowed, p.name) || (p.name == "header") != (p.arg != "") {
			return t, fmt.Errorf("signature: %s has {%s}; it may have {%s}", where, inner, strings.Join(allowed, "}, {"))
		}
		if p.name == "header" && !signableHeader(p.arg) {
			return t, fmt.Errorf("signature: %s has {%s}, which is not a header's name or one that net/http writes itself", where, inner)
		}
		p.tail, rest, found = strings.Cut(after, "{")
		t.parts = append(t.parts, p)
	}
	return t, nil
}

func (t template) has(name string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.name == name })
}

// splits reports whether text that begins with the value and the part's tail
// can be taken apart in one way only. If it cannot, a byte may move from one
// value to the next and the same signature is good for another message.
func (p part) splits(value string) bool {
	if strings.Contains(value, p.tail) {
		return p.tail == "" && value == ""
	}
	for n := 1; n < len(p.tail); n++ { // a tail that begins in the value and ends in itself
		if strings.HasSuffix(value, p.tail[:n]) && strings.HasPrefix(p.tail, p.tail[n:]) {
			return false
		}
	}
	return true
}

// requestValue is what a placeholder stands for that only the request decides.
func requestValue(r *http.Request, p part) (string, error) {
	switch p.name {
	case "method":
		return methodOf(r), nil
	case "host":
		return strings.ToLower(hostOf(r)), nil
	case "path":
		return pathOf(r), nil
	case "query":
		return r.URL.RawQuery, nil
	case "target":
		return targetOf(r), nil
	case "header":
		value, err := oneHeader(r.Header, p.arg)
		return strings.Trim(value, " \t"), err // HTTP has no other white space
	}
	return "", fmt.Errorf("signature: {%s} is not known", p.name)
}

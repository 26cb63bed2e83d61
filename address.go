package aplomb

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// address is the base URL with the path template filled and the query set, or
// the one that URL gave.
func (c *call) address(path string) (*url.URL, error) {
	base := c.stack.cfg.base
	if c.home != nil {
		base = c.home
	}
	if c.target != "" {
		u, err := base.Parse(c.target)
		if err != nil {
			return nil, errors.New("URL: the address cannot be parsed")
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("URL: want an http or https address, got scheme %q", u.Scheme)
		}
		u.User = nil
		query := c.query
		if c.listing {
			query = lacking(u.RawQuery, query) // the server's own next page has the last word
		}
		setQuery(u, query)
		return u, nil
	}
	filled, err := fillPath(path, c.path, c.stack.cfg.path)
	if err != nil {
		return nil, err
	}
	u, err := below(base, filled)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	setQuery(u, c.stack.cfg.query, c.query)
	return u, nil
}

// below is base with an escaped path behind its own.
func below(base *url.URL, escaped string) (*url.URL, error) {
	u := *base
	if escaped == "" {
		return &u, nil
	}
	u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + escaped
	var err error
	u.Path, err = url.PathUnescape(u.RawPath)
	return &u, err
}

// setQuery lays each list of parameters over u's query, the later over the
// earlier. What it does not name stays as it was, to the letter: url.Values
// would reorder it, and drop pairs with a semicolon, as OData has them.
func setQuery(u *url.URL, lists ...[]param) {
	for _, params := range lists {
		for _, p := range params {
			u.RawQuery = withParam(u.RawQuery, p)
		}
	}
}

// lacking are those of params that raw has none of.
func lacking(raw string, params []param) (missing []param) {
	for _, p := range params {
		if !setsAny(raw, p.name) {
			missing = append(missing, p)
		}
	}
	return missing
}

// setsAny reports whether any pair of a query is of the parameter.
func setsAny(raw, name string) bool {
	for pair := range strings.SplitSeq(raw, "&") {
		if setsParam(pair, name) {
			return true
		}
	}
	return false
}

// setsParam reports whether one pair of a query is of the parameter.
func setsParam(pair, name string) bool {
	escaped, _, _ := strings.Cut(pair, "=")
	plain, err := url.QueryUnescape(escaped)
	return pair != "" && err == nil && plain == name
}

func withParam(raw string, p param) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		if pair != "" && !setsParam(pair, p.name) {
			kept = append(kept, pair)
		}
	}
	for _, v := range p.values {
		kept = append(kept, url.QueryEscape(p.name)+"="+url.QueryEscape(v))
	}
	return strings.Join(kept, "&")
}

// fillPath puts values into the {name} segments of a template. Each is escaped
// on its own; one that would climb (".", "..") or vanish is refused, since
// net/http sends a path as it is.
func fillPath(template string, own, defaults []field) (string, error) {
	if template == "" {
		return "", nil
	}
	switch {
	case strings.Contains(template, "?"):
		return "", fmt.Errorf("path %q: give query parameters with Query", template)
	case strings.Contains(template, "#"):
		return "", fmt.Errorf("path %q: a fragment is not sent: leave it out, or give a value with # by Path", template)
	}
	if strings.Contains(template, "://") {
		return "", errors.New("path is an address: give it with URL")
	}
	if !strings.ContainsAny(template, "{}") && len(own) == 0 && plainPath(template) {
		return template, nil
	}
	values := slices.Concat(defaults, own)
	segments := strings.Split(strings.TrimPrefix(template, "/"), "/")
	for i, segment := range segments {
		filled, err := fillSegment(segment, values)
		if err != nil {
			return "", fmt.Errorf("path %q: %w", template, err)
		}
		segments[i] = filled
	}
	for _, v := range own {
		if !strings.Contains(template, "{"+v.name+"}") {
			return "", fmt.Errorf("path %q has no {%s}", template, v.name)
		}
	}
	return "/" + strings.Join(segments, "/"), nil
}

// plainPath reports a path that is sent as it is.
func plainPath(path string) bool {
	return path[0] == '/' && !strings.Contains(path, "/.") && !strings.Contains(path, "%")
}

func fillSegment(segment string, values []field) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(segment, "{")
		out.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("a { is not closed")
		}
		value, ok := lastField(values, name)
		if !ok {
			return "", fmt.Errorf("no value for {%s}: add Path(%q, ...)", name, name)
		}
		if value == "" {
			return "", fmt.Errorf("the value of {%s} is empty", name)
		}
		out.WriteString(url.PathEscape(value))
		segment = after
	}
	if s := out.String(); s != "." && s != ".." {
		return s, nil
	}
	return "", errors.New("a segment would be \".\" or \"..\"")
}

func lastField(fields []field, name string) (string, bool) {
	for _, field := range slices.Backward(fields) {
		if field.name == name {
			return field.value, true
		}
	}
	return "", false
}

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
func (c *call) address() (*url.URL, error) {
	base, path := c.stack.cfg.base, c.stack.homePath
	if c.baseURL != nil {
		base, path = c.baseURL, pathOf(c.baseURL)
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
	var room [128]byte
	filled, err := c.template.fill(append(room[:0], path...), c.path, c.stack.cfg.path)
	if err != nil {
		return nil, err
	}
	u := &c.url
	*u = *base
	if len(filled) > len(path) { // else the template is "", which is the base itself
		if err := setPath(u, string(filled)); err != nil {
			return nil, c.template.wrong(err.Error())
		}
	}
	setQuery(u, c.stack.cfg.query, c.query)
	return u, nil
}

// pathOf is a base URL's path, escaped, for another to be put behind it.
func pathOf(base *url.URL) string { return strings.TrimSuffix(base.EscapedPath(), "/") }

// setPath gives u an escaped path.
func setPath(u *url.URL, escaped string) (err error) {
	u.RawPath, u.Path = escaped, escaped
	if strings.Contains(escaped, "%") {
		u.Path, err = url.PathUnescape(escaped)
	}
	return err
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

func lastField(fields []field, name string) (string, bool) {
	for _, field := range slices.Backward(fields) {
		if field.name == name {
			return field.value, true
		}
	}
	return "", false
}

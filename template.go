package aplomb

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A template is a path as the program writes it, with {name} where a value goes. It
// is taken apart once, since a program has few and calls them often.
type template struct {
	text      string
	operation string    // its name with the method
	segments  []segment // nil: it is sent as it is
	err       error     // what is wrong with it
}

// A segment is what stands between two slashes: names, and before each of them and
// behind the last a literal, which may be empty.
type segment struct{ literals, names []string }

func parseTemplate(method, path string) *template {
	t := &template{text: path, operation: method + " " + path}
	switch {
	case path == "" || path[0] == '/' && escaped(path) == path && !strings.Contains(path, "%") && !strings.Contains(path, "/.") && !strings.Contains(path, "://"):
		return t
	case strings.Contains(path, "?"):
		t.err = t.wrong("give query parameters with Query")
	case strings.Contains(path, "#"):
		t.err = t.wrong("a fragment is not sent: leave it out, or give a value with # by Path")
	case strings.Contains(path, "://"):
		t.err = errors.New("path is an address: give it with URL")
	default:
		t.err = t.parse()
	}
	return t
}

func (t *template) parse() error {
	for text := range strings.SplitSeq(strings.TrimPrefix(t.text, "/"), "/") {
		var s segment
		for {
			literal, rest, found := strings.Cut(text, "{")
			s.literals = append(s.literals, escaped(literal))
			if !found {
				break
			}
			name, after, closed := strings.Cut(rest, "}")
			if !closed {
				return t.wrong("a { is not closed")
			}
			s.names, text = append(s.names, name), after
		}
		t.segments = append(t.segments, s)
	}
	return nil
}

// verbatim is what net/url leaves alone in a path that is escaped already.
const verbatim = "/-._~!$&'()*+,;=:@[]%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// escaped is a literal with its escapes kept and what else is not to stand in a path
// escaped. With one such byte net/url would escape the whole path anew, and the / in a
// value would be one again.
func escaped(literal string) string {
	out := make([]byte, 0, len(literal))
	for i := range len(literal) {
		if c := literal[i]; strings.IndexByte(verbatim, c) >= 0 {
			out = append(out, c)
		} else {
			out = fmt.Appendf(out, "%%%02X", c)
		}
	}
	return string(out)
}

func (t *template) wrong(why string) error { return fmt.Errorf("path %q: %s", t.text, why) }

// fill appends the path to out, with values in the places of their names, own
// before defaults.
func (t *template) fill(out []byte, own, defaults []field) ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	if t.segments == nil {
		out = append(out, t.text...)
	}
	for i := range t.segments {
		var err error
		if out, err = t.segments[i].fill(append(out, '/'), own, defaults); err != nil {
			return nil, t.wrong(err.Error())
		}
	}
	for _, v := range own {
		if t.text != "" && !t.names(v.name) {
			return nil, fmt.Errorf("path %q has no {%s}", t.text, v.name)
		}
	}
	return out, nil
}

func (t *template) names(name string) bool {
	for i := range t.segments {
		if slices.Contains(t.segments[i].names, name) {
			return true
		}
	}
	return false
}

// fill appends the segment. A value is escaped on its own; one that would climb (".",
// "..") or vanish is refused, since net/http sends a path as it is.
func (s *segment) fill(out []byte, own, defaults []field) ([]byte, error) {
	begin := len(out)
	for i, name := range s.names {
		value, ok := lastField(own, name)
		if !ok {
			value, ok = lastField(defaults, name)
		}
		switch {
		case !ok:
			return nil, fmt.Errorf("no value for {%s}: add Path(%q, ...)", name, name)
		case value == "":
			return nil, fmt.Errorf("the value of {%s} is empty", name)
		}
		out = append(append(out, s.literals[i]...), url.PathEscape(value)...)
	}
	out = append(out, s.literals[len(s.names)]...)
	switch string(out[begin:]) {
	case ".", "..":
		return nil, errors.New("a segment would be \".\" or \"..\"")
	}
	return out, nil
}

// maxTemplates bounds how many templates are remembered: the paths of requests that
// an SDK makes are not a program's own (law 7). What comes after is taken apart each time.
const maxTemplates = 1024

// templates remembers. It is read without a lock, by all calls of a client, and
// copied whole for each new template.
type templates struct {
	known atomic.Pointer[map[templateKey]*template]
	mu    sync.Mutex // held while one is added
}

type templateKey struct{ method, path string }

func (t *templates) of(method, path string) *template {
	key := templateKey{method, path}
	if known := t.known.Load(); known != nil {
		if found := (*known)[key]; found != nil {
			return found
		}
		if len(*known) >= maxTemplates {
			return parseTemplate(method, path)
		}
	}
	made := parseTemplate(method, path)
	t.mu.Lock()
	grown := map[templateKey]*template{key: made}
	if known := t.known.Load(); known != nil {
		maps.Copy(grown, *known)
	}
	t.known.Store(&grown)
	t.mu.Unlock()
	return made
}

package header

import (
	"iter"
	"strings"
)

const (
	// maxMembers bounds how many members of a field, and how many parameters
	// of a member, are read.
	maxMembers = 64
	// maxLine bounds the length of a field line: a longer one is not read. Far
	// above what servers accept or send, it keeps a hostile line cheap.
	maxLine = 32 << 10
)

// cut splits s at the first sep that stands outside quotes and, when angle is
// set, outside <...>. An opening mark without its closing one counts as an
// ordinary character, so that a missing quote costs one member, not the field.
func cut(s string, sep byte, angle bool) (part, rest string, found bool) {
	quotes := true // until one does not end: looking again would be quadratic
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == sep:
			return s[:i], s[i+1:], true
		case c == '"' && quotes:
			n := Quoted(s[i:])
			quotes = n > 0
			i += max(n-1, 0)
		case c == '<' && angle:
			if n := strings.IndexAny(s[i+1:], "<>"); n >= 0 && s[i+1+n] == '>' {
				i += n + 1
			} else {
				angle = n >= 0
			}
		}
	}
	return s, "", false
}

// split yields the parts of s between seps, at most maxMembers of them.
func split(s string, sep byte, angle bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(s) > maxLine {
			return
		}
		rest, found := s, true
		for n := 0; found && n < maxMembers; n++ {
			var part string
			part, rest, found = cut(rest, sep, angle)
			if !yield(strings.TrimSpace(part)) {
				return
			}
		}
	}
}

// Quoted is the length of the quoted string s starts with, both quotes
// included (RFC 9110, section 5.6.4); 0 when it does not end.
func Quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// unquote undoes a quoted string; anything else is given back without a stray
// quote at either end.
func unquote(s string) string {
	if !strings.HasPrefix(s, `"`) || Quoted(s) != len(s) {
		return strings.Trim(s, `"`)
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// item is one member of a structured-field list (RFC 9651, section 3.1), only
// as far as the fields in this package need it: values stay text.
type item struct {
	value  string // string or token, unquoted
	key    string // set for a dictionary member: key=value
	params string // the raw parameters behind it
}

// items reads the members of all lines of a list or dictionary field. RFC 9651
// would drop a field with one bad member; a quota is worth more than that.
func items(lines []string) []item {
	var list []item
	for _, line := range lines {
		for member := range split(line, ',', false) {
			head, params, _ := cut(member, ';', false)
			head = strings.TrimSpace(head)
			if head == "" || len(list) >= maxMembers {
				continue
			}
			it := item{params: params}
			if key, value, ok := cut(head, '=', false); ok {
				it.key, head = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
			}
			it.value = unquote(head)
			list = append(list, it)
		}
	}
	return list
}

// param is the value of one parameter as sent; the last one counts, as in
// RFC 9651, section 3.1.2.
func (it item) param(name string) (raw string, ok bool) {
	for p := range split(it.params, ';', false) {
		key, value, _ := cut(p, '=', false)
		if strings.EqualFold(strings.TrimSpace(key), name) {
			raw, ok = strings.TrimSpace(value), true
		}
	}
	return raw, ok
}

// bareNumber tells a quota policy of the older drafts, `100;w=60`, from one
// that has a name and states its quota in q.
func (it item) bareNumber() bool {
	_, named := it.param("q")
	return !named && it.key == "" && count(it.value) >= 0
}

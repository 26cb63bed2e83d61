package aplomb

import (
	"strconv"
	"strings"
)

// maxMarkup is how much of a page or an XML error is read.
const maxMarkup = 16 << 10

// xmlProblem finds the elements in which object stores and SOAP send their code
// and message, in any namespace and at any depth; the last of each counts. It
// looks at tags and text only, lest every program brings an XML decoder along.
func xmlProblem(body []byte) (code, message string) {
	in := markup{rest: string(body[:min(len(body), maxMarkup)])}
	for in.next() {
		into := &code
		switch strings.ToLower(in.name) {
		case "code", "faultcode":
		case "message", "faultstring":
			into = &message
		default:
			continue
		}
		if text, ok := in.content(); ok {
			*into = text
		}
	}
	return code, message
}

// markup walks through an XML text from tag to tag, be it well-formed or not.
type markup struct {
	rest   string
	text   string // what stood before the tag, and a CDATA section's own
	name   string // of the element that the tag opens, without its prefix
	closes bool
}

// next goes to the next tag. A comment, an instruction, a CDATA section and an
// element without content open and close nothing.
func (m *markup) next() bool {
	text, rest, found := strings.Cut(m.rest, "<")
	*m = markup{rest: rest, text: unescape(text)}
	switch {
	case strings.HasPrefix(rest, "!--"):
		_, m.rest, _ = strings.Cut(rest, "-->")
	case strings.HasPrefix(rest, "![CDATA["):
		text, m.rest, _ = strings.Cut(rest[len("![CDATA["):], "]]>")
		m.text += text
	case strings.HasPrefix(rest, "?"), strings.HasPrefix(rest, "!"):
		_, m.rest, _ = strings.Cut(rest, ">")
	default:
		m.tag()
	}
	return found
}

// tag takes the rest up to the end of the tag it begins with.
func (m *markup) tag() {
	end, quote := 0, byte(0)
	for ; end < len(m.rest) && (quote != 0 || m.rest[end] != '>'); end++ {
		switch c := m.rest[end]; {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''): // a value, which may hold a >
			quote = c
		}
	}
	tag := m.rest[:end]
	m.rest = m.rest[min(end+1, len(m.rest)):]
	m.closes = strings.HasPrefix(tag, "/")
	if m.closes || strings.HasSuffix(tag, "/") {
		return
	}
	if n := strings.IndexAny(tag, " \t\r\n"); n >= 0 {
		tag = tag[:n]
	}
	m.name = tag[strings.LastIndexByte(tag, ':')+1:]
}

// content is the text of the element that was opened last, without that of the
// elements in it; false if it does not end.
func (m *markup) content() (string, bool) {
	var text strings.Builder
	for depth := 1; m.next(); {
		if depth == 1 {
			text.WriteString(m.text)
		}
		switch {
		case m.name != "":
			depth++
		case m.closes:
			depth--
		}
		if depth == 0 {
			return strings.TrimSpace(text.String()), true
		}
	}
	return "", false
}

// longestEntity is that of a character by its number.
const longestEntity = len("#x10FFFF;")

// unescape replaces XML's entities, numbers and the no-break space of pages.
// Other names stay: the two thousand of HTML are worth no place in every program.
func unescape(s string) string {
	before, rest, found := strings.Cut(s, "&")
	if !found {
		return s
	}
	var out strings.Builder
	for found {
		out.WriteString(before)
		name, _, ended := strings.Cut(rest[:min(len(rest), longestEntity)], ";")
		if r, known := entity(name); ended && known {
			out.WriteRune(r)
			rest = rest[len(name)+1:]
		} else {
			out.WriteByte('&')
		}
		before, rest, found = strings.Cut(rest, "&")
	}
	out.WriteString(before)
	return out.String()
}

// entity is the character of that name or number.
func entity(name string) (r rune, known bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	case "nbsp":
		return '\u00a0', true
	}
	digits, numbered := strings.CutPrefix(name, "#")
	if !numbered {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	return rune(n), err == nil
}

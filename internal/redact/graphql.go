package redact

import "strings"

// document gives the text of a GraphQL document with everything masked that
// can carry data: strings, numbers, and names given to an argument that smells
// of a secret; comments are dropped. ok is false unless s consists of GraphQL
// tokens only (spec.graphql.org, section 2.1) and reads like an operation: a
// search API has a field "query" too.
func document(s string) (masked string, ok bool) {
	l := &lexer{src: s}
	for l.pos < len(s) {
		if !l.token() {
			return "", false
		}
	}
	return l.out.String(), l.operation && l.braces == 0
}

// lexer copies tokens from src to out.
type lexer struct {
	src       string
	pos       int
	out       strings.Builder
	started   bool   // behind the first word or brace
	operation bool   // a selection set was opened
	name      string // the last name
	argument  bool   // in the value behind "name:"
	variable  bool   // name is a $variable, so its colon precedes a type
	braces    int
	lists     int
}

const blockQuote = `"""`

func (l *lexer) token() bool {
	switch c := l.src[l.pos]; {
	case c == '"':
		return l.literal(l.stringEnd())
	case c == '-' || isDigit(c):
		end := l.run(func(c byte) bool { return isDigit(c) || strings.IndexByte("+-.eE", c) >= 0 })
		if name := strings.ToLower(l.name); l.argument && (fieldAllowed.has(name) || queryAllowed.has(name)) {
			return l.copy(end)
		}
		return l.literal(end)
	case isNameStart(c):
		return l.word()
	case c == '#':
		l.pos = l.run(func(c byte) bool { return c != '\n' && c != '\r' })
		return true
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',':
		return l.space()
	}
	return l.punctuator()
}

// word copies a name. The first one of a document must open an operation.
func (l *lexer) word() bool {
	end := l.run(func(c byte) bool { return isNameStart(c) || isDigit(c) })
	word := l.src[l.pos:end]
	if !l.started && word != "query" && word != "mutation" && word != "subscription" && word != "fragment" {
		return false
	}
	l.started = true
	isKey := strings.HasPrefix(strings.TrimLeft(l.src[end:], " \t\r\n,"), ":")
	variable := l.pos > 0 && l.src[l.pos-1] == '$'
	if l.argument && !l.variable && !variable && !isKey && SecretField(l.name) && word != "true" && word != "false" && word != "null" {
		return l.literal(end)
	}
	l.variable = l.pos > 0 && l.src[l.pos-1] == '$'
	if l.argument && l.lists > 0 && !isKey {
		return l.copy(end) // an enum value; the next one belongs to the same argument
	}
	l.name, l.argument = word, false
	return l.copy(end)
}

func (l *lexer) punctuator() bool {
	switch l.src[l.pos] {
	case '{':
		l.braces++
		l.started, l.operation, l.argument = true, true, false
	case '}':
		l.braces--
		l.argument = false
	case '[':
		l.lists++
	case ']':
		l.lists--
		l.argument = false
	case ')':
		l.argument = false
	case ':':
		l.argument = true
	case '!', '$', '&', '(', '.', '=', '@', '|':
	default:
		return false
	}
	if !l.started || l.braces < 0 || l.lists < 0 {
		return false
	}
	return l.copy(l.pos + 1)
}

// space writes white space and commas as they are, line ends as one blank.
func (l *lexer) space() bool {
	end := l.run(func(c byte) bool { return strings.IndexByte(" \t\r\n,", c) >= 0 })
	text := l.src[l.pos:end]
	if strings.ContainsAny(text, "\r\n\t") || len(text) > 2 {
		text = " "
	}
	l.out.WriteString(text)
	l.pos = end
	return true
}

// stringEnd is the offset behind the string or block string at pos; -1 when it
// does not end.
func (l *lexer) stringEnd() int {
	rest := l.src[l.pos:]
	if strings.HasPrefix(rest, blockQuote) {
		for i := len(blockQuote); i < len(rest); i++ {
			if strings.HasPrefix(rest[i:], `\`+blockQuote) {
				i += len(blockQuote)
			} else if strings.HasPrefix(rest[i:], blockQuote) {
				return l.pos + i + len(blockQuote)
			}
		}
		return -1
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '\n', '\r':
			return -1
		case '"':
			return l.pos + i + 1
		}
	}
	return -1
}

// literal writes Mask for the token up to end.
func (l *lexer) literal(end int) bool {
	if end < 0 || !l.started {
		return false
	}
	l.argument = l.argument && l.lists > 0
	l.out.WriteString(`"` + Mask + `"`)
	l.pos = end
	return true
}

func (l *lexer) copy(end int) bool {
	l.out.WriteString(l.src[l.pos:end])
	l.pos = end
	return true
}

// run is the offset behind the bytes from pos that satisfy ok.
func (l *lexer) run(ok func(byte) bool) int {
	end := l.pos + 1
	for end < len(l.src) && ok(l.src[end]) {
		end++
	}
	return end
}

func isNameStart(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

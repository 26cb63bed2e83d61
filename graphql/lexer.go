package graphql

import (
	"fmt"
	"strings"
)

// A token's kind is its character where that is all there is to it.
const (
	tokenEnd rune = -iota - 1
	tokenName
	tokenString
)

type token struct {
	kind rune
	text string
	line int
}

// lexer splits a document into tokens (GraphQL October 2021, section 2.1). What
// no rule here needs, such as a number, comes as a name or a character.
type lexer struct {
	src  string
	pos  int
	line int
	err  error
}

func (l *lexer) next() token {
	l.skipIgnored()
	if l.err != nil || l.pos >= len(l.src) {
		return token{kind: tokenEnd, line: l.line}
	}
	start, line := l.pos, l.line
	switch c := l.src[l.pos]; {
	case c == '"':
		l.skipString()
		return token{kind: tokenString, text: `"`, line: line}
	case nameByte(c):
		for l.pos < len(l.src) && nameByte(l.src[l.pos]) {
			l.pos++
		}
		return token{kind: tokenName, text: l.src[start:l.pos], line: line}
	default:
		l.pos++
		return token{kind: rune(c), text: l.src[start:l.pos], line: line}
	}
}

func nameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

const byteOrderMark = "\ufeff"

// skipIgnored passes white space, commas, comments and byte order marks.
func (l *lexer) skipIgnored() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\n':
			l.line++
			l.pos++
		case c == ' ', c == '\t', c == '\r', c == ',':
			l.pos++
		case c == '#':
			if end := strings.IndexAny(l.src[l.pos:], "\r\n"); end >= 0 {
				l.pos += end
			} else {
				l.pos = len(l.src)
			}
		case strings.HasPrefix(l.src[l.pos:], byteOrderMark):
			l.pos += len(byteOrderMark)
		default:
			return
		}
	}
}

// skipString passes a string or block string.
func (l *lexer) skipString() {
	line := l.line
	block := strings.HasPrefix(l.src[l.pos:], `"""`)
	l.pos++
	if block {
		l.pos += 2
	}
	for ; l.pos < len(l.src); l.pos++ {
		rest := l.src[l.pos:]
		switch {
		case block && strings.HasPrefix(rest, `\"""`):
			l.pos += 3
		case block && strings.HasPrefix(rest, `"""`):
			l.pos += 3
			return
		case rest[0] == '\n' && block:
			l.line++
		case rest[0] == '\n', rest[0] == '\r' && !block:
			l.fail(line, "a string is not closed")
			return
		case rest[0] == '\\' && !block:
			l.pos++
		case rest[0] == '"' && !block:
			l.pos++
			return
		}
	}
	l.fail(line, "a string is not closed")
}

// fail keeps the first error and ends the document. It quotes nothing: a
// document may hold values.
func (l *lexer) fail(line int, what string) {
	if l.err == nil {
		l.err = fmt.Errorf("graphql: document, line %d: %s", line, what)
	}
	l.pos = len(l.src)
}

package aplombtest

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// graphqlToken is a piece of a document: a punctuator or name as written, or a
// literal. The zero token is the end.
type graphqlToken struct {
	kind  byte   // 'p'unctuator, 'n'ame, 's'tring, 'i'nt, 'f'loat, 0 at the end
	text  string // a string is decoded
	where graphqlLocation
}

// graphqlLexer cuts a document into tokens
// (https://spec.graphql.org/October2021/#sec-Language.Source-Text).
type graphqlLexer struct {
	text         string
	at           int
	line, column int
}

// skip moves n bytes on and keeps count of lines and columns.
func (l *graphqlLexer) skip(n int) {
	for _, r := range l.text[l.at : l.at+n] {
		if r == '\n' {
			l.line, l.column = l.line+1, 1
		} else {
			l.column++
		}
	}
	l.at += n
}

// ignore skips white space, commas, comments and a byte order mark.
func (l *graphqlLexer) ignore() {
	for l.at < len(l.text) {
		switch rest := l.text[l.at:]; {
		case strings.ContainsRune(" \t\r\n,", rune(rest[0])):
			l.skip(1)
		case rest[0] == '#':
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				l.skip(end)
			} else {
				l.skip(len(rest))
			}
		case strings.HasPrefix(rest, "\uFEFF"):
			l.skip(len("\uFEFF"))
		default:
			return
		}
	}
}

// next returns the next token; false is for a text that is none.
func (l *graphqlLexer) next() (graphqlToken, bool) {
	l.ignore()
	token := graphqlToken{where: graphqlLocation{l.line, l.column}}
	rest := l.text[l.at:]
	switch {
	case rest == "":
		return token, true
	case strings.HasPrefix(rest, "..."):
		token.kind, token.text = 'p', "..."
	case strings.IndexByte("!$&():=@[]{|}", rest[0]) >= 0:
		token.kind, token.text = 'p', rest[:1]
	case isNameByte(rest[0]) && !isDigit(rest[0]):
		token.kind, token.text = 'n', rest[:span(rest, isNameByte)]
	case isDigit(rest[0]) || rest[0] == '-':
		token.text = rest[:span(rest, func(c byte) bool { return isDigit(c) || strings.IndexByte("+-.eE", c) >= 0 })]
		if token.kind = 'i'; strings.ContainsAny(token.text, ".eE") {
			token.kind = 'f'
		}
	case rest[0] == '"':
		return l.literal(token, rest)
	default:
		_, size := utf8.DecodeRuneInString(rest)
		token.text = rest[:size]
		return token, false
	}
	l.skip(len(token.text))
	return token, true
}

// literal reads a string, or a block string, whose indentation it keeps.
func (l *graphqlLexer) literal(token graphqlToken, rest string) (graphqlToken, bool) {
	token.kind = 's'
	if block, ok := strings.CutPrefix(rest, `"""`); ok {
		text, _, closed := strings.Cut(block, `"""`)
		token.text = strings.TrimSpace(text)
		if closed {
			l.skip(len(text) + 6)
		}
		return token, closed
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return token, false
	}
	token.text, err = strconv.Unquote(strings.ReplaceAll(quoted, `\/`, `/`)) // the one escape Go does not know
	l.skip(len(quoted))
	return token, err == nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// span returns how many bytes at the start of s are in a set.
func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

package redact

import "strings"

// pair finds the name and the separator of name=value in one notation. The
// value is read by hand: an expression that took it along would not look inside
// a harmless one, as in note="password=x".
type pair struct {
	hints  []string
	find   *expression
	stops  string // bytes that end a bare value
	hidden func(name, value string) bool
}

var pairs = []pair{
	// name=value, name => value: forms, logs, connection strings.
	{
		hints: []string{"="}, find: lazy(`([\w.\-\[\]]+)\\*["']?\s*=>?\s*`), stops: "&",
		hidden: func(name, _ string) bool { return SecretField(name) },
	},
	// "name": value: JSON, also inside a JSON string, where quotes are escaped.
	{
		hints: []string{`":`, `" :`, `':`, `' :`}, find: lazy(`([\w.\-\[\]]+)\\*["']\s*:\s*`), stops: ",}]",
		hidden: func(name, _ string) bool { return SecretField(name) },
	},
	// name: value: header dumps and Go structs, but also plain prose, so only
	// for names that can hardly mean anything else.
	{
		hints: []string{
			"password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "signature", "credential",
			"session", "cvc", "cvv", "iban", "ssn",
			"api key", "api_key", "api-key", "apikey", "access key", "access_key", "access-key", "accesskey",
			"private key", "private_key", "private-key", "privatekey", "signing key", "signing_key", "signing-key", "signingkey",
		},
		find: lazy(`(?i)([\w.-]*(?:passw(?:or)?d|passphrase|passcode|pwd|secret|token|(?:api|access|private|signing)[ _-]?key` +
			`|signature|credential|session|cvc|cvv|iban|ssn)[\w.-]*)\s*:\s*`),
		hidden: func(name, value string) bool { return !harmlessWord(firstWord(value)) && !isPort(name, value) },
	},
}

// pairValues adds the values of pairs whose name smells of a secret.
func pairValues(spans []Span, s, lower string) []Span {
	for i := range pairs {
		p := &pairs[i]
		if !containsAny(lower, p.hints) {
			continue
		}
		done := 0 // names inside a hidden value are hidden with it
		for _, m := range p.find.regexp().FindAllStringSubmatchIndex(s, -1) {
			from := m[1]
			if from < done || from == len(s) || !p.hidden(s[m[2]:m[3]], s[from:]) {
				continue
			}
			done = from + valueLen(s[from:], p.stops)
			if done > from {
				spans = append(spans, Span{from, done})
			}
		}
	}
	return spans
}

// valueLen is the length of the value s starts with. Without its closing mark,
// as in a text that was cut, it goes to the end.
func valueLen(s, stops string) int {
	escapes := 0
	for escapes < len(s) && s[escapes] == '\\' {
		escapes++
	}
	if escapes < len(s) {
		switch c := s[escapes]; {
		case c == '"' || c == '\'':
			return quotedLen(s, escapes)
		case escapes == 0 && (c == '{' || c == '['):
			return nestedLen(s)
		}
	}
	if n := strings.IndexAny(s, stops+" \t\r\n\"'"); n >= 0 {
		return n
	}
	return len(s)
}

// quotedLen reads up to the same quote with at most as many backslashes before
// it: those inside the value have more.
func quotedLen(s string, escapes int) int {
	slashes := 0
	for i := escapes + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			slashes++
			continue
		case s[escapes]:
			if slashes <= escapes {
				return i + 1
			}
		}
		slashes = 0
	}
	return len(s)
}

// nestedLen reads an object or list up to its closing mark.
func nestedLen(s string) int {
	depth := 0
	for i, c := range []byte(s) {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// firstWord is the text before the first space, at most a dozen bytes more
// than any harmless word has.
func firstWord(s string) string {
	s = s[:min(len(s), 32)]
	if n := strings.IndexAny(s, " \t\r\n"); n >= 0 {
		s = s[:n]
	}
	return s
}

// isPort tells host:port from name: value where the host is called
// "tokens.internal".
func isPort(name, value string) bool {
	digits := 0
	for digits < len(value) && isDigit(value[digits]) {
		digits++
	}
	return strings.Contains(name, ".") && digits > 0 && digits <= 5 &&
		(digits == len(value) || value[digits] == '/' || value[digits] == ':')
}

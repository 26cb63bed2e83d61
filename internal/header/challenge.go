package header

import (
	"net/http"
	"strings"
)

// Challenge is one way in that a 401 offers: a scheme and its parameters (RFC
// 9110, section 11.3).
type Challenge struct {
	// Scheme as it was written: compare it without regard to case.
	Scheme string
	// Params by lower-cased name, unquoted. A token in their place, such as
	// Negotiate's, is under "".
	Params map[string]string
}

// Challenges reads the WWW-Authenticate fields. One field may hold several
// challenges, apart by commas as their parameters are. Of a parameter that
// stands twice the first counts.
func Challenges(h http.Header) []Challenge {
	var all []Challenge
	for _, line := range h.Values("WWW-Authenticate") {
		for part := range split(line, ',', false) {
			name, value, isParam := challengeParam(part)
			if !isParam {
				scheme, rest, _ := strings.Cut(part, " ")
				if scheme == "" || strings.ContainsFunc(scheme, notToken) {
					continue
				}
				all = append(all, Challenge{scheme, map[string]string{}})
				rest = strings.TrimSpace(rest)
				if name, value, isParam = challengeParam(rest); !isParam {
					name, value = "", rest
				}
			}
			if len(all) == 0 || name == "" && value == "" {
				continue
			}
			if params := all[len(all)-1].Params; params[name] == "" {
				params[name] = value
			}
		}
	}
	return all
}

// challengeParam reads name=value; a token padded with = is none.
func challengeParam(s string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(s, "=")
	name, value = strings.TrimRight(name, " \t"), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsFunc(name, notToken) || strings.Trim(value, "=") == "" {
		return "", "", false
	}
	return strings.ToLower(name), unquote(value), true
}

// notToken reports a character that is none of a token's (RFC 9110, section
// 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

package redact

import (
	"slices"
	"strings"
)

// Span is a stretch of a text, as byte offsets.
type Span struct{ From, To int }

// Find says where in s something looks like a secret, in order and without
// overlaps: all that [Text] hides, but for the query values of URLs, of which
// only those with a name that smells are found. It is for texts that must go on
// working when the secrets in them are replaced.
func Find(s string) []Span {
	lower := strings.ToLower(s)
	return inOrder(cards(pairValues(matches(nil, s, lower, false), s, lower), s))
}

// FindKinds is Find for what looks like a secret of some kind: all but values that
// are none but for the name before them. It costs a tenth.
func FindKinds(s string) []Span {
	return inOrder(cards(matches(nil, s, strings.ToLower(s), false), s))
}

// inOrder sorts spans, and makes one of those that overlap.
func inOrder(spans []span) []Span {
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var found []Span
	for _, sp := range spans {
		switch n := len(found); {
		case sp.from == sp.to:
		case n > 0 && sp.from < found[n-1].To:
			found[n-1].To = max(found[n-1].To, sp.to)
		default:
			found = append(found, Span{sp.from, sp.to})
		}
	}
	return found
}

// Forms lists the ways in which a secret may be written: as it is, as URLs, JSON
// and Go write it, in base64, alone or within something longer, and in hex. One
// of fewer than four bytes has none: it would be found everywhere.
func Forms(secret string) []string { return variants([]string{secret}) }

// Harmless reports whether the name is that of a body field that [Body] shows:
// "token_type" and "expires_in" smell, and are no secrets.
func Harmless(name string) bool { return fieldAllowed.has(strings.ToLower(name)) }

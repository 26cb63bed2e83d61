package redact

import (
	"slices"
	"strings"
)

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
func inOrder(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.From - b.From })
	var found []Span
	for _, sp := range spans {
		switch n := len(found); {
		case sp.From == sp.To:
		case n > 0 && sp.From < found[n-1].To:
			found[n-1].To = max(found[n-1].To, sp.To)
		default:
			found = append(found, sp)
		}
	}
	return found
}

package redact

import (
	"sort"
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

// byStart sorts spans with code that every program has for another reason; a sort
// of their own would be 8 KB.
type byStart []Span

func (s byStart) Len() int           { return len(s) }
func (s byStart) Less(i, j int) bool { return s[i].From < s[j].From }
func (s byStart) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// inOrder sorts spans, and makes one of those that overlap.
func inOrder(spans []Span) []Span {
	sort.Sort(byStart(spans))
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

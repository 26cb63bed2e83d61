package redact

import "slices"

// Lengths of card numbers (ISO/IEC 7812-1).
const minCard, maxCard = 13, 19

// digitRun is a stretch of digits without a separator.
type digitRun struct{ from, to int }

// cards adds the card numbers in s: 13 to 19 digits, possibly in groups joined
// by single spaces or dashes, that satisfy the Luhn check. Every combination
// of neighbouring groups is tried, so that a number before the card ("order 12
// 4242 4242 4242 4242") does not hide it.
func cards(spans []Span, s string) []Span {
	var groups []digitRun
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i++
			continue
		}
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if n := len(groups); n > 0 && !joins(s, groups[n-1].to, from) {
			groups = groups[:0]
		}
		groups = append(groups, digitRun{from, i})
		spans = cardEndingHere(spans, s, groups)
	}
	return spans
}

// joins tells whether one space or dash stands between two groups.
func joins(s string, from, to int) bool {
	return to-from == 1 && (s[from] == ' ' || s[from] == '-')
}

// cardEndingHere tries the groups from the last one backwards.
func cardEndingHere(spans []Span, s string, groups []digitRun) []Span {
	to, n := groups[len(groups)-1].to, 0
	for _, g := range slices.Backward(groups) {
		n += g.to - g.from
		if n > maxCard {
			break
		}
		if n >= minCard && luhn(s[g.from:to], n) {
			spans = append(spans, Span{g.from, to})
		}
	}
	return spans
}

// luhn checks n digits (ISO/IEC 7812-1, annex B). Numbers in 1 other than the
// 15 digits of UATP are unix times in milliseconds or less, not cards; all
// zeros is not one either.
func luhn(s string, n int) bool {
	if s[0] == '1' && n != 15 {
		return false
	}
	sum, double, zeros := 0, false, true
	for i := len(s) - 1; i >= 0; i-- {
		if !isDigit(s[i]) {
			continue
		}
		d := int(s[i] - '0')
		zeros = zeros && d == 0
		if double {
			d *= 2
		}
		sum += d/10 + d%10
		double = !double
	}
	return sum%10 == 0 && !zeros
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

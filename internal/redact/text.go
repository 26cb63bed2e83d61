package redact

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	ellipsis = "…"
	// window is how much text beyond a multiple of the cap is looked at; the
	// rest of a huge body could not be shown anyway.
	window = 8 << 10
	// margin is how far Text looks behind the last character it may show, so
	// that a secret across that edge is seen whole.
	margin = 4 << 10
)

// Text scrubs free text such as a server's error message.
//
// Hidden wherever they stand: the given secrets, raw or in any usual encoding
// (those under four bytes are ignored); tokens that name their issuer (Stripe,
// GitHub, Slack, AWS, Google, ...), JWTs, PEM blocks, the credential behind
// Bearer and Basic, pairs like password=x, "client_secret":"x" and
// api_key: x, the userinfo and the query values of URLs, and card numbers.
// Control and other invisible characters are escaped, so the result is one
// line. It has at most limit runes, the last one "…" if more was there; 0 means no cap.
func Text(s string, limit int, secrets ...string) string {
	hidden := variants(secrets)
	out := truncate(escape(scrub(s, limit, hidden)), limit)
	// Escaping, masking and cutting join characters that stood apart. Should
	// that ever spell a secret, say nothing at all.
	for _, v := range hidden {
		if strings.Contains(out, v) && !strings.Contains(Mask, v) {
			return truncate(Mask, limit)
		}
	}
	return out
}

// Span is a stretch of a text, as byte offsets.
type Span struct{ From, To int }

// scrub masks everything in s that looks like a secret or is one of hidden.
// Spans are found on the original text and merged, so that no rule can hide
// from another what it needs to see.
func scrub(s string, limit int, hidden []string) string {
	end := len(s)
	if far := 8*limit + window; limit > 0 && limit < 1<<20 && end > far {
		ahead := margin
		for _, v := range hidden {
			ahead = max(ahead, len(v))
		}
		end, s = far, s[:min(far+ahead, len(s))]
	}
	lower := strings.ToLower(s)
	spans := occurrences(nil, s, hidden)
	spans = matches(spans, s, lower, true)
	spans = pairValues(spans, s, lower)
	spans = cards(spans, s)
	switch {
	case end < len(s):
		return mask(s, spans, end) + ellipsis
	case len(spans) == 0:
		return s
	}
	return mask(s, spans, end)
}

// mask gives s up to end with Mask in place of the spans; spans that touch or
// overlap become one.
func mask(s string, spans []Span, end int) string {
	sort.Sort(byStart(spans))
	var b strings.Builder
	pos := 0 // everything before pos is written or hidden
	for i, sp := range spans {
		if sp.From >= end {
			break
		}
		if i == 0 || sp.From > pos {
			b.WriteString(s[pos:sp.From])
			b.WriteString(Mask)
		}
		pos = max(pos, sp.To)
	}
	if pos < end {
		b.WriteString(s[pos:end])
	}
	return b.String()
}

// escape writes what cannot be seen as Go would in a quoted string: control
// and format characters (a log line could be forged or turned around with
// them) and bytes that are not UTF-8.
func escape(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, invisible) {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case invisible(r):
			q := strconv.QuoteRune(r)
			b = append(b, q[1:len(q)-1]...)
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return string(b)
}

func invisible(r rune) bool { return !unicode.IsPrint(r) }

// truncate caps s at limit runes, the last one being the ellipsis.
func truncate(s string, limit int) string {
	if limit <= 0 || len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit-1 {
			return s[:i] + ellipsis
		}
		n++
	}
	return s
}

// truncateBytes caps s at limit bytes without cutting a character in two.
func truncateBytes(s string, limit int) string {
	if limit <= 0 || len(s) <= limit {
		return s
	}
	cut := limit - len(ellipsis)
	if cut < 0 {
		return ""
	}
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ellipsis
}

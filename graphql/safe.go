package graphql

import (
	"fmt"
	"io"
	"strconv"

	"github.com/aplomb-go/aplomb"
)

// safe makes words of the caller's document fit for a line of ours. There is no
// request yet; a server's words go through the Redact of what answered it.
func safe(words string) string { return cut(aplomb.Response{}.Redact(words)) }

// scrub makes words of the server, or of an error, fit for a line of ours.
func (t *trip) scrub(words string) string {
	if t.redact != nil {
		return cut(t.redact(words))
	}
	return cut(t.response.Redact(words))
}

// remember is redact with a memory and an end. Each redaction goes through the
// whole request; an answer may hold a hundred thousand errors, most of which say
// the same.
func remember(redact func(string) string) func(string) string {
	const most = 512
	known := map[string]string{"": ""}
	return func(words string) string {
		shown, ok := known[words]
		if !ok && len(known) == most {
			return "[redacted]"
		}
		if !ok {
			shown = redact(words)
			known[words] = shown
		}
		return shown
	}
}

// cut shortens words to 200 characters, as the root does.
func cut(words string) string {
	if head := fmt.Sprintf("%.199s", words); len(head) < len(words) {
		return head + "…"
	}
	return words
}

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

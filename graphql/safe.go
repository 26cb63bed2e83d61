package graphql

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// safe makes a server's words fit for a line of ours, by the rules of the root's
// own errors: one line, cut at 200 characters, without what looks like a secret.
func safe(words string) string {
	line := (&aplomb.APIError{Message: words}).Error() // ... "words" (not sent, 0s); quotes inside are made '
	from, to := strings.IndexByte(line, '"'), strings.LastIndexByte(line, '"')
	if from < 0 || from == to {
		return ""
	}
	return line[from+1 : to]
}

// harmless are the headers whose values an answer may repeat.
var harmless = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Content-Type": true, "Content-Length": true, "User-Agent": true,
}

// scrub takes out of a server's words what the request authenticated with.
func (t *trip) scrub(words string) string {
	if t.sent == nil || words == "" {
		return words
	}
	for _, secret := range credentials(t.sent) {
		words = strings.ReplaceAll(words, secret, "[redacted]")
	}
	return words
}

// credentials are the values of a request that might be secret, long enough to
// be recognised.
func credentials(r *http.Request) []string {
	var all []string
	keep := func(value string) {
		if len(value) >= 8 {
			all = append(all, value)
		}
	}
	for name, values := range r.Header {
		if harmless[name] {
			continue
		}
		for _, v := range values {
			keep(v)
			if _, rest, ok := strings.Cut(v, " "); ok { // Bearer x
				keep(rest)
			}
		}
	}
	if _, password, ok := r.BasicAuth(); ok {
		keep(password)
	}
	if r.URL != nil {
		for _, values := range r.URL.Query() {
			for _, v := range values {
				keep(v)
			}
		}
	}
	return all
}

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		line = strconv.Quote(line)
	}
	_, _ = io.WriteString(f, line)
}

package aplomb

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// Curl is a shell command that repeats a finished attempt. Where it had a secret stands
// a variable named after its header or parameter, such as $APLOMB_AUTHORIZATION, and
// for a body the file "body". It is "" before the attempt is done.
func (e AttemptEvent) Curl() string {
	if e.attempt == nil || !e.done {
		return ""
	}
	r := e.attempt.sent()
	words, address := []string{"curl"}, e.URL()
	if strings.ContainsAny(strings.ReplaceAll(address, redact.Mask, ""), "[]{}") {
		words = append(words, "--globoff") // they are the server's, and no pattern
	}
	body := hasBody(r)
	switch method := methodOf(r); {
	case method == http.MethodHead:
		words = append(words, "--head")
	case method != http.MethodGet || body:
		words = append(words, "-X", new(shellWord).text(method).String())
	}
	words = append(words, shellURL(address))
	if r.Host != "" && r.Host != r.URL.Host {
		words = append(words, "-H", new(shellWord).text("Host: "+r.Host).String())
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if ownOfCurl(name) {
			continue
		}
		for _, value := range r.Header[name] {
			shown := without(redact.Header(name, value), secretsOf(e.attempt))
			words = append(words, "-H", new(shellWord).text(name+": ").value(name, shown).String())
		}
	}
	if body {
		words = append(words, "--data-binary", "@body")
	}
	return strings.Join(words, " ")
}

// ownOfCurl are headers that curl writes itself, or that are of this attempt only.
func ownOfCurl(name string) bool {
	switch name {
	case "Accept-Encoding", "Content-Length", "Connection", "Traceparent", "Tracestate", "User-Agent":
		return true
	}
	return false
}

// shellURL has variables for the parameters that are masked.
func shellURL(address string) string {
	before, query, found := strings.Cut(address, "?")
	w := new(shellWord).text(before)
	if !found {
		return w.String()
	}
	separator := "?"
	for pair := range strings.SplitSeq(query, "&") {
		name, value, valued := strings.Cut(pair, "=")
		w.text(separator).text(name)
		separator = "&"
		if valued {
			w.text("=").value(name, value)
		}
	}
	return w.String()
}

// shellWord is one word of a POSIX shell's, of texts and variables.
type shellWord struct{ done, quoted string }

func (w *shellWord) text(s string) *shellWord {
	w.quoted += strings.ReplaceAll(s, "'", `'\''`)
	return w
}

// value adds one of that name, or the variable that stands for it where it is masked.
func (w *shellWord) value(name, shown string) *shellWord {
	if !strings.Contains(shown, redact.Mask) {
		return w.text(shown)
	}
	if scheme, rest, found := strings.Cut(shown, " "); found && rest == redact.Mask { // Bearer and the like
		w.text(scheme + " ")
	}
	w.done, w.quoted = w.String()+`"$`+variable(name)+`"`, ""
	return w
}

func (w *shellWord) String() string {
	if w.quoted == "" && w.done != "" {
		return w.done
	}
	return w.done + "'" + w.quoted + "'"
}

// variable is a name as a variable of the shell, and of nobody else: a server that
// redirects says how its parameters are called.
func variable(name string) string {
	upper := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
	return "APLOMB_" + upper
}

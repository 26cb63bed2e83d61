package inbox_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	good := event("a")
	assert.NoError(t, good.Check())
	for want, change := range map[string]func(*inbox.Event){
		"no Source or no Key":                        func(e *inbox.Event) { e.Key = "" },
		"no Source":                                  func(e *inbox.Event) { e.Source = "" },
		"event's Key is not UTF-8":                   func(e *inbox.Event) { e.Key = "\xff" },
		"Type is not UTF-8, holds a NUL":             func(e *inbox.Event) { e.Type = "a\x00" },
		"Order is not UTF-8, holds a NUL or is long": func(e *inbox.Event) { e.Order = strings.Repeat("x", inbox.MaxKey+1) },
		"body has 67108865 bytes":                    func(e *inbox.Event) { e.Body = make([]byte, inbox.MaxBody+1) },
	} {
		e := event("a")
		change(&e)
		assert.Contains(t, fmt.Sprint(e.Check()), want)
	}
}

// TestNothingOfABodyIsPrinted: law 5. An event's body and headers hold what is
// nobody's business.
func TestNothingOfABodyIsPrinted(t *testing.T) {
	t.Parallel()
	e := event("a")
	e.Body, e.Header = []byte("secret"), http.Header{"Secret": {"secret"}}
	r := inbox.Record{Event: e, Seq: 7, State: inbox.StateDead, Attempts: 3}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("got", "event", e, "record", r, "pointer", &r)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb+verb, e, r, &e, &r)
		fmt.Fprintf(&log, verb, struct{ R inbox.Record }{r})
	}
	assert.NotContains(t, strings.ToLower(log.String()), "secret")
	assert.NotContains(t, log.String(), fmt.Sprintf("%x", "secret"))
	assert.NotContains(t, log.String(), fmt.Sprint([]byte("secret")))
	assert.Contains(t, log.String(), `7 dead after 3 attempts: acme order.paid \"a\" via webhook`)
}

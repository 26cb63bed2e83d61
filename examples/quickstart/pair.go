package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// pair is a slog.Handler that lays one of aplomb's debug lines out as request
// and response, for people. What varies from run to run is left out.
type pair struct{ out *transcript }

func (p pair) Enabled(context.Context, slog.Level) bool { return true }
func (p pair) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p pair) WithGroup(string) slog.Handler            { return p }

// Handle prints the attempt in r. All of its values come redacted.
func (p pair) Handle(_ context.Context, r slog.Record) error {
	a := map[string]slog.Value{}
	r.Attrs(func(attr slog.Attr) bool { a[attr.Key] = attr.Value; return true })
	if _, sent := a["request_header"]; !sent {
		return nil // a wait, or a circuit's
	}
	var b strings.Builder
	fmt.Fprintf(&b, "   → %v\n", a["operation"])
	headers(&b, a["request_header"])
	fmt.Fprintf(&b, "     %v\n", a["request_body"])
	fmt.Fprintf(&b, "   ← %v %v\n", a["status"], a["outcome"])
	headers(&b, a["response_header"])
	fmt.Fprintf(&b, "     %s\n", excerpt(a["response_body"].String(), "id", "amount", "client_secret", "status"))
	_, err := p.out.Write([]byte(b.String()))
	return err
}

func headers(b *strings.Builder, group slog.Value) {
	for _, h := range group.Group() {
		if h.Key != "Date" {
			fmt.Fprintf(b, "     %s: %v\n", h.Key, h.Value)
		}
	}
}

// excerpt is the part of a JSON object that has the given names.
func excerpt(body string, names ...string) string {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		return body
	}
	var fields []string
	for _, name := range names {
		fields = append(fields, fmt.Sprintf("%q:%s", name, all[name]))
	}
	return "{" + strings.Join(fields, ",") + ",…}"
}

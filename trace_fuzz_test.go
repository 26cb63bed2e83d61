package aplomb

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var traceparentForm = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$`)

// FuzzTraceparent: whatever was sent to us, what we send on is a traceparent, and the
// trace goes on exactly where it was a valid one.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more", "",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
	} {
		f.Add(seed, "a=1")
	}
	f.Fuzz(func(t *testing.T, parent, state string) {
		trace := parseTrace(http.Header{"Traceparent": {parent}, "Tracestate": {state}})
		got := trace.parent()
		if !traceparentForm.MatchString(got) {
			t.Fatalf("%q became %q", parent, got)
		}
		valid := regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[\s\S]*)?)$`).MatchString(parent) &&
			!strings.HasPrefix(parent, "ff") && parent[3:35] != strings.Repeat("0", 32) && parent[36:52] != strings.Repeat("0", 16) &&
			(len(parent) == 55 || parent[:2] != "00")
		if valid != strings.Contains(parent, trace.id) {
			t.Fatalf("%q goes on with %q, valid %t", parent, trace.id, valid)
		}
		if trace.state != "" && (!valid || trace.state != state || len(state) > maxTraceState || strings.ContainsFunc(state, notPrintable)) {
			t.Fatalf("tracestate %q became %q", state, trace.state)
		}
	})
}

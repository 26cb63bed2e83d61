package aplomb

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// Traceparent continues a distributed trace (W3C Trace Context): each attempt is
// sent with a traceparent of its own, and the tracestate as it came. incoming is the
// header of the request that is being answered:
//
//	ctx = aplomb.NewContext(ctx, aplomb.Traceparent(r.Header))
//
// Where it has no valid traceparent, or is nil, a trace begins, with the flag
// "sampled". Both headers go to the origin that the call is for and to no other that
// it is redirected to; a traceparent that a request has already stays. Package otel
// does this and records the spans.
func Traceparent(incoming http.Header) CallOption {
	t := parseTrace(incoming)
	return callOption(func(s *settings) error { s.trace = t.onto; return nil })
}

// trace is a place in a trace.
type trace struct {
	id    string // 32 lower-case hexadecimal digits
	flags byte
	state string
}

const (
	sampledFlag   = 1
	randomFlag    = 2   // of Level 2: the id is random
	maxTraceState = 512 // what a system has to pass on, and enough
)

// parseTrace reads what a caller has sent (sections 3.2 and 3.3); a version that is
// to come is read as this one.
func parseTrace(h http.Header) trace {
	parent := h.Get("Traceparent")
	fields := strings.SplitN(parent, "-", 5)
	if len(h["Traceparent"]) != 1 || len(fields) < 4 || fields[0] == "ff" || fields[0] == "00" && len(fields) > 4 ||
		!isHex(fields[0], 2) || !isHex(fields[1], 32) || !isHex(fields[2], 16) || !isHex(fields[3], 2) || isZero(fields[1]) || isZero(fields[2]) {
		return trace{id: fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()|1), flags: sampledFlag | randomFlag}
	}
	flags, _ := hex.DecodeString(fields[3])
	t := trace{id: fields[1], flags: flags[0] & (sampledFlag | randomFlag)}
	if state := strings.Join(h["Tracestate"], ","); len(state) <= maxTraceState && !strings.ContainsFunc(state, notPrintable) {
		t.state = state
	}
	return t
}

func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }
func isZero(s string) bool       { return strings.Trim(s, "0") == "" }
func notPrintable(r rune) bool   { return r < ' ' || r > '~' }

// parent is the traceparent of one attempt.
func (t *trace) parent() string {
	return fmt.Sprintf("00-%s-%016x-%02x", t.id, rand.Uint64()|1, t.flags)
}

// onto is r, a request of c, with an attempt's place in the trace.
func (t *trace) onto(r *http.Request, c *call) *http.Request {
	if len(r.Header["Traceparent"]) > 0 || c.foreign(r) {
		return r
	}
	own := inContext(r.Context(), r)
	own.Header = cloned(r.Header)
	own.Header.Set("Traceparent", t.parent())
	if t.state != "" {
		own.Header.Set("Tracestate", t.state)
	}
	return own
}

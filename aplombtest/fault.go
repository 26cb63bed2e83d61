package aplombtest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// maxFaultBody bounds what a fault keeps of a request's body, and is far above
// what tests send.
const maxFaultBody = 16 << 20

// Fault is one way for a request to go wrong. The zero value is [Pass]. A
// [Script] serves them, an [Outage] too. In the order of what a request lives
// through, they are:
//
//	before it is read      StallUpload, GoAwayUnprocessed, RefusedStream
//	before it is handled   Stall, Reset, Status, Throttle, Answer, Raw, HeaderFlood
//	it has taken effect    LostResponse, LateResponse
//	within the headers     StallHeader
//	within the body        StallBody, Drip, TruncatedBody, ResetBody, WrongLength, GarbageChunk
//	after a good answer    GoAway
//	all the while          Skew
//	now this, now that     Random
//
// Faults work wherever a handler runs: on a [Server], on
// [net/http/httptest.Server], on TCP and TLS; in front of a fake, of a
// recording that is a handler, or of a live API, for which
// [net/http/httputil.ReverseProxy] is the handler.
//
// On HTTP/1 a fault that drops the connection closes it (FIN), unless it says
// that it resets it. Over HTTP/2 the connection is shared, and what is dropped is
// the stream (RST_STREAM INTERNAL_ERROR); only on a [Server] do the faults that
// reset end the whole connection there. Each one says where else HTTP/2 differs.
//
// When a fault drops a connection that was used before, [http.Transport] itself
// sends a GET, or a request with an Idempotency-Key and a replayable body, once
// more; on a new connection it does not. Count with [Script.Requests].
type Fault struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// String returns the fault's name and settings, such as "Stall(30s)".
func (f Fault) String() string {
	if f.serve == nil {
		return "Pass"
	}
	return f.name
}

// handle serves r with this fault in front of next.
func (f Fault) handle(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.serve == nil {
		next.ServeHTTP(w, r)
		return
	}
	f.serve(w, r, next)
}

// Pass is no fault: the handler answers. It fills a place in a [Script].
func Pass() Fault { return Fault{} }

// LostResponse lets the handler run, with all its effects, then drops the
// connection without a byte of the answer: the client gets an EOF and cannot
// know that it was served. It is the fault idempotency keys exist for.
func LostResponse() Fault {
	return Fault{"LostResponse", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		holdAnswer(next, r)
		readBody(r)
		drop(w)
	}}
}

// Reset reads the request, then resets the connection (TCP RST) before the
// handler runs: the client's read fails with [syscall.ECONNRESET].
func Reset() Fault {
	return Fault{"Reset", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		readBody(r)
		reset(w, r)
	}}
}

// Status answers code with the headers given as key, value, key, value and a
// small JSON body; the handler does not run. The body is
//
//	{"error":{"code":"429","message":"Too Many Requests"}}
//
// A key without a value is sent empty. To answer with another body use
// [Answer]. A storm is this fault again and again: see [Script.Times],
// [Script.For], [Script.Always] and, for a share of the requests, [Random]. Its
// Retry-After may be anything, a date within the bubble's time among it:
//
//	until := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
//	script.For(time.Minute, aplombtest.Status(503, "Retry-After", until))
func Status(code int, headerKV ...string) Fault {
	return Fault{fmt.Sprintf("Status(%d)", code), func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		readBody(r)
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headerKV); i += 2 {
			value := ""
			if i+1 < len(headerKV) {
				value = headerKV[i+1]
			}
			w.Header().Set(headerKV[i], value)
		}
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error": map[string]any{"code": strconv.Itoa(code), "message": http.StatusText(code)},
		})
	}}
}

// Answer has another handler answer in the place of the one behind the script.
func Answer(h func(http.ResponseWriter, *http.Request)) Fault {
	return Fault{"Answer", func(w http.ResponseWriter, r *http.Request, _ http.Handler) { h(w, r) }}
}

// readBody reads the body of r and returns a copy of r that has it to read
// again. Unread bytes would turn the close of a TCP connection into a reset.
func readBody(r *http.Request) *http.Request {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxFaultBody))
	again := r.WithContext(r.Context())
	again.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}, r.Body))
	return again
}

// failing is a Reader of no bytes: it fails with err, or ends if that is nil.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// drop closes the connection without a further byte.
func drop(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
		return
	}
	panic(http.ErrAbortHandler) // HTTP/2: net/http resets the stream
}

// reset resets the connection: with SO_LINGER at zero a TCP socket sends RST
// instead of FIN (Linux, socket(7)).
func reset(w http.ResponseWriter, r *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if link := linkOf(r); link != nil {
			c = link.Conn
		}
	}
	switch below := belowTLS(c).(type) { // TLS itself would send a close_notify first
	case interface{ Reset() }:
		below.Reset()
	case interface{ SetLinger(int) error }:
		_ = below.SetLinger(0)
		_ = belowTLS(c).Close()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = c.Close()
}

// belowTLS is the connection that carries c.
func belowTLS(c net.Conn) net.Conn {
	if secure, ok := c.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return c
}

package aplombtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxFaultBody bounds what a fault keeps of a request's body, and is far above
// what tests send.
const maxFaultBody = 16 << 20

// Fault is one way for a request to go wrong. The constructors are [Pass],
// [LostResponse], [Reset], [Stall], [StallBody], [Status], [Answer] and
// [TruncatedBody]; the zero value is Pass. A [Script] serves them.
//
// Faults work wherever a handler runs: on a [Server], on
// [net/http/httptest.Server], on TCP and TLS. Over HTTP/2 a dropped connection
// is a reset stream (RST_STREAM), for there the connection is shared; only
// [Reset] on a [Server] ends the whole connection.
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

// Stall is silence for d before the handler runs; zero means until the client
// goes away. A client that goes away earlier has the handler not run at all.
func Stall(d time.Duration) Fault {
	return Fault{fmt.Sprintf("Stall(%v)", d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r) // only then does http.Server watch whether the client is still there
		if d <= 0 || !wait(r.Context(), d) {
			<-r.Context().Done()
			drop(w)
			return
		}
		next.ServeHTTP(w, r)
	}}
}

// StallBody sends the handler's status, headers and the first n bytes of its
// body, is silent for d, then sends the rest; zero means silent until the
// client goes away. The body is sent chunked, so that the client cannot know
// its end before the silence is over.
func StallBody(n int, d time.Duration) Fault {
	return Fault{fmt.Sprintf("StallBody(%d, %v)", n, d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r)
		answer := holdAnswer(next, r)
		answer.header.Del("Content-Length")
		n := max(0, min(n, answer.body.Len()))
		answer.begin(w, n)
		if d <= 0 || !wait(r.Context(), d) {
			<-r.Context().Done()
			drop(w)
			return
		}
		_, _ = w.Write(answer.body.Bytes()[n:])
	}}
}

// TruncatedBody sends the handler's status and headers, with the true
// Content-Length, and the first n bytes of the body, then drops the connection:
// the client's read of the body fails with [io.ErrUnexpectedEOF]. At least one
// byte is kept back; an empty body is announced as one of one byte.
func TruncatedBody(n int) Fault {
	return Fault{fmt.Sprintf("TruncatedBody(%d)", n), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := holdAnswer(next, r)
		readBody(r)
		size := max(1, answer.body.Len())
		answer.header.Set("Content-Length", strconv.Itoa(size))
		answer.begin(w, max(0, min(n, size-1)))
		drop(w)
	}}
}

// Status answers code with the headers given as key, value, key, value and a
// small JSON body; the handler does not run. The body is
//
//	{"error":{"code":"429","message":"Too Many Requests"}}
//
// A key without a value is sent empty. To answer with another body use
// [Answer].
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

// wait waits for d and reports whether the client is still there.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
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
		c, _ = r.Context().Value(connKey{}).(net.Conn)
	}
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn() // below TLS, for that would send a close_notify first
	}
	switch c := c.(type) {
	case interface{ Reset() }:
		c.Reset()
	case interface{ SetLinger(int) error }:
		_ = c.SetLinger(0)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = c.Close()
}

package aplombtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// StallUpload reads nothing of the request's body for d, then lets the handler
// run: a client with more to send than the buffers in between hold waits in the
// midst of sending (64 KiB on a [Server], 1 MiB over HTTP/2, megabytes on
// sockets). Zero means until the client goes away, which only a Server and
// HTTP/2 notice while nothing is read; elsewhere give a d.
func StallUpload(d time.Duration) Fault {
	return Fault{fmt.Sprintf("StallUpload(%v)", d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !wait(r, d, left(r)) {
			drop(w)
			return
		}
		next.ServeHTTP(w, r)
	}}
}

// Stall is silence for d before the handler runs; zero means until the client
// goes away. A client that goes away earlier has the handler not run at all.
func Stall(d time.Duration) Fault {
	return Fault{fmt.Sprintf("Stall(%v)", d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r) // only then does http.Server watch whether the client is still there
		if !wait(r, d, nil) {
			drop(w)
			return
		}
		next.ServeHTTP(w, r)
	}}
}

// LateResponse lets the handler run, with all its effects, and is silent for d
// before it sends the answer; zero means until the client goes away. To a client
// that gives up earlier it is a [LostResponse] that took its time.
func LateResponse(d time.Duration) Fault {
	return Fault{fmt.Sprintf("LateResponse(%v)", d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r)
		answer := holdAnswer(next, r)
		if !wait(r, d, nil) {
			drop(w)
			return
		}
		answer.send(w)
	}}
}

// StallHeader sends the handler's status line and first header, is silent for d,
// then sends the rest and closes the connection; zero means silent until the
// client goes away. Over HTTP/2, whose headers come whole, it is [LateResponse].
func StallHeader(d time.Duration) Fault {
	late := LateResponse(d)
	return Fault{fmt.Sprintf("StallHeader(%v)", d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.ProtoMajor > 1 {
			late.serve(w, r, next)
			return
		}
		r = readBody(r)
		answer := holdAnswer(next, r)
		first, rest := answer.head()
		bare(w, func(c net.Conn, gone <-chan struct{}) {
			_, _ = io.WriteString(c, first)
			if wait(r, d, gone) {
				_, _ = io.WriteString(c, rest)
				_, _ = c.Write(answer.body.Bytes())
			}
		})
	}}
}

// StallBody sends the handler's status, headers and the first n bytes of its
// body, is silent for d, then sends the rest; zero means silent until the
// client goes away. With n at the body's length or above, all that is missing is
// the end: the body is sent chunked, so that the client cannot know it before the
// silence is over.
func StallBody(n int, d time.Duration) Fault {
	return Fault{fmt.Sprintf("StallBody(%d, %v)", n, d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r)
		answer := holdAnswer(next, r)
		answer.header.Del("Content-Length")
		n := max(0, min(n, answer.body.Len()))
		answer.begin(w, n)
		if !wait(r, d, nil) {
			drop(w)
			return
		}
		_, _ = w.Write(answer.body.Bytes()[n:])
	}}
}

// Drip sends the handler's status and headers and then n bytes of its body
// every d, the first of them at once: a body of any size takes its time, and no
// single wait is long. n below one is one.
func Drip(n int, d time.Duration) Fault {
	return Fault{fmt.Sprintf("Drip(%d, %v)", n, d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r)
		answer := holdAnswer(next, r)
		answer.begin(w, 0)
		for first := true; answer.body.Len() > 0; first = false {
			if !first && !pause(r, d, nil) {
				drop(w)
				return
			}
			_, _ = w.Write(answer.body.Next(max(1, n)))
			_ = http.NewResponseController(w).Flush()
		}
	}}
}

// wait is pause with zero meaning until the client has gone.
func wait(r *http.Request, d time.Duration, gone <-chan struct{}) bool {
	if d > 0 {
		return pause(r, d, gone)
	}
	select {
	case <-r.Context().Done():
	case <-gone:
	}
	return false
}

// pause waits for d and reports whether the client is still there: it has gone
// when the context of r says so, or gone does, which may be nil.
func pause(r *http.Request, d time.Duration, gone <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-gone:
	}
	return false
}

// left is closed once the client has left although it has not been read to the
// end. It is nil where nothing can tell.
func left(r *http.Request) <-chan struct{} {
	if link := linkOf(r); link != nil {
		if c, ok := belowTLS(link.Conn).(interface{ Gone() <-chan struct{} }); ok {
			return c.Gone()
		}
	}
	return nil
}

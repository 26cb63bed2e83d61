package aplombtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// TruncatedBody sends the handler's status and headers, with the true
// Content-Length, and the first n bytes of the body, then drops the connection:
// the client's read of the body fails with [io.ErrUnexpectedEOF], over HTTP/2
// with the stream's error. At least one byte is kept back; an empty body is
// announced as one of one byte.
func TruncatedBody(n int) Fault {
	return Fault{fmt.Sprintf("TruncatedBody(%d)", n), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		truncate(w, r, next, n)
		drop(w)
	}}
}

// ResetBody is [TruncatedBody] with a reset (TCP RST) in the place of the
// close: the client's read fails with [syscall.ECONNRESET] once it has read what
// has arrived.
func ResetBody(n int) Fault {
	return Fault{fmt.Sprintf("ResetBody(%d)", n), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		truncate(w, r, next, n)
		reset(w, r)
	}}
}

// truncate announces the handler's whole body and sends n bytes of it.
func truncate(w http.ResponseWriter, r *http.Request, next http.Handler, n int) {
	answer := holdAnswer(next, r)
	readBody(r)
	size := max(1, answer.body.Len())
	answer.header.Set("Content-Length", strconv.Itoa(size))
	answer.begin(w, max(0, min(n, size-1)))
}

// WrongLength sends the handler's whole answer with a Content-Length that is off
// by delta bytes, and keeps the connection open until the client goes away.
//
// Above zero the client waits for bytes that never come; with a close in their
// place it is [TruncatedBody]. Below zero the client takes a part for the whole,
// and the rest is on the connection where the next answer should begin: a client
// that uses it once more reads its body's end as a status line. Nothing else is
// answered there. Over HTTP/2, where each frame says whose it is, the rest is not
// sent.
func WrongLength(delta int) Fault {
	return Fault{fmt.Sprintf("WrongLength(%+d)", delta), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r)
		answer := holdAnswer(next, r)
		announced := max(0, answer.body.Len()+delta)
		answer.header.Set("Content-Length", strconv.Itoa(announced))
		answer.begin(w, min(announced, answer.body.Len()))
		switch rest := answer.body.Len() - announced; {
		case rest < 0:
			wait(r, 0, nil)
			drop(w)
		case r.ProtoMajor == 1:
			bare(w, func(c net.Conn, gone <-chan struct{}) {
				_, _ = c.Write(answer.body.Bytes()[announced:])
				wait(r, 0, gone)
			})
		}
	}}
}

// GarbageChunk sends the handler's status and headers and the first n bytes of
// its body, chunked, then a chunk whose size is no number, and closes the
// connection: the client's read of the body fails. Over HTTP/2, which has no
// chunks, it is the stream that is dropped after n bytes.
func GarbageChunk(n int) Fault {
	return Fault{fmt.Sprintf("GarbageChunk(%d)", n), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r = readBody(r)
		answer := holdAnswer(next, r)
		answer.header.Del("Content-Length")
		answer.begin(w, max(0, n))
		bare(w, func(c net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(c, "garbage\r\nnot a chunk\r\n") })
	}}
}

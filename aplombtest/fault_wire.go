package aplombtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// floodSize is far above what a client should put up with: net/http gives up
// after 10 MiB.
const floodSize = 64 << 20

// Raw reads the request, sends text in the place of an answer, byte for byte,
// and closes the connection; the handler does not run. It is for what no server
// should say: an answer of another protocol, a status line without a number, a
// header without a colon. Over HTTP/2 the stream is dropped.
//
//	aplombtest.Raw("SMTP ready\r\n\r\n")
func Raw(text string) Fault {
	return Fault{fmt.Sprintf("Raw(%.40q)", text), func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		readBody(r)
		bare(w, func(c net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(c, text) })
	}}
}

// HeaderFlood reads the request and sends headers for as long as the client
// takes them, 64 MiB at the most, then closes the connection; the handler does
// not run. [http.Transport] gives up after MaxResponseHeaderBytes, 10 MiB by
// default. Over HTTP/2 it is one header section of 11 MiB, for which it gives up
// the connection.
func HeaderFlood() Fault {
	return Fault{"HeaderFlood", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		readBody(r)
		value := strings.Repeat("x", 1<<10)
		if r.ProtoMajor > 1 {
			for i := range 11 << 10 {
				w.Header().Set(fmt.Sprintf("X-Flood-%d", i), value)
			}
			return
		}
		bare(w, func(c net.Conn, gone <-chan struct{}) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for sent := 0; err == nil && sent < floodSize; sent += len(value) {
				_, err = io.WriteString(c, "X-Flood: "+value+"\r\n")
			}
		})
	}}
}

// bare has do speak on the bare connection, which it closes afterwards. gone is
// closed when the client has left; whatever it sends until then is ignored. Over
// HTTP/2 there is none to speak on and the stream is dropped.
func bare(w http.ResponseWriter, do func(c net.Conn, gone <-chan struct{})) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, c)
	}()
	do(c, gone)
	_ = c.Close()
	<-gone
}

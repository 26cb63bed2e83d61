package aplombtest

import (
	"encoding/binary"
	"net"
	"net/http"
	"sync"
)

// GoAway lets the handler answer and has the server close the connection
// afterwards, as one does that is restarted: over HTTP/2 it sends GOAWAY with the
// last stream it has seen, this one among them, over HTTP/1 "Connection: close".
// The next request needs a new connection.
func GoAway() Fault {
	return Fault{"GoAway", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("Connection", "close") // over HTTP/2, net/http makes it a GOAWAY
		next.ServeHTTP(w, r)
	}}
}

// GoAwayUnprocessed sends GOAWAY (NO_ERROR) whose last stream is the one before
// this request's, and closes the connection: the server says that it did nothing
// with this request, which may be sent again on a new connection whatever its
// method (RFC 9113, section 8.7). [http.Transport] does so by itself if it can
// replay the body. The handler does not run.
//
// It needs a TLS [Server], HTTP/2, and a connection on which no other request is
// under way; one that is would be cut off as well, so it is an error of the test.
// Over HTTP/1, and on other servers, the connection or the stream is dropped.
func GoAwayUnprocessed() Fault {
	return Fault{"GoAwayUnprocessed", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		readBody(r)
		if link, stream := onlyStream(r, "GoAwayUnprocessed"); link != nil {
			_, _ = link.Write(goAwayFrame(max(0, int(stream)-2)))
			_ = link.Close()
		}
		drop(w)
	}}
}

// RefusedStream answers with RST_STREAM (REFUSED_STREAM): the server says that
// it did nothing with this request, which may be sent again, on the same
// connection too, whatever its method (RFC 9113, section 8.7). The handler does
// not run. For what it needs, and what it is without, see [GoAwayUnprocessed].
func RefusedStream() Fault {
	return Fault{"RefusedStream", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		readBody(r)
		if link, stream := onlyStream(r, "RefusedStream"); link != nil {
			_, _ = link.Write(refusedFrame(stream))
		}
		drop(w) // its own RST_STREAM comes too late for a stream that is closed
	}}
}

// onlyStream returns the HTTP/2 connection of r and the stream that r must be:
// net/http does not tell, but a client numbers its streams 1, 3, 5 (RFC 9113,
// section 5.1.1), so that the n-th request is stream 2n-1 as long as they come
// one after the other. It returns nil where there is none.
func onlyStream(r *http.Request, fault string) (*link, uint32) {
	link := linkOf(r)
	if link == nil || r.ProtoMajor < 2 {
		return nil, 0
	}
	begun, active := link.count()
	if active > 1 {
		link.server.tb.Errorf("aplombtest: %s on a connection with %d requests under way; want this one only", fault, active)
		return nil, 0
	}
	return link, uint32(2*begun - 1)
}

// goAwayFrame is a whole GOAWAY frame with NO_ERROR: RFC 9113, section 6.8.
func goAwayFrame(last int) []byte {
	frame := []byte{0, 0, 8, 0x7, 0, 0, 0, 0, 0}
	frame = binary.BigEndian.AppendUint32(frame, uint32(last))
	return binary.BigEndian.AppendUint32(frame, 0)
}

// refusedFrame is a whole RST_STREAM frame with REFUSED_STREAM: RFC 9113,
// section 6.4.
func refusedFrame(stream uint32) []byte {
	frame := binary.BigEndian.AppendUint32([]byte{0, 0, 4, 0x3, 0}, stream)
	return binary.BigEndian.AppendUint32(frame, 0x7)
}

// link is one connection of a [Server] as the faults see it. A request's context
// holds it: over HTTP/2 there is no Hijacker to ask.
type link struct {
	net.Conn // the *tls.Conn, if there is one

	server *Server

	mu            sync.Mutex
	begun, active int // requests
}

// linkKey is where.
type linkKey struct{}

func linkOf(r *http.Request) *link {
	l, _ := r.Context().Value(linkKey{}).(*link)
	return l
}

func (l *link) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
	l.active++
}

func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
}

func (l *link) count() (begun, active int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun, l.active
}

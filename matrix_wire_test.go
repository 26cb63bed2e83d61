package aplomb_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/memnet"
)

// The injectors of faults below HTTP, on a connection taken from the server or
// in the place of the server itself.

// cutShort begins an answer of 30 bytes and leaves it at 6.
const cutShort = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"id\":"

// cutChunk is the same, chunked, with the end of the body missing.
const cutChunk = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"id\":\r\n"

// wire answers with text on the bare connection, does then to it and closes it
// (FIN).
func wire(text string, then ...func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // unread bytes make a close a reset
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, text)
		for _, f := range then {
			f(conn)
		}
	}
}

// resetting is RST, a moment later: what it overtakes is lost.
func resetting(conn net.Conn) {
	pause(time.Millisecond)
	conn.(*memnet.Conn).Reset()
}

// dribble sends the header, byte by byte, one a second.
func dribble(conn net.Conn) {
	for i := 0; ; i++ {
		pause(time.Second)
		if _, err := conn.Write([]byte{("HTTP/1.1 200 OK\r\nX-Slow: " + strings.Repeat("z", 120))[i%140]}); err != nil {
			return
		}
	}
}

// endlessHints sends one 103 after the other.
func endlessHints(conn net.Conn) {
	for {
		if _, err := io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"); err != nil {
			return
		}
	}
}

// hints answers after n of them.
func hints(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for range n {
			w.WriteHeader(http.StatusEarlyHints)
		}
		ok(w, r)
	}
}

// bigHeader answers with n bytes of headers.
func bigHeader(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := range n >> 16 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1<<16))
		}
		ok(w, r)
	}
}

// gzipBomb is 256 KiB that unpack to 256 MiB: gzip members may follow one
// another (RFC 1952, section 2.2), so that one of 1 MiB is packed only once.
func gzipBomb(w http.ResponseWriter, _ *http.Request) {
	var member bytes.Buffer
	packer := gzip.NewWriter(&member)
	_, _ = packer.Write(make([]byte, 1<<20))
	_ = packer.Close()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	for range 256 {
		if _, err := w.Write(member.Bytes()); err != nil {
			return
		}
	}
}

// breaking calls the server by that scheme and brings trouble to it.
func breaking(scheme string, what aplombtest.Trouble) func(*rig) {
	return func(m *rig) {
		m.url = scheme + "://api.test"
		m.network.Break("api.test", what)
	}
}

// breakingFor does so for the first n dials.
func breakingFor(n int, what aplombtest.Trouble) func(*rig) {
	return func(m *rig) {
		m.network.Break("api.test", what)
		dial := m.base.DialContext
		m.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if _, dials := m.ledger.count(); dials > n {
				m.network.Heal("api.test")
			}
			return dial(ctx, network, addr)
		}
	}
}

// overTLS calls the server at its https address; change spoils the trust.
func overTLS(change func(m *rig, config *tls.Config)) func(*rig) {
	return func(m *rig) {
		m.url = "https://api.test"
		change(m, m.base.TLSClientConfig)
	}
}

// warmed makes one call that is not the row's: its connection is kept.
func warmed(call caller) caller {
	return func(m *rig) error {
		if err := getOrder(m); err != nil {
			return err
		}
		return call(m)
	}
}

var (
	reset = fault(aplombtest.Reset())
	mutes = fault(aplombtest.Stall(0))
)

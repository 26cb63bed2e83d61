// Package memnet is a network that lives in memory: real servers and real
// clients talk over it, but no port is opened and no wall clock is needed.
//
// A test of a timeout wants two things that loopback sockets cannot give: an
// hour that passes in a millisecond, and a peer that misbehaves on purpose.
// Under [testing/synctest] a goroutine blocked on a socket keeps virtual time
// from moving, while one blocked here does not. And where [net.Pipe] is
// unbuffered, so that a server answering early and a client still sending lock
// each other up, these connections have a buffer each way, as TCP has, can be
// closed one way at a time, and can be reset.
//
//	ln := memnet.Listen("api.test:80")
//	go http.Serve(ln, handler)
//	transport := &http.Transport{DialContext: ln.DialContext}
//
// Inside a bubble create the Listener there, and see to it that every
// connection is closed before the bubble ends.
package memnet

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// backlog is how many connections may wait for Accept before a dial has to
// wait too; Linux has listened with the same number for decades.
const backlog = 128

// firstPort is where client ports start: the first one of the range that
// RFC 6335, section 6, sets aside for short-lived use.
const firstPort = 49152

// Addr is the address of one end, such as "api.test:80". It says that its
// network is "tcp", so that errors read as they do in production.
type Addr string

// Network returns "tcp".
func (Addr) Network() string { return "tcp" }

// String returns the address as host:port.
func (a Addr) String() string { return string(a) }

// Listener is a [net.Listener] whose connections are in-memory pipes. Make one
// with [Listen]. All methods are safe for concurrent use.
type Listener struct {
	addr    Addr
	waiting chan *Conn
	closed  chan struct{}
	once    sync.Once
	dialled atomic.Int64

	mu   sync.Mutex
	open map[*Conn]struct{} // the server's ends of connections not yet closed
}

// Listen returns a Listener that reports addr, a host:port, as its address.
// Nothing is registered anywhere: only its own DialContext leads to it.
func Listen(addr string) *Listener {
	return &Listener{
		addr:    Addr(addr),
		waiting: make(chan *Conn, backlog),
		closed:  make(chan struct{}),
		open:    map[*Conn]struct{}{},
	}
}

// Addr returns the address given to [Listen].
func (l *Listener) Addr() net.Addr { return l.addr }

// DialContext connects to this Listener, whatever address is asked for; it has
// the shape of [net/http.Transport.DialContext]. After Close it fails with
// [syscall.ECONNREFUSED]; if the backlog is full it waits until ctx is done. A
// connection belongs to its dialler: a done ctx does not end it later.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, dialError(l.addr, err)
	}
	client, server := Pipe(clientAddr(l.dialled.Add(1)), l.addr)
	server.onClose = func() { l.forget(server) }
	l.remember(server)
	select {
	case <-l.closed: // select picks at random below, so ask first
	default:
		select {
		case l.waiting <- server:
			l.drainIfClosed()
			return client, nil
		case <-l.closed:
		case <-ctx.Done():
			_ = server.Close()
			return nil, dialError(l.addr, ctx.Err())
		}
	}
	_ = server.Close()
	return nil, dialError(l.addr, os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

// Accept waits for the next connection. After Close it fails with
// [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
	default:
		select {
		case c := <-l.waiting:
			return c, nil
		case <-l.closed:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}

// Close ends Accept and refuses further dials. Connections that nobody has
// accepted are reset, as a kernel does; accepted ones live on.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	l.drainIfClosed()
	return nil
}

// CloseConns closes every connection still open at the server's end; ResetConns
// does the same with a reset, the way a host looks that has lost its power.
func (l *Listener) CloseConns() { l.each(func(c *Conn) { _ = c.Close() }) }

// ResetConns resets every connection still open at the server's end.
func (l *Listener) ResetConns() { l.each((*Conn).Reset) }

// drainIfClosed resets what waits in the backlog of a closed Listener. A dial
// that slipped in beside Close calls it too, so that no end is left hanging.
func (l *Listener) drainIfClosed() {
	select {
	case <-l.closed:
	default:
		return
	}
	for {
		select {
		case c := <-l.waiting:
			c.Reset()
		default:
			return
		}
	}
}

func (l *Listener) each(do func(*Conn)) {
	l.mu.Lock()
	conns := make([]*Conn, 0, len(l.open))
	for c := range l.open {
		conns = append(conns, c)
	}
	l.mu.Unlock() // do calls forget, which locks again
	for _, c := range conns {
		do(c)
	}
}

func (l *Listener) remember(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
}

func (l *Listener) forget(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

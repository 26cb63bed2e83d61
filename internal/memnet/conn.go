package memnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is one end of an in-memory connection: a [net.Conn] with the further
// methods CloseWrite and Reset. All methods are safe for concurrent use.
type Conn struct {
	in, out       *stream // what this end reads, what it writes
	local, remote Addr

	closeOnce sync.Once
	onClose   func() // may be nil; called once, with no lock held
}

var _ net.Conn = (*Conn)(nil)

// Pipe returns the two ends of a new connection. Each way holds up to 64 KiB
// that were written and not yet read; further writes wait.
func Pipe(client, server Addr) (*Conn, *Conn) {
	up, down := newStream(), newStream()
	return &Conn{in: down, out: up, local: client, remote: server},
		&Conn{in: up, out: down, local: server, remote: client}
}

// Read reads what the peer has written. It returns [io.EOF] once the peer has
// closed and everything was read, [os.ErrDeadlineExceeded] after the read
// deadline, [syscall.ECONNRESET] after a reset by the peer and [net.ErrClosed]
// after Close; all but io.EOF come wrapped in a [*net.OpError].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	if err != nil && !errors.Is(err, io.EOF) { // net.Conn promises a bare io.EOF
		err = c.opError("read", err)
	}
	return n, err
}

// Write writes p whole or returns an error. Concurrent writes do not mix. A
// peer that has closed makes it fail with [syscall.EPIPE]; for the other errors
// see Read.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	if err != nil {
		err = c.opError("write", err)
	}
	return n, err
}

// Close closes both ways. The peer still reads what was written before, then
// io.EOF.
func (c *Conn) Close() error {
	already := c.in.closeReader()
	c.out.closeWriter(net.ErrClosed)
	if already {
		return c.opError("close", net.ErrClosed)
	}
	c.closing()
	return nil
}

// CloseWrite closes this end's writing way only, as
// [net.TCPConn.CloseWrite] does: the peer reads io.EOF, this end reads on.
func (c *Conn) CloseWrite() error {
	c.out.closeWriter(os.NewSyscallError("write", syscall.EPIPE))
	return nil
}

// Reset closes the connection as a TCP reset (RST) does: the peer's writes fail
// with [syscall.ECONNRESET] at once and its reads once it has read what had
// arrived, which Linux hands out first. This end is closed.
func (c *Conn) Reset() {
	c.in.reset(syscall.ECONNRESET, net.ErrClosed)  // the peer writes, we read
	c.out.reset(net.ErrClosed, syscall.ECONNRESET) // we write, the peer reads
	c.closing()
}

// Gone is closed once the peer has closed, reset or ended its writing way,
// although there may be bytes left to read: what poll(2) tells by POLLRDHUP. A
// peer that reads nothing learns of it in no other way.
func (c *Conn) Gone() <-chan struct{} { return c.in.ended }

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets the read and the write deadline; zero means none.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads, also one already waiting, give up.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if !c.in.setReadDeadline(t) {
		return c.opError("set", net.ErrClosed)
	}
	return nil
}

// SetWriteDeadline sets when writes, also one already waiting, give up.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if !c.out.setWriteDeadline(t) {
		return c.opError("set", net.ErrClosed)
	}
	return nil
}

func (c *Conn) closing() {
	c.closeOnce.Do(func() {
		if c.onClose != nil {
			c.onClose()
		}
	})
}

// opError dresses err the way package net does, system call included.
func (c *Conn) opError(op string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes one way holds before writes wait for a reader.
const window = 64 << 10

// stream is one way of a connection. Whoever waits does so on cond and never on
// a mutex, for only the former lets the virtual time of a bubble move on.
type stream struct {
	mu   sync.Mutex
	cond *sync.Cond

	buf     []byte // written and not yet read, at most window bytes
	writing bool   // a write is under way; others wait for their turn

	readErr, writeErr error // what that side gets from now on; a reader's come after buf
	readEnd, writeEnd deadline

	ended chan struct{} // closed once nothing more will be written
	end   sync.Once
}

func newStream() *stream {
	s := &stream{ended: make(chan struct{})}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readErr == net.ErrClosed:
			return 0, s.readErr
		case s.readEnd.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.cond.Broadcast()
			return n, nil
		case s.readErr != nil:
			return 0, s.readErr
		}
		s.cond.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.await(func() bool { return !s.writing }); err != nil {
		return 0, err
	}
	s.writing = true
	defer func() {
		s.writing = false
		s.cond.Broadcast()
	}()
	for n < len(p) {
		if err := s.await(func() bool { return len(s.buf) < window }); err != nil {
			return n, err
		}
		k := min(len(p)-n, window-len(s.buf))
		s.buf = append(s.buf, p[n:n+k]...)
		n += k
		s.cond.Broadcast()
	}
	return n, nil
}

// await waits, for the writer, until ready says so. Its caller holds s.mu.
func (s *stream) await(ready func() bool) error {
	for {
		switch {
		case s.writeErr != nil:
			return s.writeErr
		case s.writeEnd.passed:
			return os.ErrDeadlineExceeded
		case ready():
			return nil
		}
		s.cond.Wait()
	}
}

// closeWriter ends the writing side: its writes get err, the reader what is
// left and then io.EOF. What came first, be it a close or a reset, stays.
func (s *stream) closeWriter(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == nil {
		s.readErr = io.EOF
	}
	if s.writeErr == nil || err == net.ErrClosed {
		s.writeErr = err
	}
	s.writeEnd.stop()
	s.over()
}

// over wakes whoever waits and says that the writing side has ended.
func (s *stream) over() {
	s.end.Do(func() { close(s.ended) })
	s.cond.Broadcast()
}

// closeReader ends the reading side: its reads get net.ErrClosed, the writer
// EPIPE. It reports whether the side was closed before.
func (s *stream) closeReader() (already bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	already = s.readErr == net.ErrClosed
	s.readErr = net.ErrClosed
	if s.writeErr == nil {
		s.writeErr = syscall.EPIPE
	}
	s.buf = nil
	s.readEnd.stop()
	s.cond.Broadcast()
	return already
}

// reset gives each side its error, unless that side had closed by itself. What
// has arrived is read first, as Linux has it; what has not is lost.
func (s *stream) reset(writeErr, readErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != net.ErrClosed {
		s.writeErr = writeErr
	}
	if s.readErr != net.ErrClosed {
		s.readErr = readErr
	}
	s.readEnd.stop()
	s.writeEnd.stop()
	s.over()
}

func (s *stream) setReadDeadline(t time.Time) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == net.ErrClosed {
		return false
	}
	s.readEnd.set(t, s)
	return true
}

func (s *stream) setWriteDeadline(t time.Time) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr == net.ErrClosed {
		return false
	}
	s.writeEnd.set(t, s)
	return true
}

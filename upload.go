package aplomb

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// upload watches the bodies of one request, of which net/http may open a second
// when a kept connection turns out dead. It notes that a body was asked for, and
// starts the wait for the response header anew with each part, but not while
// the body's own source is read.
type upload struct {
	touched *atomic.Bool
	dog     *watchdog
	silence *timeoutError // before the response header
	request http.Request  // with its bodies watched

	mu     sync.Mutex
	broken error // of a body's own source
	over   bool  // the wait for the header is
	first  uploadBody
	opened []*uploadBody // by GetBody, after first
}

type uploadBody struct {
	io.ReadCloser
	up     *upload
	used   atomic.Bool // read or closed
	closed atomic.Bool
}

// watch is the request with its bodies watched.
func (u *upload) watch() *http.Request {
	r := &u.request
	u.first.ReadCloser, u.first.up = r.Body, u
	r.Body = &u.first
	open := r.GetBody
	if open == nil {
		return r
	}
	r.GetBody = func() (io.ReadCloser, error) {
		body, err := open()
		if err != nil {
			return nil, err
		}
		again := &uploadBody{ReadCloser: body, up: u}
		u.mu.Lock()
		u.opened = append(u.opened, again)
		u.mu.Unlock()
		return again, nil
	}
	return r
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.used.Store(true)
	b.up.touched.Store(true)
	b.up.wait(nil)
	n, err := b.ReadCloser.Read(p)
	b.up.wait(b.up.silence)
	if err != nil && !errors.Is(err, io.EOF) && !b.closed.Load() { // else the transport has given it up
		b.up.mu.Lock()
		b.up.broken = err
		b.up.mu.Unlock()
	}
	return n, err
}

func (b *uploadBody) Close() error {
	b.used.Store(true)
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

// blame is err, or, where a body's own source failed, that: the host is not to blame,
// and another attempt would fail as well.
func (u *upload) blame(err error) error {
	if u == nil {
		return err
	}
	u.mu.Lock()
	broken := u.broken
	u.mu.Unlock()
	if broken != nil {
		return &sourceError{broken}
	}
	return err
}

// sourceError is a request's body that could not be read.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "the request's body cannot be read: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// wait begins the wait for the header anew, or holds it where silence is nil.
func (u *upload) wait(silence *timeoutError) {
	u.mu.Lock()
	if !u.over {
		u.dog.watch(silence, time.Now())
	}
	u.mu.Unlock()
}

// done ends the wait: the transport may go on reading after an early answer.
// Bodies that were opened for nothing are closed: net/http drops one that it
// opened for an HTTP/2 connection which turns out to be gone.
func (u *upload) done(failed bool) {
	if u == nil {
		return
	}
	u.mu.Lock()
	if u.over {
		u.mu.Unlock()
		return
	}
	u.over = true
	opened := u.opened
	u.mu.Unlock()
	if n := len(opened); n > 0 && !failed {
		opened = opened[:n-1] // the one that was sent, be it read or not
	}
	for _, b := range opened {
		if !b.used.Swap(true) {
			_ = b.ReadCloser.Close()
		}
	}
}

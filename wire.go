package aplomb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// wire is the stack's last step: it attaches the credentials, sends the request, and
// has it ended when the server is silent for too long. Getting a credential costs an
// attempt no time.
type wire struct {
	next   http.RoundTripper
	header *timeoutError // after how long, and what is said then; nil: never
	idle   *timeoutError
}

// newWire bounds nothing where t is nil, but notes all the same that a body was asked for.
func newWire(next http.RoundTripper, t *Timeouts) *wire {
	if t == nil {
		return &wire{next: next}
	}
	d := t.withDefaults()
	return &wire{next, &timeoutError{"response header", d.ResponseHeader}, &timeoutError{"idle read", d.IdleRead}}
}

// A sending is one request as the base transport gets it, and what watches over it: all
// in one piece, since each request has one.
type sending struct {
	request http.Request
	url     url.URL
	body    idleBody
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := attemptOf(r)
	if err != nil {
		return nil, err
	}
	return w.roundTrip(a, r)
}

// roundTrip sends r, one of a's.
func (w *wire) roundTrip(a *Attempt, r *http.Request) (*http.Response, error) {
	s := &sending{}
	if attemptFrom(r.Context()) == a {
		s.request = *r
	} else {
		putInContext(&a.carrier, r, &s.request)
	}
	s.url = *r.URL
	s.request.URL = &s.url
	auths := a.call.authsFor(r)
	if a.call.borrows || len(auths) > 0 {
		s.request.Header = cloned(r.Header)
	}
	if len(auths) > 0 && r.Trailer != nil { // else a body may set it while it is read
		s.request.Trailer = cloned(r.Trailer)
	}
	if err := s.attach(auths); err != nil {
		closeBody(r)
		return nil, noCredential(err)
	}
	now := time.Now()
	if endedBy(a.ctx, now) { // while a hook or a credential took its time
		closeBody(r)
		return nil, endedUnsent(a.ctx)
	}
	if len(auths) > 0 {
		a.attached.Store(true)
	}
	a.wire.Store(&s.request)
	resp, err := w.send(a, s, now)
	if err == nil && a.answered(auths, resp, &s.request, now) {
		a.renewable.Store(true)
	}
	return resp, err
}

// attach adds the credentials to the request.
func (s *sending) attach(auths []Auth) error {
	for i := range auths {
		if err := auths[i].Attach(&s.request); err != nil {
			return err
		}
	}
	return nil
}

// send hands the request to the base transport.
func (w *wire) send(a *Attempt, s *sending, now time.Time) (resp *http.Response, err error) {
	r, dog := &s.request, a.dog.take()
	var up *upload // nil without a body
	if hasBody(r) {
		up = &upload{touched: &a.touched, dog: dog, silence: w.header, request: *r}
		r = up.watch()
		defer up.done(true) // where the transport panics
	}
	dog.watch(w.header, now)
	if a.race != nil {
		a.race.arm()
	}
	resp, err = normalise(w.next.RoundTrip(r))
	up.done(err != nil) // first, lest a body that is still read begins the wait anew
	if err != nil {
		dog.free()
		return nil, up.blame(ownCause(r.Context(), err))
	}
	dog.rest()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body := &s.body
		body.body, body.ctx, body.dog, body.silence = resp.Body, r.Context(), dog, w.idle
		resp.Body = body
	}
	return resp, nil
}

// idleBody ends a response whose body falls silent.
type idleBody struct {
	body    io.ReadCloser
	ctx     context.Context
	dog     *watchdog
	silence *timeoutError
	closed  atomic.Bool
}

func (b *idleBody) Read(p []byte) (int, error) {
	if b.closed.Load() { // its watch may be another request's by now
		return b.body.Read(p)
	}
	b.dog.watch(b.silence, time.Now())
	n, err := b.body.Read(p)
	b.dog.rest()
	if err != nil && !errors.Is(err, io.EOF) {
		err = ownCause(b.ctx, err)
	}
	return n, err
}

func (b *idleBody) Close() error {
	if !b.closed.Swap(true) {
		b.dog.free()
	}
	return b.body.Close()
}

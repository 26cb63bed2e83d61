package aplomb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// try is one attempt, from the breaker's check to the sealed verdict. Waits
// come before the breaker's admission, so that no probe is held in a queue,
// and before the credential, so that it is fresh when it is sent.
func (s *stack) try(r *http.Request) (*http.Response, error) {
	c := callFrom(r.Context())
	if c == nil {
		closeBody(r)
		return nil, errors.New("aplomb: a PerCall middleware replaced the request's context: derive it from the one it was given")
	}
	a := c.newAttempt(r)
	a.breaker = s.breakers.of(a)
	if err := s.admit(a); err != nil {
		closeBody(r)
		a.Err = err
		a.cancel(nil)
		s.seal(a)
		return nil, a.Err
	}
	c.sent++
	a.Number = c.sent
	a.start = time.Now()
	s.watch.attemptStart(a)
	defer s.abandon(a)
	a.Response, a.Err = normalise(s.attempt.RoundTrip(a.Request))
	if a.Err == nil {
		a.Response.Request = a.Request // the transport's own carries the credential
	}
	if a.Err == nil && c.typed {
		a.Err = a.readBody()
	}
	if a.Err != nil {
		a.Response = nil
		a.cancel(nil)
		if a.sent == nil && errors.Is(a.Err, errNoCredential) {
			c.sent--
		}
	}
	s.seal(a)
	return a.Response, a.Err
}

// newAttempt gives r a context of its own to be cancelled by, and headers that
// middlewares may change.
func (c *call) newAttempt(r *http.Request) *Attempt {
	a := &Attempt{Number: c.sent + 1, Operation: c.operation, call: c, ctx: r.Context()}
	ctx, cancel := context.WithCancelCause(r.Context())
	a.cancel = cancel
	a.Request = r.WithContext(context.WithValue(ctx, attemptKey{}, a))
	c.last = a
	return a
}

// admit passes the attempt through breaker, limiter and gate, in that order.
func (s *stack) admit(a *Attempt) error {
	if err := a.breaker.check(); err != nil {
		return err
	}
	if err := s.limits.wait(a); err != nil {
		return err
	}
	var err error
	if a.permit, err = a.breaker.admit(); err != nil {
		s.limits.forget(a)
		return err
	}
	return nil
}

// abandon gives back what a panicking attempt holds; a sealed one holds nothing.
func (s *stack) abandon(a *Attempt) {
	if !a.sealed {
		a.cancel(nil)
		a.breaker.report(a.permit, OutcomeNeutral)
		s.limits.forget(a)
	}
}

// normalise holds what a middleware or a foreign transport returns to net/http's
// contract: a response or an error, and a body.
func normalise(resp *http.Response, err error) (*http.Response, error) {
	switch {
	case err != nil && resp != nil:
		closeResponse(resp)
		return nil, err
	case err != nil:
		return nil, err
	case resp == nil:
		return nil, errors.New("a middleware or the transport returned neither a response nor an error")
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	return resp, nil
}

// seal decides the verdict, once, and tells everyone.
func (s *stack) seal(a *Attempt) {
	if a.sent != nil {
		a.elapsed = time.Since(a.start)
	}
	a.Verdict = classify(a)
	for _, judge := range a.call.judges {
		a.Verdict = judge(a)
	}
	a.sealed = true
	a.breaker.report(a.permit, a.Verdict.Outcome)
	s.limits.observe(a)
	s.watch.attemptDone(a)
	s.notices.look(a, &s.watch)
}

// readBody reads a typed call's body within the attempt, so that one cut short
// counts as a failure and can be retried.
func (a *Attempt) readBody() error {
	resp := a.Response
	limit, hard := a.call.maxBody, true
	if !a.call.expects(resp.StatusCode) {
		limit, hard = min(limit, maxErrorBody), false // an error's body may be cut
	}
	defer a.cancel(nil)
	body, err := readUpTo(resp.Body, limit+1, resp.ContentLength)
	_ = resp.Body.Close()
	if err != nil {
		return &bodyError{status: resp.StatusCode, read: len(body), err: err}
	}
	if int64(len(body)) > limit {
		if hard {
			return &tooLargeError{resp.StatusCode, limit}
		}
		body = body[:limit]
	}
	a.body = body
	resp.Body = &memoryBody{rest: body}
	return nil
}

// readUpTo reads at most limit bytes; hint is the announced length, if any.
func readUpTo(r io.Reader, limit, hint int64) ([]byte, error) {
	size := int64(512)
	if hint >= 0 {
		size = min(hint+1, limit, 1<<20) // one more than announced, to meet EOF without growing
	}
	buf := make([]byte, 0, size)
	for int64(len(buf)) < limit {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(int64(cap(buf)), limit)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// memoryBody is a body that was read already. exchange takes it back whole.
type memoryBody struct{ rest []byte }

func (b *memoryBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *memoryBody) Close() error { return nil }

// bodyError is a response body that could not be read to its end.
type bodyError struct {
	status int
	read   int
	err    error
}

func (e *bodyError) Error() string {
	return fmt.Sprintf("status %d, body broke off after %d bytes: %v", e.status, e.read, e.err)
}

func (e *bodyError) Unwrap() error { return e.err }

// tooLargeError is a response body over MaxBody.
type tooLargeError struct {
	status int
	limit  int64
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("status %d, the body is larger than MaxBody's %d bytes", e.status, e.limit)
}

func (e *tooLargeError) Is(target error) bool { return target == ErrTooLarge }

// bodyFailed counts a body that broke off after the verdict was sealed.
func (a *Attempt) bodyFailed(err error) {
	if a.ctx.Err() != nil {
		return
	}
	a.breaker.fault()
	a.call.stack.watch.bodyFailed(a, err)
}

// failure describes what the attempt failed with, for the error of a call that
// ended while waiting to retry it.
func (a *Attempt) failure() error {
	if a.Err != nil {
		return a.Err
	}
	return fmt.Errorf("status %d", a.Response.StatusCode)
}

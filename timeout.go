package aplomb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Timeouts is an [Option]: the bounds below the whole-call [Timeout]. A zero
// field is its default, so Timeouts{} is what every [New] client has.
type Timeouts struct {
	// Connect bounds the dialling of a connection, DNS included. Default 5 s:
	// a lost SYN is sent again after 1 s and after 3 s, and both are waited for.
	Connect time.Duration
	// TLS bounds the TLS handshake. Default 5 s, for the same reason.
	TLS time.Duration
	// ResponseHeader bounds the silence of the server while a request is under
	// way: between two parts of the request body that it takes, and from the
	// last to the end of the response header. A long upload may last; time that
	// the body's own source takes does not count. Default 30 s: few answers that
	// take longer still come.
	ResponseHeader time.Duration
	// IdleRead bounds the silence between two reads of a response body, so a
	// stream may last for hours but not hang. Default 30 s; most streams send a
	// sign of life every 15 s.
	IdleRead time.Duration
	// IdleConn is how long an unused connection is kept. Default 90 s, as
	// http.DefaultTransport does.
	IdleConn time.Duration
}

const (
	defaultTotal          = 60 * time.Second
	defaultMaxBody        = 32 << 20
	defaultMaxItem        = 8 << 20 // a decoder may hold an item three times
	maxResponseHeader     = 1 << 20
	maxErrorBody          = 1 << 20
	maxDecodeBody         = 4 << 10
	defaultIdleConns      = 100
	defaultIdleConnsAHost = 64 // net/http keeps 2, which makes 64 callers of one API dial for ever
)

func (t Timeouts) applyClient(c *config) error {
	if err := plausible("Timeouts", named{"Connect", t.Connect}, named{"TLS", t.TLS}, named{"ResponseHeader", t.ResponseHeader},
		named{"IdleRead", t.IdleRead}, named{"IdleConn", t.IdleConn}); err != nil {
		return err
	}
	c.timeouts = &t
	return nil
}

// withDefaults fills the zero fields; nil bounds are those of New.
func (t *Timeouts) withDefaults() (d Timeouts) {
	if t != nil {
		d = *t
	}
	d.Connect = orDefault(d.Connect, 5*time.Second)
	d.TLS = orDefault(d.TLS, 5*time.Second)
	d.ResponseHeader = orDefault(d.ResponseHeader, 30*time.Second)
	d.IdleRead = orDefault(d.IdleRead, 30*time.Second)
	d.IdleConn = orDefault(d.IdleConn, 90*time.Second)
	return d
}

// baseTransport is what the stack ends in.
func (c *config) baseTransport() (http.RoundTripper, error) {
	var t Timeouts
	if c.timeouts != nil {
		t = *c.timeouts
	}
	if c.transport == nil {
		return t.overlay(&http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}), nil
	}
	switch rt := c.transport.RoundTripper.(type) {
	case *http.Transport:
		return t.overlay(rt.Clone()), nil
	default:
		if t.Connect != 0 || t.TLS != 0 || t.IdleConn != 0 {
			return nil, fmt.Errorf("aplomb: Timeouts: Connect, TLS and IdleConn cannot take effect on a %T: "+
				"set them there, or give Transport an *http.Transport", rt)
		}
		return rt, nil
	}
}

// overlay sets t on a transport of our own.
func (t Timeouts) overlay(rt *http.Transport) http.RoundTripper {
	t = t.withDefaults()
	rt.DialContext = boundDial(rt.DialContext, t.Connect)
	if rt.DialTLSContext != nil {
		rt.DialTLSContext = boundDial(rt.DialTLSContext, t.Connect+t.TLS)
	}
	rt.OnProxyConnectResponse = typedProxy(rt.OnProxyConnectResponse)
	rt.TLSHandshakeTimeout = t.TLS
	rt.IdleConnTimeout = t.IdleConn
	rt.MaxResponseHeaderBytes = orDefault(rt.MaxResponseHeaderBytes, maxResponseHeader)
	rt.MaxIdleConns = orDefault(rt.MaxIdleConns, defaultIdleConns)
	rt.MaxIdleConnsPerHost = orDefault(rt.MaxIdleConnsPerHost, defaultIdleConnsAHost)
	rt.ExpectContinueTimeout = orDefault(rt.ExpectContinueTimeout, time.Second)
	if rt.TLSClientConfig == nil {
		rt.TLSClientConfig = &tls.Config{}
	}
	rt.TLSClientConfig.MinVersion = max(rt.TLSClientConfig.MinVersion, tls.VersionTLS12)
	return rt
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// boundDial limits dial to d and marks its failures, which prove that nothing
// of the request was sent.
func boundDial(dial dialFunc, d time.Duration) dialFunc {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		cause := &timeoutError{what: "connect", after: d}
		dctx, cancel := context.WithTimeoutCause(ctx, d, cause)
		defer cancel()
		conn, err := dial(dctx, network, addr)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() == nil && dctx.Err() != nil {
			err = &net.OpError{Op: "dial", Net: network, Addr: dialAddr{network, addr}, Err: cause}
		}
		return nil, &dialError{err}
	}
}

type connectFunc func(ctx context.Context, proxy *url.URL, connect *http.Request, answer *http.Response) error

// typedProxy gives a proxy's refusal to connect a type. net/http makes of it an
// error with the status text alone, which says neither that it was the proxy's
// nor that nothing of the request was sent.
func typedProxy(own connectFunc) connectFunc {
	return func(ctx context.Context, proxy *url.URL, connect *http.Request, answer *http.Response) error {
		if own != nil {
			if err := own(ctx, proxy, connect, answer); err != nil {
				return err
			}
		}
		if answer.StatusCode == http.StatusOK {
			return nil
		}
		return &dialError{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: &proxyError{answer.StatusCode}}}
	}
}

// proxyError is a proxy's answer to CONNECT other than 200.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered %d %s", e.status, http.StatusText(e.status))
}

// permanent reports a refusal that the next attempt would only repeat.
func (e *proxyError) permanent() bool {
	return e.status/100 == 4 && e.status != http.StatusRequestTimeout && e.status != http.StatusTooManyRequests
}

type dialAddr struct{ network, address string }

func (a dialAddr) Network() string { return a.network }
func (a dialAddr) String() string  { return a.address }

// dialError marks a failure before the request left.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// timeoutError is one of aplomb's own timeouts running out.
type timeoutError struct {
	what  string
	after time.Duration
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("%s timeout after %s", e.what, brief(e.after))
}
func (e *timeoutError) Timeout() bool        { return true }
func (e *timeoutError) Temporary() bool      { return true }
func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// totalTimeout is the timeout of a whole call.
const totalTimeout = "total"

// timed sends r on next and gives up when the server is silent for too long.
// It sits below auth, so that fetching a token costs an attempt no time.
type timed struct {
	next     http.RoundTripper
	header   time.Duration
	idleRead time.Duration
}

// newTimed bounds nothing where t is nil; it still watches the body.
func newTimed(next http.RoundTripper, t *Timeouts) *timed {
	if t == nil {
		return &timed{next: next}
	}
	d := t.withDefaults()
	return &timed{next: next, header: d.ResponseHeader, idleRead: d.IdleRead}
}

func (t *timed) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	a, err := attemptOf(r)
	if err != nil {
		return nil, err
	}
	var timer *time.Timer
	if t.header > 0 {
		timer = time.AfterFunc(t.header, func() { a.cancel(&timeoutError{"response header", t.header}) })
		defer timer.Stop()
	}
	var up *upload // nil without a body
	if r.Body != nil && r.Body != http.NoBody {
		up = &upload{touched: &a.touched, timer: timer, silence: t.header}
		defer func() { up.done(err != nil) }()
		r = up.watch(r)
	}
	if a.race != nil {
		a.race.arm()
	}
	resp, err = normalise(t.next.RoundTrip(r))
	if err != nil {
		return nil, up.blame(ownCause(r.Context(), err))
	}
	if t.idleRead > 0 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body = &idleBody{body: resp.Body, ctx: r.Context(), cancel: a.cancel, after: t.idleRead}
	}
	return resp, nil
}

// upload watches the bodies of one request, of which net/http may open a second
// when a kept connection turns out dead. It notes that a body was asked for, and
// starts the wait for the response header anew with each part, but not while
// the body's own source is read.
type upload struct {
	touched *atomic.Bool
	silence time.Duration

	mu     sync.Mutex
	broken error       // of a body's own source
	timer  *time.Timer // nil once the wait is over, or where there is none
	first  uploadBody
	opened []*uploadBody // in its place
}

type uploadBody struct {
	io.ReadCloser
	up     *upload
	used   atomic.Bool // read or closed
	closed atomic.Bool
}

// watch is r with its bodies watched.
func (u *upload) watch(r *http.Request) *http.Request {
	own := *r
	u.first.ReadCloser, u.first.up = r.Body, u
	own.Body = &u.first
	if r.GetBody != nil {
		own.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			again := &uploadBody{ReadCloser: body, up: u}
			u.mu.Lock()
			defer u.mu.Unlock()
			u.opened = append(u.opened, again)
			return again, nil
		}
	}
	return &own
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.used.Store(true)
	b.up.touched.Store(true)
	b.up.hold(0)
	n, err := b.ReadCloser.Read(p)
	b.up.hold(b.up.silence)
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

// hold stops the timer, or starts it anew for d.
func (u *upload) hold(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.timer == nil {
		return
	}
	u.timer.Stop()
	if d > 0 {
		u.timer.Reset(d)
	}
}

// done ends the wait: the transport may go on reading after an early answer.
// Bodies that were opened for nothing are closed: net/http drops one that it
// opened for an HTTP/2 connection which turns out to be gone.
func (u *upload) done(failed bool) {
	u.hold(0)
	u.mu.Lock()
	u.timer = nil
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

// ownCause names the reason for which the context ended, ours or the caller's:
// HTTP/2 reports no more than that it did.
func ownCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if _, ok := errors.AsType[*timeoutError](cause); ok || cause != nil && err == ctx.Err() { //nolint:errorlint // a dial's error says more
		return cause
	}
	return err
}

// idleBody ends a response whose body falls silent.
type idleBody struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  time.Duration
	timer  atomic.Pointer[time.Timer]
}

func (b *idleBody) Read(p []byte) (int, error) {
	timer := b.timer.Load()
	if timer == nil {
		timer = time.AfterFunc(b.after, func() { b.cancel(&timeoutError{"idle read", b.after}) })
		b.timer.Store(timer)
	} else {
		timer.Reset(b.after)
	}
	n, err := b.body.Read(p)
	timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = ownCause(b.ctx, err)
	}
	return n, err
}

func (b *idleBody) Close() error {
	if timer := b.timer.Load(); timer != nil {
		timer.Stop()
	}
	return b.body.Close()
}

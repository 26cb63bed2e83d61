package aplomb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
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

// boundDial limits dial to d and marks its failures.
func boundDial(dial dialFunc, d time.Duration) dialFunc {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return (&dialer{dial, &timeoutError{what: "connect", after: d}}).connect
}

type dialer struct {
	dial dialFunc
	late *timeoutError
}

// connect dials. Its failures prove that nothing of the request was sent.
func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	dctx, cancel := context.WithTimeoutCause(ctx, d.late.after, d.late)
	defer cancel()
	conn, err := d.dial(dctx, network, addr)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() == nil && dctx.Err() != nil {
		err = &net.OpError{Op: "dial", Net: network, Addr: dialAddr{network, addr}, Err: d.late}
	}
	return nil, &dialError{err}
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

// ownCause names the reason for which the context ended, ours or the caller's:
// HTTP/2 reports no more than that it did.
func ownCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if _, ok := errors.AsType[*timeoutError](cause); ok || cause != nil && err == ctx.Err() { //nolint:errorlint // a dial's error says more
		return cause
	}
	return err
}

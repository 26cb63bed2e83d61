package aplomb

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// Client calls one HTTP API. [New] makes it; it is safe for concurrent use,
// and one per API is what most programs want. [Get], [Post] and the other typed
// calls take it; [Client.Do], [Client.HTTPClient] and [Client.Transport] put
// the same stack under an SDK or a generated client.
type Client struct {
	stack *stack
	http  *http.Client
}

// New returns a client for the API at baseURL, such as "https://api.acme.example"
// or "https://api.acme.example/v2". Without options it already has the standard
// stack: timeouts, safe retries with a budget, a circuit breaker per host,
// pacing by the server's rate-limit headers, bounded bodies and redacted
// errors. User and password in the URL become Basic authentication.
//
// A faulty option is an error that says how to mend it; nothing panics.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := parseBase("New", baseURL)
	if err != nil {
		return nil, err
	}
	cfg := config{base: base}
	if err := cfg.apply(standard()); err != nil {
		return nil, err
	}
	if auth, ok := userinfoAuth(base); ok {
		cfg.auths = []Auth{auth}
		base.User = nil
	}
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	return newClient(cfg, nil)
}

// standard is what New does when it is told nothing.
func standard() []Option { return []Option{Retry{}, Breaker{}, RateLimit{}, Timeouts{}} }

// parseBase checks a base URL; who names the option in errors.
func parseBase(who, baseURL string) (*url.URL, error) {
	u, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("aplomb: %s: the base URL cannot be parsed: write scheme://host/path", who)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("aplomb: %s: %s: the base URL must begin with https:// or http://", who, redact.Text(fmt.Sprintf("%q", baseURL), 120))
	case u.Hostname() == "":
		return nil, fmt.Errorf("aplomb: %s: the base URL names no host", who)
	case strings.ContainsAny(baseURL, "{}"):
		return nil, fmt.Errorf("aplomb: %s: the base URL has a { or }: templates are for the paths of calls", who)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("aplomb: %s: the base URL has a query or fragment: give parameters with Query, a key with APIKeyQuery", who)
	}
	return u, nil
}

// newClient builds a client; shared is the stack whose state it joins, nil for
// state of its own.
func newClient(cfg config, shared *stack) (*Client, error) {
	if cfg.name == "" {
		cfg.name = cfg.base.Host
	}
	s, err := newStack(cfg, shared)
	if err != nil {
		return nil, err
	}
	return &Client{stack: s, http: &http.Client{Transport: s}}, nil
}

// With returns a client with opts laid over c's. It shares c's connections,
// limiter, breaker, bulkhead and budget, unless opts name that struct.
func (c *Client) With(opts ...Option) (*Client, error) {
	if c == nil || c.stack == nil {
		return nil, errNoClient
	}
	cfg := *c.stack.cfg
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	return newClient(cfg, c.stack)
}

// Do sends req through the stack and keeps net/http's contract: a status other
// than 2xx is a response with its body intact and a nil error, also after the
// last retry. It is what generated clients ask for. A req.URL without a host
// is a path below the base URL. A body is sent again only if req.GetBody can
// open it anew, as http.NewRequest arranges for buffers and strings. The caller
// closes the response's body.
//
// Errors are [*CallError], without the URL that net/http would print.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if c == nil || c.stack == nil {
		return nil, errNoClient
	}
	if req == nil || req.URL == nil {
		return nil, errors.New("aplomb: Do: the request is nil or has no URL")
	}
	call, err := c.stack.newForeignCall(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	ctx := call.enter(req.Context())
	out := inContext(ctx, req)
	if out.URL.Host == "" {
		query, path := out.URL.RawQuery, strings.TrimPrefix(out.URL.EscapedPath(), "/")
		out.URL, call.url = &call.url, *c.stack.cfg.base
		if err := setPath(out.URL, c.stack.homePath+"/"+path); err != nil {
			closeBody(req)
			return nil, call.invalid(err)
		}
		out.URL.RawQuery = query
	}
	defer call.unwind(ctx)
	call.begin(ctx)
	resp, err := c.http.Do(out)
	if err != nil {
		err = call.fail(err)
	}
	call.done(ctx, err)
	return resp, err
}

// HTTPClient returns an *http.Client over the same stack, for SDKs that take
// one. It keeps net/http's contract as [Client.Do] does. Let the SDK have no
// retries of its own, else attempts multiply. Its errors are net/http's
// *url.Error, which print the request's URL.
func (c *Client) HTTPClient() *http.Client { return &http.Client{Transport: c.Transport()} }

// Name is what the client is called in errors, logs and metrics.
func (c *Client) Name() string {
	if c == nil || c.stack == nil {
		return ""
	}
	return c.stack.cfg.name
}

// errNoClient is what the zero Client and a nil one answer with.
var errNoClient = errors.New("aplomb: no Client: make one with aplomb.New, and look at its error")

// Format keeps fmt from printing the settings, which may hold secrets.
func (c *Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "aplomb.Client("+c.stack.cfg.name+")")
}

// Transport returns the stack as a RoundTripper.
func (c *Client) Transport() http.RoundTripper {
	if c == nil || c.stack == nil {
		return RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			closeBody(r)
			return nil, errNoClient
		})
	}
	return c.stack
}

// CloseIdleConnections closes the connections that are not in use.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.http != nil {
		c.http.CloseIdleConnections()
	}
}

// Wrap puts the behaviours that opts name around next, and no others, in the
// one right order and sharing one verdict. It is how a behaviour is mounted
// alone:
//
//	rt, err := aplomb.Wrap(http.DefaultTransport, aplomb.Retry{})
//
// An [Auth] among them needs its Origins, since there is no base URL.
func Wrap(next http.RoundTripper, opts ...Option) (http.RoundTripper, error) {
	if isNil(next) {
		return nil, errors.New("aplomb: Wrap: nil http.RoundTripper")
	}
	cfg := config{transport: &givenTransport{next}}
	given := cfg.transport
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	if cfg.transport != given {
		return nil, errors.New("aplomb: Wrap: leave out Transport: next is the transport")
	}
	if err := cfg.standsAlone(); err != nil {
		return nil, err
	}
	return newStack(cfg, nil)
}

// standsAlone refuses what has no effect without a base URL or a typed call.
func (c *config) standsAlone() error {
	for i := range c.auths {
		if len(c.auths[i].Origins) == 0 {
			return errors.New("aplomb: Wrap: set Auth.Origins: without a base URL nothing else says where the credential may go")
		}
	}
	name := c.typedOnly()
	switch {
	case c.header != nil:
		name = "Header"
	case c.query != nil:
		name = "Query"
	case c.expect != nil:
		name = "Expect"
	case c.maxBody != 0:
		name = "MaxBody"
	case c.decoders != nil:
		name = "ErrorDecoder"
	}
	if name != "" {
		return fmt.Errorf("aplomb: Wrap: %s has no effect here: use New, or set it on the request", name)
	}
	return nil
}

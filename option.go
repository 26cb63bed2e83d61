package aplomb

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Option is a setting of a [Client], given to [New], [Client.With] or [Wrap].
// A behaviour with knobs is a struct whose zero value is the recommended
// setting; a single value is a plain function; switching off has its own word.
//
// For a client alone:
//
//	Breaker{}       circuit breaker per host              on: half of 20 attempts in 10 s; off: NoBreaker
//	Bulkhead{}      requests in flight per host           off by default: 64, and 64 waiting; off: NoBulkhead
//	RateLimit{}     told rate, quota gate and pacing      on: no rate, gates and pacing; off: NoRateLimit
//	Fleet{}         limits shared with other replicas     off by default
//	Timeouts{}      connect, TLS, header and idle read    on: 5 s, 5 s, 30 s, 30 s
//	Logging{}       debug lines, Deprecation warnings     off by default
//	Hooks{}         functions called on events            none by default
//	Transport       the base http.RoundTripper            a private http.Transport by default
//	TrustDate       ServerTime learns over http too       https only by default
//	PerCall         middleware around the whole call      none by default
//	PerAttempt      middleware around each attempt        none by default
//	Name            the client's name in errors and logs  the base URL's host by default
//	Options         several options as one
//	Once            an option that may be given twice
//
// For a client, a context ([NewContext]) and one call alike, each a [RequestOption]:
//
//	Retry{}         attempts, backoff, budget             on: 4 attempts, 200 ms to 20 s, 10 %; off: NoRetry
//	Hedge{}         one extra attempt when slow           off by default: after the p95; off: NoHedge
//	Idempotency{}   a key for every unsafe request        off by default
//	Auth{}          the credential                        none by default; off: NoAuth
//	                (AuthFunc, APIKey, APIKeyQuery, Bearer, Basic, Digest, OAuth2, Sign)
//	&Tokens{}       a token that is fetched and kept      none by default; package oauth makes them
//	JWT{}           a token signed here                   none by default
//	Judge           refines an attempt's verdict          none by default
//	ErrorDecoder    reads an API's own error body         common shapes are read by default
//	Timeout         of a whole typed call                 60 s unless the context has a deadline
//	MaxBody         of a typed call's answer              32 MiB; an item of a Stream 8 MiB
//	Expect          the statuses of success               any 2xx
//	Codec{}         writes and reads JSON                 encoding/json
//	Header, Query, Path
//
// What is for one call or its context only is a [CallOption]: JSON, Form, Body,
// BodyOnce, Gzip, URL, BaseURL, IdempotencyKey, Safe, Capture, Operation, Traceparent,
// Resume, Prefetch, AtMost, CallOptions.
//
// Where one setting is given twice the later wins; a struct replaces the whole
// struct; Header and Query replace by name; middlewares, hooks and judges add
// up in order; error decoders are asked newest first. Credentials that use
// different headers or parameters add up; those of a call replace its client's.
type Option interface {
	applyClient(*config) error
}

// CallOption is a setting of one call, or, through [NewContext], of the calls
// made with a context. Each [RequestOption] is one too.
//
// Typed calls take: call, then inner context, then outer context, then client.
// [Client.Do] and [Client.HTTPClient] take: context, then the request's own
// headers, then client.
type CallOption interface {
	applyCall(*settings) error
}

// RequestOption is a setting of a client, a context or a call alike.
type RequestOption interface {
	Option
	CallOption
}

// A field is a name and its value; for a header an empty value deletes.
type field struct{ name, value string }

// A param is a query parameter and what it is set to; no value removes it.
type param struct {
	name   string
	values []string
}

// config is everything New, With and Wrap were told.
type config struct {
	settings
	name       string
	base       *url.URL
	transport  *givenTransport
	breaker    *Breaker
	bulkhead   builder
	rateLimit  *RateLimit
	fleet      founder
	timeouts   *Timeouts
	logging    journalist
	hooks      []listener
	audience   func(config) audience // that hooks make; nil without
	once       []any                 // keys of options that are here
	perCall    []Middleware
	perAttempt []Middleware
	trustDate  bool
	keyed      bool // a function of the user's groups attempts
}

// apply lays opts over c. Credentials among opts replace those c had before.
func (c *config) apply(opts []Option) error {
	inherited := c.auths
	c.auths = nil
	err := c.lay("option", opts)
	c.inherit(inherited)
	return err
}

func (c *config) lay(what string, opts []Option) error {
	for i, o := range opts {
		if isNil(o) {
			return nilOption(what, i)
		}
		if err := o.applyClient(c); err != nil {
			return err
		}
	}
	return nil
}

// apply lays opts over s, as config.apply does.
func (s *settings) apply(opts []CallOption) error {
	inherited := s.auths
	s.auths = nil
	err := s.lay("request option", opts)
	s.inherit(inherited)
	return err
}

func (s *settings) lay(what string, opts []CallOption) error {
	for i, o := range opts {
		if isNil(o) {
			return nilOption(what, i)
		}
		if err := o.applyCall(s); err != nil {
			return err
		}
	}
	return nil
}

// inherit puts back the credentials that s had, if none were named since.
func (s *settings) inherit(auths []Auth) {
	if s.auths == nil && !s.noAuth {
		s.auths = auths
	}
}

func nilOption(what string, i int) error {
	return fmt.Errorf("aplomb: %s %d is nil: leave it out", what, i+1)
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Interface:
		return r.IsNil()
	default:
		return false
	}
}

// callOption is a CallOption made from a function over settings, and
// requestOption one that is as good for a client.
type (
	callOption    func(*settings) error
	requestOption func(*settings) error
)

func (o callOption) applyCall(s *settings) error { return o(s) }

func (o requestOption) applyCall(s *settings) error { return o(s) }
func (o requestOption) applyClient(c *config) error { return o(&c.settings) }

// clientOption is an Option made from a function over config.
type clientOption func(*config) error

func (o clientOption) applyClient(c *config) error { return o(c) }

// Header sets a request header, replacing one of that name; an empty value
// removes it. As a client's option it is a default that goes to the client's
// own origin and those of [Auth].Origins only, never to the target of a redirect
// elsewhere.
func Header(name, value string) RequestOption {
	return requestOption(func(s *settings) error {
		if !validHeader(name) {
			return fmt.Errorf("aplomb: Header: %q is not a header name", name)
		}
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection":
			return fmt.Errorf("aplomb: Header: net/http sets %s itself; here it would have no effect", name)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("aplomb: Header: the value of %s has a line break; trim it", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		var others []field
		for _, f := range s.header {
			if f.name != canonical {
				others = append(others, f)
			}
		}
		s.header = others
		s.header = append(s.header, field{canonical, value})
		return nil
	})
}

func validHeader(name string) bool { return name != "" && !strings.ContainsAny(name, " \t\r\n:") }

// Query sets a query parameter, replacing one of that name. Several values
// make a repeated parameter; none removes it.
func Query(name string, values ...string) RequestOption {
	return requestOption(func(s *settings) error {
		if name == "" {
			return errors.New("aplomb: Query: the parameter has no name")
		}
		s.query = append(slices.Clip(s.query), param{name, slices.Clone(values)})
		return nil
	})
}

// Path gives the value of {name} in a path template. The value is escaped as
// one segment: a slash in it does not make two.
func Path(name, value string) RequestOption {
	return requestOption(func(s *settings) error {
		if name == "" {
			return errors.New("aplomb: Path: the value has no name")
		}
		if s.path == nil {
			s.pathOne[0] = field{name, value}
			s.path = s.pathOne[:]
			return nil
		}
		s.path = append(slices.Clip(s.path), field{name, value})
		return nil
	})
}

// URL sends a typed call to this address, such as one found in a response,
// instead of the path, which still names the operation. A relative address is
// resolved against the base URL. The client's credential and default headers
// go there only if the origin is allowed (see [Auth]).
func URL(address string) CallOption {
	return callOption(func(s *settings) error {
		if address == "" {
			return errors.New("aplomb: URL: the address is empty")
		}
		s.target = address
		return nil
	})
}

// BaseURL sends a typed call below another base URL than the client's, for APIs
// that have several hosts: uploads, files, a log-in. The client's credential and
// default headers go there only if the origin is allowed (see [Auth]).
func BaseURL(address string) CallOption {
	return callOption(func(s *settings) error {
		u, err := parseBase("BaseURL", address)
		if err == nil && u.User != nil {
			err = errors.New("aplomb: BaseURL: the address has a user: credentials are for Auth")
		}
		s.baseURL = u
		return err
	})
}

// IdempotencyKey sends key with every attempt and redirect of the call, which
// makes an unsafe request safe to resend (law 1). It belongs to one logical
// call: use your own order or payment id. In [NewContext] the first call takes
// it, and a second call with the same context is an error.
func IdempotencyKey(key string) CallOption {
	return callOption(func(s *settings) error {
		if key == "" || len(key) > 255 || strings.ContainsAny(key, "\r\n\x00") {
			return errors.New("aplomb: IdempotencyKey: want 1 to 255 characters without line breaks")
		}
		s.key, s.keyOwner = key, nil
		return nil
	})
}

// Timeout bounds the whole call: every attempt, wait and the reading of the
// body. A context with an earlier deadline wins. Typed calls have 60 s without
// it; [Open], [Stream], [Client.Do] and [Client.HTTPClient], which may last, have none.
func Timeout(d time.Duration) RequestOption {
	return requestOption(func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("aplomb: Timeout: %v is not a positive duration", d)
		}
		if d < time.Microsecond {
			return fmt.Errorf("aplomb: Timeout: %v: did you mean %d*time.Second?", d, d)
		}
		s.timeout = d
		return nil
	})
}

// Safe says that sending the request twice does no harm although its method
// allows changes: a GraphQL query or a search by POST.
func Safe() CallOption {
	return callOption(func(s *settings) error { s.safe = true; return nil })
}

// Capture stores what is known of the response in *r, on success and on
// failure. It is filled when a typed call returns; by way of [NewContext] also
// when a request of an SDK has its response headers.
func Capture(r *Response) CallOption {
	return callOption(func(s *settings) error {
		if r == nil {
			return errors.New("aplomb: Capture: nil *Response")
		}
		s.capture = append(slices.Clip(s.capture), r)
		return nil
	})
}

// Expect names the statuses that a typed call takes for success, instead of
// any 2xx. [ErrorDecoder] runs for the others.
func Expect(statuses ...int) RequestOption {
	return requestOption(func(s *settings) error {
		if len(statuses) == 0 {
			return errors.New("aplomb: Expect names no status: leave it out for any 2xx")
		}
		for _, code := range statuses {
			if code < 100 || code > 999 {
				return fmt.Errorf("aplomb: Expect: %d is not an HTTP status", code)
			}
		}
		s.expect = slices.Clone(statuses)
		return nil
	})
}

// MaxBody bounds the response body of a typed call in bytes, counted after
// decompression, and one item of a [Stream]; more is [ErrTooLarge]. Default 32 MiB,
// and 8 MiB for an item. [Open], Client.Do and HTTPClient stream, and are not bounded.
func MaxBody(n int64) RequestOption {
	return requestOption(func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("aplomb: MaxBody: %d is not a positive number of bytes", n)
		}
		s.maxBody = n
		return nil
	})
}

// Operation names what the call does, such as "orders.list", in errors, logs
// and metrics, instead of its method and path template. Use few names: they
// become metric labels.
func Operation(name string) CallOption {
	return callOption(func(s *settings) error {
		if name == "" {
			return errors.New("aplomb: Operation: the name is empty")
		}
		s.operation = name
		return nil
	})
}

// Resume starts an iterator at the page that cursor names: a [Page.Cursor] kept
// from an earlier run.
func Resume(cursor string) CallOption {
	return callOption(func(s *settings) error { s.resume = cursor; return nil })
}

// Prefetch lets an iterator fetch the next page while the caller works on the
// current one. Leaving the loop cancels a fetch under way; it may already have
// reached the server. Under [Follow], next and [Capture] then run ahead of the
// loop, so only next may read what was captured.
func Prefetch() CallOption {
	return callOption(func(s *settings) error { s.prefetch = true; return nil })
}

// AtMost ends an iterator over pages after n items. No page is fetched that none of them
// is on, also with [Prefetch]. The size of a page is the API's own parameter.
func AtMost(n int) CallOption {
	return callOption(func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("aplomb: AtMost: %d is not a positive number of items", n)
		}
		s.atMost = n
		return nil
	})
}

// Name is what the client is called in errors, logs and metrics. Default: the
// host of the base URL.
func Name(name string) Option {
	return clientOption(func(c *config) error {
		if name == "" {
			return errors.New("aplomb: Name: the name is empty")
		}
		c.name = name
		return nil
	})
}

// Transport makes rt the base of the stack. An *http.Transport is cloned, so
// that its dialer, proxy and TLS settings hold and [Timeouts] apply as well;
// any other RoundTripper is used as it is and keeps its own connect timeouts.
func Transport(rt http.RoundTripper) Option {
	return clientOption(func(c *config) error {
		if isNil(rt) {
			return errors.New("aplomb: Transport: nil http.RoundTripper")
		}
		c.transport = &givenTransport{rt}
		return nil
	})
}

// givenTransport is a pointer so that With can tell whether it was replaced:
// a RoundTripper itself need not be comparable.
type givenTransport struct{ http.RoundTripper }

// Options bundles opts into one Option: a preset. It keeps its own copy.
func Options(opts ...Option) Option {
	own := slices.Clone(opts)
	return clientOption(func(c *config) error {
		return c.lay("bundled option", own)
	})
}

// Once is opt for the first of those with one key that a client is given, and nothing
// for the others. An SDK and the program around it may both have the client counted;
// package monitor, for one, does it with the monitor as the key.
func Once(key any, opt Option) Option {
	return clientOption(func(c *config) error {
		if slices.Contains(c.once, key) {
			return nil
		}
		c.once = append(slices.Clip(c.once), key)
		return opt.applyClient(c)
	})
}

// CallOptions bundles opts into one CallOption. It keeps its own copy.
func CallOptions(opts ...CallOption) CallOption {
	own := slices.Clone(opts)
	return callOption(func(s *settings) error {
		return s.lay("bundled option", own)
	})
}

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
//	Breaker{}       circuit breaker per host              on by default; off: NoBreaker
//	RateLimit{}     told rate, quota gate and pacing      on by default; off: NoRateLimit
//	Timeouts{}      connect, TLS, header and idle read    on by default
//	Logging{}       debug lines, Deprecation warnings     off by default
//	Hooks{}         functions called on events            none by default
//	Transport       the base http.RoundTripper            a private http.Transport by default
//	PerCall         middleware around the whole call      none by default
//	PerAttempt      middleware around each attempt        none by default
//	Name            the client's name in errors and logs  the base URL's host by default
//	Options         several options as one
//
// For a client, a context ([NewContext]) or one call alike; see [RequestOption]:
//
//	Retry{}         attempts, backoff, budget             on by default; off: NoRetry
//	Idempotency{}   a key for every unsafe request        off by default
//	Auth{}          the credential                        none by default; off: NoAuth
//	                (AuthFunc, APIKey, APIKeyQuery, Bearer, Basic, OAuth2)
//	Judge           refines an attempt's verdict          none by default
//	ErrorDecoder    reads an API's own error body         common shapes are read by default
//	Header, Query, Path, JSON, Form, Body, URL, IdempotencyKey, Timeout, Safe,
//	Capture, Expect, MaxBody, Operation, Resume, Prefetch, CallOptions
//
// Where one setting is given twice the later wins; a struct replaces the whole
// struct; Header and Query replace by name; middlewares, hooks and judges add
// up in order; error decoders are asked newest first. Credentials given side
// by side add up, and those of a call replace those of its client.
type Option interface {
	applyClient(*config) error
}

// RequestOption is an [Option] that may also be given for one call or, through
// [NewContext], for the calls made with a context.
//
// Typed calls take: call, then inner context, then outer context, then client.
// [Client.Do] and [Client.HTTPClient] take: context, then the request's own
// headers, then client.
type RequestOption interface {
	Option
	applyCall(*settings) error
}

// settings are what can be said for a client, a context and a call alike.
// The zero value says nothing.
type settings struct {
	header      []field
	query       []param
	path        []field
	payload     *payload
	target      string
	key         string
	timeout     time.Duration
	retry       *Retry
	noRetry     bool
	idempotency *Idempotency
	auths       []Auth
	noAuth      bool
	safe        bool
	capture     []*Response
	expect      []int
	maxBody     int64
	operation   string
	decoders    []ErrorDecoder
	judges      []Judge
	resume      string
	prefetch    bool
	listing     bool // set by the iterators, for which alone resume and prefetch are
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
	rateLimit  *RateLimit
	timeouts   *Timeouts
	logging    *Logging
	hooks      []Hooks
	perCall    []Middleware
	perAttempt []Middleware
}

// apply lays opts over c. Credentials among opts replace those c had before.
func (c *config) apply(opts []Option) error {
	inherited := c.auths
	c.auths = nil
	for i, o := range opts {
		if isNil(o) {
			return fmt.Errorf("aplomb: option %d is nil: leave it out, or use the option's off word", i+1)
		}
		if err := o.applyClient(c); err != nil {
			return err
		}
	}
	if c.auths == nil && !c.noAuth {
		c.auths = inherited
	}
	return nil
}

// apply lays opts over s, as config.apply does.
func (s *settings) apply(opts []RequestOption) error {
	inherited := s.auths
	s.auths = nil
	for i, o := range opts {
		if isNil(o) {
			return fmt.Errorf("aplomb: request option %d is nil: leave it out", i+1)
		}
		if err := o.applyCall(s); err != nil {
			return err
		}
	}
	if s.auths == nil && !s.noAuth {
		s.auths = inherited
	}
	return nil
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

// requestOption is a RequestOption made from a function over settings.
type requestOption struct {
	set func(*settings) error
	// callOnly names an option that would be meaningless as a client's default.
	callOnly string
}

func (o *requestOption) applyCall(s *settings) error { return o.set(s) }

func (o *requestOption) applyClient(c *config) error {
	if o.callOnly != "" {
		return fmt.Errorf("aplomb: %s is for one call, not for a client: pass it to Get, Post, Call or NewContext", o.callOnly)
	}
	return o.set(&c.settings)
}

// clientOption is an Option made from a function over config.
type clientOption func(*config) error

func (o clientOption) applyClient(c *config) error { return o(c) }

// Header sets a request header, replacing one of that name; an empty value
// removes it. As a client's option it is a default that goes to the client's
// own origin only, never to the target of a redirect elsewhere.
func Header(name, value string) RequestOption {
	return &requestOption{set: func(s *settings) error {
		if name == "" || strings.ContainsAny(name, " \t\r\n:") {
			return fmt.Errorf("aplomb: Header: %q is not a header name", name)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("aplomb: Header: the value of %s has a line break; trim it", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		s.header = slices.DeleteFunc(slices.Clone(s.header), func(f field) bool { return f.name == canonical })
		s.header = append(s.header, field{canonical, value})
		return nil
	}}
}

// Query sets a query parameter, replacing one of that name. Several values
// make a repeated parameter; none removes it.
func Query(name string, values ...string) RequestOption {
	return &requestOption{set: func(s *settings) error {
		if name == "" {
			return errors.New("aplomb: Query: the parameter has no name")
		}
		s.query = append(slices.Clip(s.query), param{name, values})
		return nil
	}}
}

// Path gives the value of {name} in a path template. The value is escaped as
// one segment: a slash in it does not make two.
func Path(name, value string) RequestOption {
	return &requestOption{set: func(s *settings) error {
		s.path = append(slices.Clip(s.path), field{name, value})
		return nil
	}}
}

// URL sends a typed call to this address, such as one found in a response,
// instead of the path, which still names the operation. A relative address is
// resolved against the base URL. The client's credential and default headers
// go there only if the origin is allowed (see [Auth]).
func URL(address string) RequestOption {
	return &requestOption{callOnly: "URL", set: func(s *settings) error {
		if address == "" {
			return errors.New("aplomb: URL: the address is empty")
		}
		s.target = address
		return nil
	}}
}

// IdempotencyKey sends key with every attempt and redirect of the call, which
// makes an unsafe request safe to resend (law 1). It belongs to one logical
// call: use your own order or payment id. In [NewContext] the first call takes
// it, and a second call with the same context is an error.
func IdempotencyKey(key string) RequestOption {
	return &requestOption{callOnly: "IdempotencyKey", set: func(s *settings) error {
		if key == "" || len(key) > 255 || strings.ContainsAny(key, "\r\n\x00") {
			return errors.New("aplomb: IdempotencyKey: want 1 to 255 characters without line breaks")
		}
		s.key = key
		return nil
	}}
}

// Timeout bounds the whole call: every attempt, wait and the reading of the
// body. A context with an earlier deadline wins. Typed calls have 60 s without
// it; [Client.Do] and [Client.HTTPClient], which may stream, have none.
func Timeout(d time.Duration) RequestOption {
	return &requestOption{set: func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("aplomb: Timeout: %v is not a positive duration", d)
		}
		s.timeout = d
		return nil
	}}
}

// Safe says that sending the request twice does no harm although its method
// allows changes: a GraphQL query or a search by POST.
func Safe() RequestOption {
	return &requestOption{callOnly: "Safe", set: func(s *settings) error { s.safe = true; return nil }}
}

// Capture stores what is known of the response in *r, on success and on
// failure. It is filled when a typed call returns; by way of [NewContext] also
// when a request of an SDK has its response headers.
func Capture(r *Response) RequestOption {
	return &requestOption{callOnly: "Capture", set: func(s *settings) error {
		if r == nil {
			return errors.New("aplomb: Capture: nil *Response")
		}
		s.capture = append(slices.Clip(s.capture), r)
		return nil
	}}
}

// Expect names the statuses that a typed call takes for success, instead of
// any 2xx. [ErrorDecoder] runs for the others.
func Expect(statuses ...int) RequestOption {
	return &requestOption{set: func(s *settings) error {
		for _, code := range statuses {
			if code < 100 || code > 999 {
				return fmt.Errorf("aplomb: Expect: %d is not an HTTP status", code)
			}
		}
		s.expect = statuses
		return nil
	}}
}

// MaxBody bounds the response body of a typed call in bytes, counted after
// decompression; more is [ErrTooLarge]. Default 32 MiB.
func MaxBody(n int64) RequestOption {
	return &requestOption{set: func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("aplomb: MaxBody: %d is not a positive number of bytes", n)
		}
		s.maxBody = n
		return nil
	}}
}

// Operation names what the call does, such as "orders.list", in errors, logs
// and metrics, instead of its method and path template. Use few names: they
// become metric labels.
func Operation(name string) RequestOption {
	return &requestOption{callOnly: "Operation", set: func(s *settings) error {
		if name == "" {
			return errors.New("aplomb: Operation: the name is empty")
		}
		s.operation = name
		return nil
	}}
}

// Resume starts an iterator at the page that cursor names: a [Page.Cursor] kept
// from an earlier run.
func Resume(cursor string) RequestOption {
	return &requestOption{callOnly: "Resume", set: func(s *settings) error { s.resume = cursor; return nil }}
}

// Prefetch lets an iterator fetch the next page while the caller works on the
// current one. Leaving the loop cancels a fetch under way; it may already have
// reached the server.
func Prefetch() RequestOption {
	return &requestOption{callOnly: "Prefetch", set: func(s *settings) error { s.prefetch = true; return nil }}
}

// Name is what the client is called in errors, logs and metrics. Default: the
// host of the base URL.
func Name(name string) Option {
	return clientOption(func(c *config) error { c.name = name; return nil })
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
	own := append([]Option(nil), opts...)
	return clientOption(func(c *config) error { return applyAll(own, func(o Option) error { return o.applyClient(c) }) })
}

// CallOptions bundles opts into one RequestOption. It keeps its own copy.
func CallOptions(opts ...RequestOption) RequestOption {
	return requestOptions(append([]RequestOption(nil), opts...))
}

type requestOptions []RequestOption

func (b requestOptions) applyCall(s *settings) error {
	return applyAll(b, func(o RequestOption) error { return o.applyCall(s) })
}

func (b requestOptions) applyClient(c *config) error {
	return applyAll(b, func(o RequestOption) error { return o.applyClient(c) })
}

func applyAll[O Option](opts []O, apply func(O) error) error {
	for i, o := range opts {
		if isNil(o) {
			return fmt.Errorf("aplomb: option %d of a bundle is nil: leave it out", i+1)
		}
		if err := apply(o); err != nil {
			return err
		}
	}
	return nil
}

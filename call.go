package aplomb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
	"github.com/aplomb-go/aplomb/internal/redact"
)

// Get fetches path and decodes the answer into a T. See [Call].
func Get[T any](ctx context.Context, c *Client, path string, opts ...CallOption) (T, error) {
	return Call[T](ctx, c, http.MethodGet, path, opts...)
}

// Post sends a POST to path, with the body of [JSON], [Form] or [Body]. See [Call].
func Post[T any](ctx context.Context, c *Client, path string, opts ...CallOption) (T, error) {
	return Call[T](ctx, c, http.MethodPost, path, opts...)
}

// Put sends a PUT to path. See [Call].
func Put[T any](ctx context.Context, c *Client, path string, opts ...CallOption) (T, error) {
	return Call[T](ctx, c, http.MethodPut, path, opts...)
}

// Patch sends a PATCH to path. See [Call].
func Patch[T any](ctx context.Context, c *Client, path string, opts ...CallOption) (T, error) {
	return Call[T](ctx, c, http.MethodPatch, path, opts...)
}

// Delete sends a DELETE to path. See [Call].
func Delete[T any](ctx context.Context, c *Client, path string, opts ...CallOption) (T, error) {
	return Call[T](ctx, c, http.MethodDelete, path, opts...)
}

// Call sends method to path, relative to the base URL, and decodes the JSON
// answer into a T. Most callers want [Get], [Post], [Put], [Patch] or [Delete].
//
// The path may be a template such as "/v1/orders/{id}": [Path] gives the
// values, each escaped as one segment, and the template is the operation's name
// in errors, logs and metrics. With T = []byte or json.RawMessage the answer is
// the body as it came; struct{} discards it.
//
// The whole body is read within the attempt, up to [MaxBody], so that one cut
// short is a failure like any other and is retried where that is safe.
//
// A status outside [Expect] is an [*APIError] or what an [ErrorDecoder] made of
// it; a body that is not a T is a [*DecodeError]; anything that kept the call
// from an answer is a [*CallError].
func Call[T any](ctx context.Context, c *Client, method, path string, opts ...CallOption) (T, error) {
	var v T
	err := c.call(ctx, method, path, opts, &v)
	return v, err
}

// Response is what [Capture] tells of a call's last response. Its body went
// into the typed result or error.
type Response struct {
	StatusCode int
	Header     http.Header
	// RequestID is the server's name for the request.
	RequestID string
	// Attempts is how many requests were sent.
	Attempts int
	// Elapsed is the time from the call's start, waits included.
	Elapsed time.Duration

	url     *url.URL // the last request's, for relative links
	attempt *Attempt
}

// Format prints the status line of the response for every verb: its headers may
// hold a cookie or a token.
func (r Response) Format(f fmt.State, verb rune) { formatLine(f, verb, r.summary()) }

// LogValue is what slog prints.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.summary()) }

// MarshalJSON gives the safe fields.
func (r Response) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"status": r.StatusCode, "request_id": r.RequestID, "attempts": r.Attempts})
}

func (r Response) summary() string {
	return "status " + strconv.Itoa(r.StatusCode) + spent(r.RequestID, r.Attempts, r.Elapsed)
}

// Redact returns text, such as a message found in the body, without anything
// that the request carried and that may be secret, and without what looks like
// a key, a token or a card number: fit for an error or a log line.
func (r Response) Redact(text string) string { return redact.Text(text, 0, secretsOf(r.attempt)...) }

// RetryAfter is how long the server asked to wait, whatever the status: by
// Retry-After (RFC 9110, section 10.2.3), retry-after-ms or x-ms-retry-after-ms.
// It is 0 if the server did not ask.
func (r Response) RetryAfter() time.Duration {
	d, _ := header.RetryAfter(r.Header, time.Now())
	return d
}

// Link is the address that the response links to with this relation (RFC 8288),
// made absolute; "" if there is none.
func (r Response) Link(rel string) string {
	link, ok := header.LinkRel(r.Header, rel)
	if !ok {
		return ""
	}
	return r.Resolve(link)
}

// Resolve makes an address found in the response, such as its Location, absolute
// (RFC 3986, section 5); "" is the response's own. It returns "" for what is no
// address, or if there was no response.
func (r Response) Resolve(ref string) string {
	if r.url == nil {
		return ""
	}
	u, err := r.url.Parse(ref)
	if err != nil {
		return ""
	}
	return u.String()
}

// call is one logical call: its settings and what has come of it so far. It
// travels in the request's context, through PerCall and PerAttempt
// middlewares and through the redirects that http.Client follows above.
type call struct {
	settings
	stack     *stack
	id        uint64 // where hooks tell it apart
	method    string
	operation string
	typed     bool
	addressed bool        // its query is whole: the request was made from a template
	started   atomic.Bool // the first request of the call has entered the stack
	start     time.Time
	patient   bool     // the caller set no deadline of any kind
	origin    origin   // of the call's first request
	allowed   []origin // origins beside the client's own that its credentials may go to

	mu    sync.Mutex // guards attempts and trial, while a hedged round is under way
	trial trial      // of another secret

	hops     int  // redirects followed
	finished bool // the last answer is not one to follow
	attempts int  // requests sent
	retries  int  // of them, to repeat a failure
	hedged   bool // one of them was a hedge
	spent    oneShot
	last     *Attempt
	stopped  string    // why there was no further attempt
	readyAt  time.Time // when there could have been one
	waited   time.Duration

	began time.Time // of the hop that hooks are being told of
	told  telling   // what earlier hops' events have counted
	heard int       // how many hooks know of the hop
}

// telling is what of a call was told.
type telling struct {
	attempts int
	waited   time.Duration
}

// newCall starts a logical call: the client's settings with own laid over.
func (s *stack) newCall(own settings, method, path string) *call {
	c := &call{stack: s, method: method, start: time.Now()}
	c.settings = own.over(s.cfg.settings)
	c.operation = own.operation
	if c.operation == "" {
		c.operation = method + " " + path
	}
	for i := range c.auths {
		c.allowed = append(c.allowed, c.auths[i].origins...)
	}
	if len(s.watch.hooks) > 0 {
		c.id = calls.Add(1)
	}
	return c
}

// over lays s over the client's settings, as far as they are shared state of
// the call; headers and query are laid where a request is built.
func (s settings) over(client settings) settings {
	if s.retry == nil && !s.noRetry {
		s.retry = client.retry
	}
	if s.hedge == nil && !s.noHedge {
		s.hedge = client.hedge
	}
	if s.idempotency == nil {
		s.idempotency = client.idempotency
	}
	if s.auths == nil && !s.noAuth {
		s.auths = client.auths
	}
	if s.expect == nil {
		s.expect = client.expect
	}
	if s.codec == nil {
		s.codec = client.codec
	}
	s.timeout = orDefault(s.timeout, client.timeout)
	s.maxBody = orDefault(s.maxBody, client.maxBody)
	s.judges = behind(client.judges, s.judges)
	s.decoders = behind(client.decoders, s.decoders)
	return s
}

// behind is first with then after it, which most often is nothing.
func behind[E any](first, then []E) []E {
	if len(then) == 0 {
		return slices.Clip(first)
	}
	return slices.Concat(first, then)
}

// call makes a typed call and decodes the answer into v.
func (c *Client) call(ctx context.Context, method, path string, opts []CallOption, v any) error {
	accept := "application/json"
	switch v.(type) {
	case *[]byte:
		accept = ""
	case *http.Response, **http.Response:
		return errors.New("aplomb: an http.Response is no result of a typed call: use Client.Do, T = []byte, or Capture")
	}
	return c.exchange(ctx, method, path, accept, opts, func(a *answer, body []byte) error { return a.decode(body, v) })
}

// An answer is a successful typed call's response, with its body apart.
type answer struct {
	Response
	call *call
	want string // a format other than JSON, "" for that
}

// exchange makes a typed call and hands its body to decode.
func (c *Client) exchange(ctx context.Context, method, path, accept string, opts []CallOption, decode func(*answer, []byte) error) error {
	call, own, err := c.newCall(ctx, method, path, opts)
	if err != nil {
		return err
	}
	call.typed = true
	ctx, cancel := call.bound(context.WithValue(ctx, callKey{}, call))
	defer cancel()
	req, err := call.request(ctx, method, path, accept, own)
	if err != nil {
		return call.invalid(err)
	}
	defer call.unwind(ctx)
	call.begin(ctx)
	ans, body, err := call.run(c.http, req)
	if err == nil {
		err = decode(ans, body)
	}
	call.done(ctx, err)
	return err
}

// newCall begins a call by a path template, with the settings of its own.
func (c *Client) newCall(ctx context.Context, method, path string, opts []CallOption) (*call, settings, error) {
	if c == nil || c.stack == nil {
		return nil, settings{}, errNoClient
	}
	if method != strings.ToUpper(method) || method == "" {
		return nil, settings{}, fmt.Errorf("aplomb: %q is not a method: write it in capitals, such as GET", method)
	}
	own, err := callSettings(ctx, opts)
	if err != nil {
		return nil, settings{}, err
	}
	if (own.resume != "" || own.prefetch || own.atMost != 0) && !own.listing {
		return nil, settings{}, errors.New("aplomb: Resume, Prefetch and AtMost are for Items, Pages and Follow: this is no list of pages; leave the loop of a Stream")
	}
	return c.stack.newCall(own, method, path), own, nil
}

// callSettings are what the context and the call itself say.
func callSettings(ctx context.Context, opts []CallOption) (settings, error) {
	var own settings
	if ctx == nil {
		return own, errors.New("aplomb: nil context.Context: pass context.Background()")
	}
	outer, _ := ctx.Value(contextKey{}).(*contextOptions)
	if err := outer.applyTo(&own); err != nil {
		return own, err
	}
	if err := own.apply(opts); err != nil {
		return own, err
	}
	if own.retry != nil && own.retry.Budget != defaultBudget {
		return own, errors.New("aplomb: Retry.Budget belongs to the client: leave it out of a call's Retry")
	}
	return own, nil
}

// foreignSettings are those of a request that net/http built: what would have
// to change it cannot take effect there. What is about decoding has its effect
// on the typed calls made with the same context.
func foreignSettings(ctx context.Context) (settings, error) {
	own, err := callSettings(ctx, nil)
	if err != nil {
		return own, err
	}
	if name := own.typedOnly(); name != "" {
		return own, fmt.Errorf("aplomb: %s in a NewContext has no effect on a request that an SDK or net/http builds: leave it out, or make a typed call", name)
	}
	return own, nil
}

// typedOnly names a setting that makes a request, which only typed calls do.
func (s *settings) typedOnly() string {
	switch {
	case s.payload != nil:
		return "JSON, Form or Body"
	case s.zip != nil:
		return "Gzip"
	case s.target != "":
		return "URL"
	case s.home != nil:
		return "BaseURL"
	case s.path != nil:
		return "Path"
	case s.resume != "" || s.prefetch || s.atMost != 0:
		return "Resume, Prefetch or AtMost"
	}
	return ""
}

// bound puts the total timeout on ctx: the caller's Timeout, else the
// context's own deadline, else 60 s for a typed call.
func (c *call) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	total := c.timeout
	_, ok := ctx.Deadline()
	c.patient = !ok && total == 0
	if total == 0 && (ok || !c.typed) {
		return ctx, func() {}
	}
	late := errUsualTotal
	if total != 0 {
		late = &timeoutError{totalTimeout, total}
	}
	return context.WithTimeoutCause(ctx, late.after-time.Since(c.start), late)
}

// errUsualTotal is the total timeout's error where the default holds.
var errUsualTotal = &timeoutError{totalTimeout, defaultTotal}

// request builds the request of a typed call; accept is the Accept header
// unless the call or its client sets one.
func (c *call) request(ctx context.Context, method, path, accept string, own settings) (*http.Request, error) {
	u, err := c.address(path)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{Method: method, URL: u, Host: u.Host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if _, given := lastField(c.stack.cfg.header, "Accept"); accept != "" && !given {
		req.Header.Set("Accept", accept)
	}
	for _, h := range own.header {
		setOrDelete(req.Header, h)
	}
	if err := own.payload.attachTo(req, c.codec, own.zip); err != nil {
		return nil, err
	}
	return req, nil
}

func setOrDelete(h http.Header, f field) {
	if f.value == "" {
		h.Del(f.name)
		return
	}
	h.Set(f.name, f.value)
}

// run sends the request, follows redirects and judges the final status.
func (c *call) run(client *http.Client, req *http.Request) (*answer, []byte, error) {
	resp, err := client.Do(req)
	ans := &answer{call: c}
	if err != nil {
		if resp != nil {
			closeResponse(resp)
		}
		return ans, nil, c.fail(err)
	}
	body := c.last.body // read within the attempt
	closeResponse(resp)
	ans.Response = c.response()
	if !c.expects(resp.StatusCode) {
		return ans, nil, c.apiError(resp, body)
	}
	return ans, body, nil
}

// response is what is known of the call's last response.
func (c *call) response() Response {
	r := Response{Attempts: c.attempts, Elapsed: time.Since(c.start)}
	if c.last != nil && c.last.Response != nil {
		resp := c.last.Response
		r.StatusCode, r.Header, r.RequestID = resp.StatusCode, resp.Header, requestID(resp.Header)
		r.url, r.attempt = c.last.Request.URL, c.last
	}
	return r
}

func (c *call) expects(status int) bool {
	if c.expect != nil {
		return slices.Contains(c.expect, status)
	}
	return status/100 == 2
}

func closeResponse(resp *http.Response) {
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
}

// stop notes why there is no further attempt, for the error's hint.
func (c *call) stop(why string) bool {
	c.stopped = why
	return false
}

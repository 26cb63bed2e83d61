package aplomb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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

// call makes a typed call and decodes the answer into v.
func (c *Client) call(ctx context.Context, method, path string, opts []CallOption, v any) error {
	accept := jsonType
	switch v.(type) {
	case *[]byte:
		accept = ""
	case *http.Response, **http.Response:
		return errors.New("aplomb: an http.Response is no result of a typed call: use Client.Do, T = []byte, or Capture")
	}
	return c.exchange(ctx, method, path, accept, opts, func(a *answer, body []byte) error { return a.decode(body, v) })
}

// exchange makes a typed call and hands its body to decode.
func (c *Client) exchange(ctx context.Context, method, path, accept string, opts []CallOption, decode func(*answer, []byte) error) error {
	call, err := c.newCall(ctx, method, path, opts)
	if err != nil {
		return err
	}
	call.typed = true
	own := call.enter(ctx)
	own.deadline, own.late = call.term(ctx)
	defer own.end()
	ctx = own
	req, err := call.newRequest(ctx, accept)
	if err != nil {
		return call.invalid(err)
	}
	defer call.unwind(ctx)
	call.begin(ctx)
	ans, body, err := call.run(req)
	if err == nil {
		err = decode(ans, body)
	}
	call.done(ctx, err)
	return err
}

// call is one logical call: its settings and what has come of it so far. It
// travels in the request's context, through PerCall and PerAttempt
// middlewares and through the redirects that http.Client follows above.
type call struct {
	settings
	stack     *stack
	id        uint64 // where hooks tell it apart
	method    string
	template  *template   // of its path; a request that net/http built has one for its name alone
	started   atomic.Bool // the first request of the call has entered the stack
	typed     bool
	addressed bool // Open's: the request is whole, though it goes by net/http's door
	borrows   bool // the request's header is not its own: that of all typed calls, or the caller's
	patient   bool // the caller set no deadline of any kind
	finished  bool // the last answer is not one to follow
	hedged    bool // one of the requests sent was a hedge
	spent     oneShot
	start     time.Time
	origin    origin   // of the call's first request
	allowed   []origin // origins beside the client's own that its credentials may go to

	mu    sync.Mutex // guards attempts and trial, while a hedged round is under way
	trial trial      // of another secret

	hops     int // redirects followed
	attempts int // requests sent
	retries  int // of them, to repeat a failure
	last     *Attempt
	stopped  string    // why there was no further attempt
	readyAt  time.Time // when there could have been one
	waited   time.Duration

	began   time.Time // of the hop that hooks are being told of
	counted tally     // in earlier hops' events
	heard   int       // how many hooks know of the hop

	// In one piece with the call, since each has one and few have another. What keeps one
	// of them, such as a Response, keeps the call.
	context callContext
	first   Attempt
	answer  answer
	request http.Request
	url     url.URL
}

// tally is what of a call was told.
type tally struct {
	attempts int
	waited   time.Duration
}

// newCall begins a call by a path template, with the settings of its own.
func (c *Client) newCall(ctx context.Context, method, path string, opts []CallOption) (*call, error) {
	if c == nil || c.stack == nil {
		return nil, errNoClient
	}
	if method != strings.ToUpper(method) || method == "" {
		return nil, fmt.Errorf("aplomb: %q is not a method: write it in capitals, such as GET", method)
	}
	call, err := c.stack.newCall(ctx, method, path, opts)
	if err == nil && (call.resume != "" || call.prefetch || call.atMost != 0) && !call.listing {
		return nil, errors.New("aplomb: Resume, Prefetch and AtMost are for Items, Pages and Follow: this is no list of pages; leave the loop of a Stream")
	}
	return call, err
}

// newCall starts a logical call: the client's settings with those of ctx and opts
// laid over.
func (s *stack) newCall(ctx context.Context, method, path string, opts []CallOption) (*call, error) {
	c := &call{stack: s, method: method, start: time.Now()}
	if err := c.read(ctx, opts); err != nil {
		return nil, err
	}
	c.fillFrom(&s.cfg.settings)
	_, hurried := ctx.Deadline()
	c.patient = !hurried && c.timeout == 0
	c.template = s.templates.of(method, path)
	if c.operation == "" {
		c.operation = c.template.operation
	}
	for i := range c.auths {
		c.allowed = append(c.allowed, c.auths[i].origins...)
	}
	if s.watch.hooks != nil {
		c.id = calls.Add(1)
	}
	return c, nil
}

// newForeignCall starts the call of a request that net/http built: a setting that
// would have to change it cannot take effect there. What is about decoding has its
// effect on the typed calls made with the same context.
func (s *stack) newForeignCall(r *http.Request) (*call, error) {
	c, err := s.newCall(r.Context(), methodOf(r), routeOf(r.URL), nil)
	if err != nil {
		return nil, err
	}
	if name := c.typedOnly(); name != "" {
		return nil, fmt.Errorf("aplomb: %s in a NewContext has no effect on a request that an SDK or net/http builds: leave it out, or make a typed call", name)
	}
	return c, nil
}

// term is when the call ends at the latest, and what is said then: by Timeout, else 60 s
// for a typed call whose caller set no deadline. Zero is no sooner end than ctx's.
func (c *call) term(ctx context.Context) (deadline time.Time, late *timeoutError) {
	switch {
	case c.timeout != 0:
		late = &timeoutError{totalTimeout, c.timeout}
	case c.typed && c.patient:
		late = errUsualTotal
	default:
		return time.Time{}, nil
	}
	deadline = c.start.Add(late.after)
	if outer, ok := ctx.Deadline(); ok && !deadline.Before(outer) {
		return time.Time{}, nil
	}
	return deadline, late
}

// boundHop is the context of one request that net/http built: to the end of its body,
// where the call has a term.
func (c *call) boundHop(ctx context.Context) (context.Context, func()) {
	deadline, late := c.term(ctx)
	if late == nil {
		return ctx, func() {}
	}
	own := c.enter(ctx)
	own.deadline, own.late = deadline, late
	return own, own.end
}

// errUsualTotal is the total timeout's error where the default holds.
var errUsualTotal = &timeoutError{totalTimeout, defaultTotal}

// run sends the request, follows redirects and judges the final status.
func (c *call) run(req *http.Request) (*answer, []byte, error) {
	resp, err := c.stack.RoundTrip(req)
	if err == nil && redirects(resp) {
		resp, err = c.follow(req, resp)
	}
	if err != nil {
		if resp != nil {
			closeResponse(resp)
		}
		return nil, nil, c.fail(err)
	}
	body := c.last.body // read within the attempt
	closeResponse(resp)
	if !c.expects(resp.StatusCode) {
		return nil, nil, c.apiError(resp, body)
	}
	c.answer = answer{response: resp, call: c}
	return &c.answer, body, nil
}

func (c *call) expects(status int) bool {
	if c.expect != nil {
		return slices.Contains(c.expect, status)
	}
	return status/100 == 2
}

// stop notes why there is no further attempt, for the error's hint.
func (c *call) stop(why string) bool {
	c.stopped = why
	return false
}

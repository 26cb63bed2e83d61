package aplomb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
)

// stack is the whole of aplomb as one http.RoundTripper, so that an
// *http.Client, an SDK and a generated client all get all of it. doc.go draws
// its order: newStack nests the layers, try and perform walk through an attempt.
type stack struct {
	cfg      *config // a pointer, since fmt follows none in a field: it may hold secrets
	root     *config // what New was told, handed down through every With, for Explain
	home     origin
	homeKey  string
	homePath string  // of the base URL, escaped, for another to be put behind it
	budget   float64 // what a success earns
	watch    watchers
	perCall  http.RoundTripper // PerCall middlewares, then keyedRequest and retry
	attempt  http.RoundTripper // PerAttempt middlewares, then wire
	wire     *wire             // auth, timeouts, base
	base     http.RoundTripper
	retry    *retrying

	notices *notices
	plain   *plainHeaders // of typed calls that add nothing to them; nil: each has its own

	// Shared by With, unless it names the struct.
	breakers  *breakers
	bulkheads places // nil without Bulkhead
	limits    *limits
	fleet     replicas
	budgets   *keyed[*budget]
	latencies *keyed[*latency]
	clocks    *keyed[*serverClock]
	templates *templates
}

func newStack(cfg config, shared *stack) (*stack, error) {
	if cfg.fleet != nil && cfg.rateLimit == nil && cfg.breaker == nil {
		return nil, errors.New("aplomb: Fleet has nothing to share: add RateLimit{} or Breaker{}, or leave Fleet out")
	}
	s := &stack{cfg: &cfg, budget: defaultBudget, notices: newNotices()}
	if cfg.base != nil {
		s.home = originOf(cfg.base)
		s.homeKey, s.homePath = s.home.String(), pathOf(cfg.base)
	}
	if cfg.retry != nil {
		s.budget = cfg.retry.Budget
	}
	if err := s.secureOrigins(); err != nil {
		return nil, err
	}
	s.watch = newWatchers(cfg)
	s.plain = cfg.plainHeaders()
	s.root = s.cfg
	if shared != nil {
		s.root = shared.root
	}
	if err := s.share(shared); err != nil {
		return nil, err
	}
	var err error
	s.wire = newWire(s.base, cfg.timeouts)
	if s.attempt, err = chain(s.wire, cfg.perAttempt); err != nil {
		return nil, err
	}
	s.retry = &retrying{next: RoundTripFunc(s.send), random: rand.Float64}
	s.perCall, err = chain(&keyedRequest{s.retry}, cfg.perCall)
	return s, err
}

// secureOrigins refuses an origin over http for the credential of a client of
// https (law 4); on loopback nobody listens.
func (s *stack) secureOrigins() error {
	for i := range s.cfg.auths {
		for _, o := range s.cfg.auths[i].origins {
			if s.home.scheme == "https" && o.scheme == "http" && !loopback(o.host) {
				return fmt.Errorf("aplomb: Auth.Origins: %s: a credential of https must not travel over http", o)
			}
		}
	}
	return nil
}

// share takes over the state of the stack that With was called on, or makes
// its own where the settings differ.
func (s *stack) share(from *stack) error {
	if from == nil {
		from = &stack{cfg: &config{}, fleet: alone{}, budgets: newKeyed(maxKeys, newBudget), latencies: newLatencies(), clocks: newClocks(), templates: &templates{}}
	}
	s.budgets, s.breakers, s.limits, s.fleet, s.base = from.budgets, from.breakers, from.limits, from.fleet, from.base
	s.bulkheads, s.latencies, s.clocks, s.templates = from.bulkheads, from.latencies, from.clocks, from.templates
	if s.cfg.bulkhead != from.cfg.bulkhead {
		s.bulkheads = nil
		if s.cfg.bulkhead != nil {
			s.bulkheads = s.cfg.bulkhead.build()
		}
	}
	if s.cfg.rateLimit != from.cfg.rateLimit {
		s.limits = newLimits(s.cfg.rateLimit)
	}
	if s.cfg.fleet != from.cfg.fleet {
		s.fleet = s.cfg.fleet.found(s.cfg.name)
	}
	if s.cfg.breaker != from.cfg.breaker || s.fleet != from.fleet { // a breaker has the fleet's advice
		s.breakers = newBreakers(s.cfg.breaker, s.cfg.timeouts, s.fleet)
	}
	if s.cfg.retry != nil && from.cfg.retry != nil && s.cfg.retry != from.cfg.retry {
		s.budgets = newKeyed(maxKeys, newBudget)
	}
	if s.base != nil && s.cfg.transport == from.cfg.transport && s.cfg.timeouts == from.cfg.timeouts {
		return nil
	}
	if s.cfg.timeouts == nil { // Wrap: the transport as it is
		s.base = s.cfg.transport.RoundTripper
		return nil
	}
	var err error
	s.base, err = s.cfg.baseTransport()
	return err
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (s *stack) CloseIdleConnections() {
	if base, ok := s.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// RoundTrip sends one request: a whole typed call's, or one hop of it.
func (s *stack) RoundTrip(r *http.Request) (*http.Response, error) {
	c, owner, err := s.callOf(r)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	ctx, cancel := c.contextFor(r)
	if owner {
		defer c.unwind(ctx)
		c.begin(ctx)
	}
	before := c.last
	resp, err := normalise(s.hop(ctx, c, r))
	sent := c.last
	if sent == before {
		sent = nil
	}
	if err == nil && !sent.brought(resp) {
		err = c.adopt(ctx, r, resp, sent)
	}
	if err != nil {
		sent.end()
		err = c.fail(err)
	}
	if owner {
		c.done(ctx, err)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	c.finished = !redirects(resp)
	resp.Request = r
	if ctx != r.Context() {
		resp.Request = inContext(ctx, r) // the next hop finds its call here
	}
	if !c.typed {
		resp.Body = newCallBody(resp, c.last, cancel)
	}
	return resp, nil
}

// contextFor is the context of r's hop, with the call in it; end lets go of what it adds.
func (c *call) contextFor(r *http.Request) (ctx context.Context, end func()) {
	ctx = r.Context()
	if callFrom(ctx) != c {
		ctx = c.enter(ctx)
	}
	if c.typed {
		return ctx, func() {}
	}
	return c.boundHop(ctx)
}

// brought reports that resp is a's own, body and all.
func (a *Attempt) brought(resp *http.Response) bool {
	return a != nil && a.Response == resp && (!a.call.typed || resp.Body == &a.memory)
}

// end lets go of an attempt whose response nobody reads. Nil is none.
func (a *Attempt) end() {
	if a != nil {
		a.cancel(nil)
	}
}

// discard ends an attempt and closes its response. Nil is none.
func (a *Attempt) discard() {
	a.end()
	if a != nil && a.Response != nil {
		closeResponse(a.Response)
	}
}

// adopt takes a response that a PerCall middleware made or changed, such as a
// cache's, as if an attempt had brought it. What is known of the one that was
// sent beneath, nil if none was, holds for it: its body may still be that one's.
func (c *call) adopt(ctx context.Context, r *http.Request, resp *http.Response, sent *Attempt) error {
	a := c.newAttempt(inContext(ctx, r))
	a.Number, a.Response, a.returned = c.attempts, resp, true
	c.last = a
	if sent != nil {
		a.beneath = sent
		a.wire.Store(sent.wire.Load())
		a.attached.Store(sent.attached.Load())
		a.carries, a.renewal = sent.carriedSecrets(), sent.renewalError()
	}
	if c.typed {
		if a.Err = a.readBody(); a.Err != nil {
			a.Response = nil
		}
	}
	a.Verdict = classify(a)
	if sent != nil {
		a.Verdict.Code = sent.Verdict.Code
	}
	return a.Err
}

// callOf finds the logical call that r belongs to: begun by Call or Do and
// entering the stack now, an earlier hop's, or a new one, of which RoundTrip is
// then the owner.
func (s *stack) callOf(r *http.Request) (c *call, owner bool, err error) {
	if r.Response != nil && r.Response.Request != nil {
		if c := callFrom(r.Response.Request.Context()); c != nil && c.stack == s && !c.finished {
			c.hops++
			return c, callFrom(r.Context()) != c, nil
		}
	}
	if c := callFrom(r.Context()); c != nil && c.stack == s && !c.started.Swap(true) {
		return c, false, nil
	}
	if c, err = s.newForeignCall(r); err != nil {
		return nil, false, err
	}
	c.started.Store(true)
	if first := firstOf(r); first != r {
		// A hop whose call was lost on the way, since a RoundTripper above gave
		// the response a Request of its own; or a request taken from an answer
		// and used again. The origin rule holds all the same.
		c.origin = originOf(first.URL)
		c.hops = 1
	}
	return c, true, nil
}

// methodOf is a request's method, which net/http has be GET if it is empty.
func methodOf(r *http.Request) string { return cmp.Or(r.Method, http.MethodGet) }

// firstOf is the request that a chain of redirects began with.
func firstOf(r *http.Request) *http.Request {
	for r.Response != nil && r.Response.Request != nil && r.Response.Request.URL != nil {
		r = r.Response.Request
	}
	return r
}

// hop sends one request of the call with the headers it may carry.
func (s *stack) hop(ctx context.Context, c *call, r *http.Request) (*http.Response, error) {
	if r.URL == nil {
		closeBody(r)
		return nil, errors.New("aplomb: the request has no URL")
	}
	out := r
	switch {
	case ctx == r.Context() && c.ownsRequest():
	case c.request.URL == nil: // a call that net/http made leaves it empty
		out = &c.request
		putInContext(ctx, r, out)
	default:
		out = inContext(ctx, r)
	}
	if c.hops > 0 {
		kept, err := c.redirectPolicy(r)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		out.Header = kept
	} else {
		c.origin = s.originOf(r.URL)
		if !c.typed { // whose request is our own
			s.lend(c, out)
		}
	}
	if out.Header == nil {
		out.Header = http.Header{}
	}
	s.defaults(c, out)
	return s.perCall.RoundTrip(out)
}

// lend gives a hop of net/http's door a header of its own where somebody may add to it;
// else the caller's will do, which the wire copies.
func (s *stack) lend(c *call, out *http.Request) {
	if s.cfg.wrapped() || c.header != nil || s.cfg.header != nil {
		out.Header = cloned(out.Header)
		return
	}
	c.borrows = true
}

// defaults lays the context's headers and query over a request that did not
// come from a typed call, and the client's under any that goes home or where its
// credential may go.
func (s *stack) defaults(c *call, out *http.Request) {
	to := s.originOf(out.URL)
	if !c.typed && to == c.origin {
		for _, h := range c.header {
			setOrDelete(out.Header, h)
		}
		if c.hops == 0 && len(c.query) > 0 && !c.addressed {
			u := *out.URL
			setQuery(&u, c.query)
			out.URL = &u
		}
	}
	if to != s.home && !slices.Contains(c.allowed, to) {
		return
	}
	if !c.typed && !c.addressed && c.hops == 0 && to == s.home {
		defaultQuery(out, s.cfg.query)
	}
	for _, h := range s.cfg.header {
		if _, own := out.Header[h.name]; !own && !c.removed(h.name) {
			setOrDelete(out.Header, h)
		}
	}
}

// defaultQuery adds the client's parameters that the request has none of.
func defaultQuery(out *http.Request, params []param) {
	if len(params) == 0 {
		return
	}
	u := *out.URL
	setQuery(&u, lacking(u.RawQuery, params))
	out.URL = &u
}

// removed reports a header that the call or its context took out.
func (c *call) removed(name string) bool {
	v, ok := lastField(c.header, name)
	return ok && v == ""
}

// callBody is the body of a response given to net/http's door. A failure of it
// comes after the verdict; it is counted, and never retried.
type callBody struct {
	io.ReadCloser
	attempt *Attempt
	end     func()
	once    sync.Once
}

// upgradedBody is the connection that a 101 hands over; it is written to as
// well.
type upgradedBody struct {
	callBody
	io.Writer
}

func newCallBody(resp *http.Response, a *Attempt, end func()) io.ReadCloser {
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		return &upgradedBody{callBody{ReadCloser: conn, attempt: a, end: end}, conn}
	}
	return &callBody{ReadCloser: resp.Body, attempt: a, end: end}
}

func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(func() {
			if err != io.EOF {
				b.attempt.bodyFailed(err)
			}
			b.finish()
		})
	}
	return n, err
}

func (b *callBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.finish)
	return err
}

func (b *callBody) finish() {
	b.attempt.cancel(nil)
	b.end()
}

// Format keeps fmt from printing the settings, which may hold secrets.
func (s *stack) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "aplomb.Transport("+s.cfg.name+")")
}

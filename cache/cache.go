package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Cache keeps answers of one client's APIs. [New] makes it, and its Middleware goes
// into [aplomb.PerCall]. It is safe for concurrent use.
type Cache struct {
	settings Settings
	store    guarded
	flights  flights
	counts   counts
	epochs   [4096]atomic.Uint32 // of addresses, by what their keys begin with: raised by an invalidation

	own speaker // of Middleware

	closing context.Context
	stop    context.CancelFunc
	mu      sync.Mutex // orders pending.Add before Close's Wait
	slots   chan struct{}
	pending sync.WaitGroup
}

// Settings are a [Cache]'s. The zero value is the recommended one.
type Settings struct {
	// MaxEntry bounds a body that is kept, in bytes, after decompression. Default 4 MiB.
	// A longer one goes to the caller all the same. While it is being read a body
	// costs up to twice that.
	MaxEntry int64
	// StaleIfError is for how long an answer that is no longer fresh is used instead
	// of an error: no connection, an open circuit, a quota used up, 500, 502, 503 or 504.
	// It is for servers that do not say so themselves (stale-if-error, RFC 5861), and
	// never for answers that must be validated. A call waits for the error as without a
	// cache, its retries included; an [aplomb.Timeout] makes that short. Default none.
	StaleIfError time.Duration
	// Answered is told of every answer, on the call's own goroutine. Default none.
	Answered func(context.Context, Event)
}

const (
	defaultMaxEntry = 4 << 20
	// maxRefreshes bounds how many answers are validated in the background at a
	// time; beyond it a stale one is handed out and asked for again the next time.
	maxRefreshes = 16
	// refreshTime bounds one of them.
	refreshTime = 30 * time.Second
)

// New makes a cache over store. A faulty setting is an error, and so is a [Memory]
// or a [Disk] that is another Cache's, whose credential may be another one.
func New(store Store, s Settings) (*Cache, error) {
	switch {
	case isNil(store):
		return nil, errors.New("cache: New: the Store is nil: use NewMemory or OpenDisk")
	case s.MaxEntry < 0 || s.StaleIfError < 0:
		return nil, errors.New("cache: New: MaxEntry and StaleIfError are not negative; leave them out for the defaults")
	case s.StaleIfError > 0 && s.StaleIfError < time.Microsecond:
		return nil, fmt.Errorf("cache: New: StaleIfError %v: did you mean %d*time.Second?", s.StaleIfError, s.StaleIfError)
	}
	if m, ok := store.(*Memory); ok && m.max <= 0 {
		return nil, fmt.Errorf("cache: New: a Memory of %d bytes holds nothing", m.max)
	}
	if s.MaxEntry == 0 {
		s.MaxEntry = defaultMaxEntry
	}
	if s, ok := store.(interface{ take() bool }); ok && !s.take() {
		return nil, errors.New("cache: New: the Store is another Cache's, and the answers of two credentials would mix: make one for each")
	}
	c := &Cache{settings: s, store: guarded{store: store}, slots: make(chan struct{}, maxRefreshes)}
	c.closing, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// isNil reports no store, also by a pointer to none.
func isNil(store Store) bool {
	v := reflect.ValueOf(store)
	return store == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// Middleware is an [aplomb.Middleware]. Its place is [aplomb.PerCall]: an answer
// from the cache then passes no queue, takes nothing of a quota and is no attempt,
// while a validation is a request like any other. It may also stand over any
// other transport, as http.Client's; then it is for the first that it is put over, and
// what goes through another one goes past it unless [As] says for whom it is.
func (c *Cache) Middleware(next http.RoundTripper) http.RoundTripper {
	return &transport{c, next, &c.own}
}

// For is the Middleware of a client whose own credentials, of [aplomb.New] or of
// [aplomb.Client.With], speak for the owner: a tenant, a user or an account, and not a
// secret. Clients of the same owner share its answers, however often they are made:
//
//	tenant, err := base.With(aplomb.Bearer(token), aplomb.PerCall(answers.For("tenant-1")))
//
// What it returns is for the first client that uses it, and for those of its With that
// name no credential. Requests with a credential of an [aplomb.NewContext] or of the
// call itself go past the cache as they do with Middleware, and [As] wins. An empty
// owner is Middleware.
func (c *Cache) For(owner string) aplomb.Middleware {
	if owner == "" {
		return c.Middleware
	}
	s := &speaker{owner: owner}
	return func(next http.RoundTripper) http.RoundTripper { return &transport{c, next, s} }
}

// Purge forgets every answer kept for the address, of whomever. The query is part of
// it: another query is another address.
func (c *Cache) Purge(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("cache: Purge: want an address such as https://api.acme.example/v1/orders")
	}
	return c.forget(ctx, c.store.visit(), addressKey(u))
}

// Close ends what is being validated in the background and waits for it. The
// cache goes on working without. The store is the caller's to close.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.pending.Wait()
	return nil
}

// Format prints counts and none of the answers.
func (c *Cache) Format(f fmt.State, _ rune) {
	s := c.Stats()
	_, _ = fmt.Fprintf(f, "cache.Cache(%d hits, %d validated, %d misses)", s.Hits, s.Validated, s.Misses)
}

// forget makes the answers of an address unreachable, also those that are on
// their way.
func (c *Cache) forget(ctx context.Context, store *visit, address string) error {
	c.epoch(address).Add(1)
	return store.remove(ctx, address)
}

func (c *Cache) epoch(address string) *atomic.Uint32 {
	first, _ := strconv.ParseUint(address[:3], 16, 12) // a key of our own
	return &c.epochs[first]
}

// transport is a Cache over one next.
type transport struct {
	cache   *Cache
	next    http.RoundTripper
	speaker *speaker
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (t *transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// RoundTrip answers from the cache or asks.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL == nil {
		return t.next.RoundTrip(r)
	}
	x := &exchange{transport: t, request: r, asked: parseControl(r.Header), store: t.cache.store.visit()}
	why := passes(r, x.asked)
	if why == "" {
		var known bool
		if x.owner, known = t.owner(r); !known {
			why = "credential"
		}
	}
	if why != "" {
		return t.pass(r, why)
	}
	x.address = addressKey(r.URL)
	x.epoch = t.cache.epoch(x.address).Load()
	return x.run()
}

// send asks the server. Of a transport of somebody's own it takes what http.Client
// would take.
func (t *transport) send(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	switch {
	case err != nil:
		return resp, err
	case resp == nil:
		return nil, errors.New("cache: the transport below gave neither an answer nor an error")
	case resp.Body == nil:
		resp.Body = http.NoBody
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	return resp, nil
}

// pass sends a request past the cache; what it may have changed is forgotten.
func (t *transport) pass(r *http.Request, why string) (*http.Response, error) {
	target := plain(r.URL)
	resp, err := t.send(r)
	if unsafeMethod(r.Method) {
		t.cache.invalidate(r.Context(), target, resp, err)
	}
	if err != nil {
		return resp, err
	}
	return t.cache.tell(r.Context(), resp, Event{Result: ResultBypass}, "fwd=bypass; detail="+why), nil
}

// plain is an address as one whose parts are told apart, and a copy: the next may
// not change the request's, but who knows. Nothing is known of one whose Opaque is
// no path.
func plain(u *url.URL) *url.URL {
	out := *u
	if u.Opaque == "" {
		return &out
	}
	at, err := url.Parse(u.RequestURI()) // what goes over the wire
	if err != nil {
		return &url.URL{Scheme: u.Scheme, Host: u.Host}
	}
	if at.Host == "" {
		at.Scheme, at.Host = u.Scheme, u.Host
	}
	return at
}

// invalidate forgets what an unsafe request may have changed (RFC 9111, section
// 4.4): its own address, whatever it was answered, and those that a success names
// on the same origin. A failure is no sign that nothing was changed: a gateway may
// have lost the answer, and a DELETE that is retried finds nothing any more.
func (c *Cache) invalidate(ctx context.Context, target *url.URL, resp *http.Response, err error) {
	store := c.store.visit()
	_ = c.forget(ctx, store, addressKey(target)) // the store's failure fails no call; it is counted
	if err != nil || resp.StatusCode >= 400 {
		return
	}
	for _, name := range []string{"Location", "Content-Location"} {
		ref := resp.Header.Get(name)
		if ref == "" {
			continue
		}
		if u, err := target.Parse(ref); err == nil && sameOrigin(u, target) {
			_ = c.forget(ctx, store, addressKey(u))
		}
	}
}

func sameOrigin(a, b *url.URL) bool {
	root := func(u *url.URL) string { return normalised(&url.URL{Scheme: u.Scheme, Host: u.Host}) }
	return root(a) == root(b)
}

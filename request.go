package aplomb

import (
	"context"
	"maps"
	"net/http"
)

// newRequest builds the request of a typed call; accept is the Accept header
// unless the call or its client sets one.
func (c *call) newRequest(ctx context.Context, accept string) (*http.Request, error) {
	u, err := c.address()
	if err != nil {
		return nil, err
	}
	req := &c.request
	putInContext(ctx, &http.Request{Method: c.method, URL: u, Host: u.Host, Header: c.newHeader(accept),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, req)
	if err := c.payload.attachTo(req, c.codec, c.zip); err != nil {
		return nil, err
	}
	return req, nil
}

// newHeader is the header that a typed call begins with: its own, or where it adds
// nothing that of all such calls, which nobody changes.
func (c *call) newHeader(accept string) http.Header {
	s := c.stack
	if c.typed && accept == jsonType && s.plain != nil && c.header == nil && c.zip == nil && c.target == "" && c.baseURL == nil {
		switch {
		case c.payload == nil:
			c.borrows = true
			return s.plain.bare
		case c.payload.contentType == jsonType:
			c.borrows = true
			return s.plain.json
		}
	}
	h := http.Header{}
	if _, given := lastField(s.cfg.header, "Accept"); accept != "" && !given {
		h.Set("Accept", accept)
	}
	for _, f := range c.header {
		setOrDelete(h, f)
	}
	return h
}

const jsonType = "application/json"

// plainHeaders are the headers of typed calls that add nothing to them, without a body
// and with one of JSON.
type plainHeaders struct{ bare, json http.Header }

// plainHeaders makes them; none where a middleware may change one, or they are not the
// same for all.
func (c *config) plainHeaders() *plainHeaders {
	if c.wrapped() {
		return nil
	}
	p := &plainHeaders{http.Header{"Accept": {jsonType}}, http.Header{}}
	for _, f := range c.header {
		if f.value == "" { // it is to be taken out of each
			return nil
		}
		p.bare[f.name] = []string{f.value}
	}
	maps.Copy(p.json, p.bare)
	p.json["Content-Type"] = []string{jsonType}
	return p
}

// wrapped reports middlewares, which may do with a request as they like.
func (c *config) wrapped() bool { return len(c.perCall) > 0 || len(c.perAttempt) > 0 }

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

func setOrDelete(h http.Header, f field) {
	if f.value == "" {
		h.Del(f.name)
		return
	}
	h.Set(f.name, f.value)
}

// headerField is the first value of a header by its canonical name: Header.Get without
// making the name canonical first.
func headerField(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// cloned and putInContext are calls, where net/http's own would be inlined into each of
// their callers, which makes every program larger.
//
//go:noinline
func cloned(h http.Header) http.Header { return h.Clone() }

// putInContext makes to a copy of r with another context, in a place that is there
// already.
//
//go:noinline
func putInContext(ctx context.Context, r, to *http.Request) { *to = *r.WithContext(ctx) }

// inContext is r with another context.
func inContext(ctx context.Context, r *http.Request) *http.Request {
	to := &http.Request{}
	putInContext(ctx, r, to)
	return to
}

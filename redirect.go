package aplomb

import (
	"fmt"
	"net/http"
	"slices"
)

// follow has http.Client follow a redirect, and those after it. It alone knows how;
// most answers are none, and are spared what it does for each request.
func (c *call) follow(req *http.Request, redirect *http.Response) (*http.Response, error) {
	client := http.Client{Transport: &replay{next: c.stack, first: redirect}}
	first := *req
	first.Header = c.callersHeader(req)
	return client.Do(&first)
}

// callersHeader is what of r's header was the call's own, which http.Client takes along
// to wherever a redirect leads: without the idempotency key and the client's fields,
// which the stack adds anew where they may go.
func (c *call) callersHeader(r *http.Request) http.Header {
	h := http.Header{}
	for _, name := range []string{"Accept", "Content-Type", "Content-Encoding"} {
		if _, client := lastField(c.stack.cfg.header, name); !client && r.Header[name] != nil {
			h[name] = r.Header[name]
		}
	}
	for _, f := range c.header {
		setOrDelete(h, f)
	}
	if c.payload != nil && c.payload.contentType != "" && h["Content-Type"] == nil {
		h.Set("Content-Type", c.payload.contentType)
	}
	return h
}

// replay gives a first result that is there already, then sends for real.
type replay struct {
	next  http.RoundTripper
	first *http.Response
	err   error
	over  bool
}

func (p *replay) RoundTrip(r *http.Request) (*http.Response, error) {
	if !p.over {
		p.over = true
		return p.first, p.err
	}
	return p.next.RoundTrip(r)
}

// redirects reports an answer that http.Client follows.
func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// harmless are the only headers of a caller that follow a redirect to another
// origin (law 4): no name list of secrets can be complete, so this one names
// what is known to hold none.
var harmless = []string{"Accept", "Accept-Encoding", "Accept-Language", "If-Range", "Range", "User-Agent"}

// foreign reports a request to another origin than the call's first one.
func (c *call) foreign(r *http.Request) bool { return originOf(r.URL) != c.origin }

// redirectPolicy checks a redirect hop and returns the headers it may carry.
// It is decided here, in the transport, because http.Client.CheckRedirect can
// neither see nor stop what a transport adds underneath.
func (c *call) redirectPolicy(hop *http.Request) (http.Header, error) {
	from, to := originOf(hop.Response.Request.URL), originOf(hop.URL)
	headers := cloned(hop.Header)
	headers.Del("Referer") // http.Client puts the previous URL in it, query and all
	switch {
	case from.scheme == "https" && to.scheme == "http":
		return nil, refuseRedirect(from, to, "it leaves https")
	case to == c.origin || slices.Contains(c.allowed, to):
		return headers, nil
	case hasBody(hop):
		return nil, refuseRedirect(from, to, "it would take the request body to another origin")
	case hop.Method != http.MethodGet && hop.Method != http.MethodHead:
		return nil, refuseRedirect(from, to, "a "+hop.Method+" does not follow to another origin")
	}
	kept := http.Header{}
	for _, name := range harmless {
		if v, ok := headers[name]; ok {
			kept[name] = v
		}
	}
	return kept, nil
}

func refuseRedirect(from, to origin, why string) error {
	return &refusal{why: fmt.Sprintf("redirect from %s to %s not followed: %s", from, to, why)}
}

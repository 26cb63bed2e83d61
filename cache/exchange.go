package cache

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb"
)

// exchange is one request that the cache may answer.
type exchange struct {
	*transport
	request *http.Request
	asked   control
	store   *visit
	owner   string
	address string // the key of its index
	epoch   uint32 // of the address, when the request began
	key     string // of the answer looked for, if there was an index
	why     string // that the request went on: RFC 9211's fwd
	quiet   bool   // nobody waits for the answer
}

func (x *exchange) ctx() context.Context { return x.request.Context() }

// run answers with what is stored, as far as it and the request allow.
func (x *exchange) run() (*http.Response, error) {
	e, now := x.lookup(), time.Now()
	switch {
	case e != nil && e.fits(x.asked, now):
		return x.serve(e, now, "hit"), nil
	case x.asked.has("only-if-cached"):
		return x.gatewayTimeout(), nil
	case x.request.Method == http.MethodHead:
		return x.head(e)
	case e != nil && e.fitsWhile(x.asked, now):
		x.refresh(e)
		return x.serve(e, now, "hit"), nil
	case demanding(x.asked): // it wants an answer newer than one that is on its way
		return x.forward(e, nil)
	}
	return x.together(e)
}

// serve hands out what is stored.
func (x *exchange) serve(e *entry, now time.Time, how string) *http.Response {
	result := ResultHit
	if e.ttl(now) <= 0 {
		result = ResultStale
	}
	resp := e.response(x.request, now)
	resp.Header.Set("X-From-Cache", "1")
	return x.tell(resp, Event{Result: result, Age: e.age(now)}, how+"; ttl="+wholeSeconds(e.ttl(now)))
}

// forward asks the server, for a validation if e has what it needs. It ends f, nil
// for none, when it is known what comes of it.
func (x *exchange) forward(e *entry, f *flight) (*http.Response, error) {
	handed := false
	defer func() {
		if !handed {
			f.end(lost, nil)
		}
	}()
	a, err := x.ask(x.conditional(e))
	if err != nil {
		if x.ctx().Err() == nil {
			f.end(alone, nil) // each has to see for itself
		}
		return x.failed(e, err)
	}
	switch {
	case e != nil && a.StatusCode == http.StatusNotModified && !e.matches(a.Header):
		discard(a.Response)
		x.drop()
		handed = true
		return x.forward(nil, f) // without a condition: it cannot come here again
	case e != nil && e.validated() && a.StatusCode == http.StatusNotModified:
		return x.validated(e, a, f), nil
	case e != nil && outage(a.StatusCode) && e.fitsError(x.asked, a.received, x.cache.settings.StaleIfError):
		f.end(alone, nil)
		discard(a.Response)
		return x.serve(e, a.received, "fwd="+x.why+"; fwd-status="+strconv.Itoa(a.StatusCode)+"; detail=stale-if-error"), nil
	}
	handed = x.take(e, a, f)
	return a.Response, nil
}

// ask sends r and notes the time.
func (x *exchange) ask(r *http.Request) (answer, error) {
	asked := time.Now()
	resp, err := x.send(r)
	return answer{resp, asked, time.Now()}, err
}

// failed answers for a server that did not.
func (x *exchange) failed(e *entry, err error) (*http.Response, error) {
	now := time.Now()
	if e == nil || errors.Is(x.ctx().Err(), context.Canceled) || errors.Is(err, aplomb.ErrNoCredential) ||
		!e.fitsError(x.asked, now, x.cache.settings.StaleIfError) {
		return nil, err
	}
	return x.serve(e, now, "fwd="+x.why+"; detail=stale-if-error"), nil
}

// conditional is the request with the validators of e (RFC 9111, section 4.3.1).
func (x *exchange) conditional(e *entry) *http.Request {
	if e == nil || !e.validated() {
		return x.request
	}
	r := x.request.WithContext(x.ctx()) // a copy
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if tag := e.Header.Get("ETag"); tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	if modified := e.Header.Get("Last-Modified"); modified != "" {
		r.Header.Set("If-Modified-Since", modified)
	}
	return r
}

// validated answers with what a 304 has confirmed.
func (x *exchange) validated(e *entry, a answer, f *flight) *http.Response {
	discard(a.Response)
	fresh := e.updated(a)
	how := "fwd=" + x.why + "; fwd-status=304"
	if value, err := fresh.encode(); err == nil && !fresh.forbidden(a.Response) {
		x.keep(fresh, value)
		f.headed(fresh, x.request)
		f.end(shared, fresh)
		how += "; stored"
	} else {
		x.drop()
		f.end(alone, nil)
	}
	out := fresh.response(x.request, a.received)
	delete(out.Header, "Age") // it was validated just now
	for name, values := range a.Header {
		if momentary(name) { // a quota's state and a cookie are news
			out.Header[name] = values
		}
	}
	return x.tell(out, Event{Result: ResultValidated, Age: e.age(a.received)}, how)
}

// head asks by HEAD, and has the answer say whether what is stored still holds
// (RFC 9111, section 4.3.5).
func (x *exchange) head(e *entry) (*http.Response, error) {
	a, err := x.ask(x.request)
	if err != nil {
		return x.failed(e, err)
	}
	if e != nil && !passing(a.StatusCode) {
		fresh := e.updated(a)
		value, err := fresh.encode()
		switch {
		case err != nil || a.StatusCode != e.Status || !e.sameBody(a.Header) || fresh.forbidden(a.Response):
			x.drop()
		case e.names(a.Header): // else it confirms nothing
			x.keep(fresh, value)
		}
	}
	return x.tell(a.Response, Event{Result: ResultMiss}, "fwd="+x.why), nil
}

// tell counts the answer and writes on it what was done, unless nobody waits.
func (x *exchange) tell(resp *http.Response, e Event, how string) *http.Response {
	if x.quiet {
		return resp
	}
	return x.cache.tell(x.ctx(), resp, e, how)
}

package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb"
)

// exchange is one request that the cache may answer.
type exchange struct {
	*transport
	request *http.Request
	asked   control
	owner   string
	address string // the key of its index
	epoch   uint32 // of the address, when the request began
	key     string // of the answer found, "" if there was no index
	why     string // that the request went on: RFC 9211's fwd
	quiet   bool   // nobody waits for the answer
}

func (x *exchange) ctx() context.Context { return x.request.Context() }

// run answers with what is stored, as far as it and the request allow.
func (x *exchange) run() (*http.Response, error) {
	e, now := x.lookup(), time.Now()
	switch {
	case e != nil && e.fits(x.asked, now):
		return x.serve(e, now)
	case x.asked.has("only-if-cached"):
		return x.gatewayTimeout(), nil
	case x.request.Method == http.MethodHead:
		return x.head(e)
	case e != nil && e.fitsWhile(x.asked, now):
		x.refresh(e)
		return x.serve(e, now)
	case demanding(x.asked): // it wants an answer newer than one that is on its way
		return x.forward(e, nil)
	}
	return x.together(e)
}

// serve hands out what is stored.
func (x *exchange) serve(e *entry, now time.Time) (*http.Response, error) {
	result := ResultHit
	if e.ttl(now) <= 0 {
		result = ResultStale
	}
	resp := e.response(x.request, now)
	resp.Header.Set("X-From-Cache", "1")
	return x.tell(resp, Event{Result: result, Age: e.age(now)}, "hit; ttl="+wholeSeconds(e.ttl(now))), nil
}

// lookup finds the stored answer to the request, nil if there is none.
func (x *exchange) lookup() *entry {
	x.why = "uri-miss"
	i := x.index()
	if i == nil {
		return nil
	}
	x.why, x.key = "vary-miss", i.answerKey(x.owner, x.request)
	value := x.cache.store.get(x.ctx(), x.key)
	if value == nil {
		return nil
	}
	e, err := decode(value)
	if err != nil {
		x.cache.counts.corrupt.Add(1)
		_ = x.cache.store.remove(x.ctx(), x.key)
		return nil
	}
	x.why = "stale"
	if x.asked.has("no-cache") || x.asked.has("max-age") || x.asked.has("min-fresh") {
		x.why = "request"
	}
	return e
}

// index is by what the answers of the address vary, nil if none is stored.
func (x *exchange) index() *index {
	value := x.cache.store.get(x.ctx(), x.address)
	if value == nil {
		return nil
	}
	i, err := decodeIndex(value)
	if err != nil {
		x.cache.counts.corrupt.Add(1)
		_ = x.cache.store.remove(x.ctx(), x.address)
		return nil
	}
	return i
}

// keep stores a value for the entry, and what its address varies by. An address
// that once varied by a header goes on doing so: more keys than needed are never
// wrong.
func (x *exchange) keep(e *entry, value []byte) {
	vary, ok := varyOf(e.Header)
	if !ok || x.cache.epoch(x.address).Load() != x.epoch { // it was changed meanwhile
		return
	}
	i := x.index()
	if i != nil {
		vary = union(i.Vary, vary)
	}
	if len(vary) > maxVary {
		return
	}
	if i == nil || !slices.Equal(i.Vary, vary) {
		i = &index{Vary: vary, Generation: newGeneration()}
		head, err := i.encode()
		if err != nil || x.cache.store.set(x.ctx(), x.address, head) != nil {
			return
		}
	}
	_ = x.cache.store.set(x.ctx(), i.answerKey(x.owner, x.request), value) // counted; the call has its answer
	if x.cache.epoch(x.address).Load() != x.epoch {
		_ = x.cache.store.remove(x.ctx(), x.address)
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// drop removes the answer that was found.
func (x *exchange) drop() {
	if x.key != "" {
		_ = x.cache.store.remove(x.ctx(), x.key)
	}
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
	asked := time.Now()
	resp, err := x.next.RoundTrip(x.conditional(e))
	if err != nil {
		if x.ctx().Err() == nil {
			f.end(alone, nil) // each has to see for itself
		}
		return x.failed(e, err)
	}
	received := time.Now()
	switch {
	case e != nil && resp.StatusCode == http.StatusNotModified && !e.matches(resp.Header):
		closeBody(resp)
		x.drop()
		handed = true
		return x.forward(nil, f)
	case e != nil && e.validated() && resp.StatusCode == http.StatusNotModified:
		return x.validated(e, resp, asked, received, f), nil
	case e != nil && outage(resp.StatusCode) && e.fitsError(x.asked, received, x.cache.settings.StaleIfError):
		f.end(alone, nil)
		status := resp.StatusCode
		closeBody(resp)
		return x.staleIfError(e, received, "fwd-status="+wholeNumber(status)), nil
	}
	handed = x.take(e, resp, asked, received, f)
	return resp, nil
}

// failed answers for a server that did not.
func (x *exchange) failed(e *entry, err error) (*http.Response, error) {
	now := time.Now()
	if e == nil || errors.Is(x.ctx().Err(), context.Canceled) || errors.Is(err, aplomb.ErrNoCredential) ||
		!e.fitsError(x.asked, now, x.cache.settings.StaleIfError) {
		return nil, err
	}
	return x.staleIfError(e, now, ""), nil
}

func (x *exchange) staleIfError(e *entry, now time.Time, status string) *http.Response {
	resp := e.response(x.request, now)
	resp.Header.Set("X-From-Cache", "1")
	how := "fwd=" + x.why
	if status != "" {
		how += "; " + status
	}
	return x.tell(resp, Event{Result: ResultStale, Age: e.age(now)}, how+"; detail=stale-if-error; ttl="+wholeSeconds(e.ttl(now)))
}

// outage are the errors of RFC 5861, section 4.
func outage(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// conditional is the request with the validators of e (RFC 9111, section 4.3.1).
func (x *exchange) conditional(e *entry) *http.Request {
	if e == nil || !e.validated() || x.request.Method == http.MethodHead {
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
func (x *exchange) validated(e *entry, resp *http.Response, asked, received time.Time, f *flight) *http.Response {
	closeBody(resp)
	fresh := e.updated(resp, asked, received)
	how := "fwd=" + x.why + "; fwd-status=304"
	if value, err := fresh.encode(); err == nil && !fresh.forbidden(resp) {
		x.keep(fresh, value)
		f.end(shared, fresh)
		how += "; stored"
	} else {
		x.drop()
		f.end(alone, nil)
	}
	out := fresh.response(x.request, received)
	delete(out.Header, "Age") // it was validated just now
	for name, values := range resp.Header {
		if momentary(name) { // a quota's state and a cookie are news
			out.Header[name] = values
		}
	}
	return x.tell(out, Event{Result: ResultValidated, Age: e.age(received)}, how)
}

// take has a new answer stored while the caller reads it, if it may be, and reports
// whether f is left to the end of that.
func (x *exchange) take(e *entry, resp *http.Response, asked, received time.Time, f *flight) (handed bool) {
	how := "fwd=" + x.why
	if e != nil {
		how += "; fwd-status=" + wholeNumber(resp.StatusCode)
	}
	fresh := newEntry(resp, asked, received)
	value := x.room(fresh, resp)
	if value == nil {
		f.end(alone, nil)
		if e != nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
			x.drop() // it is that no more
		}
		x.tell(resp, Event{Result: ResultMiss}, how)
		return false
	}
	x.tell(resp, Event{Result: ResultMiss}, how)
	f.headed()
	body := &tee{ReadCloser: resp.Body, head: len(value), value: value, max: x.cache.settings.MaxEntry, length: resp.ContentLength}
	body.end = func(value []byte) {
		if value == nil {
			f.end(body.outcome(x.ctx()), nil)
			return
		}
		value = tight(seal(value))
		end := len(value) - checkLen
		fresh.body = value[body.head:end:end]
		x.keep(fresh, value)
		f.end(shared, fresh)
	}
	if resp.Body == http.NoBody || resp.ContentLength == 0 {
		body.length = 0
		body.complete()
		return true
	}
	resp.Body = body
	return true
}

// room begins the value of an answer that may be stored; nil for one that may not.
func (x *exchange) room(e *entry, resp *http.Response) []byte {
	if x.request.Method == http.MethodHead || !e.storable(resp) || resp.ContentLength > x.cache.settings.MaxEntry {
		return nil
	}
	if _, ok := varyOf(e.Header); !ok {
		return nil
	}
	if _, both := resp.Body.(io.Writer); both { // an upgraded connection
		return nil
	}
	value, err := e.begin(int(max(0, min(resp.ContentLength, 64<<10))))
	if err != nil {
		return nil
	}
	return value
}

// head asks by HEAD, and has the answer say whether what is stored still holds
// (RFC 9111, section 4.3.5).
func (x *exchange) head(e *entry) (*http.Response, error) {
	asked := time.Now()
	resp, err := x.next.RoundTrip(x.request)
	if err != nil {
		return x.failed(e, err)
	}
	if e != nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		fresh := e.updated(resp, asked, time.Now())
		value, err := fresh.encode()
		if err != nil || resp.StatusCode != e.Status || !e.sameBody(resp) || fresh.forbidden(resp) {
			x.drop()
		} else {
			x.keep(fresh, value)
		}
	}
	return x.tell(resp, Event{Result: ResultMiss}, "fwd="+x.why), nil
}

// sameBody reports that what a HEAD says of the body fits the stored one.
func (e *entry) sameBody(resp *http.Response) bool {
	length := resp.Header.Get("Content-Length")
	if length != "" && !e.Uncompressed && length != wholeNumber(len(e.body)) {
		return false
	}
	return e.matches(resp.Header) && e.Header.Get("Last-Modified") == resp.Header.Get("Last-Modified")
}

// tight is value without much room behind it, which a store would keep.
func tight(value []byte) []byte {
	if cap(value)-len(value) > len(value)/4 {
		return bytes.Clone(value)
	}
	return value
}

// tell counts the answer and writes on it what was done, unless nobody waits.
func (x *exchange) tell(resp *http.Response, e Event, how string) *http.Response {
	if x.quiet {
		return resp
	}
	return x.cache.tell(x.ctx(), resp, e, how)
}

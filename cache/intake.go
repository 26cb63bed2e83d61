package cache

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// take has a new answer stored while the caller reads it, if it may be, and reports
// whether f is left to the end of that.
func (x *exchange) take(e *entry, a answer, f *flight) (handed bool) {
	resp, how := a.Response, "fwd="+x.why
	if e != nil {
		how += "; fwd-status=" + strconv.Itoa(a.StatusCode)
	}
	fresh := newEntry(a)
	value := x.room(fresh, resp)
	if value == nil {
		f.end(alone, nil)
		if e != nil && !passing(resp.StatusCode) {
			x.drop() // it is that no more
		}
		x.tell(resp, Event{Result: ResultMiss}, how)
		return false
	}
	x.tell(resp, Event{Result: ResultMiss}, how)
	f.headed(fresh, x.request)
	body := &tee{ReadCloser: resp.Body, head: len(value), value: value, max: x.cache.settings.MaxEntry, length: resp.ContentLength}
	body.end = func(value []byte) {
		switch {
		case value == nil:
			f.end(body.outcome(x.ctx()), nil)
			return
		case len(resp.Trailer) > 0: // it came unannounced, and may say that all went wrong
			f.end(alone, nil)
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

// tight is value without much room behind it, which a store would keep.
func tight(value []byte) []byte {
	if cap(value)-len(value) > len(value)/4 {
		return bytes.Clone(value)
	}
	return value
}

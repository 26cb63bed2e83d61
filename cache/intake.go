package cache

import (
	"net/http"
	"strconv"
)

// take has a new answer stored while the caller reads it, if it may be, and reports
// whether f is left to the end of that.
func (x *exchange) take(e *entry, a answer, f *flight) (handed bool) {
	how := "fwd=" + x.why
	if e != nil {
		how += "; fwd-status=" + strconv.Itoa(a.StatusCode)
	}
	fresh := newEntry(a)
	value := x.room(fresh, a.Response)
	if value == nil {
		f.end(alone, nil)
		if e != nil && !passing(a.StatusCode) {
			x.drop() // it is that no more
		}
		x.tell(a.Response, Event{Result: ResultMiss}, how)
		return false
	}
	x.tell(a.Response, Event{Result: ResultMiss}, how)
	f.headed(fresh, x.request)
	x.hold(fresh, value, a.Response, f)
	return true
}

// room begins the value of an answer that may be stored; nil for one that may not.
func (x *exchange) room(e *entry, resp *http.Response) []byte {
	if !e.storable(resp) || resp.ContentLength > x.cache.settings.MaxEntry {
		return nil
	}
	value, err := e.begin(int(max(0, min(resp.ContentLength, 64<<10))))
	if err != nil {
		return nil
	}
	return value
}

// hold gives resp a body that is kept along the way.
func (x *exchange) hold(e *entry, value []byte, resp *http.Response, f *flight) {
	body := &tee{ReadCloser: resp.Body, head: len(value), value: value, max: x.cache.settings.MaxEntry, length: resp.ContentLength}
	if body.length == 0 {
		body.length = -1 // net/http says NoBody where there is none; others forget to say how long it is
	}
	body.end = func(value []byte) {
		what := shared
		switch {
		case value == nil:
			what = body.outcome()
		case len(resp.Trailer) > 0: // which may say that all went wrong, and need not be announced
			what = alone
		default:
			value = seal(value)
			end := len(value) - checkLen
			e.body = value[body.head:end:end]
			x.keep(e, value)
		}
		f.end(what, e)
	}
	if resp.Body == http.NoBody {
		body.complete()
		return
	}
	resp.Body = body
}

package aplombtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
)

// TestMiddleware reports each way in which m breaks what net/http asks of an
// [http.RoundTripper] and [aplomb.Middleware] repeats. It is for the tests of a
// middleware of your own, whatever client it is for, and wants a bubble:
//
//	func TestConformance(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			aplombtest.TestMiddleware(t, func(next http.RoundTripper) http.RoundTripper {
//				return mine.New(next)
//			})
//		})
//	}
//
// The rules are:
//
//   - clone before mutate: the caller's request stays as it was
//   - close the body: the request's, on every path, and each copy of GetBody
//   - pass on what is true: Body, ContentLength and GetBody say the same, the
//     body goes out whole or not at all, and none is made of nil
//   - response or error: one of them, never both, and the response complete
//   - leave the answer whole: its body is neither swallowed, cut nor closed
//   - close what is dropped: each response that is not handed on
//   - stream: the first event of a text/event-stream arrives before the last
//     is sent, and a body of 101 Switching Protocols can still be written to
//   - honour the context: return at once when it ends, and let it through
//   - keep the context's values: those of httptrace among them
//   - no goroutine: none is left once the answer's body is closed
//   - many at a time: answers do not change places, and the race detector,
//     which this is best run under, finds nothing
//   - no panic
//
// m is called for many a RoundTripper, each with a next of its own, and the
// requests are for https://api.test. A middleware may answer by itself, refuse,
// retry, and change what it passes on and what comes back: it is held to the rules
// alone. One that acts only on certain requests needs a RoundTripper around it
// that makes them such.
func TestMiddleware(tb testing.TB, m aplomb.Middleware) {
	tb.Helper()
	t := &middlewareTest{findings: findings{TB: tb}, wrap: m}
	t.needBubble("TestMiddleware")
	for _, part := range []func(){
		t.exchanges, t.truncation, t.streams, t.upgrade, t.cancelled, t.cancelledLate, t.cancelledWait, t.cancelledBody, t.values, t.crowd,
	} {
		before := goroutines()
		part()
		t.leftovers(before)
	}
	if !t.called.Load() {
		t.Logf("aplombtest: TestMiddleware: next was called for no request, so that little was tried: they go to https://api.test, by GET and POST; wrap a middleware that lets pass only some others")
	}
	t.report()
}

// The rules' names, as they are reported.
const (
	ruleClone      = "clone before mutate"
	ruleClose      = "close the body"
	ruleTrue       = "pass on what is true"
	ruleXor        = "response or error"
	ruleWhole      = "leave the answer whole"
	ruleDropped    = "close what is dropped"
	ruleStream     = "stream"
	ruleContext    = "honour the context"
	ruleValues     = "keep the context's values"
	ruleGoroutine  = "no goroutine"
	ruleConcurrent = "many at a time"
	rulePanic      = "no panic"
)

// patience is how long a RoundTrip may take before it is given up, and how long
// a next hangs whose context does not end: far beyond all that may be waited for.
const patience = 1000 * time.Hour

// middlewareTest is a run of TestMiddleware.
type middlewareTest struct {
	findings

	wrap   aplomb.Middleware
	called atomic.Bool // next was, at least once
}

// trial is one request on its way through m to a next that does as answer says.
type trial struct {
	t      *middlewareTest
	what   string // in messages
	body   string // of the request
	stream bool   // a body of unknown length that can be read once
	none   io.ReadCloser
	method string
	// answer is what next does; reads says that it takes the body in first.
	answer func(x *trial, r *http.Request) (*http.Response, error)
	reads  bool

	mu      sync.Mutex
	request *http.Request
	before  snapshot
	opened  []*sentBody   // the request's body and its copies
	answers []*answerBody // the bodies next has handed out
	sent    []string      // what next has read
}

// make makes the request.
func (x *trial) make(ctx context.Context) *http.Request {
	r, err := http.NewRequestWithContext(ctx, x.method, "https://user@api.test/v1/things?a=1&b=2", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header = http.Header{"X-Conform": {"one", "two"}, "Accept": {"application/json"}}
	r.Trailer = http.Header{}
	r.Body = x.none
	if x.body != "" {
		r.Header.Set("Content-Type", "text/plain")
		r.Body, r.ContentLength = x.open(), -1
		if !x.stream {
			r.ContentLength = int64(len(x.body))
			r.GetBody = func() (io.ReadCloser, error) { return x.open(), nil }
		}
	}
	x.request, x.before = r, snapshotOf(r)
	return r
}

func (x *trial) open() *sentBody {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := &sentBody{text: strings.NewReader(x.body)}
	x.opened = append(x.opened, b)
	return b
}

// RoundTrip is next: a RoundTripper of good manners, which looks at what it is
// given.
func (x *trial) RoundTrip(r *http.Request) (*http.Response, error) {
	x.t.called.Store(true)
	if r.URL == nil || r.Header == nil {
		x.t.breaksf(ruleTrue, "%s: next was given a request without a URL or a Header: begin from r.Clone(ctx)", x.what)
		return nil, errors.New("aplombtest: no URL or no Header")
	}
	if d := x.before.differs(x.request); d != "" {
		x.t.breaksf(ruleClone, "%s: %s of the caller's request was changed: change r.Clone(ctx) instead, which copies header and URL", x.what, d)
	}
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	defer func() { _ = body.Close() }()
	if x.reads {
		x.check(r, body)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp, err := x.answer(x, r)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// check says whether what next was given is of a piece.
func (x *trial) check(r *http.Request, body io.Reader) {
	text, err := io.ReadAll(body)
	if err != nil {
		x.t.breaksf(ruleTrue, "%s: the body that next was given cannot be read (%v): give it one that nobody has read or closed", x.what, err)
		return
	}
	n := int64(len(text))
	switch {
	case r.ContentLength > 0 && r.ContentLength != n:
		x.t.breaksf(ruleTrue, "%s: next was told of %d bytes and read %d: set ContentLength with the Body, and give next one that was not read before", x.what, r.ContentLength, n)
	case r.Method != x.method: // it follows a redirect, which may drop the body
		return
	case n == 0 && r.Body != nil && r.Body != http.NoBody && x.body == "":
		x.t.breaksf(ruleTrue, "%s: a request without a body was given one, which is sent chunked and refused by many a server: leave nil and http.NoBody as they are", x.what)
	}
	x.mu.Lock()
	x.sent = append(x.sent, string(text))
	first := x.sent[0]
	x.mu.Unlock()
	if string(text) != first {
		x.t.breaksf(ruleTrue, "%s: the body was sent again as %d bytes, the first time as %d: without GetBody send it once", x.what, len(text), len(first))
	}
	if r.GetBody == nil {
		return
	}
	again, err := r.GetBody()
	if err != nil {
		x.t.breaksf(ruleTrue, "%s: GetBody of what next was given fails: %v", x.what, err)
		return
	}
	replay, err := io.ReadAll(again)
	_ = again.Close()
	if err != nil || !bytes.Equal(replay, text) {
		x.t.breaksf(ruleTrue, "%s: GetBody gives %d bytes (%v), the body was of %d: whoever replaces Body replaces GetBody too, or sets it to nil",
			x.what, len(replay), err, len(text))
	}
}

// respond makes next's answer.
func (x *trial) respond(r *http.Request, code int, body *answerBody) (*http.Response, error) {
	body.ctx = r.Context()
	body.gone = make(chan struct{})
	x.mu.Lock()
	x.answers = append(x.answers, body)
	x.mu.Unlock()
	length := int64(-1)
	if !body.chunked {
		length = int64(len(body.text()))
	}
	if r.Method == http.MethodHead {
		body.parts = nil // the length stays: it is that of a GET
	}
	return &http.Response{
		StatusCode: code, Status: fmt.Sprintf("%d %s", code, http.StatusText(code)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/plain"}}, Body: body, ContentLength: length,
	}, nil
}

// result is what came out of a RoundTrip.
type result struct {
	resp     *http.Response
	err      error
	took     time.Duration
	panicked any
}

// trip sends the request through a new RoundTripper of m's. It returns false if
// nothing came back.
func (x *trial) trip(ctx context.Context) (result, bool) {
	return x.tripBy(x.t.wrap(x), x.make(ctx))
}

func (x *trial) tripBy(rt http.RoundTripper, r *http.Request) (result, bool) {
	if rt == nil {
		x.t.Fatal("aplombtest: the middleware returned a nil RoundTripper")
	}
	back := make(chan result, 1)
	start := time.Now()
	go func() {
		var got result
		defer func() {
			got.panicked = recover()
			back <- got
		}()
		got.resp, got.err = rt.RoundTrip(r)
		got.took = time.Since(start)
	}()
	select {
	case got := <-back:
		if got.panicked != nil {
			x.t.breaksf(rulePanic, "%s: RoundTrip panicked: %v", x.what, got.panicked)
			return got, false
		}
		x.either(got)
		return got, true
	case <-time.After(2 * patience):
		x.t.hangs(ruleContext, x.what)
		return result{}, false
	}
}

// either looks at what came back before its body is read.
func (x *trial) either(got result) {
	resp := got.resp
	switch {
	case resp == nil && got.err == nil:
		x.t.breaksf(ruleXor, "%s: RoundTrip returned neither a response nor an error", x.what)
	case resp != nil && got.err != nil:
		x.t.breaksf(ruleXor, "%s: RoundTrip returned a response and an error (%v): close the response's body and return the error alone", x.what, got.err)
	case resp == nil:
	case resp.Body == nil:
		x.t.breaksf(ruleXor, "%s: the response has a nil Body: set http.NoBody, which every caller can close", x.what)
	case resp.Header == nil:
		x.t.breaksf(ruleXor, "%s: the response has a nil Header", x.what)
	case resp.Request == nil:
		x.t.breaksf(ruleXor, "%s: the response does not say what it answers: set its Request", x.what)
	}
}

// finish reads the answer to its end, as a caller does, and looks at what is left.
func (x *trial) finish(got result) {
	if got.resp != nil && got.resp.Body != nil {
		x.read(got.resp)
		_ = got.resp.Body.Close()
	}
	x.settled()
}

// settled says whether all is closed that was open, when nothing more goes on:
// net/http lets a body be closed a little later.
func (x *trial) settled() {
	synctest.Wait()
	x.closed()
}

func (x *trial) closed() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d := x.before.differs(x.request); d != "" {
		x.t.breaksf(ruleClone, "%s: %s of the caller's request was changed: change r.Clone(ctx) instead, which copies header and URL", x.what, d)
	}
	for i, b := range x.opened {
		switch late, closed := b.state(); {
		case !closed && i == 0:
			x.t.breaksf(ruleClose, "%s: the request's body was not closed: RoundTrip closes it on every path, also where it does not call next", x.what)
		case !closed:
			x.t.breaksf(ruleClose, "%s: a body that GetBody opened was not closed", x.what)
		case late:
			x.t.breaksf(ruleClose, "%s: the request's body was read after it was closed", x.what)
		}
	}
	for _, b := range x.answers {
		if !b.isClosed() {
			x.t.breaksf(ruleDropped, "%s: a response of next was not handed on, and its body not closed: its connection is lost", x.what)
		}
	}
}

// read reads an answer as a caller does. What came of next's last answer must not
// come out empty, nor cut without a word.
func (x *trial) read(resp *http.Response) {
	text, err := io.ReadAll(resp.Body)
	x.mu.Lock()
	var last *answerBody
	if len(x.answers) > 0 {
		last = x.answers[len(x.answers)-1]
	}
	x.mu.Unlock()
	switch {
	case x.request.Context().Err() != nil: // it need not be readable any more
		return
	case last == nil: // an answer of the middleware's own
		if err != nil {
			x.t.breaksf(ruleWhole, "%s: the body of the middleware's own answer cannot be read: %v", x.what, err)
		}
	case last.end != nil:
		if err == nil && resp.StatusCode < 300 {
			x.t.breaksf(ruleWhole, "%s: next's body ended in an error, and the caller's without one: hand the error on", x.what)
		}
		return
	case errors.Is(err, context.Canceled):
		x.t.breaksf(ruleWhole, "%s: the body cannot be read (%v): a context derived for next must live until the body is closed", x.what, err)
	case err != nil:
		x.t.breaksf(ruleWhole, "%s: the body cannot be read (%v): whoever reads or closes a response's body puts another in its place", x.what, err)
	case len(text) == 0 && last.text() != "":
		x.t.breaksf(ruleWhole, "%s: the body came out empty: whoever reads a response's body puts another in its place", x.what)
	}
	if n := resp.ContentLength; err == nil && n >= 0 && n != int64(len(text)) && x.method != http.MethodHead && resp.StatusCode != http.StatusNotModified {
		x.t.breaksf(ruleWhole, "%s: the response tells of %d bytes and holds %d: set ContentLength with the Body", x.what, n, len(text))
	}
}

// leftovers looks for goroutines that were not there before.
func (t *middlewareTest) leftovers(before map[string]string) {
	if t.stuck {
		return // it is reported, and has its goroutines
	}
	synctest.Wait()
	var left []string
	for id, by := range goroutines() {
		if _, known := before[id]; !known {
			left = append(left, by)
		}
	}
	if len(left) > 0 {
		slices.Sort(left)
		t.breaksf(ruleGoroutine, "%d are left after the answer's body was closed, %s: end them with the context, or with the body", len(left), left[0])
	}
}

package aplombtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb"
)

// errWire is what a broken connection of next's says.
var errWire = errors.New("aplombtest: the connection broke")

// The answers of next.

func answering(code int, parts ...string) func(*trial, *http.Request) (*http.Response, error) {
	return func(x *trial, r *http.Request) (*http.Response, error) {
		return x.respond(r, code, &answerBody{parts: parts})
	}
}

func breaking(*trial, *http.Request) (*http.Response, error) { return nil, errWire }

// silent is a server that says nothing: it ends with its request's context.
func silent(_ *trial, r *http.Request) (*http.Response, error) {
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(patience):
		return nil, errWire
	}
}

// exchanges sends each kind of request to each kind of server.
func (t *middlewareTest) exchanges() {
	requests := []*trial{
		{what: "GET", method: http.MethodGet},
		{what: "GET with http.NoBody", method: http.MethodGet, none: http.NoBody},
		{what: "HEAD", method: http.MethodHead},
		{what: "DELETE", method: http.MethodDelete},
		{what: "POST", method: http.MethodPost, body: "the body"},
		{what: "PUT", method: http.MethodPut, body: strings.Repeat("a long body ", 1000)},
		{what: "POST of a stream", method: http.MethodPost, body: "read once", stream: true},
		{what: "PUT of a stream", method: http.MethodPut, body: "read once", stream: true},
	}
	servers := []struct {
		what   string
		reads  bool
		answer func(*trial, *http.Request) (*http.Response, error)
	}{
		{"answered 200", true, answering(200, `{"ok":`, `true}`)},
		{"answered 200 chunked", true, func(x *trial, r *http.Request) (*http.Response, error) {
			return x.respond(r, 200, &answerBody{parts: []string{"one ", "two"}, chunked: true})
		}},
		{"answered 204", true, answering(204)},
		{"answered 304", true, answering(304)},
		{"answered 302", true, func(x *trial, r *http.Request) (*http.Response, error) {
			resp, err := x.respond(r, 302, &answerBody{parts: []string{"elsewhere"}})
			resp.Header.Set("Location", "/elsewhere")
			return resp, err
		}},
		{"answered 401", true, answering(401, "who?")},
		{"answered 413 without reading", false, answering(413, "too large")},
		{"answered 500", true, answering(500, "sorry")},
		{"broken before it read", false, breaking},
		{"broken after it read", true, breaking},
	}
	for _, request := range requests {
		for _, server := range servers {
			x := &trial{t: t, what: request.what + " " + server.what, method: request.method, body: request.body,
				stream: request.stream, none: request.none, reads: server.reads, answer: server.answer}
			t.exchange(x)
		}
	}
}

// exchange is one of them. Another goroutine looks at the request meanwhile, for
// the race detector to see who writes to it.
func (t *middlewareTest) exchange(x *trial) {
	r := x.make(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { _ = x.before.differs(r) })
	got, ok := x.tripBy(t.wrap(x), r)
	looking.Wait()
	if ok {
		x.finish(got)
	}
}

// truncation: an answer that breaks off is not handed on as a whole one.
func (t *middlewareTest) truncation() {
	x := &trial{t: t, what: "an answer that breaks off", method: http.MethodGet, answer: func(x *trial, r *http.Request) (*http.Response, error) {
		return x.respond(r, 200, &answerBody{parts: []string{"half of"}, end: io.ErrUnexpectedEOF, chunked: true})
	}}
	t.exchange(x)
}

// streams: the first event is there before the last is sent.
func (t *middlewareTest) streams() {
	x := &trial{t: t, what: "a stream", method: http.MethodGet, answer: eventStream}
	got, ok := x.trip(context.Background())
	if !ok {
		return
	}
	if got.resp == nil || got.resp.Body == nil || len(x.answers) == 0 {
		x.settled()
		return
	}
	start := time.Now()
	one := make([]byte, 1)
	if _, err := io.ReadFull(got.resp.Body, one); err == nil && x.answers[0].exhausted() {
		t.breaksf(ruleStream, "the first event came when the last was sent, %v after it: do not read a body that streams before you hand it on", got.took+time.Since(start))
	}
	x.finish(got)

	left := &trial{t: t, what: "a stream left in the middle", method: http.MethodGet, answer: eventStream}
	if got, ok = left.trip(context.Background()); !ok {
		return
	}
	if got.resp != nil && got.resp.Body != nil {
		_, _ = io.ReadFull(got.resp.Body, one)
		_ = got.resp.Body.Close()
	}
	left.settled()
}

// eventPause is what lies between two events: less than an idle timeout allows.
const eventPause = 10 * time.Second

func eventStream(x *trial, r *http.Request) (*http.Response, error) {
	resp, err := x.respond(r, 200, &answerBody{parts: []string{"data: 1\n\n", "data: 2\n\n"}, pause: eventPause, chunked: true})
	resp.Header.Set("Content-Type", "text/event-stream")
	return resp, err
}

// upgrade: a WebSocket writes to the body of its answer.
func (t *middlewareTest) upgrade() {
	x := &trial{t: t, what: "101 Switching Protocols", method: http.MethodGet, answer: func(x *trial, r *http.Request) (*http.Response, error) {
		body := &answerBody{chunked: true}
		resp, err := x.respond(r, 101, body)
		resp.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
		resp.Body = struct {
			*answerBody
			io.Writer
		}{body, io.Discard}
		return resp, err
	}}
	got, ok := x.trip(context.Background())
	if !ok {
		return
	}
	if got.resp != nil && got.resp.StatusCode == http.StatusSwitchingProtocols {
		if _, ok := got.resp.Body.(io.Writer); !ok {
			t.breaksf(ruleStream, "the body of %s can no longer be written to: leave it as it is", x.what)
		}
	}
	x.finish(got)
}

// cancelled: a context that is over before the call.
func (t *middlewareTest) cancelled() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x := &trial{t: t, what: "a context that is over", method: http.MethodPost, body: "the body", reads: true, answer: answering(200, "late")}
	if got, ok := x.trip(ctx); ok {
		if got.took > 0 {
			t.breaksf(ruleContext, "a call whose context was over took %v: look at it before you wait", got.took)
		}
		x.finish(got)
	}
}

// cancelledLate: a context that ends while next says nothing.
func (t *middlewareTest) cancelledLate() {
	for _, end := range []struct {
		what string
		ctx  func() (context.Context, context.CancelFunc)
	}{
		{"a call that is cancelled", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Minute, cancel)
			return ctx, cancel
		}},
		{"a call whose deadline passes", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Minute)
		}},
	} {
		ctx, cancel := end.ctx()
		x := &trial{t: t, what: end.what, method: http.MethodPut, body: "the body", reads: true, answer: silent}
		got, ok := x.trip(ctx)
		if ok {
			if got.took > time.Minute {
				t.breaksf(ruleContext, "%s after 1m0s returned after %v: give next the request's own context, or one made of it", end.what, got.took)
			}
			x.finish(got)
		}
		cancel()
	}
}

// cancelledWait: a context that ends while the middleware waits, if it does.
func (t *middlewareTest) cancelledWait() {
	for _, server := range []struct {
		what   string
		answer func(*trial, *http.Request) (*http.Response, error)
	}{
		{"429", answering(429, "wait")},
		{"503", answering(503, "wait")},
		{"a broken connection", breaking},
	} {
		x := &trial{t: t, what: "a call cancelled after " + server.what, method: http.MethodGet, answer: func(x *trial, r *http.Request) (*http.Response, error) {
			resp, err := server.answer(x, r)
			if resp != nil {
				resp.Header.Set("Retry-After", "3600")
			}
			return resp, err
		}}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Minute, cancel)
		got, ok := x.trip(ctx)
		if ok {
			if got.took > time.Minute {
				t.breaksf(ruleContext, "%s, 1m0s from its start, returned after %v: end a wait with the context", x.what, got.took)
			}
			x.finish(got)
		}
		cancel()
	}
}

// cancelledBody: a context that ends while the body is read.
func (t *middlewareTest) cancelledBody() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x := &trial{t: t, what: "a stream that is cancelled", method: http.MethodGet, answer: eventStream}
	got, ok := x.trip(ctx)
	if !ok || got.resp == nil || got.resp.Body == nil {
		return
	}
	start := time.Now()
	time.AfterFunc(eventPause/2, cancel)
	_, _ = io.Copy(io.Discard, got.resp.Body)
	if took := time.Since(start); took > eventPause/2 {
		t.breaksf(ruleContext, "%s after 5s went on for %v: give next the request's own context, or one made of it", x.what, took)
	}
	_ = got.resp.Body.Close()
	x.settled()
}

// conformKey is a key of the caller's own.
type conformKey struct{}

// values: what a caller has put into the context comes through.
func (t *middlewareTest) values() {
	var called, value atomic.Bool
	traced := make(chan struct{}, 100)
	ctx := context.WithValue(context.Background(), conformKey{}, "kept")
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { traced <- struct{}{} }})
	x := &trial{t: t, what: "a call with values", method: http.MethodGet, answer: func(x *trial, r *http.Request) (*http.Response, error) {
		called.Store(true)
		value.Store(r.Context().Value(conformKey{}) == "kept")
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GetConn != nil {
			trace.GetConn("api.test:443")
		}
		return x.respond(r, 200, &answerBody{parts: []string{"ok"}})
	}}
	got, ok := x.trip(ctx)
	if !ok {
		return
	}
	x.finish(got)
	switch {
	case !called.Load():
	case !value.Load():
		t.breaksf(ruleValues, "next does not see a value of the caller's context: make its context of the request's own")
	case len(traced) == 0:
		t.breaksf(ruleValues, "the caller's httptrace hooks are not called: httptrace.WithClientTrace adds to those that are there, a context made anew does not")
	}
}

// crowd sends many at a time through one RoundTripper, each in a minute's time.
func (t *middlewareTest) crowd() {
	const many = 32
	server := &trial{t: t, what: "32 calls at a time", method: http.MethodPost}
	rt := t.wrap(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		who := ""
		if r.Body != nil {
			text, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			who = string(text)
		}
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		resp, err := server.respond(r, 200, &answerBody{parts: []string{"for " + r.URL.Query().Get("who")}})
		resp.Request = r
		resp.Header.Set("X-Who", r.URL.Query().Get("who"))
		resp.Header.Set("X-Sent", who)
		return resp, err
	}))
	var calls sync.WaitGroup
	all := make([]*trial, many)
	for i := range all {
		who := strconv.Itoa(i)
		all[i] = &trial{t: t, what: server.what, method: http.MethodPost, body: "from " + who}
		calls.Go(func() { all[i].oneOfMany(rt, who) })
	}
	calls.Wait()
	server.settled()
	for _, x := range all {
		x.closed()
	}
}

// oneOfMany is a call that must not get another's answer.
func (x *trial) oneOfMany(rt http.RoundTripper, who string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := x.make(ctx)
	r.URL.RawQuery = "who=" + who
	x.before = snapshotOf(r)
	got, ok := x.tripBy(rt, r)
	if !ok {
		return
	}
	if got.took > time.Minute {
		x.t.breaksf(ruleContext, "one of %s, with a deadline of 1m0s, returned after %v", x.what, got.took)
	}
	if got.resp == nil || got.resp.Body == nil {
		return
	}
	if w := got.resp.Header.Get("X-Who"); w != "" && w != who {
		x.t.breaksf(ruleConcurrent, "call %s got the answer for %s: keep nothing of a call in the RoundTripper", who, w)
	}
	if s := got.resp.Header.Get("X-Sent"); s != x.body && strings.HasPrefix(s, "from ") {
		x.t.breaksf(ruleConcurrent, "call %s was sent with another's body, %q: keep nothing of a call in the RoundTripper", who, s)
	}
	if _, err := io.Copy(io.Discard, got.resp.Body); err != nil {
		x.t.breaksf(ruleWhole, "one of %s: the body cannot be read: %v", x.what, err)
	}
	_ = got.resp.Body.Close()
}

package aplombtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
)

// TestRetry reports each way in which m, which repeats requests, does harm by it: a
// retry policy of your own, or any client's RoundTripper that retries. It wants a
// bubble:
//
//	func TestRetries(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			aplombtest.TestRetry(t, func(next http.RoundTripper) http.RoundTripper {
//				rt, _ := aplomb.Wrap(next, aplomb.Retry{}, aplomb.Judge(mine))
//				return rt
//			})
//		})
//	}
//
// The rules are:
//
//   - try again: a GET after a 503 or a broken connection
//   - send once what may be done: an unsafe request without an Idempotency-Key
//   - one key: all attempts of a call have the same Idempotency-Key
//   - the whole body: each attempt sends it byte for byte, or there is one attempt
//   - wait as told: not less than Retry-After, in seconds or as a date
//   - heed the deadline: return at once when the next attempt would come after it
//   - stop with the context: also in the midst of a wait, and send nothing more
//   - return the last answer: with its body whole, or the last error
//   - close what is dropped: each answer before the attempt after it
//   - come to an end: 20 attempts and an hour are enough
//   - wait between: and not as long as all other clients
//   - repeat what may pass: no 400, 404, 501, no bad certificate
//   - leave success alone: and redirects to the http.Client above
//
// They are what RFC 9110, sections 9.2.2 and 10.2.3, and
// https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter
// ask for. m is called for many a RoundTripper, each with a next of its own;
// whether it keeps the rest of the contract is for [TestMiddleware] to say.
func TestRetry(tb testing.TB, m aplomb.Middleware) {
	tb.Helper()
	t := &retryTest{findings: findings{TB: tb}, wrap: m}
	t.needBubble("TestRetry")
	for _, part := range []func(){
		t.again, t.unsafe, t.keyed, t.bodies, t.told, t.deadline, t.cancel, t.exhausted, t.spread, t.hopeless, t.success,
	} {
		if !t.stuck {
			part()
		}
	}
	t.report()
}

const (
	ruleAgain   = "try again"
	ruleOnce    = "send once what may be done"
	ruleKey     = "one key"
	ruleBody    = "the whole body"
	ruleTold    = "wait as told"
	ruleDue     = "heed the deadline"
	ruleStop    = "stop with the context"
	ruleLast    = "return the last answer"
	ruleLoose   = "close what is dropped"
	ruleEnd     = "come to an end"
	ruleBetween = "wait between"
	rulePass    = "repeat what may pass"
	ruleSuccess = "leave success alone"
)

// leastWait is what of eight first waits the longest takes at least: less is none to a
// server in trouble.
const leastWait = 10 * time.Millisecond

// The bounds of what is called endless.
const (
	mostAttempts = 20
	longestCall  = time.Hour
)

// retryTest is a run of TestRetry.
type retryTest struct {
	findings

	wrap aplomb.Middleware
}

// retried is one call, and the server it goes to.
type retried struct {
	t      *retryTest
	method string
	body   string
	stream bool // it can be read once
	header [2]string
	// answers are of the attempts in turn, the last for all that follow.
	answers []retryAnswer

	mu    sync.Mutex
	tries []retryTry
	open  []*answerBody
	late  int // attempts whose context was over
}

// retryAnswer is what an attempt meets.
type retryAnswer struct {
	code  int // 0: err
	err   error
	after func() string // Retry-After
	hangs bool          // until the context ends
}

// retryTry is an attempt as the server saw it.
type retryTry struct {
	at   time.Duration
	body string
	key  string
}

func code(c int) retryAnswer { return retryAnswer{code: c} }

// secondsAfter is Retry-After in seconds, dateAfter as a date.
func secondsAfter(d time.Duration) func() string {
	return func() string { return strconv.Itoa(int(d / time.Second)) }
}

func dateAfter(d time.Duration) func() string {
	return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
}

// do makes the call through rt, a new RoundTripper of m's over c if nil. The answer
// is read and closed.
func (c *retried) do(ctx context.Context) (got result, text string) {
	rt := c.t.wrap(c)
	if rt == nil {
		c.t.Fatal("aplombtest: the middleware returned a nil RoundTripper")
	}
	r, err := http.NewRequestWithContext(ctx, c.method, "https://api.test/v1/things", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), -1
		if !c.stream {
			r.ContentLength = int64(len(c.body))
			r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(c.body)), nil }
		}
	}
	if c.header[0] != "" {
		r.Header.Set(c.header[0], c.header[1])
	}
	start := time.Now()
	ctx = context.WithValue(ctx, conformKey{}, start)
	r = r.WithContext(ctx)
	back := make(chan result, 1)
	go func() {
		resp, err := rt.RoundTrip(r)
		back <- result{resp: resp, err: err, took: time.Since(start)}
	}()
	select {
	case got = <-back:
	case <-time.After(2 * patience):
		c.t.hangs(ruleEnd, c.method)
		return result{err: errWire}, ""
	}
	if got.resp != nil && got.resp.Body != nil {
		read, err := io.ReadAll(got.resp.Body)
		if err != nil && ctx.Err() == nil {
			c.t.breaksf(ruleLast, "the body of the answer cannot be read (%v): keep the last one open, and its context alive", err)
		}
		text = string(read)
		_ = got.resp.Body.Close()
	}
	synctest.Wait()
	for i, b := range c.open {
		if !b.isClosed() {
			c.t.breaksf(ruleLoose, "the body of answer %d of %d was never closed: its connection is lost", i+1, len(c.open))
		}
	}
	return got, text
}

// RoundTrip is the server.
func (c *retried) RoundTrip(r *http.Request) (*http.Response, error) {
	var text []byte
	if r.Body != nil {
		text, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		c.late++
		return nil, err
	}
	start, _ := r.Context().Value(conformKey{}).(time.Time)
	c.tries = append(c.tries, retryTry{time.Since(start), string(text), r.Header.Get("Idempotency-Key")})
	n := len(c.tries)
	for i, b := range c.open {
		if !b.isClosed() {
			c.t.breaksf(ruleLoose, "attempt %d began with the body of answer %d still open: close it first, for its connection to be used again", n, i+1)
		}
	}
	answer := c.answers[min(n, len(c.answers))-1]
	if n > mostAttempts*10 {
		answer = code(200) // an end for what knows none
	}
	switch {
	case answer.hangs:
		c.mu.Unlock()
		<-r.Context().Done()
		c.mu.Lock()
		return nil, r.Context().Err()
	case answer.code == 0:
		return nil, fmt.Errorf("attempt %d: %w", n, answer.err)
	}
	b := &answerBody{parts: []string{"answer " + strconv.Itoa(n)}, ctx: r.Context(), gone: make(chan struct{})}
	c.open = append(c.open, b)
	resp := &http.Response{
		StatusCode: answer.code, Status: strconv.Itoa(answer.code) + " " + http.StatusText(answer.code),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: b, ContentLength: int64(len(b.text())), Request: r,
	}
	if answer.after != nil {
		resp.Header.Set("Retry-After", answer.after())
	}
	if answer.code/100 == 3 {
		resp.Header.Set("Location", "https://api.test/v1/elsewhere")
	}
	return resp, nil
}

// attempts is how many there were.
func (c *retried) attempts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tries)
}

// again: a failure that passes is not the caller's.
func (t *retryTest) again() {
	for what, first := range map[string]retryAnswer{"503": code(503), "a broken connection": {err: errWire}} {
		c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{first, code(200)}}
		if got, _ := c.do(context.Background()); got.resp == nil || got.resp.StatusCode != http.StatusOK {
			t.breaksf(ruleAgain, "a GET that met %s was not sent again, where the next would have been answered 200", what)
		}
	}
}

// unsafe: what may have been done is not done again.
func (t *retryTest) unsafe() {
	for _, method := range []string{http.MethodPost, http.MethodPatch} {
		for _, first := range []retryAnswer{code(500), code(502), code(503), code(504), {err: io.ErrUnexpectedEOF}} {
			c := &retried{t: t, method: method, body: "pay", answers: []retryAnswer{first, code(200)}}
			c.do(context.Background())
			if n := c.attempts(); n > 1 && c.keys() != "" {
				t.breaksf(ruleOnce, "a %s without an Idempotency-Key was sent %d times after %s: the server may have done it each time (RFC 9110, section 9.2.2)",
					method, n, first)
			}
		}
	}
}

// String is what the attempt met.
func (a retryAnswer) String() string {
	if a.code == 0 {
		return a.err.Error()
	}
	return "a " + strconv.Itoa(a.code)
}

// keys says what is wrong with the keys of the attempts.
func (c *retried) keys() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, try := range c.tries {
		switch {
		case try.key == "":
			return fmt.Sprintf("attempt %d has no Idempotency-Key", i+1)
		case try.key != c.tries[0].key:
			return fmt.Sprintf("attempt %d has another Idempotency-Key than the first", i+1)
		}
	}
	return ""
}

// keyed: the key is of the call.
func (t *retryTest) keyed() {
	c := &retried{t: t, method: http.MethodPost, body: "pay", header: [2]string{"Idempotency-Key", "order-1"}, answers: []retryAnswer{code(503), code(503), code(200)}}
	c.do(context.Background())
	if wrong := c.keys(); wrong != "" {
		t.breaksf(ruleKey, "%s: set it once, before the first attempt", wrong)
	} else if c.tries[0].key != "order-1" {
		t.breaksf(ruleKey, "the caller's Idempotency-Key was replaced: keep it")
	}
}

// bodies: what is sent again is sent whole.
func (t *retryTest) bodies() {
	for _, stream := range []bool{false, true} {
		what := "a body"
		if stream {
			what = "a body without GetBody"
		}
		c := &retried{t: t, method: http.MethodPut, body: strings.Repeat("byte for byte ", 100), stream: stream, answers: []retryAnswer{code(503), {err: errWire}, code(200)}}
		c.do(context.Background())
		for i, try := range c.tries {
			if try.body != c.body {
				t.breaksf(ruleBody, "attempt %d of %s sent %d bytes of %d: open it anew by GetBody, or send it once", i+1, what, len(try.body), len(c.body))
			}
		}
	}
}

// told: Retry-After is the least of waits.
func (t *retryTest) told() {
	for _, told := range []struct {
		code  int
		how   string
		after func() string
		least time.Duration
	}{
		{429, "7", secondsAfter(7 * time.Second), 7 * time.Second},
		{503, "7", secondsAfter(7 * time.Second), 7 * time.Second},
		{429, "a date", dateAfter(30 * time.Second), 30 * time.Second},
		{503, "a date", dateAfter(30 * time.Second), 30 * time.Second},
	} {
		<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // so that a date is exact
		asks := retryAnswer{code: told.code, after: told.after}
		c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{asks, asks, code(200)}}
		c.do(context.Background())
		for i := range min(len(c.tries)-1, 2) {
			if came := c.tries[i+1].at - c.tries[i].at; came < told.least-time.Second || i == 0 && came < told.least { // a date has no fractions
				t.breaksf(ruleTold, "attempt %d was answered %d with Retry-After: %s, which is in %v, and the next came after %v: wait for that, and more",
					i+1, told.code, told.how, told.least, came)
			}
		}
	}
}

// deadline: what cannot be met is not waited for.
func (t *retryTest) deadline() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{{code: 429, after: secondsAfter(30 * time.Second)}}}
	got, _ := c.do(ctx)
	cancel()
	switch n := c.attempts(); {
	case n > 1 && c.tries[1].at < 30*time.Second:
		t.breaksf(ruleTold, "a call with 5s left did not wait the 30s that Retry-After asks for: its next attempt came after %v, in vain; return the answer at once", c.tries[1].at)
	case got.took > 0 && n == 1:
		t.breaksf(ruleDue, "a call with 5s left waited %v of the 30s that Retry-After asks for, in vain: return the answer at once", got.took)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	c = &retried{t: t, method: http.MethodGet, answers: []retryAnswer{code(503)}}
	if got, _ = c.do(ctx); got.took > 3*time.Second {
		t.breaksf(ruleDue, "a call with a deadline of 3s returned after %v", got.took)
	}
}

// cancel: the caller has the last word.
func (t *retryTest) cancel() {
	const at = 2 * time.Second
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	time.AfterFunc(at, cancel)
	c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{{code: 429, after: secondsAfter(20 * time.Second)}}}
	if got, _ := c.do(ctx); got.took > at {
		t.breaksf(ruleStop, "a call that was cancelled after %v, in the midst of a wait, returned after %v: wait in a select with ctx.Done()", at, got.took)
	} else if c.late > 0 {
		t.breaksf(ruleStop, "a call that was cancelled in the midst of a wait was sent %d times more: look at ctx.Err() after the wait", c.late)
	}
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	time.AfterFunc(at, cancel)
	c = &retried{t: t, method: http.MethodGet, answers: []retryAnswer{{hangs: true}}}
	if c.do(ctx); c.late > 0 {
		t.breaksf(ruleStop, "a call whose context ended during attempt %d was sent %d times more: look at ctx.Err() before an error", c.attempts(), c.late)
	}
}

// exhausted: the last answer is the caller's, and there is a last one.
func (t *retryTest) exhausted() {
	c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{code(503)}}
	got, text := c.do(context.Background())
	n := c.attempts()
	switch {
	case n > mostAttempts || got.took > longestCall:
		t.breaksf(ruleEnd, "a GET that is always answered 503 was sent %d times in %v: bound the attempts", n, got.took)
	case got.err != nil:
		t.breaksf(ruleLast, "after %d attempts the answer was dropped for an error (%v): return the last response, whose body says what is wrong", n, got.err)
	case got.resp == nil || got.resp.StatusCode != http.StatusServiceUnavailable || text != "answer "+strconv.Itoa(n):
		t.breaksf(ruleLast, "after %d attempts the answer's body is %q, want that of the last attempt", n, text)
	}
	c = &retried{t: t, method: http.MethodGet, answers: []retryAnswer{{err: errWire}}}
	got, _ = c.do(context.Background())
	switch n := c.attempts(); {
	case n > mostAttempts || got.took > longestCall:
		t.breaksf(ruleEnd, "a GET whose connection always breaks was sent %d times in %v: bound the attempts", n, got.took)
	case !errors.Is(got.err, errWire) || !strings.Contains(got.err.Error(), fmt.Sprintf("attempt %d:", n)):
		t.breaksf(ruleLast, "after %d attempts the error is %v, which does not wrap the last one", n, got.err)
	}
}

// spread: clients that failed together do not come back together.
func (t *retryTest) spread() {
	const clients = 8
	waits := map[time.Duration]bool{}
	longest := time.Duration(0)
	for range clients {
		c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{code(503), code(200)}}
		c.do(context.Background())
		if len(c.tries) < 2 {
			return // which is reported already
		}
		waits[c.tries[1].at] = true
		longest = max(longest, c.tries[1].at)
	}
	switch {
	case longest < leastWait:
		t.breaksf(ruleBetween, "a failed request is sent again at once, or as good as that: wait before, longer each time, for a server in trouble to get over it")
	case len(waits) == 1:
		t.breaksf(ruleBetween, "each of %d clients waited %v: choose the wait by chance, or they all come back at the same moment", clients, longest)
	}
}

// hopeless: what another attempt would only repeat.
func (t *retryTest) hopeless() {
	for _, answer := range []retryAnswer{
		code(400), code(403), code(404), code(405), code(410), code(422), code(501), code(505),
		{err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}},
	} {
		c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{answer}}
		c.do(context.Background())
		if n := c.attempts(); n > 1 {
			t.breaksf(rulePass, "a GET was sent %d times after %s, which no attempt will change", n, answer)
		}
	}
}

// success: an answer that is one is the caller's.
func (t *retryTest) success() {
	for _, answer := range []int{200, 201, 204, 206, 301, 302, 304, 307} {
		c := &retried{t: t, method: http.MethodGet, answers: []retryAnswer{code(answer)}}
		got, _ := c.do(context.Background())
		if n := c.attempts(); n != 1 || got.resp == nil || got.resp.StatusCode != answer {
			t.breaksf(ruleSuccess, "a GET that was answered %d was sent %d times (%v): hand it on, redirects too, which http.Client follows as its caller wants", answer, n, got.err)
		}
	}
}

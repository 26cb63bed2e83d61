package aplomb_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestFaultMatrix is every way we know for a server, a network, a proxy or a
// token endpoint to fail, and what comes of it under a client of defaults: how
// often it is sent, after what waits, and what the caller is told. Each row ends
// with the same account: no body, connection or goroutine is left.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	var held [45]bool
	for _, row := range slices.Concat(
		brokenRows(), silentRows(), statusRows(), retryAfterRows(), contentRows(), onceRows(),
		http2Rows(), proxyRows(), tokenRows(), stampedeRows(), cancelRows(),
	) {
		number, _, _ := strings.Cut(row.name, " ")
		n, err := strconv.Atoi(strings.TrimRight(number, "pks"))
		assert.NoError(t, err)
		held[n] = true
		t.Run(row.name, row.run)
	}
	assert.Equal(t, slices.Index(held[1:], false), -1, "a row is missing")
}

// The waits between attempts at full jitter.
const (
	first  = 200 * time.Millisecond
	second = 2 * first
	third  = 2 * second
)

const (
	sentTwice   = "a POST without an idempotency key is not sent twice: the first may have taken effect"
	millisecond = time.Millisecond
)

var allWaits = []time.Duration{first, second, third}

// Connections that cannot be made or that break.
func brokenRows() []faultRow {
	return []faultRow{
		{name: "1 connection refused", inject: breaking("http", aplombtest.DialRefused), call: postOrder, want: outcome{
			attempts: 4, waits: allWaits, takes: first + second + third, dials: 4, err: "CallError", is: syscall.ECONNREFUSED}},
		{name: "1 refused twice, any method", inject: breakingFor(2, aplombtest.DialRefused), call: postOrder, want: outcome{
			requests: 1, attempts: 3, takes: first + second, dials: 3, kept: 1, status: 200}},
		{name: "2 RST before headers", steps: []http.HandlerFunc{reset, reset, ok}, want: outcome{
			requests: 3, waits: allWaits[:2], takes: first + second, dials: 3, kept: 1, status: 200}},
		{name: "2k RST, POST with a key", steps: []http.HandlerFunc{reset, ok}, call: postKeyed, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 2, kept: 1, status: 200}},
		{name: "2p RST, POST without a key", steps: []http.HandlerFunc{reset, ok}, call: postOrder, want: outcome{
			requests: 1, dials: 1, err: "CallError", is: syscall.ECONNRESET, says: []string{sentTwice}}},
		{name: "3 FIN before headers", steps: []http.HandlerFunc{wire(""), wire(""), ok}, want: outcome{
			requests: 3, waits: allWaits[:2], takes: first + second, dials: 3, kept: 1, status: 200}},
		{name: "3p FIN, POST without a key", steps: []http.HandlerFunc{wire(""), ok}, call: postOrder, want: outcome{
			requests: 1, dials: 1, err: "CallError", is: io.EOF, says: []string{"the connection was closed before an answer", sentTwice}}},
		{name: "3s FIN on a kept connection, replayed by net/http", steps: []http.HandlerFunc{ok, wire(""), ok}, call: warmed(getOrder), want: outcome{
			requests: 3, waits: []time.Duration{0, 0}, attempts: 1, dials: 2, kept: 1, status: 200}},
		{name: "3s FIN on a kept connection, POST", steps: []http.HandlerFunc{ok, wire(""), ok}, call: warmed(postOrder), want: outcome{
			requests: 2, waits: []time.Duration{0}, attempts: 1, dials: 1, err: "CallError", is: io.EOF, says: []string{sentTwice}}},
		{name: "4 RST in the body", steps: []http.HandlerFunc{wire(cutShort, resetting), ok}, want: outcome{
			requests: 2, waits: []time.Duration{first + millisecond}, takes: first + millisecond, dials: 2, kept: 1, status: 200}},
		{name: "4 RST in the body, streamed", steps: []http.HandlerFunc{wire(cutShort, resetting), ok}, call: stream, want: outcome{
			requests: 1, takes: millisecond, dials: 1, status: 200, err: "*net.OpError", is: syscall.ECONNRESET}},
		{name: "5 chunked body cut short", steps: []http.HandlerFunc{wire(cutChunk), ok}, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 2, kept: 1, status: 200}},
		{name: "5 chunked body cut short, streamed", steps: []http.HandlerFunc{wire(cutChunk), ok}, call: stream, want: outcome{
			requests: 1, dials: 1, status: 200, err: "*errors.errorString", is: io.ErrUnexpectedEOF}},
		{name: "6 body shorter than its length", steps: []http.HandlerFunc{wire(cutShort), ok}, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 2, kept: 1, status: 200}},
		{name: "6 body shorter than its length, streamed", steps: []http.HandlerFunc{wire(cutShort), ok}, call: stream, want: outcome{
			requests: 1, dials: 1, status: 200, err: "*errors.errorString", is: io.ErrUnexpectedEOF}},
		{name: "6p RST in the body, POST", steps: []http.HandlerFunc{wire(cutShort, resetting), ok}, call: postOrder, want: outcome{
			requests: 1, status: 200, takes: millisecond, dials: 1, err: "CallError", is: syscall.ECONNRESET,
			says: []string{"status 200, body broke off after 6 bytes", sentTwice}}},
		{name: "6p chunked body cut short, POST", steps: []http.HandlerFunc{wire(cutChunk), ok}, call: postOrder, want: outcome{
			requests: 1, status: 200, dials: 1, err: "CallError", is: io.ErrUnexpectedEOF, says: []string{sentTwice}}},
		{name: "6p body shorter than its length, POST", steps: []http.HandlerFunc{wire(cutShort), ok}, call: postOrder, want: outcome{
			requests: 1, status: 200, dials: 1, err: "CallError", is: io.ErrUnexpectedEOF, says: []string{sentTwice}}},
		{name: "6k RST in the body, POST with a key", steps: []http.HandlerFunc{wire(cutShort, resetting), ok}, call: postKeyed, want: outcome{
			requests: 2, waits: []time.Duration{first + millisecond}, takes: first + millisecond, dials: 2, kept: 1, status: 200}},
		{name: "7 body longer than its length", steps: []http.HandlerFunc{
			wire("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"o1\"}HTTP/1.1 200 OK\r\n\r\n", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })},
			want: outcome{requests: 1, dials: 1, status: 200}},
		{name: "11 garbage for a status line", steps: []http.HandlerFunc{wire("SSH-2.0-OpenSSH_9.9\r\n"), ok}, want: outcome{
			requests: 1, dials: 1, err: "CallError", says: []string{"malformed HTTP response"}}},
		{name: "12 twenty 103", steps: []http.HandlerFunc{hints(20)}, want: outcome{requests: 1, dials: 1, kept: 1, status: 200}},
		{name: "12 endless 103", steps: []http.HandlerFunc{wire("", endlessHints), ok}, want: outcome{
			requests: 1, dials: 1, err: "CallError", says: []string{"response headers exceeded 1048576 bytes"}}},
		{name: "30 unknown CA", inject: breaking("https", aplombtest.TLSUnknownAuthority), call: postOrder, want: outcome{
			attempts: 1, dials: 1, err: "CallError", says: []string{"certificate signed by unknown authority", "set SSL_CERT_FILE to its CA"}},
			also: certificate[x509.UnknownAuthorityError]},
		{name: "30 expired", inject: breaking("https", aplombtest.TLSExpired), call: postOrder, want: outcome{
			attempts: 1, dials: 1, err: "CallError", says: []string{"certificate has expired", "(1 attempt, 0s)"}},
			also: certificate[x509.CertificateInvalidError]},
		{name: "30 wrong name", inject: breaking("https", aplombtest.TLSWrongHost), call: postOrder, want: outcome{
			attempts: 1, dials: 1, err: "CallError", says: []string{"not api.test"}},
			also: certificate[x509.HostnameError]},
		{name: "30 no TLS at all", inject: breaking("https", aplombtest.TLSPlain), call: postOrder, want: outcome{
			attempts: 1, dials: 1, err: "CallError", says: []string{"the server speaks plain http on this port"}},
			also: certificate[tls.RecordHeaderError]},
		{name: "31 TLS handshake hangs", inject: breaking("https", aplombtest.TLSHangs), call: postOrder, want: outcome{
			attempts: 4, waits: []time.Duration{5*time.Second + first, 5*time.Second + second, 5*time.Second + third},
			takes: 20*time.Second + first + second + third, dials: 4, err: "CallError", says: []string{"TLS handshake timeout"}}},
		{name: "32 NXDOMAIN", inject: breaking("http", aplombtest.DNSNotFound), want: outcome{
			attempts: 1, dials: 1, err: "CallError", says: []string{"no such host"}}},
		{name: "32 SERVFAIL", inject: breakingFor(2, aplombtest.DNSFails), call: postOrder, want: outcome{
			requests: 1, attempts: 3, takes: first + second, dials: 3, kept: 1, status: 200}},
		{name: "35 answer lost after the commit", inject: committing, opts: []aplomb.Option{aplomb.Idempotency{}}, call: postOrder, want: outcome{
			requests: 3, waits: allWaits[:2], takes: first + second, dials: 3, kept: 1, status: 200}},
	}
}

// certificate holds that the caller finds the reason itself, and is not told
// that a request which never left may have taken effect.
func certificate[E error](m *rig, err error) {
	_, ok := errors.AsType[E](err)
	assert.True(m.T, ok, err)
	assert.NotContains(m.T, err.Error(), "taken effect")
}

// committing is a server that books an order per idempotency key, and whose
// first two answers are lost.
func committing(m *rig) {
	booked := map[string]int{}
	book := func(w http.ResponseWriter, r *http.Request) {
		booked[r.Header.Get("Idempotency-Key")]++
		ok(w, r)
	}
	lost := aplombtest.NewScript(http.HandlerFunc(book), aplombtest.LostResponse(), aplombtest.LostResponse())
	m.api.steps = []http.HandlerFunc{lost.ServeHTTP}
	m.Cleanup(func() {
		assert.Equal(m.T, len(booked), 1, "keys")
		for key, times := range booked {
			assert.Equal(m.T, len(key), 26)
			assert.Equal(m.T, times, 3)
		}
	})
}

// Servers that say nothing, or not enough.
func silentRows() []faultRow {
	stalls := fault(aplombtest.StallBody(3, 0))
	half := 30 * time.Second // of the timeouts, by default
	brokenOff := func(w http.ResponseWriter, r *http.Request) {
		aplombtest.NewScript(status(503), aplombtest.StallBody(3, 0)).ServeHTTP(w, r)
	}
	return []faultRow{
		{name: "8 silence", steps: []http.HandlerFunc{mutes, ok}, want: outcome{
			requests: 2, waits: []time.Duration{half + first}, takes: half + first, dials: 2, kept: 1, status: 200}},
		{name: "8 silence for ever ends with the call's time", steps: []http.HandlerFunc{mutes}, want: outcome{
			requests: 2, waits: []time.Duration{half + first}, takes: 60 * time.Second, dials: 2, err: "CallError", is: context.DeadlineExceeded,
			says: []string{"total timeout after 1m0s"}}},
		{name: "8p silence, POST", steps: []http.HandlerFunc{mutes, ok}, call: postOrder, want: outcome{
			requests: 1, takes: half, dials: 1, err: "CallError", is: context.DeadlineExceeded, says: []string{"response header timeout after 30s", sentTwice}}},
		{name: "9 header, one byte a second", steps: []http.HandlerFunc{wire("", dribble), ok}, want: outcome{
			requests: 2, waits: []time.Duration{half + first}, takes: half + first, dials: 2, kept: 1, status: 200}},
		{name: "10 body hangs", steps: []http.HandlerFunc{stalls, ok}, want: outcome{
			requests: 2, waits: []time.Duration{half + first}, takes: half + first, dials: 2, kept: 1, status: 200}},
		{name: "10p body hangs, POST", steps: []http.HandlerFunc{stalls, ok}, call: postOrder, want: outcome{
			requests: 1, status: 200, takes: half, dials: 1, err: "CallError", is: context.DeadlineExceeded, says: []string{"idle read timeout after 30s", sentTwice}}},
		{name: "10 body of an error hangs, streamed", steps: []http.HandlerFunc{brokenOff, ok}, call: stream, want: outcome{
			requests: 2, waits: []time.Duration{first}, takes: first, dials: 2, kept: 1, status: 200}},
		{name: "10 body hangs, streamed", steps: []http.HandlerFunc{stalls, ok}, call: stream, want: outcome{
			requests: 1, takes: half, dials: 1, status: 200, err: "*aplomb.timeoutError", is: context.DeadlineExceeded}},
	}
}

// Answers that blame the server or the request.
func statusRows() []faultRow {
	scripted := []string{`"scripted `}
	inProgress := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
		if a.Response == nil || a.Response.Header.Get("X-Error") != "idempotency_in_progress" {
			return aplomb.Verdict{}
		}
		return aplomb.Verdict{Outcome: aplomb.OutcomeFault, Resend: aplomb.ResendYes}
	})
	busy := status(409, "X-Error", "idempotency_in_progress")
	return []faultRow{
		{name: "13 500", steps: []http.HandlerFunc{status(500)}, want: outcome{
			requests: 4, waits: allWaits, takes: first + second + third, dials: 1, kept: 1, status: 500, err: "APIError", says: scripted}},
		{name: "13 500 once", steps: []http.HandlerFunc{status(500), ok}, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 1, kept: 1, status: 200}},
		{name: "13 500 once, streamed", steps: []http.HandlerFunc{status(500), ok}, call: stream, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 1, kept: 1, status: 200}},
		{name: "13p 500, POST without a key", steps: []http.HandlerFunc{status(500), ok}, call: postOrder, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 500, err: "APIError", says: []string{sentTwice}}},
		{name: "14 501", steps: []http.HandlerFunc{status(501), ok}, want: outcome{requests: 1, dials: 1, kept: 1, status: 501, err: "APIError"}},
		{name: "15 503", steps: []http.HandlerFunc{status(503)}, want: outcome{
			requests: 4, waits: allWaits, takes: first + second + third, dials: 1, kept: 1, status: 503, err: "APIError"}},
		{name: "15 429", steps: []http.HandlerFunc{status(429), ok}, want: outcome{
			requests: 2, waits: []time.Duration{time.Second}, takes: time.Second, dials: 1, kept: 1, status: 200}},
		{name: "23 408", steps: []http.HandlerFunc{status(408)}, want: outcome{
			requests: 4, waits: allWaits, takes: first + second + third, dials: 1, kept: 1, status: 408, err: "APIError"}},
		{name: "23 425", steps: []http.HandlerFunc{status(425)}, call: postOrder, want: outcome{
			requests: 2, waits: []time.Duration{0}, dials: 1, kept: 1, status: 425, err: "APIError"}},
		{name: "24 409", steps: []http.HandlerFunc{status(409), ok}, call: postKeyed, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 409, err: "APIError"}},
		{name: "24 409, the API says the first is in progress", steps: []http.HandlerFunc{busy, busy, ok}, call: postKeyed,
			opts: []aplomb.Option{inProgress}, want: outcome{
				requests: 3, waits: allWaits[:2], takes: first + second, dials: 1, kept: 1, status: 200}},
		{name: "25 redirect loop", steps: []http.HandlerFunc{status(302, "Location", "/v1/orders")}, want: outcome{
			requests: 10, waits: make([]time.Duration, 9), dials: 1, kept: 1, status: 302, err: "CallError", says: []string{"stopped after 10 redirects"}}},
	}
}

// Retry-After in all its forms. Jitter is only added, a tenth at most.
func retryAfterRows() []faultRow {
	stamp := func(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
	skewed := func(w http.ResponseWriter, r *http.Request) {
		theirs := time.Now().Add(-10 * time.Minute)
		status(503, "Date", stamp(theirs), "Retry-After", stamp(theirs.Add(2*time.Second)))(w, r)
	}
	second16 := []time.Duration{1100 * millisecond}
	return []faultRow{
		{name: "16 Retry-After: 1", steps: []http.HandlerFunc{status(503, "Retry-After", "1"), ok}, want: outcome{
			requests: 2, waits: second16, takes: second16[0], dials: 1, kept: 1, status: 200}},
		{name: "16 Retry-After: 1, 429", steps: []http.HandlerFunc{status(429, "Retry-After", "1"), ok}, call: postOrder, want: outcome{
			requests: 2, waits: second16, takes: second16[0], dials: 1, kept: 1, status: 200}},
		{name: "16 Retry-After over the most", steps: []http.HandlerFunc{status(503, "Retry-After", "61"), ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 503, err: "APIError", says: []string{"asked to wait 1m1s, more than Retry.MaxRetryAfter's 1m0s"}},
			also: asksFor(61 * time.Second)},
		{name: "17 HTTP-date by the server's clock", steps: []http.HandlerFunc{skewed, ok}, want: outcome{
			requests: 2, waits: []time.Duration{2200 * millisecond}, takes: 2200 * millisecond, dials: 1, kept: 1, status: 200}},
		{name: "18 date in the past", steps: []http.HandlerFunc{status(503, "Retry-After", "Sat, 01 Jan 1990 00:00:00 GMT"), ok}, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 1, kept: 1, status: 200}},
		{name: "19 negative", steps: []http.HandlerFunc{status(503, "Retry-After", "-5"), ok}, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 1, kept: 1, status: 200}},
		{name: "19 a word", steps: []http.HandlerFunc{status(503, "Retry-After", "soon"), ok}, want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 1, kept: 1, status: 200}},
		{name: "20 a day", steps: []http.HandlerFunc{status(429, "Retry-After", "86400"), ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 429, err: "APIError", is: aplomb.ErrRateLimited, says: []string{"asked to wait 24h0m0s"}},
			also: asksFor(24 * time.Hour)},
		{name: "21 centuries", steps: []http.HandlerFunc{status(503, "Retry-After", "9999999999"), ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 503, err: "APIError"}, also: asksFor(math.MaxInt64)},
		{name: "22 on a 500", steps: []http.HandlerFunc{status(500, "Retry-After", "1"), ok}, want: outcome{
			requests: 2, waits: second16, takes: second16[0], dials: 1, kept: 1, status: 200}},
	}
}

// asksFor holds that the error has the time, and that nobody asks again before.
func asksFor(d time.Duration) func(*rig, error) {
	return func(m *rig, err error) {
		e, ok := errors.AsType[*aplomb.APIError](err)
		if !assert.True(m.T, ok, err) {
			return
		}
		assert.Equal(m.T, e.RetryAfter, d)
		start := time.Now()
		err = getOrder(m)
		assert.ErrorIs(m.T, err, aplomb.ErrRateLimited)
		assert.Equal(m.T, typeOf(err), "CallError")
		ce, _ := errors.AsType[*aplomb.CallError](err)
		assert.True(m.T, ce.ReadyAt.After(start), ce.ReadyAt)
		assert.Equal(m.T, time.Since(start), 0)
		assert.Equal(m.T, m.api.count(), 1)
	}
}

// Answers that are not what was asked for.
func contentRows() []faultRow {
	sign := page(200, "text/html; charset=utf-8", "<html><h1>Sign in</h1></html>")
	return []faultRow{
		{name: "26 malformed JSON", steps: []http.HandlerFunc{body(`{"id":"o_1",}`), ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 200, err: "DecodeError", says: []string{"the body is not valid JSON"}},
			also: bodyKept(`{"id":"o_1",}`)},
		{name: "26 malformed JSON, much of it", steps: []http.HandlerFunc{body(strings.Repeat("[", 100_000)), ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 200, err: "DecodeError"},
			also: bodyKept(strings.Repeat("[", 4096))},
		{name: "27 HTML", steps: []http.HandlerFunc{sign, ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 200, err: "DecodeError",
			says: []string{`expected JSON, got text/html ("<h1>Sign in")`, "a proxy or login page is answering"}}},
		{name: "28 headers of 2 MiB", steps: []http.HandlerFunc{bigHeader(2 << 20), ok}, want: outcome{
			requests: 1, dials: 1, err: "CallError", says: []string{"response headers exceeded 1048576 bytes"}}},
		{name: "28 headers of 12 MiB", steps: []http.HandlerFunc{bigHeader(12 << 20), ok}, want: outcome{
			requests: 1, dials: 1, err: "CallError", says: []string{"response headers exceeded 1048576 bytes"}}},
		{name: "29 gzip bomb", steps: []http.HandlerFunc{gzipBomb, ok}, want: outcome{
			requests: 1, status: 200, dials: 1, err: "CallError", is: aplomb.ErrTooLarge, says: []string{"larger than MaxBody's 33554432 bytes", "raise MaxBody"}}},
	}
}

// bodyKept holds that the error has how the answer began, and prints none of it.
func bodyKept(want string) func(*rig, error) {
	return func(m *rig, err error) {
		e, ok := errors.AsType[*aplomb.DecodeError](err)
		if !assert.True(m.T, ok, err) {
			return
		}
		assert.Equal(m.T, string(e.Body), want)
		assert.NotContains(m.T, fmt.Sprintf("%v %+v %#v %s", err, *e, err, err), want)
	}
}

// A request body that exists once is sent once, whole.
func onceRows() []faultRow {
	const cannot = "the request body cannot be read again: give Body an opener, or set GetBody"
	return []faultRow{
		{name: "42 pipe, answered 503", steps: []http.HandlerFunc{taking(status(503)), ok}, call: piped, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 503}},
		{name: "42 pipe, RST", steps: []http.HandlerFunc{taking(reset), ok}, call: piped, want: outcome{
			requests: 1, dials: 1, err: "CallError", is: syscall.ECONNRESET, says: []string{cannot}}},
		{name: "42 pipe, 429", steps: []http.HandlerFunc{taking(status(429)), ok}, call: piped, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 429}},
		{name: "42 pipe, refused before it was touched", inject: breakingFor(2, aplombtest.DialRefused), steps: []http.HandlerFunc{taking(ok)}, call: piped, want: outcome{
			requests: 1, attempts: 3, takes: first + second, dials: 3, kept: 1, status: 200}},
	}
}

const pipeSize = 100_000 // more than any buffer on the way

// taking reads the piped body, which must be whole, before it goes on.
func taking(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); n != pipeSize || err != nil {
			panic(fmt.Sprint("half a body: ", n, err))
		}
		next(w, r)
	}
}

// piped sends what another goroutine writes; the bubble fails if that is left
// with nobody to read it.
func piped(m *rig) error { return m.pipe("PUT") }

func (m *rig) pipe(method string) error {
	from, to := io.Pipe()
	go func() {
		_, err := io.WriteString(to, strings.Repeat("x", pipeSize))
		_ = to.CloseWithError(err)
	}()
	return m.do(method, from)
}

package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Times of answers and of what they hold: a bubble begins at midnight, the first of
// January 2000.
const (
	now       = "Sat, 01 Jan 2000 00:00:00 GMT"
	inAMinute = "Sat, 01 Jan 2000 00:01:00 GMT"
	anHourAgo = "Fri, 31 Dec 1999 23:00:00 GMT"
	aDayAgo   = "Fri, 31 Dec 1999 00:00:00 GMT"
	aYearAgo  = "Fri, 01 Jan 1999 00:00:00 GMT"
)

const (
	fresh     = "hit"
	missed    = "fwd=uri-miss"
	stale     = "fwd=stale; fwd-status=200"
	confirmed = "fwd=stale; fwd-status=304; stored"
)

// second is a case of two requests: what the first is answered with, how long it
// is until the second, what that one asks for, and what the cache makes of it.
type second struct {
	name   string
	answer string // header lines, "|" between them
	wait   time.Duration
	ask    string // header lines of the second request
	want   string // what Cache-Status begins with, less ttl
	status int    // of the answer; 0 is 200
}

// TestSecondRequest goes through RFC 9111, after the cases of the public suite of
// HTTP caches as far as they are about a client's.
func TestSecondRequest(t *testing.T) {
	t.Parallel()
	const etag, modified = `Etag: "a"`, "Last-Modified: " + aYearAgo
	var many strings.Builder
	for n := range 64 {
		fmt.Fprintf(&many, ", x%d", n)
	}
	for _, c := range []second{
		// Freshness, section 4.2.1.
		{name: "max-age", answer: "Cache-Control: max-age=60", wait: 59 * time.Second, want: fresh},
		{name: "max-age is over", answer: "Cache-Control: max-age=60", wait: 60 * time.Second, want: stale},
		{name: "max-age=0", answer: "Cache-Control: max-age=0", want: missed},
		{name: "upper case", answer: "Cache-Control: MaX-aGe=60", wait: 59 * time.Second, want: fresh},
		{name: "quoted", answer: `Cache-Control: max-age="60"`, wait: 59 * time.Second, want: fresh},
		{name: "zeros before it", answer: "Cache-Control: max-age=0060", wait: 59 * time.Second, want: fresh},
		{name: "space around it", answer: "Cache-Control: max-age = 60", wait: 59 * time.Second, want: fresh},
		{name: "in single quotes", answer: "Cache-Control: max-age='60'|" + etag, want: confirmed},
		{name: "a longer name", answer: "Cache-Control: x-max-age=60, max-age2=60|" + etag, want: confirmed},
		{name: "a quoted comma", answer: `Cache-Control: x="a, no-store", max-age=60`, wait: time.Second, want: fresh},
		{name: "a quote without its end", answer: `Cache-Control: x="a, max-age=60`, wait: time.Second, want: fresh},
		{name: "a huge number", answer: "Cache-Control: max-age=99999999999999999999", wait: 1000 * time.Hour, want: fresh},
		{name: "a negative number", answer: "Cache-Control: max-age=-60", want: missed},
		{name: "a fraction", answer: "Cache-Control: max-age=60.5", want: missed},
		{name: "no number", answer: "Cache-Control: max-age=soon|" + etag, want: confirmed},
		{name: "given twice, the same", answer: "Cache-Control: max-age=60, max-age=60", wait: time.Second, want: fresh},
		{name: "given twice, differing", answer: "Cache-Control: max-age=60, max-age=3600|" + etag, wait: time.Second, want: confirmed},
		{name: "on two lines", answer: "Cache-Control: private|Cache-Control: max-age=60", wait: time.Second, want: fresh},
		{name: "garbage beside it", answer: "Cache-Control: , ;;=, max-age=60, =", wait: time.Second, want: fresh},
		{name: "s-maxage is for others", answer: "Cache-Control: max-age=60, s-maxage=1", wait: 59 * time.Second, want: fresh},
		{name: "s-maxage alone", answer: "Cache-Control: s-maxage=60|" + etag, want: confirmed},
		{name: "expires", answer: "Expires: " + inAMinute, wait: 59 * time.Second, want: fresh},
		{name: "expires is over", answer: "Expires: " + inAMinute, wait: 60 * time.Second, want: stale},
		{name: "expires 0", answer: "Expires: 0|" + etag, want: confirmed},
		{name: "expires in the past", answer: "Expires: " + anHourAgo + "|" + etag, want: confirmed},
		{name: "max-age before expires", answer: "Expires: " + anHourAgo + "|Cache-Control: max-age=60", wait: time.Second, want: fresh},
		{name: "two expires that differ", answer: "Expires: " + inAMinute + "|Expires: 0|" + etag, want: confirmed},
		{name: "expires as of RFC 850", answer: "Expires: Saturday, 01-Jan-00 00:01:00 GMT", wait: 59 * time.Second, want: fresh},
		{name: "expires as of asctime", answer: "Expires: Sat Jan  1 00:01:00 2000", wait: 59 * time.Second, want: fresh},
		{name: "expires in capitals", answer: "Expires: SAT, 01 JAN 2000 00:01:00 GMT", wait: 59 * time.Second, want: fresh},
		{name: "expires on another day of the week", answer: "Expires: Mon, 01 Jan 2000 00:01:00 GMT", wait: 59 * time.Second, want: fresh},
		{name: "expires with two spaces", answer: "Expires: Sat,  01 Jan 2000 00:01:00 GMT|" + etag, want: confirmed},
		{name: "expires with an hour of one digit", answer: "Expires: Sat, 01 Jan 2000 9:01:00 GMT|" + etag, want: confirmed},
		{name: "expires in another zone", answer: "Expires: Sat, 01 Jan 2000 00:01:00 CET|" + etag, want: confirmed},
		{name: "expires by the server's own clock", answer: "Date: " + anHourAgo + "|Expires: " + "Fri, 31 Dec 1999 23:01:00 GMT", wait: 59 * time.Second, want: fresh},
		{name: "age counts", answer: "Cache-Control: max-age=60|Age: 50", wait: 9 * time.Second, want: fresh},
		{name: "age is over", answer: "Cache-Control: max-age=60|Age: 50", wait: 10 * time.Second, want: stale},
		{name: "age that is no number", answer: "Cache-Control: max-age=60|Age: -7", wait: 59 * time.Second, want: fresh},
		{name: "age given twice", answer: "Cache-Control: max-age=60|Age: 50, 50", wait: 9 * time.Second, want: fresh},
		{name: "age on two lines, of which the first counts", answer: "Cache-Control: max-age=60|Age: 0|Age: 60", wait: 59 * time.Second, want: fresh},
		{name: "age with a parameter", answer: "Cache-Control: max-age=60|Age: 60;a=b", wait: 59 * time.Second, want: fresh},
		{name: "an age beyond all measure", answer: "Cache-Control: max-age=99999999999999999999|Age: 99999999999999999999|" + etag, wait: time.Second, want: confirmed},
		{name: "a server's clock an hour ahead", answer: "Cache-Control: max-age=60|Date: Sat, 01 Jan 2000 01:00:00 GMT", wait: 59 * time.Second, want: fresh},
		{name: "a server's clock an hour behind", answer: "Cache-Control: max-age=60|Date: " + anHourAgo, wait: 59 * time.Second, want: fresh},
		{name: "a tenth of an hour, capped", answer: "Last-Modified: " + anHourAgo, wait: 5*time.Minute - time.Second, want: fresh},
		{name: "the cap is over", answer: modified, wait: 5 * time.Minute, want: confirmed},
		{name: "a tenth of 40 minutes", answer: "Last-Modified: Fri, 31 Dec 1999 23:20:00 GMT", wait: 4*time.Minute - time.Second, want: fresh},
		{name: "a tenth is over", answer: "Last-Modified: Fri, 31 Dec 1999 23:20:00 GMT", wait: 4 * time.Minute, want: confirmed},
		{name: "nothing said", answer: etag, want: confirmed},
		{name: "nothing to go by", answer: "X-A: b", want: missed},

		// What a server forbids or asks for, section 5.2.2.
		{name: "no-store", answer: "Cache-Control: no-store, max-age=60|" + etag, want: missed},
		{name: "no-store behind more than is read", answer: "Cache-Control: max-age=60" + many.String() + ", no-store", want: missed},
		{name: "no-store, whatever must be understood", answer: "Cache-Control: no-store, must-understand, max-age=60", want: missed},
		{name: "no-store, in capitals", answer: "Cache-Control: NO-STORE|Expires: " + inAMinute, want: missed},
		{name: "no-cache", answer: "Cache-Control: no-cache, max-age=60|" + etag, want: confirmed},
		{name: "no-cache of a field", answer: `Cache-Control: no-cache="x-a", max-age=60|` + etag, want: confirmed},
		{name: "private", answer: "Cache-Control: private, max-age=60", wait: time.Second, want: fresh},
		{name: "must-revalidate while fresh", answer: "Cache-Control: must-revalidate, max-age=60", wait: time.Second, want: fresh},
		{name: "must-revalidate", answer: "Cache-Control: must-revalidate, max-age=60|" + etag, wait: time.Minute, ask: "Cache-Control: max-stale", want: confirmed},
		{name: "immutable is fresh no longer", answer: "Cache-Control: immutable, max-age=60|" + etag, wait: time.Minute, want: confirmed},
		{name: "pragma of a server", answer: "Pragma: no-cache|Expires: " + inAMinute + "|" + etag, want: confirmed},

		// What a request asks for, section 5.2.1.
		{name: "asked: no-cache", answer: "Cache-Control: max-age=60|" + etag, ask: "Cache-Control: no-cache", want: "fwd=request; fwd-status=304"},
		{name: "asked: pragma", answer: "Cache-Control: max-age=60|" + etag, ask: "Pragma: no-cache", want: "fwd=request; fwd-status=304"},
		{name: "asked: pragma, in another case", answer: "Cache-Control: max-age=60|" + etag, ask: "Pragma: x, No-Cache", want: "fwd=request; fwd-status=304"},
		{name: "pragma beside cache-control", answer: "Cache-Control: max-age=60|" + etag, ask: "Pragma: no-cache|Cache-Control: max-age=9", want: fresh},
		{name: "asked: no-store", answer: "Cache-Control: max-age=60", ask: "Cache-Control: no-store", want: "fwd=bypass; detail=no-store"},
		{name: "asked: max-age", answer: "Cache-Control: max-age=60|" + etag, wait: 10 * time.Second, ask: "Cache-Control: max-age=10", want: fresh},
		{name: "asked: max-age that is over", answer: "Cache-Control: max-age=60|" + etag, wait: 11 * time.Second, ask: "Cache-Control: max-age=10", want: "fwd=request; fwd-status=304"},
		{name: "asked: max-age that is garbage", answer: "Cache-Control: max-age=60|" + etag, wait: time.Second, ask: "Cache-Control: max-age=x", want: "fwd=request; fwd-status=304"},
		{name: "asked: min-fresh", answer: "Cache-Control: max-age=60|" + etag, wait: 50 * time.Second, ask: "Cache-Control: min-fresh=10", want: fresh},
		{name: "asked: min-fresh that is not", answer: "Cache-Control: max-age=60|" + etag, wait: 51 * time.Second, ask: "Cache-Control: min-fresh=10", want: "fwd=request; fwd-status=304"},
		{name: "asked: max-stale", answer: "Cache-Control: max-age=60", wait: time.Hour, ask: "Cache-Control: max-stale", want: fresh},
		{name: "asked: max-stale=10", answer: "Cache-Control: max-age=60", wait: 70 * time.Second, ask: "Cache-Control: max-stale=10", want: fresh},
		{name: "asked: max-stale that is over", answer: "Cache-Control: max-age=60", wait: 71 * time.Second, ask: "Cache-Control: max-stale=10", want: stale},
		{name: "asked: max-stale that contradicts itself", answer: "Cache-Control: max-age=60", wait: 61 * time.Second, ask: "Cache-Control: max-stale=10, max-stale=20", want: stale},
		{name: "only-if-cached", answer: "Cache-Control: max-age=60", ask: "Cache-Control: only-if-cached", want: fresh},
		{name: "only-if-cached and stale", answer: "Cache-Control: max-age=60", wait: time.Minute, ask: "Cache-Control: only-if-cached", want: "detail=only-if-cached"},

		// Vary, section 4.1.
		{name: "vary, both without", answer: "Cache-Control: max-age=60|Vary: Accept-Language", want: fresh},
		{name: "vary, another", answer: "Cache-Control: max-age=60|Vary: Accept-Language", ask: "Accept-Language: de", want: "fwd=vary-miss"},
		{name: "vary, another than empty", answer: "Cache-Control: max-age=60|Vary: X-Version", ask: "X-Version: ", want: "fwd=vary-miss"},
		{name: "vary: *", answer: "Cache-Control: max-age=60|Vary: *", want: missed},
		{name: "vary: * beside others", answer: "Cache-Control: max-age=60|Vary: Accept, *", want: missed},
		{name: "an encoding that it forgot to vary by", answer: "Cache-Control: max-age=60|Content-Encoding: br", ask: "Accept-Encoding: identity", want: "fwd=vary-miss"},
		{name: "a header it does not vary by", answer: "Cache-Control: max-age=60|Vary: Accept", ask: "Accept-Language: de", want: fresh},

		// Statuses, section 3 and RFC 9110, section 15.1.
		{name: "an error whose length is not known", status: 404, answer: "Cache-Control: max-age=60|Transfer-Encoding: chunked", want: missed},
		{name: "302 that is public", status: 302, answer: "Content-Length: 4|Cache-Control: public|" + modified, want: "fwd=stale; fwd-status=304"},

		// What carries a secret.
		{name: "set-cookie", answer: "Cache-Control: max-age=60|Set-Cookie: a=b", want: missed},
		{name: "a token in a header", answer: "Cache-Control: max-age=60|X-Auth-Token: abc", want: missed},
		{name: "an address with a token", status: 302, answer: "Content-Length: 4|Cache-Control: max-age=60|Location: /x?access_token=abc", want: missed},
		{name: "a link with a token", answer: `Cache-Control: max-age=60|Link: <https://a.test/x?access_token=abc>; rel="next"`, want: missed},
		{name: "a refresh with a token", answer: "Cache-Control: max-age=60|Refresh: 5; url=https://a.test/?token=abc", want: missed},
		{name: "an address that was signed", answer: "Cache-Control: max-age=60|X-Upload-Url: https://b.test/x?X-Amz-Signature=abc", want: missed},
		{name: "a key in a header", answer: "Cache-Control: max-age=60|X-Note: sk_" + "test_4eC39HqLyjWDarjt", want: missed},
		{name: "a token of JSON in a header", answer: "Cache-Control: max-age=60|X-Next: eyJhbGciOi.eyJzdWIiOiI.c2ln", want: missed},
		{name: "an address with a user", answer: "Cache-Control: max-age=60|X-Next: https://user:pw@a.test/", want: missed},
		{name: "an address that is a key", status: 302, answer: "Content-Length: 4|Cache-Control: max-age=60|Location: /v1/sk_" + "test_4eC39HqLyjWDarjt/x", want: missed},
		{name: "links to pages", answer: `Cache-Control: max-age=60|Link: <https://a.test/repositories/1296269/issues?per_page=5&page=2>; rel="next", <https://a.test/?after=Y3Vyc29yOnYyOpK5&page%5Bnumber%5D=7>; rel="last"`, want: fresh},
		{name: "links to pages by number", answer: `Cache-Control: max-age=60|Link: <https://a.test/?page[number]=2&page[size]=9>; rel="next"`, want: fresh},
		{name: "links to pages by cursor", answer: `Cache-Control: max-age=60|Link: <https://a.test/?page_info=eyJsYXN0X2lkIjo0Mjg1fQ&limit=50>; rel="next"`, want: fresh},
		{name: "links to pages by token", answer: `Cache-Control: max-age=60|Link: <https://a.test/?pageToken=CAUQAA>; rel="next"`, want: fresh},
		{name: "a link to what has a long number", answer: "Cache-Control: max-age=60|Content-Location: /users/4242424242424242", want: fresh},
		{name: "base64 with a short word in it", answer: "Cache-Control: max-age=60|X-Amz-Cf-Id: a9Pw-Xk_2Key==", want: fresh},
		{name: "a tag that looks like a token", answer: `Cache-Control: max-age=60|Etag: W/"Bearer ann"`, want: fresh},
		{name: "headers for browsers", answer: `Cache-Control: max-age=60|Content-Security-Policy: default-src 'self'; report-uri https://a.test/?sentry_key=abc|Report-To: {"endpoints":[{"url":"https://a.test/r?sid=abc"}]}|Access-Control-Allow-Headers: Authorization, Cookie`, want: fresh},
		{name: "when the token ends", answer: "Cache-Control: max-age=60|Github-Authentication-Token-Expiration: 2000-03-01", want: fresh},
		{name: "a stream of events", answer: "Cache-Control: max-age=60|Content-Type: text/event-stream", want: missed},

		// What is not the cache's.
		{name: "a range", answer: "Cache-Control: max-age=60", ask: "Range: bytes=0-1", want: "fwd=bypass; detail=condition"},
		{name: "an upgrade", answer: "Cache-Control: max-age=60", ask: "Upgrade: x", want: "fwd=bypass; detail=upgrade"},
		{name: "a condition of the caller's", answer: "Cache-Control: max-age=60", ask: `If-None-Match: "x"`, want: "fwd=bypass; detail=condition"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, c.run)
		})
	}
	// What says when it was modified and no more is kept with a status that RFC
	// 9110, section 15.1 names; with others the server has to say for how long.
	for status, want := range map[int][2]string{
		200: {fresh, fresh}, 203: {fresh, fresh}, 300: {fresh, fresh}, 301: {fresh, fresh}, 308: {fresh, fresh},
		404: {fresh, fresh}, 405: {fresh, fresh}, 410: {fresh, fresh}, 414: {fresh, fresh}, 501: {fresh, fresh},
		201: {missed, fresh}, 202: {missed, fresh}, 302: {missed, fresh}, 303: {missed, fresh}, 307: {missed, fresh},
		400: {missed, fresh}, 402: {missed, fresh}, 422: {missed, fresh}, 499: {missed, fresh},
		206: {missed, missed}, 401: {missed, missed}, 403: {missed, missed}, 407: {missed, missed}, 408: {missed, missed},
		421: {missed, missed}, 425: {missed, missed}, 428: {missed, missed}, 429: {missed, missed}, 431: {missed, missed},
		451: {missed, missed}, 500: {missed, missed}, 502: {missed, missed}, 503: {missed, missed}, 504: {missed, missed},
	} {
		for i, answer := range []string{"Content-Length: 4|Last-Modified: " + anHourAgo, "Content-Length: 4|Cache-Control: max-age=60"} {
			bubble(t, fmt.Sprintf("%d, %s", status, answer), second{status: status, answer: answer, want: want[i]}.run)
		}
	}
}

func (c second) run(t *testing.T) {
	o := newOrigin(t, cache.Settings{}, func(n int, w http.ResponseWriter, r *http.Request) {
		set(w, strings.Split(c.answer, "|")...)
		if tag := w.Header().Get("ETag"); tag != "" && r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if m := w.Header().Get("Last-Modified"); m != "" && r.Header.Get("If-Modified-Since") == m {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(max(c.status, 200))
		_, _ = fmt.Fprintf(w, "no %d", n)
	})
	o.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	assert.Equal(t, o.send("GET /a").how(), missed)
	time.Sleep(c.wait)
	ask := []string{}
	if c.ask != "" {
		ask = strings.Split(c.ask, "|")
	}
	g := o.send("GET /a", ask...)
	how, _, _ := strings.Cut(g.how(), "; ttl=")
	assert.True(t, strings.HasPrefix(how, c.want), how, "wanted", c.want)
	answered, body := 1, "no 1"
	switch {
	case c.want == "detail=only-if-cached":
		assert.Equal(t, g.StatusCode, http.StatusGatewayTimeout)
		body = ""
	case strings.HasSuffix(c.want, "304") || c.want == confirmed:
		answered = 2
	case c.want != fresh:
		answered, body = 2, "no 2"
	}
	assert.Equal(t, o.count(), answered)
	assert.Equal(t, g.body, body)
}

// readFunc is a Reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// closeFunc is a Closer.
type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// TestForeignTransports are told things that net/http's own never says.
func TestForeignTransports(t *testing.T) {
	t.Parallel()
	// over is a client whose cache stands over f, and how often f was asked.
	over := func(t *testing.T, f func(n int, r *http.Request) *http.Response) (*http.Client, *int) {
		t.Helper()
		n := new(int)
		c := newCache(t, cache.NewMemory(1<<20), cache.Settings{})
		return &http.Client{Transport: c.Middleware(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			*n++
			return f(*n, r), nil
		}))}, n
	}
	respond := func(r *http.Request, body string, lines ...string) *http.Response {
		w := httptest.NewRecorder()
		set(w, lines...)
		resp := w.Result()
		resp.Body, resp.ContentLength, resp.Request = io.NopCloser(strings.NewReader(body)), int64(len(body)), r
		return resp
	}
	read := func(t *testing.T, c *http.Client, method, url string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		assert.NoError(t, err)
		resp, err := c.Do(r)
		assert.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		return string(body)
	}
	t.Run("a body that is shorter than announced is not kept", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response {
			resp := respond(r, "12345", "Cache-Control: max-age=60")
			resp.ContentLength = 10
			return resp
		})
		read(t, c, "GET", "http://a.test/")
		read(t, c, "GET", "http://a.test/")
		assert.Equal(t, *n, 2)
	})
	t.Run("nor is one with a trailer", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response {
			resp := respond(r, "12345", "Cache-Control: max-age=60")
			resp.Trailer = http.Header{"X-Sum": nil}
			return resp
		})
		read(t, c, "GET", "http://a.test/")
		read(t, c, "GET", "http://a.test/")
		assert.Equal(t, *n, 2)
	})
	t.Run("nor is one with a trailer that comes unannounced", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response {
			resp := respond(r, "", "Cache-Control: max-age=60")
			resp.ContentLength, resp.TransferEncoding = -1, []string{"chunked"}
			resp.Body = io.NopCloser(readFunc(func([]byte) (int, error) {
				resp.Trailer = http.Header{"Grpc-Status": {"13"}}
				return 0, io.EOF
			}))
			return resp
		})
		read(t, c, "GET", "http://a.test/")
		read(t, c, "GET", "http://a.test/")
		assert.Equal(t, *n, 2)
	})
	t.Run("nor is one that ends with the connection", func(t *testing.T) {
		t.Parallel()
		for _, end := range []struct {
			proto    int
			unpacked bool // gzip has an end, and so has HTTP/2
			asked    int
		}{{1, false, 2}, {1, true, 1}, {2, false, 1}} {
			c, n := over(t, func(_ int, r *http.Request) *http.Response {
				resp := respond(r, "half and", "Cache-Control: max-age=60")
				resp.ContentLength, resp.ProtoMajor, resp.Uncompressed = -1, end.proto, end.unpacked
				return resp
			})
			read(t, c, "GET", "http://a.test/")
			read(t, c, "GET", "http://a.test/")
			assert.Equal(t, *n, end.asked, end)
		}
	})
	t.Run("nor is one that breaks off and then ends", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response {
			resp := respond(r, "", "Cache-Control: max-age=60")
			errs := []error{io.ErrUnexpectedEOF, io.EOF}
			resp.ContentLength, resp.TransferEncoding = -1, []string{"chunked"}
			resp.Body = io.NopCloser(readFunc(func([]byte) (int, error) {
				err := errs[0]
				errs = errs[len(errs)-1:]
				return 0, err
			}))
			return resp
		})
		for range 2 {
			resp, err := c.Get("http://a.test/")
			assert.NoError(t, err)
			_, err = io.ReadAll(resp.Body)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			_ = resp.Body.Close()
		}
		assert.Equal(t, *n, 2)
	})
	t.Run("an answer without a body and a header", func(t *testing.T) {
		t.Parallel()
		c, _ := over(t, func(_ int, r *http.Request) *http.Response { return &http.Response{StatusCode: 200, Request: r} })
		assert.Equal(t, read(t, c, "GET", "http://a.test/"), "")
		assert.Equal(t, read(t, c, "POST", "http://a.test/"), "")
	})
	t.Run("a body whose length was not said", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response {
			resp := respond(r, "hello", "Cache-Control: max-age=60")
			resp.ContentLength = 0
			return resp
		})
		for range 2 {
			assert.Equal(t, read(t, c, "GET", "http://a.test/"), "hello")
		}
		assert.Equal(t, *n, 1)
	})
	t.Run("a 304 that nobody asked for is the caller's", func(t *testing.T) {
		t.Parallel()
		c, _ := over(t, func(n int, r *http.Request) *http.Response {
			resp := respond(r, "hello", "Cache-Control: max-age=60")
			if n == 2 {
				resp.StatusCode = http.StatusNotModified
			}
			return resp
		})
		read(t, c, "GET", "http://a.test/")
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.test/", nil)
		r.Header.Set("Cache-Control", "no-cache")
		resp, err := c.Do(r)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, resp.StatusCode, http.StatusNotModified)
	})
	t.Run("each body is closed", func(t *testing.T) {
		t.Parallel()
		open := 0
		c, n := over(t, func(n int, r *http.Request) *http.Response {
			resp := respond(r, "", `Etag: "a"`)
			if n > 1 && r.Header.Get("If-None-Match") != "" {
				resp = respond(r, "", fmt.Sprintf(`Etag: "%c"`, "ab"[n%2])) // n is 2: confirmed
				resp.StatusCode = http.StatusNotModified
			}
			open++
			resp.Body = struct {
				io.Reader
				io.Closer
			}{strings.NewReader("x"), closeFunc(func() error { open--; return nil })}
			return resp
		})
		for range 3 {
			read(t, c, "GET", "http://a.test/")
		}
		assert.Equal(t, *n, 4, "one was about another")
		assert.Equal(t, open, 0)
	})
	t.Run("neither an answer nor an error", func(t *testing.T) {
		t.Parallel()
		c, _ := over(t, func(int, *http.Request) *http.Response { return nil })
		_, err := c.Get("http://a.test/") //nolint:bodyclose // there is none
		assert.Contains(t, fmt.Sprint(err), "neither an answer nor an error")
	})
	t.Run("another origin's answers are not forgotten", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response {
			return respond(r, "1", "Cache-Control: max-age=60", "Content-Location: http://b.test/")
		})
		read(t, c, "GET", "http://b.test/")
		read(t, c, "POST", "http://a.test/")
		read(t, c, "GET", "http://b.test/")
		assert.Equal(t, *n, 2)
	})
	t.Run("a 304 says nothing of the body", func(t *testing.T) {
		t.Parallel()
		c, _ := over(t, func(n int, r *http.Request) *http.Response {
			if n == 1 {
				return respond(r, "hello", "Cache-Control: no-cache", `Etag: "a"`, "Content-Type: text/plain", "Age: 7")
			}
			resp := respond(r, "", "Cache-Control: max-age=60", "Content-Type: wrong/type", "Content-Encoding: gzip", "Content-Length: 99")
			resp.StatusCode = http.StatusNotModified
			return resp
		})
		read(t, c, "GET", "http://a.test/")
		read(t, c, "GET", "http://a.test/")
		resp, err := c.Get("http://a.test/")
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, resp.Header.Get("Content-Type"), "text/plain")
		assert.Equal(t, resp.Header.Get("Content-Encoding")+resp.Header.Get("Content-Length"), "")
		assert.Equal(t, resp.Header.Get("Age"), "0", "it is that of the 304")
		assert.Equal(t, resp.ContentLength, 5)
	})
	t.Run("a GET with a body goes past the cache", func(t *testing.T) {
		t.Parallel()
		c, n := over(t, func(_ int, r *http.Request) *http.Response { return respond(r, "1", "Cache-Control: max-age=60") })
		for range 2 {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.test/", strings.NewReader("{}"))
			resp, err := c.Do(r)
			assert.NoError(t, err)
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		assert.Equal(t, *n, 2)
	})
}

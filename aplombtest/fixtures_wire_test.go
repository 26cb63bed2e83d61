package aplombtest_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/webhook"
)

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestFixturesReplayFailures: an error is the same to errors.Is and errors.As.
func TestFixturesReplayFailures(t *testing.T) {
	t.Parallel()
	op := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	errno := func(call string, no syscall.Errno) error { return op(call, os.NewSyscallError(call, no)) }
	distrust := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	timedOut := func(opName string) func(error) bool {
		return func(err error) bool {
			n, ok := errors.AsType[net.Error](err)
			o, _ := errors.AsType[*net.OpError](err)
			return ok && n.Timeout() && o != nil && o.Op == opName
		}
	}
	dns := func(same func(*net.DNSError) bool) func(error) bool {
		return func(err error) bool { d, ok := errors.AsType[*net.DNSError](err); return ok && same(d) }
	}
	for name, tt := range map[string]struct {
		err  error
		same func(error) bool
	}{
		"refused":         {errno("dial", syscall.ECONNREFUSED), is(syscall.ECONNREFUSED)},
		"reset":           {errno("read", syscall.ECONNRESET), is(syscall.ECONNRESET)},
		"pipe":            {errno("write", syscall.EPIPE), is(syscall.EPIPE)},
		"connect timeout": {op("dial", os.ErrDeadlineExceeded), timedOut("dial")},
		"timeout":         {op("read", os.ErrDeadlineExceeded), timedOut("read")},
		"eof":             {io.EOF, is(io.EOF)},
		"unexpected eof":  {fmt.Errorf("x: %w", io.ErrUnexpectedEOF), is(io.ErrUnexpectedEOF)},
		"no such host":    {op("dial", &net.DNSError{IsNotFound: true}), dns(func(d *net.DNSError) bool { return d.IsNotFound && d.Name == "api.test" })},
		"dns timeout":     {op("dial", &net.DNSError{IsTimeout: true}), dns(func(d *net.DNSError) bool { return d.IsTimeout && !d.IsNotFound })},
		"dns":             {op("dial", &net.DNSError{Err: "x"}), dns(func(d *net.DNSError) bool { return !d.IsTimeout && !d.IsNotFound && d.IsTemporary })},
		"authority":       {distrust(x509.UnknownAuthorityError{}), func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok }},
		"host name": {distrust(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}), func(err error) bool {
			h, ok := errors.AsType[x509.HostnameError](err)
			return ok && h.Host == "api.test"
		}},
		"expired": {distrust(x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}}), func(err error) bool {
			c, ok := errors.AsType[x509.CertificateInvalidError](err)
			return ok && c.Reason == x509.Expired
		}},
		"other": {errors.New("net/http: odd, token=pl4nt-0001"), func(err error) bool { return err.Error() == "net/http: odd, token=<secret:1>" }},
	} {
		dir := t.TempDir()
		req := httptest.NewRequestWithContext(context.Background(), "GET", "http://api.test/", http.NoBody)
		clean(t, "TestX", func(tb *actor) {
			_, err := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: roundTrip(func(*http.Request) (*http.Response, error) { return nil, tt.err })}).RoundTrip(req)
			assert.ErrorIs(t, err, tt.err)
		})
		clean(t, "TestX", func(tb *actor) {
			resp, err := aplombtest.OpenFixtures(tb, dir, false).RoundTrip(req)
			assert.True(t, resp == nil && err != nil && tt.same(err), name, err)
			assert.True(t, err.Error() != "", name)
		})
	}
}

// TestFixturesReplayABodyThatBreaksOff: the part that came, then the error.
func TestFixturesReplayABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"a":"0123456789"}`) }),
		aplombtest.TruncatedBody(7))
	both(t, script, func(_ *actor, rec *aplombtest.Recorder) {
		resp, err := rec.RoundTrip(httptest.NewRequestWithContext(context.Background(), "GET", "http://api.test/", http.NoBody))
		assert.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, string(body), `{"a":"0`)
		assert.NoError(t, resp.Body.Close())
	})
}

// TestFixturesReplayACancel: what the caller gave up is given up by it again.
func TestFixturesReplayACancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		both(t, aplombtest.NewScript(http.NotFoundHandler()).Always(aplombtest.Stall(0)), func(_ *actor, rec *aplombtest.Recorder) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := rec.RoundTrip(httptest.NewRequestWithContext(ctx, "GET", "http://api.test/", http.NoBody))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		assert.Equal(t, time.Since(start), 2*time.Minute)
	})
}

// TestFixturesKeepStreams: parts and pauses are kept, the first part does not wait
// for the last, and a pause heeds the context.
func TestFixturesKeepStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: {\"n\":%d}\n\n", i)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(2 * time.Second)
			}
		})
		read := func(ctx context.Context, rec *aplombtest.Recorder) (parts []string, at []time.Duration, err error) {
			start := time.Now()
			resp, err := rec.RoundTrip(httptest.NewRequestWithContext(ctx, "GET", "http://api.test/", http.NoBody))
			if !assert.NoError(t, err) {
				return nil, nil, err
			}
			defer resp.Body.Close()
			buf := make([]byte, 1024)
			for {
				n, err := resp.Body.Read(buf)
				if n > 0 {
					parts, at = append(parts, string(buf[:n])), append(at, time.Since(start))
				}
				if err != nil {
					return parts, at, err
				}
			}
		}
		want := []string{"data: {\"n\":0}\n\n", "data: {\"n\":1}\n\n", "data: {\"n\":2}\n\n"}
		dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
			parts, at, err := read(t.Context(), rec)
			assert.Equal(t, err, io.EOF)
			assert.Equal(t, parts, want)
			if rec.Live() {
				assert.Equal(t, at, []time.Duration{0, 2 * time.Second, 4 * time.Second})
			} else {
				assert.Equal(t, at, []time.Duration{0, 0, 0})
			}
		})
		clean(t, "TestX", func(tb *actor) {
			parts, at, err := read(t.Context(), aplombtest.OpenFixtures(tb, dir, false, aplombtest.Recording{Latency: true}))
			assert.Equal(t, err, io.EOF)
			assert.Equal(t, parts, want)
			assert.Equal(t, at, []time.Duration{0, 2 * time.Second, 4 * time.Second})
		})
		clean(t, "TestX", func(tb *actor) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			parts, _, err := read(ctx, aplombtest.OpenFixtures(tb, dir, false, aplombtest.Recording{Latency: true}))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, len(parts), 2)
			assert.Equal(t, time.Since(start), 3*time.Second)
		})
	})
}

// TestFixturesSayWhereARecordingEnds: nobody read further when it was made.
func TestFixturesSayWhereARecordingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
			resp, err := rec.RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://api.test/", http.NoBody))
			assert.NoError(t, err)
			_, err = resp.Body.Read(make([]byte, 100))
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
		})
		clean(t, "TestX", func(tb *actor) {
			resp, err := aplombtest.OpenFixtures(tb, dir, false).RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://api.test/", http.NoBody))
			assert.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			assert.Equal(t, string(body), "data: 1\n\n")
			assert.Contains(t, err.Error(), "the recording ends here")
		})
	})
}

// TestFixturesAlterNoRequest: a client that retries sends the same, its credential
// included, on each attempt, and each is recorded.
func TestFixturesAlterNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			seen = append(seen, fmt.Sprintf("%v %v %v %s %d", r.Header["Authorization"], r.Header["Cookie"], r.Header["Idempotency-Key"], body, r.ContentLength))
			_, _ = io.WriteString(w, `{"id":"1"}`)
		})
		dir := both(t, aplombtest.NewScript(api, aplombtest.LostResponse(), aplombtest.Answer(func(w http.ResponseWriter, r *http.Request) {
			api(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusServiceUnavailable)
		})), func(_ *actor, rec *aplombtest.Recorder) {
			c, err := aplomb.New("http://api.test", aplomb.Transport(rec), aplomb.Bearer(aplomb.Static("pl4nt-0123456789")), aplomb.Header("Cookie", "sid=pl4nt-cookie"))
			assert.NoError(t, err)
			got, err := aplomb.Post[map[string]string](t.Context(), c, "/v1", aplomb.JSON(map[string]int{"amount": 1}), aplomb.IdempotencyKey("order-1"))
			assert.NoError(t, err)
			assert.Equal(t, got["id"], "1")
		})
		assert.Equal(t, len(seen), 3)
		for _, s := range seen {
			assert.Equal(t, s, `[Bearer pl4nt-0123456789] [sid=pl4nt-cookie] [order-1] {"amount":1} 12`)
		}
		assert.Equal(t, strings.Count(fixtureText(t, dir), `"method": "POST"`), 3)
		assert.NotContains(t, fixtureText(t, dir), "pl4nt")
	})
}

// TestFixturesDifferLittle: what is another each time makes no difference in the
// file.
func TestFixturesDifferLittle(t *testing.T) {
	t.Parallel()
	run := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Request-Id", fmt.Sprintf("req_abcdef%d", run))
		w.Header().Set("X-Runtime", strconv.Itoa(run))
		w.Header().Set("Set-Cookie", fmt.Sprintf("sid=session-%d; Expires=Wed, 0%d Jan 2031 00:00:00 GMT", run, run))
		fmt.Fprintf(w, `{"access_token":"token-%d-0123456789","log":"https://api.test/logs/req_abcdef%d"}`, run, run)
	})
	var texts []string
	record := func(t *testing.T) {
		run++
		dir := bothAs(t, h, aplombtest.Recording{Ignore: []string{"sent_at", "run"}}, func(_ *actor, rec *aplombtest.Recorder) {
			req := httptest.NewRequestWithContext(context.Background(), "POST", fmt.Sprintf("http://api.test/?run=%d", run), strings.NewReader(fmt.Sprintf(`{"sent_at":%d,"a":1}`, run)))
			req.Header.Set("Authorization", fmt.Sprintf("Bearer key-%d-0123456789", run))
			req.Header.Set("Idempotency-Key", fmt.Sprintf("key-%d", run))
			req.Header.Set("User-Agent", fmt.Sprint("v", run))
			resp, err := rec.RoundTrip(req)
			if assert.NoError(t, err) {
				_ = resp.Body.Close()
			}
		})
		texts = append(texts, fixtureText(t, dir))
	}
	synctest.Test(t, record)
	synctest.Test(t, record)
	assert.Equal(t, texts[0], texts[1])
}

// TestFixturesAnswerAsATransportDoes: its contract holds, of the request, the
// context and the body.
func TestFixturesAnswerAsATransportDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") })
		both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
			time.Sleep(time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			req := httptest.NewRequestWithContext(ctx, "GET", "http://api.test/", http.NoBody)
			resp, err := rec.RoundTrip(req)
			assert.NoError(t, err)
			assert.True(t, resp.Request == req, "another request")
			assert.Equal(t, resp.Header.Get("Date"), time.Now().UTC().Format(http.TimeFormat))
			assert.Equal(t, resp.ContentLength, 10)
			assert.Equal(t, resp.Header.Get("Content-Length"), "10")
			assert.Equal(t, resp.Status, "200 OK")
			if rec.Live() {
				_, err = io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.NoError(t, resp.Body.Close())
				cancel()
				return
			}
			_, err = resp.Body.Read(make([]byte, 1))
			assert.NoError(t, err)
			cancel()
			_, err = resp.Body.Read(make([]byte, 1))
			assert.ErrorIs(t, err, context.Canceled)
			assert.NoError(t, resp.Body.Close())
			_, err = resp.Body.Read(make([]byte, 1))
			assert.Equal(t, err.Error(), "http: read on closed response body")
			_, err = rec.RoundTrip(req) // takes no answer
			assert.ErrorIs(t, err, context.Canceled)
		})
	})
}

// TestFixturesWantBackWhatTheyGave: a cursor or a token that an answer brought has to
// come back; what the client brings itself may be another.
func TestFixturesWantBackWhatTheyGave(t *testing.T) {
	t.Parallel()
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"next_page_token":"cursor-%s-0123456789","login":"me"}`, r.URL.Query().Get("page_token"))
	}))
	dir := t.TempDir()
	walk := func(rec *aplombtest.Recorder, key string, cursor func(string) string) error {
		token := ""
		for range 3 {
			resp, err := rec.Client().Get(srv.URL + "/?api_key=" + key + "&page_token=" + url.QueryEscape(token))
			if err != nil {
				return err
			}
			var page struct {
				Next string `json:"next_page_token"`
			}
			err = json.NewDecoder(resp.Body).Decode(&page)
			_ = resp.Body.Close()
			if err != nil {
				return err
			}
			token = cursor(page.Next)
		}
		return nil
	}
	right := func(next string) string { return next }
	clean(t, "TestX", func(tb *actor) {
		assert.NoError(t, walk(aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: srv.Transport()}), "pl4nt-key-0001", right))
	})
	clean(t, "TestX", func(tb *actor) {
		assert.NoError(t, walk(aplombtest.OpenFixtures(tb, dir, false), "another-key-0002", right))
	})
	first := ""
	for name, wrong := range map[string]func(string) string{
		"garbage": func(string) string { return "garbage-0123456789" }, "none": func(string) string { return "" },
		"the first": func(next string) string { first = cmp.Or(first, next); return first },
	} {
		act(t, "TestX", func(tb *actor) {
			err := walk(aplombtest.OpenFixtures(tb, dir, false), "another-key-0002", wrong)
			if assert.True(t, err != nil, name) {
				assert.Contains(t, err.Error(), `query page_token: recorded "<next_page_token:`)
			}
		})
	}
}

// TestFixturesOfTheLoopback: a callback's port is another one each time.
func TestFixturesOfTheLoopback(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	port := 40000
	both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		port++
		send(t, rec, "POST", "http://api.test/hooks", "application/json", fmt.Sprintf(`{"url":"http://127.0.0.1:%d/hook","n":1}`, port))
		send(t, rec, "POST", "http://api.test/hooks", "application/x-www-form-urlencoded", fmt.Sprintf("url=http%%3A%%2F%%2Flocalhost%%3A%d%%2Fhook", port))
	})
}

// TestFixturesKeepKeysThatOpenNothing: of an object, of what a list is sorted by.
func TestFixturesKeepKeysThatOpenNothing(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"key":"photos/summer.jpg","sort_key":"name","api_key":"k","private_key":"p","key_2":"x","partition_keys":["a"]}`)
	})
	dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) { fetch(t, rec, "http://api.test/?key=photos") })
	text := fixtureText(t, dir)
	for _, want := range []string{`?key=photos`, `"key": "photos/summer.jpg"`, `"sort_key": "name"`, `"api_key": "<api_key:1>"`, `"private_key": "<private_key:1>"`} {
		assert.Contains(t, text, want)
	}
}

// TestFixturesAreNamedApart: two subtests whose names no file can have do not share
// one.
func TestFixturesAreNamedApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := aplombtest.NewServer(t, http.NotFoundHandler())
	for _, name := range []string{"TestX/qty<0", "TestX/qty>0", "TestX/é", "TestX/è", "TestX/..", "TestX/plain"} {
		clean(t, name, func(tb *actor) {
			fetch(t, aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: srv.Transport()}), srv.URL+"/"+url.PathEscape(name))
		})
	}
	files, err := os.ReadDir(filepath.Join(dir, "TestX"))
	assert.NoError(t, err)
	assert.Equal(t, len(files), 6)
	for _, name := range []string{"TestX/qty<0", "TestX/plain"} {
		clean(t, name, func(tb *actor) { fetch(t, aplombtest.OpenFixtures(tb, dir, false), srv.URL+"/"+url.PathEscape(name)) })
	}
}

// TestFixturesCompareHeaders: only those that are asked for.
func TestFixturesCompareHeaders(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Accept")) })
	ask := func(rec *aplombtest.Recorder, accept string) (string, error) {
		req := httptest.NewRequestWithContext(context.Background(), "GET", "http://api.test/", http.NoBody)
		req.Header.Set("Accept", accept)
		resp, err := rec.RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	dir := bothAs(t, h, aplombtest.Recording{Compare: []string{"accept"}}, func(_ *actor, rec *aplombtest.Recorder) {
		kinds := []string{"text/a", "text/b"}
		if !rec.Live() {
			slices.Reverse(kinds)
		}
		for _, kind := range kinds {
			body, err := ask(rec, kind)
			assert.NoError(t, err)
			assert.Equal(t, body, kind)
		}
	})
	a := act(t, "TestX", func(tb *actor) {
		_, err := ask(aplombtest.OpenFixtures(tb, dir, false, aplombtest.Recording{Compare: []string{"Accept"}, AllowUnused: true}), "text/c")
		assert.Contains(t, err.Error(), `header Accept: recorded "text/a", asked "text/c"`)
	})
	assert.Equal(t, len(a.errors), 1)
}

func TestFixturesAnswerHead(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "12345") })
	both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		resp, err := rec.Client().Head("http://api.test/")
		assert.NoError(t, err)
		assert.Equal(t, resp.ContentLength, 12345)
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, len(body), 0)
		assert.NoError(t, resp.Body.Close())
	})
}

// TestFixturesUnpack: a packed body is kept in the open and packed again; one that
// cannot be unpacked is refused.
func TestFixturesUnpack(t *testing.T) {
	t.Parallel()
	plain := `{"password":"pl4nt-0123456789","n":1}`
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, plain)
		_ = z.Close()
	})
	ask := func(rt http.RoundTripper, coding string) []byte {
		req := httptest.NewRequestWithContext(context.Background(), "GET", "http://api.test/", http.NoBody)
		req.Header.Set("Accept-Encoding", coding)
		resp, err := rt.RoundTrip(req)
		if !assert.NoError(t, err) {
			return nil
		}
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		return body
	}
	dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		z, err := gzip.NewReader(bytes.NewReader(ask(rec, "gzip")))
		assert.NoError(t, err)
		got, err := io.ReadAll(z)
		assert.NoError(t, err)
		if !rec.Live() {
			plain = `{"password":"<password:1>","n":1}`
		}
		assert.Equal(t, string(got), plain)
	})
	assert.NotContains(t, fixtureText(t, dir), "pl4nt")
	a := act(t, "TestX", func(tb *actor) {
		ask(aplombtest.OpenFixtures(tb, t.TempDir(), true, aplombtest.Recording{Over: aplombtest.NewServer(t, h).Transport()}), "br")
	})
	assert.Contains(t, strings.Join(a.errors, ""), `interaction 1, GET http://api.test/: the response's body: it is packed by "br"`)
}

// TestFixturesRefuseASurvivor: what is packed beyond our reach is found, and then
// nothing is written.
func TestFixturesRefuseASurvivor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte{0xff})
		_, _ = io.WriteString(w, `pl4nt\u002dsecret\u002d0001`)
	})
	a := act(t, "TestX", func(tb *actor) {
		rec := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: aplombtest.NewServer(t, h).Transport(), Hide: []string{"pl4nt-secret-0001"}})
		fetch(t, rec, "http://api.test/")
	})
	assert.Contains(t, strings.Join(a.errors, ""), "interaction 1, GET http://api.test/: the secret <hidden:1> is still in response.base64[0]")
	_, err := os.Stat(filepath.Join(dir, "TestX.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestFixturesEnv(t *testing.T) {
	t.Setenv("ACME_KEY", "pl4nt-from-the-environment")
	var seen atomic.Value
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.URL.Query().Get("who"))
		_, _ = io.WriteString(w, r.URL.RawQuery)
	})
	dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		fetch(t, rec, "http://api.test/?who="+rec.Env("ACME_KEY", "key_replayed"))
	})
	assert.Equal(t, seen.Load(), any("pl4nt-from-the-environment"))
	assert.Contains(t, fixtureText(t, dir), "?who=<hidden:1>")
	a := act(t, "TestX", func(tb *actor) { aplombtest.OpenFixtures(tb, t.TempDir(), true).Env("ACME_NO_KEY", "x") })
	assert.Contains(t, strings.Join(a.errors, ""), "ACME_NO_KEY is empty: it is needed to record")
}

// TestFixturesAreConcurrent: one recorder serves many goroutines, and its answers
// are each caller's own.
func TestFixturesAreConcurrent(t *testing.T) {
	t.Parallel()
	const many = 50
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Page", "1")
		_, _ = w.Write(body)
	})
	both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				body := fmt.Sprintf(`{"n":%d,"password":"password-%d"}`, i/2, i/2)
				resp, err := rec.RoundTrip(httptest.NewRequestWithContext(context.Background(), "POST", "http://api.test/", strings.NewReader(body)))
				if !assert.NoError(t, err) {
					return
				}
				resp.Header.Set("X-Page", "mine")
				got, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.Contains(t, string(got), fmt.Sprintf(`{"n":%d,`, i/2))
				_ = resp.Body.Close()
			})
		}
		wg.Wait()
	})
}

// TestFixturesShareNothing: fifty tests at once.
func TestFixturesShareNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 50 {
		t.Run(fmt.Sprint("Test", i), func(t *testing.T) {
			t.Parallel()
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, i) })
			for _, recording := range []bool{true, false} {
				clean(t, t.Name(), func(tb *actor) {
					rec := aplombtest.OpenFixtures(tb, dir, recording, aplombtest.Recording{Over: aplombtest.NewServer(t, h).Transport()})
					for range 10 {
						_, body := fetch(t, rec, "http://api.test/same")
						assert.Equal(t, body, strconv.Itoa(i))
					}
				})
			}
		})
	}
}

// TestFixturesServe: faults in front of a recording.
func TestFixturesServe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		host := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
		clean(t, "TestX", func(tb *actor) {
			rec := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: aplombtest.NewTLSServer(t, host).Transport()})
			for range 2 {
				fetch(t, rec, "https://api.test/a")
			}
		})
		a := act(t, "TestX", func(tb *actor) {
			script := aplombtest.NewScript(aplombtest.OpenFixtures(tb, dir, false), aplombtest.Pass(), aplombtest.Reset())
			client := aplombtest.NewTLSServer(t, script).Client()
			client.Transport.(*http.Transport).Protocols = new(http.Protocols)
			client.Transport.(*http.Transport).Protocols.SetHTTP1(true)
			_, body := fetch(t, client.Transport, "https://api.test/a")
			assert.Equal(t, body, "api.test")
			_, err := client.Post("https://api.test/a", "text/plain", strings.NewReader("x"))
			assert.ErrorIs(t, err, syscall.ECONNRESET)
			_, body = fetch(t, client.Transport, "https://api.test/a")
			assert.Equal(t, body, "api.test")
			status, body := fetch(t, client.Transport, "https://api.test/b")
			assert.Equal(t, status, http.StatusNotImplemented)
			assert.Contains(t, body, "nothing is recorded for GET https://api.test/b")
		})
		assert.Equal(t, len(a.errors), 1)
	})
}

// TestFixturesServeFailures: a recorded failure is one of the connection.
func TestFixturesServeFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fail := []error{&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, io.EOF}
	post := func(c *http.Client) error {
		resp, err := c.Post("http://api.test/", "text/plain", strings.NewReader("x"))
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	clean(t, "TestX", func(tb *actor) {
		rec := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: roundTrip(func(*http.Request) (*http.Response, error) { err := fail[0]; fail = fail[1:]; return nil, err })})
		assert.ErrorIs(t, post(rec.Client()), syscall.ECONNRESET)
		assert.ErrorIs(t, post(rec.Client()), io.EOF)
	})
	clean(t, "TestX", func(tb *actor) {
		client := aplombtest.NewServer(t, aplombtest.OpenFixtures(tb, dir, false)).Client()
		assert.ErrorIs(t, post(client), syscall.ECONNRESET)
		assert.ErrorIs(t, post(client), io.EOF)
	})
}

// TestFixturesDeliver: webhooks are recorded beside the calls, and come again in
// their place, with a good signature.
func TestFixturesDeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"evt_1"}`) })
		events := func(tb *actor, scheme webhook.Scheme, answer int) (*aplombtest.Recorder, http.Handler, chan string) {
			got := make(chan string, 10)
			rec := aplombtest.OpenFixtures(tb, dir, tb.name == "record", aplombtest.Recording{Over: aplombtest.NewServer(t, api).Transport()})
			return rec, rec.Receive(scheme, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, err := scheme.Verify(r, body, time.Now())
				assert.NoError(t, err)
				got <- r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
				w.WriteHeader(answer)
			})), got
		}
		const want = `/hooks/stripe application/json {"id":"evt_1","object":"event","type":"a.b","data":{"object":{}}}`
		act(t, "record", func(tb *actor) {
			scheme := webhook.Stripe(webhook.Static("whsec_" + "cGw0bnQtcmVhbC1zZWNyZXQtMDAwMQ"))
			rec, h, got := events(tb, scheme, http.StatusOK)
			fetch(t, rec, "http://api.test/1")
			_, body, _ := strings.Cut(want, "json ")
			for range 2 {
				req := httptest.NewRequestWithContext(t.Context(), "POST", "https://me.test/hooks/stripe", strings.NewReader(body))
				req.Header.Set("Content-Type", "application/json")
				assert.NoError(t, scheme.Sign(req, []byte(body), time.Now()))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				assert.Equal(t, w.Code, http.StatusOK)
				assert.Equal(t, <-got, want)
			}
			fetch(t, rec, "http://api.test/2")
		})
		assert.NoError(t, os.Rename(filepath.Join(dir, "record.json"), filepath.Join(dir, "TestX.json")))
		assert.NotContains(t, fixtureText(t, dir), "v1=")
		time.Sleep(24 * time.Hour) // the recorded signature is past

		scheme := webhook.Stripe(webhook.Static("whsec_" + "dGVzdA=="))
		clean(t, "TestX", func(tb *actor) {
			rec, _, got := events(tb, scheme, http.StatusOK)
			synctest.Wait()
			assert.Equal(t, len(got), 0)
			fetch(t, rec, "http://api.test/1")
			assert.Equal(t, <-got, want)
			assert.Equal(t, <-got, want)
			fetch(t, rec, "http://api.test/2")
		})
		a := act(t, "TestX", func(tb *actor) {
			rec, _, got := events(tb, scheme, http.StatusTeapot)
			fetch(t, rec, "http://api.test/1")
			<-got
			<-got
			fetch(t, rec, "http://api.test/2")
		})
		assert.Contains(t, strings.Join(a.errors, ""), "delivery #2, to /hooks/stripe: answered 418, and 200 when it was recorded")
		a = act(t, "TestX", func(tb *actor) { events(tb, scheme, http.StatusOK) })
		assert.Contains(t, strings.Join(a.errors, ""), "#2 POST https://me.test/hooks/stripe")
	})
}

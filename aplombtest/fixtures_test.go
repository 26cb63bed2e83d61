package aplombtest_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// actor is the testing.TB of a test within the test.
type actor struct {
	testing.TB
	name string
	ctx  context.Context

	mu       sync.Mutex
	errors   []string
	logs     []string
	failed   bool
	cleanups []func()
}

func (a *actor) Helper()                  {}
func (a *actor) Name() string             { return a.name }
func (a *actor) Context() context.Context { return a.ctx }
func (a *actor) Skipped() bool            { return false }
func (a *actor) Cleanup(f func())         { a.cleanups = append(a.cleanups, f) }
func (a *actor) Failed() bool             { a.mu.Lock(); defer a.mu.Unlock(); return a.failed }

func (a *actor) Logf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logs = append(a.logs, fmt.Sprintf(format, args...))
}

func (a *actor) Errorf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = true
	a.errors = append(a.errors, fmt.Sprintf(format, args...))
}

func (a *actor) Fatalf(format string, args ...any) { a.Errorf(format, args...); runtime.Goexit() }
func (a *actor) Fatal(args ...any)                 { a.Fatalf("%s", fmt.Sprint(args...)) }

// act runs a test and says what it reported.
func act(t *testing.T, name string, test func(tb *actor)) *actor {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a := &actor{TB: t, name: name, ctx: ctx}
	var wg sync.WaitGroup
	wg.Go(func() { test(a) })
	wg.Wait()
	cancel()
	for _, f := range slices.Backward(a.cleanups) {
		f()
	}
	return a
}

// clean is act of a test that has nothing to report.
func clean(t *testing.T, name string, test func(tb *actor)) *actor {
	t.Helper()
	a := act(t, name, test)
	assert.Equal(t, a.errors, nil)
	return a
}

// both runs a test twice, in a folder of its own: it records from h, then replays.
func both(t *testing.T, h http.Handler, test func(tb *actor, rec *aplombtest.Recorder)) (dir string) {
	t.Helper()
	return bothAs(t, h, aplombtest.Recording{}, test)
}

// bothAs is both with something different.
func bothAs(t *testing.T, h http.Handler, how aplombtest.Recording, test func(tb *actor, rec *aplombtest.Recorder)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	clean(t, "TestX", func(tb *actor) {
		how := how
		how.Over = aplombtest.NewServer(t, h).Transport()
		test(tb, aplombtest.OpenFixtures(tb, dir, true, how))
	})
	clean(t, "TestX", func(tb *actor) { test(tb, aplombtest.OpenFixtures(tb, dir, false, how)) })
	return dir
}

// fetch gives status and body.
func fetch(tb testing.TB, rt http.RoundTripper, url string) (int, string) {
	tb.Helper()
	return send(tb, rt, http.MethodGet, url, "", "")
}

func send(tb testing.TB, rt http.RoundTripper, method, url, contentType, body string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if !assert.NoError(tb, err) {
		return 0, ""
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := rt.RoundTrip(req)
	if !assert.NoError(tb, err) {
		return 0, ""
	}
	raw, err := io.ReadAll(resp.Body)
	assert.NoError(tb, err)
	assert.NoError(tb, resp.Body.Close())
	return resp.StatusCode, string(raw)
}

// fixtureText is the file of TestX.
func fixtureText(t *testing.T, dir string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "TestX.json"))
	assert.NoError(t, err)
	return string(raw)
}

func TestFixturesReplayWhatTheyRecorded(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"object": `{"id":"cus_1","n":1.50,"big":12345678901234567,"a":[1,true,null,"é<>&"],"e":{}}`, "newline": "{\"a\":1}\n",
		"pretty": "{\n  \"id\": \"cus_1\",\n  \"list\": [],\n  \"n\": {\n    \"x\": 1e3\n  }\n}\n", "python": `{"a": "x, y: z\"", "b": [1, 2]}`,
		"odd": "{ \"a\":1 ,\"b\" : 2}", "text": "one\ntwo\r\n\tthree", "bom": "\ufeff{\"a\":1}", "empty": "", "line": "\n",
		"nul": "a\x00b", "latin": "caf\xe9", "binary": string([]byte{0xff, 0, 1, 2, 0x80}), "html": "<p a='b'>x &amp; y</p>",
		"double": `{"a":1,"a":2}`, "array": `[{"b":2,"a":1}]`, "scalar": `"x"`, "number": "12", "null": "null", "broken": `{"a":`,
		"long": strings.Repeat("text of many lines\n", 8000), "large": strings.Repeat("\x01\x02", 50_000), "many": "[" + strings.Repeat(`{"k":"v"},`, 20_000) + `{}]`,
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Total-Count", "3")
		w.Header().Add("Warning", "a")
		w.Header().Add("Warning", "b")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, bodies[strings.TrimPrefix(r.URL.Path, "/")])
	})
	dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		for name, body := range bodies {
			status, got := fetch(t, rec, "http://api.test/"+name)
			assert.Equal(t, status, http.StatusAccepted)
			assert.True(t, got == body, name, got[:min(200, len(got))])
		}
	})
	files, err := os.ReadDir(dir)
	assert.NoError(t, err)
	assert.Equal(t, len(files), 3, "two bodies stand in files of their own")
}

// TestFixturesFindRequests: what has no meaning does not matter, and all else
// does.
func TestFixturesFindRequests(t *testing.T) {
	t.Parallel()
	const js, form = "application/json", "application/x-www-form-urlencoded"
	type request struct{ method, url, kind, body string }
	recorded := []request{
		{"GET", "http://api.test/a?b=2&a=1&c=3&c=4", "", ""},
		{"POST", "http://api.test/a", js, `{"a":1,"b":{"c":[1,2],"d":"x"}}`},
		{"POST", "http://api.test/a", form, "b=2&a=1&l[]=1&l[]=2"},
		{"POST", "http://api.test/a", "text/plain", "x"},
		{"GET", "http://127.0.0.1:1234/a", "", ""},
		{"POST", "http://api.test/m", "multipart/form-data; boundary=one", "--one\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nfile\r\n--one--\r\n"},
	}
	same := []request{
		{"GET", "http://api.test:80/a?c=3&a=1&c=4&b=2", "", ""},
		{"POST", "http://API.test/a", js + "; charset=utf-8", "{ \"b\": {\"d\":\"\\u0078\", \"c\":[1,2]},\n\"a\":1}"},
		{"POST", "http://api.test/a", form, "a=1&l%5B%5D=1&l[]=2&b=%32"},
		{"POST", "http://api.test/a", "text/plain", "x"},
		{"GET", "http://localhost:99/a", "", ""},
		{"POST", "http://api.test/m", "multipart/form-data; boundary=two", "--two\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nfile\r\n--two--\r\n"},
	}
	other := [][]request{
		{{"GET", "http://api.test/a?b=2&a=1&c=4&c=3", "", ""}, {"GET", "http://api.test/a?b=2&a=1&c=3", "", ""}, {"HEAD", "http://api.test/a?b=2&a=1&c=3&c=4", "", ""}, {"GET", "https://api.test/a?b=2&a=1&c=3&c=4", "", ""}},
		{{"POST", "http://api.test/a", js, `{"a":"1","b":{"c":[1,2],"d":"x"}}`}, {"POST", "http://api.test/a", js, `{"a":1,"b":{"c":[2,1],"d":"x"}}`}, {"POST", "http://api.test/a", js, `{"a":1,"b":{"c":[1,2],"d":"x","e":null}}`}},
		{{"POST", "http://api.test/a", form, "b=2&a=1&l[]=2&l[]=1"}, {"PUT", "http://api.test/a", form, "b=2&a=1&l[]=1&l[]=2"}},
		{{"POST", "http://api.test/a", "text/plain", "y"}, {"POST", "http://api.test/b", "text/plain", "x"}},
		{{"GET", "http://10.0.0.1:1234/a", "", ""}},
		{{"POST", "http://api.test/m", "multipart/form-data; boundary=one", "--one\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nFILE\r\n--one--\r\n"}},
	}
	dir := t.TempDir()
	clean(t, "TestX", func(tb *actor) {
		n := aplombtest.NewNetwork(t)
		ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(append([]byte(r.URL.RawQuery), body...))
		})
		n.Serve("http://api.test", ok)
		n.Serve("http://127.0.0.1:1234", ok)
		rec := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: n.Transport()})
		for _, q := range recorded {
			send(t, rec, q.method, q.url, q.kind, q.body)
		}
	})
	clean(t, "TestX", func(tb *actor) {
		rec := aplombtest.OpenFixtures(tb, dir, false)
		for i, q := range slices.Backward(same) {
			_, body := send(t, rec, q.method, q.url, q.kind, q.body)
			_, query, _ := strings.Cut(recorded[i].url, "?")
			assert.Equal(t, body, query+recorded[i].body)
		}
	})
	for i, others := range other {
		for _, q := range others {
			a := act(t, "TestX", func(tb *actor) {
				rec := aplombtest.OpenFixtures(tb, dir, false, aplombtest.Recording{AllowUnused: true})
				req := httptest.NewRequestWithContext(context.Background(), q.method, q.url, strings.NewReader(q.body))
				req.Header.Set("Content-Type", q.kind)
				_, err := rec.RoundTrip(req)
				assert.True(t, err != nil, "answered", q, recorded[i])
			})
			assert.Equal(t, len(a.errors), 1, q)
		}
	}
}

func TestFixturesKeepTheOrderOfEqualRequests(t *testing.T) {
	t.Parallel()
	n := 0
	count := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { n++; fmt.Fprint(w, n) })
	dir := both(t, count, func(_ *actor, rec *aplombtest.Recorder) {
		for i := range 3 {
			_, body := fetch(t, rec, "http://api.test/n")
			assert.Equal(t, body, strconv.Itoa(i+1))
		}
	})
	a := act(t, "TestX", func(tb *actor) {
		rec := aplombtest.OpenFixtures(tb, dir, false)
		for range 3 {
			fetch(t, rec, "http://api.test/n")
		}
		_, err := rec.Client().Get("http://api.test/n")
		assert.Contains(t, err.Error(), "which has been used")
	})
	assert.Equal(t, len(a.errors), 1)
	clean(t, "TestX", func(tb *actor) {
		rec := aplombtest.OpenFixtures(tb, dir, false, aplombtest.Recording{Repeat: true})
		for i := range 10 {
			_, body := fetch(t, rec, "http://api.test/n")
			assert.Equal(t, body, strconv.Itoa(min(i+1, 3)))
		}
	})
}

// TestFixturesReport: what is missing, left over, out of order, old or broken is
// said, in words that help.
func TestFixturesReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "TestX.json")
	clean(t, "TestX", func(tb *actor) {
		rec := aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: aplombtest.NewServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).Transport()})
		send(t, rec, "POST", "http://api.test/v1/charges?expand=x", "application/json", `{"amount":1000,"currency":"usd"}`)
		fetch(t, rec, "http://api.test/v1/charges/ch_1")
		fetch(t, rec, "http://api.test/v1/customers")
	})
	text := fixtureText(t, dir)
	replayAs := func(how aplombtest.Recording, test func(rec *aplombtest.Recorder)) *actor {
		return act(t, "TestX", func(tb *actor) { test(aplombtest.OpenFixtures(tb, dir, false, how)) })
	}
	replay := func(test func(rec *aplombtest.Recorder)) *actor { return replayAs(aplombtest.Recording{}, test) }
	all := func(rec *aplombtest.Recorder) {
		send(t, rec, "POST", "http://api.test/v1/charges?expand=x", "application/json", `{"amount":1000,"currency":"usd"}`)
		fetch(t, rec, "http://api.test/v1/charges/ch_1")
		fetch(t, rec, "http://api.test/v1/customers")
	}
	t.Run("missed", func(t *testing.T) { //nolint:paralleltest // one file
		a := replayAs(aplombtest.Recording{AllowUnused: true}, func(rec *aplombtest.Recorder) {
			for range 2 { // reported once
				req := httptest.NewRequestWithContext(context.Background(), "POST", "http://api.test/v1/charges?limit=1", strings.NewReader(`{"amount":2000,"currency":"usd"}`))
				_, err := rec.RoundTrip(req)
				assert.True(t, err != nil, "answered")
			}
		})
		assert.Equal(t, strings.Join(a.errors, "\n--\n"), "aplombtest: "+path+`: nothing is recorded for POST http://api.test/v1/charges
  near it is #1 POST http://api.test/v1/charges?expand=x
    body.amount: recorded "number 1000", asked "number 2000"
    query expand: recorded "x", not asked
    query limit: asked "1", not recorded
  near it is #2 GET http://api.test/v1/charges/ch_1
    method: recorded GET, asked POST
    url: recorded http://api.test/v1/charges/ch_1, asked http://api.test/v1/charges
    body.amount: asked "number 2000", not recorded
    body.currency: asked "usd", not recorded
    query limit: asked "1", not recorded
  near it is #3 GET http://api.test/v1/customers
    method: recorded GET, asked POST
    url: recorded http://api.test/v1/customers, asked http://api.test/v1/charges
    body.amount: asked "number 2000", not recorded
    body.currency: asked "usd", not recorded
    query limit: asked "1", not recorded
if the change is meant: go test github.com/aplomb-go/aplomb/aplombtest -run '^TestX$' -v -record
if a value is another one in each run: Recording.Ignore`)
	})
	t.Run("missed by little", func(t *testing.T) { //nolint:paralleltest // one file
		a := replayAs(aplombtest.Recording{AllowUnused: true}, func(rec *aplombtest.Recorder) {
			_, err := rec.Client().Get("http://api.test/v1/customer")
			assert.Contains(t, err.Error(), "nothing is recorded for GET http://api.test/v1/customer\n  near it is #3 GET http://api.test/v1/customers\n    url: ")
		})
		assert.Equal(t, len(a.errors), 1)
	})
	t.Run("unused", func(t *testing.T) { //nolint:paralleltest // one file
		a := replay(func(rec *aplombtest.Recorder) { fetch(t, rec, "http://api.test/v1/customers") })
		assert.Equal(t, strings.Join(a.errors, "\n--\n"), "aplombtest: "+path+`: not asked for:
  #1 POST http://api.test/v1/charges?expand=x
  #2 GET http://api.test/v1/charges/ch_1
if they are needed no more: go test github.com/aplomb-go/aplomb/aplombtest -run '^TestX$' -v -record`)
	})
	t.Run("unordered", func(t *testing.T) { //nolint:paralleltest // one file
		swapped := func(rec *aplombtest.Recorder) {
			fetch(t, rec, "http://api.test/v1/customers")
			fetch(t, rec, "http://api.test/v1/charges/ch_1")
			send(t, rec, "POST", "http://api.test/v1/charges?expand=x", "application/json", `{"amount":1000,"currency":"usd"}`)
		}
		a := replay(swapped)
		assert.Equal(t, a.errors, nil)
		assert.Equal(t, strings.Join(a.logs, ""), "aplombtest: "+path+": in another order than it was recorded: #3 GET http://api.test/v1/customers before #2 GET http://api.test/v1/charges/ch_1")
		a = replayAs(aplombtest.Recording{InOrder: true}, swapped)
		assert.Equal(t, len(a.errors), 1)
		assert.Equal(t, replayAs(aplombtest.Recording{InOrder: true}, all).errors, nil)
	})
	t.Run("old", func(t *testing.T) { //nolint:paralleltest // one file
		day := regexp.MustCompile(`"recorded": "(.*)"`).FindStringSubmatch(text)
		made, err := time.Parse(time.DateOnly, day[1])
		assert.True(t, err == nil && time.Since(made) < 48*time.Hour, day)
		assert.NoError(t, os.WriteFile(path, []byte(strings.Replace(text, day[1], "2020-02-01", 1)), 0o600))
		a := replay(all)
		assert.Equal(t, a.errors, nil)
		assert.Contains(t, strings.Join(a.logs, ""), "was recorded on 2020-02-01: does the API still answer so?")
		a = replayAs(aplombtest.Recording{MaxAge: 24 * time.Hour}, all)
		assert.Contains(t, strings.Join(a.errors, ""), "was recorded on 2020-02-01, more than 24h0m0s ago")
		assert.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		assert.Equal(t, len(replayAs(aplombtest.Recording{MaxAge: time.Hour}, all).errors), 0)
	})
	t.Run("broken", func(t *testing.T) { //nolint:paralleltest // one file
		for broken, says := range map[string]string{
			strings.Replace(text, `"method"`, `"metod"`, 1):                                                                         `unknown field "metod"`,
			strings.Replace(text, `"aplomb_fixtures": 1`, `"aplomb_fixtures": 9`, 1):                                                "aplomb_fixtures is 9, and only 1 is known",
			strings.Replace(text, `"status": 200`, `"status": 20`, 1):                                                               "interaction 1: 20 is no status",
			strings.Replace(text, `"response": {`, `"response": {`+"\n", 1)[:200]:                                                   "TestX.json: ",
			`{"aplomb_fixtures":1,"interactions":[null]}`:                                                                           "interaction 1: it is null",
			`{"aplomb_fixtures":1,"interactions":[{"request":{"method":"GET","url":"/"},"response":{"status":200,"file":"../x"}}]}`: `file "../x" is not beside this one`,
			"{\n\n,": "line 3: invalid character",
		} {
			assert.NoError(t, os.WriteFile(path, []byte(broken), 0o600))
			a := replay(func(*aplombtest.Recorder) { t.Error("went on") })
			assert.Contains(t, strings.Join(a.errors, ""), says)
			assert.Contains(t, strings.Join(a.errors, ""), "mend it, or record it anew")
		}
		assert.NoError(t, os.Remove(path))
		a := replay(func(*aplombtest.Recorder) { t.Error("went on") })
		assert.Equal(t, strings.Join(a.errors, ""), "aplombtest: "+path+": nothing is recorded: go test github.com/aplomb-go/aplomb/aplombtest -run '^TestX$' -v -record")
	})
}

// TestFixturesAreWrittenWhole: nothing is written by a test that fails, or of an
// exchange that has not ended, and nothing that was there is lost by it.
func TestFixturesAreWrittenWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "first") }))
	record := func(test func(tb *actor, rec *aplombtest.Recorder)) *actor {
		return act(t, "TestX", func(tb *actor) {
			test(tb, aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Over: srv.Transport()}))
		})
	}
	record(func(_ *actor, rec *aplombtest.Recorder) { fetch(t, rec, srv.URL) })
	before := fixtureText(t, dir)

	a := record(func(tb *actor, rec *aplombtest.Recorder) { fetch(t, rec, srv.URL+"/second"); tb.Errorf("failed") })
	assert.Contains(t, strings.Join(a.logs, ""), "is not written, for the test has not passed")
	var open *http.Response
	a = record(func(_ *actor, rec *aplombtest.Recorder) { open, _ = rec.Client().Get(srv.URL) })
	assert.Contains(t, strings.Join(a.errors, ""), "request 1, GET http://api.test, was still under way when the test ended: wait for it, and close its body")
	assert.NoError(t, open.Body.Close())
	a = act(t, "TestX", func(tb *actor) { aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{Hide: []string{"q9z"}}) })
	assert.Contains(t, strings.Join(a.errors, ""), "a secret of 3 bytes cannot be hidden: it would be found everywhere")
	a = act(t, "TestX", func(tb *actor) {
		aplombtest.OpenFixtures(tb, dir, true, aplombtest.Recording{}, aplombtest.Recording{})
	})
	assert.Contains(t, strings.Join(a.errors, ""), "Fixtures has 2 Recordings: give it one")
	a = record(func(tb *actor, _ *aplombtest.Recorder) { aplombtest.OpenFixtures(tb, dir, true) })
	assert.Contains(t, strings.Join(a.errors, ""), "this test has its Fixtures already")
	assert.Equal(t, fixtureText(t, dir), before)
	// A test that sends nothing has fixtures too: what it sends by mistake is found.
	a = record(func(*actor, *aplombtest.Recorder) {})
	assert.Equal(t, a.errors, nil)
	clean(t, "TestX", func(tb *actor) { aplombtest.OpenFixtures(tb, dir, false) })
}

func TestFixturesAreNotRecordedInCI(t *testing.T) {
	t.Setenv("CI", "true")
	a := act(t, "TestX", func(tb *actor) { aplombtest.OpenFixtures(tb, t.TempDir(), true); t.Error("went on") })
	assert.Contains(t, strings.Join(a.errors, ""), "CI is set")
}

// pl4nts are the secrets of TestFixturesHoldNoSecret, by where they are planted.
var pl4nts = map[string]string{
	"header": "pl4nt-header-0001", "bearer": "pl4nt.bearer.0002", "basic": "pl4nt:basic/0003", "query": "pl4nt-query+0004", "form": "pl4nt&form=0005",
	"json": `pl4nt"json\0006`, "cookie": "pl4nt-cookie-0007", "set-cookie": "pl4nt-set-cookie-0008", "access token": "pl4nt-access-0009",
	"refresh token": "pl4nt-refresh-0010", "userinfo": "pl4nt-userinfo-0011", "odd query": "pl4nt-oddquery-0012", "multipart": "pl4nt-multipart-0013",
	"card": "4242424242424242", "answer header": "pl4nt-answer-0014", "xml": "pl4nt-xml-0015", "event": "pl4nt-event-0016",
}

// TestFixturesHoldNoSecret: planted by what means ever, and echoed by the server in
// every encoding, no secret is on the disk, with nothing configured.
func TestFixturesHoldNoSecret(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "sid="+pl4nts["set-cookie"]+"; Path=/; HttpOnly; Expires=Wed, 01 Jan 2020 00:00:00 GMT")
		w.Header().Set("X-Subject-Token", pl4nts["answer header"])
		w.Header().Set("Location", "https://u:"+pl4nts["userinfo"]+"@api.test/next?access_token="+url.QueryEscape(pl4nts["access token"]))
		switch r.URL.Path {
		case "/xml":
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, "<R><SessionToken>%s</SessionToken><Name>Jo</Name></R>", pl4nts["xml"])
			return
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: a\ndata: {\"client_secret\":%q,\"total_tokens\":12}\n\ndata: token=%s\n\n", pl4nts["event"], pl4nts["event"])
			return
		}
		w.Header().Set("Content-Type", "application/json")
		echo := fmt.Sprint(r.URL, r.Header, string(body))
		echoes := map[string]any{
			"access_token": pl4nts["access token"], "refresh_token": pl4nts["refresh token"], "token_type": "Bearer", "expires_in": 3600,
			"echo": echo, "base64": base64.StdEncoding.EncodeToString([]byte(echo)), "hex": hex.EncodeToString([]byte(echo)), "escaped": url.QueryEscape(echo),
			"name": "Jenny", "amount": 1000,
		}
		for place, secret := range pl4nts {
			if r.URL.Path != "/odd" { // by then all of them have been met
				break
			}
			echoes["plain "+place] = "x" + secret + "y"
			echoes["url "+place] = base64.URLEncoding.EncodeToString([]byte("padding" + secret))
		}
		_ = json.NewEncoder(w).Encode(echoes)
	})
	dir := both(t, h, func(_ *actor, rec *aplombtest.Recorder) {
		do := func(req *http.Request) string {
			resp, err := rec.RoundTrip(req)
			if !assert.NoError(t, err) {
				return ""
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			return string(body)
		}
		req := httptest.NewRequestWithContext(context.Background(), "GET", "http://u:"+pl4nts["userinfo"]+"@api.test/?api_key="+url.QueryEscape(pl4nts["query"]), http.NoBody)
		req.Header.Set("X-Acme-Auth", pl4nts["header"])
		req.Header.Set("Cookie", "a=1; sid="+pl4nts["cookie"])
		do(req)
		req = httptest.NewRequestWithContext(context.Background(), "POST", "http://api.test/", strings.NewReader(url.Values{"client_secret": {pl4nts["form"]}, "card[number]": {pl4nts["card"]}, "name": {"Jo"}}.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("user", pl4nts["basic"])
		do(req)
		raw, _ := json.Marshal(map[string]any{"password": pl4nts["json"], "n": 4242424242424242, "cvc": 123, "a": map[string]string{"note": "hi"}})
		req = httptest.NewRequestWithContext(context.Background(), "PUT", "http://api.test/", strings.NewReader(string(raw)))
		req.Header.Set("Authorization", "Bearer "+pl4nts["bearer"])
		do(req)
		req = httptest.NewRequestWithContext(context.Background(), "POST", "http://api.test/up", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n"+pl4nts["multipart"]+"\r\n--b--\r\n"))
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		do(req)
		// What aplomb attaches is known, whatever it is called.
		c, err := aplomb.New("http://api.test", aplomb.Transport(rec), aplomb.APIKeyQuery("k", aplomb.Static(pl4nts["odd query"])))
		assert.NoError(t, err)
		_, err = aplomb.Get[map[string]any](context.Background(), c, "/odd")
		assert.NoError(t, err)
		do(httptest.NewRequestWithContext(context.Background(), "GET", "http://api.test/xml", http.NoBody))
		do(httptest.NewRequestWithContext(context.Background(), "GET", "http://api.test/events", http.NoBody))
	})
	text := fixtureText(t, dir)
	for place, secret := range pl4nts {
		js, _ := json.Marshal(secret)
		for _, form := range []string{
			secret, strings.Trim(string(js), `"`), url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(secret))[:20], base64.URLEncoding.EncodeToString([]byte("padding" + secret))[12:28],
		} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("the %s is written: %s", place, text[max(0, at-100):at+30])
			}
		}
	}
	for _, shown := range []string{`"name": "Jenny"`, `"amount": 1000`, `"total_tokens":12`, "<access_token:1>", `"Bearer <authorization:`, `"sid=<cookie:`, "<Name>Jo</Name>", `"name=Jo"`, `"token_type": "Bearer"`, "HttpOnly"} {
		assert.Contains(t, strings.ReplaceAll(text, `\"`, `"`), shown)
	}
}

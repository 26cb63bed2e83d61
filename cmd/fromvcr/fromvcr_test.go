package main

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

const (
	form      = "application/x-www-form-urlencoded"
	multipart = "multipart/form-data; boundary=b"
)

// bodies are what an API may answer.
var bodies = map[string]string{
	"object": `{"id":"cus_1","n":1.50,"a":[1,true,null,"é<>&"]}`, "pretty": "{\n  \"a\": 1\n}\n", "empty": "", "newline": "\n", "text": "one\r\ntwo\r\n\tthree",
	"nul": "a\x00b", "bom": "\ufeff{\"a\":1}", "latin": "caf\xe9", "binary": string([]byte{0xff, 0, 1, 2, 0x80}), "separators": "a\u0085b\u2028c",
	"escape": "\x1b[0m\a\u007f", "yaml": "--- \n- !!binary a: b # c\n'", "spaces": "  a  \n  b \n\n", "long": strings.Repeat("text of many lines\n", 8000),
	"large": strings.Repeat("\x01\x02", 50_000), "array": `[{"b":2,"a":1}]`,
}

// api answers with a body by its path; what is posted it gives back, and below
// /count it counts.
func api() http.Handler {
	var mu sync.Mutex
	counts := map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/")
		switch {
		case name == "count":
			counts[r.URL.RawQuery]++
			fmt.Fprint(w, counts[r.URL.RawQuery])
		case name == "gzip" && r.Header.Get("Accept-Encoding") != "":
			w.Header().Set("Content-Encoding", "gzip")
			zw := gzip.NewWriter(w)
			_, _ = io.WriteString(zw, bodies["object"])
			_ = zw.Close()
		case name == "gone":
			w.WriteHeader(http.StatusNoContent)
		case name == "moved":
			http.Redirect(w, r, "/object", http.StatusFound)
		case name == "refused":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, `{"title":"declined"}`)
		case r.Method == http.MethodPost:
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		default:
			_, _ = io.WriteString(w, bodies[name])
		}
	})
}

// TestReplaysWhatACassetteHolds: a client gets from the fixture what it got when
// go-vcr looked on.
func TestReplaysWhatACassetteHolds(t *testing.T) {
	const at = "http://api.test/"
	requests := []request{
		{"GET", at + "count?a=1", "", ""}, {"GET", at + "count?a=1", "", ""}, {"GET", at + "count?a=2", "", ""}, {"GET", at + "count?a=1", "", ""},
		{"GET", at + "gone", "", ""}, {"GET", at + "moved", "", ""}, {"GET", at + "refused", "", ""}, {"HEAD", at + "object", "", ""},
		{"POST", at + "echo", "application/json", `{"b":[1,2],"a":"x"}`}, {"POST", at + "echo", form, "b=2&a=1&l[]=1&l[]=%C3%A9&e="},
		{"POST", at + "echo", multipart, "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n\r\n\x00\xff\r\n--b--\r\n"},
		{"POST", at + "echo", "", "\x00\xff\r\n"}, {"POST", at + "echo?x=y&x=z", "", ""},
	}
	for name := range bodies {
		requests = append(requests, request{"GET", at + name, "", ""})
	}
	folder(t)
	var want []answer
	record(t, "cassettes/TestX.yaml", api(), func(rt http.RoundTripper) { want = send(t, rt, requests) })
	t.Run("replay", func(t *testing.T) {
		out := converted(t, "-test", t.Name(), "cassettes/TestX.yaml")
		assert.Equal(t, out, "testdata/fixtures/"+t.Name()+".json: "+strconv.Itoa(len(requests))+" interactions of cassettes/TestX.yaml\n")
		got := send(t, aplombtest.Fixtures(t), requests)
		for i := range want {
			assert.True(t, got[i] == want[i], fmt.Sprintf("%s %s: %.200v, want %.200v", requests[i].method, requests[i].url, got[i], want[i]))
		}
	})
}

// TestReplaysGzip: packed bodies of a client that asked for them are unpacked in the
// file, for secrets and for readers, and packed in the answer; what net/http unpacked
// by itself is plain.
func TestReplaysGzip(t *testing.T) {
	folder(t)
	requests := []request{{"GET", "http://api.test/gzip", "", ""}}
	for name, headerKV := range map[string][]string{"by the client": {"Accept-Encoding", "gzip"}, "by net/http": nil} {
		var want []answer
		record(t, name+".yaml", api(), func(rt http.RoundTripper) { want = send(t, rt, requests, headerKV...) })
		t.Run(name, func(t *testing.T) {
			converted(t, "-test", t.Name(), name+".yaml")
			got := send(t, aplombtest.Fixtures(t), requests, headerKV...)
			assert.Equal(t, unpacked(t, got[0].body), unpacked(t, want[0].body))
			assert.Equal(t, strings.HasPrefix(got[0].body, "\x1f\x8b"), headerKV != nil)
			assert.Equal(t, got[0].length < 0, want[0].length < 0)
			assert.Contains(t, written(t), `"id": "cus_1"`)
		})
	}
}

func unpacked(t *testing.T, body string) string {
	t.Helper()
	if !strings.HasPrefix(body, "\x1f\x8b") {
		return body
	}
	r, err := gzip.NewReader(strings.NewReader(body))
	assert.NoError(t, err)
	raw, err := io.ReadAll(r)
	assert.NoError(t, err)
	return string(raw)
}

// TestDiscardedInteractions: what a hook kept out of the cassette is not in the
// fixture, and the rest replays.
func TestDiscardedInteractions(t *testing.T) {
	folder(t)
	hook := recorder.WithHook(func(in *cassette.Interaction) error {
		in.DiscardOnSave = in.Request.URL == "http://api.test/count?a=2"
		return nil
	}, recorder.AfterCaptureHook)
	sent := []request{{"GET", "http://api.test/count?a=1", "", ""}, {"GET", "http://api.test/count?a=2", "", ""}, {"GET", "http://api.test/count?a=1", "", ""}}
	record(t, "TestX.yaml", api(), func(rt http.RoundTripper) { send(t, rt, sent) }, hook)
	t.Run("replay", func(t *testing.T) {
		assert.Contains(t, converted(t, "-test", t.Name(), "TestX.yaml"), ": 2 interactions of ")
		got := send(t, aplombtest.Fixtures(t), []request{sent[0], sent[2]})
		assert.Equal(t, got[0].body+got[1].body, "12")
	})
}

// TestHandwriting: a header that a hand or a hook wrote in small letters is known all
// the same, and a request without a method is a GET, as in net/http.
func TestHandwriting(t *testing.T) {
	folder(t)
	get := []request{{"GET", "http://api.test/object", "", ""}}
	record(t, "TestX.yaml", api(), func(rt http.RoundTripper) { send(t, rt, get) })
	edit(t, "TestX.yaml", "Content-Type:", "content-type:")
	edit(t, "TestX.yaml", "method: GET", `method: ""`)
	t.Run("replay", func(t *testing.T) {
		converted(t, "-test", t.Name(), "TestX.yaml")
		assert.Equal(t, send(t, aplombtest.Fixtures(t), get)[0].kind, "text/plain; charset=utf-8")
	})
}

// TestLatency: what go-vcr kept of it is there for Recorder.Latency.
func TestLatency(t *testing.T) {
	folder(t)
	record(t, "TestX.yaml", api(), func(rt http.RoundTripper) { send(t, rt, []request{{"GET", "http://api.test/object", "", ""}}) })
	raw, err := os.ReadFile("TestX.yaml")
	assert.NoError(t, err)
	_, line, _ := strings.Cut(string(raw), "duration: ")
	line, _, _ = strings.Cut(line, "\n")
	edit(t, "TestX.yaml", "duration: "+line, "duration: 2.1s")
	t.Run("replay", func(t *testing.T) {
		converted(t, "-test", t.Name(), "TestX.yaml")
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			send(t, aplombtest.Fixtures(t, aplombtest.Recording{Latency: true}), []request{{"GET", "http://api.test/object", "", ""}})
			assert.Equal(t, time.Since(began), 2*time.Second)
		})
	})
}

// TestAge: a converted recording is as old as its answers.
func TestAge(t *testing.T) {
	folder(t)
	days := []string{"Sat, 01 Feb 2020 10:00:00 GMT", "Mon, 03 Feb 2020 23:30:00 GMT", "Sun, 02 Feb 2020 10:00:00 GMT", "never"}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", days[0])
		days = days[1:]
	})
	get := request{"GET", "http://api.test/", "", ""}
	record(t, "TestX.yaml", h, func(rt http.RoundTripper) { send(t, rt, []request{get, get, get, get}) })
	converted(t, "TestX.yaml")
	assert.Contains(t, written(t), `"recorded": "2020-02-03"`)
}

// pl4nts are the secrets of TestNoSecretIsWritten, by where they are planted.
var pl4nts = map[string]string{
	"header": "pl4nt-header-0001", "bearer": "pl4nt.bearer.0002", "query": "pl4nt-query+0004", "form": "pl4nt&form=0005", "json": `pl4nt"json\0006`,
	"cookie": "pl4nt-cookie-0007", "set-cookie": "pl4nt-set-cookie-0008", "access token": "pl4nt-access-0009", "userinfo": "pl4nt-userinfo-0011",
	"card": "4242424242424242", "hidden": "pl4nt hidden 0012", "environment": "pl4nt environment 0013",
}

// TestNoSecretIsWritten: go-vcr has put them all into the cassette, and none gets
// into the fixture, in whatever encoding.
func TestNoSecretIsWritten(t *testing.T) {
	folder(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "sid="+pl4nts["set-cookie"]+"; Path=/")
		w.Header().Set("Content-Type", "application/json")
		echo := fmt.Sprint(r.URL, r.Header, string(body))
		echoes := map[string]any{"access_token": pl4nts["access token"], "name": "Jenny", "echo": echo,
			"base64": base64.StdEncoding.EncodeToString([]byte(echo)), "hex": hex.EncodeToString([]byte(echo)), "escaped": url.QueryEscape(echo)}
		if strings.Contains(string(body), "password") { // all of them have been met by then
			for place, secret := range pl4nts {
				echoes["plain "+place] = "x" + secret + "y"
			}
		}
		_ = json.NewEncoder(w).Encode(echoes)
	})
	raw, err := json.Marshal(map[string]string{"password": pl4nts["json"], "note": pl4nts["hidden"]})
	assert.NoError(t, err)
	requests := []request{
		{"GET", "http://u:" + pl4nts["userinfo"] + "@api.test/?api_key=" + url.QueryEscape(pl4nts["query"]), "", ""},
		{"POST", "http://api.test/", form, url.Values{"client_secret": {pl4nts["form"]}, "card[number]": {pl4nts["card"]}}.Encode()},
		{"POST", "http://api.test/", "application/json", string(raw)},
	}
	headerKV := []string{"Authorization", "Bearer " + pl4nts["bearer"], "X-Acme-Auth", pl4nts["header"], "Cookie", "sid=" + pl4nts["cookie"]}
	record(t, "TestX.yaml", h, func(rt http.RoundTripper) { send(t, rt, requests, headerKV...) })
	t.Setenv("PLANTED", pl4nts["environment"])
	t.Run("replay", func(t *testing.T) {
		converted(t, "-hide", pl4nts["hidden"], "-hide", "$PLANTED", "-test", t.Name(), "TestX.yaml")
		text := written(t)
		for place, secret := range pl4nts {
			js, _ := json.Marshal(secret)
			for _, shape := range []string{
				secret, strings.Trim(string(js), `"`), url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
				base64.StdEncoding.EncodeToString([]byte(secret))[:20],
			} {
				assert.True(t, !strings.Contains(text, shape), place, "is written", shape)
			}
		}
		assert.Contains(t, text, "Jenny")
		assert.Contains(t, text, "<access_token:1>")
		// The same requests, with other secrets, find their answers.
		for i := range requests {
			for place, secret := range pl4nts {
				if place != "card" && place != "hidden" {
					requests[i].url = strings.ReplaceAll(requests[i].url, url.QueryEscape(secret), "another-0099")
					requests[i].body = strings.ReplaceAll(requests[i].body, url.QueryEscape(secret), "another-0099")
				}
			}
		}
		for _, a := range send(t, aplombtest.Fixtures(t, aplombtest.Recording{Hide: []string{pl4nts["hidden"]}}), requests, "Authorization", "Bearer another-0098") {
			assert.Contains(t, a.body, `"name":"Jenny"`)
		}
	})
}

// TestRules: what is not compared, and what is no secret.
func TestRules(t *testing.T) {
	folder(t)
	ask := func(at string) []request {
		return []request{{"POST", "http://api.test/echo?at=" + at, "application/json", `{"page_token":"first-page-1","sent":"` + at + `"}`}}
	}
	record(t, "TestX.yaml", api(), func(rt http.RoundTripper) { send(t, rt, ask("1")) })
	t.Run("replay", func(t *testing.T) {
		out := converted(t, "-ignore", "at", "-ignore", "sent", "-show", "page_token", "-test", t.Name(), "TestX.yaml")
		assert.Contains(t, out, `in the test it is aplombtest.Fixtures(t, aplombtest.Recording{Show: []string{"page_token"}, Ignore: []string{"at", "sent"}})`)
		got := send(t, aplombtest.Fixtures(t, aplombtest.Recording{Show: []string{"page_token"}, Ignore: []string{"at", "sent"}}), ask("2"))
		assert.Contains(t, got[0].body, `"page_token":"first-page-1"`)
	})
}

// TestNames: aplombtest.Fixtures finds the fixture where the command has put it.
func TestNames(t *testing.T) {
	folder(t)
	get := []request{{"GET", "http://api.test/object", "", ""}}
	for _, name := range []string{"plain", "a b:c*?", "..", "é|<x>", "deep/er"} {
		t.Run(name, func(t *testing.T) {
			record(t, "x/"+t.Name()+".yaml", api(), func(rt http.RoundTripper) { send(t, rt, get) })
			out := converted(t, "x/"+t.Name()+".yaml")
			assert.True(t, strings.HasPrefix(out, "testdata/fixtures/TestNames/"), out)
			assert.Equal(t, send(t, aplombtest.Fixtures(t), get)[0].body, bodies["object"])
		})
	}
	for path, want := range map[string]string{
		"TestX.yaml": "TestX", "fixtures/TestX.yaml": "TestX", "fixtures/TestX/sub/subsub.yaml": "TestX/sub/subsub", "/a/Testing/x.yaml": "x",
		"customers.yaml": "customers", "testdata/ExampleX.yaml": "ExampleX", "Test_x.yaml": "Test_x", "Tests/TestÉ.yaml": "TestÉ",
	} {
		assert.Equal(t, testOf(path), want, path)
	}
}

// TestSays: what cannot be converted is named, with what to do, and the rest is
// converted.
func TestSays(t *testing.T) {
	folder(t)
	get := []request{{"GET", "http://api.test/object", "", ""}, {"GET", "http://api.test/text?u=1", "", ""}}
	fresh := func(name string) string {
		record(t, name, api(), func(rt http.RoundTripper) { send(t, rt, get) })
		return name
	}
	for _, tt := range []struct{ name, from, to, says string }{
		{"version", "version: 2", "version: 1", "it is not of version 2: record it anew with go-vcr v4"},
		{"broken", "version: 2", "version: [", "fromvcr: broken.yaml: "},
		{"status", "code: 200", "code: 20", "interaction 1: its response has the code 20, which is none: mend it"},
		{"upgrade", "code: 200", "code: 101", "interaction 1: it was answered by another protocol"},
		{"hostless", "url: http://api.test/text?u=1", "url: /text?u=1", "interaction 2: its URL has no host: write the whole"},
		{"badurl", "url: http://api.test/text?u=1", "url: 'http://u:pl4nt-0001@api.test:x/'", "interaction 2: its URL is broken: invalid port"},
		{"brotli", "Content-Type:", "Content-Encoding: [br]\n            Content-Type:", `interaction 1, GET http://api.test/object: the response's body: it is packed by "br"`},
		{"namesake", "url: http://api.test/object", "url: http://go-vcr/object", ""},
		{"served", "host: api.test", "host: api.test\n        remote_addr: 127.0.0.1:1", ""},
	} {
		edit(t, fresh(tt.name+".yaml"), tt.from, tt.to)
		status, _, stderr := fromvcr(tt.name + ".yaml")
		assert.Equal(t, status == 0, tt.says == "", tt.name, stderr)
		assert.Contains(t, stderr, tt.says)
		assert.True(t, !strings.Contains(stderr, "pl4nt"), stderr)
	}
	edit(t, fresh("middleware.yaml"), "url: http://api.test/object", "url: http://go-vcr/object\n        remote_addr: 127.0.0.1:1")
	_, _, stderr := fromvcr("middleware.yaml")
	assert.Contains(t, stderr, "interaction 1: go-vcr's middleware has recorded it in a server")
	edit(t, fresh("hole.yaml"), "interactions:", "interactions:\n    - null")
	_, _, stderr = fromvcr("hole.yaml")
	assert.Contains(t, stderr, "interaction 1: it is empty")
	edit(t, fresh("TestTrailers.yaml"), "status: 200 OK", "trailer: {X-Sum: [a]}\n        status: 200 OK")
	assert.Contains(t, converted(t, "TestTrailers.yaml"), "interaction 1: its trailers are left out")

	fresh("TestGood.yaml")
	assert.NoError(t, os.WriteFile("none.yaml", []byte("---\nversion: 2\ninteractions: []\n"), 0o600))
	status, stdout, stderr := fromvcr("none.yaml", "absent.yaml", "TestGood.yaml", "x.yml")
	assert.Equal(t, status, 1)
	assert.Equal(t, stdout, "testdata/fixtures/TestGood.json: 2 interactions of TestGood.yaml\n")
	assert.Contains(t, stderr, "fromvcr: none.yaml: there is no interaction in it\nfromvcr: absent.yaml: open absent.yaml: no such file")
	assert.Contains(t, stderr, "fromvcr: x.yml: it is not called *.yaml")

	before := written(t)
	status, _, stderr = fromvcr("TestGood.yaml")
	assert.Equal(t, status, 1)
	assert.Contains(t, stderr, filepath.Join("testdata", "fixtures", "TestGood.json")+" is there already")
	assert.Equal(t, written(t), before)
	assert.Contains(t, converted(t, "-o", "elsewhere", "TestGood.yaml"), filepath.Join("elsewhere", "TestGood.json"))
	assert.Contains(t, converted(t, fresh("customers.yaml")), "no test is called customers: give the test's name with -test")
}

// TestUsage: a slip in the command line converts nothing.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-test", "TestX", "a.yaml", "b.yaml"}, {"-hide", "abc", "a.yaml"}, {"-hide", "$APLOMB_UNSET", "a.yaml"}, {"-what"}} {
		status, stdout, stderr := fromvcr(args...)
		assert.Equal(t, status, 2, args)
		assert.Equal(t, stdout, "")
		assert.Contains(t, stderr, "usage: fromvcr [flags] cassette.yaml...")
	}
	status, _, stderr := fromvcr("-h")
	assert.Equal(t, status, 0)
	assert.Contains(t, stderr, "-ignore name")
}

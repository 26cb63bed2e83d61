package aplombtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// ExampleScript_live puts a fault in front of a live API: the handler behind a
// script may be a reverse proxy.
func ExampleScript_live() {
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s from the live API", r.URL.Path)
	}))
	defer live.Close()

	target, _ := url.Parse(live.URL)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	srv := httptest.NewServer(aplombtest.NewScript(proxy, aplombtest.Pass(), aplombtest.TruncatedBody(3)))
	defer srv.Close()

	for range 2 {
		res, err := srv.Client().Get(srv.URL + "/orders")
		if err != nil {
			fmt.Println(err)
			return
		}
		body := make([]byte, 100)
		n, _ := res.Body.Read(body)
		_, err = res.Body.Read(body)
		res.Body.Close()
		fmt.Printf("%s, then %v\n", body[:n], err)
	}
	// Output:
	// /orders from the live API, then EOF
	// /or, then unexpected EOF
}

// code is what s answers to a request.
func code(s http.Handler) int {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	return w.Code
}

func TestScriptTimes(t *testing.T) {
	t.Parallel()
	s := aplombtest.NewScript(hello).Times(2, aplombtest.Status(503)).Times(0, aplombtest.Status(501)).Times(-1, aplombtest.Status(501)).
		Then(aplombtest.Status(429))
	assert.Equal(t, s.Left(), 3)
	assert.Equal(t, []int{code(s), code(s), code(s), code(s)}, []int{503, 503, 429, 200})
	assert.Equal(t, s.Left(), 0)
}

// TestScriptFor asks at the boundaries, to the nanosecond.
func TestScriptFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := aplombtest.NewScript(hello, aplombtest.Status(500)).
			For(time.Minute, aplombtest.Status(503)).
			For(time.Hour, aplombtest.Status(429)).
			For(0, aplombtest.Status(501)).
			Then(aplombtest.Status(502))
		time.Sleep(time.Hour)
		assert.Equal(t, s.Left(), 4, "nothing of it is over before the first is met")
		assert.Equal(t, code(s), 500)
		assert.Equal(t, []int{code(s), code(s)}, []int{503, 503})
		time.Sleep(time.Minute - 1)
		assert.Equal(t, code(s), 503)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, code(s), 429, "a minute after the 500")
		time.Sleep(time.Hour - 1)
		assert.Equal(t, code(s), 429)
		assert.Equal(t, s.Left(), 2)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, s.Left(), 1)
		assert.Equal(t, []int{code(s), code(s)}, []int{502, 200})

		time.Sleep(time.Hour)
		s.For(time.Second, aplombtest.Status(503)).For(time.Second, aplombtest.Status(429))
		time.Sleep(1500 * time.Millisecond)
		assert.Equal(t, code(s), 429, "the first began when it was set, and nobody met it")
		time.Sleep(500 * time.Millisecond)
		assert.Equal(t, code(s), 200)
		s.For(time.Second, aplombtest.Status(503))
		s.Heal()
		assert.Equal(t, code(s), 200)
	})
}

func TestScriptsStack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := aplombtest.NewScript(hello, aplombtest.Status(503))
		srv := aplombtest.NewServer(t, aplombtest.NewScript(inner).Always(aplombtest.Skew(time.Hour)))
		res, _ := get(t, srv.Client(), srv.URL)
		assert.Equal(t, res.StatusCode, 503)
		assert.Equal(t, res.Header.Get("Date"), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	})
}

// TestStormWithAnyRetryAfter has each form of it for as long as it says.
func TestStormWithAnyRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
		s := aplombtest.NewScript(hello)
		srv := aplombtest.NewServer(t, s)
		for _, after := range []string{until, "7", "0", "-1", "soon", "9223372036854775807", ""} {
			s.For(time.Minute, aplombtest.Status(429, "Retry-After", after)).Times(3, aplombtest.Status(503, "Retry-After", after))
			start, got := time.Now(), map[int]int{}
			for s.Left() > 0 {
				res, _ := get(t, srv.Client(), srv.URL)
				assert.Equal(t, res.Header["Retry-After"], []string{after})
				got[res.StatusCode]++
				time.Sleep(10 * time.Second)
			}
			assert.Equal(t, got, map[int]int{429: 6, 503: 3})
			assert.Equal(t, time.Since(start), 90*time.Second)
		}
	})
}

package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Open has the stack's retries before the headers, and hands the body on as it
// comes.
func TestOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const size = 3 << 20
		h := script(status(503), func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, r.URL.String(), "/v1/reports/a%2Fb/csv?year=2026")
			assert.Equal(t, r.Header.Get("Accept"), "")
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.MaxBody(1000))
		var got aplomb.Response
		resp, err := aplomb.Open(context.Background(), c, "GET", "/v1/reports/{id}/csv", aplomb.Path("id", "a/b"), aplomb.Query("year", "2026"), aplomb.Capture(&got))
		assert.NoError(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, n, int64(size))
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.count(), 2)
		assert.Equal(t, got.Attempts, 2)
	})
}

func TestOpenRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, `{"error":{"code":"no_report","message":"no such report"}}`)
			},
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				w.WriteHeader(http.StatusConflict)
				_, _ = io.WriteString(w, "cut sho")
			})))
		_, err := aplomb.Open(context.Background(), c, "GET", "/v1/reports/{id}", aplomb.Path("id", "7"))
		e, ok := errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok, err)
		assert.Equal(t, e.Code+" "+e.Message+" "+e.Operation, "no_report no such report GET /v1/reports/{id}")

		_, err = aplomb.Open(context.Background(), c, "GET", "/v1/reports/{id}", aplomb.Path("id", "7"))
		e, ok = errors.AsType[*aplomb.APIError](err)
		assert.True(t, ok, err)
		assert.Equal(t, string(e.Body), "cut sho")

		for want, open := range map[string]func() (*http.Response, error){
			"no Client":       func() (*http.Response, error) { return aplomb.Open(context.Background(), nil, "GET", "/x") },
			"is not a method": func() (*http.Response, error) { return aplomb.Open(context.Background(), c, "get", "/x") },
			"no value for":    func() (*http.Response, error) { return aplomb.Open(context.Background(), c, "GET", "/{x}") },
			"for Items, Pages": func() (*http.Response, error) {
				return aplomb.Open(context.Background(), c, "GET", "/x", aplomb.Prefetch())
			},
		} {
			_, err := open()
			assert.Contains(t, fmt.Sprint(err), want)
		}
	})
}

// A Timeout holds until the body is closed; without one a body may take its time.
func TestOpenBodyInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, _ *http.Request) {
			for range 10 {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				pause(10 * time.Second)
			}
		}
		c := newClient(t, aplombtest.NewServer(t, script(slow)))
		read := func(opts ...aplomb.CallOption) (int, error) {
			resp, err := aplomb.Open(context.Background(), c, "GET", "/x", opts...)
			assert.NoError(t, err)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			return len(text), err
		}
		n, err := read()
		assert.NoError(t, err)
		assert.Equal(t, n, 10)
		start := time.Now()
		_, err = read(aplomb.Timeout(25 * time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), 25*time.Second)
	})
}

// Another base URL gets the credential only where that is allowed.
func TestLaw04_BaseURL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		home, files, foreign := script(ok), script(ok), script(ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", home)
		n.Serve("https://files.test", files)
		n.Serve("https://evil.test", foreign)
		auth := aplomb.Bearer(aplomb.Static("token"))
		auth.Origins = []string{"https://files.test"}
		c := newClientAt(t, "https://api.test/v1", aplomb.Transport(n.Transport()), auth, aplomb.Header("Api-Version", "2"))
		for _, at := range []string{"https://files.test/v9", "https://evil.test"} {
			_, err := aplomb.Get[order](context.Background(), c, "/x/{id}", aplomb.Path("id", "1"), aplomb.BaseURL(at))
			assert.NoError(t, err)
		}
		assert.Equal(t, home.count(), 0)
		got := files.request(0)
		assert.Equal(t, got.URL.Path+" "+got.Header.Get("Authorization")+" "+got.Header.Get("Api-Version"), "/v9/x/1 Bearer token 2")
		got = foreign.request(0)
		assert.Equal(t, got.URL.Path+" "+got.Header.Get("Authorization")+got.Header.Get("Api-Version"), "/x/1 ")

		for want, at := range map[string]string{"BaseURL: ": "ftp://x", "names no host": "https://", "has a user": "https://u:p@files.test", "has a query": "https://files.test?x=1"} {
			_, err := get(t, c, aplomb.BaseURL(at))
			assert.Contains(t, fmt.Sprint(err), want)
		}
	})
}

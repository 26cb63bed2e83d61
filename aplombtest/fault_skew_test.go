package aplombtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestSkew compares all headers of a server whose clock is right with one whose
// clock is not.
func TestSkew(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -90 * time.Second} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				date := func(d time.Duration) string { return start.Add(d).UTC().Format(http.TimeFormat) }
				epoch := func(d time.Duration) string { return strconv.FormatInt(start.Add(d).Unix(), 10) }
				srv := aplombtest.NewServer(t, aplombtest.NewScript(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					for name, value := range map[string]string{
						"Retry-After": date(time.Minute), "Expires": date(2 * time.Minute), "Last-Modified": date(-time.Minute),
						"Sunset": date(time.Hour), "X-RateLimit-Reset": epoch(time.Minute), "RateLimit-Reset": "30", "X-Other": date(0),
					} {
						w.Header().Set(name, value)
					}
					fmt.Fprint(w, "body")
				}), aplombtest.Skew(by)))
				res, body := get(t, srv.Client(), srv.URL)
				assert.Equal(t, body, "body")
				for name, want := range map[string]string{
					"Date": date(by), "Retry-After": date(time.Minute + by), "Expires": date(2*time.Minute + by), "Last-Modified": date(-time.Minute + by),
					"Sunset": date(time.Hour + by), "X-RateLimit-Reset": epoch(time.Minute + by), "RateLimit-Reset": "30", "X-Other": date(0),
				} {
					assert.Equal(t, res.Header.Get(name), want, name)
				}
				res, _ = get(t, srv.Client(), srv.URL)
				assert.Equal(t, res.Header.Get("Date"), date(0), "the next one is right")
			})
		})
	}
}

// TestSkewOfEachAnswer: whichever way the handler begins its answer.
func TestSkewOfEachAnswer(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"nothing":     func(http.ResponseWriter, *http.Request) {},
		"flush":       func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"flusher":     func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"status":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"early hints": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(200) },
		"own date": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		},
		"twice": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a"); fmt.Fprint(w, "b") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, newServer := range []func(testing.TB, http.Handler) *aplombtest.Server{aplombtest.NewServer, aplombtest.NewTLSServer} {
					srv := newServer(t, aplombtest.NewScript(h, aplombtest.Skew(time.Hour)))
					res, _ := get(t, srv.Client(), srv.URL)
					assert.Equal(t, res.Header["Date"], []string{time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)})
				}
			})
		})
	}
}

// TestSkewOnTheWire reads the header from a bare connection over a socket.
func TestSkewOnTheWire(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		before := time.Now()
		answer, err := s.rawGet(t)
		assert.NoError(t, err)
		_, rest, _ := strings.Cut(answer, "\r\nDate: ")
		line, _, _ := strings.Cut(rest, "\r\n")
		date, err := http.ParseTime(line)
		assert.NoError(t, err)
		off := date.Sub(before.Truncate(time.Second))
		assert.True(t, off >= 24*time.Hour && off < 25*time.Hour, off)
	}, aplombtest.Skew(24*time.Hour))
}

// A fault behind the skew may take the connection away.
func TestSkewOfADroppedConnection(t *testing.T) {
	t.Parallel()
	inner := aplombtest.NewScript(hello, aplombtest.LostResponse())
	srv := httptest.NewServer(aplombtest.NewScript(inner).Always(aplombtest.Skew(time.Hour)))
	defer srv.Close()
	_, err := srv.Client().Post(srv.URL, "", nil)
	assert.True(t, err != nil && strings.HasSuffix(err.Error(), "EOF"), err)
}

package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// heard is what hooks were told, event by event.
type heard struct{ lines []string }

func (h *heard) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		CallStart: func(_ context.Context, e aplomb.CallEvent) { h.lines = append(h.lines, "call") },
		AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) {
			h.lines = append(h.lines, fmt.Sprint("attempt ", e.Number))
		},
		AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
			h.lines = append(h.lines, fmt.Sprintf("attempt %d %s %q", e.Number, e.Verdict.Outcome, e.ErrorType()))
		},
		CallDone: func(_ context.Context, e aplomb.CallEvent) {
			h.lines = append(h.lines, fmt.Sprintf("%s %s, %d attempts, %v of it waited, %s", e.Operation, e.Elapsed, e.Attempts, e.Waited, e.Result))
		},
	}
}

// What was begun is ended, for hooks that count what is under way, also where
// something panics on the way, a hook among it.
func TestHooksOfAPanic(t *testing.T) {
	begun := []string{"call", "attempt 1"}
	ended := []string{`attempt 1 neutral "network"`, "GET /x 0s, 1 attempts, 0s of it waited, panic"}
	boom := func(context.Context, aplomb.AttemptEvent) { panic("boom") }
	for name, tt := range map[string]struct {
		opts []aplomb.Option
		want []string
	}{
		"transport": {[]aplomb.Option{aplomb.Transport(aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) { panic("boom") }))}, append(begun, ended...)},
		"per call": {[]aplomb.Option{aplomb.PerCall(func(http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) { panic("boom") })
		})}, []string{"call", "GET /x 0s, 0 attempts, 0s of it waited, panic"}},
		"judge":                {[]aplomb.Option{aplomb.Judge(func(*aplomb.Attempt) aplomb.Verdict { panic("boom") })}, append(begun, ended...)},
		"a later AttemptStart": {[]aplomb.Option{aplomb.Hooks{AttemptStart: boom}}, append(begun, ended...)},
		"a later AttemptDone":  {[]aplomb.Option{aplomb.Hooks{AttemptDone: boom}}, append(begun, `attempt 1 ok ""`, ended[1])},
		"a later CallStart": {[]aplomb.Option{aplomb.Hooks{CallStart: func(context.Context, aplomb.CallEvent) { panic("boom") }}},
			[]string{"call", "GET /x 0s, 0 attempts, 0s of it waited, panic"}},
	} {
		for door, call := range map[string]func(*aplomb.Client) error{
			"typed": func(c *aplomb.Client) error { _, err := aplomb.Get[order](context.Background(), c, "/x"); return err },
			"open": func(c *aplomb.Client) error {
				resp, err := aplomb.Open(context.Background(), c, http.MethodGet, "/x")
				if err == nil {
					_ = resp.Body.Close()
				}
				return err
			},
		} {
			bubbleCase(t, name+" "+door, func(t *testing.T) {
				var h heard
				srv := aplombtest.NewServer(t, answers("{}"))
				c := newClient(t, srv, append([]aplomb.Option{h.hooks()}, tt.opts...)...)
				func() {
					defer func() { assert.Equal(t, recover(), any("boom")) }()
					_ = call(c)
				}()
				assert.Equal(t, h.lines, tt.want)
			})
		}
	}
}

// Each hop under net/http's client is told of with its own time, waits and attempts.
func TestHooksOfHops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var h heard
		first := true
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pause(time.Second)
			switch {
			case r.URL.Path == "/b":
				_, _ = io.WriteString(w, "{}")
			case first:
				first = false
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				http.Redirect(w, r, "/b", http.StatusFound)
			}
		}))
		c := fixedJitter(newClient(t, srv, h.hooks(), aplomb.Retry{MinBackoff: 4 * time.Second}), 1)
		req, err := http.NewRequestWithContext(t.Context(), "", srv.URL+"/a", http.NoBody)
		assert.NoError(t, err)
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		var calls []string
		for _, line := range h.lines {
			if line[0] == 'G' {
				calls = append(calls, line)
			}
		}
		assert.Equal(t, calls, []string{"GET /a 6s, 2 attempts, 4s of it waited, ok", "GET /a 1s, 1 attempts, 0s of it waited, ok"})
	})
}

// A host has one name, however its address was written.
func TestHooksNameAHost(t *testing.T) {
	for base, want := range map[string]string{
		"https://API.Test": "api.test", "https://api.test:443": "api.test", "http://api.test:80": "api.test", "https://api.test:8443": "api.test:8443", "http://[::1]:80": "[::1]",
	} {
		var call, attempt string
		c, err := aplomb.New(base, aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 204, Request: r}, nil
		})), aplomb.Hooks{
			CallDone:    func(_ context.Context, e aplomb.CallEvent) { call = e.Host },
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { attempt = e.Host },
		})
		assert.NoError(t, err)
		_, err = aplomb.Get[struct{}](t.Context(), c, "/")
		assert.NoError(t, err)
		assert.Equal(t, []string{call, attempt}, []string{want, want})
	}
}

// What aplomb does not do or take is no fault of the network's.
func TestRefusedResults(t *testing.T) {
	for name, tt := range map[string]struct {
		answer  http.HandlerFunc
		opts    []aplomb.Option
		word    string
		foreign bool
	}{
		"redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://api.test/", http.StatusFound)
		}, word: "refused"},
		"too large":     {answer: answers(`"0123456789"`), opts: []aplomb.Option{aplomb.MaxBody(5)}, word: "too_large"},
		"no credential": {answer: answers(`{}`), opts: []aplomb.Option{aplomb.Bearer(sealed{})}, word: "no_credential"},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			n := aplombtest.NewNetwork(t)
			n.Serve("https://api.test", tt.answer)
			var got aplomb.CallEvent
			c := newClientAt(t, "https://api.test", append(tt.opts, aplomb.Transport(n.Transport()), aplomb.Hooks{CallDone: func(_ context.Context, e aplomb.CallEvent) { got = e }})...)
			_, err := aplomb.Get[any](t.Context(), c, "/")
			assert.True(t, err != nil)
			assert.Equal(t, got.Result, aplomb.ResultRefused, err)
			assert.Equal(t, got.ErrorType(), tt.word)
		})
	}
}

// Of options with one key the first counts, also in clients made of a client.
func TestOnce(t *testing.T) {
	t.Parallel()
	calls := 0
	type key struct{}
	counted := aplomb.Once(key{}, aplomb.Hooks{CallDone: func(context.Context, aplomb.CallEvent) { calls++ }})
	answer := aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 204, Request: r}, nil
	}))
	c, err := aplomb.New("http://api.test", answer, counted, aplomb.Options(counted))
	assert.NoError(t, err)
	own, err := c.With(counted, aplomb.Once(1, aplomb.Hooks{CallDone: func(context.Context, aplomb.CallEvent) { calls += 10 }}))
	assert.NoError(t, err)
	for _, c := range []*aplomb.Client{c, own} {
		_, err := aplomb.Get[struct{}](t.Context(), c, "/")
		assert.NoError(t, err)
	}
	assert.Equal(t, calls, 12)
}

// An attempt says whether it left the origin of its call.
func TestForeignAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		n.Serve("https://a.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/c" {
				http.Redirect(w, r, map[string]string{"/": "/b", "/b": "https://b.test/"}[r.URL.Path], http.StatusFound)
			}
		}))
		n.Serve("https://b.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://a.test/c", http.StatusFound)
		}))
		var foreign []bool
		c := newClientAt(t, "https://a.test", aplomb.Transport(n.Transport()), aplomb.Hooks{AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { foreign = append(foreign, e.Foreign()) }})
		resp, err := aplomb.Open(t.Context(), c, http.MethodGet, "/")
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, foreign, []bool{false, false, true, false})
	})
}

// Package sdk_test holds that aplomb is at home under other people's clients:
// each official SDK, and each generator of clients, keeps its own types of
// error, its headers and its credentials, and gets from an aplomb client its
// retries, its pacing and its idempotency keys, without attempts that multiply.
//
// All go through the same table (table_test.go), against an API of their own
// in memory and under virtual time. docs/sdks.md says the same to users.
package sdk_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestMain(m *testing.M) { os.Exit(assert.Main(m)) }

// doer is what an SDK is given: an aplomb client, or a bare one to compare with.
type doer interface {
	Do(*http.Request) (*http.Response, error)
	HTTPClient() *http.Client
}

type bare struct{ *http.Client }

func (b bare) HTTPClient() *http.Client { return b.Client }

// peer is an SDK and its API.
type peer struct {
	name string
	// open makes the SDK's client of the API at url over c, with its own retries
	// left on if own is set.
	open func(t *testing.T, c doer, url string, own bool) calls
	// guide does what docs/sdks.md tells to, word for word, and makes a call of
	// the API at home, which it finds by itself.
	guide func(ctx context.Context, c *aplomb.Client, key string) error
	home  string
	// fixed is set where the SDK cannot be told to call another one.
	fixed bool
	// module is where its version stands in go.mod.
	module string
	// answer is the API on a good day; problem is the body of its errors, and
	// problemType their media type, JSON if empty.
	answer      http.HandlerFunc
	problem     func(status int) string
	problemType string
	// opts are what the guide says the aplomb client needs for this SDK.
	opts []aplomb.Option
	// typed tells what the SDK's own type of error says; "" if err holds none.
	typed func(err error) string
	// refused is a status that blames the request; refusal and unavailable are
	// what typed makes of it and of a 503.
	refused              int
	refusal, unavailable string
	// headers are some that the SDK sets itself, credential and agent among
	// them, by the beginning of their values.
	headers map[string]string
	// vary are the headers that differ from request to request.
	vary []string
	// noContext is set where calls take none.
	noContext bool
	// attempts is how often a call is sent that always gets a 503: set up as the
	// guide says, with the SDK's own retries alone, and with both.
	attempts, alone, both int
	// budgeted is set where chance decides when the retry budget is spent, and
	// both is one less at times.
	budgeted bool
	// lost is how often a creation is sent whose answer was lost, without
	// aplomb.Idempotency.
	lost int
	// resigned is set where it is the SDK that retries, for it alone can.
	resigned bool
}

// calls are two of the SDK's calls, and one more.
type calls struct {
	read   func(ctx context.Context) error // may be sent twice
	create func(ctx context.Context) error // a POST
	// keyed is create with the SDK's own means to give it a key; nil if it has none.
	keyed func(ctx context.Context, key string) error
}

// received is a request as the API has seen it.
type received struct {
	method, target, body string
	header               http.Header
}

// scene is one peer's API during one test.
type scene struct {
	t      *testing.T
	p      *peer
	srv    *aplombtest.Server
	script *aplombtest.Script

	mu  sync.Mutex
	got []received
}

// stage runs f with a fresh API under virtual time.
func stage(t *testing.T, name string, p *peer, f func(s *scene)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(open(t, p, p.fixed)) })
	})
}

// open starts the API. At home it is where it is in the world: the server's
// transport finds it under any name.
func open(t *testing.T, p *peer, home bool) *scene {
	t.Helper()
	s := &scene{t: t, p: p, script: aplombtest.NewScript(p.answer)}
	if !home {
		s.srv = aplombtest.NewServer(t, s)
		return s
	}
	s.srv = aplombtest.NewTLSServer(t, s)
	s.srv.URL = p.home
	return s
}

func (s *scene) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.got = append(s.got, received{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
	s.mu.Unlock()
	s.script.ServeHTTP(w, r)
}

// requests are those since the last time.
func (s *scene) requests() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// sent holds that the API got want requests since the last time, all alike but
// for the headers that vary, and returns them.
func (s *scene) sent(want int) []received {
	s.t.Helper()
	got := s.requests()
	if len(got) != want {
		s.t.Fatalf("got  %d requests\nwant %d", len(got), want)
	}
	for _, r := range got {
		assert.Equal(s.t, r.method+" "+r.target, got[0].method+" "+got[0].target)
		assert.Equal(s.t, r.body, got[0].body)
		if !s.p.resigned {
			assert.Equal(s.t, r.header, got[0].header)
		}
	}
	return got
}

// fault is an error of the API.
func (s *scene) fault(status int, headerKV ...string) aplombtest.Fault {
	return aplombtest.Answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if s.p.problemType != "" {
			w.Header().Set("Content-Type", s.p.problemType)
		}
		for i := 0; i < len(headerKV); i += 2 {
			w.Header().Set(headerKV[i], headerKV[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, s.p.problem(status))
	})
}

// aplomb is a client for the API, as the guide sets it up for the SDK.
func (s *scene) aplomb(opts ...aplomb.Option) *aplomb.Client {
	s.t.Helper()
	all := append([]aplomb.Option{aplomb.Transport(s.srv.Transport())}, s.p.opts...)
	c, err := aplomb.New(s.srv.URL, append(all, opts...)...)
	assert.NoError(s.t, err)
	return c
}

// calls are the SDK's, over an aplomb client, as the guide sets both up.
func (s *scene) calls(opts ...aplomb.Option) calls {
	s.t.Helper()
	return s.p.open(s.t, s.aplomb(opts...), s.srv.URL, s.p.resigned)
}

// took is how long f takes, and what it returns.
func took(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}

// says answers with a body of JSON.
func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

package aplombtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// ExampleScript has an API fail twice before it answers.
func ExampleScript() {
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "at last") })
	script := aplombtest.NewScript(api, aplombtest.Status(429, "Retry-After", "1"), aplombtest.TruncatedBody(2))
	srv := httptest.NewServer(script) // in a test: aplombtest.NewServer(t, script)
	defer srv.Close()

	for range 3 {
		res, err := srv.Client().Get(srv.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%d %q %v\n", res.StatusCode, strings.TrimSpace(string(body)), err)
	}
	fmt.Println("faults left:", script.Left())
	// Output:
	// 429 "{\"error\":{\"code\":\"429\",\"message\":\"Too Many Requests\"}}" <nil>
	// 200 "at" unexpected EOF
	// 200 "at last" <nil>
	// faults left: 0
}

// effects counts the requests it has served and answers "0123456789" with the
// number in a header.
type effects struct{ n atomic.Int64 }

func (e *effects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("X-Effect", strconv.FormatInt(e.n.Add(1), 10))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, "0123456789")
}

// scene is a faulty server, whichever network it is on.
type scene struct {
	url    string
	client *http.Client
	dial   func() (net.Conn, error)
	script *aplombtest.Script
	effect *effects
	exact  bool // time is virtual
}

// took checks that something begun at start has taken d: to the nanosecond where
// time is virtual, no less on sockets.
func (s *scene) took(t *testing.T, start time.Time, d time.Duration) {
	t.Helper()
	switch since := time.Since(start); {
	case s.exact:
		assert.Equal(t, since, d)
	default:
		assert.True(t, since >= d, since)
	}
}

// onBothNetworks runs test on TCP sockets and, in virtual time, on memnet.
func onBothNetworks(t *testing.T, test func(*testing.T, *scene), faults ...aplombtest.Fault) {
	t.Run("TCP", func(t *testing.T) {
		t.Parallel()
		s := &scene{effect: new(effects)}
		s.script = aplombtest.NewScript(s.effect, faults...)
		srv := httptest.NewServer(s.script)
		defer srv.Close()
		s.url, s.client = srv.URL, srv.Client()
		s.dial = func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://")) }
		test(t, s)
	})
	t.Run("memnet", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &scene{effect: new(effects), exact: true}
			s.script = aplombtest.NewScript(s.effect, faults...)
			srv := aplombtest.NewServer(t, s.script)
			s.url, s.client = srv.URL, srv.Client()
			s.dial = func() (net.Conn, error) { return srv.Transport().DialContext(t.Context(), "tcp", "api.test:80") }
			test(t, s)
		})
	})
}

// raw sends one POST over a bare connection and returns all that comes back.
func (s *scene) raw(t *testing.T) (answer string, err error) {
	t.Helper()
	c, err := s.dial()
	assert.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\n\r\nbody")
	assert.NoError(t, err)
	got, err := io.ReadAll(c)
	return string(got), err
}

func (s *scene) post(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader("body"))
	if err != nil {
		return nil, err
	}
	return s.client.Do(req)
}

// impatient posts like post and gives up a moment after the server has taken the
// request: a deadline might pass before, on a busy machine.
func (s *scene) impatient(t *testing.T) (*http.Response, error) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s.script.When(func(*http.Request) bool {
		time.AfterFunc(20*time.Millisecond, cancel)
		return true
	})
	defer s.script.When(nil)
	return s.post(ctx)
}

// undisturbed checks that the next request meets no fault.
func (s *scene) undisturbed(t *testing.T, effects int64) {
	t.Helper()
	res, err := s.post(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, read(t, res), "0123456789")
	assert.Equal(t, res.StatusCode, http.StatusCreated)
	assert.Equal(t, s.effect.n.Load(), effects)
	assert.Equal(t, s.script.Left(), 0)
}

func TestLostResponse(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		answer, err := s.raw(t)
		assert.NoError(t, err, "a FIN, not a RST")
		assert.Equal(t, answer, "", "not a byte")
		assert.Equal(t, s.effect.n.Load(), 1, "the handler ran")
		_, err = s.post(t.Context())
		assert.ErrorIs(t, err, io.EOF)
		s.undisturbed(t, 3)
	}, aplombtest.LostResponse(), aplombtest.LostResponse())
}

func TestReset(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		answer, err := s.raw(t)
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, answer, "")
		_, err = s.post(t.Context())
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Equal(t, s.effect.n.Load(), 0, "the handler did not run")
		s.undisturbed(t, 1)
	}, aplombtest.Reset(), aplombtest.Reset())
}

func TestStall(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		start := time.Now()
		res, err := s.post(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, read(t, res), "0123456789")
		s.took(t, start, 20*time.Millisecond)

		for range 2 { // the second is patient for an hour, the client is not
			_, err = s.impatient(t)
			assert.ErrorIs(t, err, context.Canceled)
		}
		s.undisturbed(t, 2) // neither of the two ran
	}, aplombtest.Stall(20*time.Millisecond), aplombtest.Stall(0), aplombtest.Stall(time.Hour))
}

func TestStallBody(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		start := time.Now()
		res, err := s.post(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, read(t, res), "0123456789")
		s.took(t, start, 20*time.Millisecond)

		for _, bytes := range []string{"0123", "0123456789", ""} {
			ctx, cancel := context.WithCancel(t.Context())
			res, err = s.post(ctx)
			assert.NoError(t, err)
			assert.Equal(t, res.StatusCode, http.StatusCreated)
			assert.Equal(t, res.ContentLength, -1)
			got := make([]byte, len(bytes))
			_, err = io.ReadFull(res.Body, got)
			assert.NoError(t, err)
			assert.Equal(t, string(got), bytes)
			time.AfterFunc(20*time.Millisecond, cancel)
			n, err := res.Body.Read(make([]byte, 1))
			assert.Equal(t, n, 0, "silence")
			assert.ErrorIs(t, err, context.Canceled)
			_ = res.Body.Close()
		}
		s.undisturbed(t, 5)
	}, aplombtest.StallBody(3, 20*time.Millisecond), aplombtest.StallBody(4, 0), aplombtest.StallBody(99, 0), aplombtest.StallBody(-1, time.Hour))
}

func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		for _, bytes := range []string{"0123", "012345678", ""} {
			res, err := s.post(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, res.StatusCode, http.StatusCreated)
			assert.Equal(t, res.ContentLength, 10)
			got, err := io.ReadAll(res.Body)
			assert.Equal(t, string(got), bytes)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			_ = res.Body.Close()
		}
		s.undisturbed(t, 4)
	}, aplombtest.TruncatedBody(4), aplombtest.TruncatedBody(10), aplombtest.TruncatedBody(-1))
}

func TestTruncatedBodyOfNothing(t *testing.T) {
	t.Parallel()
	empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	srv := aplombtest.NewServer(t, aplombtest.NewScript(empty, aplombtest.TruncatedBody(0)))
	res, err := srv.Client().Get(srv.URL)
	assert.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_ = res.Body.Close()
}

func TestStatusAndAnswer(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		res, err := s.post(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, res.StatusCode, 429)
		assert.Equal(t, res.Header.Get("Retry-After"), "1")
		assert.Equal(t, res.Header.Get("Content-Type"), "application/json")
		assert.Equal(t, read(t, res), `{"error":{"code":"429","message":"Too Many Requests"}}`+"\n")

		res, err = s.post(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, res.StatusCode, 418)
		assert.Equal(t, read(t, res), "short and stout: body")
		assert.Equal(t, s.effect.n.Load(), 0, "the handler did not run")
		s.undisturbed(t, 1)
	},
		aplombtest.Status(429, "Retry-After", "1", "X-Odd"),
		aplombtest.Answer(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprintf(w, "short and stout: %s", body)
		}))
}

// TestFaultsOverTLS meets each fault that drops the connection over HTTP/2,
// where only the stream is dropped, and over TLS with HTTP/1.1.
func TestFaultsOverTLS(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		fault   aplombtest.Fault
		effects int64
		conns   int // over HTTP/2, with the undisturbed request that follows
	}{
		"lost response":  {aplombtest.LostResponse(), 1, 1},
		"truncated body": {aplombtest.TruncatedBody(4), 1, 1},
		"garbage chunk":  {aplombtest.GarbageChunk(4), 1, 1},
		"raw":            {aplombtest.Raw("SMTP ready\r\n\r\n"), 0, 1},
		"header flood":   {aplombtest.HeaderFlood(), 0, 2},
		"reset":          {aplombtest.Reset(), 0, 2},
		"reset body":     {aplombtest.ResetBody(4), 1, 2},
	}
	for name, test := range faults {
		for _, http1 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/1.1 %t", name, http1), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &scene{effect: new(effects)}
					s.script = aplombtest.NewScript(s.effect, test.fault)
					srv := aplombtest.NewTLSServer(t, s.script)
					transport := srv.Transport()
					if http1 {
						transport.Protocols = new(http.Protocols)
						transport.Protocols.SetHTTP1(true)
					}
					s.url, s.client = srv.URL, &http.Client{Transport: transport}
					res, err := s.post(t.Context())
					if err == nil {
						_, err = io.ReadAll(res.Body)
						_ = res.Body.Close()
					}
					assert.True(t, err != nil, "the request fails")
					assert.Equal(t, s.effect.n.Load(), test.effects)
					s.undisturbed(t, test.effects+1)
					if !http1 {
						assert.Equal(t, srv.Conns(), test.conns)
					}
				})
			})
		}
	}
}

// TestResetOverTLSOnSockets: no close_notify may come before the RST, for that
// would be an io.EOF.
func TestResetOverTLSOnSockets(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(aplombtest.NewScript(hello, aplombtest.Reset(), aplombtest.ResetBody(2)))
	defer srv.Close()
	_, err := srv.Client().Post(srv.URL, "", nil)
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	res, err := srv.Client().Post(srv.URL, "", nil)
	assert.NoError(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	assert.Equal(t, string(got), "he")
	assert.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestScript(t *testing.T) {
	t.Parallel()
	effect := new(effects)
	var zero aplombtest.Fault
	script := aplombtest.NewScript(effect, aplombtest.Pass(), aplombtest.Status(500)).
		Then(zero, aplombtest.Status(501)).
		When(func(r *http.Request) bool { return r.Method == http.MethodPost })
	ask := func(method string) int {
		w := httptest.NewRecorder()
		script.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		return w.Code
	}
	assert.Equal(t, ask("GET"), 201, "GET takes no fault")
	assert.Equal(t, script.Left(), 4)
	assert.Equal(t, []int{ask("POST"), ask("POST"), ask("POST"), ask("POST")}, []int{201, 500, 201, 501})
	assert.Equal(t, ask("POST"), 201, "the queue is empty")

	script.Always(aplombtest.Status(503)).Then(aplombtest.Status(502))
	assert.Equal(t, []int{ask("POST"), ask("POST"), ask("POST"), ask("GET")}, []int{502, 503, 503, 201})
	script.Then(aplombtest.Status(500)).Heal()
	assert.Equal(t, ask("POST"), 201)
	assert.Equal(t, script.Requests(), 11)
	assert.Equal(t, effect.n.Load(), 6)
}

func TestScriptGivesEachFaultOnce(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(hello)
	for range 100 {
		script.Then(aplombtest.Status(500))
	}
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				w := httptest.NewRecorder()
				script.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if w.Code == 500 {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, failed.Load(), 100)
	assert.Equal(t, script.Requests(), 200)
	assert.Equal(t, script.Left(), 0)
}

func TestFaultNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, fmt.Sprint([]aplombtest.Fault{
		{}, aplombtest.Pass(), aplombtest.LostResponse(), aplombtest.Reset(), aplombtest.Stall(time.Minute),
		aplombtest.StallBody(3, 0), aplombtest.TruncatedBody(4), aplombtest.Status(503), aplombtest.Answer(hello),
	}), "[Pass Pass LostResponse Reset Stall(1m0s) StallBody(3, 0s) TruncatedBody(4) Status(503) Answer]")
	assert.Equal(t, fmt.Sprint([]aplombtest.Fault{
		aplombtest.StallUpload(0), aplombtest.LateResponse(time.Second), aplombtest.StallHeader(0), aplombtest.Drip(2, time.Second),
		aplombtest.ResetBody(1), aplombtest.WrongLength(3), aplombtest.WrongLength(-3), aplombtest.GarbageChunk(1),
		aplombtest.Raw("hi\n"), aplombtest.HeaderFlood(), aplombtest.Skew(-time.Hour),
		aplombtest.GoAway(), aplombtest.GoAwayUnprocessed(), aplombtest.RefusedStream(),
	}), `[StallUpload(0s) LateResponse(1s) StallHeader(0s) Drip(2, 1s) ResetBody(1) WrongLength(+3) WrongLength(-3) GarbageChunk(1) `+
		`Raw("hi\n") HeaderFlood Skew(-1h0m0s) GoAway GoAwayUnprocessed RefusedStream]`)
}

// TestFaultsKeepTheRequestBody sends what a fault must read before the handler
// does.
func TestFaultsKeepTheRequestBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
		srv := aplombtest.NewServer(t, aplombtest.NewScript(echo, aplombtest.Stall(time.Hour), aplombtest.StallBody(1, time.Hour)))
		for range 2 {
			res, err := srv.Client().Post(srv.URL, "text/plain", strings.NewReader("kept"))
			assert.NoError(t, err)
			assert.Equal(t, read(t, res), "kept")
		}
	})
}

// TestStallSeesABrokenUpload has the client break off its body: the error must
// reach the handler, not pass for the body's end.
func TestStallSeesABrokenUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got error
		done := make(chan struct{})
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, got = io.ReadAll(r.Body)
			close(done)
		})
		srv := aplombtest.NewServer(t, aplombtest.NewScript(next, aplombtest.Answer(func(w http.ResponseWriter, r *http.Request) {
			aplombtest.NewScript(next, aplombtest.StallBody(0, 0)).ServeHTTP(w, r)
		})))
		broken := errors.New("disk failed")
		body := io.MultiReader(strings.NewReader("half"), errorReader{broken})
		_, err := srv.Client().Post(srv.URL, "text/plain", body)
		assert.ErrorIs(t, err, broken)
		<-done
		assert.ErrorIs(t, got, io.ErrUnexpectedEOF)
	})
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

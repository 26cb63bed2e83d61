package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Each default fires at its own moment, to the nanosecond, and says its name.
func TestTimeoutDefaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault aplombtest.Fault
		hang  bool
		after time.Duration
		say   string
	}{
		"connect":         {hang: true, after: 5 * time.Second, say: "connect timeout after 5s"},
		"response header": {fault: aplombtest.Stall(0), after: 30 * time.Second, say: "response header timeout after 30s"},
		"idle read":       {fault: aplombtest.StallBody(3, 0), after: 30 * time.Second, say: "idle read timeout after 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				n.Serve("http://api.test", aplombtest.NewScript(ok).Always(tt.fault))
				if tt.hang {
					n.Break("api.test", aplombtest.DialHangs)
				}
				c := newClientAt(t, "http://api.test", aplomb.Transport(n.Transport()), aplomb.NoRetry())
				start := time.Now()
				_, err := get(t, c)
				assert.Equal(t, time.Since(start), tt.after)
				assert.Contains(t, err.Error(), tt.say)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				var timeout net.Error
				assert.True(t, errors.As(err, &timeout) && timeout.Timeout())
			})
		})
	}
}

// A TLS handshake that hangs ends after 5 s; nothing was sent, so even a POST
// is tried again.
func TestTimeoutTLS(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dials := 0
		hang := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials++
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs); _ = theirs.Close() }()
			return ours, nil
		}}
		c := fixedJitter(newClientAt(t, "https://api.test", aplomb.Transport(hang), aplomb.Retry{Attempts: 2}), 0)
		start := time.Now()
		_, err := post(t, c)
		assert.Contains(t, err.Error(), "TLS handshake timeout")
		assert.Equal(t, time.Since(start), 10*time.Second)
		assert.Equal(t, dials, 2)
		synctest.Wait()
	})
}

// Typed calls end after 60 s in all, unless the context has a deadline.
func TestTimeoutTotal(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline time.Duration
		opts     []aplomb.CallOption
		want     time.Duration
	}{
		"default":            {want: 60 * time.Second},
		"Timeout":            {opts: []aplomb.CallOption{aplomb.Timeout(7 * time.Second)}, want: 7 * time.Second},
		"context's deadline": {deadline: 100 * time.Second, want: 100 * time.Second},
		"the earlier":        {deadline: 3 * time.Second, opts: []aplomb.CallOption{aplomb.Timeout(7 * time.Second)}, want: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := aplombtest.NewServer(t, aplombtest.NewScript(ok).Always(aplombtest.Stall(0)))
				c := newClient(t, s, aplomb.Timeouts{ResponseHeader: time.Hour})
				ctx := context.Background()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := aplomb.Get[order](ctx, c, "/x", tt.opts...)
				assert.Equal(t, time.Since(start), tt.want)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// A stream outlives every total; only its silence is bounded.
func TestTimeoutsLetStreamsLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tick := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 200 {
				time.Sleep(29 * time.Second)
				_, _ = io.WriteString(w, "data: x\n\n")
				w.(http.Flusher).Flush()
			}
		}
		c := newClient(t, aplombtest.NewServer(t, script(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			tick(w, r)
		})))
		start := time.Now()
		resp, err := c.HTTPClient().Get("http://api.test/stream")
		assert.NoError(t, err)
		raw, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, strings.Count(string(raw), "data"), 200)
		assert.Equal(t, time.Since(start), 200*29*time.Second)
	})
}

// A long upload may last; a server that stops taking it may not.
func TestTimeoutOfUploads(t *testing.T) {
	slowly := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 8, every: 10 * time.Second}), nil }
	bubbleCase(t, "steady", func(t *testing.T) {
		take := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); ok(w, r) }
		start := time.Now()
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, script(take))), "/x",
			aplomb.Body("text/plain", slowly), aplomb.Timeout(time.Hour))
		assert.NoError(t, err)
		assert.Equal(t, time.Since(start), 80*time.Second)
	})
	bubbleCase(t, "a source that is slow", func(t *testing.T) {
		take := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); ok(w, r) }
		open := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 2, every: time.Minute}), nil }
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, script(take))), "/x",
			aplomb.Body("text/plain", open), aplomb.Timeout(time.Hour))
		assert.NoError(t, err)
	})
	bubbleCase(t, "a server that stops", func(t *testing.T) {
		endless := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 1 << 30}), nil }
		start := time.Now()
		_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, script(hang)), aplomb.NoRetry()), "/x",
			aplomb.Body("text/plain", endless), aplomb.Timeout(time.Hour))
		assert.Contains(t, fmt.Sprint(err), "response header timeout after 30s")
		assert.Equal(t, time.Since(start), 30*time.Second)
	})
}

// dripping is a body that comes in parts, each after a while.
type dripping struct {
	parts int
	every time.Duration
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.parts == 0 {
		return 0, io.EOF
	}
	d.parts--
	time.Sleep(d.every)
	return len(p), nil
}

// Fetching a credential costs the attempt no time.
func TestTimeoutStartsAfterTheCredential(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := aplomb.SecretFunc(func(context.Context) (string, error) { time.Sleep(29 * time.Second); return "token", nil })
		late := func(w http.ResponseWriter, r *http.Request) { time.Sleep(29 * time.Second); ok(w, r) }
		c := newClient(t, aplombtest.NewServer(t, script(late)), aplomb.Bearer(slow))
		_, err := get(t, c)
		assert.NoError(t, err)
	})
}

// A per-call Timeout holds on net/http's doors too, and ends with the body.
func TestTimeoutOnDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := aplombtest.NewServer(t, aplombtest.NewScript(ok).Always(aplombtest.StallBody(3, 0)))
		c := newClient(t, s)
		ctx := aplomb.NewContext(context.Background(), aplomb.Timeout(2*time.Second))
		req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		start := time.Now()
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, time.Since(start), 2*time.Second)
	})
}

// What our own side takes over an answer is none of the server's silence.
func TestTimeoutsCountTheServerAlone(t *testing.T) {
	const long = 35 * time.Second
	after := func(f func(*http.Response)) aplomb.Option {
		return aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err == nil {
					f(resp)
				}
				return resp, err
			})
		})
	}
	for name, tt := range map[string]struct {
		first http.HandlerFunc
		opt   func() aplomb.Option
	}{
		"middleware": {large, func() aplomb.Option { return after(func(*http.Response) { time.Sleep(long) }) }},
		"reader": {large, func() aplomb.Option {
			return after(func(resp *http.Response) { resp.Body = &pausing{ReadCloser: resp.Body, pause: long} })
		}},
		"Answered": {large, func() aplomb.Option {
			return aplomb.Auth{Attach: func(*http.Request) error { return nil }, Answered: func(*http.Response) bool { time.Sleep(long); return false }}
		}},
		"renewal": {func(w http.ResponseWriter, r *http.Request) { time.Sleep(20 * time.Second); status(401)(w, r) }, func() aplomb.Option {
			fetched := 0
			return &aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
				if fetched++; fetched > 1 {
					time.Sleep(15 * time.Second)
				}
				return aplomb.Token{Value: aplomb.NewSecret(fmt.Sprint("token ", fetched))}, nil
			}}
		}},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			start := time.Now()
			_, err := get(t, newClient(t, aplombtest.NewServer(t, script(tt.first, ok)), aplomb.NoRetry(), tt.opt()))
			assert.NoError(t, err)
			assert.Equal(t, time.Since(start), long)
		})
	}
}

// large answers with a body that is not at hand at once, and so fails a reader whose
// attempt has ended.
func large(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"x","pad":"`+strings.Repeat("p", 1<<20)+`"}`)
}

// pausing is a body whose reader pauses before the second part.
type pausing struct {
	io.ReadCloser
	pause time.Duration
	reads int
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.reads++; p.reads == 2 {
		time.Sleep(p.pause)
	}
	return p.ReadCloser.Read(b)
}

// An answer ends the wait for it, also while the transport still reads the request's body.
func TestTimeoutOfAnEarlyAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent context.Context
		var stop, done chan struct{}
		early := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			began := make(chan struct{})
			sent, stop, done = r.Context(), make(chan struct{}), make(chan struct{})
			go readOn(r.Body, began, stop, done)
			<-began
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
		})
		c := newClientAt(t, "http://api.test", aplomb.Transport(early))
		for range 400 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://api.test/x", io.NopCloser(&dripping{parts: 1 << 30}))
			assert.NoError(t, err)
			resp, err := c.Do(req)
			assert.NoError(t, err)
			close(stop)
			<-done
			time.Sleep(time.Minute)
			assert.NoError(t, sent.Err())
			assert.NoError(t, resp.Body.Close())
		}
	})
}

func readOn(r io.Reader, began, stop, done chan struct{}) {
	defer close(done)
	var b [1]byte
	for first := true; ; first = false {
		_, _ = r.Read(b[:])
		if first {
			close(began)
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// A body that is closed twice does not end the wait for a later answer.
func TestTimeoutAfterABodyClosedTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		again := aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				_ = resp.Body.Close()
				time.AfterFunc(time.Second, func() { _ = resp.Body.Close() })
				return next.RoundTrip(r)
			})
		})
		c := newClient(t, aplombtest.NewServer(t, script(ok, hang)), aplomb.NoRetry(), again)
		start := time.Now()
		_, err := get(t, c, aplomb.Timeout(10*time.Minute))
		assert.Contains(t, fmt.Sprint(err), "response header timeout after 30s")
		assert.Equal(t, time.Since(start), 30*time.Second)
	})
}

// Whoever waits within an attempt learns that it was the deadline that ended it, and so
// do the hooks and the caller.
func TestTimeoutIsADeadlineToAll(t *testing.T) {
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	child := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		return wait(ctx)
	}
	ask := func(t *testing.T) func(context.Context) error {
		vault := newClient(t, aplombtest.NewServer(t, script(hang)))
		return func(ctx context.Context) error { _, err := aplomb.Get[order](ctx, vault, "/token"); return err }
	}
	credential := func(wait func(context.Context) error) aplomb.Option {
		return aplomb.AuthFunc(func(r *http.Request) error { return wait(r.Context()) })
	}
	source := func(wait func(context.Context) error) aplomb.Option {
		return aplomb.Bearer(sourceFunc(func(ctx context.Context) (aplomb.Secret, error) { return aplomb.Secret{}, wait(ctx) }))
	}
	proof := func(wait func(context.Context) error) aplomb.Option {
		return &aplomb.Tokens{
			Fetch: (&issuer{life: time.Hour}).fetch,
			Proof: func(r *http.Request, _ aplomb.Token) error { return wait(r.Context()) },
		}
	}
	last := func(wait func(context.Context) error) aplomb.RoundTripFunc {
		return func(r *http.Request) (*http.Response, error) { return nil, wait(r.Context()) }
	}
	middleware := func(wait func(context.Context) error) aplomb.Option {
		return aplomb.PerAttempt(func(http.RoundTripper) http.RoundTripper { return last(wait) })
	}
	transport := func(wait func(context.Context) error) aplomb.Option { return aplomb.Transport(last(wait)) }
	bubbleCase(t, "credential", func(t *testing.T) { endsAtTheDeadline(t, credential, wait) })
	bubbleCase(t, "credential's child", func(t *testing.T) { endsAtTheDeadline(t, credential, child) })
	bubbleCase(t, "credential's client", func(t *testing.T) { endsAtTheDeadline(t, credential, ask(t)) })
	bubbleCase(t, "source's child", func(t *testing.T) { endsAtTheDeadline(t, source, child) })
	bubbleCase(t, "proof's child", func(t *testing.T) { endsAtTheDeadline(t, proof, child) })
	bubbleCase(t, "middleware", func(t *testing.T) { endsAtTheDeadline(t, middleware, wait) })
	bubbleCase(t, "middleware's child", func(t *testing.T) { endsAtTheDeadline(t, middleware, child) })
	bubbleCase(t, "transport", func(t *testing.T) { endsAtTheDeadline(t, transport, wait) })
	bubbleCase(t, "transport's child", func(t *testing.T) { endsAtTheDeadline(t, transport, child) })
}

// endsAtTheDeadline has a call wait, at a place within its only attempt, for its end.
func endsAtTheDeadline(t *testing.T, at func(wait func(context.Context) error) aplomb.Option, wait func(context.Context) error) {
	t.Helper()
	var learned, told []error
	waiting := at(func(ctx context.Context) error {
		err := wait(ctx)
		learned = append(learned, err)
		return err
	})
	hooks := aplomb.Hooks{AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { told = append(told, e.Err) }}
	start := time.Now()
	_, err := get(t, newClient(t, aplombtest.NewServer(t, script(ok)), waiting, hooks), aplomb.Timeout(2*time.Second))
	assert.Equal(t, time.Since(start), 2*time.Second)
	assert.Equal(t, []int{len(learned), len(told)}, []int{1, 1})
	for _, err := range append(append(learned, told...), err) {
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

// Law 3: what is ready only after the deadline is not sent: net/http is not asked for the
// proxy of its request, as it does where the context lives.
func TestLaw03_NothingIsSentAfterTheDeadline(t *testing.T) {
	const long = 5 * time.Second
	for name, opt := range map[string]aplomb.Option{
		"hook":       aplomb.Hooks{AttemptStart: func(context.Context, aplomb.AttemptEvent) { pause(long) }},
		"credential": aplomb.Bearer(sourceFunc(func(context.Context) (aplomb.Secret, error) { pause(long); return aplomb.NewSecret("token"), nil })),
	} {
		bubbleCase(t, name, func(t *testing.T) {
			living, h := 0, script(ok)
			s := aplombtest.NewServer(t, h)
			transport := s.Transport()
			transport.Proxy = func(*http.Request) (*url.URL, error) { living++; return nil, nil }
			c := newClientAt(t, s.URL, aplomb.Transport(transport), aplomb.NoRetry(), opt)
			_, err := get(t, c) // makes a connection
			assert.NoError(t, err)
			for range 20 {
				_, err := post(t, c, aplomb.Timeout(3*time.Second))
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			}
			assert.Equal(t, []int{living, h.count()}, []int{1, 1})
		})
	}
}

// sourceFunc is a source that keeps nothing, and is asked on its caller's goroutine.
type sourceFunc func(ctx context.Context) (aplomb.Secret, error)

func (f sourceFunc) Secret(ctx context.Context) (aplomb.Secret, error) { return f(ctx) }

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

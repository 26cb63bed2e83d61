package aplomb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Law 1: no request is sent twice unless it is safe, keyed, or provably unsent.
func TestLaw01_UnsafeRequestIsSentOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		step http.HandlerFunc
		opts []aplomb.CallOption
		want int
	}{
		{"500", status(500), nil, 1},
		{"503", status(503), nil, 1},
		{"reset", fault(aplombtest.Reset()), nil, 1},
		{"lost response", fault(aplombtest.LostResponse()), nil, 1},
		{"truncated answer", fault(aplombtest.TruncatedBody(3)), nil, 1},
		{"429 says nothing was done", status(429), nil, 2},
		{"keyed", status(500), []aplomb.CallOption{aplomb.IdempotencyKey("k")}, 2},
		{"declared safe", status(500), []aplomb.CallOption{aplomb.Safe()}, 2},
		{"keyed, reset", fault(aplombtest.Reset()), []aplomb.CallOption{aplomb.IdempotencyKey("k")}, 2},
		{"keyed, truncated answer", fault(aplombtest.TruncatedBody(3)), []aplomb.CallOption{aplomb.IdempotencyKey("k")}, 2},
		{"keyed 501", status(501), []aplomb.CallOption{aplomb.IdempotencyKey("k")}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := script(tt.step, ok)
				_, err := post(t, newClient(t, aplombtest.NewServer(t, h)), tt.opts...)
				assert.Equal(t, h.count(), tt.want)
				assert.Equal(t, err == nil, tt.want == 2)
			})
		})
	}
}

// A judge's Yes asks for a repetition; it does not make an unsafe request safe.
func TestLaw01_JudgeCannotOverride(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(500), ok)
		yes := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
			v := a.Verdict
			v.Resend = aplomb.ResendYes
			return v
		})
		_, err := post(t, newClient(t, aplombtest.NewServer(t, h), yes))
		assert.Equal(t, h.count(), 1)
		assert.Contains(t, err.Error(), "idempotency key")
	})
}

// A body is replayed byte for byte or not at all.
func TestLaw01_BodyIsReplayedWholeOrNotAtAll(t *testing.T) {
	want := strings.Repeat("0123456789", 1000)
	read := func(bodies *[]string, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			*bodies = append(*bodies, string(raw))
			next(w, r)
		}
	}
	t.Run("opener", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var bodies []string
			s := aplombtest.NewServer(t, script(read(&bodies, status(503)), read(&bodies, status(503)), read(&bodies, ok)))
			open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(want)), nil }
			_, err := aplomb.Put[order](context.Background(), newClient(t, s), "/x", aplomb.Body("text/plain", open))
			assert.NoError(t, err)
			assert.Equal(t, bodies, []string{want, want, want})
		})
	})
	t.Run("one-shot", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var bodies []string
			s := aplombtest.NewServer(t, script(read(&bodies, status(503)), read(&bodies, ok)))
			once := &closeCounter{Reader: strings.NewReader(want)}
			req, _ := http.NewRequest("PUT", s.URL, once)
			resp, err := newClient(t, s).Do(req)
			assert.NoError(t, err)
			assert.Equal(t, resp.StatusCode, 503)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, bodies, []string{want})
			assert.Equal(t, once.closed, 1)
		})
	})
	t.Run("one-shot, never connected", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var bodies []string
			n := aplombtest.NewNetwork(t)
			n.Serve("http://api.test", script(read(&bodies, ok)))
			n.Break("api.test", aplombtest.DialRefused)
			c := newClientAt(t, "http://api.test", aplomb.Transport(n.Transport()), aplomb.Hooks{
				WaitDone: func(context.Context, aplomb.WaitEvent) { n.Heal("api.test") },
			})
			once := &closeCounter{Reader: strings.NewReader(want)}
			req, _ := http.NewRequest("POST", "http://api.test/x", once)
			resp, err := c.Do(req)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, bodies, []string{want})
			assert.Equal(t, once.closed, 1)
		})
	})
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

// Law 2: one logical call has one key, on every attempt and redirect.
func TestLaw02_OneKeyPerCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), status(307, "Location", "/moved"), fault(aplombtest.LostResponse()), status(429), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Idempotency{}, aplomb.Retry{Attempts: 6})
		_, err := post(t, c)
		assert.NoError(t, err)
		key := h.request(0).Header.Get("Idempotency-Key")
		assert.Equal(t, len(key), 26)
		for i := range h.count() {
			assert.Equal(t, h.request(i).Header.Get("Idempotency-Key"), key)
		}
		assert.Equal(t, h.count(), 5)
		_, err = post(t, c)
		assert.NoError(t, err)
		assert.True(t, h.request(5).Header.Get("Idempotency-Key") != key, "a second call needs a key of its own")
	})
}

// The caller's own key wins over a minted one, under an SDK too.
func TestLaw02_CallersKeyIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Idempotency{})
		req, _ := http.NewRequest("POST", "http://api.test/v1", strings.NewReader("a=1"))
		req.Header.Set("Idempotency-Key", "mine")
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.request(0).Header.Get("Idempotency-Key"), "mine")
		assert.Equal(t, h.request(1).Header.Get("Idempotency-Key"), "mine")
	})
}

// A key in a context belongs to the first call that uses it.
func TestLaw02_ContextKeyIsUsedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h))
		ctx := aplomb.NewContext(context.Background(), aplomb.IdempotencyKey("order-1"))
		_, err := aplomb.Post[order](ctx, c, "/v1/orders", aplomb.JSON(1))
		assert.NoError(t, err)
		assert.Equal(t, h.request(0).Header.Get("Idempotency-Key"), "order-1")
		_, err = aplomb.Post[order](ctx, c, "/v1/orders", aplomb.JSON(2))
		assert.True(t, err != nil, "the second call must be refused")
		assert.Equal(t, h.count(), 1)
	})
}

// Law 3: no wait outlives the deadline; what cannot be met is refused at once
// with the time it would be ready.
func TestLaw03_RefusesWaitPastDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429, "Retry-After", "3600"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h)), 0)
		ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := aplomb.Get[order](ctx, c, "/x")
		assert.Equal(t, aplomb.StatusCode(err), 429)
		assert.Equal(t, time.Since(start), 0)

		_, err = aplomb.Get[order](ctx, c, "/x") // the gate is closed now
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		var ce *aplomb.CallError
		assert.True(t, errors.As(err, &ce))
		assert.Equal(t, ce.ReadyAt.Sub(start), time.Hour)
		assert.Equal(t, time.Since(start), 0)
		assert.Equal(t, h.count(), 1)
	})
}

func TestLaw03_BackoffNeverSleepsPastDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Retry{MinBackoff: 10 * time.Second})
		aplomb.SetRandom(c, func() float64 { return 1 })
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := aplomb.Get[order](ctx, c, "/x")
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.Equal(t, time.Since(start), 0)
		assert.Contains(t, err.Error(), "not waiting 10s because the call's time ends in 5s")
	})
}

func TestLaw03_ToldRateRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.RateLimit{PerSecond: 0.1, Burst: 1})
		_, err := get(t, c)
		assert.NoError(t, err)
		start := time.Now()
		_, err = get(t, c, aplomb.Timeout(time.Second))
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		assert.Equal(t, time.Since(start), 0)
		_, err = get(t, c, aplomb.Timeout(11*time.Second)) // the refused call kept no token
		assert.NoError(t, err)
		assert.Equal(t, time.Since(start), 10*time.Second)
	})
}

// Law 5: no secret is ever printed.
func TestLaw05_LogsHoldNoSecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		secrets := []string{"sk_test_51Habcdefghijk", "cook13value", "s1gnature", "hunter2password", "4242424242424242", "tok3n-in-answer", "qu3rykey", "set-c00kie"}
		h := script(body(`{"id":"pi_1","amount":2500,"client_secret":"tok3n-in-answer"}`, "Set-Cookie", "sid=set-c00kie"))
		var out bytes.Buffer
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(aplomb.Static(secrets[0])),
			aplomb.Logging{Bodies: true, Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		_, err := aplomb.Post[order](context.Background(), c, "/v1/payment_intents",
			aplomb.Header("Cookie", "a="+secrets[1]), aplomb.Header("X-Signature", secrets[2]), aplomb.Query("api_key", secrets[6]),
			aplomb.JSON(map[string]any{"amount": 2500, "password": secrets[3], "card": map[string]any{"number": 4242424242424242}}))
		assert.NoError(t, err)
		_, err = aplomb.Post[order](context.Background(), c, "/v1/payment_intents",
			aplomb.Form(url.Values{"amount": {"2500"}, "card[number]": {secrets[4]}, "password": {secrets[3]}}))
		assert.NoError(t, err)
		_, err = get(t, newClient(t, aplombtest.NewServer(t, script(page(401, "application/json", `{"error":{"message":"bad key 0paque-value-79"}}`))),
			aplomb.APIKey("X-Odd", aplomb.Static("0paque-value-79")),
			aplomb.Logging{Bodies: true, Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}))
		assert.Equal(t, aplomb.StatusCode(err), 401)
		secrets = append(secrets, "0paque-value-79")
		log := out.String()
		assert.Contains(t, log, "bad key [redacted]")
		assert.Contains(t, log, `"operation":"POST /v1/payment_intents"`)
		assert.Contains(t, log, `amount`)
		for _, secret := range secrets {
			assert.NotContains(t, log, secret)
		}
	})
}

func TestLaw05_ErrorsHoldNoSecret(t *testing.T) {
	const secret = "s3cr3t-v4lue-123"
	echo := func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(401)
		message := fmt.Sprintf("rejected %v %s %s", r.Header, r.URL, raw)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "code": secret}})
	}
	for name, tt := range map[string]struct {
		userinfo string
		client   []aplomb.Option
		call     []aplomb.CallOption
	}{
		"bearer":    {client: []aplomb.Option{aplomb.Bearer(aplomb.Static(secret))}},
		"basic":     {client: []aplomb.Option{aplomb.Basic("user", aplomb.Static(secret))}},
		"header":    {client: []aplomb.Option{aplomb.APIKey("X-Api-Key", aplomb.Static(secret))}},
		"query":     {client: []aplomb.Option{aplomb.APIKeyQuery("api_key", aplomb.Static(secret))}},
		"odd query": {client: []aplomb.Option{aplomb.APIKeyQuery("k", aplomb.Static(secret))}},
		"userinfo":  {userinfo: "user:" + secret + "@"},
		"body":      {call: []aplomb.CallOption{aplomb.JSON(map[string]string{"client_secret": secret})}},
		"form":      {call: []aplomb.CallOption{aplomb.Form(url.Values{"client_secret": {secret}})}},
		"ownheader": {call: []aplomb.CallOption{aplomb.Header("X-Whatever", secret)}},
		"ownquery":  {call: []aplomb.CallOption{aplomb.Query("access_token", secret)}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := aplombtest.NewServer(t, http.HandlerFunc(echo))
				base := strings.Replace(s.URL, "://", "://"+tt.userinfo, 1)
				c := newClientAt(t, base, append(tt.client, aplomb.Transport(s.Transport()))...)
				_, err := aplomb.Post[order](context.Background(), c, "/v1/x", tt.call...)
				assert.Equal(t, aplomb.StatusCode(err), 401)
				raw, _ := json.Marshal(err)
				var logged bytes.Buffer
				slog.New(slog.NewTextHandler(&logged, nil)).Error("x", "err", err)
				for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err), string(raw), logged.String()} {
					if strings.Contains(text, secret) {
						t.Errorf("secret printed: %s", text)
					}
				}
			})
		})
	}
}

// What carries headers, or a cause that prints a URL, prints a line only.
func TestLaw05_DumpsHoldNoSecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cause := &url.Error{Op: "Get", URL: "http://u:pl4nted@h/?token=pl4nted", Err: errors.New("x")}
		next := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/fails" {
				return nil, fmt.Errorf("wrapped: %w", cause)
			}
			return &http.Response{StatusCode: 200, Request: r, Header: http.Header{"Set-Cookie": {"pl4nted"}},
				Body: io.NopCloser(strings.NewReader(`[{"amount":1e400}]`))}, nil
		})
		c := newClientAt(t, "http://api.test", aplomb.Transport(next), aplomb.NoRetry())
		var dumps []any
		_, err := aplomb.Get[order](context.Background(), c, "/fails")
		dumps = append(dumps, err)
		_, err = aplomb.Get[[]order](context.Background(), c, "/x")
		assert.NotContains(t, err.Error(), "1e400")
		dumps = append(dumps, err)
		for p, err := range aplomb.Pages[map[string]json.RawMessage](context.Background(), c, "/x", aplomb.ByLink{}) {
			assert.NoError(t, err)
			dumps = append(dumps, p, p.Response, &p.Response)
		}
		for _, d := range dumps {
			raw, _ := json.Marshal(d)
			var logged bytes.Buffer
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "d", d)
			text := fmt.Sprintf("%v %+v %#v %s", d, d, d, d) + string(raw) + logged.String()
			assert.NotContains(t, text, "pl4nted")
		}
	})
}

func TestLaw05_SecretNeverPrints(t *testing.T) {
	t.Parallel()
	s := aplomb.NewSecret("hunter2")
	holder := struct {
		S aplomb.Secret
		P *aplomb.Secret
	}{s, &s}
	raw, err := json.Marshal(holder)
	assert.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", s, "source", aplomb.Static("hunter2"), "auth", aplomb.Bearer(aplomb.Static("hunter2")))
	text := fmt.Sprintf("%v %+v %#v %s %q %x %d ", s, s, s, s, s, s, s) + fmt.Sprintf("%v %+v %#v", holder, holder, holder) +
		fmt.Sprintf("%v %+v %#v", aplomb.Static("hunter2"), aplomb.Static("hunter2"), aplomb.Bearer(aplomb.Static("hunter2"))) + string(raw) + logged.String()
	assert.NotContains(t, text, "hunter2")
	assert.NotContains(t, text, fmt.Sprintf("%x", "hunter2"))
	assert.Equal(t, s.Reveal(), "hunter2")
}

// Law 7: everything is bounded.
func TestLaw07_BodyIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(`"` + strings.Repeat("x", 4096) + `"`))
		c := newClient(t, aplombtest.NewServer(t, h))
		_, err := aplomb.Get[string](context.Background(), c, "/x", aplomb.MaxBody(1000))
		assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		assert.Equal(t, h.count(), 1)
		v, err := aplomb.Get[string](context.Background(), c, "/x", aplomb.MaxBody(4098))
		assert.NoError(t, err)
		assert.Equal(t, len(v), 4096)
	})
}

func TestLaw07_HeadersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
		})
		_, err := aplomb.Get[struct{}](context.Background(), newClient(t, aplombtest.NewServer(t, h)), "/x")
		assert.Contains(t, fmt.Sprint(err), "response headers exceeded 1048576 bytes")
		assert.Equal(t, h.count(), 1)
	})
}

func TestLaw07_KeysAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		next := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		})
		c := newClientAt(t, "http://api.test", aplomb.Transport(next))
		for i := range 20_000 {
			req, _ := http.NewRequest("GET", fmt.Sprintf("http://h%d.test/", i), nil)
			resp, err := c.Do(req)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
		}
		assert.Equal(t, aplomb.KeyCount(c), 1<<14)
	})
}

func TestLaw07_RedirectsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(302, "Location", "/again"))
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h)))
		assert.Contains(t, err.Error(), "stopped after 10 redirects")
		assert.Equal(t, h.count(), 10)
	})
}

// Law 8: the caller's request is never mutated, every body is closed, no
// goroutine is left behind (the bubble's end would tell).
func TestLaw08_RequestIsNotMutated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Idempotency{}, aplomb.Header("X-Version", "1"),
			aplomb.Bearer(aplomb.Static("token")), aplomb.APIKeyQuery("key", aplomb.Static("value")))
		req, _ := http.NewRequest("POST", "http://api.test/v1?a=b", strings.NewReader("body"))
		req.Header.Set("X-Own", "1")
		before, header, u := *req, req.Header.Clone(), *req.URL
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, req.Header, header)
		assert.Equal(t, *req.URL, u)
		assert.True(t, req.Body == before.Body)
		assert.Equal(t, req.Context(), before.Context())
		assert.Equal(t, resp.Request.URL.String(), "http://api.test/v1?a=b")
	})
}

// Nor by what a credential or the transport does to the copy that it was given, which
// the next attempt does not get.
func TestLaw08_CopiesAreTheirOwn(t *testing.T) {
	for name, opt := range map[string]func(*aplombtest.Server) aplomb.Option{
		"a credential's trailer": func(*aplombtest.Server) aplomb.Option {
			return aplomb.AuthFunc(func(r *http.Request) error { r.Trailer.Set("X-Signature", "this attempt's"); return nil })
		},
		"a token's proof": func(*aplombtest.Server) aplomb.Option {
			return &aplomb.Tokens{
				Fetch: (&issuer{life: time.Hour}).fetch,
				Proof: func(r *http.Request, _ aplomb.Token) error { r.URL.RawQuery += "&proof=1"; return nil },
			}
		},
		"a transport that rewrites": func(s *aplombtest.Server) aplomb.Option {
			next := s.Transport()
			return aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				r.URL.Path = "/gateway" + r.URL.Path
				return next.RoundTrip(r)
			}))
		},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(status(503), ok)
			s := aplombtest.NewServer(t, h)
			req, _ := http.NewRequest("PUT", "http://api.test/v1?a=b", strings.NewReader("body"))
			req.ContentLength, req.Trailer = -1, http.Header{"X-Signature": nil}
			u := *req.URL
			resp, err := newClient(t, s, opt(s)).Do(req)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, *req.URL, u)
			assert.Equal(t, req.Trailer, http.Header{"X-Signature": nil})
			assert.Equal(t, h.count(), 2)
			assert.Equal(t, h.request(0).URL.String(), h.request(1).URL.String())
		})
	}
}

func TestLaw08_EveryBodyIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		opened, closed := 0, 0
		next := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.Body != nil {
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			opened++
			code := 503
			if opened%3 == 0 {
				code = 200
			}
			return &http.Response{StatusCode: code, Header: http.Header{}, Request: r, Body: &hookedBody{Reader: strings.NewReader("{}"), close: func() {
				mu.Lock()
				defer mu.Unlock()
				closed++
			}}}, nil
		})
		c := newClientAt(t, "http://api.test", aplomb.Transport(next))
		_, err := get(t, c)
		assert.NoError(t, err)
		req, _ := http.NewRequest("GET", "http://api.test/", nil)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, closed, opened)
		assert.Equal(t, opened, 6)
	})
}

type hookedBody struct {
	io.Reader
	close func()
}

func (b *hookedBody) Close() error { b.close(); return nil }

// A cancel at any stage returns at once and leaves nothing behind.
func TestLaw08_CancelReturnsAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		hang  bool
		opts  []aplomb.Option
	}{
		"dialling":     {hang: true},
		"headers":      {steps: []http.HandlerFunc{fault(aplombtest.Stall(time.Hour))}},
		"body":         {steps: []http.HandlerFunc{fault(aplombtest.StallBody(3, time.Hour))}},
		"backoff":      {steps: []http.HandlerFunc{status(503)}, opts: []aplomb.Option{aplomb.Retry{MinBackoff: time.Minute}}},
		"closed gate":  {steps: []http.HandlerFunc{status(429, "Retry-After", "50")}, opts: []aplomb.Option{aplomb.NoRetry()}},
		"told limiter": {steps: []http.HandlerFunc{ok}, opts: []aplomb.Option{aplomb.RateLimit{PerSecond: 0.02, Burst: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				n.Serve("http://api.test", script(append(tt.steps, ok)...))
				if tt.hang {
					n.Break("api.test", aplombtest.DialHangs)
				}
				c := newClientAt(t, "http://api.test", append(tt.opts, aplomb.Transport(n.Transport()))...)
				aplomb.SetRandom(c, func() float64 { return 0.9 })
				ctx, cancel := context.WithCancelCause(context.Background())
				if name == "closed gate" || name == "told limiter" {
					_, _ = aplomb.Get[order](ctx, c, "/x")
				}
				stop := errors.New("user stop")
				start := time.Now()
				time.AfterFunc(time.Second, func() { cancel(stop) })
				_, err := aplomb.Get[order](ctx, c, "/x")
				assert.Equal(t, time.Since(start), time.Second)
				assert.ErrorIs(t, err, stop)
				if name == "backoff" {
					assert.Contains(t, err.Error(), "user stop (while waiting to retry after status 503)")
				}
			})
		})
	}
}

// Law 9: a breaker's probe has a lease; 429 and the caller's own cancel do not
// open it. (More in breaker_test.go.)
func TestLaw09_ThrottleAndCancelDoNotOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(429))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), aplomb.NoRateLimit())
		for range 50 {
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), 429)
		}
		stalled := newClient(t, aplombtest.NewServer(t, script(fault(aplombtest.Stall(time.Hour)))), aplomb.NoRetry())
		for range 50 {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Millisecond, cancel)
			_, err := aplomb.Get[order](ctx, stalled, "/x")
			assert.ErrorIs(t, err, context.Canceled)
		}
	})
}

// Law 9: nor does a Timeout or deadline that the caller chose too short.
func TestLaw09_CallersTimeoutDoesNotOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(60 * time.Millisecond):
				ok(w, r)
			case <-r.Context().Done():
			}
		}
		c := newClient(t, aplombtest.NewServer(t, script(slow)), aplomb.NoRetry())
		for range 30 {
			_, err := get(t, c, aplomb.Timeout(5*time.Millisecond))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}
		_, err := get(t, c)
		assert.NoError(t, err)
	})
}

// Law 13: an iterator yields an error once and ends; break leaves nothing
// running. (More in paginate_test.go.)
func TestLaw13_ErrorOnceThenEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(body(`{"items":[{"id":"1"},{"id":"2"}],"next_cursor":"a"}`), status(404), ok)
		var ids []string
		var errs []error
		for o, err := range aplomb.Items[order](context.Background(), newClient(t, aplombtest.NewServer(t, h)), "/v1/orders", aplomb.ByCursor{}) {
			if err != nil {
				errs = append(errs, err)
				continue // a caller who goes on must not see it again
			}
			ids = append(ids, o.ID)
		}
		assert.Equal(t, ids, []string{"1", "2"})
		assert.Equal(t, len(errs), 1)
		assert.Equal(t, aplomb.StatusCode(errs[0]), 404)
		assert.Equal(t, h.count(), 2)
	})
}

// Law 14: the success path of retry allocates nothing.
func TestLaw14_RetryIsFreeOnSuccess(t *testing.T) {
	bare := allocations(t, 200, aplomb.NoRetry())
	with := allocations(t, 200, aplomb.Retry{})
	assert.Equal(t, with, bare, "allocations with Retry and without")
}

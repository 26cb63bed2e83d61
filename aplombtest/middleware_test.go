package aplombtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/stripe"
)

// with is a middleware of one function.
func with(f func(next http.RoundTripper, r *http.Request) (*http.Response, error)) aplomb.Middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { return f(next, r) })
	}
}

// closed closes a request's body, if it has one.
func closed(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// brokenMiddlewares are such as are written every day, with the one rule each of
// them breaks.
func brokenMiddlewares(end <-chan struct{}) map[string]struct {
	rule, word string
	m          aplomb.Middleware
} {
	type broken = struct {
		rule, word string
		m          aplomb.Middleware
	}
	return map[string]broken{
		"sets a header in place": {"clone before mutate", "Header of the caller's request", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			r.Header.Set("X-Mine", "1")
			return next.RoundTrip(r)
		})},
		"sets a header in place and takes it back": {"clone before mutate", "r.Clone(ctx)", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			r.Header.Set("X-Mine", "1")
			defer r.Header.Del("X-Mine")
			return next.RoundTrip(r)
		})},
		"copies the struct alone": {"clone before mutate", "URL of the caller's request", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			own := r.WithContext(r.Context())
			own.URL.Path = "/v2/things"
			return next.RoundTrip(own)
		})},
		"copies the map alone": {"clone before mutate", "Header", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			own := r.WithContext(r.Context())
			own.Header = maps.Clone(r.Header)
			if len(own.Header["X-Conform"]) > 0 {
				own.Header["X-Conform"][0] = "changed"
			}
			return next.RoundTrip(own)
		})},
		"puts another body in place": {"clone before mutate", "Body", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Body == nil || r.Body == http.NoBody || r.GetBody == nil {
				return next.RoundTrip(r)
			}
			text, err := io.ReadAll(r.Body)
			closed(r)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(text))
			return next.RoundTrip(r)
		})},
		"refuses with the body open": {"close the body", "does not call next", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPut {
				return nil, errors.New("no PUT here")
			}
			return next.RoundTrip(r)
		})},
		"sends a copy and leaves the original": {"close the body", "was not closed", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.GetBody == nil {
				return next.RoundTrip(r)
			}
			own := r.Clone(r.Context())
			own.Body, _ = r.GetBody()
			return next.RoundTrip(own)
		})},
		"looks at a copy and leaves it open": {"close the body", "that GetBody opened", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.GetBody != nil {
				peek, _ := r.GetBody()
				_, _ = io.ReadAll(peek)
			}
			return next.RoundTrip(r)
		})},
		"reads the body to sign it": {"pass on what is true", "was not read before", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Body != nil && r.ContentLength > 0 {
				_, _ = io.ReadAll(r.Body)
			}
			return next.RoundTrip(r)
		})},
		"replaces the body and not GetBody": {"pass on what is true", "GetBody", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.GetBody == nil {
				return next.RoundTrip(r)
			}
			text, _ := io.ReadAll(r.Body)
			closed(r)
			own := r.Clone(r.Context())
			own.Body, own.ContentLength = io.NopCloser(strings.NewReader("<"+string(text)+">")), int64(len(text)+2)
			return next.RoundTrip(own)
		})},
		"replaces the body and not its length": {"pass on what is true", "ContentLength", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.GetBody == nil {
				return next.RoundTrip(r)
			}
			closed(r)
			own := r.Clone(r.Context())
			own.GetBody = nil
			own.Body = io.NopCloser(strings.NewReader("short"))
			return next.RoundTrip(own)
		})},
		"wraps a body that is not there": {"pass on what is true", "leave nil and http.NoBody", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			own := r.Clone(r.Context())
			if own.Body == nil {
				own.Body = io.NopCloser(strings.NewReader(""))
			}
			return next.RoundTrip(own)
		})},
		"repeats a stream that is spent": {"pass on what is true", "send it once", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 500 && r.GetBody == nil && r.Body != nil && r.Body != http.NoBody {
				_ = resp.Body.Close()
				own := r.Clone(r.Context())
				own.Body = io.NopCloser(strings.NewReader(""))
				return next.RoundTrip(own)
			}
			return resp, err
		})},
		"returns neither": {"response or error", "neither a response nor an error", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == http.StatusNotModified {
				return nil, resp.Body.Close()
			}
			return resp, err
		})},
		"returns both": {"response or error", "a response and an error", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 500 {
				return resp, errors.New("500")
			}
			return resp, err
		})},
		"answers without a body": {"response or error", "http.NoBody", with(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			closed(r)
			return &http.Response{StatusCode: 204, Header: http.Header{}, Request: r}, nil
		})},
		"answers without the request": {"response or error", "set its Request", with(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			closed(r)
			return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody}, nil
		})},
		"reads the answer for its log": {"leave the answer whole", "puts another in its place", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 401 {
				_, _ = io.ReadAll(resp.Body)
			}
			return resp, err
		})},
		"closes what it hands on": {"leave the answer whole", "cannot be read", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 500 {
				defer func() { _ = resp.Body.Close() }()
			}
			return resp, err
		})},
		"ends the context with the call": {"leave the answer whole", "must live until the body is closed", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			defer cancel()
			return next.RoundTrip(r.WithContext(ctx))
		})},
		"makes whole what broke off": {"leave the answer whole", "hand the error on", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 200 && resp.Header.Get("Content-Type") == "text/plain" {
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				resp.Body = io.NopCloser(bytes.NewReader(text))
			}
			return resp, err
		})},
		"changes the answer and not its length": {"leave the answer whole", "tells of", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 500 && r.Method != http.MethodHead {
				_ = resp.Body.Close()
				resp.Body = io.NopCloser(strings.NewReader("something went wrong"))
			}
			return resp, err
		})},
		"drops a response": {"close what is dropped", "its connection is lost", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == 500 {
				return nil, errors.New("the server failed")
			}
			return resp, err
		})},
		"buffers every answer": {"stream", "do not read a body that streams", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err != nil || resp.StatusCode == http.StatusSwitchingProtocols || r.Method == http.MethodHead {
				return resp, err
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				return nil, err
			}
			resp.Body = io.NopCloser(bytes.NewReader(text))
			return resp, nil
		})},
		"wraps the body of an upgrade": {"stream", "no longer be written to", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				resp.Body = struct{ io.ReadCloser }{resp.Body}
			}
			return resp, err
		})},
		"has a context of its own": {"honour the context", "the request's own context", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			return next.RoundTrip(r.Clone(context.WithoutCancel(r.Context())))
		})},
		"sleeps": {"honour the context", "end a wait with the context", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.Header.Get("Retry-After") != "" {
				time.Sleep(time.Hour)
			}
			return resp, err
		})},
		"waits before it looks": {"honour the context", "look at it before you wait", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return next.RoundTrip(r)
		})},
		"lets the body go on": {"honour the context", "went on for", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
			stop := context.AfterFunc(r.Context(), cancel)
			resp, err := next.RoundTrip(r.Clone(ctx))
			if stop() && err == nil {
				return resp, nil
			}
			cancel()
			return resp, err
		})},
		"forgets the values": {"keep the context's values", "does not see a value", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			ctx, cancel := context.WithCancel(context.Background())
			stop := context.AfterFunc(r.Context(), cancel)
			resp, err := next.RoundTrip(r.Clone(ctx))
			if err != nil {
				stop()
				cancel()
				return nil, err
			}
			if _, upgraded := resp.Body.(io.Writer); !upgraded {
				resp.Body = &closing{resp.Body, func() { stop(); cancel() }}
			}
			return resp, nil
		})},
		"leaves a goroutine": {"no goroutine", "end them with the context", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodHead {
				go func() { <-end }()
			}
			return next.RoundTrip(r)
		})},
		"remembers the last call": {"many at a time", "keep nothing of a call", lastCall},
		"trusts that there is a body": {"no panic", "RoundTrip panicked", with(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			_, _ = r.Body.Read(nil)
			return next.RoundTrip(r)
		})},
	}
}

// closing is a body that does something more when it is closed.
type closing struct {
	io.ReadCloser
	then func()
}

func (c *closing) Close() error { defer c.then(); return c.ReadCloser.Close() }

// lastCall keeps the last answer in the RoundTripper, under a lock, so that the
// race detector has nothing to say.
func lastCall(next http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex
	var last *http.Response
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil || resp.Header.Get("X-Who") == "" {
			return resp, err
		}
		mu.Lock()
		last = resp
		mu.Unlock()
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		kept := *last
		kept.Body = resp.Body
		return &kept, nil
	})
}

// TestMiddlewareFindsEach: each of them breaks the rule it is meant to, and no other.
func TestMiddlewareFindsEach(t *testing.T) {
	t.Parallel()
	for name := range brokenMiddlewares(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceEnabled && brokenMiddlewares(nil)[name].rule == "clone before mutate" {
				t.Skip("the race detector finds it first, as it should")
			}
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				broken := brokenMiddlewares(end)[name]
				r := &report{TB: t}
				aplombtest.TestMiddleware(r, broken.m)
				assert.Equal(t, r.rules(), []string{broken.rule}, strings.Join(r.lines, "\n"))
				assert.Contains(t, fmt.Sprint(r.lines), broken.word)
			})
		})
	}
}

// TestMiddlewareOfOurs: the stack, whole and in parts, keeps the contract; so do
// middlewares that answer by themselves and those that do nothing.
func TestMiddlewareOfOurs(t *testing.T) {
	t.Parallel()
	secret := "a key " + "for tests"
	here := func(a aplomb.Auth) aplomb.Auth {
		a.Origins = []string{"https://api.test"}
		return a
	}
	wrap := func(opts ...aplomb.Option) aplomb.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			rt, err := aplomb.Wrap(next, opts...)
			if err != nil {
				panic(err)
			}
			return rt
		}
	}
	client := func(opts ...aplomb.Option) aplomb.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			c, err := aplomb.New("https://api.test", append(opts, aplomb.Transport(next))...)
			if err != nil {
				panic(err)
			}
			return c.Transport()
		}
	}
	for name, m := range map[string]aplomb.Middleware{
		"nothing":          func(next http.RoundTripper) http.RoundTripper { return next },
		"Wrap of nothing":  wrap(),
		"a client":         client(),
		"Retry":            wrap(aplomb.Retry{}),
		"Breaker":          wrap(aplomb.Breaker{}),
		"RateLimit":        wrap(aplomb.RateLimit{PerSecond: 1, Burst: 1}),
		"Bulkhead":         wrap(aplomb.Bulkhead{MaxInFlight: 4}),
		"Idempotency":      wrap(aplomb.Idempotency{}, aplomb.Retry{}),
		"Hedge":            wrap(aplomb.Hedge{}),
		"Logging":          wrap(aplomb.Logging{Logger: slog.New(slog.DiscardHandler)}),
		"Judge that peeks": wrap(aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict { _, _ = a.Peek(1 << 10); return a.Verdict }), aplomb.Retry{}),
		"Bearer":           wrap(here(aplomb.Bearer(aplomb.Static(secret)))),
		"Digest":           wrap(here(aplomb.Digest("me", aplomb.Static(secret)))),
		"SignedRequest":    wrap(here(aplomb.Sign(signature.SignedRequest(signature.StaticKey(secret))))),
		"AWS": wrap(here(aplomb.Sign(signature.AWS{Region: "eu-west-1", Service: "s3",
			Credentials: signature.StaticAWS("AKID", strings.ReplaceAll(secret, " ", ""), "")}))),
		"MessageSignature": wrap(here(aplomb.Sign(signature.MessageSignature{
			Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey(strings.Repeat(secret, 4)))}}))),
		"OAuth2":         client(aplomb.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secret}))),
		"PerAttempt":     client(aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper { return next }), aplomb.Idempotency{}),
		"stripe.Preset":  client(stripe.Preset(), aplomb.Bearer(aplomb.Static("sk_test_"+"for0tests"))),
		"graphql.Preset": client(graphql.Preset()),
		"oauth2.Transport": func(next http.RoundTripper) http.RoundTripper {
			return &oauth2.Transport{Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secret}), Base: next}
		},
		"an answer of its own": with(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			closed(r)
			return &http.Response{StatusCode: 503, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}),
		"a refusal": with(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			closed(r)
			return nil, errors.New("no")
		}),
	} {
		bubbled(t, name, func(t *testing.T) { aplombtest.TestMiddleware(t, m) })
	}
}

// bubbled runs f under virtual time, in parallel with other tests.
func bubbled(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

func TestMiddlewareWantsABubble(t *testing.T) {
	t.Parallel()
	assert.Contains(t, fatal(t, func(tb testing.TB) { aplombtest.TestMiddleware(tb, nil) }), "call TestMiddleware in a bubble")
}

// pause lets a bubble's time go by.
func pause(d time.Duration) { time.Sleep(d) }

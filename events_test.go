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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestHooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log []string
		say := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
		hooks := aplomb.Hooks{
			CallStart: func(_ context.Context, e aplomb.CallEvent) { say("call %s %s %s", e.Client, e.Operation, e.Host) },
			CallDone: func(_ context.Context, e aplomb.CallEvent) {
				say("done %s %d attempts=%d waited=%v elapsed=%v", e.Result, e.Status, e.Attempts, e.Waited, e.Elapsed)
			},
			AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { say("attempt %d", e.Number) },
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
				say("answer %d %d %s", e.Number, e.Status, e.Verdict.Outcome)
			},
			WaitStart: func(_ context.Context, e aplomb.WaitEvent) { say("wait %s %v", e.Cause, e.Duration) },
			Quota:     func(_ context.Context, e aplomb.QuotaEvent) { say("quota %d/%d", e.Remaining, e.Limit) },
		}
		h := script(status(503), body(order{}, "X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "80", "X-RateLimit-Reset", "60"))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), hooks), 1)
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, log, []string{
			"call test GET /v1/orders/{id} api.test", "attempt 1", "answer 1 503 fault", "wait backoff 200ms",
			"attempt 2", "quota 80/100", "answer 2 200 ok", "done ok 200 attempts=2 waited=200ms elapsed=200ms",
		})
	})
}

// TestEventsOfACall belong together by a number that no other call has.
func TestEventsOfACall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		seen := map[uint64]int{}
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, script(status(503), ok)), aplomb.Hooks{
			CallStart:    func(_ context.Context, e aplomb.CallEvent) { seen[e.Call]++ },
			CallDone:     func(_ context.Context, e aplomb.CallEvent) { seen[e.Call]++ },
			AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { seen[e.Call]++ },
			AttemptDone:  func(_ context.Context, e aplomb.AttemptEvent) { seen[e.Call]++ },
			WaitStart:    func(_ context.Context, e aplomb.WaitEvent) { seen[e.Call]++ },
			WaitDone:     func(_ context.Context, e aplomb.WaitEvent) { seen[e.Call]++ },
		}), 1)
		for range 2 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, len(seen), 2)
		for call, n := range seen {
			assert.True(t, call > 0 && (n == 8 || n == 4), seen)
		}
	})
}

// TestAttemptFrom: a middleware knows which attempt it sends.
func TestAttemptFrom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent, started []string
		tell := func(e aplomb.AttemptEvent) string { return fmt.Sprint(e.Call, e.Operation, e.Number, e.Start.IsZero()) }
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, script(status(503), ok)), aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				e, ok := aplomb.AttemptFrom(r.Context())
				assert.True(t, ok)
				sent = append(sent, tell(e))
				return next.RoundTrip(r)
			})
		}), aplomb.Hooks{AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { started = append(started, tell(e)) }}), 1)
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, len(sent), 2)
		assert.Equal(t, sent, started)
		_, ok := aplomb.AttemptFrom(t.Context())
		assert.True(t, !ok)
	})
}

// So does a judge, by the request that it is asked about.
func TestAttemptFromAJudge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen []int
		judge := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
			e, _ := aplomb.AttemptFrom(a.Request.Context())
			seen = append(seen, e.Number)
			return aplomb.Verdict{}
		})
		_, err := get(t, newClient(t, aplombtest.NewServer(t, script(status(503), ok)), judge))
		assert.NoError(t, err)
		assert.Equal(t, seen, []int{1, 2})
	})
}

// And so does what groups attempts by a Key.
func TestAttemptFromAKey(t *testing.T) {
	for name, by := range map[string]func(key func(*http.Request) string) aplomb.Option{
		"Breaker":   func(key func(*http.Request) string) aplomb.Option { return aplomb.Breaker{Key: key} },
		"Bulkhead":  func(key func(*http.Request) string) aplomb.Option { return aplomb.Bulkhead{Key: key} },
		"RateLimit": func(key func(*http.Request) string) aplomb.Option { return aplomb.RateLimit{Key: key} },
	} {
		bubbleCase(t, name, func(t *testing.T) {
			seen := map[string]bool{}
			_, err := get(t, newClient(t, aplombtest.NewServer(t, script(ok)), by(func(r *http.Request) string {
				e, _ := aplomb.AttemptFrom(r.Context())
				seen[e.Operation] = true
				return e.Operation
			})))
			assert.NoError(t, err)
			assert.Equal(t, seen, map[string]bool{"GET /v1/orders/{id}": true})
		})
	}
}

// An attempt tells which scheme it went by, what it follows and what time it is at
// its server, which a cache on the way cannot know.
func TestAttemptEvents(t *testing.T) {
	for name, send := range map[string]func(*testing.T, *aplomb.Client){
		"typed": func(t *testing.T, c *aplomb.Client) {
			_, err := get(t, c)
			assert.NoError(t, err)
		},
		"net/http": func(t *testing.T, c *aplomb.Client) {
			resp, err := c.HTTPClient().Get("http://api.test/orders")
			assert.NoError(t, err)
			_ = resp.Body.Close()
		},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			began := time.Now()
			var got []string
			h := script(status(503), status(302, "Location", "/elsewhere"), status(503, "Age", "7"), ok)
			c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Hooks{AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
				got = append(got, fmt.Sprintf("%s %d redirect=%t date=%t", e.Scheme, e.Status, e.Redirect, !e.Date.Before(began)))
				assert.True(t, e.Date.IsZero() || e.Date.Sub(began) < 2*time.Second)
			}}), 1)
			send(t, c)
			assert.Equal(t, got, []string{
				"http 503 redirect=false date=true", "http 302 redirect=false date=true",
				"http 503 redirect=true date=false", "http 200 redirect=false date=true",
			})
		})
	}
}

// How a call ended has few names, for metrics.
func TestCallOutcomes(t *testing.T) {
	for want, step := range map[string]http.HandlerFunc{
		"ok": ok, "client_error": status(404), "server_error": status(500), "rate_limited": status(429),
		"network": fault(aplombtest.Reset()), "decode_error": page(200, "text/html", "<h1>x</h1>"), "timeout": fault(aplombtest.Stall(0)),
		"canceled": fault(aplombtest.Stall(0)),
	} {
		bubbleCase(t, want, func(t *testing.T) {
			var got string
			c := newClient(t, aplombtest.NewServer(t, script(step)), aplomb.NoRetry(), aplomb.Hooks{CallDone: func(_ context.Context, e aplomb.CallEvent) { got = string(e.Result) }})
			ctx, cancel := context.WithCancel(context.Background())
			if want == "canceled" {
				time.AfterFunc(time.Second, cancel)
			}
			defer cancel()
			_, _ = aplomb.Get[order](ctx, c, "/x")
			assert.Equal(t, got, want)
		})
	}
}

// A Sunset header warns once per operation, and again when the date moves.
func TestDeprecationWarnsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out bytes.Buffer
		var events []aplomb.DeprecationEvent
		old := body(order{}, "Deprecation", "@1767225600", "Sunset", "Wed, 01 Jul 2026 00:00:00 GMT", "Link", `<https://api.test/migrate>; rel="deprecation"`)
		h := script(old, old, old, body(order{}, "Sunset", "Thu, 31 Dec 2026 00:00:00 GMT"))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Logging{Logger: slog.New(slog.NewJSONHandler(&out, nil))},
			aplomb.Hooks{Deprecated: func(_ context.Context, e aplomb.DeprecationEvent) { events = append(events, e) }})
		_, _ = get(t, c)
		_, _ = get(t, c)
		_, _ = aplomb.Get[order](context.Background(), c, "/other")
		_, _ = get(t, c)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		assert.Equal(t, len(lines), 3)
		var first map[string]any
		assert.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
		assert.Equal(t, fmt.Sprint(first["level"], first["operation"], first["deprecated"], first["sunset"], first["link"]),
			"WARNGET /v1/orders/{id}2026-01-012026-07-01https://api.test/migrate")
		assert.Equal(t, len(events), 3)
		assert.Equal(t, events[2].Sunset.Format(time.DateOnly), "2026-12-31")
	})
}

// A judge refines the verdict that everything else reads.
func TestJudge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limited := body(`{"errors":[{"type":"RATE_LIMITED"}]}`)
		h := script(limited, limited, ok)
		judge := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
			v := a.Verdict
			if head, _ := a.Peek(1000); bytes.Contains(head, []byte("RATE_LIMITED")) {
				v = aplomb.Verdict{Outcome: aplomb.OutcomeThrottled, Resend: aplomb.ResendUnprocessed, Wait: 7 * time.Second, Code: "RATE_LIMITED"}
			}
			return v
		})
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), judge), 0)
		_, err := post(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.gaps(), []time.Duration{7 * time.Second, 7 * time.Second})
	})
}

// No opinion changes nothing; resend and outcome are apart; and a judge cannot
// make a loop.
func TestJudgeVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		step    http.HandlerFunc
		verdict func(aplomb.Verdict) aplomb.Verdict
		want    int
	}{
		"no opinion on a 503": {status(503), func(aplomb.Verdict) aplomb.Verdict { return aplomb.Verdict{} }, 4},
		"no opinion on a 404": {status(404), func(aplomb.Verdict) aplomb.Verdict { return aplomb.Verdict{} }, 1},
		"ok, but again": {ok, func(aplomb.Verdict) aplomb.Verdict {
			return aplomb.Verdict{Outcome: aplomb.OutcomeOK, Resend: aplomb.ResendYes}
		}, 4},
		"unprocessed 401": {status(401), func(v aplomb.Verdict) aplomb.Verdict { v.Resend = aplomb.ResendUnprocessed; return v }, 4},
		"unprocessed 425": {status(425), func(v aplomb.Verdict) aplomb.Verdict { v.Resend = aplomb.ResendUnprocessed; return v }, 5},
		"resend only":     {status(503), func(aplomb.Verdict) aplomb.Verdict { return aplomb.Verdict{Resend: aplomb.ResendNo} }, 1},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(tt.step)
			_, _ = get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict { return tt.verdict(a.Verdict) })))
			assert.Equal(t, h.count(), tt.want)
		})
	}
}

// Peek leaves the body as it was, and a stream alone.
func TestPeek(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var heads []string
		judge := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
			head, err := a.Peek(4)
			heads = append(heads, fmt.Sprint(string(head), err))
			return a.Verdict
		})
		h := script(page(200, "text/plain", "0123456789"), page(200, "text/event-stream", "data: x\n\n"), page(200, "text/plain", "01"))
		c := newClient(t, aplombtest.NewServer(t, h), judge, judge)
		for _, want := range []string{"0123456789", "data: x\n\n", "01"} {
			resp, err := c.HTTPClient().Get("http://api.test/")
			assert.NoError(t, err)
			raw, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, string(raw), want)
		}
		assert.Equal(t, heads, []string{"0123<nil>", "0123<nil>", "<nil>", "<nil>", "01<nil>", "01<nil>"})
	})
}

// PerCall sees one request, PerAttempt each; the first given is outermost, and
// the credential comes after both.
func TestMiddlewares(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log []string
		note := func(name string) aplomb.Middleware {
			return func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					log = append(log, name+" "+r.Header.Get("Idempotency-Key")+r.Header.Get("Authorization"))
					return next.RoundTrip(r)
				})
			}
		}
		h := script(status(503), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.PerCall(note("call1"), note("call2")), aplomb.PerAttempt(note("attempt1")),
			aplomb.PerAttempt(note("attempt2")), aplomb.Bearer(aplomb.Static("token")))
		_, err := post(t, c, aplomb.IdempotencyKey("k"))
		assert.NoError(t, err)
		assert.Equal(t, log, []string{"call1 ", "call2 ", "attempt1 k", "attempt2 k", "attempt1 k", "attempt2 k"})
		assert.Equal(t, h.request(0).Header.Get("Authorization"), "Bearer token")
	})
}

func TestSecretSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	assert.NoError(t, os.WriteFile(path, []byte("first\n"), 0o600))
	t.Setenv("APLOMB_TEST_TOKEN", "from-env")
	ctx := context.Background()
	reveal := func(s aplomb.SecretSource) string {
		v, err := s.Secret(ctx)
		if err != nil {
			return err.Error()
		}
		return v.Reveal()
	}
	file := aplomb.File(path)
	assert.Equal(t, reveal(file), "first")
	assert.NoError(t, os.WriteFile(path, []byte("second one\r\n"), 0o600))
	assert.Equal(t, reveal(file), "second one")
	assert.NoError(t, os.Remove(path))
	assert.Equal(t, reveal(file), "second one") // a rotation under way
	assert.Equal(t, reveal(aplomb.Env("APLOMB_TEST_TOKEN")), "from-env")
	assert.Equal(t, reveal(aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("vault is sealed") })), "SecretFunc failed: vault is sealed")
}

// A credential that cannot be had is the call's error: nothing is sent.
func TestCredentialFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		refused := &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, Body: []byte("client_secret=s3cret"), ErrorCode: "invalid_grant", ErrorDescription: "expired"}
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.OAuth2(failingSource{refused}))
		_, err := get(t, c)
		assert.Contains(t, err.Error(), `the OAuth 2.0 token endpoint answered 400 invalid_grant "expired") (not sent, 0s)`)
		assert.NotContains(t, err.Error(), "s3cret")
		assert.ErrorIs(t, err, refused)
		assert.Equal(t, h.count(), 0)
	})
}

// A token endpoint that is down for a moment is asked again; nothing was sent.
func TestCredentialFailureMayPass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		source := &flakySource{failures: 2}
		_, err := post(t, newClient(t, aplombtest.NewServer(t, h), aplomb.OAuth2(source)))
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 1)
	})
}

type flakySource struct{ failures int }

func (f *flakySource) Token() (*oauth2.Token, error) {
	if f.failures--; f.failures >= 0 {
		return nil, &oauth2.RetrieveError{Response: &http.Response{StatusCode: 503}}
	}
	return &oauth2.Token{AccessToken: "t"}, nil
}

// A request that brings its own credential keeps it: an SDK's, or a call's.
func TestOwnCredentialIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(aplomb.Static("client")), aplomb.APIKeyQuery("key", aplomb.Static("client")))
		req, _ := http.NewRequest("GET", "http://api.test/x?key=own", nil)
		req.Header.Set("Authorization", "Bearer own")
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		_, err = get(t, c, aplomb.Header("Authorization", "Bearer call"))
		assert.NoError(t, err)
		_, err = get(t, c, aplomb.NoAuth())
		assert.NoError(t, err)
		_, err = get(t, c, aplomb.Bearer(aplomb.Static("other")))
		assert.NoError(t, err)
		var seen []string
		for i := range h.count() {
			seen = append(seen, h.request(i).Header.Get("Authorization")+" "+h.request(i).URL.RawQuery)
		}
		assert.Equal(t, seen, []string{"Bearer own key=own", "Bearer call key=client", " ", "Bearer other "})
	})
}

// What breaks net/http's contract is an error, not a panic; a panic gives back
// what its attempt held.
func TestMisbehavingMiddleware(t *testing.T) {
	closed := 0
	for name, rt := range map[string]aplomb.RoundTripFunc{
		"neither": func(*http.Request) (*http.Response, error) { return nil, nil },
		"both": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: &hookedBody{Reader: strings.NewReader("{}"), close: func() { closed++ }}}, errors.New("and an error")
		},
		"no body": func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil },
	} {
		bubbleCase(t, name, func(t *testing.T) {
			_, err := post(t, newClientAt(t, "http://api.test", aplomb.Transport(rt)))
			assert.Equal(t, err == nil, name == "no body")
		})
	}
	bubbleCase(t, "panic", func(t *testing.T) {
		down, panics := true, false
		c := newClientAt(t, "http://api.test", aplomb.NoRetry(), aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if panics {
				panic("middleware")
			}
			code := 204
			if down {
				code = 503
			}
			return &http.Response{StatusCode: code, Request: r}, nil
		})))
		for range 20 {
			_, _ = get(t, c)
		}
		<-time.After(2 * time.Second)
		down, panics = false, true
		func() {
			defer func() { assert.Equal(t, recover(), any("middleware")) }()
			_, _ = get(t, c) // the probe
		}()
		panics = false
		_, err := get(t, c)
		assert.NoError(t, err)
	})
}

// A middleware that loses the context would lose the credential and the
// timeouts with it: the request does not go.
func TestMiddlewareLosesContext(t *testing.T) {
	for name, place := range map[string]func(...aplomb.Middleware) aplomb.Option{"PerCall": aplomb.PerCall, "PerAttempt": aplomb.PerAttempt} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(ok)
			loses := func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					return next.RoundTrip(r.WithContext(context.Background()))
				})
			}
			_, err := get(t, newClient(t, aplombtest.NewServer(t, h), place(loses)))
			assert.Contains(t, fmt.Sprint(err), "replaced the request's context")
			assert.Equal(t, h.count(), 0)
		})
	}
}

// Hooks given to With see what happens in state shared with the parent.
func TestWithHooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503, "Sunset", "Wed, 01 Jul 2026 00:00:00 GMT"))
		parent := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		var opened []string
		sunsets := 0
		child, err := parent.With(aplomb.Name("child"), aplomb.Hooks{
			Breaker:    func(e aplomb.BreakerEvent) { opened = append(opened, e.Client+" "+string(e.To)) },
			Deprecated: func(context.Context, aplomb.DeprecationEvent) { sunsets++ },
		})
		assert.NoError(t, err)
		for range 10 {
			_, _ = get(t, parent)
			_, _ = get(t, child)
		}
		assert.Equal(t, opened, []string{"child open"})
		assert.Equal(t, sunsets, 1)
	})
}

// A later credential for the same place replaces an earlier one, as a caller
// replaces a preset's; others add up.
func TestCredentialSlots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(401))
		preset := aplomb.Options(aplomb.Bearer(aplomb.Static("company")), aplomb.APIKey("X-App", aplomb.Static("app")))
		_, err := post(t, newClient(t, aplombtest.NewServer(t, h), preset, aplomb.Basic("me", aplomb.Static("mine"))))
		assert.Equal(t, aplomb.StatusCode(err), 401)
		assert.Equal(t, h.count(), 1)
		user, password, _ := h.request(0).BasicAuth()
		assert.Equal(t, user+password+h.request(0).Header.Get("X-App"), "memineapp")
	})
}

// A PerCall middleware may answer by itself, as a cache does, or replace an
// answer; bounds and errors hold all the same.
func TestPerCallMiddlewareAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(404))
		code, text := 200, `{"id":"cached"}`
		cache := aplomb.PerCall(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/replace" {
					resp, err := next.RoundTrip(r)
					if err != nil {
						return nil, err
					}
					_ = resp.Body.Close()
				}
				return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
			})
		})
		c := newClient(t, aplombtest.NewServer(t, h), cache)
		for i, path := range []string{"/cached", "/replace"} {
			v, err := aplomb.Get[order](context.Background(), c, path)
			assert.NoError(t, err)
			assert.Equal(t, v.ID, "cached")
			assert.Equal(t, h.count(), i)
		}
		_, err := aplomb.Get[order](context.Background(), c, "/cached", aplomb.MaxBody(3))
		assert.ErrorIs(t, err, aplomb.ErrTooLarge)
		resp, err := c.HTTPClient().Get("http://api.test/cached")
		assert.NoError(t, err)
		raw, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, string(raw), text)
		code, text = 403, `{"message":"no"}`
		_, err = get(t, c)
		assert.Contains(t, err.Error(), `403 "no" (not sent, 0s)`)
	})
}

// What a PerCall middleware hands on changed is the answer at both doors, and
// the call still knows what it carried.
func TestPerCallMiddlewareChangesTheAnswer(t *testing.T) {
	change := func(f func(*http.Response) (*http.Response, error)) aplomb.Option {
		return aplomb.PerCall(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				return f(resp)
			})
		})
	}
	copied := func(resp *http.Response) (*http.Response, error) { own := *resp; return &own, nil }
	bubbleCase(t, "body", func(t *testing.T) {
		decrypt := change(func(resp *http.Response) (*http.Response, error) {
			_ = resp.Body.Close()
			resp.Body = io.NopCloser(strings.NewReader(`{"id":"decrypted"}`))
			return resp, nil
		})
		v, err := get(t, newClient(t, aplombtest.NewServer(t, script(ok)), decrypt))
		assert.NoError(t, err)
		assert.Equal(t, v.ID, "decrypted")
	})
	bubbleCase(t, "copy of an error", func(t *testing.T) {
		h := script(page(400, "application/json", `{"message":"bad user correct horse battery"}`))
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Api-Key", aplomb.Static("correct horse battery")), change(copied)))
		assert.Contains(t, err.Error(), `400 "bad user [redacted]"`)
	})
	for name, f := range map[string]func(*http.Response) (*http.Response, error){
		"copied": copied,
		"failed": func(resp *http.Response) (*http.Response, error) {
			_ = resp.Body.Close()
			return nil, errors.New("bad signature")
		},
	} {
		bubbleCase(t, "contexts end: "+name, func(t *testing.T) {
			var attempt context.Context
			spy := aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { attempt = r.Context(); return next.RoundTrip(r) })
			})
			resp, err := newClient(t, aplombtest.NewServer(t, script(ok)), change(f), spy).HTTPClient().Get("http://api.test/x")
			if err == nil {
				raw, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.Contains(t, string(raw), "o_1")
				assert.NoError(t, resp.Body.Close())
			}
			assert.True(t, attempt.Err() != nil)
		})
	}
}

// A credential that another client failed to fetch is this call's failure: its
// name, its key, and what could not be had.
func TestFailureBelongsToTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		vault := newClient(t, aplombtest.NewServer(t, script(fault(aplombtest.Reset()))), aplomb.Name("vault"), aplomb.NoRetry())
		secret := aplomb.SecretFunc(func(ctx context.Context) (string, error) {
			_, err := aplomb.Get[order](ctx, vault, "/token")
			return "", err
		})
		_, err := post(t, newClient(t, aplombtest.NewServer(t, script(ok)), aplomb.Bearer(secret), aplomb.Idempotency{}, aplomb.NoRetry()))
		assert.Contains(t, err.Error(), "test: POST /v1/orders: no credential (SecretFunc failed: vault: GET /token")
		e, _ := errors.AsType[*aplomb.CallError](err)
		assert.True(t, e.Client == "test" && e.IdempotencyKey != "")

		lost := &url.Error{Op: "Post", URL: "https://login.test/token", Err: errors.New("connection refused")}
		_, err = get(t, newClient(t, aplombtest.NewServer(t, script(ok)), aplomb.OAuth2(failingSource{lost}), aplomb.NoRetry()))
		assert.Contains(t, err.Error(), "no credential (")
	})
}

type failingSource struct{ err error }

func (f failingSource) Token() (*oauth2.Token, error) { return nil, f.err }

// A key function's time is not the server's.
func TestKeyMayTakeItsTime(t *testing.T) {
	key := func(*http.Request) string { pause(time.Second); return "k" }
	for name, opt := range map[string]aplomb.Option{"RateLimit": aplomb.RateLimit{Key: key}, "Bulkhead": aplomb.Bulkhead{Key: key}, "Breaker": aplomb.Breaker{Key: key}} {
		bubbleCase(t, name, func(t *testing.T) {
			took := time.Hour
			_, err := get(t, newClient(t, aplombtest.NewServer(t, script(ok)), opt, aplomb.Hooks{
				AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { took = e.Elapsed }}))
			assert.NoError(t, err)
			assert.Equal(t, took, 0)
		})
	}
}

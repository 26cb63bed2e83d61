package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func page(code int, contentType, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = fmt.Fprint(w, text)
	}
}

const key = "sk_test_0123456789abcdef"

// failures are the six of which every peer prints something useless or secret.
var failures = []struct {
	name string
	step http.HandlerFunc
	call func(ctx context.Context, c *aplomb.Client) error
}{
	{name: "401 JSON", step: slowly(page(401, "application/json", `{"error":{"type":"invalid_request_error","message":"Invalid API key provided: `+key+`"}}`, "Request-Id", "req_1"))},
	{name: "503 HTML", step: slowly(page(503, "text/html", "<html><head><title>503</title></head><body><h1>maintenance until 10:00</h1></body></html>"))},
	{name: "200 HTML", step: slowly(page(200, "text/html", "<html><body><h1>maintenance until 10:00</h1></body></html>"))},
	{name: "wrong JSON type", step: slowly(page(200, "application/json", `{"id":"o_1","amount":"twenty-five"}`))},
	{name: "deadline", step: fault(aplombtest.Stall(0)), call: func(ctx context.Context, c *aplomb.Client) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
		return err
	}},
	{name: "refused"},
	{name: "429 past the deadline", step: slowly(status(429, "Retry-After", "2530"))},
	{name: "quota closed", step: body(order{}, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "2530"),
		call: func(ctx context.Context, c *aplomb.Client) error {
			_, _ = aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
			_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"), aplomb.Timeout(30*time.Second))
			return err
		}},
	{name: "empty body", step: page(200, "application/json", "")},
	{name: "404 without a word", step: page(404, "text/plain", "")},
	{name: "problem details", step: page(403, "application/problem+json", `{"type":"https://example.com/probs/out-of-credit","title":"You do not have enough credit.","detail":"Your balance is 30, but that costs 50."}`)},
	{name: "POST that may have taken effect", step: fault(aplombtest.LostResponse()), call: func(ctx context.Context, c *aplomb.Client) error {
		_, err := aplomb.Post[order](ctx, c, "/v1/orders", aplomb.JSON(order{}))
		return err
	}},
	{name: "truncated", step: fault(aplombtest.TruncatedBody(3))},
	{name: "too large", step: body(strings.Repeat("x", 100)), call: func(ctx context.Context, c *aplomb.Client) error {
		_, err := aplomb.Get[string](ctx, c, "/v1/orders", aplomb.MaxBody(10))
		return err
	}},
	{name: "circuit open", step: status(503), call: func(ctx context.Context, c *aplomb.Client) error {
		var err error
		for range 21 {
			_, err = aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"), aplomb.NoRetry())
		}
		line := err.Error() // how long it stays open is spread
		if i, j := strings.Index(line, "let through in "), strings.Index(line, " (not sent"); i > 0 && j > i {
			return errors.New(line[:i] + "let through in 1s" + line[j:])
		}
		return err
	}},
	{name: "no such path value", step: ok, call: func(ctx context.Context, c *aplomb.Client) error {
		_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}")
		return err
	}},
}

// Law 6: every error is one safe line. Where the key is makes no difference to
// it, and it is in none.
func TestLaw06_ErrorLines(t *testing.T) {
	for name, where := range map[string]struct {
		userinfo string
		opts     []aplomb.Option
		call     []aplomb.CallOption
	}{
		"header":   {opts: []aplomb.Option{aplomb.Bearer(aplomb.Static(key))}},
		"query":    {opts: []aplomb.Option{aplomb.APIKeyQuery("api_key", aplomb.Static(key))}},
		"userinfo": {userinfo: "user:" + key + "@"},
		"body":     {call: []aplomb.CallOption{aplomb.JSON(map[string]string{"api_key": key})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			for _, f := range failures {
				t.Run(f.name, func(t *testing.T) {
					line := failureLine(t, f.step, f.call, where.userinfo, where.opts, where.call)
					assert.NotContains(t, line, key)
					assert.NotContains(t, line, "\n")
					lines = append(lines, f.name+"\n    "+line+"\n")
				})
			}
			got := strings.Join(lines, "")
			if name != "header" { // hints speak of the credential; the rest is the same
				return
			}
			const golden = "testdata/errors.golden"
			if os.Getenv("UPDATE") != "" {
				assert.NoError(t, os.MkdirAll("testdata", 0o755))
				assert.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			assert.NoError(t, err)
			if got != string(want) {
				t.Errorf("error lines changed (UPDATE=1 rewrites %s):\n%s", golden, got)
			}
		})
	}
}

func failureLine(t *testing.T, step http.HandlerFunc, call func(context.Context, *aplomb.Client) error, userinfo string,
	opts []aplomb.Option, callOpts []aplomb.CallOption) (line string) {
	t.Helper()
	synctestRun(t, func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		n.Serve("http://orders.test", script(orOK(step)))
		if step == nil {
			n.Break("orders.test", aplombtest.DialRefused)
		}
		c := newClientAt(t, "http://"+userinfo+"orders.test", append(opts, aplomb.Name("orders"), aplomb.Transport(n.Transport()))...)
		fixedJitter(c, 1)
		ctx := aplomb.NewContext(context.Background(), callOpts...)
		if call == nil {
			call = func(ctx context.Context, c *aplomb.Client) error {
				_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
				return err
			}
		}
		err := call(ctx, c)
		if err == nil {
			t.Fatal("want an error")
		}
		line = err.Error()
		if all := fmt.Sprintf("%v %+v %#v %s", err, err, err, err); strings.Contains(all, key) {
			t.Errorf("secret printed: %s", all)
		}
	})
	return line
}

func orOK(step http.HandlerFunc) http.HandlerFunc {
	if step == nil {
		return ok
	}
	return step
}

func TestErrorTypes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(page(402, "application/json", `{"error":{"code":"card_declined","message":"no"}}`, "Request-Id", "req_9", "Retry-After", "3"))
		c := newClient(t, aplombtest.NewServer(t, h))
		_, err := get(t, c)
		e, found := errors.AsType[*aplomb.APIError](err)
		assert.True(t, found)
		assert.Equal(t, fmt.Sprintln(e.StatusCode, e.Code, e.Message, e.RequestID, e.Attempts, e.RetryAfter), "402 card_declined no req_9 1 3s\n")
		assert.Equal(t, e.Operation, "GET /v1/orders/{id}")
		assert.Contains(t, string(e.Body), "card_declined")
		assert.Equal(t, aplomb.StatusCode(fmt.Errorf("wrapped: %w", err)), 402)
		assert.Equal(t, aplomb.StatusCode(errors.New("x")), 0)
	})
}

// An unsafe call that was sent and not answered says that it may have taken
// effect, whichever way it ended.
func TestUnknownOutcome(t *testing.T) {
	stalled := func(opts ...aplomb.CallOption) func(t *testing.T) {
		return func(t *testing.T) {
			c := newClient(t, aplombtest.NewServer(t, script(fault(aplombtest.Stall(0)))), aplomb.Idempotency{Methods: []string{"PATCH"}})
			_, err := post(t, c, append(opts, aplomb.Timeout(time.Second))...)
			assert.Contains(t, err.Error(), "total timeout after 1s")
			assert.Contains(t, err.Error(), "it may have taken effect")
			e, _ := errors.AsType[*aplomb.CallError](err)
			assert.Equal(t, e.IdempotencyKey != "", len(opts) > 0)
		}
	}
	bubbleCase(t, "without a key", stalled())
	bubbleCase(t, "with a key", stalled(aplomb.IdempotencyKey("k")))
	bubbleCase(t, "never sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h := script(ok)
		_, err := aplomb.Post[order](ctx, newClient(t, aplombtest.NewServer(t, h)), "/x")
		assert.NotContains(t, err.Error(), "taken effect")
		assert.Contains(t, err.Error(), "ended before it was sent (context canceled) (not sent, 0s)")
		assert.Equal(t, h.count(), 0)
	})
}

// Words that a decoder takes from the body are scrubbed like the library's own.
func TestDecoderCannotLeak(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const secret = "0paque-value-78"
		c := newClient(t, aplombtest.NewServer(t, script(page(422, "application/json", `{"odd":"token `+secret+` rejected"}`))),
			aplomb.Bearer(aplomb.Static(secret)), aplomb.ErrorDecoder(func(e *aplomb.APIError) error { e.Message = string(e.Body); return nil }))
		_, err := get(t, c)
		assert.Contains(t, err.Error(), "rejected")
		assert.NotContains(t, err.Error(), secret)
	})
}

type acmeError struct {
	Reason string
	Err    *aplomb.APIError
}

func (e *acmeError) Error() string { return e.Reason }
func (e *acmeError) Unwrap() error { return e.Err }

func TestErrorDecoder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(404), status(409), status(404))
		var asked []string
		old := aplomb.ErrorDecoder(func(e *aplomb.APIError) error {
			asked = append(asked, "old")
			return &acmeError{"old", e}
		})
		newer := aplomb.ErrorDecoder(func(e *aplomb.APIError) error {
			asked = append(asked, "newer")
			if e.StatusCode == 404 {
				return &acmeError{"newer", e}
			}
			return nil
		})
		c := newClient(t, aplombtest.NewServer(t, h), old)
		_, err := get(t, c, newer)
		assert.Equal(t, err.Error(), "newer")
		assert.Equal(t, aplomb.StatusCode(err), 404)
		_, err = get(t, c, newer)
		assert.Equal(t, err.Error(), "old")
		assert.Equal(t, asked, []string{"newer", "newer", "old"})
		_, err = get(t, c, newer, aplomb.Expect(404))
		assert.NoError(t, err)
	})
}

// The common shapes of error bodies give their message and code.
func TestProblemShapes(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"Bad credentials","documentation_url":"https://x"}`: ` "Bad credentials"`,
		`{"error":"invalid_grant","error_description":"token expired"}`: ` invalid_grant "token expired"`,
		`{"error":"not found"}`: ` "not found"`,
		`{"errors":[{"code":"E1","detail":"first"},{"detail":"second"}]}`:                 ` E1 "first"`,
		`{"error":{"status":"INVALID_ARGUMENT","message":"bad","code":400}}`:              ` 400 "bad"`,
		`{"fault":{"faultstring":"Quota exceeded"}}`:                                      ` "Quota exceeded"`,
		`<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>`: ` NoSuchKey "The key does not exist."`,
		`[{"message":"in a list"}]`:                                                       ` "in a list"`,
		`{"detail":[{"msg":"field required","type":"value_error.missing"}]}`:              ` value_error.missing "field required"`,
		"plain words\nsecond line":                                                        ` "plain words"`,
		`{"message":"line\u0000break\nand \"quotes\""}`:                                   ``,
		strings.Repeat("[", 10000):                                                        ` Bad Request`,
		`{"a":{"message":"not looked for"}}`:                                              ` Bad Request`,
		"\xff\xfe binary":                                                                 ``,
		`{"message":"` + strings.Repeat("long ", 100) + `"}`:                              ``,
	} {
		t.Run("", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				kind := "application/json"
				if strings.HasPrefix(body, "<") {
					kind = "application/xml"
				} else if !strings.HasPrefix(body, "{") && !strings.HasPrefix(body, "[") {
					kind = "text/plain"
				}
				_, err := get(t, newClient(t, aplombtest.NewServer(t, script(page(400, kind, body)))))
				line := err.Error()
				assert.Contains(t, line, "GET /v1/orders/{id}: 400"+want)
				assert.NotContains(t, line, "\n")
				assert.NotContains(t, line, "\x00")
				assert.True(t, len(line) < 500, len(line))
			})
		})
	}
}

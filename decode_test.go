package aplomb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// picky refuses what it is given, and says why in words of its own.
type picky struct{}

func (*picky) UnmarshalJSON(raw []byte) error { return fmt.Errorf("picky: cannot use %s", raw) }

func TestDecodeErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		kind, body, say string
		call            func(ctx context.Context, c *aplomb.Client) error
	}{
		"syntax":           {"application/json", `{"id":`, "the body is not valid JSON", into[order]},
		"raw syntax":       {"application/json", `{"id":`, "the body is not valid JSON", into[json.RawMessage]},
		"own type":         {"application/json", `"x"`, `picky: cannot use "x"`, into[picky]},
		"whole body":       {"application/json", `"x"`, "field (the whole body) is a JSON string, not a Go aplomb_test.order", into[order]},
		"number too large": {"application/json", `{"amount":1e30}`, "field amount is a JSON number, not a Go int", into[order]},
		"another type":     {"application/pdf", "%PDF", "expected JSON, got application/pdf", into[order]},
		"page, no heading": {"text/html", "<p>secret words</p>", "expected JSON, got text/html, status 200", into[order]},
		"trailing data":    {"application/json", `{} {}`, "the body is not valid JSON", into[order]},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(page(200, tt.kind, tt.body, "X-Request-Id", "req_1"))
			err := tt.call(context.Background(), newClient(t, aplombtest.NewServer(t, h)))
			e, ok := errors.AsType[*aplomb.DecodeError](err)
			assert.True(t, ok, err)
			assert.Contains(t, err.Error(), tt.say)
			assert.NotContains(t, err.Error(), "secret words")
			assert.Equal(t, fmt.Sprint(e.StatusCode, " ", e.RequestID, " ", e.Operation), "200 req_1 GET /x")
			assert.True(t, errors.Unwrap(err) != nil)
			assert.Equal(t, aplomb.StatusCode(err), 200)
			assert.Equal(t, h.count(), 1)
		})
	}
}

func into[T any](ctx context.Context, c *aplomb.Client) error {
	_, err := aplomb.Get[T](ctx, c, "/x")
	return err
}

func TestRawResults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(body(`{"id":"o_1"}`))))
		raw, err := aplomb.Patch[json.RawMessage](context.Background(), c, "/x", aplomb.JSON(1))
		assert.NoError(t, err)
		assert.Equal(t, string(raw), `{"id":"o_1"}`)
	})
	bubbleCase(t, "a byte order mark", func(t *testing.T) {
		v, err := get(t, newClient(t, aplombtest.NewServer(t, script(body("\xef\xbb\xbf"+`{"id":"o_1"}`)))))
		assert.NoError(t, err)
		assert.Equal(t, v.ID, "o_1")
	})
}

// What a sub-package reads from a body it can scrub by what the call knows.
func TestRedact(t *testing.T) {
	const secret = "0paque-value-77"
	bubble(t, func(t *testing.T) {
		h := script(page(422, "application/json", `{"odd":"you sent `+secret+`"}`), body(`{"odd":"you sent `+secret+`"}`))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Odd", aplomb.Static(secret)))
		_, err := get(t, c, aplomb.ErrorDecoder(func(e *aplomb.APIError) error {
			return errors.New(e.Redact(string(e.Body)))
		}))
		assert.Equal(t, err.Error(), `{"odd":"you sent [redacted]"}`)
		var told aplomb.Response
		raw, err := aplomb.Get[[]byte](context.Background(), c, "/x", aplomb.Capture(&told))
		assert.NoError(t, err)
		assert.Equal(t, told.Redact(string(raw)), `{"odd":"you sent [redacted]"}`)
		assert.Equal(t, aplomb.Response{}.Redact("nothing to hide"), "nothing to hide")
	})
}

// A 401 says where its credential came from, or why there was none.
func TestCredentialHints(t *testing.T) {
	t.Setenv("APLOMB_TEST_KEY", "sk_test_0123456789")
	for name, tt := range map[string]struct {
		client []aplomb.Option
		call   []aplomb.CallOption
		want   string
	}{
		"none":     {nil, nil, "no credential was sent: add Bearer"},
		"env":      {[]aplomb.Option{aplomb.Bearer(aplomb.Env("APLOMB_TEST_KEY"))}, nil, "the credential is the environment variable APLOMB_TEST_KEY (18 chars)"},
		"function": {[]aplomb.Option{aplomb.Bearer(aplomb.SecretFunc(func(context.Context) (string, error) { return "x", nil }))}, nil, "what a SecretFunc returned"},
		"foreign":  {[]aplomb.Option{aplomb.Bearer(aplomb.Static("x"))}, []aplomb.CallOption{aplomb.URL("http://other.test/x")}, "http://other.test is not among its origins"},
	} {
		t.Run(name, func(t *testing.T) {
			synctestRun(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				n.Serve("http://api.test", script(status(401)))
				n.Serve("http://other.test", script(status(401)))
				c := newClientAt(t, "http://api.test", append(tt.client, aplomb.Transport(n.Transport()))...)
				_, err := aplomb.Get[order](context.Background(), c, "/x", tt.call...)
				assert.Contains(t, err.Error(), "Hint: ")
				assert.Contains(t, err.Error(), tt.want)
			})
		})
	}
	_, err := get(t, newClientAt(t, "http://api.test", aplomb.Transport(aplomb.RoundTripFunc(nil1)), aplomb.NoRetry()), aplomb.Header("Authorization", "own"))
	assert.True(t, !strings.Contains(err.Error(), "no credential"))
}

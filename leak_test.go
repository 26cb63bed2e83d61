package aplomb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// countingContext knows how many contexts derived from it are not yet cancelled.
type countingContext struct {
	context.Context //nolint:containedctx // it is one
	done            chan struct{}
	children        atomic.Int64
}

func (c *countingContext) Done() <-chan struct{} { return c.done }

// AfterFunc is what the context package looks for in a foreign parent.
func (c *countingContext) AfterFunc(func()) (stop func() bool) {
	c.children.Add(1)
	var once sync.Once
	return func() bool {
		once.Do(func() { c.children.Add(-1) })
		return true
	}
}

// A long-lived context, such as a worker's, keeps nothing of the calls made
// with it, once their bodies are closed.
func TestContextKeepsNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		call  func(ctx context.Context, c *aplomb.Client) error
	}{
		"Do": {[]http.HandlerFunc{status(503), ok}, func(ctx context.Context, c *aplomb.Client) error {
			return doThrough(ctx, c.Do, "http://api.test/x", [2]string{})
		}},
		"Do, read to the end": {[]http.HandlerFunc{status(503), ok}, func(ctx context.Context, c *aplomb.Client) error {
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.test/x", nil)
			resp, err := c.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			_, err = io.ReadAll(resp.Body)
			return err
		}},
		"HTTPClient with a Timeout": {[]http.HandlerFunc{status(503), ok}, func(ctx context.Context, c *aplomb.Client) error {
			return doThrough(aplomb.NewContext(ctx, aplomb.Timeout(1e9)), c.HTTPClient().Do, "http://api.test/x", [2]string{})
		}},
		"redirected": {[]http.HandlerFunc{status(302, "Location", "/y"), ok}, func(ctx context.Context, c *aplomb.Client) error {
			return doThrough(ctx, c.HTTPClient().Do, "http://api.test/x", [2]string{})
		}},
		"typed": {[]http.HandlerFunc{status(503), ok}, func(ctx context.Context, c *aplomb.Client) error {
			_, err := aplomb.Get[order](ctx, c, "/x")
			return err
		}},
		"prefetched pages": {[]http.HandlerFunc{body("[1]", "Link", `</x?p=2>; rel="next"`), body("[1]")}, func(ctx context.Context, c *aplomb.Client) error {
			for _, err := range aplomb.Items[int](ctx, c, "/x", aplomb.ByLink{}, aplomb.Prefetch()) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			ctx := &countingContext{Context: context.Background(), done: make(chan struct{})}
			for range 3 {
				assert.NoError(t, tt.call(ctx, newClient(t, aplombtest.NewServer(t, script(tt.steps...)))))
			}
			synctest.Wait()
			assert.Equal(t, ctx.children.Load(), 0)
		})
	}
	bubbleCase(t, "upgraded", func(t *testing.T) {
		ctx := &countingContext{Context: context.Background(), done: make(chan struct{})}
		s := aplombtest.NewServer(t, hijack(t, upgraded, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }))
		req, _ := http.NewRequestWithContext(aplomb.NewContext(ctx), "GET", s.URL, nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "x")
		resp, err := newClient(t, s).Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		synctest.Wait()
		assert.Equal(t, ctx.children.Load(), 0)
	})
}

// A cause that prints the address, with the credential in it, does so neither
// in an event nor in an error, on either door.
func TestLaw05_EventsHoldNoSecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var events []any
		c := newClientAt(t, "http://api.test", aplomb.NoRetry(), aplomb.APIKeyQuery("k", aplomb.Static(planted)),
			aplomb.Hooks{
				AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { events = append(events, e) },
				CallDone:    func(_ context.Context, e aplomb.CallEvent) { events = append(events, e) },
			},
			aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF}
			})))
		_, err := get(t, c)
		events = append(events, err, doThrough(context.Background(), c.HTTPClient().Do, "http://api.test/x", [2]string{}))
		assert.Equal(t, len(events), 6)
		for _, e := range events {
			assert.NotContains(t, fmt.Sprintf("%v %+v", e, e), planted)
		}
	})
}

// A page that quotes the credential where JSON was expected is not quoted on.
func TestLaw05_DecodeErrorHoldsNoSecret(t *testing.T) {
	for _, page := range []string{"<h1>Bad token " + planted + "</h1>", "<session>" + planted + "</session>", planted, `{"id":` + planted + `}`} {
		bubbleCase(t, page[:2], func(t *testing.T) {
			h := script(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, page)
			})
			_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(aplomb.Static(planted))))
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), planted)
		})
	}
}

// A credential is known again when the server quotes it escaped.
func TestLaw05_EscapedCredentialIsKnown(t *testing.T) {
	const secret = `p@ss/w rd+1="x`
	quoted, _ := json.Marshal(secret)
	for _, echo := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), string(quoted[1 : len(quoted)-1]), fmt.Sprintf("%+q", secret)} {
		bubbleCase(t, "", func(t *testing.T) {
			h := script(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				_, _ = io.WriteString(w, "bad key "+echo+" sent")
			})
			_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Api-Key", aplomb.Static(secret))))
			assert.NotContains(t, err.Error(), strings.Trim(echo, `"`))
		})
	}
}

// Nothing that holds a secret prints it, not even from an unexported field,
// where fmt calls no method.
func TestLaw05_HoldersPrintNoSecret(t *testing.T) {
	t.Parallel()
	source := aplomb.Static(planted)
	c := newClientAt(t, "http://api.test", aplomb.Header("X-Api-Key", planted), aplomb.Query("api_key", planted), aplomb.Bearer(source))
	for name, holder := range map[string]any{
		"Client":          c,
		"Client value":    *c,
		"field Client":    struct{ c *aplomb.Client }{c},
		"Transport":       c.Transport(),
		"field Transport": struct{ rt http.RoundTripper }{c.Transport()},
		"field Secret":    struct{ s aplomb.Secret }{aplomb.NewSecret(planted)},
		"map of them":     map[string]aplomb.Secret{"s": aplomb.NewSecret(planted)},
		"field source":    struct{ s aplomb.SecretSource }{source},
		"Auth":            aplomb.Bearer(source),
		"field Auth":      struct{ a aplomb.Auth }{aplomb.Bearer(source)},
		"Basic":           struct{ a aplomb.Auth }{aplomb.Basic("u", source)},
		"APIError":        aplomb.APIError{Body: []byte(planted), Header: http.Header{"Set-Cookie": {planted}}},
		"Response":        aplomb.Response{Header: http.Header{"Set-Cookie": {planted}}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			text := fmt.Sprintf(verb, holder)
			assert.NotContains(t, text, planted, name, verb)
			assert.NotContains(t, text, fmt.Sprintf("%x", planted), name, verb)
		}
	}
}

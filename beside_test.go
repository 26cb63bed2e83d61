package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// whose is a PerCall middleware that remembers what CredentialOf says.
type whose struct {
	ids  []any
	owns []bool
}

func (w *whose) middleware(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		id, own := aplomb.CredentialOf(r.Context())
		w.ids, w.owns = append(w.ids, id), append(w.owns, own)
		return next.RoundTrip(r)
	})
}

func TestCredentialOf(t *testing.T) {
	t.Parallel()
	s := aplombtest.NewServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	key := func(name string) aplomb.Auth { return aplomb.Bearer(aplomb.Static(name)) }
	w := &whose{}
	c := newClient(t, s, key("a"), aplomb.PerCall(w.middleware))
	with, err := c.With(key("b"))
	assert.NoError(t, err)
	same, err := c.With(aplomb.Name("same"))
	assert.NoError(t, err)
	none := newClient(t, s, aplomb.PerCall(w.middleware))

	send := func(ctx context.Context, c *aplomb.Client, opts ...aplomb.CallOption) {
		_, err := aplomb.Get[[]byte](ctx, c, "/", opts...)
		assert.NoError(t, err)
	}
	ctx := t.Context()
	send(ctx, c)
	send(ctx, c, aplomb.Header("X-A", "b"))
	send(ctx, same)
	send(ctx, with)
	send(ctx, c, key("a"))
	send(ctx, c, aplomb.APIKey("X-Key", aplomb.Static("k")))
	send(aplomb.NewContext(ctx, key("c")), c)
	send(ctx, c, aplomb.NoAuth())
	send(ctx, none)
	send(ctx, none, key("a"))

	assert.Equal(t, w.owns, []bool{true, true, true, false, false, false, false, false, true, false})
	for i := range 3 {
		assert.True(t, w.ids[i] != nil && w.ids[i] == w.ids[0], i)
	}
	for i := 3; i < len(w.ids); i++ {
		assert.True(t, w.ids[i] != w.ids[0], i)
	}
	assert.True(t, w.ids[7] == nil && w.ids[8] == nil)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", w.ids[0], w.ids[0], w.ids[0]), "Bearer")

	for name, c := range map[string]struct {
		auth aplomb.Option
		own  bool
	}{
		"AuthFunc":    {aplomb.AuthFunc(func(*http.Request) error { return nil }), false},
		"a source":    {aplomb.Bearer(ownSource{}), false},
		"Rotation":    {aplomb.Bearer(aplomb.Rotation(aplomb.Static("a"), aplomb.Static("b"))), true},
		"of a source": {aplomb.Bearer(aplomb.Rotation(aplomb.Static("a"), ownSource{})), false},
		"SecretFunc":  {aplomb.Bearer(aplomb.SecretFunc(func(context.Context) (string, error) { return "a", nil })), true},
		"Tokens": {&aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
			return aplomb.Token{Value: aplomb.NewSecret("a")}, nil
		}}, true},
		"Digest":     {aplomb.Digest("user", aplomb.Static("a")), true},
		"Sign":       {aplomb.Sign(ownSigner{}), false},
		"one of two": {aplomb.Options(aplomb.Bearer(aplomb.Static("a")), aplomb.APIKey("X-Key", ownSource{})), false},
	} {
		w := &whose{}
		send(ctx, newClient(t, s, c.auth, aplomb.PerCall(w.middleware)))
		assert.Equal(t, w.owns, []bool{c.own}, name)
	}

	id, own := aplomb.CredentialOf(ctx)
	assert.True(t, id == nil && own)
}

// ownSource and ownSigner are of somebody else's making.
type ownSource struct{}

func (ownSource) Secret(context.Context) (aplomb.Secret, error) { return aplomb.NewSecret("own"), nil }

type ownSigner struct{}

func (ownSigner) Sign(*http.Request, time.Time) error { return nil }

func TestBeside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		api := script(
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "first") },
			status(http.StatusServiceUnavailable),
			func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) },
		)
		var mu sync.Mutex
		var attempts []string
		var calls int
		beside := make(chan string, 1)
		c := newClient(t, aplombtest.NewServer(t, api), aplomb.Bearer(aplomb.Static("a")),
			aplomb.Hooks{
				AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
					mu.Lock()
					defer mu.Unlock()
					attempts = append(attempts, fmt.Sprint(e.Operation, " ", e.Number, " ", e.Status))
				},
				CallDone: func(context.Context, aplomb.CallEvent) { calls++ },
			},
			aplomb.PerCall(func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					ctx, cancel := context.WithTimeout(aplomb.Beside(r.Context()), time.Minute)
					own := r.Clone(ctx)
					go func() {
						defer cancel()
						time.Sleep(time.Second)
						resp, err := next.RoundTrip(own)
						if err != nil {
							beside <- err.Error()
							return
						}
						body, _ := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						beside <- string(body)
					}()
					return next.RoundTrip(r)
				})
			}))
		ctx, cancel := context.WithCancel(t.Context())
		var r aplomb.Response
		body, err := aplomb.Get[[]byte](ctx, c, "/{a}", aplomb.Path("a", "b"), aplomb.Capture(&r))
		cancel()
		assert.NoError(t, err)
		assert.Equal(t, string(body), "first")
		assert.Equal(t, <-beside, "Bearer a")
		synctest.Wait()
		assert.Equal(t, attempts, []string{"GET /{a} 1 200", "GET /{a} 1 503", "GET /{a} 2 200"})
		assert.Equal(t, r.Attempts, 1)
		assert.Equal(t, calls, 1)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, aplomb.Beside(ctx).Err())
}

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
	ids   []any
	whose []aplomb.Whose
}

func (w *whose) middleware(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		id, from := aplomb.CredentialOf(r.Context())
		w.ids, w.whose = append(w.ids, id), append(w.whose, from)
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
	other := newClient(t, s, aplomb.PerCall(w.middleware))
	again, err := with.With(aplomb.Timeout(time.Minute))
	assert.NoError(t, err)

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
	send(ctx, other)
	send(ctx, again)
	send(ctx, again, key("a"))

	assert.Equal(t, w.whose, []aplomb.Whose{
		news, news, news, withs, calls, calls, calls, calls, news, calls, news, withs, calls,
	})
	for i := range w.ids {
		assert.True(t, w.ids[i] != nil, i)
		assert.Equal(t, w.ids[i] == w.ids[0], i < 3, i)
		assert.Equal(t, w.ids[i] == w.ids[3], i == 3 || i == 11, i)
		assert.Equal(t, w.ids[i] == w.ids[8], i == 8, i)
	}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", w.ids[0], w.ids[0], w.ids[0]), "Bearer")

	for name, c := range map[string]struct {
		auth aplomb.Option
		want aplomb.Whose
	}{
		"AuthFunc":    {aplomb.AuthFunc(func(*http.Request) error { return nil }), calls},
		"a source":    {aplomb.Bearer(ownSource{}), calls},
		"Rotation":    {aplomb.Bearer(aplomb.Rotation(aplomb.Static("a"), aplomb.Static("b"))), news},
		"of a source": {aplomb.Bearer(aplomb.Rotation(aplomb.Static("a"), ownSource{})), calls},
		"SecretFunc":  {aplomb.Bearer(aplomb.SecretFunc(func(context.Context) (string, error) { return "a", nil })), news},
		"Tokens": {&aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
			return aplomb.Token{Value: aplomb.NewSecret("a")}, nil
		}}, news},
		"Digest":     {aplomb.Digest("user", aplomb.Static("a")), news},
		"Sign":       {aplomb.Sign(ownSigner{}), calls},
		"one of two": {aplomb.Options(aplomb.Bearer(aplomb.Static("a")), aplomb.APIKey("X-Key", ownSource{})), calls},
	} {
		w := &whose{}
		send(ctx, newClient(t, s, c.auth, aplomb.PerCall(w.middleware)))
		assert.Equal(t, w.whose, []aplomb.Whose{c.want}, name)
	}

	for what, ctx := range map[aplomb.Whose]context.Context{
		news: ctx, calls: aplomb.NewContext(ctx, key("c")),
	} {
		id, from := aplomb.CredentialOf(ctx)
		assert.True(t, id == nil && from == what)
	}
	_, from := aplomb.CredentialOf(aplomb.NewContext(ctx, aplomb.NoAuth()))
	assert.Equal(t, from, calls)
	_, from = aplomb.CredentialOf(aplomb.NewContext(ctx, aplomb.Header("X-A", "b")))
	assert.Equal(t, from, news)
}

const (
	news  = aplomb.ClientCredential
	withs = aplomb.DerivedCredential
	calls = aplomb.CallCredential
)

// TestCredentialOfWhatSends: below a cache a transport or a middleware may attach one.
func TestCredentialOfWhatSends(t *testing.T) {
	t.Parallel()
	s := aplombtest.NewServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	same := func(next http.RoundTripper) http.RoundTripper { return next }
	w := &whose{}
	for range 2 { // with nothing of their own
		c, err := aplomb.New("https://api.example", aplomb.PerCall(w.middleware, func(http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			})
		}))
		assert.NoError(t, err)
		_, err = aplomb.Get[[]byte](t.Context(), c, "/")
		assert.NoError(t, err)
	}
	assert.True(t, w.ids[0] != w.ids[1])
	for name, opts := range map[string][]aplomb.Option{
		"no credential": nil,
		"one":           {aplomb.Bearer(aplomb.Static("a"))},
		"a middleware":  {aplomb.PerAttempt(same)},
	} {
		w := &whose{}
		c := newClient(t, s, append(opts, aplomb.PerCall(w.middleware))...)
		for what, with := range map[string]struct {
			opt  aplomb.Option
			same bool
		}{
			"Transport":  {aplomb.Transport(s.Transport()), false},
			"PerAttempt": {aplomb.PerAttempt(same), false},
			"Timeout":    {aplomb.Timeout(time.Minute), true},
			"Timeouts":   {aplomb.Timeouts{Connect: time.Second}, true},
			"PerCall":    {aplomb.PerCall(same), true},
			"Header":     {aplomb.Header("X-A", "b"), true},
			"Name":       {aplomb.Name("other"), true},
		} {
			w.ids, w.whose = nil, nil
			other, err := c.With(with.opt)
			assert.NoError(t, err)
			for _, c := range []*aplomb.Client{c, other, c} {
				_, err := aplomb.Get[[]byte](t.Context(), c, "/")
				assert.NoError(t, err)
			}
			assert.Equal(t, w.ids[0] == w.ids[1], with.same, name, what)
			assert.True(t, w.ids[0] == w.ids[2], name, what)
			want := withs
			if with.same {
				want = news
			}
			assert.Equal(t, w.whose, []aplomb.Whose{news, want, news}, name, what)
		}
	}
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

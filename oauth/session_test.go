package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// memory is a TokenStore that can fail to save.
type memory struct {
	turn  chan struct{} // a mutex would stop a bubble's time
	once  sync.Once
	saved []byte
	fail  error
	saves int
}

func (m *memory) Update(ctx context.Context, change func([]byte) ([]byte, error)) error {
	m.once.Do(func() { m.turn = make(chan struct{}, 1) })
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-m.turn }()
	next, err := change(m.saved)
	if err != nil {
		return err
	}
	if m.fail != nil {
		return m.fail
	}
	if !bytes.Equal(m.saved, next) {
		m.saved = next
		m.saves++
	}
	return nil
}

// login is a login with the refresh token refresh-0, at which the server begins.
func login(t *testing.T, c *oauth.Client, a *authority) *memory {
	t.Helper()
	store := &memory{}
	a.refresh = "refresh-0"
	assert.NoError(t, c.Adopt(context.Background(), store, aplomb.NewSecret("refresh-0")))
	return store
}

func TestSessionSavesBeforeUse(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web", Scopes: []string{"a"}})
		store := login(t, c, a)
		tokens, err := c.Session(store)
		equal(t, token(t, tokens, err), "access-1")
		assert.Contains(t, string(store.saved), `"refresh_token":"refresh-1"`)
		equal(t, a.form(0).Get("refresh_token"), "refresh-0")
		equal(t, a.form(0).Has("scope"), false)
		// Another process, or this one after a restart, uses what is there.
		again, err := newClient(t, n, oauth.Config{ClientID: "web"}).Session(store)
		equal(t, token(t, again, err), "access-1")
		equal(t, a.requests(), 1)
		// A new log-in is a new one, whatever this process remembers.
		store = login(t, c, a)
		tokens, err = c.Session(store)
		equal(t, token(t, tokens, err), "access-2")
		a.refresh, store.saved = "refresh-0", []byte(`{"refresh_token":"refresh-0"}`)
		pause(time.Hour)
		equal(t, token(t, tokens, nil), "access-3")
	})
}

// A store that cannot save loses nothing: the token is not used, and what was
// granted is saved at the next try.
func TestSessionWithAStoreThatFails(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, c, a)
		tokens, err := c.Session(store)
		store.fail = errors.New("disk full")
		equal(t, token(t, tokens, err), "error: disk full")
		time.Sleep(2 * time.Second)
		equal(t, token(t, tokens, nil), "error: disk full")
		equal(t, a.requests(), 1)
		store.fail = nil
		time.Sleep(time.Minute)
		equal(t, token(t, tokens, nil), "access-1")
		assert.Contains(t, string(store.saved), "refresh-1")
		time.Sleep(time.Hour)
		equal(t, token(t, tokens, nil), "access-2")
		equal(t, [2]int{a.requests(), a.reused}, [2]int{2, 0})
	})
}

// What could not be saved is judged like what is: it is used while it lives, and
// its refresh token after that.
func TestSessionUnsavedForLong(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, c, a)
		tokens, err := c.Session(store)
		store.fail = errors.New("disk full")
		equal(t, token(t, tokens, err), "error: disk full")
		pause(2 * a.life)
		store.fail = nil
		equal(t, token(t, tokens, nil), "access-2")
		equal(t, [2]int{a.requests(), a.reused}, [2]int{2, 0})
	})
}

// Where the refresh token stays the same, a store that cannot save loses nothing:
// the token is used, and replaced when it is refused.
func TestSessionUnsavedWithoutRotation(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		for i := range 3 {
			a.steps = append(a.steps, func(w http.ResponseWriter, _ *http.Request) {
				answer(w, map[string]any{"access_token": fmt.Sprint("same-", i), "token_type": "Bearer", "expires_in": 3600})
			})
		}
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, c, a)
		tokens, err := c.Session(store)
		equal(t, token(t, tokens, err), "same-0")
		store.fail = errors.New("disk full")
		for _, want := range []string{"same-1", "same-2"} {
			last, err := tokens.Token(t.Context())
			if want == "same-2" {
				last.Value = aplomb.NewSecret("same-1")
			}
			assert.NoError(t, err)
			got, err := tokens.Fetch(t.Context(), last) // as after a 401
			assert.NoError(t, err)
			equal(t, got.Value.Reveal(), want)
		}
		equal(t, a.form(2).Get("refresh_token"), "refresh-0")
	})
}

// Processes that share a login: one asks, the other finds.
func TestSessionOfTwoProcesses(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, c, a)
		one, _ := c.Session(store)
		two, _ := newClient(t, n, oauth.Config{ClientID: "web"}).Session(store)
		for i := range 200 {
			var both sync.WaitGroup
			for _, tokens := range []*aplomb.Tokens{one, two} {
				both.Go(func() { equal(t, token(t, tokens, nil), fmt.Sprintf("access-%d", i+1)) })
			}
			both.Wait()
			time.Sleep(a.life)
		}
		equal(t, [2]int{a.requests(), a.reused}, [2]int{200, 0})
	})
}

// A login that the server has ended is asked about once, by whichever process.
func TestSessionEnded(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, c, a)
		a.refresh = "another"
		for range 3 {
			tokens, err := newClient(t, n, oauth.Config{ClientID: "web"}).Session(store)
			assert.NoError(t, err)
			for range 2 {
				_, err = tokens.Token(context.Background())
				assert.ErrorIs(t, err, oauth.ErrLoginRequired)
				assert.Contains(t, err.Error(), `oauth: log in again, by Login or LoginDevice: oauth: auth.test answered 400 invalid_grant "the refresh token was used before"`)
				time.Sleep(time.Minute)
			}
		}
		equal(t, [2]int{a.requests(), a.reused}, [2]int{1, 1})
		// Logging in again mends it.
		a.refresh = "refresh-0"
		assert.NoError(t, c.Adopt(context.Background(), store, aplomb.NewSecret("refresh-0")))
		tokens, err := c.Session(store)
		equal(t, token(t, tokens, err), "access-1")
	})
}

// Nor is it asked about again where that cannot be saved.
func TestSessionEndedUnsaved(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, c, a)
		a.refresh, store.fail = "another", errors.New("disk full")
		tokens, err := c.Session(store)
		assert.NoError(t, err)
		for range 2 {
			_, err := tokens.Token(t.Context())
			assert.ErrorIs(t, err, oauth.ErrLoginRequired)
			pause(time.Minute)
		}
		equal(t, a.requests(), 1)
	})
}

// The token that the API refused is replaced, but not if another process has
// done it already.
func TestSessionReplacesWhatIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		good := "Bearer access-1"
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != good {
				w.WriteHeader(401)
			}
		}))
		authz := newClient(t, n, oauth.Config{ClientID: "web"})
		store := login(t, authz, a)
		var apis []*aplomb.Client
		for range 2 {
			tokens, err := authz.Session(store)
			assert.NoError(t, err)
			transport := n.Transport()
			t.Cleanup(transport.CloseIdleConnections)
			c, err := aplomb.New("https://api.test", aplomb.Transport(transport), tokens)
			assert.NoError(t, err)
			apis = append(apis, c)
		}
		call := func() {
			for _, c := range apis {
				_, err := aplomb.Get[struct{}](context.Background(), c, "/x")
				assert.NoError(t, err)
			}
		}
		call()
		good = "Bearer access-2"
		call()
		equal(t, [2]int{a.requests(), a.reused}, [2]int{2, 0})
		synctest.Wait()
	})
}

// Who has logged in again goes on at once, with the same Tokens.
func TestSessionAfterALogin(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		store := &memory{}
		tokens, err := c.Session(store)
		for range 5 {
			assert.Contains(t, token(t, tokens, err), "log in again, by Login or LoginDevice: there is no refresh token")
		}
		a.refresh = "refresh-0"
		assert.NoError(t, c.Adopt(context.Background(), store, aplomb.NewSecret("refresh-0")))
		equal(t, token(t, tokens, nil), "access-1")
	})
}

func TestSessionWithout(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		_, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "web"})
		tokens, err := c.Session(&memory{})
		assert.Contains(t, token(t, tokens, err), "LoginDevice: there is no refresh token")
		tokens, err = c.Session(&memory{saved: []byte("{")})
		assert.Contains(t, token(t, tokens, err), "is no login")
		_, err = c.Session(nil)
		assert.Contains(t, err.Error(), "the TokenStore is nil")
		assert.True(t, c.Adopt(context.Background(), &memory{}, aplomb.Secret{}) != nil, "an empty token")
	})
}

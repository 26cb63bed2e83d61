package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/authserver"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// Two processes share a login whose tokens live for seconds; no refresh token is
// shown twice.
func TestSession(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.SetLifetime(4 * time.Second)
	virtually(t, func(t *testing.T) {
		c, store := r.app(t), file(t)
		assert.NoError(t, c.Login(t.Context(), store, browser(t, r.Login)))
		processes := []*aplomb.Tokens{session(t, c, store), session(t, r.app(t), store)}
		const lives = 20
		for range lives {
			var both sync.WaitGroup
			for _, tokens := range processes {
				both.Go(func() {
					got, err := r.subject(t.Context(), r.api(t, tokens))
					assert.True(t, err == nil, err)
					assert.Equal(t, got, user)
				})
			}
			both.Wait()
			time.Sleep(4 * time.Second)
		}
		assert.Equal(t, r.requests(), lives) // the log-in's own, and one after each life
		assert.Equal(t, r.Reused(), 0)
	})
}

// Each 401 of a revoked access token is one rotation.
func TestSessionAfterRevokedTokens(t *testing.T) {
	t.Parallel()
	r := start(t)
	virtually(t, func(t *testing.T) {
		c, store := r.app(t), file(t)
		assert.NoError(t, c.Login(t.Context(), store, browser(t, r.Login)))
		tokens := session(t, c, store)
		for n := range 10 {
			r.wants(t, tokens, user)
			assert.Equal(t, r.requests(), n+1)
			r.RevokeAll()
			time.Sleep(time.Minute) // one that is refused at once is replaced at a slower pace
		}
		assert.Equal(t, r.Reused(), 0)
	})
}

// A login that has ended is asked about once.
func TestLoginEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, r *rig, stolen, current string){
		"revoked": func(t *testing.T, r *rig, _, current string) {
			t.Helper()
			post(t, r.RevokeURL, url.Values{"client_id": {authserver.AppID}, "token": {current}}, http.StatusOK)
		},
		"used token shown by a thief": func(t *testing.T, r *rig, stolen, _ string) {
			t.Helper()
			post(t, r.TokenURL, url.Values{"client_id": {authserver.AppID}, "grant_type": {"refresh_token"}, "refresh_token": {stolen}}, http.StatusBadRequest)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			virtually(t, func(t *testing.T) {
				c, store := r.app(t), file(t)
				assert.NoError(t, c.Login(t.Context(), store, browser(t, r.Login)))
				stolen := refreshToken(t, store)
				tokens := session(t, c, store)
				api := r.api(t, tokens)
				_, err := r.subject(t.Context(), api)
				assert.NoError(t, err)
				r.RevokeAll()
				_, err = r.subject(t.Context(), api)
				assert.NoError(t, err)
				end(t, r, stolen, refreshToken(t, store))
				before := r.requests()

				time.Sleep(time.Minute) // a token that is refused at once is replaced at a slower pace
				for range 3 {
					_, err = r.subject(t.Context(), api)
					assert.True(t, err != nil, "the access token has ended with the login")
					_, err = tokens.Token(t.Context())
					assert.ErrorIs(t, err, oauth.ErrLoginRequired)
					_, err = session(t, r.app(t), store).Token(t.Context()) // another process
					assert.ErrorIs(t, err, oauth.ErrLoginRequired)
					assert.Contains(t, err.Error(), "answered 400 invalid_grant")
					time.Sleep(time.Hour)
				}
				assert.Equal(t, r.requests(), before+1)

				// Logging in again mends it, for all of them.
				assert.NoError(t, c.Login(t.Context(), store, browser(t, r.Login)))
				got, err := r.subject(t.Context(), api)
				assert.NoError(t, err)
				assert.Equal(t, got, user)
			})
		})
	}
}

// refreshToken is the one in store.
func refreshToken(t *testing.T, store oauth.TokenStore) string {
	t.Helper()
	var token string
	assert.NoError(t, store.Update(t.Context(), func(saved []byte) ([]byte, error) {
		_, rest, _ := strings.Cut(string(saved), `"refresh_token":"`)
		token, _, _ = strings.Cut(rest, `"`)
		return saved, nil
	}))
	assert.True(t, token != "", "no refresh token is saved")
	return token
}

func post(t *testing.T, address string, form url.Values, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	assert.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := transport().RoundTrip(req)
	assert.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, resp.StatusCode, status)
}

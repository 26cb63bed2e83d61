// Package oauth_test holds aplomb's package oauth against a real authorization
// server: zitadel/oidc, on loopback.
package oauth_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/authserver"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

func TestMain(m *testing.M) { os.Exit(assert.Main(m)) }

// rig is the server, and what its token endpoint was asked.
type rig struct {
	*authserver.Provider

	mu    sync.Mutex
	asked int
	// meddle, if any, gets each token request before the server does, and how
	// many there were with it.
	meddle func(n int, r *http.Request) *http.Request
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{}
	r.Provider = authserver.Start(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if r.Provider != nil && r.Issuer+req.URL.Path == r.TokenURL {
				req = r.count(req)
			}
			next.ServeHTTP(w, req)
		})
	})
	return r
}

func (r *rig) count(req *http.Request) *http.Request {
	r.mu.Lock()
	r.asked++
	n, meddle := r.asked, r.meddle
	r.mu.Unlock()
	if meddle != nil {
		return meddle(n, req)
	}
	return req
}

// requests is how often the token endpoint was asked.
func (r *rig) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// virtually runs f under virtual time. The server, outside the bubble, has the
// real one: to it the test takes no time at all, however long it waits.
func virtually(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// transport is one without idle connections, whose readers would stop a
// bubble's time.
func transport() *http.Transport { return &http.Transport{DisableKeepAlives: true} }

// client is what cfg describes, of this server.
func (r *rig) client(t *testing.T, cfg oauth.Config) *oauth.Client {
	t.Helper()
	cfg.Issuer, cfg.TokenURL, cfg.AuthURL, cfg.DeviceURL = r.Issuer, r.TokenURL, r.AuthURL, r.DeviceURL
	cfg.Transport = transport()
	c, err := oauth.New(cfg)
	assert.NoError(t, err)
	return c
}

// app is the public client, with what makes a server issue refresh tokens.
func (r *rig) app(t *testing.T) *oauth.Client {
	t.Helper()
	return r.client(t, oauth.Config{ClientID: authserver.AppID, Scopes: []string{"openid", "offline_access"}})
}

// web is the client with a secret.
func (r *rig) web(t *testing.T) *oauth.Client {
	t.Helper()
	return r.client(t, oauth.Config{ClientID: authserver.WebID, Auth: oauth.SecretBasic(aplomb.Static(authserver.WebSecret))})
}

// api is a client of the protected resource.
func (r *rig) api(t *testing.T, tokens *aplomb.Tokens) *aplomb.Client {
	t.Helper()
	c, err := aplomb.New(r.Issuer, aplomb.Transport(transport()), tokens)
	assert.NoError(t, err)
	return c
}

// subject asks the protected resource whose token it was shown.
func (r *rig) subject(ctx context.Context, c *aplomb.Client) (string, error) {
	type info struct {
		Subject string `json:"sub"`
	}
	got, err := aplomb.Get[info](ctx, c, "/userinfo", aplomb.URL(r.UserinfoURL))
	return got.Subject, err
}

// wants has the resource accept tokens as subject's.
func (r *rig) wants(t *testing.T, tokens *aplomb.Tokens, subject string) {
	t.Helper()
	got, err := r.subject(t.Context(), r.api(t, tokens))
	assert.NoError(t, err)
	assert.Equal(t, got, subject)
}

func file(t *testing.T) oauth.TokenStore {
	t.Helper()
	return oauth.FileStore(filepath.Join(t.TempDir(), "login.json"))
}

// session are the tokens of the login in store.
func session(t *testing.T, c *oauth.Client, store oauth.TokenStore) *aplomb.Tokens {
	t.Helper()
	tokens, err := c.Session(store)
	assert.NoError(t, err)
	return tokens
}

// user is the one who logs in.
const user = "id2"

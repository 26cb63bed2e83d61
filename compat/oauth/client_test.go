package oauth_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/authserver"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// The secret comes through by Basic only if it is form-encoded first.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	r := start(t)
	for name, tt := range map[string]struct {
		prove   func(aplomb.SecretSource) oauth.ClientAuth
		refused int // the status; a server has a choice where the header was not used (RFC 6749, section 5.2)
	}{
		"SecretBasic": {oauth.SecretBasic, http.StatusUnauthorized},
		"SecretPost":  {oauth.SecretPost, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := r.client(t, oauth.Config{ClientID: authserver.WebID, Auth: tt.prove(aplomb.Static(authserver.WebSecret)), Scopes: []string{"read"}})
			r.wants(t, c.ClientCredentials(), authserver.WebID)

			const wrong = "no-such-secret"
			c = r.client(t, oauth.Config{ClientID: authserver.WebID, Auth: tt.prove(aplomb.Static(wrong))})
			_, err := c.ClientCredentials().Token(t.Context())
			refusal, ok := errors.AsType[*oauth.Error](err)
			if !ok {
				t.Fatalf("%T %v, want an *oauth.Error", err, err)
			}
			assert.Equal(t, refusal.Code, "invalid_client")
			assert.Equal(t, refusal.StatusCode, tt.refused)
			assert.Equal(t, refusal.Temporary(), false)
			assert.NotContains(t, err.Error(), wrong)

			// The API's caller is told the same.
			_, err = r.subject(t.Context(), r.api(t, c.ClientCredentials()))
			assert.Contains(t, err.Error(), "invalid_client")
			assert.NotContains(t, err.Error(), wrong)
		})
	}
}

// A secret that is being changed: the server knows the old one still.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	r := start(t)
	secret := aplomb.Rotation(aplomb.Static("the-next-one"), aplomb.Static(authserver.WebSecret))
	c := r.client(t, oauth.Config{ClientID: authserver.WebID, Auth: oauth.SecretBasic(secret)})
	r.wants(t, c.ClientCredentials(), authserver.WebID)
	assert.Equal(t, r.requests(), 2)
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg, err := oauth.Discover(t.Context(), r.Issuer, aplomb.Transport(transport()))
	assert.NoError(t, err)
	assert.Equal(t, []string{cfg.Issuer, cfg.TokenURL, cfg.AuthURL, cfg.DeviceURL}, []string{r.Issuer, r.TokenURL, r.AuthURL, r.DeviceURL})
	cfg.ClientID, cfg.Auth, cfg.Transport = authserver.WebID, oauth.SecretBasic(aplomb.Static(authserver.WebSecret)), transport()
	c, err := oauth.New(cfg)
	assert.NoError(t, err)
	r.wants(t, c.ClientCredentials(), authserver.WebID)

	_, err = oauth.Discover(t.Context(), r.Issuer+"/", aplomb.Transport(transport()))
	assert.True(t, err != nil, "the metadata name the issuer without a slash")
	assert.Contains(t, err.Error(), "name another issuer")
}

func TestTokenExchange(t *testing.T) {
	t.Parallel()
	r := start(t)
	c := r.web(t)
	tokens, err := c.TokenExchange(oauth.Exchange{Subject: c.ClientCredentials(), Scopes: []string{"read"}})
	assert.NoError(t, err)
	r.wants(t, tokens, authserver.WebID)
	assert.Equal(t, r.requests(), 2)

	tokens, err = c.TokenExchange(oauth.Exchange{Subject: aplomb.Static("no-such-token")})
	assert.NoError(t, err)
	_, err = tokens.Token(t.Context())
	refusal, ok := errors.AsType[*oauth.Error](err)
	assert.True(t, ok, err)
	assert.Equal(t, refusal.Code, "invalid_request")
	assert.NotContains(t, err.Error(), "no-such-token")
}

// A server takes an assertion once: each token has one of its own.
func TestAssertions(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string]func(t *testing.T, r *rig) (*aplomb.Tokens, error){
		"PrivateKeyJWT": func(t *testing.T, r *rig) (*aplomb.Tokens, error) {
			t.Helper()
			key := oauth.PrivateKeyJWT(aplomb.JWT{Signer: r.ServiceKey, KeyID: authserver.ServiceKeyID})
			return r.client(t, oauth.Config{ClientID: authserver.ServiceID, Auth: key}).ClientCredentials(), nil
		},
		"JWTBearer": func(t *testing.T, r *rig) (*aplomb.Tokens, error) {
			t.Helper()
			return r.client(t, oauth.Config{Scopes: []string{"openid"}}).JWTBearer(aplomb.JWT{
				Signer: r.ServiceKey, KeyID: authserver.ServiceKeyID, Issuer: authserver.ServiceID, Subject: authserver.ServiceID,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			for n := range 3 {
				service, err := tokens(t, r)
				assert.NoError(t, err)
				r.wants(t, service, authserver.ServiceID)
				assert.Equal(t, r.requests(), n+1)
			}
		})
	}
}

// All who carried a revoked token are sent again with one and the same new one.
func TestRevoked(t *testing.T) {
	t.Parallel()
	r := start(t)
	virtually(t, func(t *testing.T) {
		c := r.api(t, r.web(t).ClientCredentials())
		for n := range 5 {
			var callers sync.WaitGroup
			for range 20 {
				callers.Go(func() {
					got, err := r.subject(t.Context(), c)
					assert.True(t, err == nil, err)
					assert.Equal(t, got, authserver.WebID)
				})
			}
			callers.Wait()
			assert.Equal(t, r.requests(), n+1)
			r.RevokeAll()
			time.Sleep(time.Minute) // one that is refused at once is replaced at a slower pace
		}
	})
}

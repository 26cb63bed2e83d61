package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// The request of RFC 8693, section 2.3, and its answer; then everything at once.
func TestTokenExchange(t *testing.T) {
	t.Parallel()
	bubble(t, "RFC 8693, section 2.3", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"access_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjllciJ9", "issued_token_type": oauth.TypeAccessToken, "token_type": "Bearer", "expires_in": 60})
		}}
		c := newClient(t, n, oauth.Config{ClientID: "rs08", Auth: oauth.SecretBasic(aplomb.Static("long-secure-random-secret"))})
		tokens, err := c.TokenExchange(oauth.Exchange{Subject: aplomb.Static("accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"), Resource: "https://backend.example.com/api"})
		equal(t, token(t, tokens, err), "eyJhbGciOiJFUzI1NiIsImtpZCI6IjllciJ9")
		equal(t, a.form(0), url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "resource": {"https://backend.example.com/api"},
			"subject_token": {"accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		})
		equal(t, a.header(0).Get("Authorization"), "Basic cnMwODpsb25nLXNlY3VyZS1yYW5kb20tc2VjcmV0") // as the RFC prints it
	})
	bubble(t, "everything", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"access_token": "x", "token_type": "N_A", "issued_token_type": oauth.TypeJWT})
		}}
		c := newClient(t, n, oauth.Config{ClientID: "c", Scopes: []string{"the client's"}})
		tokens, err := c.TokenExchange(oauth.Exchange{
			Subject: aplomb.Static("subj"), SubjectType: oauth.TypeIDToken, Actor: aplomb.Static("act0r"), ActorType: oauth.TypeJWT,
			Audience: "backend", RequestedType: oauth.TypeJWT, Scopes: []string{"r", "w"},
		})
		assert.NoError(t, err)
		got, err := tokens.Token(context.Background())
		assert.NoError(t, err)
		equal(t, got.Type, "")
		equal(t, a.form(0), url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {"c"}, "audience": {"backend"}, "scope": {"r w"},
			"subject_token": {"subj"}, "subject_token_type": {oauth.TypeIDToken}, "actor_token": {"act0r"}, "actor_token_type": {oauth.TypeJWT},
			"requested_token_type": {oauth.TypeJWT},
		})
	})
	bubble(t, "without a subject", func(t *testing.T) {
		a, n := rig(t)
		c := newClient(t, n, oauth.Config{ClientID: "c"})
		_, err := c.TokenExchange(oauth.Exchange{})
		assert.Contains(t, err.Error(), "Exchange.Subject is nil")
		_, err = c.TokenExchange(oauth.Exchange{Subject: (*aplomb.Tokens)(nil)})
		assert.Contains(t, err.Error(), "Exchange.Subject is nil")
		_, err = c.TokenExchange(oauth.Exchange{Subject: aplomb.Static("subj"), Actor: (*aplomb.Tokens)(nil)})
		assert.Contains(t, err.Error(), "Exchange.Actor is a nil *aplomb.Tokens")
		none := aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("no such file") })
		tokens, err := c.TokenExchange(oauth.Exchange{Subject: none})
		assert.Contains(t, token(t, tokens, err), "Exchange.Subject: SecretFunc failed: no such file")
		tokens, err = c.TokenExchange(oauth.Exchange{Subject: aplomb.Static("subj"), Actor: none})
		assert.Contains(t, token(t, tokens, err), "Exchange.Actor: SecretFunc failed: no such file")
		equal(t, a.requests(), 0)
	})
}

// An assertion of the server's time, a fresh one for each attempt.
func TestJWTBearer(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(400, "invalid_grant", "issued in the future", "Date", time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat))}
		c := newClient(t, n, oauth.Config{Scopes: []string{"cloud"}})
		tokens, err := c.JWTBearer(aplomb.JWT{Signer: p256(), Issuer: "bot@acme.test", Subject: "user@acme.test"})
		equal(t, token(t, tokens, err), "access-1")
		equal(t, a.form(0).Get("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer")
		equal(t, a.form(0).Get("scope"), "cloud")
		var ids []any
		for i := range 2 {
			claims := jwt.MapClaims{}
			_, _, err = jwt.NewParser().ParseUnverified(a.form(i).Get("assertion"), claims)
			assert.NoError(t, err)
			equal(t, []any{claims["iss"], claims["sub"], claims["aud"]}, []any{"bot@acme.test", "user@acme.test", tokenURL})
			ids = append(ids, claims["jti"])
		}
		assert.True(t, ids[0] != ids[1], ids)
		_, err = c.JWTBearer(aplomb.JWT{})
		assert.Contains(t, fmt.Sprint(err), "oauth: JWTBearer: aplomb: JWT: give Key")
	})
}

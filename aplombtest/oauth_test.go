package aplombtest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// oauthRig is a fake at https://auth.test, an API of its at https://api.test, and a
// context by which x/oauth2 finds both.
func oauthRig(t *testing.T) (*aplombtest.OAuth, context.Context, *http.Client) {
	t.Helper()
	o, n := aplombtest.NewOAuth(), aplombtest.NewNetwork(t)
	n.Serve("https://auth.test", o)
	n.Serve("https://api.test", o.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) })))
	transport := n.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return o, context.WithValue(t.Context(), oauth2.HTTPClient, client), client
}

var oauthEndpoint = oauth2.Endpoint{
	AuthURL: "https://auth.test/authorize", TokenURL: "https://auth.test/token", DeviceAuthURL: "https://auth.test/device_authorization",
	AuthStyle: oauth2.AuthStyleInParams, // found out by trying, it would be a second request at once: slow_down
}

// sendForm sends a form, and returns the answer's status and members.
func sendForm(t *testing.T, c *http.Client, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://auth.test"+path, strings.NewReader(form.Encode()))
	assert.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	assert.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer
}

// show sends a token to the API, and returns the status and the challenge.
func show(t *testing.T, c *http.Client, authorization string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test/", http.NoBody)
	assert.NoError(t, err)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("WWW-Authenticate")))
}

// codeOf is the error code that x/oauth2 was answered with.
func codeOf(err error) string {
	e, _ := errors.AsType[*oauth2.RetrieveError](err)
	if e == nil {
		return fmt.Sprint(err)
	}
	return e.ErrorCode
}

const (
	okStatus     = "200"
	noToken      = `401 Bearer realm="api"`
	invalidToken = `401 Bearer realm="api", error="invalid_token", error_description="the token is not good, or no more"`
)

func TestOAuthClientCredentials(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, ctx, c := oauthRig(t)
		o.Register("billing", "a secret: +%")
		for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
			cfg := clientcredentials.Config{ClientID: "billing", ClientSecret: "a secret: +%", TokenURL: oauthEndpoint.TokenURL, AuthStyle: style, Scopes: []string{"a", "b"}}
			token, err := cfg.Token(ctx)
			assert.NoError(t, err)
			assert.Equal(t, time.Until(token.Expiry).Round(time.Second), time.Hour)
			assert.Equal(t, [2]any{token.Extra("scope"), token.RefreshToken}, [2]any{"a b", ""})
			assert.Equal(t, show(t, c, "Bearer "+token.AccessToken), okStatus)
			cfg.ClientSecret = "another"
			_, err = cfg.Token(ctx)
			assert.Equal(t, codeOf(err), "invalid_client")
		}
		_, err := (&clientcredentials.Config{ClientID: "nobody", TokenURL: oauthEndpoint.TokenURL, AuthStyle: oauth2.AuthStyleInHeader}).Token(ctx)
		assert.Equal(t, codeOf(err), "invalid_client")
		// It lives as long as it says.
		assert.Equal(t, [3]string{show(t, c, "bearer access-1"), show(t, c, ""), show(t, c, "Bearer access-9")}, [3]string{okStatus, noToken, invalidToken})
		pause(time.Hour - time.Second)
		assert.Equal(t, show(t, c, "Bearer access-1"), okStatus)
		pause(time.Second)
		assert.Equal(t, show(t, c, "Bearer access-1"), invalidToken)
		assert.Equal(t, o.Effects(), aplombtest.OAuthEffects{Issued: 2, Refused: 3, Requests: 5, Rejected: 3})
	})
}

// logIn goes through the browser, and returns the address it comes back to.
func logIn(t *testing.T, c *http.Client, address string) *url.URL {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	assert.NoError(t, err)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("%s was answered %d: %v", address, resp.StatusCode, err)
	}
	return back
}

func TestOAuthCode(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, ctx, c := oauthRig(t)
		cfg := &oauth2.Config{ClientID: "app", Endpoint: oauthEndpoint, RedirectURL: "https://app.test/done?x=1", Scopes: []string{"read", "write"}}
		verifier := oauth2.GenerateVerifier()
		start := func() string {
			back := logIn(t, c, cfg.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier)))
			q := back.Query()
			assert.Equal(t, [4]string{back.Host, q.Get("x"), q.Get("state"), q.Get("iss")}, [4]string{"app.test", "1", "the state", "https://auth.test"})
			return q.Get("code")
		}
		code := start()
		_, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
		assert.Equal(t, codeOf(err), "invalid_grant")
		token, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		assert.NoError(t, err)
		assert.Equal(t, show(t, c, "Bearer "+token.AccessToken), okStatus)
		// The code again: somebody has stolen it.
		_, err = cfg.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		assert.Equal(t, codeOf(err), "invalid_grant")
		assert.Equal(t, show(t, c, "Bearer "+token.AccessToken), invalidToken)
		// Too late, by another client, to another address.
		code = start()
		pause(time.Minute + 1)
		_, err = cfg.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		assert.Equal(t, codeOf(err), "invalid_grant")
		for _, change := range []func(*oauth2.Config){func(c *oauth2.Config) { c.ClientID = "other" }, func(c *oauth2.Config) { c.RedirectURL = "https://app.test/" }} {
			other, code := *cfg, start()
			change(&other)
			_, err = other.Exchange(ctx, code, oauth2.VerifierOption(verifier))
			assert.Equal(t, codeOf(err), "invalid_grant")
		}
		// Without PKCE, and refused by the user.
		assert.Equal(t, logIn(t, c, cfg.AuthCodeURL("s")).Query().Get("error"), "invalid_request")
		plain := oauth2.SetAuthURLParam("code_challenge_method", "plain")
		assert.Equal(t, logIn(t, c, cfg.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier), plain)).Query().Get("error"), "invalid_request")
		o.Deny(1)
		assert.Equal(t, logIn(t, c, cfg.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier))).Query().Get("error"), "access_denied")
		assert.True(t, start() != "")
	})
}

func TestOAuthRotation(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, ctx, c := oauthRig(t)
		cfg := &oauth2.Config{ClientID: "app", Endpoint: oauthEndpoint}
		renew := func(refresh string) (*oauth2.Token, error) {
			return cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
		}
		first := o.SeedLogin("app", "read write")
		second, err := renew(first)
		assert.NoError(t, err)
		third, err := renew(second.RefreshToken)
		assert.NoError(t, err)
		assert.Equal(t, [3]string{first, second.RefreshToken, third.RefreshToken}, [3]string{"refresh-1", "refresh-2", "refresh-3"})
		assert.Equal(t, show(t, c, "Bearer "+third.AccessToken), okStatus)
		// One that was rotated away ends all.
		_, err = renew(first)
		assert.Equal(t, codeOf(err), "invalid_grant")
		_, err = renew(third.RefreshToken)
		assert.Equal(t, codeOf(err), "invalid_grant")
		assert.Equal(t, show(t, c, "Bearer "+third.AccessToken), invalidToken)
		assert.Equal(t, o.Effects(), aplombtest.OAuthEffects{Issued: 2, Refreshed: 2, Reused: 1, Refused: 2, Requests: 4, Rejected: 1})
		// Another's, and for more than was agreed to.
		other := o.SeedLogin("app", "read")
		status, answer := sendForm(t, c, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"thief"}, "refresh_token": {other}})
		assert.Equal(t, fmt.Sprint(status, answer["error"]), "400invalid_grant")
		_, answer = sendForm(t, c, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {other}, "scope": {"read admin"}})
		assert.Equal(t, answer["error"], any("invalid_scope"))
		_, err = renew(other)
		assert.NoError(t, err)
	})
}

func TestOAuthDevice(t *testing.T) {
	t.Parallel()
	bubbled(t, "agreed", func(t *testing.T) {
		o, ctx, c := oauthRig(t)
		cfg := &oauth2.Config{ClientID: "tv", Endpoint: oauthEndpoint, Scopes: []string{"read"}}
		device, err := cfg.DeviceAuth(ctx)
		assert.NoError(t, err)
		assert.Equal(t, [3]any{device.UserCode, device.VerificationURI, device.Interval}, [3]any{"BBBB-BBBC", "https://auth.test/device", int64(5)})
		poll := func() any {
			_, answer := sendForm(t, c, "/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"tv"}, "device_code": {device.DeviceCode}})
			return answer["error"]
		}
		assert.Equal(t, poll(), any("authorization_pending"))
		pause(4 * time.Second)
		assert.Equal(t, poll(), any("slow_down")) // and 10 s from now on
		pause(9 * time.Second)
		assert.Equal(t, poll(), any("slow_down")) // 15 s
		pause(15 * time.Second)
		assert.Equal(t, poll(), any("authorization_pending"))
		assert.Equal(t, []bool{o.Approve("XXXX-XXXX"), o.Approve("bbbb-bbbc")}, []bool{false, true})
		start := time.Now()
		device.Interval = 15
		token, err := cfg.DeviceAccessToken(ctx, device)
		assert.NoError(t, err)
		assert.Equal(t, [2]any{time.Since(start), token.RefreshToken}, [2]any{15 * time.Second, "refresh-1"})
		assert.Equal(t, poll(), any("invalid_grant"))
	})
	bubbled(t, "refused, and too late", func(t *testing.T) {
		o, ctx, c := oauthRig(t)
		cfg := &oauth2.Config{ClientID: "tv", Endpoint: oauthEndpoint}
		for _, refuse := range []func(code, page string){
			func(code, _ string) { o.Refuse(code) },
			func(_, page string) { o.Deny(1); logInNowhere(t, c, page) },
		} {
			device, err := cfg.DeviceAuth(ctx)
			assert.NoError(t, err)
			refuse(device.UserCode, device.VerificationURIComplete)
			_, err = cfg.DeviceAccessToken(ctx, device)
			assert.Equal(t, codeOf(err), "access_denied")
		}
		device, err := cfg.DeviceAuth(ctx)
		assert.NoError(t, err)
		pause(10*time.Minute + 1)
		assert.Equal(t, o.Approve(device.UserCode), false)
		_, answer := sendForm(t, c, "/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"tv"}, "device_code": {device.DeviceCode}})
		assert.Equal(t, answer["error"], any("expired_token"))
	})
}

// logInNowhere opens a page that leads nowhere else.
func logInNowhere(t *testing.T, c *http.Client, page string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	assert.NoError(t, err)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	assert.Equal(t, resp.StatusCode, 200)
}

func TestOAuthIntrospectAndRevoke(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, _, c := oauthRig(t)
		refresh := o.SeedLogin("app", "read")
		_, answer := sendForm(t, c, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {refresh}})
		assert.Equal(t, [2]any{answer["access_token"], answer["refresh_token"]}, [2]any{"access-1", "refresh-2"})
		active := func(token string) any {
			_, known := sendForm(t, c, "/introspect", url.Values{"token": {token}})
			return known["active"]
		}
		_, known := sendForm(t, c, "/introspect", url.Values{"token": {"access-1"}})
		assert.Equal(t, [4]any{known["client_id"], known["sub"], known["scope"], known["exp"].(float64) - known["iat"].(float64)}, [4]any{"app", "user", "read", 3600.0})
		assert.Equal(t, []any{active("access-1"), active("refresh-1"), active("refresh-2"), active("nothing")}, []any{true, false, true, false})
		for _, by := range []string{"thief", "app", "app"} { // another's is left alone, twice is no error
			status, _ := sendForm(t, c, "/revoke", url.Values{"token": {"access-1"}, "client_id": {by}})
			assert.Equal(t, status, 200)
			assert.Equal(t, active("access-1"), any(by == "thief"))
		}
		sendForm(t, c, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {"refresh-2"}})
		assert.Equal(t, show(t, c, "Bearer access-2"), okStatus)
		sendForm(t, c, "/revoke", url.Values{"token": {"refresh-3"}, "client_id": {"thief"}})
		assert.Equal(t, active("refresh-3"), any(true))
		sendForm(t, c, "/revoke", url.Values{"token": {"refresh-3"}, "client_id": {"app"}})
		assert.Equal(t, []any{active("access-2"), active("refresh-3")}, []any{false, false})
		assert.Equal(t, o.Effects().Revoked, 2)
		// All at once; who may still log in goes on.
		o.SeedLogin("app", "")
		sendForm(t, c, "/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {"refresh-4"}})
		o.RevokeAll()
		assert.Equal(t, []any{active("access-3"), active("refresh-5")}, []any{false, true})
	})
}

func TestOAuthExchangeAndAssertions(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, _, c := oauthRig(t)
		o.Register("service", "")
		sendForm(t, c, "/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"service"}, "scope": {"read"}})
		exchange := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {"service"},
			"subject_token": {"access-1"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		}
		status, answer := sendForm(t, c, "/token", exchange)
		assert.Equal(t, [3]any{status, answer["access_token"], answer["issued_token_type"]}, [3]any{200, "access-2", "urn:ietf:params:oauth:token-type:access_token"})
		exchange.Set("subject_token", "access-9")
		_, answer = sendForm(t, c, "/token", exchange)
		assert.Equal(t, answer["error"], any("invalid_request"))

		key, err := ecdsa.GenerateKey(elliptic.P256(), nil)
		assert.NoError(t, err)
		sign := func(change func(jwt.MapClaims)) string {
			claims := jwt.MapClaims{"iss": "service", "sub": "service", "aud": "https://auth.test", "exp": time.Now().Add(time.Minute).Unix(), "jti": "1"}
			change(claims)
			text, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
			assert.NoError(t, err)
			return text
		}
		bearer := func(assertion string) any {
			_, answer := sendForm(t, c, "/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}})
			return answer["error"]
		}
		good := sign(func(jwt.MapClaims) {})
		assert.Equal(t, []any{bearer(good), bearer(good), bearer("x")}, []any{nil, "invalid_grant", "invalid_grant"})
		for name, change := range map[string]func(jwt.MapClaims){
			"another audience": func(c jwt.MapClaims) { c["aud"] = "https://other.test" },
			"expired":          func(c jwt.MapClaims) { c["exp"] = time.Now().Unix() },
			"for ever":         func(c jwt.MapClaims) { delete(c, "exp") },
			"the future":       func(c jwt.MapClaims) { c["iat"] = time.Now().Add(time.Hour).Unix() },
			"nobody's":         func(c jwt.MapClaims) { delete(c, "iss") },
		} {
			assert.Equal(t, bearer(sign(func(c jwt.MapClaims) { c["jti"] = name; change(c) })), any("invalid_grant"), name)
		}
		// As the proof of a client.
		proof := url.Values{
			"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion": {sign(func(c jwt.MapClaims) { c["jti"], c["aud"] = "2", []string{"https://auth.test/token"} })},
		}
		status, _ = sendForm(t, c, "/token", proof)
		assert.Equal(t, status, 200)
		status, answer = sendForm(t, c, "/token", proof)
		assert.Equal(t, [2]any{status, answer["error"]}, [2]any{401, "invalid_client"})
	})
}

// A resource server of one's own verifies with what /jwks shows.
func TestOAuthJWT(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "RS256"} {
		bubbled(t, alg, func(t *testing.T) {
			o, _, c := oauthRig(t)
			assert.NoError(t, o.JWT(alg))
			_, answer := sendForm(t, c, "/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"service"}, "scope": {"read"}})
			text := answer["access_token"].(string)
			claims := jwt.MapClaims{}
			parsed, err := jwt.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) { return keyFrom(t, c, token.Header["kid"]), nil },
				jwt.WithValidMethods([]string{alg}), jwt.WithAudience("https://auth.test"), jwt.WithIssuer("https://auth.test"))
			assert.NoError(t, err)
			assert.Equal(t, []any{parsed.Header["typ"], claims["client_id"], claims["sub"], claims["scope"], claims["jti"]}, []any{"at+jwt", "service", "service", "read", "access-1"})
			assert.Equal(t, show(t, c, "Bearer "+text), okStatus)
			o.RevokeAll()
			assert.Equal(t, show(t, c, "Bearer "+text), invalidToken)
			assert.Contains(t, fmt.Sprint(o.JWT("none")), "ES256 or RS256")
		})
	}
}

// keyFrom is the key of an id at /jwks.
func keyFrom(t *testing.T, c *http.Client, kid any) crypto.PublicKey {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://auth.test/jwks", http.NoBody)
	assert.NoError(t, err)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var set struct{ Keys []map[string]string }
	assert.NoError(t, json.NewDecoder(resp.Body).Decode(&set))
	number := func(s string) *big.Int {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		assert.NoError(t, err)
		return new(big.Int).SetBytes(raw)
	}
	for _, key := range set.Keys {
		switch {
		case any(key["kid"]) != kid:
		case key["kty"] == "RSA":
			return &rsa.PublicKey{N: number(key["n"]), E: int(number(key["e"]).Int64())}
		case key["kty"] == "EC":
			point := number(key["x"]).FillBytes(make([]byte, 32))
			point = append([]byte{4}, append(point, number(key["y"]).FillBytes(make([]byte, 32))...)...)
			public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
			assert.NoError(t, err)
			return public
		}
	}
	t.Fatalf("no key %v in %v", kid, set)
	return nil
}

func TestOAuthTrouble(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, _, c := oauthRig(t)
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"service"}}
		o.Fail(2, 503, "temporarily_unavailable")
		for _, want := range []string{"503 temporarily_unavailable", "503 temporarily_unavailable", "200 <nil>"} {
			status, answer := sendForm(t, c, "/token", form)
			assert.Equal(t, fmt.Sprint(status, " ", answer["error"]), want)
		}
		o.Delay(3 * time.Second)
		start := time.Now()
		sendForm(t, c, "/token", form)
		assert.Equal(t, time.Since(start), 3*time.Second)
		o.Delay(0)
		o.Lifetime(0)
		_, answer := sendForm(t, c, "/token", form)
		assert.Equal(t, answer["expires_in"], nil)
		pause(1000 * time.Hour)
		assert.Equal(t, show(t, c, "Bearer access-3"), okStatus)
		assert.Equal(t, show(t, c, "Bearer "+o.SeedToken("app", "read")), okStatus)
		o.Lifetime(1500 * time.Millisecond)
		_, answer = sendForm(t, c, "/token", form)
		assert.Equal(t, answer["expires_in"], any(1.0))
		_, answer = sendForm(t, c, "/token", url.Values{"grant_type": {"password"}})
		assert.Equal(t, answer["error"], any("unsupported_grant_type"))
		_, answer = sendForm(t, c, "/token", url.Values{})
		assert.Equal(t, answer["error"], any("invalid_request"))
		got := o.Received()
		assert.Equal(t, [3]any{len(got), got[0].Path, got[0].Body}, [3]any{8, "/token", form.Encode()})
	})
}

// The library's own client finds the endpoints, and goes through a week of a login
// that two processes share: no refresh token is shown twice.
func TestOAuthByAplomb(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		o, _, c := oauthRig(t)
		cfg, err := oauth.Discover(t.Context(), "https://auth.test", aplomb.Transport(c.Transport))
		assert.NoError(t, err)
		cfg.ClientID, cfg.Transport = "app", c.Transport
		authz, err := oauth.New(cfg)
		assert.NoError(t, err)
		dir := t.TempDir()
		store := oauth.FileStore(dir + "/login.json")
		assert.NoError(t, authz.Adopt(t.Context(), store, aplomb.NewSecret(o.SeedLogin("app", "read"))))
		var apis []*aplomb.Client
		for range 2 {
			tokens, err := authz.Session(store)
			assert.NoError(t, err)
			api, err := aplomb.New("https://api.test", aplomb.Transport(c.Transport), tokens)
			assert.NoError(t, err)
			apis = append(apis, api)
		}
		for day := range 7 {
			for _, api := range apis {
				_, err := aplomb.Get[[]byte](t.Context(), api, "/")
				assert.NoError(t, err)
			}
			if pause(24 * time.Hour); day == 3 {
				o.RevokeAll()
			}
		}
		effects := o.Effects()
		assert.Equal(t, [4]int{effects.Issued, effects.Refreshed, effects.Reused, effects.Refused}, [4]int{7, 7, 0, 0})
	})
}

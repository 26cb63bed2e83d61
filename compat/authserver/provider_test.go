package authserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb/compat/authserver"
)

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		config := clientcredentials.Config{ClientID: authserver.WebID, ClientSecret: authserver.WebSecret, TokenURL: p.TokenURL, AuthStyle: style, Scopes: []string{"read"}}
		token, err := config.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(token.Expiry); left <= 0 || left > authserver.Lifetime {
			t.Errorf("the token is good for %v", left)
		}
		userinfo(t, p, token.AccessToken, 200)
		p.RevokeAll()
		userinfo(t, p, token.AccessToken, 401)
	}
	for style, status := range map[oauth2.AuthStyle]int{oauth2.AuthStyleInHeader: 401, oauth2.AuthStyleInParams: 400} {
		config := clientcredentials.Config{ClientID: authserver.WebID, ClientSecret: "another", TokenURL: p.TokenURL, AuthStyle: style}
		_, err := config.Token(t.Context())
		refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
		if !ok || refusal.ErrorCode != "invalid_client" || refusal.Response.StatusCode != status {
			t.Errorf("a wrong secret, by style %d: %v", style, err)
		}
	}
}

func TestCodeAndRefresh(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	for _, config := range []oauth2.Config{
		{ClientID: authserver.AppID, Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInParams}},
		{ClientID: authserver.WebID, ClientSecret: authserver.WebSecret, Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInHeader}},
	} {
		t.Run(config.ClientID, func(t *testing.T) {
			config.Endpoint.AuthURL, config.Endpoint.TokenURL = p.AuthURL, p.TokenURL
			config.RedirectURL, config.Scopes = authserver.RedirectURI, []string{"openid", "offline_access"}
			verifier := oauth2.GenerateVerifier()
			back, err := p.Login(t.Context(), config.AuthCodeURL("state-1", oauth2.S256ChallengeOption(verifier)))
			if err != nil {
				t.Fatal(err)
			}
			if got := back.Query().Get("state"); got != "state-1" || !strings.HasPrefix(back.String(), authserver.RedirectURI) {
				t.Fatalf("sent back to %s", back)
			}
			if _, err := config.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
				t.Error("another verifier was taken")
			}
			token, err := config.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			userinfo(t, p, token.AccessToken, 200)
			second := refresh(t, config, token.RefreshToken)
			if second.RefreshToken == token.RefreshToken {
				t.Error("the refresh token did not rotate")
			}
			userinfo(t, p, token.AccessToken, 401)
			userinfo(t, p, second.AccessToken, 200)
			before := p.Reused()
			for _, dead := range []string{token.RefreshToken, second.RefreshToken} {
				_, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: dead}).Token()
				if err == nil || !strings.Contains(err.Error(), "invalid_grant") {
					t.Errorf("a refresh token shown again, or one of its family: %v", err)
				}
			}
			userinfo(t, p, second.AccessToken, 401)
			if got := p.Reused() - before; got != 1 {
				t.Errorf("%d reused, want 1", got)
			}
		})
	}
}

func TestPublicClientNeedsPKCE(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	config := oauth2.Config{ClientID: authserver.AppID, RedirectURL: authserver.RedirectURI, Scopes: []string{"openid"}, Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL}}
	back, err := p.Login(t.Context(), config.AuthCodeURL("s"))
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Query().Get("error"); got != "invalid_request" || back.Query().Get("code") != "" {
		t.Errorf("sent back to %s", back)
	}
}

func TestDenyLogin(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	config := oauth2.Config{ClientID: authserver.AppID, RedirectURL: authserver.RedirectURI, Scopes: []string{"openid"}, Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL}}
	back, err := p.DenyLogin(t.Context(), config.AuthCodeURL("state-1", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if err != nil {
		t.Fatal(err)
	}
	q := back.Query()
	if q.Get("error") != "access_denied" || q.Get("state") != "state-1" || q.Has("code") || !strings.HasPrefix(back.String(), authserver.RedirectURI) {
		t.Errorf("sent back to %s", back)
	}
}

func refresh(t *testing.T, config oauth2.Config, refreshToken string) *oauth2.Token {
	t.Helper()
	token, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestDevice(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	config := oauth2.Config{ClientID: authserver.AppID, Scopes: []string{"openid", "offline_access"}, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: p.DeviceURL, TokenURL: p.TokenURL, AuthStyle: oauth2.AuthStyleInParams,
	}}
	for verdict, approve := range map[string]func(ctx context.Context, code string) error{"approved": p.ApproveDevice, "denied": p.DenyDevice} {
		t.Run(verdict, func(t *testing.T) {
			t.Parallel()
			device, err := config.DeviceAuth(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			pending := ask(t, p.TokenURL, url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {authserver.AppID}, "device_code": {device.DeviceCode},
			})
			if pending["error"] != "authorization_pending" {
				t.Errorf("before the user's word: %v", pending)
			}
			if err := approve(t.Context(), device.UserCode); err != nil {
				t.Fatal(err)
			}
			token, err := config.DeviceAccessToken(t.Context(), device)
			if verdict == "denied" {
				if err == nil || !strings.Contains(err.Error(), "access_denied") {
					t.Errorf("denied: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			userinfo(t, p, token.AccessToken, 200)
			refresh(t, config, token.RefreshToken)
		})
	}
}

func TestTokenExchange(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	config := clientcredentials.Config{ClientID: authserver.WebID, ClientSecret: authserver.WebSecret, TokenURL: p.TokenURL, AuthStyle: oauth2.AuthStyleInHeader}
	subject, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer := ask(t, p.TokenURL, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {authserver.WebID}, "client_secret": {authserver.WebSecret},
		"subject_token": {subject.AccessToken}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "scope": {"read"},
	})
	if answer["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" {
		t.Fatal(answer)
	}
	userinfo(t, p, fmt.Sprint(answer["access_token"]), 200)
}

func TestAssertions(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	for name, form := range map[string]func(assertion string) url.Values{
		"private_key_jwt": func(assertion string) url.Values {
			return url.Values{
				"grant_type": {"client_credentials"}, "client_assertion": {assertion},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}
		},
		"JWT bearer grant": func(assertion string) url.Values {
			return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}, "scope": {"openid"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertion := assert(t, p, name, time.Now())
			answer := ask(t, p.TokenURL, form(assertion))
			if answer["access_token"] == nil {
				t.Fatal(answer)
			}
			userinfo(t, p, fmt.Sprint(answer["access_token"]), 200)
			for what, refused := range map[string]string{
				"the same again": assertion,
				"an old one":     assert(t, p, name+" old", time.Now().Add(-10*time.Minute)),
			} {
				if answer := ask(t, p.TokenURL, form(refused)); answer["error"] == nil || answer["access_token"] != nil {
					t.Errorf("%s: %v", what, answer)
				}
			}
		})
	}
}

// assert is an assertion of the client service.
func assert(t *testing.T, p *authserver.Provider, id string, now time.Time) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.ServiceKey, KeyID: authserver.ServiceKeyID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: authserver.ServiceID, Subject: authserver.ServiceID, Audience: jwt.Audience{p.Issuer}, ID: id,
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExpiryAndMiddleware(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { order = append(order, name); next.ServeHTTP(w, r) })
		}
	}
	p := authserver.Start(t, note("first"), note("second"))
	p.SetLifetime(-time.Second)
	answer := ask(t, p.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {authserver.WebID}, "client_secret": {authserver.WebSecret}})
	userinfo(t, p, fmt.Sprint(answer["access_token"]), 401)
	if got := fmt.Sprint(order); got != "[first second first second]" {
		t.Error(got)
	}
}

func TestIntrospectAndRevoke(t *testing.T) {
	t.Parallel()
	p := authserver.Start(t)
	with := func(name, value string) url.Values {
		return url.Values{"client_id": {authserver.WebID}, "client_secret": {authserver.WebSecret}, name: {value}}
	}
	config := oauth2.Config{ClientID: authserver.WebID, ClientSecret: authserver.WebSecret, RedirectURL: authserver.RedirectURI, Scopes: []string{"openid", "offline_access"},
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL, TokenURL: p.TokenURL, AuthStyle: oauth2.AuthStyleInHeader}}
	back, err := p.Login(t.Context(), config.AuthCodeURL("s"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := config.Exchange(t.Context(), back.Query().Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	if answer := ask(t, p.IntrospectURL, with("token", token.AccessToken)); answer["active"] != true || answer["sub"] != "id2" {
		t.Errorf("before: %v", answer)
	}
	post(t, p.RevokeURL, with("token", token.RefreshToken)).Body.Close()
	if answer := ask(t, p.IntrospectURL, with("token", token.AccessToken)); answer["active"] != false {
		t.Errorf("revoked with its refresh token: %v", answer)
	}
	if _, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("a revoked refresh token was taken")
	}
}

// ask posts form to an endpoint and returns its answer.
func ask(t *testing.T, address string, form url.Values) (answer map[string]any) {
	t.Helper()
	resp := post(t, address, form)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func post(t *testing.T, address string, form url.Values) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// userinfo wants status from the protected resource.
func userinfo(t *testing.T, p *authserver.Provider, accessToken string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.UserinfoURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("the resource answered %s, want %d", resp.Status, status)
	}
}

// Package authserver starts a real authorization server for tests: zitadel/oidc with
// its example's in-memory storage, on a loopback port.
//
// It knows three clients and these grants:
//
//	web      secret (Basic or form)  client_credentials, authorization code, refresh token, token exchange
//	app      public                  authorization code with PKCE, refresh token, device
//	service  private_key_jwt         client_credentials, and the JWT bearer grant (RFC 7523)
//
// Refresh tokens rotate; one shown twice revokes its family. An assertion is
// taken once, and its audience is the issuer. Of DPoP it knows nothing.
package authserver

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The clients. WebSecret comes through only if it is form-encoded before Basic
// encoding (RFC 6749, section 2.3.1).
const (
	WebID        = "web"
	WebSecret    = "p%C3:&=+ /?-secret"
	AppID        = "app"
	ServiceID    = "service"
	ServiceKeyID = "key1"
)

// RedirectURI is where a browser is sent back to. For the client app any port
// will do (RFC 8252, section 7.3).
const RedirectURI = "http://127.0.0.1:9/callback"

// Lifetime is that of an access token, unless [Provider.SetLifetime] is called.
const Lifetime = 30 * time.Second

// Provider is a running authorization server.
type Provider struct {
	Issuer        string
	TokenURL      string
	AuthURL       string
	DeviceURL     string // of device authorization
	UserinfoURL   string // a protected resource: 401 to a token that is not good
	IntrospectURL string
	RevokeURL     string
	// ServiceKey signs the assertions of the client service, by RS256.
	ServiceKey *rsa.PrivateKey

	store    *store
	provider *op.Provider
}

// serviceKey is one for all providers: to make one takes longer than most tests.
var serviceKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Start starts a provider, which ends with the test. A middleware sees every
// request before the provider does, first the first; it can count, delay or
// answer in the provider's place.
func Start(tb testing.TB, middlewares ...func(http.Handler) http.Handler) *Provider {
	tb.Helper()
	web := httptest.NewUnstartedServer(nil)
	issuer := "http://" + web.Listener.Addr().String()
	key, err := serviceKey()
	if err != nil {
		tb.Fatal(err)
	}
	s := newStore(issuer, &key.PublicKey)
	config := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
		DeviceAuthorization: op.DeviceAuthorizationConfig{
			Lifetime: time.Minute, PollInterval: time.Second, UserFormPath: "/device", UserCode: op.UserCodeBase20,
		},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		tb.Fatal(err)
	}
	provider, err := op.NewProvider(config, s, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		tb.Fatal(err)
	}
	ours := &server{LegacyServer: op.NewLegacyServer(provider, provider.Endpoints()), provider: provider, seen: map[string]bool{}}
	handler := op.RegisterLegacyServer(ours, op.AuthorizeCallbackHandler(provider))
	for i := range middlewares {
		handler = middlewares[len(middlewares)-1-i](handler)
	}
	web.Config.Handler = handler
	web.Start()
	tb.Cleanup(web.Close)
	at := func(e *op.Endpoint) string { return e.Absolute(issuer) }
	endpoints := provider.Endpoints()
	return &Provider{
		Issuer: issuer, TokenURL: at(endpoints.Token), AuthURL: at(endpoints.Authorization), DeviceURL: at(endpoints.DeviceAuthorization),
		UserinfoURL: at(endpoints.Userinfo), IntrospectURL: at(endpoints.Introspection), RevokeURL: at(endpoints.Revocation),
		ServiceKey: key, store: s, provider: provider,
	}
}

// SetLifetime is the lifetime of the access tokens issued from now on.
func (p *Provider) SetLifetime(d time.Duration) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.lifetime = d
}

// RevokeAll ends every access token issued so far, as after a leak; refresh
// tokens stay good.
func (p *Provider) RevokeAll() {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	clear(p.store.until)
}

// Reused is how many refresh tokens were shown again after their rotation.
func (p *Provider) Reused() int {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return p.store.reused
}

// Login is what a user with a browser does: it opens authURL, logs in, and is
// sent back to the address that Login returns, with code and state or an error
// in its query. Nothing is sent there.
func (p *Provider) Login(ctx context.Context, authURL string) (*url.URL, error) {
	login, err := location(ctx, authURL)
	if err != nil || login.Query().Get("error") != "" {
		return login, err
	}
	id := login.Query().Get("authRequestID")
	if err := p.store.CheckUsernamePassword(userName, password, id); err != nil {
		return nil, err
	}
	return location(ctx, p.AuthURL+"/callback?id="+url.QueryEscape(id))
}

// DenyLogin is the user's no to Login.
func (p *Provider) DenyLogin(ctx context.Context, authURL string) (*url.URL, error) {
	login, err := location(ctx, authURL)
	if err != nil || login.Query().Get("error") != "" {
		return login, err
	}
	request, err := p.store.AuthRequestByID(ctx, login.Query().Get("authRequestID"))
	if err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	op.AuthRequestError(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, authURL, nil), request, oidc.ErrAccessDenied(), p.provider)
	return answer.Result().Location()
}

// Users of the example's storage.
const (
	user     = "id2"
	userName = "test-user2"
	password = "verysecure"
)

// location is where address redirects to.
func location(ctx context.Context, address string) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		return nil, errors.New("the provider answered " + resp.Status + " instead of redirecting")
	}
	return to, nil
}

// ApproveDevice is what a user does at the verification URI: enter the code,
// log in and agree.
func (p *Provider) ApproveDevice(ctx context.Context, userCode string) error {
	return p.store.CompleteDeviceAuthorization(ctx, userCode, user)
}

// DenyDevice is the user's no.
func (p *Provider) DenyDevice(ctx context.Context, userCode string) error {
	if _, err := p.store.GetDeviceAuthorizationByUserCode(ctx, userCode); err != nil {
		return err
	}
	return p.store.DenyDeviceAuthorization(ctx, userCode)
}

// client is one of the example's, with other grants and another way to
// authenticate.
type client struct {
	*storage.Client

	method oidc.AuthMethod
	grants []oidc.GrantType
}

func (c client) AuthMethod() oidc.AuthMethod      { return c.method }
func (c client) GrantTypes() []oidc.GrantType     { return c.grants }
func (c client) IsScopeAllowed(scope string) bool { return scope == "read" || scope == "write" }

func clients() map[string]client {
	return map[string]client{
		WebID: {
			storage.WebClient(WebID, WebSecret, RedirectURI), oidc.AuthMethodBasic,
			[]oidc.GrantType{oidc.GrantTypeClientCredentials, oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeTokenExchange},
		},
		AppID: {
			storage.NativeClient(AppID, RedirectURI), oidc.AuthMethodNone,
			[]oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode},
		},
		ServiceID: {
			storage.WebClient(ServiceID, ""), oidc.AuthMethodPrivateKeyJWT,
			[]oidc.GrantType{oidc.GrantTypeClientCredentials, oidc.GrantTypeBearer},
		},
	}
}

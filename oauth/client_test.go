package oauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

var p256 = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// How each kind of client proves itself.
func TestClientAuth(t *testing.T) {
	t.Parallel()
	odd := "p%C3:&=+ /?-secret" // needs form encoding before base64 does its own
	for name, tt := range map[string]struct {
		cfg           oauth.Config
		form          url.Values
		authorization string
	}{
		"basic": {oauth.Config{ClientID: "web app", Auth: oauth.SecretBasic(aplomb.Static(odd)), Scopes: []string{"a", "b"}},
			url.Values{"grant_type": {"client_credentials"}, "scope": {"a b"}}, "Basic d2ViK2FwcDpwJTI1QzMlM0ElMjYlM0QlMkIrJTJGJTNGLXNlY3JldA=="},
		"post": {oauth.Config{ClientID: "web", Auth: oauth.SecretPost(aplomb.Static(odd)), Params: url.Values{"audience": {"https://api.test"}}},
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}, "client_secret": {odd}, "audience": {"https://api.test"}}, ""},
		"public": {oauth.Config{ClientID: "cli"}, url.Values{"grant_type": {"client_credentials"}, "client_id": {"cli"}}, ""},
	} {
		bubble(t, name, func(t *testing.T) {
			a, n := rig(t)
			equal(t, token(t, newClient(t, n, tt.cfg).ClientCredentials(), nil), "access-1")
			equal(t, a.form(0), tt.form)
			equal(t, a.header(0).Get("Authorization"), tt.authorization)
			equal(t, a.header(0).Get("Accept"), "application/json")
		})
	}
}

// assertionOf verifies a client assertion or a grant's and returns its claims.
func assertionOf(t *testing.T, key crypto.PublicKey, text string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return key, nil }, jwt.WithTimeFunc(func() time.Time { return time.Now() }))
	assert.NoError(t, err)
	return claims
}

// An assertion is good once: each attempt has its own, a retry's too.
func TestPrivateKeyJWTIsFresh(t *testing.T) {
	t.Parallel()
	for issuer, audience := range map[string]string{"": tokenURL, "https://auth.test/": "https://auth.test/"} {
		bubble(t, "audience "+audience, func(t *testing.T) {
			a, n := rig(t)
			a.steps = []http.HandlerFunc{refuse(503, "", "")}
			c := newClient(t, n, oauth.Config{ClientID: "svc", Issuer: issuer, Auth: oauth.PrivateKeyJWT(aplomb.JWT{Signer: p256(), KeyID: "k"}), Options: []aplomb.Option{aplomb.Retry{}}})
			equal(t, token(t, c.ClientCredentials(), nil), "access-1")
			seen := map[any]bool{}
			for i := range 2 {
				equal(t, a.form(i).Get("client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
				equal(t, a.form(i).Get("client_id"), "svc")
				claims := assertionOf(t, p256().Public(), a.form(i).Get("client_assertion"))
				equal(t, []any{claims["iss"], claims["sub"], claims["aud"]}, []any{"svc", "svc", audience})
				seen[claims["jti"]] = true
			}
			equal(t, len(seen), 2)
		})
	}
}

// A server whose clock is ten minutes off refuses an assertion once.
func TestPrivateKeyJWTBySkewedClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		bubble(t, skew.String(), func(t *testing.T) {
			a, n := rig(t)
			a.steps = []http.HandlerFunc{refuse(401, "invalid_client", "", "Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))}
			c := newClient(t, n, oauth.Config{ClientID: "svc", Auth: oauth.PrivateKeyJWT(aplomb.JWT{Signer: p256()})})
			equal(t, token(t, c.ClientCredentials(), nil), "access-1")
			claims := jwt.MapClaims{}
			_, _, err := jwt.NewParser().ParseUnverified(a.form(1).Get("client_assertion"), claims)
			assert.NoError(t, err)
			equal(t, claims["iat"], any(float64(time.Now().Add(skew-10*time.Second).Unix())))
			equal(t, a.requests(), 2)
		})
	}
}

// A secret that is being changed at the server, which says so by 401 or, as
// many do, by 400.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 401} {
		for kind, prove := range map[string]func(aplomb.SecretSource) oauth.ClientAuth{"basic": oauth.SecretBasic, "post": oauth.SecretPost} {
			asked := 0
			fresh := func() aplomb.SecretSource {
				return aplomb.SecretFunc(func(context.Context) (string, error) {
					asked++
					return []string{"new-one", "old-one"}[min(asked, 2)-1], nil
				})
			}
			for name, source := range map[string]func() aplomb.SecretSource{
				"rotation":        func() aplomb.SecretSource { return aplomb.Rotation(aplomb.Static("new-one"), aplomb.Static("old-one")) },
				"secrets manager": fresh,
			} {
				bubble(t, fmt.Sprint(code, " ", kind, " ", name), func(t *testing.T) {
					a, n := rig(t)
					a.steps = []http.HandlerFunc{refuse(code, "invalid_client", "")}
					c := newClient(t, n, oauth.Config{ClientID: "web", Auth: prove(source())})
					equal(t, token(t, c.ClientCredentials(), nil), "access-1")
					_, password, _ := (&http.Request{Header: a.header(1)}).BasicAuth()
					equal(t, password+a.form(1).Get("client_secret"), "old-one")
				})
			}
		}
		bubble(t, fmt.Sprint(code, " wrong"), func(t *testing.T) {
			a, n := rig(t)
			for range 9 {
				a.steps = append(a.steps, refuse(code, "invalid_client", ""))
			}
			c := newClient(t, n, oauth.Config{ClientID: "web", Auth: oauth.SecretPost(aplomb.Rotation(aplomb.Static("new-one"), aplomb.Static("old-one")))})
			assert.Contains(t, token(t, c.ClientCredentials(), nil), "invalid_client")
			equal(t, a.requests(), 2)
		})
		bubble(t, fmt.Sprint(code, " a key"), func(t *testing.T) {
			a, n := rig(t)
			a.steps = []http.HandlerFunc{refuse(code, "invalid_client", "")}
			key := aplomb.Rotation(aplomb.Static(pemOf(t, otherKey())), aplomb.Static(pemOf(t, p256())))
			c := newClient(t, n, oauth.Config{ClientID: "svc", Auth: oauth.PrivateKeyJWT(aplomb.JWT{Key: key})})
			equal(t, token(t, c.ClientCredentials(), nil), "access-1")
			assertionOf(t, p256().Public(), a.form(1).Get("client_assertion"))
		})
	}
}

// sequence is a secret that changes by itself, up to its last value.
type sequence struct{ values []string }

func (s *sequence) Secret(context.Context) (aplomb.Secret, error) {
	value := s.values[0]
	s.values = s.values[min(1, len(s.values)-1):]
	return aplomb.NewSecret(value), nil
}

// What is refused is the secret that was shown last, not that of an attempt before.
func TestSecretThatChangesBetweenAttempts(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(503, "", ""), refuse(400, "invalid_client", "")}
		c := newClient(t, n, oauth.Config{ClientID: "web", Options: []aplomb.Option{aplomb.Retry{}}, Auth: oauth.SecretPost(&sequence{[]string{"one", "two"}})})
		assert.Contains(t, token(t, c.ClientCredentials(), nil), "invalid_client")
		equal(t, a.requests(), 2)
	})
}

var otherKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	assert.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func noCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return &tls.Certificate{}, nil
}

// A server that is busy is asked once, unless the client has retries; then again
// by the rules of aplomb, but for what a flow uses up.
func TestRetries(t *testing.T) {
	t.Parallel()
	bubble(t, "client credentials", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(503, "", ""), refuse(503, "", ""), refuse(503, "", "")}
		assert.Contains(t, token(t, newClient(t, n, oauth.Config{ClientID: "web"}).ClientCredentials(), nil), "503")
		equal(t, a.requests(), 1)
		retrying := oauth.Config{ClientID: "web", Options: []aplomb.Option{aplomb.Retry{}}}
		equal(t, token(t, newClient(t, n, retrying).ClientCredentials(), nil), "access-1")
		equal(t, a.requests(), 4)
	})
	bubble(t, "refresh", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(503, "", "")}
		c, store := newClient(t, n, oauth.Config{ClientID: "web", Options: []aplomb.Option{aplomb.Retry{}}}), &memory{}
		assert.NoError(t, c.Adopt(context.Background(), store, aplomb.NewSecret("r0")))
		tokens, err := c.Session(store)
		assert.Contains(t, token(t, tokens, err), "oauth: auth.test answered 503")
		equal(t, a.requests(), 1)
	})
	bubble(t, "refresh, that never left", func(t *testing.T) {
		a, n := rig(t)
		through, dials := n.Transport(), 0
		defer through.CloseIdleConnections()
		c, err := oauth.New(oauth.Config{ClientID: "web", TokenURL: tokenURL, Options: []aplomb.Option{aplomb.Retry{}}, Transport: aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if dials++; dials == 1 {
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
			return through.RoundTrip(r)
		})})
		assert.NoError(t, err)
		tokens, err := c.Session(login(t, c, a))
		equal(t, token(t, tokens, err), "access-1")
		equal(t, dials, 2)
	})
	bubble(t, "refresh, with a company's keys on each POST", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(503, "", "")}
		c := newClient(t, n, oauth.Config{ClientID: "web", Options: []aplomb.Option{aplomb.Idempotency{}, aplomb.Retry{}}})
		tokens, err := c.Session(login(t, c, a))
		assert.Contains(t, token(t, tokens, err), "oauth: auth.test answered 503")
		equal(t, a.requests(), 1)
	})
}

// A Client that New did not make says so, and does not panic.
func TestClientThatNewDidNotMake(t *testing.T) {
	t.Parallel()
	for _, c := range []*oauth.Client{nil, {}} {
		_, ofToken := c.ClientCredentials().Token(t.Context())
		_, ofSession := c.Session(&memory{})
		_, ofBearer := c.JWTBearer(aplomb.JWT{Signer: p256()})
		_, ofExchange := c.TokenExchange(oauth.Exchange{Subject: aplomb.Static("x")})
		ofLogin := c.Login(t.Context(), &memory{}, func(string) error { return nil })
		ofDevice := c.LoginDevice(t.Context(), &memory{}, func(oauth.DevicePrompt) error { return nil })
		for _, err := range []error{ofToken, ofSession, ofBearer, ofExchange, ofLogin, ofDevice} {
			assert.Contains(t, fmt.Sprint(err), "make one with oauth.New")
		}
	}
}

// Whom the server could not tell from others is told before it is asked.
func TestClientWithoutAName(t *testing.T) {
	t.Parallel()
	c, err := oauth.New(oauth.Config{TokenURL: tokenURL})
	assert.NoError(t, err)
	assert.Contains(t, token(t, c.ClientCredentials(), nil), "Config.ClientID is empty")
	assert.Contains(t, fmt.Sprint(c.Login(t.Context(), &memory{}, func(string) error { return nil })), "Config.ClientID is empty")
}

// No key is printed with what holds it.
func TestConfigPrintsNoKey(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0xA7}, ed25519.SeedSize))
	dpop, err := oauth.NewDPoP(key)
	assert.NoError(t, err)
	cfg := oauth.Config{Auth: oauth.PrivateKeyJWT(aplomb.JWT{Signer: key}), DPoP: dpop}
	for _, text := range []string{fmt.Sprintf("%v %+v", cfg, cfg), fmt.Sprintf("%v %#v", cfg.Auth, cfg.Auth)} {
		assert.NotContains(t, text, "167 167")
		assert.NotContains(t, text, "0xa7, 0xa7")
	}
}

func TestInvalidConfig(t *testing.T) {
	t.Parallel()
	secret := oauth.SecretBasic(aplomb.Static("s"))
	for want, cfg := range map[string]oauth.Config{
		"Config.TokenURL is empty: set it, or use Discover": {},
		"TokenURL must be https":                            {TokenURL: "http://auth.test/token"},
		"TokenURL is no address":                            {TokenURL: "https://user:pl4nted@auth.test/token"},
		"AuthURL must be https":                             {TokenURL: tokenURL, AuthURL: "http://auth.test/"},
		"DeviceURL is no address":                           {TokenURL: tokenURL, DeviceURL: "auth.test"},
		"ClientID is empty":                                 {TokenURL: tokenURL, Auth: secret},
		"has an empty scope":                                {TokenURL: tokenURL, Scopes: []string{""}},
		"grant_type is set by the flow":                     {TokenURL: tokenURL, Params: url.Values{"grant_type": {"x"}}},
		"redirect_uri is set by the flow":                   {TokenURL: tokenURL, Params: url.Values{"redirect_uri": {"x"}}},
		"make it with NewDPoP":                              {TokenURL: tokenURL, DPoP: &oauth.DPoP{}},
		"Transport is a nil *http.Transport":                {TokenURL: tokenURL, ClientID: "x", Auth: oauth.MutualTLS(noCertificate), Transport: (*http.Transport)(nil)},
		"the client's secret is nil":                        {TokenURL: tokenURL, ClientID: "x", Auth: oauth.SecretPost(nil)},
		"give Key, or a Signer":                             {TokenURL: tokenURL, ClientID: "x", Auth: oauth.PrivateKeyJWT(aplomb.JWT{})},
		"the certificate function is nil":                   {TokenURL: tokenURL, ClientID: "x", Auth: oauth.MutualTLS(nil)},
		"which takes no certificate": {TokenURL: tokenURL, ClientID: "x", Auth: oauth.MutualTLS(noCertificate),
			Transport: aplomb.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, nil })},
		"is empty: set it": {TokenURL: tokenURL, ClientID: "x", Auth: oauth.SecretBasic(aplomb.Env("APLOMB_TEST_UNSET"))},
	} {
		_, err := oauth.New(cfg)
		assert.Contains(t, fmt.Sprint(err), want)
		assert.NotContains(t, fmt.Sprint(err), "pl4nted")
	}
	for _, good := range []string{"http://127.0.0.1:8080/token", "http://localhost/token", "http://[::1]/token"} {
		_, err := oauth.New(oauth.Config{TokenURL: good})
		assert.True(t, err == nil, good, err)
	}
}

// The endpoint is down: a thousand calls, each with a deadline of its own, cause
// one request and get one error.
func TestEndpointDownForAThousand(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(503, "", ""), refuse(503, "", "")}
		transport := n.Transport()
		defer transport.CloseIdleConnections()
		c, err := aplomb.New("https://api.test", aplomb.Transport(transport), newClient(t, n, oauth.Config{ClientID: "web"}).ClientCredentials())
		assert.NoError(t, err)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				_, err := aplomb.Get[struct{}](context.Background(), c, "/", aplomb.Timeout(time.Duration(i+1)*time.Millisecond))
				assert.Contains(t, fmt.Sprint(err), "no credential (oauth: auth.test answered 503) (not sent, 0s)")
			})
		}
		all.Wait()
		equal(t, a.requests(), 1)
	})
}

// The whole way: a client of an API, and the token at its own origin only.
func TestThroughAnAPI(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		var seen []string
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Header.Get("Authorization"))
			if len(seen) == 2 {
				w.WriteHeader(401)
				return
			}
			answer(w, map[string]string{"id": "o_1"})
		}))
		authz := newClient(t, n, oauth.Config{ClientID: "web", Auth: oauth.SecretBasic(aplomb.Static("secret"))})
		c, err := aplomb.New("https://api.test", aplomb.Transport(n.Transport()), authz.ClientCredentials())
		assert.NoError(t, err)
		for range 2 {
			_, err = aplomb.Get[struct{ ID string }](context.Background(), c, "/orders")
			assert.NoError(t, err)
		}
		equal(t, seen, []string{"Bearer access-1", "Bearer access-1", "Bearer access-2"})
		equal(t, a.requests(), 2)
		c.CloseIdleConnections()
	})
}

package oauth_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// browser is a user who logs in: it follows the address, and returns to the
// redirect address with what change makes of the answer.
func browser(t *testing.T, asked *url.Values, change func(url.Values), want int) func(string) error {
	t.Helper()
	return func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		*asked = u.Query()
		answer := url.Values{"code": {"the-code"}, "state": {asked.Get("state")}}
		change(answer)
		var reading sync.WaitGroup
		t.Cleanup(reading.Wait) // the page is read to its end, when Login is over
		reading.Go(func() { visit(t, asked.Get("redirect_uri")+"?"+answer.Encode(), want) })
		return nil
	}
}

// visit reads the page at an address.
func visit(t *testing.T, address string, want int) {
	t.Helper()
	req, _ := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, address, http.NoBody)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	page, _ := io.ReadAll(resp.Body)
	assert.NoError(t, resp.Body.Close())
	equal(t, resp.StatusCode, want)
	assert.NotContains(t, string(page), "the-code")
}

func onLoopback(t *testing.T, a *authority, cfg oauth.Config) *oauth.Client {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	cfg.TokenURL, cfg.AuthURL, cfg.ClientID = server.URL+"/token", cmp.Or(cfg.AuthURL, server.URL+"/authorize?tenant=1"), "cli"
	c, err := oauth.New(cfg)
	assert.NoError(t, err)
	return c
}

func TestLogin(t *testing.T) {
	t.Parallel()
	a := &authority{life: 3600e9}
	c := onLoopback(t, a, oauth.Config{Scopes: []string{"openid", "offline_access"}, Params: url.Values{"audience": {"api"}, "resource": {"r1", "r2"}}})
	var asked url.Values
	store := &memory{}
	assert.NoError(t, c.Login(t.Context(), store, browser(t, &asked, func(url.Values) {}, 200)))
	equal(t, []string{asked.Get("response_type"), asked.Get("client_id"), asked.Get("scope"), asked.Get("tenant"), asked.Get("audience"), asked.Get("code_challenge_method")},
		[]string{"code", "cli", "openid offline_access", "1", "api", "S256"})
	assert.True(t, strings.HasPrefix(asked.Get("redirect_uri"), "http://127.0.0.1:") && strings.HasSuffix(asked.Get("redirect_uri"), "/callback"), asked)
	equal(t, asked["resource"], []string{"r1", "r2"})
	form := a.form(0)
	equal(t, form["resource"], []string{"r1", "r2"})
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	equal(t, base64.RawURLEncoding.EncodeToString(challenge[:]), asked.Get("code_challenge"))
	equal(t, []string{form.Get("grant_type"), form.Get("code"), form.Get("redirect_uri"), form.Get("client_id")},
		[]string{"authorization_code", "the-code", asked.Get("redirect_uri"), "cli"})
	tokens, err := c.Session(store)
	equal(t, token(t, tokens, err), "access-1")
	equal(t, a.requests(), 1)
}

// A redirect address as it was registered.
func TestLoginRedirectURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": "http://127.0.0.1:", "http://localhost/auth/done": "http://localhost:", "http://[::1]": "http://[::1]:"} {
		a := &authority{}
		var asked url.Values
		err := onLoopback(t, a, oauth.Config{RedirectURL: given}).Login(t.Context(), &memory{}, func(address string) error {
			u, err := url.Parse(address)
			asked = u.Query()
			return errors.Join(err, errors.New("that is all"))
		})
		if given == "http://[::1]" && strings.Contains(err.Error(), "wait at Config.RedirectURL") {
			continue // a machine without IPv6
		}
		assert.Contains(t, err.Error(), "that is all")
		got := asked.Get("redirect_uri")
		assert.True(t, strings.HasPrefix(got, want) && (given == "" || strings.HasSuffix(got, strings.TrimPrefix(strings.TrimPrefix(given, "http://localhost"), "http://[::1]"))), got)
	}
	for _, bad := range []string{"https://127.0.0.1/x", "http://acme.test/x", "http://localhost/?a=b", "myapp://done"} {
		err := onLoopback(t, &authority{}, oauth.Config{RedirectURL: bad}).Login(t.Context(), &memory{}, func(string) error { return nil })
		assert.Contains(t, err.Error(), "must be an http address on loopback")
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(url.Values)
		want   string
	}{
		"denied": {func(v url.Values) {
			v.Del("code")
			v.Set("error", "access_denied")
			v.Set("error_description", "the user said no")
		},
			`oauth: login.test refused: access_denied "the user said no"`},
		"no code":      {func(v url.Values) { v.Del("code") }, "the answer has no code"},
		"other issuer": {func(v url.Values) { v.Set("iss", "https://evil.test") }, "another authorization server than Config.Issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &authority{}
			var asked url.Values
			store := &memory{}
			err := onLoopback(t, a, oauth.Config{Issuer: "https://auth.test", AuthURL: "https://login.test/authorize"}).Login(t.Context(), store, browser(t, &asked, tt.change, 400))
			assert.Contains(t, err.Error(), tt.want)
			equal(t, [2]int{a.requests(), store.saves}, [2]int{0, 0})
		})
	}
}

// What is not of this login, from whoever is on this machine, does not end it.
func TestLoginForged(t *testing.T) {
	t.Parallel()
	a := &authority{}
	ctx, cancel := context.WithCancelCause(t.Context())
	err := onLoopback(t, a, oauth.Config{}).Login(ctx, &memory{}, func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		host, _ := strings.CutSuffix(u.Query().Get("redirect_uri"), "/callback")
		for _, forged := range []string{"/callback?state=guess&code=forged", "/callback", "/", "/callback?state=&code=x"} {
			visit(t, host+forged, 400)
		}
		cancel(errors.New("gave up"))
		return nil
	})
	assert.Contains(t, err.Error(), "/callback? gave up")
	equal(t, a.requests(), 0)
}

func TestLoginNeeds(t *testing.T) {
	t.Parallel()
	c := onLoopback(t, &authority{}, oauth.Config{})
	no := errors.New("no browser")
	assert.ErrorIs(t, c.Login(t.Context(), &memory{}, func(string) error { return no }), no)
	full := &memory{fail: errors.New("disk full")}
	assert.ErrorIs(t, c.Login(t.Context(), full, func(string) error { return errors.New("asked") }), full.fail)
	assert.Contains(t, c.Login(t.Context(), nil, func(string) error { return nil }).Error(), "TokenStore is nil")
	assert.Contains(t, c.Login(t.Context(), &memory{}, nil).Error(), "open is nil")
	bare, err := oauth.New(oauth.Config{TokenURL: tokenURL, ClientID: "cli"})
	assert.NoError(t, err)
	assert.Contains(t, bare.Login(t.Context(), &memory{}, func(string) error { return nil }).Error(), "AuthURL is empty")
	assert.Contains(t, bare.LoginDevice(t.Context(), &memory{}, func(oauth.DevicePrompt) error { return nil }).Error(), "DeviceURL is empty")
}

package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// What the server says is shown as code and description, without what it echoes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		refuse(400, "invalid_request", fmt.Sprintf("cannot read %s %s", r.PostForm.Encode(), r.Header.Get("Authorization")))(w, r)
	}
	for name, tt := range map[string]struct {
		step http.HandlerFunc
		want string
	}{
		"refused":  {refuse(401, "invalid_client", "no such client"), `oauth: auth.test answered 401 invalid_client "no such client": look at Config.ClientID and Config.Auth`},
		"scope":    {refuse(400, "invalid_scope", ""), `invalid_scope: look at Config.Scopes`},
		"flow":     {refuse(400, "unauthorized_client", ""), `unauthorized_client: the server does not allow this client that flow`},
		"echo":     {echo, "oauth: auth.test answered 400 invalid_request"},
		"long":     {refuse(400, "invalid_scope", strings.Repeat("long ", 1000)), `long ...`},
		"200":      {refuse(200, "bad_verification_code", "expired"), `oauth: auth.test answered 200 bad_verification_code "expired"`},
		"no token": {func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]string{}) }, "missing access_token"},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			_, _ = w.Write([]byte("<h1>pl4nted-secret"))
		}, "oauth: auth.test answered 403"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/", http.StatusTemporaryRedirect)
		}, "answered 307: its redirects are not followed"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, "answered 302: its redirects are not followed"},
	} {
		for kind, auth := range map[string]oauth.ClientAuth{
			"basic": oauth.SecretBasic(aplomb.Static("pl4nted-secret")), "post": oauth.SecretPost(aplomb.Static("pl4nted-secret")),
		} {
			bubble(t, name+", "+kind, func(t *testing.T) {
				a, n := rig(t)
				evil := &authority{}
				n.Serve("https://evil.test", evil)
				a.steps = []http.HandlerFunc{tt.step}
				c := newClient(t, n, oauth.Config{ClientID: "web", Auth: auth})
				_, err := c.ClientCredentials().Token(context.Background())
				assert.Contains(t, fmt.Sprint(err), tt.want)
				assert.True(t, len(fmt.Sprint(err)) < 500, "it is one short line")
				for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v %#v", err, err)} {
					assert.NotContains(t, text, "pl4nted-secret")
				}
				equal(t, [2]int{a.requests(), evil.requests()}, [2]int{1, 0})
			})
		}
	}
}

// What the request carried is in no error, however the server quotes it and
// however large the form is.
func TestEchoes(t *testing.T) {
	t.Parallel()
	const odd = "p%C3:&=+ /?-horse"
	large := url.Values{"claims": {strings.Repeat("x", 1<<20)}}
	jwtBearer := func(c *oauth.Client) (*aplomb.Tokens, error) { return c.JWTBearer(aplomb.JWT{Signer: p256()}) }
	exchange := func(c *oauth.Client) (*aplomb.Tokens, error) {
		return c.TokenExchange(oauth.Exchange{Subject: aplomb.Static("subject-horse"), Actor: aplomb.Static("actor-horse")})
	}
	for name, flow := range map[string]func(*oauth.Client) (*aplomb.Tokens, error){
		"client_secret": func(c *oauth.Client) (*aplomb.Tokens, error) { return c.ClientCredentials(), nil }, "assertion": jwtBearer,
		"subject_token": exchange, "actor_token": exchange, "client_assertion": jwtBearer,
	} {
		secret, auths := odd, map[string]oauth.ClientAuth{"basic": oauth.SecretBasic(aplomb.Static(odd)), "post": oauth.SecretPost(aplomb.Static(odd))}
		if name == "client_assertion" {
			secret, auths = "key", map[string]oauth.ClientAuth{"key": oauth.PrivateKeyJWT(aplomb.JWT{Signer: p256()})}
		}
		for kind, auth := range auths {
			for size, params := range map[string]url.Values{"small": nil, "large": large} {
				bubble(t, name+", "+kind+", "+size, func(t *testing.T) {
					a, n := rig(t)
					shown := ""
					a.steps = []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
						shown = r.PostForm.Get(name)
						refuse(400, "invalid_request", "no "+shown+" and no "+secret+" or "+url.QueryEscape(secret))(w, r)
					}}
					tokens, err := flow(newClient(t, n, oauth.Config{ClientID: "web", Auth: auth, Params: params}))
					got := token(t, tokens, err)
					assert.Contains(t, got, "400 invalid_request")
					assert.NotContains(t, got, "horse")
					assert.True(t, shown == "" || !strings.Contains(got, shown), got)
				})
			}
		}
	}
}

// A secret of a letter hides nothing, and its mask would tear the text to pieces.
func TestEchoOfALetter(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{refuse(400, "invalid_request", "no such audience")}
		c := newClient(t, n, oauth.Config{ClientID: "web", Auth: oauth.SecretBasic(aplomb.Static("a"))})
		assert.Contains(t, token(t, c.ClientCredentials(), nil), `400 invalid_request "no such audience"`)
	})
}

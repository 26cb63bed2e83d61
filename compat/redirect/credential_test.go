package redirect_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/oauth"
)

// ed25519Key is a key of a service.
var ed25519Key = sync.OnceValue(func() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// tokens has the secret as its token.
func tokens() *aplomb.Tokens {
	return &aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
		return aplomb.Token{Value: aplomb.NewSecret(secret), Expiry: time.Now().Add(time.Hour)}, nil
	}}
}

// signed is the line of a signer that has the secret for its key.
func signed(name string, s aplomb.Signer) setup {
	return ours("Sign, "+name, scheme{client: with(aplomb.Sign(s))})
}

// hmacSigner signs what its API's documentation might say.
type hmacSigner struct{}

func (hmacSigner) Sign(r *http.Request, now time.Time) error {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s %s %d", r.Method, r.URL.RequestURI(), now.Unix())
	r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	return nil
}

// grants has the API's own token endpoint issue the secret, as a token of that
// kind, and returns its address.
func (r *rig) grants(kind string) string {
	r.answers["/token"] = fmt.Sprintf(`{"access_token":%q,"token_type":%q,"expires_in":3600}`, secret, kind)
	return r.url + "/token"
}

// granted are the tokens that flow gets, bound to a key if there is one.
func granted(key *oauth.DPoP, flow func(*rig, *oauth.Client) *aplomb.Tokens) func(*rig) []aplomb.Option {
	return func(r *rig) []aplomb.Option {
		kind := "Bearer"
		if key != nil {
			kind = "DPoP"
		}
		return []aplomb.Option{flow(r, authz(r, oauth.Config{TokenURL: r.grants(kind), DPoP: key}))}
	}
}

// authz is the client that cfg describes.
func authz(r *rig, cfg oauth.Config) *oauth.Client {
	cfg.ClientID, cfg.Transport = "id", r.transport()
	c, err := oauth.New(cfg)
	if err != nil {
		r.tb.Fatal(err)
	}
	return c
}

// itself is the flow of a service that acts for itself.
func itself(_ *rig, c *oauth.Client) *aplomb.Tokens { return c.ClientCredentials() }

// loggedIn is the flow of a user who has logged in.
func loggedIn(r *rig, c *oauth.Client) *aplomb.Tokens {
	store := oauth.FileStore(filepath.Join(r.tb.TempDir(), "login.json"))
	if err := c.Adopt(r.tb.Context(), store, aplomb.NewSecret(secret)); err != nil {
		r.tb.Fatal(err)
	}
	return must(r, func() (*aplomb.Tokens, error) { return c.Session(store) })
}

// dpop binds tokens to a key of its own.
func dpop() *oauth.DPoP {
	d, err := oauth.NewDPoP(nil)
	if err != nil {
		panic(err)
	}
	return d
}

package redirect_test

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/oauth"
)

// aplombTokenClients are package oauth's lines of the table's last part: each
// request that it makes for a token, with the secret in what it shows.
func aplombTokenClients() []tokenClient {
	static := aplomb.Static(secret)
	// The key's name is what can be seen of it.
	key := aplomb.JWT{Signer: ed25519Key(), KeyID: secret, Issuer: "id", Subject: "id"}
	exchange := func(r *rig, c *oauth.Client) *aplomb.Tokens {
		return must(r, func() (*aplomb.Tokens, error) { return c.TokenExchange(oauth.Exchange{Subject: static}) })
	}
	bearer := func(r *rig, c *oauth.Client) *aplomb.Tokens {
		return must(r, func() (*aplomb.Tokens, error) { return c.JWTBearer(key) })
	}
	lines := []tokenClient{
		{name: "SecretBasic", token: redeemed(oauth.Config{Auth: oauth.SecretBasic(static)}, itself)},
		{name: "SecretPost", token: redeemed(oauth.Config{Auth: oauth.SecretPost(static)}, itself)},
		{name: "PrivateKeyJWT", token: redeemed(oauth.Config{Auth: oauth.PrivateKeyJWT(key)}, itself)},
		{name: "DPoP", token: redeemed(oauth.Config{DPoP: dpop()}, itself)},
		{name: "Session", token: redeemed(oauth.Config{}, loggedIn)},
		{name: "TokenExchange", token: redeemed(oauth.Config{}, exchange)},
		{name: "JWTBearer", token: redeemed(oauth.Config{}, bearer)},
		{name: "LoginDevice", token: device},
		{name: "GitHubApp", token: gitHubApp},
		{name: "Discover", shown: func(sighting) bool { return true }, token: discovered},
	}
	for i := range lines {
		lines[i].name, lines[i].ours = "aplomb oauth, "+lines[i].name, true
	}
	return lines
}

// redeemed asks for a token in the way that flow has.
func redeemed(cfg oauth.Config, flow func(*rig, *oauth.Client) *aplomb.Tokens) func(context.Context, *rig) string {
	return func(ctx context.Context, r *rig) string {
		at := cfg
		at.TokenURL = r.url + "/token"
		return value(ctx, flow(r, authz(r, at)))
	}
}

// must is the flow, which has no fault in its settings.
func must(r *rig, flow func() (*aplomb.Tokens, error)) *aplomb.Tokens {
	tokens, err := flow()
	if err != nil {
		r.tb.Fatal(err)
	}
	return tokens
}

// value is the token that there is, "" for none.
func value(ctx context.Context, tokens *aplomb.Tokens) string {
	token, _ := tokens.Token(ctx)
	return token.Value.Reveal()
}

func gitHubApp(ctx context.Context, r *rig) string {
	return value(ctx, must(r, oauth.GitHubApp{
		AppID: "id", Key: aplomb.Static(strings.TrimSpace(string(appKey()))), Installation: 2, BaseURL: r.url,
		Options: []aplomb.Option{aplomb.Transport(r.transport())},
	}.Tokens))
}

// device begins a log-in on another device; the code of a foreign server would
// be shown to the user.
func device(ctx context.Context, r *rig) (code string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := authz(r, oauth.Config{TokenURL: r.url + "/token", DeviceURL: r.url + "/device", Auth: oauth.SecretBasic(aplomb.Static(secret))})
	_ = c.LoginDevice(ctx, oauth.FileStore(filepath.Join(r.tb.TempDir(), "login.json")), func(p oauth.DevicePrompt) error {
		cancel() // it has been asked for
		if p.VerificationURI == r.elsewhere {
			code = foreignToken
		}
		return nil
	})
	return code
}

// discovered is a foreign server's token if its endpoint was taken.
func discovered(ctx context.Context, r *rig) string {
	cfg, err := oauth.Discover(ctx, r.url, aplomb.Transport(r.transport()))
	if err == nil && cfg.TokenURL == r.elsewhere {
		return foreignToken
	}
	return ""
}

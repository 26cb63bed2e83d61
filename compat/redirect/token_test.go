package redirect_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// A tokenClient asks a token endpoint, which redirects, for an access token.
type tokenClient struct {
	name string
	ours bool // must not even ask the foreign server
	// shown tells a request that the endpoint itself has to see; nil is
	// credential.
	shown func(sighting) bool
	token func(ctx context.Context, r *rig) (accessToken string)
}

const (
	asked = "asked" // the foreign server was asked, without the client's secret
	taken = "TAKEN" // and its token was accepted
	both  = leak + "+" + taken
)

// tokenClients are the lines of the table's last part. An entry of aplomb's has
// ours set.
func tokenClients() []tokenClient {
	return append(aplombTokenClients(), []tokenClient{
		{name: "x/oauth2 clientcredentials, secret in the form", token: clientCredentials(oauth2.AuthStyleInParams)},
		{name: "x/oauth2 clientcredentials, secret in the header", token: clientCredentials(oauth2.AuthStyleInHeader)},
	}...)
}

func (c tokenClient) measure(t *testing.T, h hop) (cell string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r := newRig(t, h, false)
	token := c.token(ctx, r)
	leaked, accepted := r.foreign.any(credential), token == foreignToken
	shown := c.shown
	if shown == nil {
		shown = credential
	}
	switch {
	case !r.api.any(shown):
		t.Errorf("%s: the token endpoint itself never saw the secret, so nothing is measured", h)
		return clean
	case leaked && accepted:
		return both
	case leaked:
		return leak
	case accepted:
		return taken
	case r.foreign.count() > 0:
		return asked
	default:
		return clean
	}
}

func clientCredentials(style oauth2.AuthStyle) func(context.Context, *rig) string {
	return func(ctx context.Context, r *rig) string {
		config := clientcredentials.Config{ClientID: "id", ClientSecret: secret, TokenURL: r.url + "/token", AuthStyle: style}
		token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, r.client()))
		if err != nil {
			return ""
		}
		return token.AccessToken
	}
}

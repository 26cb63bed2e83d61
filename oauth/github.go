package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// GitHubApp is an installation of a GitHub App: it signs in as the app, and its
// tokens, of an hour each, act for the installation
// (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app).
type GitHubApp struct {
	// AppID is the app's client id, or its number.
	AppID string
	// Key is the app's private key in PEM; during a rotation an aplomb.Rotation.
	Key aplomb.SecretSource
	// Installation is the installation's number.
	Installation int64
	// BaseURL is the API's address. Default https://api.github.com; a GitHub
	// Enterprise Server's ends in /api/v3.
	BaseURL string
	// Repositories and Permissions narrow what the tokens may do, such as
	// "contents": "read". Default: all that the installation may.
	Repositories []string
	Permissions  map[string]string
	// Options are of the client that asks for the tokens.
	Options []aplomb.Option
}

// Tokens are the installation's.
func (g GitHubApp) Tokens() (*aplomb.Tokens, error) {
	base := cmp.Or(g.BaseURL, "https://api.github.com")
	switch {
	case g.AppID == "":
		return nil, errors.New("oauth: GitHubApp.AppID is empty: it stands in the app's settings")
	case g.Installation <= 0:
		return nil, errors.New("oauth: GitHubApp.Installation is empty: its number stands in the address of the installation's settings")
	}
	if _, err := endpoint("GitHubApp.BaseURL", base); err != nil {
		return nil, err
	}
	opts := append([]aplomb.Option{
		aplomb.Header("Accept", "application/vnd.github+json"), aplomb.Header("X-Github-Api-Version", "2022-11-28"),
	}, g.Options...)
	// An app's token may live for ten minutes.
	opts = append(opts, aplomb.JWT{Key: g.Key, Issuer: g.AppID, Lifetime: 9 * time.Minute}, aplomb.PerAttempt(stay))
	c, err := aplomb.New(strings.TrimSuffix(base, "/"), opts...)
	if err != nil {
		return nil, fmt.Errorf("oauth: GitHubApp: %w", err)
	}
	return &aplomb.Tokens{Fetch: func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) { return g.fetch(ctx, c) }}, nil
}

func (g GitHubApp) fetch(ctx context.Context, c *aplomb.Client) (aplomb.Token, error) {
	type scope struct {
		Repositories []string          `json:"repositories,omitempty"`
		Permissions  map[string]string `json:"permissions,omitempty"`
	}
	type issued struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	// The path as the operation's name would have the status behind it, as in
	// "access_tokens: 404", taken for a token and masked.
	token, err := aplomb.Post[issued](ctx, c, "/app/installations/{id}/access_tokens", aplomb.Operation("GitHub installation"),
		aplomb.Path("id", strconv.FormatInt(g.Installation, 10)), aplomb.JSON(scope{g.Repositories, g.Permissions}), aplomb.Safe(), aplomb.Expect(http.StatusCreated))
	if err != nil {
		return aplomb.Token{}, err
	}
	return aplomb.Token{Value: aplomb.NewSecret(token.Token), Expiry: token.Expires}, nil
}

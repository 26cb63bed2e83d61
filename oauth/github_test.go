package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// As docs.github.com describes it: a token of the app's, RS256 and of ten minutes
// at most, for one of the installation's, of an hour.
func TestGitHubApp(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	assert.NoError(t, err)
	text := strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	bubble(t, "", func(t *testing.T) {
		n := aplombtest.NewNetwork(t)
		issued := 0
		n.Serve("https://ghe.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v3/user" {
				equal(t, r.Header.Get("Authorization"), fmt.Sprint("Bearer ghs-", issued))
				answer(w, map[string]string{})
				return
			}
			equal(t, r.Method+" "+r.URL.Path, "POST /api/v3/app/installations/42/access_tokens")
			body, _ := io.ReadAll(r.Body)
			equal(t, string(body), `{"repositories":["one"],"permissions":{"contents":"read"}}`)
			equal(t, []string{r.Header.Get("Accept"), r.Header.Get("X-Github-Api-Version")}, []string{"application/vnd.github+json", "2022-11-28"})
			claims := assertionOf(t, key.Public(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			equal(t, claims["iss"], any("Iv1.abc"))
			expiry, _ := claims.GetExpirationTime()
			at, _ := claims.GetIssuedAt()
			assert.True(t, time.Until(expiry.Time) <= 10*time.Minute && at.Before(time.Now()), claims)
			issued++
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			_, _ = fmt.Fprintf(w, `{"token":"ghs-%d","expires_at":%q,"permissions":{"contents":"read"}}`, issued, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}))
		transport := n.Transport()
		defer transport.CloseIdleConnections()
		tokens, err := oauth.GitHubApp{
			AppID: "Iv1.abc", Key: aplomb.Static(text), Installation: 42, BaseURL: "https://ghe.test/api/v3/", Repositories: []string{"one"},
			Permissions: map[string]string{"contents": "read"}, Options: []aplomb.Option{aplomb.Transport(transport)},
		}.Tokens()
		assert.NoError(t, err)
		c, err := aplomb.New("https://ghe.test/api/v3", aplomb.Transport(transport), tokens)
		assert.NoError(t, err)
		for want := range 3 {
			_, err = aplomb.Get[struct{}](context.Background(), c, "/user")
			assert.NoError(t, err)
			equal(t, issued, want+1)
			pause(time.Hour)
		}
	})
	for want, app := range map[string]oauth.GitHubApp{
		"AppID is empty":        {Installation: 1, Key: aplomb.Static(text)},
		"Installation is empty": {AppID: "1", Key: aplomb.Static(text)},
		"must be https":         {AppID: "1", Installation: 1, Key: aplomb.Static(text), BaseURL: "http://ghe.test"},
		"give Key":              {AppID: "1", Installation: 1},
		"is no PEM private key": {AppID: "1", Installation: 1, Key: aplomb.Static("pl4nted")},
	} {
		_, err := app.Tokens()
		assert.Contains(t, fmt.Sprint(err), want)
		assert.NotContains(t, fmt.Sprint(err), "pl4nted")
	}
}

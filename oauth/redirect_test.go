package oauth_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// A redirect of a POST by 302 is a GET, which carries no credential elsewhere:
// but the token that it brings is not GitHub's.
func TestGitHubAppStays(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKCS8PrivateKey(p256())
	assert.NoError(t, err)
	key := aplomb.Static(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"https://evil.test/", "/other"} {
			bubble(t, fmt.Sprint(status, " ", to), func(t *testing.T) {
				_, n := rig(t)
				var asked []string
				n.Serve("https://github.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked = append(asked, r.URL.Path)
					http.Redirect(w, r, to, status)
				}))
				n.Serve("https://evil.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					asked = append(asked, "evil")
					w.WriteHeader(http.StatusCreated)
					answer(w, map[string]string{"token": "of-another", "expires_at": "2100-01-01T00:00:00Z"})
				}))
				transport := n.Transport()
				t.Cleanup(transport.CloseIdleConnections)
				tokens, err := oauth.GitHubApp{
					AppID: "app", Key: key, Installation: 7, BaseURL: "https://github.test",
					Options: []aplomb.Option{aplomb.Transport(transport)},
				}.Tokens()
				got := token(t, tokens, err)
				assert.Contains(t, got, fmt.Sprint("error: github.test: GitHub installation: ", status))
				equal(t, asked, []string{"/app/installations/7/access_tokens"})
			})
		}
	}
}

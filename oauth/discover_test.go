package oauth_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	metadata := func(issuer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]string{"issuer": issuer, "token_endpoint": "https://auth.test/t", "authorization_endpoint": "https://auth.test/a", "device_authorization_endpoint": "https://auth.test/d"})
		}
	}
	overHTTP := func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": "https://auth.test", "token_endpoint": "http://127.0.0.1/t"})
	}
	for name, tt := range map[string]struct {
		issuer, path string
		answer       http.HandlerFunc
		want         string
	}{
		"RFC 8414":           {"https://auth.test", "/.well-known/oauth-authorization-server", metadata("https://auth.test"), ""},
		"RFC 8414, a tenant": {"https://auth.test/t1", "/.well-known/oauth-authorization-server/t1", metadata("https://auth.test/t1"), ""},
		"OpenID Connect":     {"https://auth.test/t1/", "/t1/.well-known/openid-configuration", metadata("https://auth.test/t1/"), ""},
		"another issuer":     {"https://auth.test", "/.well-known/oauth-authorization-server", metadata("https://evil.test"), `name another issuer: write it as the server does, "https://evil.test"`},
		"endpoint over http": {"https://auth.test", "/.well-known/oauth-authorization-server", overHTTP, "token_endpoint must be https, as the issuer is"},
		"redirected": {"https://auth.test", "/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.test/", http.StatusFound)
		}, "answered 302"},
		"nonsense":    {"https://auth.test", "/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<")) }, "is no JSON"},
		"nothing":     {"https://auth.test", "/", http.NotFound, "answered 404"},
		"over http":   {"http://auth.test", "/", http.NotFound, "the issuer must be https"},
		"unreachable": {"https://gone.test", "/", http.NotFound, "gone.test"},
	} {
		bubble(t, name, func(t *testing.T) {
			n := aplombtest.NewNetwork(t)
			mux := http.NewServeMux()
			mux.HandleFunc("GET "+tt.path, tt.answer)
			n.Serve("https://auth.test", mux)
			transport := n.Transport()
			defer transport.CloseIdleConnections()
			cfg, err := oauth.Discover(t.Context(), tt.issuer, aplomb.Transport(transport), aplomb.NoRetry())
			if tt.want != "" {
				assert.Contains(t, fmt.Sprint(err), tt.want)
				return
			}
			assert.NoError(t, err)
			equal(t, []string{cfg.Issuer, cfg.TokenURL, cfg.AuthURL, cfg.DeviceURL}, []string{tt.issuer, "https://auth.test/t", "https://auth.test/a", "https://auth.test/d"})
		})
	}
}

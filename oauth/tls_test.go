package oauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// A server that knows the client by its certificate, over a real handshake.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	a := &authority{life: time.Hour}
	var shown []*x509.Certificate
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = r.TLS.PeerCertificates
		a.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	given, ok := server.Client().Transport.(*http.Transport) // it trusts the server
	assert.True(t, ok, "it is one")
	asked := 0
	cfg := oauth.Config{TokenURL: server.URL, ClientID: "svc", Transport: given, Options: []aplomb.Option{aplomb.NoRetry()},
		Auth: oauth.MutualTLS(func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked++
			return &server.TLS.Certificates[0], nil
		})}
	c, err := oauth.New(cfg)
	assert.NoError(t, err)
	equal(t, token(t, c.ClientCredentials(), nil), "access-1")
	equal(t, [2]int{asked, len(shown)}, [2]int{1, 1})
	equal(t, a.form(0).Get("client_id"), "svc")
	assert.True(t, given.TLSClientConfig.GetClientCertificate == nil, "the caller's transport is left as it was")

	cfg.Auth = nil
	without, err := oauth.New(cfg)
	assert.NoError(t, err)
	assert.Contains(t, token(t, without.ClientCredentials(), nil), "error: ")
}

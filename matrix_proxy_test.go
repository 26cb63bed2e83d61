package aplomb_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// middleman is what stands between client and server, and what it got to see.
type middleman struct {
	mu   sync.Mutex
	seen []*http.Request
}

func (p *middleman) note(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r)
}

// sees holds what a middleman got to see: these requests and no credential.
func (p *middleman) sees(m *rig, want ...string) {
	m.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []string
	for _, r := range p.seen {
		got = append(got, r.Method+" "+r.RequestURI)
		for name, values := range r.Header {
			assert.True(m.T, !slices.ContainsFunc(values, func(v string) bool { return v == "Bearer "+matrixSecret }), name)
		}
	}
	assert.Equal(m.T, got, want, "what the middleman saw")
}

const matrixSecret = "t0k3n-for-the-api-alone"

// proxied sends the client's https requests through a proxy that answers.
func (p *middleman) proxied(answer func(m *rig) http.HandlerFunc) func(*rig) {
	return func(m *rig) {
		next := answer(m)
		m.network.Serve("http://proxy.test:3128", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.note(r)
			next(w, r)
		}))
		m.base.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:3128"})
		m.url = "https://api.test"
	}
}

func answering(steps ...http.HandlerFunc) func(*rig) http.HandlerFunc {
	return func(*rig) http.HandlerFunc { return script(steps...).ServeHTTP }
}

// tunnelling is what a proxy is for.
func tunnelling(m *rig) http.HandlerFunc {
	dial := m.network.Transport().DialContext
	return func(w http.ResponseWriter, r *http.Request) {
		server, err := dial(r.Context(), "tcp", r.RequestURI)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		wire("HTTP/1.1 200 Connection established\r\n\r\n", func(client net.Conn) {
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			_, _ = io.Copy(client, server)
		})(w, r)
	}
}

// Proxies that refuse, and portals that answer in the server's place. What
// passes in the clear they see; a credential for https they do not.
func proxyRows() []faultRow {
	bearer := []aplomb.Option{aplomb.Bearer(aplomb.Static(matrixSecret))}
	var asked, down, open, portal middleman
	denied := status(407, "Proxy-Authenticate", `Basic realm="corp"`)
	return []faultRow{
		{name: "44 proxy 407", inject: asked.proxied(answering(denied)), opts: bearer, call: postOrder, want: outcome{
			attempts: 1, dials: 1, err: "CallError",
			says: []string{"the proxy answered 407 Proxy Authentication Required", "give the proxy's URL its user and password"}},
			also: func(m *rig, err error) {
				op, _ := errors.AsType[*net.OpError](err)
				assert.True(m.T, op != nil && op.Op == "proxyconnect", err)
				assert.NotContains(m.T, err.Error(), "taken effect")
				asked.sees(m, "CONNECT api.test:443")
			}},
		{name: "44 proxy 503 twice, POST", inject: down.proxied(func(m *rig) http.HandlerFunc {
			return script(status(503), status(503), tunnelling(m)).ServeHTTP
		}), opts: bearer, call: postOrder, want: outcome{
			requests: 1, attempts: 3, takes: first + second, dials: 3, kept: 1, status: 200},
			also: func(m *rig, _ error) {
				down.sees(m, "CONNECT api.test:443", "CONNECT api.test:443", "CONNECT api.test:443")
			}},
		{name: "44 proxy that works sees no secret", inject: open.proxied(tunnelling), opts: bearer, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 200},
			also: func(m *rig, _ error) {
				open.sees(m, "CONNECT api.test:443")
				assert.Equal(m.T, m.api.request(0).Header.Get("Authorization"), "Bearer "+matrixSecret)
			}},
		{name: "44 proxy 407 in the clear", steps: []http.HandlerFunc{denied, ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 407, err: "APIError", says: []string{"give the proxy's URL its user and password"}}},
		{name: "44 captive portal, https", inject: overTLS(func(_ *rig, c *tls.Config) { c.RootCAs = x509.NewCertPool() }),
			opts: bearer, call: postOrder, want: outcome{
				attempts: 1, dials: 1, err: "CallError", says: []string{"a proxy may be in between"}}},
		{name: "44 captive portal, in the clear", steps: []http.HandlerFunc{page(200, "text/html", "<h1>Airport Wi-Fi</h1>"), ok}, want: outcome{
			requests: 1, dials: 1, kept: 1, status: 200, err: "DecodeError", says: []string{"a proxy or login page is answering"}}},
		{name: "44 captive portal, by redirect", steps: []http.HandlerFunc{status(302, "Location", "http://portal.test/login")}, opts: bearer,
			inject: func(m *rig) {
				m.network.Serve("http://portal.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					portal.note(r)
					page(200, "text/html", "<h1>Airport Wi-Fi</h1>")(w, r)
				}))
			},
			want: outcome{requests: 1, attempts: 2, dials: 2, kept: 2, status: 200, err: "DecodeError", says: []string{"a proxy or login page is answering"}},
			also: func(m *rig, _ error) { portal.sees(m, "GET /login") }},
	}
}

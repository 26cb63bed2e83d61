package redirect_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret is what must not arrive at the foreign server. It has a slash, so that
// an escaped copy differs from a raw one.
const secret = "pl4nted/cr3dential"

// A hop is where the API redirects to, and how; each is a column of the table.
type hop struct {
	where  string // host, port or plain
	status int
}

var hops = []hop{{"host", 302}, {"host", 307}, {"port", 302}, {"port", 307}, {"plain", 302}, {"plain", 307}}

func (h hop) String() string { return fmt.Sprintf("%s/%d", h.where, h.status) }

// rig is an API on a loopback port, which redirects every request to a foreign
// server on another, and records what each received.
type rig struct {
	tb        testing.TB
	url       string // of the API
	elsewhere string // of the foreign server
	roots     *x509.CertPool
	api       *recorder
	foreign   *recorder
	answers   map[string]string // paths of the API that answer, with JSON, and are not recorded
	digested  bool              // both servers ask for Digest credentials first
	page      bool              // the API answers with a page whose next one is elsewhere, instead of redirecting
	location  string            // the API accepts the request, and this header says elsewhere how far it is
}

// foreignToken is what the foreign server offers as an access token to whoever
// takes it for the token endpoint, in each form that a client here reads, and
// itself as what else the client may be looking for.
const (
	foreignToken  = "token-of-the-foreign-server"
	foreignAnswer = `{
		"access_token": %[1]q, "token_type": "Bearer", "expires_in": 3600,
		"token": %[1]q, "expires_at": "2100-01-01T00:00:00Z",
		"device_code": %[1]q, "user_code": "WDJB-MJHT", "verification_uri": %[2]q, "interval": 1,
		"issuer": %[3]q, "token_endpoint": %[2]q
	}`
)

// newRig opens the two servers. The API speaks https where the hop leaves it,
// and everywhere for a client that sends its credential over nothing else.
func newRig(tb testing.TB, h hop, secure bool) *rig {
	r := &rig{tb: tb, roots: x509.NewCertPool(), answers: map[string]string{}, api: &recorder{}, foreign: &recorder{}}
	r.roots.AddCert(certificate().Leaf)
	r.elsewhere = serve(tb, secure && h.where != "plain", func(w http.ResponseWriter, req *http.Request) {
		r.foreign.record(req)
		if r.challenged(w, req) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, foreignAnswer, foreignToken, r.elsewhere, r.url)
	})
	if h.where == "host" {
		r.elsewhere = strings.Replace(r.elsewhere, "127.0.0.1", "localhost", 1)
	}
	r.url = serve(tb, secure || h.where == "plain", func(w http.ResponseWriter, req *http.Request) {
		if answer, ok := r.answers[req.URL.Path]; ok {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, answer)
			return
		}
		r.api.record(req)
		switch {
		case r.challenged(w, req):
		case r.page:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Link", fmt.Sprintf(`<%s/2>; rel="next"`, r.elsewhere))
			_, _ = fmt.Fprintf(w, `{"items":[1],"next":"%s/2"}`, r.elsewhere)
		case r.location != "":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set(r.location, r.elsewhere+"/operations/1")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"status":"running"}`)
		default:
			w.Header().Set("Location", r.elsewhere+"/landing")
			w.WriteHeader(h.status)
		}
	})
	return r
}

// challenged answers a request that has to bring Digest credentials first.
func (r *rig) challenged(w http.ResponseWriter, req *http.Request) bool {
	if !r.digested || req.Header.Get("Authorization") != "" {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Digest realm="api", qop="auth", algorithm=SHA-256, nonce="0a4f113b"`)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

func serve(tb testing.TB, secure bool, h http.HandlerFunc) string {
	s := httptest.NewUnstartedServer(h)
	if secure {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
	} else {
		s.Start()
	}
	tb.Cleanup(s.Close)
	return s.URL
}

// certificate is one for both host names; httptest's own lacks localhost.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

// tls is the configuration of a client that trusts the API.
func (r *rig) tls() *tls.Config { return &tls.Config{RootCAs: r.roots, MinVersion: tls.VersionTLS12} }

// transport is net/http's own, trusting the API.
func (r *rig) transport() *http.Transport {
	t := &http.Transport{TLSClientConfig: r.tls()}
	r.tb.Cleanup(t.CloseIdleConnections)
	return t
}

func (r *rig) client() *http.Client { return &http.Client{Transport: r.transport()} }

// get is a request for something of the API, with a header if name is not "".
func (r *rig) get(ctx context.Context, name, value string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/v1/thing", nil)
	if err != nil {
		r.tb.Fatal(err)
	}
	if name != "" {
		req.Header.Set(name, value)
	}
	return req
}

// withBody is a request with the secret in its body.
func (r *rig) withBody(ctx context.Context, method string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, r.url+"/v1/thing", strings.NewReader("password="+url.QueryEscape(secret)))
	if err != nil {
		r.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// recorder keeps what a server received.
type recorder struct {
	mu   sync.Mutex
	seen []sighting
}

func (rec *recorder) record(r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a body cut short is kept as far as it came
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.seen = append(rec.seen, sighting{r.Header, fmt.Sprint(r.RequestURI, r.Host, r.Header, r.Trailer), string(body)})
}

func (rec *recorder) any(has func(sighting) bool) bool { return rec.anySince(0, has) }

// anySince looks at the requests after the first n.
func (rec *recorder) anySince(n int, has func(sighting) bool) bool {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.ContainsFunc(rec.seen[n:], has)
}

func (rec *recorder) count() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return len(rec.seen)
}

// sighting is one request as it arrived.
type sighting struct {
	header http.Header
	head   string // address, headers and trailers
	body   string
}

// derived are headers that are a credential whatever they hold: a Digest
// response or a signature shows nothing of its secret.
var derived = []string{
	"Authorization", "Proxy-Authorization", "Signature", "Signature-Input", "X-Signature", "DPoP",
	"X-Amz-Security-Token", "X-Amz-Date",
}

// credential reports whether the request carried the secret, in whatever form.
func credential(s sighting) bool {
	return slices.ContainsFunc(derived, func(name string) bool { return s.header.Get(name) != "" }) ||
		holdsSecret(s.head) || holdsSecret(s.body)
}

// body reports whether the request's body carried the secret.
func body(s sighting) bool { return holdsSecret(s.body) }

func holdsSecret(text string) bool {
	return slices.ContainsFunc(forms(), func(form string) bool { return strings.Contains(text, form) })
}

// forms are the ways to write the secret: raw, escaped, and in base64, where it
// may begin at any of three places of a group.
var forms = sync.OnceValue(func() []string {
	all := []string{secret, url.QueryEscape(secret), strings.ToLower(url.QueryEscape(secret))}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := strings.Repeat("x", before) + secret
			all = append(all, encoding.EncodeToString([]byte(text))[(before*8+5)/6:len(text)*8/6])
		}
	}
	return all
})

// TestSecretIsFound: a cell is clean only as far as the rig can see.
func TestSecretIsFound(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Bearer " + secret, "?key=" + url.QueryEscape(secret), "/" + url.PathEscape(secret), url.Values{"k": {secret}}.Encode(),
		base64.StdEncoding.EncodeToString([]byte("u:" + secret)), base64.StdEncoding.EncodeToString([]byte("us:" + secret)),
		base64.URLEncoding.EncodeToString([]byte("use:" + secret + ":and more")),
	} {
		if !holdsSecret(text) {
			t.Errorf("%s holds the secret, unseen", text)
		}
	}
	if holdsSecret("pl4nted") || holdsSecret(base64.StdEncoding.EncodeToString([]byte("u:another"))) {
		t.Error("seen where it is not")
	}
}

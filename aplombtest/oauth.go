package aplombtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// OAuth is a stateful fake of an OAuth 2.0 authorization server, an [http.Handler]
// for a [Server] or an [net/http/httptest.Server]. Make one with [NewOAuth]. All
// methods are safe for concurrent use. Its issuer is the origin it is reached at.
//
//	/.well-known/oauth-authorization-server  metadata (RFC 8414), and as openid-configuration
//	/authorize                               log-ins with PKCE (RFC 7636, S256 only); the user agrees at once
//	/token                                   the grants
//	/device_authorization, /device           log-ins of devices (RFC 8628); who opens the latter agrees
//	/introspect, /revoke                     RFC 7662, RFC 7009
//	/jwks                                    the key of JWT, if it was called
//
// The grants are client_credentials, authorization_code, refresh_token,
// device_code, token exchange (RFC 8693) of a token that is good here, and
// jwt-bearer (RFC 7523). Refresh tokens rotate: one that is shown again ends its
// login and all the tokens of it (RFC 9700, section 4.14.2). A code is good for a
// minute and once, a device's for ten minutes; who polls for it faster than every
// 5 s is told slow_down, and from then on to wait 5 s more.
//
// A client is whoever says so, until Register is called. Tokens are called access-1,
// refresh-1, access-2 and so on, unless JWT is called, and live an hour. [OAuth.Protect]
// is an API that takes them.
//
// An assertion's signature is not checked, for nobody has told the fake its key; its
// audience, expiry and that it comes once are. Left out: DPoP, mutual TLS, consent,
// pushed requests, ID tokens.
type OAuth struct {
	mux *http.ServeMux

	mu       sync.Mutex
	clients  map[string]string // secret by id; nil: anybody
	life     time.Duration
	signing  *oauthKey // nil: tokens are opaque
	delay    time.Duration
	failures []oauthError  // of the next token requests
	denials  int           // of the next users
	interval time.Duration // of new devices
	counts   map[string]int
	access   map[string]*oauthAccess
	refresh  map[string]*oauthRefresh
	codes    map[string]*oauthCode
	devices  map[string]*oauthDevice // by user code
	seen     map[string]bool         // the ids of assertions
	effects  OAuthEffects
	received []Received
}

// OAuthEffects counts what requests have brought about.
type OAuthEffects struct {
	Issued    int // access tokens
	Refreshed int // of them by a refresh token
	Reused    int // refresh tokens shown again: each has ended its login
	Revoked   int // tokens given to /revoke that were good until then
	Refused   int // token requests answered by an error, authorization_pending among them
	Requests  int // token requests, all
	Rejected  int // requests to Protect without a good token
}

// oauthLogin is what the tokens of one log-in have in common.
type oauthLogin struct {
	client, subject, scope string
	ended                  bool
}

// oauthAccess is an access token.
type oauthAccess struct {
	login   *oauthLogin
	issued  time.Time
	expires time.Time
	revoked bool
}

// oauthRefresh is a refresh token.
type oauthRefresh struct {
	login *oauthLogin
	used  bool
}

// oauthError is an answer of RFC 6749, section 5.2.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// NewOAuth returns an OAuth without clients, logins and tokens.
func NewOAuth() *OAuth {
	o := &OAuth{
		mux: http.NewServeMux(), life: time.Hour, interval: deviceInterval, counts: map[string]int{},
		access: map[string]*oauthAccess{}, refresh: map[string]*oauthRefresh{},
		codes: map[string]*oauthCode{}, devices: map[string]*oauthDevice{}, seen: map[string]bool{},
	}
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		o.mux.HandleFunc("GET /.well-known/"+name, o.metadata)
	}
	o.mux.HandleFunc("GET /jwks", o.jwks)
	o.mux.HandleFunc("GET /authorize", o.authorize)
	o.mux.HandleFunc("GET /device", o.visitDevice)
	o.mux.HandleFunc("POST /device_authorization", o.form(o.startDevice))
	o.mux.HandleFunc("POST /token", o.token)
	o.mux.HandleFunc("POST /introspect", o.form(o.introspect))
	o.mux.HandleFunc("POST /revoke", o.form(o.revoke))
	return o
}

// Register makes id a client; from then on others are refused. One with a secret
// must show it, by Basic authentication or in the form; without one it is public.
func (o *OAuth) Register(id, secret string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.clients == nil {
		o.clients = map[string]string{}
	}
	o.clients[id] = secret
}

// Lifetime is that of the access tokens issued from now on, an hour by default, in
// whole seconds. Zero: they do not say when they expire, and live for ever.
func (o *OAuth) Lifetime(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.life = d.Truncate(time.Second)
}

// Delay makes each token request take d before it has an effect, also when its
// client gives up meanwhile.
func (o *OAuth) Delay(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delay = d
}

// Fail answers the next n token requests with status and an error of that code, such
// as 503 and "temporarily_unavailable". They have no effect.
func (o *OAuth) Fail(n, status int, code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures = slices.Repeat([]oauthError{{status, code, ""}}, n)
}

// Deny has the next n users refuse: those of /authorize and of /device.
func (o *OAuth) Deny(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.denials = n
}

// RevokeAll ends every access token issued so far, as after a leak. Refresh tokens
// stay good.
func (o *OAuth) RevokeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, token := range o.access {
		token.revoked = true
	}
}

// SeedLogin logs a user in at client without a browser and returns the refresh token.
func (o *OAuth) SeedLogin(client, scope string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.newRefresh(&oauthLogin{client: client, subject: "user", scope: scope})
}

// SeedToken issues an access token without a request, with JWT's form that of
// https://issuer.test, and returns it. It is not counted.
func (o *OAuth) SeedToken(client, scope string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.newAccess("https://issuer.test", &oauthLogin{client: client, subject: "user", scope: scope}, scope)
}

// DeviceInterval is how often a device may ask from now on, 5 s by default: less for
// a test that has real time to wait.
func (o *OAuth) DeviceInterval(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interval = d
}

// Effects returns what has happened so far.
func (o *OAuth) Effects() OAuthEffects {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.effects
}

// Received returns the last 1000 requests, oldest first, without those to Protect.
// They hold the secrets they were sent with.
func (o *OAuth) Received() []Received {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.received)
}

// ServeHTTP implements [http.Handler].
func (o *OAuth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxFakeBody))
	if err != nil {
		return // the client broke off; there is nobody to answer
	}
	_ = r.Body.Close()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	o.mu.Lock()
	o.received = remember(o.received, r, string(body))
	o.mu.Unlock()
	o.mux.ServeHTTP(w, r)
}

// form serves a request whose answer is made of its form under the lock.
func (o *OAuth) form(answer func(r *http.Request, client string) (any, *oauthError)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		client, refused := o.authenticate(r)
		var v any
		if refused == nil {
			v, refused = answer(r, client)
		}
		o.mu.Unlock()
		sendOAuth(w, r, v, refused)
	}
}

// sendOAuth writes an answer, or what refuses it.
func sendOAuth(w http.ResponseWriter, r *http.Request, v any, refused *oauthError) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	status := http.StatusOK
	if refused != nil {
		if _, _, basic := r.BasicAuth(); basic && refused.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Basic realm="oauth"`)
		}
		v, status = refused, refused.status
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // the answers hold nothing that cannot be encoded
}

func badOAuth(code, description string) *oauthError {
	return &oauthError{http.StatusBadRequest, code, description}
}

// authenticate says which client r is of (RFC 6749, section 2.3). Its caller holds
// o.mu.
func (o *OAuth) authenticate(r *http.Request) (string, *oauthError) {
	if err := r.ParseForm(); err != nil {
		return "", badOAuth("invalid_request", "the form cannot be read")
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok { // both are form-encoded first
		if r.PostForm.Has("client_secret") {
			return "", badOAuth("invalid_request", "the client is authenticated in two ways")
		}
		var err, err2 error
		id, err = url.QueryUnescape(user)
		secret, err2 = url.QueryUnescape(password)
		if err != nil || err2 != nil {
			return "", &oauthError{http.StatusUnauthorized, "invalid_client", "id and secret are form-encoded before Basic encoding (RFC 6749, section 2.3.1)"}
		}
	}
	asserted := r.PostForm.Has("client_assertion")
	if asserted {
		subject, refused := o.assertion(r, r.PostForm.Get("client_assertion"), "invalid_client")
		if refused != nil {
			return "", refused
		}
		id = subject
	}
	want, known := o.clients[id]
	switch {
	case o.clients == nil:
	case id == "" && r.PostForm.Get("grant_type") == grantJWTBearer: // it needs no client
	case !known:
		return "", &oauthError{http.StatusUnauthorized, "invalid_client", "there is no such client"}
	case want != "" && !asserted && secret != want:
		return "", &oauthError{http.StatusUnauthorized, "invalid_client", "the secret is wrong"}
	}
	return id, nil
}

// name gives out the next name of a kind, such as access-1.
func (o *OAuth) name(kind string) string {
	o.counts[kind]++
	return kind + "-" + strconv.Itoa(o.counts[kind])
}

// issuerOf is the origin that r was sent to.
func issuerOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

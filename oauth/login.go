package oauth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
)

// Login has the user log in with a browser on this machine, and saves what is
// granted in store, for [Client.Session] (RFC 6749, section 4.1, with PKCE, RFC
// 7636). open shows the address to the user or starts the browser; the answer
// returns to Config.RedirectURL, which the server must allow the client. Login
// ends with ctx.
//
// It suits a command-line tool. One without a browser uses [Client.LoginDevice].
func (c *Client) Login(ctx context.Context, store TokenStore, open func(address string) error) error {
	if err := c.named(); err != nil {
		return err
	}
	switch {
	case c.cfg.AuthURL == "":
		return errors.New("oauth: Config.AuthURL is empty: set it, or use Discover")
	case open == nil:
		return errors.New("oauth: Login: open is nil: print the address, or start a browser")
	}
	if err := usable(ctx, store); err != nil {
		return err
	}
	listener, redirect, err := listen(ctx, c.cfg.RedirectURL)
	if err != nil {
		return err
	}
	attempt := newLogin(c, redirect)
	server := &http.Server{Handler: attempt, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	defer func() {
		// The browser gets the page that says how it went.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
		_ = server.Close()
		<-served
	}()
	if err := open(attempt.address()); err != nil {
		return fmt.Errorf("oauth: Login: open the address: %w", err)
	}
	select {
	case got := <-attempt.code:
		return attempt.redeem(ctx, store, got)
	case <-ctx.Done():
		return fmt.Errorf("oauth: Login: nobody logged in; does the server allow the client %s? %w", redirect, context.Cause(ctx))
	}
}

// listen waits at the redirect address, and returns it with its port.
func listen(ctx context.Context, address string) (listener net.Listener, redirect string, err error) {
	u, err := url.Parse(cmp.Or(address, "http://127.0.0.1/callback"))
	if err != nil || u.Scheme != "http" || !loopback(u.Hostname()) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, "", errors.New("oauth: Config.RedirectURL must be an http address on loopback, such as http://localhost:8085/callback")
	}
	var config net.ListenConfig
	listener, err = config.Listen(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "0")))
	if err != nil {
		return nil, "", fmt.Errorf("oauth: Login: wait at Config.RedirectURL: %w", err)
	}
	if u.Port() == "" {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return listener, u.String(), nil
}

// login is one attempt of a user to log in.
type login struct {
	client          *Client
	redirect        string
	state, verifier string
	code            chan callback
}

// callback is what the browser brought: a code, or why there is none.
type callback struct {
	code string
	err  error
}

func newLogin(c *Client, redirect string) *login {
	return &login{client: c, redirect: redirect, state: oauth2.GenerateVerifier(), verifier: oauth2.GenerateVerifier(), code: make(chan callback, 1)}
}

// address is where the user logs in.
func (l *login) address() string {
	cfg := l.client.cfg
	u := l.authURL()
	query := u.Query()
	maps.Copy(query, cfg.Params)
	u.RawQuery = query.Encode()
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(l.verifier)}
	if cfg.DPoP != nil {
		opts = append(opts, oauth2.SetAuthURLParam("dpop_jkt", cfg.DPoP.Thumbprint())) // RFC 9449, section 10
	}
	conf := oauth2.Config{ClientID: cfg.ClientID, RedirectURL: l.redirect, Scopes: cfg.Scopes, Endpoint: oauth2.Endpoint{AuthURL: u.String()}}
	return conf.AuthCodeURL(l.state, opts...)
}

// authURL is Config.AuthURL, which New has parsed.
func (l *login) authURL() *url.URL {
	u, err := url.Parse(l.client.cfg.AuthURL)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// ServeHTTP takes the browser's return. Anybody on this machine may call it:
// what has not the state is not of this login.
func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	q := r.URL.Query()
	if r.Method != http.MethodGet || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) != 1 {
		http.Error(w, "This is not the answer that was waited for.", http.StatusBadRequest)
		return
	}
	got := l.read(q)
	select {
	case l.code <- got:
	default: // the first counts
	}
	if got.err != nil {
		http.Error(w, "You are not logged in. You can close this window; the program says why.", http.StatusBadRequest)
		return
	}
	_, _ = w.Write([]byte("You can close this window and go back to the program.\n"))
}

func (l *login) read(q url.Values) callback {
	issuer := l.client.cfg.Issuer
	switch {
	case issuer != "" && q.Has("iss") && q.Get("iss") != issuer: // RFC 9207: another server's answer
		return callback{err: errors.New("oauth: Login: the answer is of another authorization server than Config.Issuer")}
	case q.Get("error") != "":
		return callback{err: newError(l.authURL().Host, &aplomb.Response{}, q.Get("error"), q.Get("error_description"))}
	case q.Get("code") == "":
		return callback{err: errors.New("oauth: Login: the answer has no code")}
	}
	return callback{code: q.Get("code")}
}

// redeem exchanges the code, which is good for one use, and saves the grant.
func (l *login) redeem(ctx context.Context, store TokenStore, got callback) error {
	if got.err != nil {
		return got.err
	}
	g, err := l.client.grant(ctx, url.Values{
		"grant_type": {"authorization_code"}, "code": {got.code}, "redirect_uri": {l.redirect}, "code_verifier": {l.verifier},
	}, once)
	if err != nil {
		return err
	}
	return l.client.save(ctx, store, g)
}

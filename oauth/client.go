package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/aplomb-go/aplomb"
)

// Config is an OAuth 2.0 client (RFC 6749, section 2) and its authorization
// server. [New] makes a [Client] of it, [Discover] fills in the server's part.
type Config struct {
	// Issuer is the authorization server's name, where it has one (RFC 8414). It
	// is then the audience of assertions, and checked where a log-in returns.
	Issuer string
	// TokenURL is the token endpoint. AuthURL and DeviceURL are for Login and
	// LoginDevice.
	TokenURL, AuthURL, DeviceURL string
	// RedirectURL is where Login waits for the browser: an http address on
	// loopback, as it is registered with the server. Without a port one that is
	// free is taken (RFC 8252, section 7.3). Default http://127.0.0.1/callback.
	RedirectURL string
	// ClientID names the client to the server.
	ClientID string
	// Auth is how the client proves that it is the one. Nil: it is a public
	// client, which cannot.
	Auth ClientAuth
	// Scopes are asked for; none leaves them to the server.
	Scopes []string
	// Params are further parameters, such as audience, of every request to the
	// server: the log-in's address, the device's and the token's.
	Params url.Values
	// DPoP binds the tokens to a key (RFC 9449). Nil: they are bearer tokens.
	DPoP *DPoP
	// Transport is what the server is reached by. Default: one of its own.
	Transport http.RoundTripper
	// Options are of the client that asks the server, such as aplomb.Logging{}
	// and aplomb.Hooks{}. It has aplomb's defaults, but for retries: it sends a
	// request once, unless aplomb.Retry{} is among them, since a failure is shared
	// by all who wait, and [aplomb.Tokens] spaces the tries. An aplomb.Transport
	// goes into Transport instead: MutualTLS does not see one here.
	Options []aplomb.Option
}

// Client gets tokens from an authorization server. [New] makes it; it is safe
// for concurrent use.
type Client struct {
	cfg   Config
	http  *http.Client // that asks the server
	token *url.URL
}

// New returns the client that cfg describes. A faulty setting is an error that
// says how to mend it.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	token, err := endpoint("Config.TokenURL", cfg.TokenURL)
	if err != nil {
		return nil, err
	}
	cfg.Scopes, cfg.Params, cfg.Options = slices.Clone(cfg.Scopes), maps.Clone(cfg.Params), slices.Clone(cfg.Options)
	c := &Client{cfg: cfg, token: token}
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	client, err := aplomb.New(originOf(token), opts...)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	c.http = client.HTTPClient()
	return c, nil
}

// check names the first of the settings that is faulty.
func (cfg Config) check() error {
	for name, address := range map[string]string{"AuthURL": cfg.AuthURL, "DeviceURL": cfg.DeviceURL} {
		if address == "" {
			continue
		}
		if _, err := endpoint("Config."+name, address); err != nil {
			return err
		}
	}
	switch {
	case cfg.TokenURL == "":
		return errors.New("oauth: Config.TokenURL is empty: set it, or use Discover")
	case cfg.ClientID == "" && cfg.Auth != nil:
		return errors.New("oauth: Config.ClientID is empty: it is what Auth proves")
	case slices.Contains(cfg.Scopes, ""):
		return errors.New("oauth: Config.Scopes has an empty scope: leave it out")
	case cfg.Transport != nil && isNil(cfg.Transport):
		return fmt.Errorf("oauth: Config.Transport is a nil %T: leave it out", cfg.Transport)
	case cfg.DPoP != nil && cfg.DPoP.jwk == nil:
		return errors.New("oauth: Config.DPoP has no key: make it with NewDPoP")
	}
	for name := range cfg.Params {
		if reserved[name] {
			return fmt.Errorf("oauth: Config.Params: %s is set by the flow and Auth", name)
		}
	}
	return nil
}

// Format prints, for every verb, no more than what it is.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil || c.token == nil {
		_, _ = io.WriteString(f, "oauth.Client()")
		return
	}
	_, _ = io.WriteString(f, "oauth.Client("+c.cfg.ClientID+" at "+c.token.Host+")")
}

// reserved are the parameters that no Params may bring.
var reserved = map[string]bool{
	"grant_type": true, "client_id": true, "client_secret": true, "client_assertion": true, "client_assertion_type": true,
	"refresh_token": true, "code": true, "code_verifier": true, "device_code": true, "assertion": true, "scope": true,
	"redirect_uri": true, "response_type": true, "state": true, "code_challenge": true, "code_challenge_method": true,
	"dpop_jkt": true, "subject_token": true, "actor_token": true,
}

// options are those of the client that asks the server.
func (c *Client) options() ([]aplomb.Option, error) {
	opts := append([]aplomb.Option{aplomb.NoRetry()}, c.cfg.Options...) // those who want a token have patience of their own
	opts = append(opts, aplomb.AuthFunc(attachAssertion), aplomb.PerAttempt(stay, tidy))
	transport := c.cfg.Transport
	if c.cfg.Auth != nil {
		auth, err := c.cfg.Auth.auth(c)
		if err != nil {
			return nil, err
		}
		if auth.Attach != nil {
			auth.Origins = c.origins()
			opts = append(opts, auth)
		}
		if transport, err = c.cfg.Auth.transport(transport); err != nil {
			return nil, err
		}
	}
	if c.cfg.DPoP != nil {
		opts = append(opts, c.cfg.DPoP.atServer())
	}
	if transport != nil {
		opts = append(opts, aplomb.Transport(transport))
	}
	return opts, nil
}

// origins are those that the client may prove itself to.
func (c *Client) origins() []string {
	if u, err := url.Parse(c.cfg.DeviceURL); err == nil && u.Host != "" {
		return []string{originOf(u)}
	}
	return nil
}

// made reports a Client that New did not make.
func (c *Client) made() error {
	if c == nil || c.http == nil {
		return errors.New("oauth: no Client: make one with oauth.New, and look at its error")
	}
	return nil
}

// named reports a client that the server could not tell from others. An
// assertion or a token to exchange may do without.
func (c *Client) named() error {
	if err := c.made(); err != nil {
		return err
	}
	if c.cfg.ClientID == "" {
		return errors.New("oauth: Config.ClientID is empty: set the name that the server knows the client by")
	}
	return nil
}

// tokens are what fetch gets, kept by the rules of [aplomb.Tokens].
func (c *Client) tokens(fetch func(ctx context.Context, last aplomb.Token) (aplomb.Token, error)) *aplomb.Tokens {
	if err := c.made(); err != nil {
		return &aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) { return aplomb.Token{}, err }}
	}
	t := &aplomb.Tokens{Fetch: fetch}
	if c.cfg.DPoP != nil {
		t.Proof, t.Answered = c.cfg.DPoP.prove, c.cfg.DPoP.answered
	}
	return t
}

// ClientCredentials are tokens for the client itself (RFC 6749, section 4.4).
func (c *Client) ClientCredentials() *aplomb.Tokens {
	return c.tokens(func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
		if err := c.named(); err != nil {
			return aplomb.Token{}, err
		}
		g, err := c.grant(ctx, url.Values{"grant_type": {"client_credentials"}}, harmless)
		return g.token(), err
	})
}

// isNil reports a nil inside an interface as well.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice:
		return r.IsNil()
	default:
		return false
	}
}

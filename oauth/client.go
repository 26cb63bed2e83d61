package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	// ClientID names the client to the server.
	ClientID string
	// Auth is how the client proves that it is the one. Nil: it is a public
	// client, which cannot.
	Auth ClientAuth
	// Scopes are asked for; none leaves them to the server.
	Scopes []string
	// Params are further parameters of token requests, such as audience.
	Params url.Values
	// DPoP binds the tokens to a key (RFC 9449). Nil: they are bearer tokens.
	DPoP *DPoP
	// Transport is what the server is reached by. Default: one of its own.
	Transport http.RoundTripper
	// Options are of the client that asks the server, such as aplomb.Logging{}
	// and aplomb.Hooks{}. It has aplomb's defaults.
	Options []aplomb.Option
}

// Client gets tokens from an authorization server. [New] makes it; it is safe
// for concurrent use.
type Client struct {
	cfg    Config
	client *aplomb.Client
	http   *http.Client // of x/oauth2: the same, and it follows no redirect
	token  *url.URL
}

// New returns the client that cfg describes. A faulty setting is an error that
// says how to mend it.
func New(cfg Config) (*Client, error) {
	token, err := endpoint("TokenURL", cfg.TokenURL)
	if err != nil {
		return nil, err
	}
	for name, address := range map[string]string{"AuthURL": cfg.AuthURL, "DeviceURL": cfg.DeviceURL} {
		if address == "" {
			continue
		}
		if _, err := endpoint(name, address); err != nil {
			return nil, err
		}
	}
	switch {
	case cfg.ClientID == "" && cfg.Auth != nil:
		return nil, errors.New("oauth: Config.ClientID is empty: it is what Auth proves")
	case slices.Contains(cfg.Scopes, ""):
		return nil, errors.New("oauth: Config.Scopes has an empty scope: leave it out")
	}
	for name := range cfg.Params {
		if reserved[name] {
			return nil, fmt.Errorf("oauth: Config.Params: %s is set by the flow and Auth", name)
		}
	}
	cfg.Scopes, cfg.Params, cfg.Options = slices.Clone(cfg.Scopes), maps.Clone(cfg.Params), slices.Clone(cfg.Options)
	c := &Client{cfg: cfg, token: token}
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	if c.client, err = aplomb.New(token.Scheme+"://"+token.Host, opts...); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	c.http = withoutRedirects(c.client)
	return c, nil
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
}

// options are those of the client that asks the server.
func (c *Client) options() ([]aplomb.Option, error) {
	opts := append(slices.Clone(c.cfg.Options), aplomb.AuthFunc(attachAssertion))
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
		return []string{u.Scheme + "://" + u.Host}
	}
	return nil
}

// endpoint is an address that secrets may be sent to.
func endpoint(name, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return nil, fmt.Errorf("oauth: %s is empty", name)
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("oauth: %s is no address of an endpoint: write https://host/path", name)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("oauth: %s must be https: a secret is sent to it; http is for loopback only", name)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

// withoutRedirects is the client's door for requests that carry secrets: an
// answer that points elsewhere is an answer.
func withoutRedirects(c *aplomb.Client) *http.Client {
	return &http.Client{Transport: c.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// stay does the same for typed calls: without its address, a redirect is not
// followed.
func stay(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil && resp.StatusCode/100 == 3 {
			resp.Header.Del("Location")
		}
		return resp, err
	})
}

// tokens are what fetch gets, kept by the rules of [aplomb.Tokens].
func (c *Client) tokens(fetch func(ctx context.Context, last aplomb.Token) (aplomb.Token, error)) *aplomb.Tokens {
	t := &aplomb.Tokens{Fetch: fetch}
	if c.cfg.DPoP != nil {
		t.Proof, t.Answered = c.cfg.DPoP.prove, c.cfg.DPoP.answered
	}
	return t
}

// ClientCredentials are tokens for the client itself (RFC 6749, section 4.4).
func (c *Client) ClientCredentials() *aplomb.Tokens {
	return c.tokens(func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
		g, err := c.grant(ctx, url.Values{"grant_type": {"client_credentials"}}, harmless)
		return g.token(), err
	})
}

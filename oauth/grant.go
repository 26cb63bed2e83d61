package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb"
)

// grant is what the token endpoint granted, as it is saved.
type grant struct {
	Access  string    `json:"access_token,omitempty"`
	Type    string    `json:"token_type,omitempty"`
	Expiry  time.Time `json:"expiry,omitzero"`
	Refresh string    `json:"refresh_token,omitempty"`
	ID      string    `json:"id_token,omitempty"`
	// Ended is why the refresh token is of no more use.
	Ended string `json:"ended,omitempty"`
}

func (g grant) token() aplomb.Token {
	kind := g.Type
	if kind == "N_A" { // RFC 8693, section 2.2.1: what was issued is no access token
		kind = ""
	}
	return aplomb.Token{Value: aplomb.NewSecret(g.Access), Type: kind, Expiry: g.Expiry}
}

// repeatable says whether a token request may be sent twice.
type repeatable bool

const (
	// harmless: two tokens are as good as one.
	harmless repeatable = true
	// once: what is shown is used up by it.
	once repeatable = false
)

// grant asks the token endpoint. x/oauth2 builds the request and reads the
// answer; who the client is, and that it holds a key, is added below it, for
// each attempt anew.
func (c *Client) grant(ctx context.Context, params url.Values, again repeatable) (grant, error) {
	var proof shown
	ctx = context.WithValue(ctx, shownKey{}, &proof)
	g, err := c.ask(ctx, params, again)
	refusal, ok := errors.AsType[*Error](err)
	switch {
	case !ok || refusal.StatusCode != http.StatusBadRequest: // what a 401 asks for is done
	case refusal.Code == "use_dpop_nonce" && c.cfg.DPoP != nil: // it came with the answer (RFC 9449, section 8)
		return c.ask(ctx, params, again)
	case refusal.Code == "invalid_client" && proof.refused(ctx):
		return c.ask(ctx, params, again)
	}
	return g, err
}

func (c *Client) ask(ctx context.Context, params url.Values, again repeatable) (grant, error) {
	if c == nil || c.http == nil {
		return grant{}, errors.New("oauth: no Client: make one with oauth.New, and look at its error")
	}
	form := maps.Clone(c.cfg.Params)
	if form == nil {
		form = url.Values{}
	}
	maps.Copy(form, params)
	if c.cfg.ClientID != "" && (c.cfg.Auth == nil || c.cfg.Auth.inForm()) {
		form.Set("client_id", c.cfg.ClientID)
	}
	var scopes []string
	if params.Get("grant_type") != "refresh_token" && !form.Has("scope") { // a refresh keeps what was granted
		scopes = c.cfg.Scopes
	}
	var answer aplomb.Response
	opts := []aplomb.CallOption{aplomb.Capture(&answer), aplomb.Header("Accept", "application/json")}
	if again {
		opts = append(opts, aplomb.Safe())
	}
	conf := clientcredentials.Config{TokenURL: c.token.String(), Scopes: scopes, EndpointParams: form, AuthStyle: oauth2.AuthStyleInParams}
	token, err := conf.Token(context.WithValue(aplomb.NewContext(ctx, opts...), oauth2.HTTPClient, c.http))
	if err != nil {
		return grant{}, c.refusal(err, &answer, params)
	}
	id, _ := token.Extra("id_token").(string)
	return grant{Access: token.AccessToken, Type: token.TokenType, Expiry: token.Expiry, Refresh: token.RefreshToken, ID: id}, nil
}

// Error is a refusal of the authorization server (RFC 6749, section 5.2). Of its
// answer it holds only the code and the description, without anything that the
// request carried.
type Error struct {
	// Server is the authorization server's host.
	Server     string
	StatusCode int
	// Code is the error parameter, such as invalid_grant, and Description the
	// error_description, "" where the answer had none.
	Code, Description string
}

// Error is one line.
func (e *Error) Error() string {
	line := fmt.Sprintf("oauth: %s answered %d", e.Server, e.StatusCode)
	if e.Code != "" {
		line += " " + e.Code
	}
	if e.Description != "" {
		line += fmt.Sprintf(" %q", e.Description)
	}
	if e.StatusCode/100 == 3 && e.Code == "" {
		line += ": its redirects are not followed, since they would take the client's secret along; set the endpoint's own address"
	}
	return line
}

// Temporary reports that the server was busy or broken, so that another try may
// do.
func (e *Error) Temporary() bool {
	return e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests || e.Code == "temporarily_unavailable" || e.Code == "server_error"
}

// maxDescription bounds what is shown of the server's words.
const maxDescription = 200

// refusal keeps of x/oauth2's error what may be shown: it prints the whole
// answer, which may echo the form.
func (c *Client) refusal(err error, answer *aplomb.Response, params url.Values) error {
	if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return newError(c.token.Host, answer, re.ErrorCode, re.ErrorDescription, params.Get("code"), params.Get("device_code"))
	}
	if ce, ok := errors.AsType[*aplomb.CallError](err); ok {
		return ce
	}
	// What is left is an answer that cannot be read; its text quotes none of it.
	return newError(c.token.Host, answer, "", err.Error())
}

// newError takes out of the server's words what the request carried: what answer
// knows to be secret, and the rest of secrets.
func newError(server string, answer *aplomb.Response, code, description string, secrets ...string) *Error {
	for _, secret := range secrets {
		if secret != "" {
			code = strings.ReplaceAll(code, secret, aplomb.Secret{}.String())
			description = strings.ReplaceAll(description, secret, aplomb.Secret{}.String())
		}
	}
	return &Error{Server: server, StatusCode: answer.StatusCode, Code: shorten(answer.Redact(code)), Description: shorten(answer.Redact(description))}
}

func shorten(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	return strings.ToValidUTF8(s[:maxDescription], "") + "..."
}

package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// The token types of RFC 8693, section 3.
const (
	AccessToken = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // a name, no secret
	IDToken     = "urn:ietf:params:oauth:token-type:id_token"     //nolint:gosec // a name, no secret
	JWTToken    = "urn:ietf:params:oauth:token-type:jwt"          //nolint:gosec // a name, no secret
)

// Exchange says which token is to be exchanged for which (RFC 8693, section
// 2.1).
type Exchange struct {
	// Subject is the token of whom it is about, read for each exchange: a
	// service account's from a File, or another [aplomb.Tokens].
	Subject aplomb.SecretSource
	// SubjectType is its type. Default [AccessToken].
	SubjectType string
	// Actor is the token of who acts for the subject. Nil: the client itself.
	Actor aplomb.SecretSource
	// ActorType is its type. Default [AccessToken].
	ActorType string
	// Audience and Resource say where the new token is to be used.
	Audience, Resource string
	// RequestedType is the new token's type. Default: the server's choice.
	RequestedType string
	// Scopes are asked for instead of the Config's.
	Scopes []string
}

// TokenExchange are tokens in exchange for others (RFC 8693).
func (c *Client) TokenExchange(x Exchange) (*aplomb.Tokens, error) {
	if x.Subject == nil {
		return nil, errors.New("oauth: Exchange.Subject is nil: say which token is to be exchanged")
	}
	return c.tokens(func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
		form, err := x.form(ctx)
		if err != nil {
			return aplomb.Token{}, err
		}
		g, err := c.grant(ctx, form, harmless)
		return g.token(), err
	}), nil
}

func (x Exchange) form(ctx context.Context) (url.Values, error) {
	subject, err := x.Subject.Secret(ctx)
	if err != nil {
		return nil, fmt.Errorf("oauth: Exchange.Subject: %w", err)
	}
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {subject.Reveal()},
		"subject_token_type": {orElse(x.SubjectType, AccessToken)},
	}
	if x.Actor != nil {
		actor, err := x.Actor.Secret(ctx)
		if err != nil {
			return nil, fmt.Errorf("oauth: Exchange.Actor: %w", err)
		}
		form.Set("actor_token", actor.Reveal())
		form.Set("actor_token_type", orElse(x.ActorType, AccessToken))
	}
	for name, value := range map[string]string{
		"audience": x.Audience, "resource": x.Resource, "requested_token_type": x.RequestedType, "scope": strings.Join(x.Scopes, " "),
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form, nil
}

// JWTBearer are tokens for an assertion that j signs, a fresh one each time (RFC
// 7523, section 2.1): Google's service accounts, Salesforce, DocuSign. Audience is
// Config.Issuer or else TokenURL, unless j sets it.
func (c *Client) JWTBearer(j aplomb.JWT) (*aplomb.Tokens, error) {
	j.Audience = orElse(j.Audience, c.audience())
	if err := j.Check(); err != nil {
		return nil, fmt.Errorf("oauth: JWTBearer: %w", err)
	}
	sign := func(r *http.Request) (url.Values, error) {
		assertion, err := j.Sign(r.Context(), aplomb.ServerTime(r))
		return url.Values{"assertion": {assertion}}, err
	}
	return c.tokens(func(ctx context.Context, _ aplomb.Token) (aplomb.Token, error) {
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}}
		g, err := c.grant(context.WithValue(ctx, assertionKey{}, sign), form, harmless)
		return g.token(), err
	}), nil
}

// assertionKey is where JWTBearer's grant hands down what to add to each attempt.
type assertionKey struct{}

// attachAssertion adds an assertion of the server's own time to the form.
func attachAssertion(r *http.Request) error {
	sign, ok := r.Context().Value(assertionKey{}).(func(*http.Request) (url.Values, error))
	if !ok {
		return nil
	}
	assertion, err := sign(r)
	if err != nil {
		return err
	}
	return amend(r, assertion)
}

package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// typeURN begins the names of token types.
const typeURN = "urn:ietf:params:oauth:token-type:"

// The token types of RFC 8693, section 3.
const (
	// TypeAccessToken is an access token.
	TypeAccessToken = typeURN + "access_token"
	// TypeIDToken is an ID token of OpenID Connect.
	TypeIDToken = typeURN + "id_token"
	// TypeJWT is a JWT of any other kind.
	TypeJWT = typeURN + "jwt"
)

// Exchange says which token is to be exchanged for which (RFC 8693, section
// 2.1).
type Exchange struct {
	// Subject is the token of whom it is about, read for each exchange: a
	// service account's from a File, or another [aplomb.Tokens].
	Subject aplomb.SecretSource
	// SubjectType is its type. Default [TypeAccessToken].
	SubjectType string
	// Actor is the token of who acts for the subject. Nil: the client itself.
	Actor aplomb.SecretSource
	// ActorType is its type. Default [TypeAccessToken].
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
	if err := c.made(); err != nil {
		return nil, err
	}
	switch {
	case isNil(x.Subject):
		return nil, errors.New("oauth: Exchange.Subject is nil: say which token is to be exchanged")
	case x.Actor != nil && isNil(x.Actor):
		return nil, fmt.Errorf("oauth: Exchange.Actor is a nil %T: leave it out, if the client acts itself", x.Actor)
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
		"subject_token_type": {cmp.Or(x.SubjectType, TypeAccessToken)},
	}
	if x.Actor != nil {
		actor, err := x.Actor.Secret(ctx)
		if err != nil {
			return nil, fmt.Errorf("oauth: Exchange.Actor: %w", err)
		}
		form.Set("actor_token", actor.Reveal())
		form.Set("actor_token_type", cmp.Or(x.ActorType, TypeAccessToken))
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

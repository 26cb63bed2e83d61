package oauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aplomb-go/aplomb"
)

// JWTBearer are tokens for an assertion that j signs, a fresh one each time (RFC
// 7523, section 2.1): Google's service accounts, Salesforce, DocuSign. Audience is
// Config.Issuer or else TokenURL, unless j sets it.
func (c *Client) JWTBearer(j aplomb.JWT) (*aplomb.Tokens, error) {
	if err := c.made(); err != nil {
		return nil, err
	}
	j.Audience = cmp.Or(j.Audience, c.audience())
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

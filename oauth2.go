package aplomb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/oauth2"
)

// OAuth2 sends the tokens of a source that x/oauth2 or an SDK offers, kept and
// fetched anew as [Tokens] has it. Most programs want package oauth instead,
// whose tokens can also be replaced when the API refuses one: most sources of
// x/oauth2 keep theirs until it expires, whatever the API says.
func OAuth2(source oauth2.TokenSource) *Tokens {
	if isNil(source) {
		return &Tokens{err: errors.New("aplomb: OAuth2: the oauth2.TokenSource is nil")}
	}
	return &Tokens{Fetch: func(context.Context, Token) (Token, error) { return tokenOf(source.Token()) }}
}

// TokenSource is t for an SDK that asks for an oauth2.TokenSource; it waits for a
// token as long as ctx lets it. Such an SDK attaches the token by itself, so that
// a 401 has it replaced only where the SDK's requests go through a client that
// has t too.
func (t *Tokens) TokenSource(ctx context.Context) oauth2.TokenSource { return &tokensSource{ctx, t} }

type tokensSource struct {
	ctx    context.Context
	tokens *Tokens
}

func (s *tokensSource) Token() (*oauth2.Token, error) {
	token, err := s.tokens.Token(s.ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: token.Value.Reveal(), TokenType: token.scheme(), Expiry: token.Expiry}, nil
}

// tokenOf is x/oauth2's token as ours.
func tokenOf(token *oauth2.Token, err error) (Token, error) {
	switch {
	case err != nil:
		return Token{}, retrieveError(err)
	case token == nil:
		return Token{}, errors.New("the oauth2.TokenSource returned no token")
	}
	return Token{Value: NewSecret(token.AccessToken), Type: token.Type(), Expiry: token.Expiry}, nil
}

// retrieveError keeps of a token endpoint's answer only the code and
// description: x/oauth2 prints the whole body, which may echo the form with its
// secret.
func retrieveError(err error) error {
	re, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return err
	}
	return &oauthError{re}
}

type oauthError struct{ err *oauth2.RetrieveError }

func (e *oauthError) Error() string {
	status := 0
	if e.err.Response != nil {
		status = e.err.Response.StatusCode
	}
	return strings.TrimSpace(fmt.Sprintf("the OAuth 2.0 token endpoint answered %d %s %s", status, e.err.ErrorCode, quoteMessage(e.err.ErrorDescription)))
}

func (e *oauthError) Unwrap() error { return e.err }

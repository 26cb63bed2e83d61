package aplomb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

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
	shared := &sharedSource{source: source}
	return &Tokens{Fetch: shared.fetch}
}

// sharedSource asks a TokenSource, whose Token knows no context. One that hangs
// is not asked again until it answers: there is no way to call it off.
type sharedSource struct {
	source oauth2.TokenSource

	mu      sync.Mutex
	pending *flight
}

func (s *sharedSource) fetch(ctx context.Context, _ Token) (Token, error) {
	return s.join().wait(ctx)
}

// join joins the question under way or asks anew.
func (s *sharedSource) join() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending != nil {
		return s.pending
	}
	f := &flight{done: make(chan struct{}), err: errors.New("the oauth2.TokenSource ended its goroutine")}
	s.pending = f
	go func() {
		defer close(f.done)
		defer func() {
			if p := recover(); p != nil {
				f.err = fmt.Errorf("the oauth2.TokenSource panicked: %v", p)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pending = nil
		}()
		f.token, f.err = tokenOf(s.source.Token())
	}()
	return f
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

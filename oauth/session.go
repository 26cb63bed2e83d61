package oauth

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// ErrLoginRequired means that there is no login, or that the authorization server
// has ended it: the user has to log in again.
var ErrLoginRequired = errors.New("oauth: log in again, by Login or LoginDevice")

var errNoRefresh = errors.New("there is no refresh token: many servers give one only for the scope offline_access")

// loginError is ErrLoginRequired, and why.
type loginError struct{ why error }

func (e *loginError) Error() string   { return ErrLoginRequired.Error() + ": " + e.why.Error() }
func (e *loginError) Unwrap() []error { return []error{ErrLoginRequired, e.why} }

// RetryAt is at once: to look into the store costs nothing, and the user may have
// logged in meanwhile.
func (e *loginError) RetryAt() time.Time { return time.Time{} }

// Session are the tokens of a login that [Client.Login], [Client.LoginDevice] or
// [Client.Adopt] has saved in store (RFC 6749, section 6). A process finds there
// what another has fetched, and fetches only what is old or was refused.
//
// Where the server takes the refresh token for used or revoked, that is saved as
// well: from then on each process gets [ErrLoginRequired] without asking. Once
// the user has logged in again, the same Tokens go on.
func (c *Client) Session(store TokenStore) (*aplomb.Tokens, error) {
	if store == nil {
		return nil, errNoStore
	}
	if err := c.made(); err != nil {
		return nil, err
	}
	s := &session{client: c, store: store}
	return c.tokens(s.fetch), nil
}

// Adopt saves a refresh token that was got elsewhere, such as from a provider's
// console, as a login.
func (c *Client) Adopt(ctx context.Context, store TokenStore, refresh aplomb.Secret) error {
	if refresh.Reveal() == "" {
		return errors.New("oauth: Adopt: the refresh token is empty")
	}
	return c.save(ctx, store, grant{Refresh: refresh.Reveal()})
}

// save makes g the login, whatever was saved before.
func (c *Client) save(ctx context.Context, store TokenStore, g grant) error {
	if store == nil {
		return errNoStore
	}
	return store.Update(ctx, func([]byte) ([]byte, error) { return g.encode() })
}

// session is one process's use of a saved login.
type session struct {
	client *Client
	store  TokenStore
	// unsaved is a grant that the store failed to take, and for which refresh
	// token it was got: that one may be used up, and this one is all there is.
	unsaved *grant
	usedUp  string
}

// fetch is called by one goroutine at a time, as aplomb.Tokens promises.
func (s *session) fetch(ctx context.Context, last aplomb.Token) (aplomb.Token, error) {
	var got grant
	var failure error
	var rotated bool
	err := s.store.Update(ctx, func(raw []byte) ([]byte, error) {
		saved, err := decode(raw)
		if err != nil {
			return nil, err
		}
		got, failure = s.next(ctx, saved, last.Value.Reveal())
		if failure != nil && got.Ended == "" {
			return raw, nil
		}
		rotated = got.Refresh != saved.Refresh
		return got.encode()
	})
	if err == nil && (failure == nil || got.Ended != "") {
		s.unsaved = nil
	}
	switch {
	case failure != nil:
		return aplomb.Token{}, failure
	case err != nil && (rotated || got.Access == ""): // a token whose refresh token is saved is of no loss
		return aplomb.Token{}, err
	}
	return got.token(), nil
}

// next is the login to save and go on with.
func (s *session) next(ctx context.Context, saved grant, last string) (grant, error) {
	login := saved
	if s.unsaved != nil && saved.Refresh == s.usedUp {
		login = *s.unsaved
	}
	got, err := s.renew(ctx, login, last)
	if (err == nil || got.Ended != "") && got != saved {
		s.unsaved, s.usedUp = &got, saved.Refresh
	}
	return got, err
}

// renew is the login to go on with: what is saved, if it holds a token other
// than the one to be replaced, or what the server grants for it.
func (s *session) renew(ctx context.Context, g grant, last string) (grant, error) {
	switch {
	case g.Ended != "":
		return g, &loginError{errors.New(g.Ended)}
	case g.Access != "" && g.Access != last && (g.Expiry.IsZero() || time.Now().Before(g.Expiry)):
		return g, nil
	case g.Refresh == "":
		return g, &loginError{errNoRefresh}
	}
	next, err := s.client.grant(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.Refresh}}, once)
	if refusal, ok := errors.AsType[*Error](err); ok && refusal.Code == "invalid_grant" {
		g.Access, g.Refresh, g.Ended = "", "", refusal.Error()
		return g, &loginError{refusal}
	}
	if err != nil {
		return grant{}, err
	}
	return next, nil
}

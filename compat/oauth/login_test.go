package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// doing is what a user does at the authorization server: Login or DenyLogin.
type doing func(ctx context.Context, authURL string) (*url.URL, error)

// browser shows the page at address to a user who does that, and follows back
// to the program.
func browser(t *testing.T, does doing) func(address string) error {
	t.Helper()
	return func(address string) error {
		back, err := does(t.Context(), address)
		if err != nil {
			return err
		}
		visit(t, back)
		return nil
	}
}

// visit opens an address and returns the status.
func visit(t *testing.T, address *url.URL) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address.String(), nil)
	assert.NoError(t, err)
	resp, err := transport().RoundTrip(req)
	assert.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

func TestLogin(t *testing.T) {
	t.Parallel()
	r := start(t)
	c, store := r.app(t), file(t)
	assert.NoError(t, c.Login(t.Context(), store, browser(t, r.Login)))
	r.wants(t, session(t, c, store), user)
	assert.Equal(t, r.requests(), 1)
}

func TestLoginDenied(t *testing.T) {
	t.Parallel()
	r := start(t)
	c, store := r.app(t), file(t)
	err := c.Login(t.Context(), store, browser(t, r.DenyLogin))
	refusal, ok := errors.AsType[*oauth.Error](err)
	assert.True(t, ok, err)
	assert.Equal(t, refusal.Code, "access_denied")
	_, err = session(t, c, store).Token(t.Context())
	assert.ErrorIs(t, err, oauth.ErrLoginRequired)
	assert.Equal(t, r.requests(), 0)
}

// Neither a code nor an error that somebody else sends to the port counts.
func TestForgedCallback(t *testing.T) {
	t.Parallel()
	r := start(t)
	c, store := r.app(t), file(t)
	open := func(address string) error {
		back, err := r.Login(t.Context(), address)
		if err != nil {
			return err
		}
		for _, forged := range []url.Values{
			{"state": {"another"}, "code": {"of-the-attacker"}}, {"state": {"another"}, "error": {"access_denied"}},
			{"code": {"of-the-attacker"}}, {"state": {""}, "code": back.Query()["code"]},
		} {
			address := *back
			address.RawQuery = forged.Encode()
			assert.Equal(t, visit(t, &address), http.StatusBadRequest)
		}
		assert.Equal(t, r.requests(), 0)
		assert.Equal(t, visit(t, back), http.StatusOK)
		return nil
	}
	assert.NoError(t, c.Login(t.Context(), store, open))
	r.wants(t, session(t, c, store), user)
}

// A code that is of another log-in, whose verifier is not known here, is of no
// use, even with the state of this one (RFC 7636, section 1).
func TestInjectedCode(t *testing.T) {
	t.Parallel()
	r := start(t)
	c, store := r.app(t), file(t)
	var others *url.URL
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Login(ctx, store, func(address string) (err error) {
		defer cancel()
		others, err = r.Login(t.Context(), address)
		return err
	})
	assert.ErrorIs(t, err, context.Canceled)
	err = c.Login(t.Context(), store, func(address string) error {
		back, err := r.Login(t.Context(), address)
		if err != nil {
			return err
		}
		q := back.Query()
		q.Set("code", others.Query().Get("code"))
		back.RawQuery = q.Encode()
		visit(t, back)
		return nil
	})
	refusal, ok := errors.AsType[*oauth.Error](err)
	assert.True(t, ok, err)
	assert.Equal(t, refusal.Code, "invalid_grant")
	assert.NotContains(t, err.Error(), others.Query().Get("code"))
}

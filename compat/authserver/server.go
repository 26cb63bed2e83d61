package authserver

import (
	"context"
	"net/http"
	"sync"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// server is op's own but for four things: a client with a key may ask for
// client credentials, an assertion is taken once (RFC 7523, section 3), a client
// that is refused in the Authorization header gets a 401 instead of a 400 (RFC
// 6749, section 5.2), and so does a token that is not good from the resource
// (RFC 6750, section 3.1).
type server struct {
	*op.LegacyServer

	provider *op.Provider

	mu   sync.Mutex
	seen map[string]bool // assertions, by jti
}

// VerifyClient implements op.Server.
func (s *server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	if r.Data.ClientAssertion == "" {
		c, err := s.LegacyServer.VerifyClient(ctx, r)
		if err != nil && r.Header.Get("Authorization") != "" {
			err = op.NewStatusError(oidc.ErrInvalidClient().WithParent(err), http.StatusUnauthorized)
		}
		return c, err
	}
	c, err := op.AuthorizePrivateJWTKey(ctx, r.Data.ClientAssertion, s.provider)
	if err != nil {
		return nil, oidc.ErrInvalidClient().WithParent(err)
	}
	if !s.first(r.Data.ClientAssertion) {
		return nil, oidc.ErrInvalidClient().WithDescription("the assertion has no jti, or one that was seen before")
	}
	return c, nil
}

// JWTProfile implements op.Server.
func (s *server) JWTProfile(ctx context.Context, r *op.Request[oidc.JWTProfileGrantRequest]) (*op.Response, error) {
	answer, err := s.LegacyServer.JWTProfile(ctx, r)
	if err != nil {
		return nil, err
	}
	if !s.first(r.Data.Assertion) {
		return nil, oidc.ErrInvalidGrant().WithDescription("the assertion has no jti, or one that was seen before")
	}
	return answer, nil
}

// first reports whether a verified assertion has a jti not seen before.
func (s *server) first(assertion string) bool {
	var claims struct {
		ID string `json:"jti"`
	}
	if _, err := oidc.ParseToken(assertion, &claims); err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if claims.ID == "" || s.seen[claims.ID] {
		return false
	}
	s.seen[claims.ID] = true
	return true
}

// UserInfo implements op.Server.
func (s *server) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	answer, err := s.LegacyServer.UserInfo(ctx, r)
	if err != nil {
		return nil, op.NewStatusError(oidc.ErrAccessDenied().WithParent(err), http.StatusUnauthorized)
	}
	return answer, nil
}

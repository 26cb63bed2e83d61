package authserver

import (
	"context"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// store is the example's storage, with clients, keys and lifetimes of our own.
type store struct {
	*storage.Storage

	clients map[string]client
	key     *rsa.PublicKey

	mu       sync.Mutex
	lifetime time.Duration
	until    map[string]time.Time // of the access tokens that are good, by id
	access   map[string]string    // the access token's id, by refresh token
	next     map[string]string    // the refresh token that a spent one was rotated to
	reused   int
}

func newStore(issuer string, key *rsa.PublicKey) *store {
	own := clients()
	theirs := map[string]*storage.Client{}
	for id, c := range own {
		theirs[id] = c.Client
	}
	return &store{
		Storage: storage.NewStorageWithClients(storage.NewUserStore(issuer), maps.Clone(theirs)), clients: own, key: key,
		lifetime: Lifetime, until: map[string]time.Time{}, access: map[string]string{}, next: map[string]string{},
	}
}

// GetClientByClientID implements op.Storage.
func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, errors.New("no such client")
	}
	return c, nil
}

// CreateAuthRequest implements op.Storage. Of a client without a secret it wants
// PKCE, which op itself leaves to the client (RFC 9700, section 2.1.1).
func (s *store) CreateAuthRequest(ctx context.Context, r *oidc.AuthRequest, user string) (op.AuthRequest, error) {
	if s.clients[r.ClientID].method == oidc.AuthMethodNone && r.CodeChallenge == "" {
		return nil, oidc.ErrInvalidRequest().WithDescription("a public client sends a code_challenge")
	}
	return s.Storage.CreateAuthRequest(ctx, r, user)
}

// ClientCredentials implements op.ClientCredentialsStorage.
func (s *store) ClientCredentials(_ context.Context, id, secret string) (op.Client, error) {
	if id != WebID || subtle.ConstantTimeCompare([]byte(secret), []byte(WebSecret)) != 1 {
		return nil, oidc.ErrInvalidClient()
	}
	return s.clients[id], nil
}

// ClientCredentialsTokenRequest implements op.ClientCredentialsStorage.
func (s *store) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{id}, Scopes: scopes}, nil
}

// GetKeyByIDAndClientID implements op.Storage.
func (s *store) GetKeyByIDAndClientID(_ context.Context, keyID, id string) (*jose.JSONWebKey, error) {
	if id != ServiceID || keyID != ServiceKeyID {
		return nil, errors.New("no such key")
	}
	return &jose.JSONWebKey{KeyID: keyID, Use: "sig", Algorithm: string(jose.RS256), Key: s.key}, nil
}

// ValidateJWTProfileScopes implements op.Storage.
func (s *store) ValidateJWTProfileScopes(_ context.Context, _ string, scopes []string) ([]string, error) {
	return scopes, nil
}

// ValidateTokenExchangeRequest implements op.TokenExchangeStorage: anybody's
// token may be exchanged.
func (s *store) ValidateTokenExchangeRequest(_ context.Context, r op.TokenExchangeRequest) error {
	if r.GetRequestedTokenType() == "" {
		r.SetRequestedTokenType(oidc.AccessTokenType)
	}
	return nil
}

// CreateAccessToken implements op.Storage.
func (s *store) CreateAccessToken(ctx context.Context, r op.TokenRequest) (id string, until time.Time, err error) {
	id, _, err = s.Storage.CreateAccessToken(ctx, r)
	if err != nil {
		return "", time.Time{}, err
	}
	return id, s.issue(id, "", ""), nil
}

// CreateAccessAndRefreshTokens implements op.Storage.
func (s *store) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (id, refresh string, until time.Time, err error) {
	if device, ok := r.(*op.DeviceAuthorizationState); ok { // of which the example forgets the client
		r = &storage.AuthRequest{ApplicationID: device.ClientID, UserID: device.Subject, Scopes: device.Scopes}
	}
	id, refresh, _, err = s.Storage.CreateAccessAndRefreshTokens(ctx, r, current)
	if err != nil {
		return "", "", time.Time{}, err
	}
	return id, refresh, s.issue(id, current, refresh), nil
}

// issue notes an access token, and the refresh token that goes with it.
func (s *store) issue(id, spent, refresh string) (until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until = time.Now().Add(s.lifetime)
	s.until[id] = until
	if spent != "" {
		s.next[spent] = refresh
		delete(s.until, s.access[spent])
	}
	if refresh != "" {
		s.access[refresh] = id
	}
	return until
}

// TokenRequestByRefreshToken implements op.Storage. A token that was rotated
// away revokes what it was rotated to (RFC 9700, section 4.14.2).
func (s *store) TokenRequestByRefreshToken(ctx context.Context, refresh string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	last := refresh
	for s.next[last] != "" {
		last = s.next[last]
	}
	if last != refresh {
		s.reused++
		delete(s.until, s.access[last])
	}
	s.mu.Unlock()
	r, err := s.Storage.TokenRequestByRefreshToken(ctx, last)
	if err == nil && last != refresh {
		_ = s.Storage.RevokeToken(ctx, last, "", r.GetClientID())
		return nil, errors.New("the refresh token was used before")
	}
	return r, err
}

// RevokeToken implements op.Storage.
func (s *store) RevokeToken(ctx context.Context, token, user, id string) *oidc.Error {
	s.mu.Lock()
	delete(s.until, token)
	delete(s.until, s.access[token])
	s.mu.Unlock()
	return s.Storage.RevokeToken(ctx, token, user, id)
}

// SetUserinfoFromToken implements op.Storage.
func (s *store) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, subject, _ string) error {
	if err := s.good(id); err != nil {
		return err
	}
	info.Subject = subject
	return nil
}

// SetIntrospectionFromToken implements op.Storage.
func (s *store) SetIntrospectionFromToken(_ context.Context, answer *oidc.IntrospectionResponse, id, subject, _ string) error {
	if err := s.good(id); err != nil {
		return err
	}
	answer.Subject = subject
	return nil
}

func (s *store) good(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !time.Now().Before(s.until[id]) {
		return errors.New("the token has expired or was revoked")
	}
	return nil
}

package aplomb

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// JWT is a [RequestOption]: a JSON Web Token (RFC 7519) signed here, sent as a
// bearer token and signed anew before it ends, as [Tokens] has it. Its times are
// the server's (see [ServerTime]). It is what service accounts, GitHub Apps and
// App Store Connect ask for, and what package oauth makes assertions of.
//
//	aplomb.JWT{Key: aplomb.File("/run/secrets/key.pem"), KeyID: "2026-01", Issuer: "my-service", Audience: "https://api.acme.example"}
type JWT struct {
	// Key is the private key in PEM (PKCS #8, PKCS #1 or SEC 1), or a shared
	// secret where Algorithm is one of HS256, HS384 and HS512. It is read for
	// each token, so a rotated one is picked up; after a 401 the other of a
	// [Rotation] is tried.
	Key SecretSource
	// Signer is the private key instead, where it does not leave its KMS or HSM.
	// A struct of yours that holds a JWT with the key itself in an unexported
	// field prints it: fmt calls no methods there.
	Signer crypto.Signer
	// Algorithm is the JWS algorithm (RFC 7518, section 3.1). Default by the key:
	// RS256, ES256, ES384, ES512 or EdDSA.
	Algorithm string
	// KeyID is the header's kid, and Header holds further fields, such as typ.
	KeyID  string
	Header map[string]any
	// Issuer, Subject and Audience are the claims iss, sub and aud.
	Issuer, Subject, Audience string
	// Claims are further ones, and an aud that is a list. They win over the fields
	// above; iat, exp and jti are set for each token.
	Claims map[string]any
	// Lifetime is from iat to exp. Default 5 minutes.
	Lifetime time.Duration
	// Origins are further allowed origins, as [Auth] has them.
	Origins []string
}

const (
	defaultLifetime = 5 * time.Minute
	// backdated is how long before now a token says that it was issued: servers
	// whose clock is a little behind take one of the future for forged.
	backdated = 10 * time.Second
)

var errNoJWTKey = errors.New("aplomb: JWT: give Key, or a Signer")

// Sign returns a token issued at now, a new one each time.
func (j JWT) Sign(ctx context.Context, now time.Time) (string, error) {
	key, made, err := j.key(ctx)
	if err != nil {
		return "", err
	}
	if made != nil {
		note(ctx, *made)
	}
	return j.sign(key, now)
}

func (j JWT) sign(key any, now time.Time) (string, error) {
	method, err := jwtMethod(j.Algorithm, key)
	if err != nil {
		return "", err
	}
	claims := jwt.MapClaims{}
	for name, value := range map[string]string{"iss": j.Issuer, "sub": j.Subject, "aud": j.Audience} {
		if value != "" {
			claims[name] = value
		}
	}
	maps.Copy(claims, j.Claims)
	issued := now.Add(-backdated)
	claims["iat"], claims["exp"] = issued.Unix(), issued.Add(j.lifetime()).Unix()
	claims["jti"] = rand.Text()
	token := jwt.NewWithClaims(method, claims)
	if j.KeyID != "" {
		token.Header["kid"] = j.KeyID
	}
	maps.Copy(token.Header, j.Header)
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("aplomb: JWT: sign with %s: %w", method.Alg(), err)
	}
	return signed, nil
}

func (j JWT) lifetime() time.Duration { return orDefault(j.Lifetime, defaultLifetime) }

// key is the private key or the shared secret, and where it is from.
func (j JWT) key(ctx context.Context) (key any, made *carried, err error) {
	if !isNil(j.Signer) {
		return j.Signer, nil, nil
	}
	if isNil(j.Key) {
		return nil, nil, errNoJWTKey
	}
	secret, err := j.Key.Secret(ctx)
	if err != nil {
		return nil, nil, err
	}
	key, err = j.parse(secret)
	return key, &carried{source: j.Key, secret: secret}, err
}

func (j JWT) parse(secret Secret) (any, error) {
	pem := strings.HasPrefix(secret.Reveal(), "-----BEGIN ")
	switch {
	case strings.HasPrefix(j.Algorithm, "HS") && pem:
		return nil, fmt.Errorf("aplomb: JWT: %s takes a shared secret, and Key is a PEM block: leave Algorithm out", j.Algorithm)
	case strings.HasPrefix(j.Algorithm, "HS"):
		return []byte(secret.Reveal()), nil
	}
	return parsePrivateKey(secret)
}

// Check reports what [New] would, for those who only call Sign.
func (j JWT) Check() error {
	switch {
	case isNil(j.Key) && isNil(j.Signer):
		return errNoJWTKey
	case !isNil(j.Key) && !isNil(j.Signer):
		return errors.New("aplomb: JWT: give Key or Signer, not both")
	case j.Lifetime != 0 && j.Lifetime <= backdated:
		return fmt.Errorf("aplomb: JWT.Lifetime: %v is too short: iat is %v before now; zero means 5 minutes", j.Lifetime, backdated)
	}
	if err := j.checkNames(); err != nil {
		return err
	}
	switch key := j.Key.(type) {
	case nil:
		_, err := jwtMethod(j.Algorithm, j.Signer)
		return err
	case *staticSecret, envSecret, *fileSecret: // which New may read
		_, err := j.Sign(context.Background(), time.Now())
		return err
	case checked:
		if err := key.check(); err != nil {
			return settingError(err)
		}
	}
	return nil
}

// checkNames refuses what Sign sets itself.
func (j JWT) checkNames() error {
	for name, field := range map[string]string{"exp": "Lifetime", "iat": "Lifetime", "jti": "a new one for each token"} {
		if _, ok := j.Claims[name]; ok {
			return fmt.Errorf("aplomb: JWT.Claims has %s, which Sign sets: leave it out (%s)", name, field)
		}
	}
	for name, field := range map[string]string{"alg": "Algorithm", "kid": "KeyID"} {
		if _, ok := j.Header[name]; ok {
			return fmt.Errorf("aplomb: JWT.Header has %s: give it as %s", name, field)
		}
	}
	return nil
}

// Format prints, for every verb, no more than what it is: Claims may be private.
func (j JWT) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "aplomb.JWT([redacted])") }

// LogValue is what slog prints.
func (j JWT) LogValue() slog.Value { return slog.StringValue("aplomb.JWT(" + redact.Mask + ")") }

// MarshalJSON gives no more than what it is: a Signer may be the private key.
func (j JWT) MarshalJSON() ([]byte, error) { return json.Marshal("aplomb.JWT(" + redact.Mask + ")") }

func (j JWT) applyClient(c *config) error { return j.applyCall(&c.settings) }

func (j JWT) applyCall(s *settings) error {
	if err := j.Check(); err != nil {
		return err
	}
	j.Claims, j.Header = maps.Clone(j.Claims), maps.Clone(j.Header)
	return (&selfSigned{jwt: &j}).auth().applyCall(s)
}

// selfSigned keeps a JWT's current token.
type selfSigned struct {
	jwt    *JWT // a pointer, since fmt would print a key in an unexported field
	tokens Tokens
	offset atomic.Int64 // of the server's clock when the token was signed
}

func (s *selfSigned) auth() Auth {
	s.tokens.Fetch, s.tokens.Answered, s.tokens.Origins = s.fetch, s.answered, s.jwt.Origins
	s.tokens.what = "a token signed by JWT.Signer"
	if d, ok := s.jwt.Key.(described); ok {
		s.tokens.what = "a token signed with " + d.describe()
	}
	auth := s.tokens.auth()
	auth.Attach = func(r *http.Request) error {
		ServerTime(r) // so that the answer tells whether the token was signed by the right time
		return s.tokens.attach(r)
	}
	return auth
}

func (s *selfSigned) fetch(ctx context.Context, _ Token) (Token, error) {
	key, made, err := s.jwt.key(ctx)
	if err != nil {
		return Token{}, err
	}
	now, server := time.Now(), serverTime(ctx)
	signed, err := s.jwt.sign(key, server)
	if err != nil {
		return Token{}, err
	}
	s.offset.Store(int64(server.Sub(now)))
	return Token{Value: NewSecret(signed), Expiry: now.Add(s.jwt.lifetime() - backdated), made: made}, nil
}

// answered replaces a token that was signed by the wrong time.
func (s *selfSigned) answered(resp *http.Response) bool {
	ctx := resp.Request.Context()
	a := attemptFrom(ctx)
	token, ok := a.tokenOf(&s.tokens)
	if !ok || !refusesTime(resp.StatusCode) || time.Duration(a.clock().offset.Load()-s.offset.Load()).Abs() < minSkew {
		return false
	}
	another, _ := s.tokens.replace(ctx, token) // why not is told by the refusal itself
	return another
}

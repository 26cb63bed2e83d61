package aplombtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// Protect is an API that takes the tokens: h sees the requests whose bearer token is
// good, the others are answered 401 as RFC 6750, section 3, has it.
func (o *OAuth) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		bearer := strings.EqualFold(scheme, "Bearer")
		o.mu.Lock()
		good := bearer && o.live(token) != nil
		if !good {
			o.effects.Rejected++
		}
		o.mu.Unlock()
		switch {
		case good:
			h.ServeHTTP(w, r)
			return
		case bearer:
			w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token", error_description="the token is not good, or no more"`)
		default: // nothing was shown, and nothing is said of it
			w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_token"}` + "\n"))
	})
}

// introspect says what is known of a token (RFC 7662, section 2.2).
func (o *OAuth) introspect(r *http.Request, _ string) (any, *oauthError) {
	shown := r.PostForm.Get("token")
	if refresh := o.refresh[shown]; refresh != nil && !refresh.used && !refresh.login.ended {
		return map[string]any{"active": true, "client_id": refresh.login.client, "sub": refresh.login.subject, "scope": refresh.login.scope}, nil
	}
	token := o.live(shown)
	if token == nil {
		return map[string]any{"active": false}, nil
	}
	return map[string]any{
		"active": true, "token_type": "Bearer", "client_id": token.login.client, "sub": token.login.subject, "scope": token.login.scope,
		"iss": issuerOf(r), "iat": token.issued.Unix(), "exp": token.expires.Unix(),
	}, nil
}

// revoke ends a token; a refresh token takes its login's others with it. One that is
// unknown is no error (RFC 7009, section 2.2).
func (o *OAuth) revoke(r *http.Request, client string) (any, *oauthError) {
	shown := r.PostForm.Get("token")
	if refresh := o.refresh[shown]; refresh != nil && refresh.login.client == client && !refresh.login.ended {
		refresh.login.ended = true
		o.effects.Revoked++
	}
	if token := o.live(shown); token != nil && token.login.client == client {
		token.revoked = true
		o.effects.Revoked++
	}
	return struct{}{}, nil
}

// metadata is RFC 8414, section 2.
func (o *OAuth) metadata(w http.ResponseWriter, r *http.Request) {
	at := issuerOf(r)
	methods := []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
	sendOAuth(w, r, map[string]any{
		"issuer": at, "token_endpoint": at + "/token", "authorization_endpoint": at + "/authorize",
		"device_authorization_endpoint": at + "/device_authorization", "introspection_endpoint": at + "/introspect",
		"revocation_endpoint": at + "/revoke", "jwks_uri": at + "/jwks", "response_types_supported": []string{"code"},
		"grant_types_supported": []string{
			"client_credentials", "authorization_code", "refresh_token", grantDevice, grantExchange, grantJWTBearer,
		},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": methods,
		"authorization_response_iss_parameter_supported": true,
	}, nil)
}

// oauthKey signs access tokens.
type oauthKey struct {
	id     string
	method jwt.SigningMethod
	key    crypto.Signer
}

// One key of each kind serves all fakes: to make an RSA one takes longer than most
// tests.
var (
	oauthEC = sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	oauthRS = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

// JWT has the access tokens issued from now on be JWTs as RFC 9068 has them, signed
// by "ES256" or "RS256" with the key that /jwks shows. Another algorithm is an
// error. Each has a jti, access-1 and so on, and is known to Protect, /introspect
// and /revoke as the others are.
func (o *OAuth) JWT(algorithm string) error {
	key := &oauthKey{id: strings.ToLower(algorithm)}
	var err error
	switch algorithm {
	case "ES256":
		key.method = jwt.SigningMethodES256
		key.key, err = oauthEC()
	case "RS256":
		key.method = jwt.SigningMethodRS256
		key.key, err = oauthRS()
	default:
		err = fmt.Errorf("aplombtest: OAuth.JWT(%q): it can be ES256 or RS256", algorithm)
	}
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.signing = key
	return nil
}

func (k *oauthKey) sign(issuer, id string, token *oauthAccess, scope string) string {
	claims := jwt.MapClaims{
		"iss": issuer, "sub": token.login.subject, "aud": issuer, "client_id": token.login.client, "scope": scope,
		"iat": token.issued.Unix(), "exp": token.expires.Unix(), "jti": id,
	}
	made := jwt.NewWithClaims(k.method, claims)
	made.Header["typ"], made.Header["kid"] = "at+jwt", k.id
	signed, err := made.SignedString(k.key)
	if err != nil {
		return id // which no key of ours can bring about
	}
	return signed
}

// jwks shows the key (RFC 7517, section 5).
func (o *OAuth) jwks(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	signing := o.signing
	o.mu.Unlock()
	keys := []map[string]string{}
	if signing != nil {
		keys = append(keys, signing.public())
	}
	sendOAuth(w, r, map[string]any{"keys": keys}, nil)
}

func (k *oauthKey) public() map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	out := map[string]string{"kid": k.id, "use": "sig", "alg": k.method.Alg()}
	switch key := k.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err == nil && len(point) == 65 {
			out["kty"], out["crv"], out["x"], out["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
		}
	case *rsa.PublicKey:
		out["kty"], out["n"], out["e"] = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	}
	return out
}

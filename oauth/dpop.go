package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/aplomb-go/aplomb"
)

// DPoP proves, on each request, that the sender of a token holds a key (RFC 9449):
// a token that was stolen is of no use without it. [NewDPoP] makes it; give it as
// Config.DPoP.
type DPoP struct {
	key aplomb.JWT
	jwk map[string]string

	mu     sync.Mutex
	nonces map[string]string // by origin: a server's latest
}

// NewDPoP proves the possession of key: ECDSA, Ed25519 or RSA, in memory or in a
// KMS. Nil makes a P-256 key that lives as long as the process; refresh tokens of
// a public client are bound to the key as well, and outlive it only with a key
// that is kept.
func NewDPoP(key crypto.Signer) (*DPoP, error) {
	if key == nil {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("oauth: NewDPoP: %w", err)
		}
		key = made
	}
	if k, ok := key.(ed25519.PrivateKey); isNil(key) || ok && len(k) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("oauth: NewDPoP: the %T is empty: for a key that is made here give nil", key)
	}
	jwk, err := publicJWK(key.Public())
	if err != nil {
		return nil, err
	}
	d := &DPoP{jwk: jwk, nonces: map[string]string{}}
	d.key = aplomb.JWT{Signer: key, Header: map[string]any{"typ": "dpop+jwt", "jwk": jwk}}
	if err := d.key.Check(); err != nil {
		return nil, fmt.Errorf("oauth: NewDPoP: %w", err)
	}
	return d, nil
}

// Format prints, for every verb, no more than what it is.
func (d *DPoP) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "oauth.DPoP([redacted])") }

// Thumbprint is the SHA-256 thumbprint of the public key (RFC 7638): what
// authorization servers call dpop_jkt.
func (d *DPoP) Thumbprint() string {
	canonical, _ := json.Marshal(d.jwk) //nolint:errchkjson // strings, and encoding/json sorts the names as RFC 7638 wants them
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

var errEmptyKey = errors.New("oauth: NewDPoP: the key is empty")

// publicJWK has the required members of a public key (RFC 7638, section 3.2).
func publicJWK(key crypto.PublicKey) (map[string]string, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k == nil || k.Curve == nil {
			return nil, errEmptyKey
		}
		point, err := k.Bytes()
		if err != nil {
			return nil, fmt.Errorf("oauth: NewDPoP: %w", err)
		}
		x, y := point[1:1+(len(point)-1)/2], point[1+(len(point)-1)/2:] // behind the 4 of an uncompressed point
		return map[string]string{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(x), "y": b64(y)}, nil
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}, nil
	case *rsa.PublicKey:
		if k == nil || k.N == nil {
			return nil, errEmptyKey
		}
		return map[string]string{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}, nil
	}
	return nil, errors.New("oauth: NewDPoP: the key is of another kind than ECDSA, Ed25519 and RSA")
}

// atServer proves the key to the authorization server, which binds the token to
// it.
func (d *DPoP) atServer() aplomb.Auth {
	return aplomb.Auth{
		Attach: func(r *http.Request) error { return d.add(r, "") },
		Answered: func(resp *http.Response) bool {
			d.learn(resp)
			return false // grant asks again where the answer's body says so
		},
	}
}

// prove adds the proof that goes with a token; one that the server did not bind
// has none.
func (d *DPoP) prove(r *http.Request, token aplomb.Token) error {
	if !strings.EqualFold(token.Type, "DPoP") {
		return nil
	}
	return d.add(r, token.Value.Reveal())
}

// answered learns a nonce, and asks for another try where the lack of it was
// the reason (RFC 9449, section 9). What counts is the nonce that this request
// carried: another's answer may have brought the new one already.
func (d *DPoP) answered(resp *http.Response) bool {
	nonce := d.learn(resp)
	return nonce != "" && resp.StatusCode == http.StatusUnauthorized && nonce != nonceOf(resp.Request) &&
		strings.Contains(strings.Join(resp.Header.Values("WWW-Authenticate"), ","), "use_dpop_nonce")
}

// nonceOf is the nonce in the proof that r carries.
func nonceOf(r *http.Request) string {
	var claims struct {
		Nonce string `json:"nonce"`
	}
	if parts := strings.Split(r.Header.Get("DPoP"), "."); len(parts) == 3 {
		raw, _ := base64.RawURLEncoding.DecodeString(parts[1]) // it is our own
		_ = json.Unmarshal(raw, &claims)
	}
	return claims.Nonce
}

// add puts a proof on r (RFC 9449, section 4.2).
func (d *DPoP) add(r *http.Request, token string) error {
	proof := d.key
	proof.Claims = map[string]any{"htm": r.Method, "htu": target(r.URL)}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		proof.Claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce := d.nonce(r.URL); nonce != "" {
		proof.Claims["nonce"] = nonce
	}
	signed, err := proof.Sign(r.Context(), aplomb.ServerTime(r))
	if err != nil {
		return err
	}
	r.Header.Set("DPoP", signed)
	return nil
}

// target is the address without query and fragment.
func target(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}

func (d *DPoP) nonce(of *url.URL) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nonces[originOf(of)]
}

const (
	maxNonce   = 1 << 10
	maxServers = 256 // whose nonces are kept
)

// learn keeps and returns the server's latest nonce.
func (d *DPoP) learn(resp *http.Response) string {
	nonce := resp.Header.Get("DPoP-Nonce")
	if nonce == "" || len(nonce) > maxNonce {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.nonces) >= maxServers {
		clear(d.nonces)
	}
	d.nonces[originOf(resp.Request.URL)] = nonce
	return nonce
}

package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

func b64(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	assert.NoError(t, err)
	return raw
}

// publicOnly is a key of which only the public half is known.
type publicOnly struct{ key crypto.PublicKey }

func (p publicOnly) Public() crypto.PublicKey { return p.key }
func (p publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}

// The keys and thumbprints of RFC 9449, section 6.1, RFC 7638, section 3.1, and
// RFC 8037, appendix A.3.
func TestThumbprints(t *testing.T) {
	t.Parallel()
	point := append([]byte{4}, append(b64(t, "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"), b64(t, "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA")...)...)
	ec, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	assert.NoError(t, err)
	n := "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	for want, key := range map[string]crypto.PublicKey{
		"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I": ec,
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": &rsa.PublicKey{N: new(big.Int).SetBytes(b64(t, n)), E: 65537},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": ed25519.PublicKey(b64(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
	} {
		d, err := oauth.NewDPoP(publicOnly{key})
		assert.NoError(t, err)
		equal(t, d.Thumbprint(), want)
	}
	_, err = oauth.NewDPoP(publicOnly{"a string"})
	assert.Contains(t, err.Error(), "another kind than ECDSA, Ed25519 and RSA")
}

// proofOf verifies a DPoP proof by the key in its own header, and the token's
// hash (RFC 9449, section 4.3).
func proofOf(t *testing.T, h http.Header, accessToken string) (claims jwt.MapClaims, thumbprint string) {
	t.Helper()
	equal(t, len(h.Values("DPoP")), 1)
	claims = jwt.MapClaims{}
	parsed, err := jwt.ParseWithClaims(h.Get("DPoP"), claims, func(proof *jwt.Token) (any, error) {
		equal(t, proof.Header["typ"], any("dpop+jwt"))
		jwk, _ := proof.Header["jwk"].(map[string]any)
		canonical, _ := json.Marshal(jwk)
		sum := sha256.Sum256(canonical)
		thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
		x, y := b64(t, fmt.Sprint(jwk["x"])), b64(t, fmt.Sprint(jwk["y"]))
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, append(x, y...)...))
	}, jwt.WithValidMethods([]string{"ES256"}))
	assert.NoError(t, err)
	assert.True(t, parsed != nil && claims["jti"] != nil && claims["iat"] != nil, claims)
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		equal(t, claims["ath"], any(base64.RawURLEncoding.EncodeToString(sum[:])))
	}
	return claims, thumbprint
}

// A token bound to a key, by servers that both want a nonce.
func TestDPoP(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		const accessToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU" // of RFC 9449
		d, err := oauth.NewDPoP(nil)
		assert.NoError(t, err)
		a, n := rig(t)
		seen := map[any]bool{}
		check := func(h http.Header, token, method, address string, nonce any) {
			claims, thumbprint := proofOf(t, h, token)
			equal(t, []any{claims["htm"], claims["htu"], claims["nonce"]}, []any{method, address, nonce})
			equal(t, thumbprint, d.Thumbprint())
			assert.True(t, !seen[claims["jti"]], "a proof is good once")
			seen[claims["jti"]] = true
		}
		a.steps = []http.HandlerFunc{refuse(400, "use_dpop_nonce", "a nonce is needed", "DPoP-Nonce", "as-1"), func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"access_token": accessToken, "token_type": "DPoP", "expires_in": 3600})
		}}
		nonce, requests := "rs-1", 0
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			equal(t, r.Header.Get("Authorization"), "DPoP "+accessToken)
			want := any(nonce)
			if requests == 1 {
				want = nil
			}
			check(r.Header, accessToken, r.Method, "https://api.test"+r.URL.EscapedPath(), want)
			w.Header().Set("DPoP-Nonce", nonce)
			if requests == 1 {
				w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="a nonce is needed"`)
				w.WriteHeader(401)
				return
			}
			nonce = fmt.Sprintf("rs-%d", requests) // the next, on an answer that is well
			w.Header().Set("DPoP-Nonce", nonce)
			answer(w, map[string]string{})
		}))
		authz := newClient(t, n, oauth.Config{ClientID: "web", DPoP: d})
		c, err := aplomb.New("https://api.test", aplomb.Transport(n.Transport()), authz.ClientCredentials())
		assert.NoError(t, err)
		defer c.CloseIdleConnections()
		for i := range 3 {
			_, err = aplomb.Post[struct{}](context.Background(), c, "/a%20b/{id}", aplomb.Path("id", "c/d"), aplomb.Query("q", strconv.Itoa(i)))
			assert.NoError(t, err)
		}
		equal(t, [2]int{requests, a.requests()}, [2]int{4, 2})
		check(a.header(0), "", "POST", tokenURL, nil)
		check(a.header(1), "", "POST", tokenURL, "as-1")
		for _, text := range []string{fmt.Sprintf("%v %+v %#v", d, d, d)} {
			equal(t, text, strings.Repeat("oauth.DPoP([redacted]) ", 2)+"oauth.DPoP([redacted])")
		}
	})
}

// A server that wants ever another nonce is asked twice, not for ever; one that
// issues bearer tokens gets no proof from us at the API.
func TestDPoPLimits(t *testing.T) {
	t.Parallel()
	bubble(t, "nonces without end", func(t *testing.T) {
		d, _ := oauth.NewDPoP(p256())
		a, n := rig(t)
		for i := range 10 {
			a.steps = append(a.steps, refuse(400, "use_dpop_nonce", "", "DPoP-Nonce", fmt.Sprint("n", i)))
		}
		c := newClient(t, n, oauth.Config{ClientID: "web", DPoP: d})
		assert.Contains(t, token(t, c.ClientCredentials(), nil), "400 use_dpop_nonce")
		equal(t, a.requests(), 2)
	})
	bubble(t, "the same nonce again", func(t *testing.T) {
		d, _ := oauth.NewDPoP(p256())
		a, n := rig(t)
		for i := range 9 {
			a.steps = append(a.steps, func(w http.ResponseWriter, _ *http.Request) {
				answer(w, map[string]any{"access_token": fmt.Sprint("at-", i), "token_type": "DPoP", "expires_in": 3600})
			})
		}
		sent := 0
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			sent++
			w.Header().Set("DPoP-Nonce", "same")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(401)
		}))
		transport := n.Transport()
		defer transport.CloseIdleConnections()
		c, err := aplomb.New("https://api.test", aplomb.Transport(transport), newClient(t, n, oauth.Config{ClientID: "web", DPoP: d}).ClientCredentials())
		assert.NoError(t, err)
		_, err = aplomb.Get[struct{}](context.Background(), c, "/")
		equal(t, aplomb.StatusCode(err), 401)
		equal(t, [2]int{sent, a.requests()}, [2]int{2, 1}) // one replacement a call, and that was the nonce
	})
	bubble(t, "bearer", func(t *testing.T) {
		d, _ := oauth.NewDPoP(p256())
		_, n := rig(t)
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			equal(t, r.Header.Get("Authorization"), "Bearer access-1")
			equal(t, r.Header.Get("DPoP"), "")
			answer(w, map[string]string{})
		}))
		authz := newClient(t, n, oauth.Config{ClientID: "web", DPoP: d})
		c, err := aplomb.New("https://api.test", aplomb.Transport(n.Transport()), authz.ClientCredentials())
		assert.NoError(t, err)
		defer c.CloseIdleConnections()
		_, err = aplomb.Get[struct{}](context.Background(), c, "/")
		assert.NoError(t, err)
	})
}

// Requests that go out together learn of a new nonce together: it ends no token.
func TestDPoPNonceForMany(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		d, err := oauth.NewDPoP(p256())
		assert.NoError(t, err)
		a, n := rig(t)
		a.steps = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"access_token": "at", "token_type": "DPoP", "expires_in": 3600})
		}}
		n.Serve("https://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now := time.Now().Format("15:04") // a nonce is good for a minute
			pause(10 * time.Millisecond)
			w.Header().Set("DPoP-Nonce", now)
			if claims, _ := proofOf(t, r.Header, "at"); claims["nonce"] != now {
				w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
				w.WriteHeader(401)
				return
			}
			answer(w, map[string]string{})
		}))
		transport := n.Transport()
		defer transport.CloseIdleConnections()
		c, err := aplomb.New("https://api.test", aplomb.Transport(transport), newClient(t, n, oauth.Config{ClientID: "web", DPoP: d}).ClientCredentials())
		assert.NoError(t, err)
		for range 3 {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					_, err := aplomb.Get[struct{}](context.Background(), c, "/x")
					assert.NoError(t, err)
				})
			}
			all.Wait()
			pause(time.Minute)
		}
		equal(t, a.requests(), 1)
	})
}

func TestNewDPoPOfAnEmptyKey(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{
		(*rsa.PrivateKey)(nil), (*ecdsa.PrivateKey)(nil), ed25519.PrivateKey(nil), ed25519.PrivateKey("short"), &rsa.PrivateKey{}, &ecdsa.PrivateKey{},
	} {
		_, err := oauth.NewDPoP(key)
		assert.Contains(t, fmt.Sprint(err), "empty")
	}
}

package aplomb_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// keys are made once: an RSA key takes its time.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	made := map[string]crypto.Signer{}
	made["RSA"], _ = rsa.GenerateKey(rand.Reader, 2048)
	made["P-256"], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	made["P-384"], _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	made["P-521"], _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, made["Ed25519"], _ = ed25519.GenerateKey(rand.Reader)
	return made
})

func pkcs8(key crypto.Signer) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// kms is a key that does not leave its place.
type kms struct{ key crypto.Signer }

func (k kms) Public() crypto.PublicKey { return k.key.Public() }

func (k kms) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(random, digest, opts)
}

// A token verifies, however its key came, by the key's usual algorithm and by
// each other that goes with it.
func TestJWTAlgorithms(t *testing.T) {
	t.Parallel()
	for name, algorithms := range map[string][]string{
		"RSA": {"", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, "P-256": {"", "ES256"}, "P-384": {"", "ES384"},
		"P-521": {"", "ES512"}, "Ed25519": {"", "EdDSA"},
	} {
		for _, algorithm := range algorithms {
			key := keys()[name]
			for how, j := range map[string]aplomb.JWT{
				"PEM": {Key: aplomb.Static(pkcs8(key)), Algorithm: algorithm}, "signer": {Signer: key, Algorithm: algorithm},
				"KMS": {Signer: kms{key}, Algorithm: algorithm},
			} {
				signed, err := j.Sign(context.Background(), time.Now())
				assert.True(t, err == nil, name, algorithm, how, err)
				token, err := jwt.Parse(signed, func(*jwt.Token) (any, error) { return key.Public(), nil })
				assert.True(t, err == nil, name, algorithm, how, err)
				if algorithm != "" {
					assert.Equal(t, token.Method.Alg(), algorithm)
				}
			}
		}
	}
	j := aplomb.JWT{Key: aplomb.Static("a shared secret"), Algorithm: "HS512"}
	signed, err := j.Sign(context.Background(), time.Now())
	assert.NoError(t, err)
	_, err = jwt.Parse(signed, func(*jwt.Token) (any, error) { return []byte("a shared secret"), nil }, jwt.WithValidMethods([]string{"HS512"}))
	assert.NoError(t, err)
}

func TestJWTKeyFormats(t *testing.T) {
	t.Parallel()
	rsaKey, _ := keys()["RSA"].(*rsa.PrivateKey)
	ecKey, _ := keys()["P-256"].(*ecdsa.PrivateKey)
	ec, _ := x509.MarshalECPrivateKey(ecKey)
	for kind, der := range map[string][]byte{"RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(rsaKey), "EC PRIVATE KEY": ec} {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		_, err := aplomb.JWT{Key: aplomb.Static(string(text))}.Sign(context.Background(), time.Now())
		assert.True(t, err == nil, kind, err)
	}
}

func claimsOf(t *testing.T, authorization string) (header map[string]any, claims jwt.MapClaims) {
	t.Helper()
	claims = jwt.MapClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(authorization, "Bearer "), claims)
	if err != nil {
		t.Fatal(err)
	}
	return token.Header, claims
}

// The claims, and a token kept until a quarter of its life is left.
func TestJWT(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		claims := map[string]any{"scope": "read", "aud": []string{"a", "b"}}
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.JWT{
			Key: aplomb.Static(pkcs8(keys()["Ed25519"])), KeyID: "k1", Issuer: "svc", Subject: "bot", Audience: "x", Claims: claims,
			Header: map[string]any{"typ": "at+jwt"},
		})
		claims["scope"] = "changed since"
		start := time.Now()
		at := func(d time.Duration) string {
			pause(time.Until(start.Add(d)))
			_, err := get(t, c)
			assert.NoError(t, err)
			return h.request(h.count() - 1).Header.Get("Authorization")
		}
		first := at(0)
		header, got := claimsOf(t, first)
		assert.Equal(t, header, map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"})
		assert.Equal(t, len(fmt.Sprint(got["jti"])), 26)
		delete(got, "jti")
		issued := float64(start.Add(-10 * time.Second).Unix())
		assert.Equal(t, got, jwt.MapClaims{"iss": "svc", "sub": "bot", "aud": []any{"a", "b"}, "scope": "read", "iat": issued, "exp": issued + 300})
		assert.Equal(t, at(217*time.Second), first)
		assert.Equal(t, at(218*time.Second), first) // signed anew in the background: 290 s - 290/4
		assert.True(t, at(219*time.Second) != first, "it is the next one")
	})
}

func TestJWTReplacedAfter401(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(401), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.JWT{Signer: keys()["P-256"]})
		_, err := post(t, c)
		assert.NoError(t, err)
		assert.True(t, h.request(0).Header.Get("Authorization") != h.request(1).Header.Get("Authorization"), "a token of its own")
	})
}

// byKey lets through tokens of one key, issued and not expired by a clock that
// is off.
func byKey(key crypto.PublicKey, skew time.Duration, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		theirs := time.Now().Add(skew)
		w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
		_, err := jwt.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), func(*jwt.Token) (any, error) { return key, nil },
			jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return theirs }))
		if err != nil {
			status(code)(w, r)
			return
		}
		ok(w, r)
	}
}

// With the clock ten minutes off a token is signed again by the server's.
func TestJWTBySkewedClock(t *testing.T) {
	for _, skew := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		for _, code := range []int{400, 401, 403} {
			bubbleCase(t, fmt.Sprint(skew, code), func(t *testing.T) {
				h := script(byKey(keys()["P-256"].Public(), skew, code))
				c := newClient(t, aplombtest.NewServer(t, h), aplomb.TrustDate(), aplomb.JWT{Signer: keys()["P-256"]})
				for range 2 {
					_, err := post(t, c)
					assert.NoError(t, err)
				}
				assert.Equal(t, h.count(), 3)
			})
		}
	}
}

// A clock that goes wrong later is noticed as well, by whoever carries the token.
func TestJWTWhileTheClockDrifts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		right, wrong := byKey(keys()["P-256"].Public(), 0, 401), byKey(keys()["P-256"].Public(), -10*time.Minute, 401)
		h := script(right, right, wrong)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.TrustDate(), aplomb.JWT{Signer: keys()["P-256"]})
		for range 3 {
			_, err := post(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 4)
	})
}

func TestJWTKeyRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		current, previous := keys()["P-256"], keys()["Ed25519"]
		h := script(byKey(previous.Public(), 0, 401), byKey(previous.Public(), 0, 401), byKey(previous.Public(), 0, 401), byKey(current.Public(), 0, 401))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.JWT{
			Key: aplomb.Rotation(aplomb.Static(pkcs8(current)), aplomb.Static(pkcs8(previous))),
		})
		for range 3 {
			_, err := get(t, c)
			assert.NoError(t, err)
			pause(time.Minute)
		}
		assert.Equal(t, h.count(), 5)
	})
}

// A secrets manager is asked for the key again after a 401.
func TestJWTKeyOfASecretsManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := 0
		source := aplomb.SecretFunc(func(context.Context) (string, error) {
			asked++
			return pkcs8(keys()[[]string{"P-384", "P-256"}[min(asked, 2)-1]]), nil
		})
		h := script(byKey(keys()["P-256"].Public(), 0, 401))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.JWT{Key: source})
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, [2]int{asked, h.count()}, [2]int{2, 2})
	})
}

func TestJWTInvalid(t *testing.T) {
	t.Parallel()
	good := aplomb.Static(pkcs8(keys()["P-256"]))
	certificate := aplomb.Static("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----")
	for want, j := range map[string]aplomb.JWT{
		"give Key, or a Signer":            {},
		"not both":                         {Key: good, Signer: keys()["RSA"]},
		"is no PEM private key":            {Key: aplomb.Static("planted-s3cret")},
		`PEM block "CERTIFICATE"`:          {Key: certificate},
		"Claims has exp":                   {Key: good, Claims: map[string]any{"exp": 1}},
		"Header has alg: give it as":       {Key: good, Header: map[string]any{"alg": "none"}},
		"Header has kid: give it as KeyID": {Key: good, Header: map[string]any{"kid": "k"}},
		`"" does not go with this key`:     {Signer: &rsa.PrivateKey{}},
		`"HS256" does not go with`:         {Signer: keys()["RSA"], Algorithm: "HS256"},
		"leave Algorithm out":              {Key: good, Algorithm: "HS256"},
		`"none" does not go with this key`: {Key: good, Algorithm: "none"},
		`"ES384" does not go with`:         {Key: good, Algorithm: "ES384"},
		"is too short":                     {Key: good, Lifetime: 5 * time.Second},
		"SecretFunc is nil":                {Key: aplomb.SecretFunc(nil)},
		"is empty: set it":                 {Key: aplomb.Env("APLOMB_TEST_NO_SUCH_KEY")},
	} {
		_, err := aplomb.New("http://api.test", j)
		assert.Contains(t, fmt.Sprint(err), want)
		assert.NotContains(t, fmt.Sprint(err), "planted")
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", j, j, j), "planted")
	}
}

// A JWT that holds the key itself shows it to nobody who asks a method.
func TestJWTPrintsNoKey(t *testing.T) {
	t.Parallel()
	for name, key := range keys() {
		j := aplomb.JWT{Signer: key, Claims: map[string]any{"ssn": "pl4nted"}}
		raw, err := json.Marshal(map[string]any{"jwt": j, "pointer": &j})
		assert.NoError(t, err)
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "jwt", j, "in", struct{ J aplomb.JWT }{j})
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "jwt", j)
		text := string(raw) + out.String() + fmt.Sprintf("%v %+v %#v %x", j, &j, struct{ J aplomb.JWT }{j}, j)
		assert.NotContains(t, text, "pl4nted", name)
		assert.True(t, len(text) < 1500, name, text) // a key is longer
	}
}

// Typed nils and empty keys are errors, not panics.
func TestJWTWithoutAKey(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{(*ecdsa.PrivateKey)(nil), (*rsa.PrivateKey)(nil), &ecdsa.PrivateKey{}, ed25519.PrivateKey(nil), ed25519.PrivateKey("short")} {
		_, err := aplomb.New("http://api.test", aplomb.JWT{Signer: key})
		assert.True(t, err != nil, fmt.Sprintf("%T", key))
		_, err = aplomb.JWT{Signer: key}.Sign(context.Background(), time.Now())
		assert.True(t, err != nil, fmt.Sprintf("%T", key))
	}
	asked := 0
	source := aplomb.SecretFunc(func(context.Context) (string, error) { asked++; return "x", nil })
	_, err := aplomb.New("http://api.test", aplomb.JWT{Key: aplomb.Rotation(source, source)})
	assert.NoError(t, err)
	assert.Equal(t, asked, 0) // New asks no secrets manager
}

// Keys as .env files and openssl write them.
func TestJWTKeyOnOneLine(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(pkcs8(keys()["P-256"]), "\n", `\n`)
	_, err := aplomb.JWT{Key: aplomb.Static(text)}.Sign(context.Background(), time.Now())
	assert.NoError(t, err)
	ecKey, _ := keys()["P-256"].(*ecdsa.PrivateKey)
	der, err := x509.MarshalECPrivateKey(ecKey)
	assert.NoError(t, err)
	text = string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}})) + string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	_, err = aplomb.JWT{Key: aplomb.Static(text)}.Sign(context.Background(), time.Now())
	assert.NoError(t, err)
}

// A KMS that fails, or that signs nonsense, is the call's failure.
func TestJWTFailingSigner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.JWT{Signer: brokenKMS{keys()["P-256"]}}))
		assert.Contains(t, err.Error(), "no credential (aplomb: JWT: sign with ES256: the crypto.Signer returned no ECDSA signature")
		_, err = get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.JWT{Key: aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("sealed") })}))
		assert.Contains(t, err.Error(), "SecretFunc failed: sealed")
		assert.Equal(t, h.count(), 0)
	})
}

type brokenKMS struct{ crypto.Signer }

func (brokenKMS) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return []byte("nonsense"), nil
}

package signature

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"reflect"
)

// Algorithm is a signature algorithm of RFC 9421, by its name in IANA's
// registry (section 6.2.2).
type Algorithm string

// The algorithms. Ed25519 is the one to choose where there is a choice.
const (
	Ed25519         Algorithm = "ed25519"
	ECDSAP256SHA256 Algorithm = "ecdsa-p256-sha256"
	ECDSAP384SHA384 Algorithm = "ecdsa-p384-sha384"
	RSAPSSSHA512    Algorithm = "rsa-pss-sha512"
	RSAv15SHA256    Algorithm = "rsa-v1_5-sha256"

	hmacSHA256 Algorithm = "hmac-sha256" // SharedKey's
)

// MessageKey is a key of [MessageSignature] with its name and the one algorithm
// that it is for: what a message says about its algorithm decides nothing.
// [SharedKey], [PrivateKey] and [PublicKey] make them. Its secret cannot be
// printed.
type MessageKey struct {
	id     string
	alg    Algorithm
	err    error
	sign   func(ctx context.Context, base []byte) ([]byte, error)
	verify func(ctx context.Context, base, sum []byte) (bool, error)
}

// SharedKey signs and verifies with hmac-sha256.
func SharedKey(id string, secret Key) MessageKey {
	sum := func(ctx context.Context, base []byte) ([]byte, error) {
		key, err := secret.bytes(ctx, fmt.Sprintf("the key %q", id))
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(base)
		return mac.Sum(nil), nil
	}
	return MessageKey{id: id, alg: hmacSHA256, sign: sum, verify: func(ctx context.Context, base, got []byte) (bool, error) {
		want, err := sum(ctx, base)
		return err == nil && hmac.Equal(want, got), err
	}}
}

// PrivateKey signs, and verifies with its public half. The key may live in a
// KMS or an HSM: only Sign and Public are called. RSA keys have at least 2048
// bits.
func PrivateKey(id string, alg Algorithm, key crypto.Signer) MessageKey {
	if !usable(key) {
		return MessageKey{id: id, err: fmt.Errorf("signature: the key %q is nil or no private key", id)}
	}
	k := PublicKey(id, alg, key.Public())
	k.sign = func(_ context.Context, base []byte) ([]byte, error) {
		digest, opts := digestFor(alg, base)
		sum, err := key.Sign(rand.Reader, digest, opts)
		if err != nil {
			return nil, fmt.Errorf("signature: the key %q cannot sign: %w", id, err)
		}
		if public, ok := key.Public().(*ecdsa.PublicKey); ok {
			return fixedECDSA(sum, coordinate(public))
		}
		return sum, nil
	}
	return k
}

// usable reports a key whose Public does not panic.
func usable(key crypto.Signer) bool {
	if private, ok := key.(ed25519.PrivateKey); ok {
		return len(private) == ed25519.PrivateKeySize
	}
	v := reflect.ValueOf(key)
	return v.IsValid() && (v.Kind() != reflect.Pointer || !v.IsNil())
}

// coordinate is the length of half a signature.
func coordinate(key *ecdsa.PublicKey) int { return (key.Curve.Params().BitSize + 7) / 8 }

// PublicKey verifies. The key is an ed25519.PublicKey, an *ecdsa.PublicKey or an
// *rsa.PublicKey, as the algorithm has it.
func PublicKey(id string, alg Algorithm, key crypto.PublicKey) MessageKey {
	k := MessageKey{id: id, alg: alg}
	check, err := verifierFor(alg, key)
	if err != nil {
		k.err = fmt.Errorf("signature: the key %q: %w", id, err)
		return k
	}
	k.verify = func(_ context.Context, base, sum []byte) (bool, error) { return check(base, sum), nil }
	return k
}

// check reports a key that cannot be used.
func (k MessageKey) check() error {
	switch {
	case k.err != nil:
		return k.err
	case k.verify == nil:
		return errors.New("signature: a MessageKey is empty: make it with SharedKey, PrivateKey or PublicKey")
	case k.id == "" || !isVisible(k.id):
		return errors.New("signature: a MessageKey has no id of visible ASCII, by which the verifier finds it")
	}
	return nil
}

// digestFor is what a crypto.Signer is given for the algorithm.
func digestFor(alg Algorithm, base []byte) ([]byte, crypto.SignerOpts) {
	sum := func(h crypto.Hash) []byte {
		w := h.New()
		w.Write(base)
		return w.Sum(nil)
	}
	switch alg {
	case ECDSAP256SHA256, RSAv15SHA256:
		return sum(crypto.SHA256), crypto.SHA256
	case ECDSAP384SHA384:
		return sum(crypto.SHA384), crypto.SHA384
	case RSAPSSSHA512:
		return sum(crypto.SHA512), &rsa.PSSOptions{SaltLength: 64, Hash: crypto.SHA512}
	case Ed25519, hmacSHA256:
	}
	return base, crypto.Hash(0) // ed25519 signs the text itself
}

// verifierFor checks that the key is one of the algorithm's.
func verifierFor(alg Algorithm, key crypto.PublicKey) (func(base, sum []byte) bool, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if alg == Ed25519 && len(key) == ed25519.PublicKeySize {
			return func(base, sum []byte) bool { return ed25519.Verify(key, base, sum) }, nil
		}
	case *ecdsa.PublicKey:
		if key != nil && (alg == ECDSAP256SHA256 && key.Curve == elliptic.P256() || alg == ECDSAP384SHA384 && key.Curve == elliptic.P384()) {
			return ecdsaVerifier(alg, key), nil
		}
	case *rsa.PublicKey:
		switch {
		case key == nil || key.N == nil || alg != RSAPSSSHA512 && alg != RSAv15SHA256:
		case key.N.BitLen() < 2048:
			return nil, fmt.Errorf("an RSA key of %d bits is too small: use 2048 or more", key.N.BitLen())
		default:
			return rsaVerifier(alg, key), nil
		}
	}
	return nil, fmt.Errorf("a %T is not a key for %q", key, alg)
}

func ecdsaVerifier(alg Algorithm, key *ecdsa.PublicKey) func(base, sum []byte) bool {
	size := coordinate(key)
	return func(base, sum []byte) bool {
		if len(sum) != 2*size {
			return false
		}
		digest, _ := digestFor(alg, base)
		return ecdsa.Verify(key, digest, new(big.Int).SetBytes(sum[:size]), new(big.Int).SetBytes(sum[size:]))
	}
}

func rsaVerifier(alg Algorithm, key *rsa.PublicKey) func(base, sum []byte) bool {
	return func(base, sum []byte) bool {
		digest, opts := digestFor(alg, base)
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(key, pss.Hash, digest, sum, pss) == nil
		}
		return rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, sum) == nil
	}
}

// fixedECDSA turns crypto.Signer's ASN.1 into the two numbers side by side that
// RFC 9421, section 3.3.4, wants.
func fixedECDSA(der []byte, size int) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &pair)
	if err != nil || len(rest) > 0 || pair.R.Sign() <= 0 || pair.S.Sign() <= 0 || pair.R.BitLen() > 8*size || pair.S.BitLen() > 8*size {
		return nil, errors.New("signature: the crypto.Signer's ECDSA signature is malformed")
	}
	out := make([]byte, 2*size)
	pair.R.FillBytes(out[:size])
	pair.S.FillBytes(out[size:])
	return out, nil
}

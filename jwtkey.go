package aplomb

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// parsePrivateKey reads a PEM block. Its errors quote nothing of it.
func parsePrivateKey(secret Secret) (crypto.Signer, error) {
	text := secret.Reveal()
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n") // as .env files have it
	}
	block, rest := pem.Decode([]byte(text))
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam puts them first
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New(`aplomb: JWT.Key is no PEM private key: it should begin "-----BEGIN PRIVATE KEY-----"; for a shared secret set Algorithm to HS256`)
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(block.Bytes)
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
	}
	return nil, fmt.Errorf("aplomb: JWT.Key is a PEM block %.40q, which is no private key without a passphrase: write it with `openssl pkcs8 -topk8 -nocrypt`", block.Type)
}

// jwtMethod is how key signs, by the algorithm asked for or the key's usual one.
func jwtMethod(algorithm string, key any) (jwt.SigningMethod, error) {
	usual, allowed := keyAlgorithms(key)
	name := orDefault(algorithm, usual)
	for _, method := range allowed {
		if method.Alg() != name {
			continue
		}
		switch key.(type) {
		case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, []byte:
			return method, nil
		}
		return remoteMethod{method}, nil
	}
	return nil, fmt.Errorf("aplomb: JWT.Algorithm: %q does not go with this key; leave it out for the usual one", name)
}

// keyAlgorithms are the algorithms for a key, and the usual one of them.
func keyAlgorithms(key any) (usual string, allowed []jwt.SigningMethod) {
	if _, ok := key.([]byte); ok {
		return "HS256", []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512}
	}
	signer, ok := key.(crypto.Signer)
	if !ok || !usable(signer) {
		return "", nil
	}
	switch public := signer.Public().(type) {
	case *rsa.PublicKey:
		return "RS256", []jwt.SigningMethod{
			jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
			jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512,
		}
	case *ecdsa.PublicKey:
		for _, method := range []*jwt.SigningMethodECDSA{jwt.SigningMethodES256, jwt.SigningMethodES384, jwt.SigningMethodES512} {
			if method.CurveBits == public.Curve.Params().BitSize {
				return method.Alg(), []jwt.SigningMethod{method}
			}
		}
	case ed25519.PublicKey:
		return "EdDSA", []jwt.SigningMethod{jwt.SigningMethodEdDSA}
	}
	return "", nil
}

// usable reports a key that can be asked: a nil or an empty one would panic.
func usable(signer crypto.Signer) bool {
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		return k != nil && k.N != nil && k.D != nil
	case *ecdsa.PrivateKey:
		return k != nil && k.Curve != nil
	case ed25519.PrivateKey:
		return len(k) == ed25519.PrivateKeySize
	}
	return !isNil(signer)
}

// remoteMethod signs with a key that is only known by its crypto.Signer, such as
// a KMS's, which golang-jwt does for Ed25519 alone.
type remoteMethod struct{ jwt.SigningMethod }

func (m remoteMethod) Sign(text string, key any) ([]byte, error) {
	signer, _ := key.(crypto.Signer)
	switch method := m.SigningMethod.(type) {
	case *jwt.SigningMethodRSAPSS: // before RSA, which it embeds
		return signer.Sign(rand.Reader, digest(method.Hash, text), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: method.Hash})
	case *jwt.SigningMethodRSA:
		return signer.Sign(rand.Reader, digest(method.Hash, text), method.Hash)
	case *jwt.SigningMethodECDSA:
		der, err := signer.Sign(rand.Reader, digest(method.Hash, text), method.Hash)
		if err != nil {
			return nil, err
		}
		return rawECDSA(der, (method.CurveBits+7)/8)
	}
	return m.SigningMethod.Sign(text, key)
}

func digest(hash crypto.Hash, text string) []byte {
	h := hash.New()
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}

// rawECDSA is a signature as JWS has it (RFC 7518, section 3.4): r and s, each
// of size bytes.
func rawECDSA(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 || sig.R.Sign() <= 0 || sig.S.Sign() <= 0 ||
		sig.R.BitLen() > 8*size || sig.S.BitLen() > 8*size {
		return nil, errors.New("the crypto.Signer returned no ECDSA signature in ASN.1")
	}
	raw := make([]byte, 2*size)
	sig.R.FillBytes(raw[:size])
	sig.S.FillBytes(raw[size:])
	return raw, nil
}

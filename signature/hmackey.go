package signature

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// hmacKey is a key of an [HMAC] as its scheme uses it.
type hmacKey struct {
	prefix  string // of its signatures, where it is not the one that Value says
	compute func(content) ([]byte, error)
	verify  func(text content, sums [][]byte) (bool, error)
}

func (k *hmacKey) sign(text content) ([]byte, error) {
	if k.compute == nil {
		return nil, errors.New("signature: the first key is a public key, which can verify only")
	}
	return k.compute(text)
}

// verifyAny tries the candidates of the key's kind.
func (k *hmacKey) verifyAny(candidates []candidate, text content) (bool, error) {
	var sums [][]byte
	for _, c := range candidates {
		if c.ed25519 == (k.prefix == ed25519Prefix) {
			sums = append(sums, c.sum)
		}
	}
	return k.verify(text, sums)
}

// key asks for the i-th key.
func (c *recipe) key(r *http.Request, i int) (*hmacKey, error) {
	what := fmt.Sprintf("HMAC.Keys[%d]", i)
	raw, err := c.Keys[i].bytes(r.Context(), what)
	if err != nil {
		return nil, err
	}
	if c.webhook {
		return webhookKey(raw, what)
	}
	return macKey(c.Hash, raw), nil
}

func macKey(hash crypto.Hash, key []byte) *hmacKey {
	compute := func(text content) ([]byte, error) {
		mac := hmac.New(hash.New, key)
		err := text(mac)
		return mac.Sum(nil), err
	}
	verify := func(text content, sums [][]byte) (bool, error) {
		want, err := compute(text)
		good := false
		for _, sum := range sums {
			good = hmac.Equal(want, sum) || good
		}
		return err == nil && good, err
	}
	return &hmacKey{compute: compute, verify: verify}
}

// ed25519Prefix names asymmetric signatures among Standard Webhooks' own.
const ed25519Prefix = "v1a,"

// webhookKey reads a key as Standard Webhooks writes it: whsec_ is a
// shared secret, whsk_ and whpk_ are ed25519's halves; the rest is base64. A
// secret that is not base64 is refused, for the bytes of its text would be
// another key than the sender's.
func webhookKey(raw []byte, what string) (*hmacKey, error) {
	kind, text, found := strings.Cut(string(raw), "_") // which base64 has not
	if !found {
		kind, text = "whsec", kind
	}
	key, err := Base64.decode(text)
	if err != nil {
		return nil, fmt.Errorf("signature: %s is not base64 after its whsec_, whsk_ or whpk_: give it as the vendor shows it", what)
	}
	switch {
	case kind == "whsec":
		return macKey(crypto.SHA256, key), nil
	case kind == "whpk" && len(key) == ed25519.PublicKeySize:
		return ed25519Key(nil, key), nil
	case kind == "whsk" && len(key) == ed25519.PrivateKeySize:
		private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])
		if bytes.Equal(private, key) {
			return ed25519Key(private, key[ed25519.SeedSize:]), nil
		}
	}
	return nil, fmt.Errorf("signature: %s is not a key of the kind that it says, which is one of whsec_, whsk_ and whpk_", what)
}

func ed25519Key(private ed25519.PrivateKey, public ed25519.PublicKey) *hmacKey {
	k := &hmacKey{prefix: ed25519Prefix}
	k.verify = func(text content, sums [][]byte) (bool, error) {
		var b bytes.Buffer
		err := text(&b)
		good := func(sum []byte) bool { return ed25519.Verify(public, b.Bytes(), sum) }
		return err == nil && slices.ContainsFunc(sums, good), err
	}
	if private != nil {
		k.compute = func(text content) ([]byte, error) {
			var b bytes.Buffer
			err := text(&b)
			return ed25519.Sign(private, b.Bytes()), err
		}
	}
	return k
}

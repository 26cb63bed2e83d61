package signature

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// hmacKey is a key of an [HMAC] as its scheme uses it: of a MAC, or of ed25519.
type hmacKey struct {
	raw     []byte           // as it came, to tell whether it is still the same
	mac     func() hash.Hash // nil for ed25519
	private ed25519.PrivateKey
	public  ed25519.PublicKey
}

// sign signs m's text.
func (k *hmacKey) sign(c *recipe, m *envelope) ([]byte, error) {
	if k.mac != nil {
		mac := k.mac()
		err := c.write(mac, m)
		return mac.Sum(nil), err
	}
	if k.private == nil {
		return nil, errors.New("signature: the first key is a public key, which can verify only")
	}
	var text bytes.Buffer
	err := c.write(&text, m)
	return ed25519.Sign(k.private, text.Bytes()), err
}

// verify tries m's candidates that are of the key's kind, each in the same time.
// The key is the i-th.
func (k *hmacKey) verify(c *recipe, m *envelope, i int) (bool, error) {
	if k.mac == nil {
		return k.verifyPublic(c, m)
	}
	mac := m.macOf(k, i)
	if err := c.write(mac, m); err != nil {
		return false, err
	}
	want, good := mac.Sum(m.sum[:0]), false
	for _, sum := range m.candidates {
		good = !sum.ed25519 && hmac.Equal(want, m.sums[sum.from:sum.to]) || good
	}
	return good, nil
}

func (k *hmacKey) verifyPublic(c *recipe, m *envelope) (bool, error) {
	var text bytes.Buffer
	if err := c.write(&text, m); err != nil {
		return false, err
	}
	return slices.ContainsFunc(m.candidates, func(sum candidate) bool {
		return sum.ed25519 && ed25519.Verify(k.public, text.Bytes(), m.sums[sum.from:sum.to])
	}), nil
}

// key reads the bytes that the i-th key gave.
func (c *recipe) key(raw []byte, i int) (*hmacKey, error) {
	var k *hmacKey
	if c.webhook {
		var err error
		if k, err = webhookKey(raw, c.names[i]); err != nil {
			return nil, err
		}
	} else {
		k = macKey(c.Hash, raw)
	}
	k.raw = bytes.Clone(raw)
	return k, nil
}

func macKey(algorithm crypto.Hash, key []byte) *hmacKey {
	key = bytes.Clone(key)
	return &hmacKey{mac: func() hash.Hash { return hmac.New(algorithm.New, key) }}
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
		return &hmacKey{public: key}, nil
	case kind == "whsk" && len(key) == ed25519.PrivateKeySize:
		private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])
		if bytes.Equal(private, key) {
			return &hmacKey{private: private, public: key[ed25519.SeedSize:]}, nil
		}
	}
	return nil, fmt.Errorf("signature: %s is not a key of the kind that it says, which is one of whsec_, whsk_ and whpk_", what)
}

package signature

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Encoding is how a signature's bytes are written.
type Encoding int

const (
	// Hex writes two digits for each byte; either case is read.
	Hex Encoding = iota
	// Base64 is the standard alphabet with padding (RFC 4648, section 4).
	Base64
)

// String names the encoding.
func (e Encoding) String() string {
	if e == Base64 {
		return "base64"
	}
	return "hex"
}

func (e Encoding) encode(b []byte) string {
	if e == Base64 {
		return base64.StdEncoding.EncodeToString(b)
	}
	return hex.EncodeToString(b)
}

// decode refuses an empty text, and line breaks, which encoding/base64 skips.
func (e Encoding) decode(text string) ([]byte, error) {
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("empty or broken")
	}
	if e == Base64 {
		return base64.StdEncoding.Strict().DecodeString(text)
	}
	return hex.DecodeString(text)
}

// content writes what is signed.
type content func(w io.Writer) error

// instrument is a key in its scheme's hands.
type instrument struct {
	prefix  string // of its signatures, where it is not the one that Value says
	compute func(content) ([]byte, error)
	verify  func(text content, sums [][]byte) (bool, error)
}

func (k *instrument) sign(text content) ([]byte, error) {
	if k.compute == nil {
		return nil, errors.New("signature: the first key is a public key, which can verify only")
	}
	return k.compute(text)
}

// verifyAny tries the candidates of the key's kind.
func (k *instrument) verifyAny(candidates []candidate, text content) (bool, error) {
	var sums [][]byte
	for _, c := range candidates {
		if c.ed25519 == (k.prefix == ed25519Prefix) {
			sums = append(sums, c.sum)
		}
	}
	return k.verify(text, sums)
}

// instrument asks for the i-th key.
func (c *recipe) instrument(r *http.Request, i int) (*instrument, error) {
	what := fmt.Sprintf("HMAC.Keys[%d]", i)
	raw, err := c.Keys[i].bytes(r.Context(), what)
	if err != nil {
		return nil, err
	}
	if c.webhook {
		return webhookInstrument(raw, what)
	}
	return hmacInstrument(c.Hash, raw), nil
}

func hmacInstrument(hash crypto.Hash, key []byte) *instrument {
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
	return &instrument{compute: compute, verify: verify}
}

// ed25519Prefix names asymmetric signatures among Standard Webhooks' own.
const ed25519Prefix = "v1a,"

// webhookInstrument reads a key as Standard Webhooks writes it: whsec_ is a
// shared secret, whsk_ and whpk_ are ed25519's halves; the rest is base64. A
// secret that is not base64 is refused, for the bytes of its text would be
// another key than the sender's.
func webhookInstrument(raw []byte, what string) (*instrument, error) {
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
		return hmacInstrument(crypto.SHA256, key), nil
	case kind == "whpk" && len(key) == ed25519.PublicKeySize:
		return ed25519Instrument(nil, key), nil
	case kind == "whsk" && len(key) == ed25519.PrivateKeySize:
		private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])
		if bytes.Equal(private, key) {
			return ed25519Instrument(private, key[ed25519.SeedSize:]), nil
		}
	}
	return nil, fmt.Errorf("signature: %s is not a key of the kind that it says, which is one of whsec_, whsk_ and whpk_", what)
}

func ed25519Instrument(private ed25519.PrivateKey, public ed25519.PublicKey) *instrument {
	k := &instrument{prefix: ed25519Prefix}
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

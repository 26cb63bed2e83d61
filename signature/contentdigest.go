package signature

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// digests are the algorithms of Content-Digest that are good for a signature
// (RFC 9530, section 5); the header's others are passed over.
var digests = []struct {
	name string
	hash crypto.Hash
}{{"sha-256", crypto.SHA256}, {"sha-512", crypto.SHA512}}

const contentDigest = "content-digest"

// coversBody reports whether the body's own digest is covered, in any form.
func coversBody(covered []component) bool {
	return slices.ContainsFunc(covered, func(c component) bool { return c.name == contentDigest && !c.has("req") })
}

func knownDigest(name any) bool {
	for _, d := range digests {
		if name == d.name {
			return true
		}
	}
	return false
}

// setContentDigest gives r the digest of its body, or checks the one it brings:
// an untrue one would be signed and then refused.
func setContentDigest(r *http.Request, hash crypto.Hash) error {
	body := bodyOf(r)
	if len(r.Header.Values("Content-Digest")) > 0 {
		if err := checkContentDigest(r.Header, body); err != nil {
			return fmt.Errorf("signature: the request's own: %w", err)
		}
		return nil
	}
	for _, d := range digests {
		if d.hash != hash {
			continue
		}
		sum := hash.New()
		if err := body(sum); err != nil {
			return err
		}
		setHeader(r, contentDigest, fieldMember{d.name, fieldItem{value: sum.Sum(nil)}}.String())
	}
	return nil
}

// checkContentDigest wants each digest that it knows to be the body's, and at
// least one that it knows.
func checkContentDigest(h http.Header, body content) error {
	dict, err := parseFieldDictionary(strings.Join(h.Values("Content-Digest"), ", "))
	if err != nil {
		return fmt.Errorf("Content-Digest is malformed: %w", err)
	}
	known := 0
	for _, m := range dict {
		for _, d := range digests {
			if m.key != d.name {
				continue
			}
			known++
			sum := d.hash.New()
			if err := body(sum); err != nil {
				return err
			}
			if want, _ := m.value.([]byte); !bytes.Equal(want, sum.Sum(nil)) {
				return fmt.Errorf("Content-Digest: %s is not that of the body", m.key)
			}
		}
	}
	if known == 0 {
		return errors.New("Content-Digest has neither sha-256 nor sha-512")
	}
	return nil
}

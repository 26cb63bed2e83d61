package signature

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// MessageSignature signs and verifies HTTP messages after RFC 9421, in the
// headers Signature-Input and Signature: the standard, for APIs that other
// people call and for keys that need not be shared.
//
// The zero value but for Keys signs method, host, path, query and body, and
// wants the same to be signed.
type MessageSignature struct {
	// Keys are found by their ids. The first one signs; ids differ.
	Keys []MessageKey
	// Lookup finds a key that is not among Keys, for instance in a directory of
	// a partner's public keys. A zero MessageKey and no error mean that it is
	// not known. The id is what the message says and not yet proved.
	Lookup func(ctx context.Context, keyID string) (MessageKey, error)

	// Components are what is signed and, when verifying, what must be signed; a
	// message may sign more. Header fields by name, and "@method", "@target-uri",
	// "@authority", "@scheme", "@request-target", "@path", "@query",
	// `@query-param;name="page"`; of a response "@status", and with ;req what
	// the request had. Fields may have the parameters ;sf, ;bs and
	// `;key="member"`; ;tr is not supported.
	//
	// With "content-digest" the digest of the body is set when signing and
	// checked when verifying (RFC 9530). If Components is empty they are
	// "@method", "@authority", "@path" and "@query", of a response "@status",
	// and "content-digest" if there is a body.
	//
	// A received request does not tell its scheme behind a proxy that ends TLS:
	// set r.URL.Scheme before "@scheme" or "@target-uri" is verified.
	Components []string

	// Label names the signature: "sig1" if empty. When verifying, empty stands
	// for any label.
	Label string
	// Tag names the application; a signature with another tag, or with one where
	// none is given, is not looked at.
	Tag string
	// Nonce adds a random nonce, or demands one, which Verified.ID gives back.
	Nonce bool
	// NameAlgorithm has the signature name its algorithm, for verifiers that want
	// that. When verifying, one that is named must be the key's anyway.
	NameAlgorithm bool
	// Lifetime has the signature expire; zero leaves that to the verifier.
	Lifetime time.Duration
	// Digest is for Content-Digest: crypto.SHA256 if zero, else SHA512. A
	// request that brings the header keeps its own, if it is true.
	Digest crypto.Hash

	// MaxAge is how old a signature may be, whatever it says of its expiry:
	// Tolerance if zero.
	MaxAge time.Duration
	// Tolerance is how far ahead of ours the signer's clock may be:
	// [DefaultTolerance] if zero.
	Tolerance time.Duration
}

var (
	_ Signer   = MessageSignature{}
	_ Verifier = MessageSignature{}
)

// Check reports what is wrong with the settings, without asking for a key. Sign
// and Verify report the same.
func (s MessageSignature) Check() error {
	seen := map[string]bool{}
	for _, key := range s.Keys {
		if err := key.check(); err != nil {
			return err
		}
		if seen[key.id] {
			return fmt.Errorf("signature: two keys have the id %q", key.id)
		}
		seen[key.id] = true
	}
	switch {
	case len(s.Keys) == 0 && s.Lookup == nil:
		return errors.New("signature: MessageSignature has neither Keys nor Lookup: without a key nothing is proved")
	case s.Label != "" && !isLabel(s.Label):
		return fmt.Errorf("signature: MessageSignature.Label %q may hold lower case letters, digits and _-.* only and begins with a letter or *", s.Label)
	case s.Digest != 0 && s.Digest != crypto.SHA256 && s.Digest != crypto.SHA512:
		return fmt.Errorf("signature: MessageSignature.Digest is %v; it may be SHA256 or SHA512", s.Digest)
	case s.Lifetime < 0 || s.MaxAge < 0 || s.Tolerance < 0:
		return errors.New("signature: MessageSignature: Lifetime, MaxAge or Tolerance is negative")
	case s.Lifetime > 0 && s.Lifetime < time.Second:
		return errors.New("signature: MessageSignature.Lifetime is in whole seconds: give it one or more")
	case !isVisible(s.Tag):
		return errors.New("signature: MessageSignature.Tag may hold visible ASCII and spaces only")
	}
	if _, err := uniqueComponents(s.Components, parseComponent); err != nil {
		return fmt.Errorf("signature: MessageSignature.Components: %w", err)
	}
	return nil
}

func isLabel(s string) bool {
	p := &fieldParser{s: s}
	_, err := p.key()
	return err == nil && p.done()
}

func isVisible(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

// components are those of the settings, or the usual ones of the message.
func (s MessageSignature) components(m message, body bool) ([]component, error) {
	texts := s.Components
	if len(texts) == 0 {
		texts = []string{"@method", "@authority", "@path", "@query"}
		if m.response != nil {
			texts = []string{"@status"}
		}
		if body {
			texts = append(texts, contentDigest)
		}
	}
	return uniqueComponents(texts, parseComponent)
}

// Sign adds a signature of r, beside those that it may have under other labels.
func (s MessageSignature) Sign(r *http.Request, now time.Time) error {
	if err := s.Check(); err != nil {
		return err
	}
	if err := checkSigning(r, now); err != nil {
		return err
	}
	if len(s.Keys) == 0 || s.Keys[0].sign == nil {
		return errors.New("signature: MessageSignature has no key to sign with: the first of Keys must be a SharedKey or PrivateKey")
	}
	label := cmp.Or(s.Label, "sig1")
	if err := labelIsFree(r.Header, label); err != nil {
		return err
	}
	m := message{request: r}
	covered, err := s.components(m, hasBody(r))
	if err != nil {
		return err
	}
	if coversBody(covered) {
		if err := setContentDigest(r, cmp.Or(s.Digest, crypto.SHA256)); err != nil {
			return err
		}
	}
	base, input, err := signatureBase(m, covered, s.parameters(now))
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	sum, err := s.Keys[0].sign(r.Context(), base)
	if err != nil {
		return err
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Add("Signature-Input", fieldMember{label, input}.String())
	r.Header.Add("Signature", fieldMember{label, fieldItem{value: sum}}.String())
	return nil
}

// labelIsFree refuses a second signature with the label of another, which no
// verifier would accept.
func labelIsFree(h http.Header, label string) error {
	for _, name := range []string{"Signature-Input", "Signature"} {
		dict, err := parseFieldDictionary(strings.Join(h.Values(name), ", "))
		if err != nil {
			return fmt.Errorf("signature: the request's own %s is malformed: %w", name, err)
		}
		if _, taken := memberOf(dict, label); taken {
			return fmt.Errorf("signature: the request already has a signature with the label %q: give this one another Label", label)
		}
	}
	return nil
}

// parameters are those of the signature (RFC 9421, section 2.3).
func (s MessageSignature) parameters(now time.Time) []fieldParam {
	params := []fieldParam{{"created", now.Unix()}}
	if s.Lifetime > 0 {
		params = append(params, fieldParam{"expires", now.Add(s.Lifetime).Unix()})
	}
	params = append(params, fieldParam{"keyid", s.Keys[0].id})
	if s.NameAlgorithm {
		params = append(params, fieldParam{"alg", string(s.Keys[0].alg)})
	}
	if s.Nonce {
		params = append(params, fieldParam{"nonce", rand.Text()})
	}
	if s.Tag != "" {
		params = append(params, fieldParam{"tag", s.Tag})
	}
	return params
}

func memberOf(dict []fieldMember, key string) (fieldItem, bool) {
	for _, m := range dict {
		if m.key == key {
			return m.fieldItem, true
		}
	}
	return fieldItem{}, false
}

func covers(covered []component, want component) bool {
	for _, c := range covered {
		if c.same() == want.same() {
			return true
		}
	}
	return false
}

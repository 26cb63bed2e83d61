package signature

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Verify finds a signature of r that signs all of Components with a known key
// and is of the allowed age. Of several, one that is good is enough. A path that
// is signed must be escaped as net/url does it.
func (s MessageSignature) Verify(r *http.Request, body []byte, now time.Time) (Verified, error) {
	if err := checkRequest(r); err != nil {
		return Verified{}, err
	}
	return s.verify(r.Context(), message{request: r, body: body}, now)
}

// VerifyResponse does the same for a response. Its request, resp.Request, must
// be the one that was sent if Components has ;req, which ties an answer to its
// question. A Content-Digest is that of the body before net/http unpacks it: ask
// for it with an Accept-Encoding of your own.
func (s MessageSignature) VerifyResponse(resp *http.Response, body []byte, now time.Time) (Verified, error) {
	ctx := context.Background()
	if resp.Request != nil {
		if err := checkRequest(resp.Request); err != nil {
			return Verified{}, err
		}
		ctx = resp.Request.Context()
	}
	return s.verify(ctx, message{request: resp.Request, response: resp, body: body}, now)
}

func (s MessageSignature) verify(ctx context.Context, m message, now time.Time) (Verified, error) {
	if err := s.Check(); err != nil {
		return Verified{}, err
	}
	required, err := s.components(m, len(m.body) > 0)
	if err != nil {
		return Verified{}, err
	}
	signatures, err := s.signatures(m.header())
	if err != nil {
		return Verified{}, err
	}
	var closest error
	for _, one := range signatures {
		v, err := Verified{}, s.suffices(m, one, required)
		if err == nil {
			v, err = s.prove(ctx, m, one, now)
		}
		switch {
		case err == nil:
			return v, nil
		case closest == nil || weight(err) > weight(closest):
			closest = err
		}
	}
	return Verified{}, closest
}

// weight has the fault of a key reported rather than an old signature, and that
// rather than a wrong one, since it comes closest to what would have been good.
func weight(err error) int {
	switch {
	case errors.Is(err, ErrSignature):
		return 0
	case errors.Is(err, ErrExpired):
		return 1
	}
	return 2
}

// signed is one signature of a message, as its headers have it.
type signed struct {
	label   string
	covered []component
	params  []fieldParam
	sum     []byte
	// The parameters; a time is zero where it is not said.
	created, expires       time.Time
	keyID, alg, nonce, tag string
}

// signatures reads those that the settings do not pass over; there is at least
// one.
func (s MessageSignature) signatures(h http.Header) ([]*signed, error) {
	inputs, err := dictionaryHeader(h, "Signature-Input")
	if err != nil {
		return nil, err
	}
	sums, err := dictionaryHeader(h, "Signature")
	if err != nil {
		return nil, err
	}
	if len(inputs) > maxCandidates {
		return nil, refusef("there are more than %d signatures", maxCandidates)
	}
	var out []*signed
	err = refusef("no signature has the label and tag that are looked for (label %q, tag %q)", s.Label, s.Tag)
	for _, input := range inputs {
		if s.Label != "" && input.key != s.Label {
			continue
		}
		one, bad := readSignature(input, sums)
		switch {
		case bad != nil: // another's, if a good one is beside it
			err = refusef("%s: %v", input.key, bad)
		case one.tag == s.Tag:
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, err
	}
	return out, nil
}

func dictionaryHeader(h http.Header, name string) ([]fieldMember, error) {
	text := strings.Join(h.Values(name), ", ")
	switch {
	case text == "":
		return nil, refusef("the header %s is missing", name)
	case len(text) > maxHeader:
		return nil, refusef("the header %s is longer than %d bytes", name, maxHeader)
	}
	dict, err := parseFieldDictionary(text)
	if err != nil {
		return nil, refusef("the header %s is malformed: %v", name, err)
	}
	return dict, nil
}

func readSignature(input fieldMember, sums []fieldMember) (*signed, error) {
	one := &signed{label: input.key, params: input.params}
	list, ok := input.value.([]fieldItem)
	if !ok {
		return nil, errors.New("the header Signature-Input has no list of components")
	}
	sum, _ := memberOf(sums, input.key)
	if one.sum, ok = sum.value.([]byte); !ok || len(one.sum) == 0 {
		return nil, errors.New("the header Signature has no bytes of that label")
	}
	var err error
	if one.covered, err = uniqueComponents(list, componentOf); err != nil {
		return nil, err
	}
	for _, p := range input.params {
		var ok bool
		switch p.key {
		case "created":
			one.created, ok = readTime(p.value)
		case "expires":
			one.expires, ok = readTime(p.value)
		case "keyid":
			one.keyID, ok = p.value.(string)
		case "alg":
			one.alg, ok = p.value.(string)
			ok = ok && one.alg != ""
		case "nonce":
			one.nonce, ok = p.value.(string)
		case "tag":
			one.tag, ok = p.value.(string)
		}
		if !ok {
			return nil, fmt.Errorf("the parameter %q is not known or not of its type", p.key)
		}
	}
	return one, nil
}

func readTime(value any) (time.Time, bool) {
	seconds, ok := value.(int64)
	return time.Unix(seconds, 0), ok && seconds > 0
}

// suffices tells whether a signature, if it is good, signs what has to be signed.
func (s MessageSignature) suffices(m message, one *signed, required []component) error {
	switch {
	case one.created.IsZero():
		return refusef("%s: it does not say when it was created", one.label)
	case s.Nonce && one.nonce == "":
		return refusef("%s: it has no nonce", one.label)
	}
	for _, c := range required {
		if !covers(one.covered, c) {
			return refusef("%s: it does not cover %v", one.label, c)
		}
	}
	for _, c := range one.covered {
		if m.response == nil && c.readsPath(m.request) { // that of a response's request is what was sent
			return checkPath(m.request)
		}
	}
	return nil
}

// prove looks at age last, so that only who has a key is told of it.
func (s MessageSignature) prove(ctx context.Context, m message, one *signed, now time.Time) (Verified, error) {
	key, index, err := s.find(ctx, one.keyID)
	switch {
	case err != nil:
		return Verified{}, err
	case key.verify == nil:
		return Verified{}, refusef("%s: the key %.80q is not known", one.label, one.keyID)
	case one.alg != "" && one.alg != string(key.alg):
		return Verified{}, refusef("%s: it says alg %.80q, but the key is for %q", one.label, one.alg, key.alg)
	}
	base, _, err := signatureBase(m, one.covered, one.params)
	if err != nil {
		return Verified{}, refusef("%s: %v", one.label, err)
	}
	good, err := key.verify(ctx, base, one.sum)
	switch {
	case err != nil:
		return Verified{}, err
	case !good:
		return Verified{}, refusef("%s: the signature does not match the key %.80q: is what it covers as it came?", one.label, one.keyID)
	}
	if coversBody(one.covered) {
		if err := checkContentDigest(m.header(), bytesOf(m.body)); err != nil {
			return Verified{}, refusef("%s: %v", one.label, err)
		}
	}
	if err := s.checkAge(one, now); err != nil {
		return Verified{}, err
	}
	return Verified{Key: index, KeyID: one.keyID, ID: one.nonce, Time: one.created}, nil
}

// find gives a zero key for one that is not known.
func (s MessageSignature) find(ctx context.Context, id string) (MessageKey, int, error) {
	for i, key := range s.Keys {
		if key.id == id {
			return key, i, nil
		}
	}
	if s.Lookup == nil || id == "" || len(id) > maxID {
		return MessageKey{}, 0, nil
	}
	key, err := s.Lookup(ctx, id)
	switch {
	case err != nil:
		return key, 0, fmt.Errorf("signature: the key %q cannot be looked up: %w", id, err)
	case key.err == nil && key.verify == nil:
		return MessageKey{}, 0, nil
	}
	if err := key.check(); err != nil {
		return key, 0, err
	}
	if key.id != id {
		return key, 0, fmt.Errorf("signature: Lookup was asked for the key %q and gave %q", id, key.id)
	}
	return key, -1, nil
}

func (s MessageSignature) checkAge(one *signed, now time.Time) error {
	tolerance, maxAge := s.Tolerance, s.MaxAge
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if maxAge == 0 {
		maxAge = tolerance
	}
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch age := now.Sub(one.created); {
	case age < -tolerance:
		return expiredf("%s: created at %s, which is more than %v after %s", one.label, stamp(one.created), tolerance, stamp(now))
	case age > maxAge:
		return expiredf("%s: created at %s, which is more than %v before %s", one.label, stamp(one.created), maxAge, stamp(now))
	case !one.expires.IsZero() && now.After(one.expires):
		return expiredf("%s: it expired at %s, and it is %s", one.label, stamp(one.expires), stamp(now))
	}
	return nil
}

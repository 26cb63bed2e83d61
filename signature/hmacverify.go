package signature

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Verify checks the signature of r against each key, in constant time, and then
// its timestamp, if the scheme signs one: the error is [ErrExpired] only for who
// knows a key.
func (h HMAC) Verify(r *http.Request, body []byte, now time.Time) (Verified, error) {
	c, err := h.recipe()
	if err != nil {
		return Verified{}, err
	}
	if err := cmp.Or(c.separable(), checkRequest(r)); err != nil {
		return Verified{}, err
	}
	keys := make([]*hmacKey, len(c.Keys))
	for i := range c.Keys {
		if keys[i], err = c.key(r, i); err != nil {
			return Verified{}, err
		}
	}
	m, err := c.receive(r, body)
	if err != nil {
		return Verified{}, err
	}
	found := -1
	for i, key := range keys {
		good, err := key.verifyAny(m.candidates, func(w io.Writer) error { return c.write(w, r, m.values, bytesOf(body)) })
		if err != nil {
			return Verified{}, err
		}
		if good && found < 0 {
			found = i
		}
	}
	if found < 0 {
		return Verified{}, refusef("the signature in %s matches none of %d keys: is it the right secret, and the body byte for byte as it came?", c.Header, len(keys))
	}
	v := Verified{Key: found, ID: m.values["id"], Time: m.time}
	if !m.time.IsZero() {
		if age := now.Sub(m.time); age > c.Tolerance || age < -c.Tolerance {
			return Verified{}, expiredf("signed at %s, which is not within %v of %s", m.time.UTC().Format(time.RFC3339), c.Tolerance, now.UTC().Format(time.RFC3339))
		}
	}
	return v, nil
}

// received is a message taken apart.
type received struct {
	candidates []candidate
	values     map[string]string // timestamp and id
	time       time.Time
	body       []byte
}

// candidate is a signature of the message.
type candidate struct {
	ed25519 bool // one of Standard Webhooks' v1a
	sum     []byte
}

func (c *recipe) receive(r *http.Request, body []byte) (*received, error) {
	m := &received{body: body, values: map[string]string{}}
	if err := c.parseHeader(r, m); err != nil {
		return nil, err
	}
	for _, carrier := range []struct{ name, header string }{{"timestamp", c.TimestampHeader}, {"id", c.IDHeader}} {
		if carrier.header == "" {
			continue
		}
		value, err := oneHeader(r.Header, carrier.header)
		if err != nil {
			return nil, err
		}
		m.values[carrier.name] = value
	}
	if c.content.has("timestamp") {
		seconds, err := parseTimestamp(m.values["timestamp"])
		if err != nil {
			return nil, err
		}
		m.time = time.Unix(seconds, 0)
	}
	if c.content.has("path") || c.content.has("target") {
		if err := checkPath(r); err != nil {
			return nil, err
		}
	}
	if c.content.has("id") {
		if err := c.goodID(m.values["id"]); err != nil {
			return nil, err
		}
	}
	return m, c.unambiguous(r, m)
}

// parseHeader takes the signature's header apart.
func (c *recipe) parseHeader(r *http.Request, m *received) error {
	value, err := oneHeader(r.Header, c.Header)
	if err != nil {
		return err
	}
	texts := []string{value}
	if c.List != "" {
		texts = strings.Split(value, c.List)
	}
	for _, text := range texts {
		text = strings.Trim(text, " ")
		it, rest, known := c.itemOf(text)
		switch {
		case !known:
			continue
		case it.name == "timestamp" || it.name == "id":
			if _, twice := m.values[it.name]; twice {
				return refusef("%s holds two of %s", c.Header, it.prefix)
			}
			m.values[it.name] = rest
			continue
		}
		sum, err := c.Encoding.decode(rest)
		if err != nil {
			return refusef("%s holds a signature that is not %v", c.Header, c.Encoding)
		}
		if m.candidates = append(m.candidates, candidate{it.name == "ed25519", sum}); len(m.candidates) > maxCandidates {
			return refusef("%s holds more than %d signatures", c.Header, maxCandidates)
		}
	}
	if len(m.candidates) == 0 {
		return refusef("%s holds no signature of the form %q", c.Header, c.Value)
	}
	return nil
}

// itemOf finds which of Value's items a text is, and what it says.
func (c *recipe) itemOf(text string) (it item, rest string, known bool) {
	for _, it := range c.items {
		if rest, ok := strings.CutPrefix(text, it.prefix); ok {
			return it, rest, true
		}
	}
	if rest, ok := strings.CutPrefix(text, ed25519Prefix); ok && c.webhook {
		return item{ed25519Prefix, "ed25519"}, rest, true
	}
	return item{}, "", false
}

// parseTimestamp takes seconds since 1970 in plain digits and nothing else.
func parseTimestamp(text string) (int64, error) {
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, refusef("the timestamp %.20q is not a number of seconds", text)
		}
	}
	if text == "" || len(text) > 12 || text[0] == '0' {
		return 0, refusef("the timestamp %.20q is not a number of seconds", text)
	}
	return strconv.ParseInt(text, 10, 64)
}

// separable refuses a Content that cannot be taken apart in one way only, whatever
// the message: no fault of the message.
func (c *recipe) separable() error {
	for i, p := range c.content.parts {
		switch {
		case i == len(c.content.parts)-1:
		case p.name == "body":
			return errors.New("signature: HMAC.Content has {body} before other values, which it could imitate: put it last, or use {digest}")
		case p.tail == "":
			return fmt.Errorf("signature: HMAC.Content has nothing between {%s} and the next value, so two messages could share a signature: put a separator there", p.name)
		}
	}
	return nil
}

// unambiguous refuses a message whose signed text another message shares, though
// Content can be taken apart.
func (c *recipe) unambiguous(r *http.Request, m *received) error {
	covered := len(m.body) == 0
	for i, p := range c.content.parts {
		last := i == len(c.content.parts)-1
		switch value, known := m.values[p.name]; {
		case p.name == "body" || p.name == "digest": // the last, and of one length
			covered = true
		case last:
		default:
			if !known {
				var err error
				if value, err = requestValue(r, p); err != nil {
					return err
				}
			}
			if !p.splits(value) {
				return refusef("the request's %s contains %q, which separates it from what follows", p.name, p.tail)
			}
		}
	}
	if !covered {
		return refusef("the message has a body, which Content does not sign")
	}
	return nil
}

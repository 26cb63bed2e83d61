package signature

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Verify checks the signature of r against each key, in constant time, and then
// its timestamp, if the scheme signs one: the error is [ErrExpired] only for who
// knows a key. Whoever verifies often calls [HMAC.Prepare] once.
func (h HMAC) Verify(r *http.Request, body []byte, now time.Time) (Verified, error) {
	p, err := h.Prepare()
	if err != nil {
		return Verified{}, err
	}
	return p.Verify(r, body, now)
}

func (c *recipe) receive(m *envelope) error {
	if err := c.parseHeader(m); err != nil {
		return err
	}
	var err error
	if c.TimestampHeader != "" {
		if m.timestamp, err = onlyValue(m.r.Header[c.TimestampHeader], c.TimestampHeader); err != nil {
			return err
		}
	}
	if c.IDHeader != "" {
		if m.id, err = onlyValue(m.r.Header[c.IDHeader], c.IDHeader); err != nil {
			return err
		}
	}
	if c.timestamp {
		seconds, err := parseTimestamp(m.timestamp)
		if err != nil {
			return err
		}
		m.time = time.Unix(seconds, 0)
	}
	if c.path {
		if err := checkPath(m.r); err != nil {
			return err
		}
	}
	if c.id {
		if err := c.goodID(m.id); err != nil {
			return err
		}
	}
	return c.unambiguous(m)
}

// parseHeader takes the signature's header apart.
func (c *recipe) parseHeader(m *envelope) error {
	rest, err := onlyValue(m.r.Header[c.Header], c.Header)
	if err != nil {
		return err
	}
	for more := true; more; {
		text := rest
		if more = false; c.List != "" {
			text, rest, more = strings.Cut(rest, c.List)
		}
		if err := c.parseItem(m, strings.Trim(text, " ")); err != nil {
			return err
		}
	}
	if len(m.candidates) == 0 {
		return refusef("%s holds no signature of the form %q", c.Header, c.Value)
	}
	return nil
}

func (c *recipe) parseItem(m *envelope, text string) error {
	it, value, known := c.itemOf(text)
	switch {
	case !known:
		return nil
	case it.name == "timestamp":
		if m.hasTimestamp {
			return refusef("%s holds two of %s", c.Header, it.prefix)
		}
		m.timestamp, m.hasTimestamp = value, true
		return nil
	case it.name == "id":
		if m.hasID {
			return refusef("%s holds two of %s", c.Header, it.prefix)
		}
		m.id, m.hasID = value, true
		return nil
	}
	from := len(m.sums)
	if err := c.decode(m, value); err != nil {
		return refusef("%s holds a signature that is not %v", c.Header, c.Encoding)
	}
	if m.candidates = append(m.candidates, candidate{it.name == "ed25519", from, len(m.sums)}); len(m.candidates) > maxCandidates {
		return refusef("%s holds more than %d signatures", c.Header, maxCandidates)
	}
	return nil
}

// decode appends a signature's bytes to the message's sums.
func (c *recipe) decode(m *envelope, value string) (err error) {
	if c.Encoding == Hex {
		m.sums, err = appendHex(m.sums, value)
		return err
	}
	m.text = append(m.text[:0], value...)
	m.sums, err = appendBase64(m.sums, m.text)
	return err
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
	if text == "" || len(text) > 12 || text[0] == '0' {
		return 0, refusef("the timestamp %.20q is not a number of seconds", text)
	}
	var seconds int64
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, refusef("the timestamp %.20q is not a number of seconds", text)
		}
		seconds = 10*seconds + int64(text[i]-'0')
	}
	return seconds, nil
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
func (c *recipe) unambiguous(m *envelope) error {
	covered := len(m.body) == 0
	for i, p := range c.content.parts {
		last := i == len(c.content.parts)-1
		switch {
		case p.name == "body" || p.name == "digest": // the last, and of one length
			covered = true
		case last:
		default:
			value, err := m.value(p)
			if err != nil {
				return err
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

// value is what a placeholder stands for that is short.
func (m *envelope) value(p part) (string, error) {
	switch p.name {
	case "timestamp":
		return m.timestamp, nil
	case "id":
		return m.id, nil
	}
	return requestValue(m.r, p)
}

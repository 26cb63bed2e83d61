package signature

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Structured field values (RFC 9651), as far as signatures need them. Unlike
// the RFC's algorithm this parser refuses a key that is there twice instead of
// taking the last: what is signed must mean the same to everybody.

// A fieldItem is an item or, if value is a []fieldItem, an inner list. Other
// values are int64, decimal, string, token, []byte, bool, date and display.
type fieldItem struct {
	value  any
	params []fieldParam
}

type fieldParam struct {
	key   string
	value any
}

// fieldMember is a member of a dictionary.
type fieldMember struct {
	key string
	fieldItem
}

type (
	decimal int64 // in thousandths
	token   string
	date    int64
	display string
)

// maxParams is what the RFC wants at least, and keeps the search for one that
// is there twice short.
const maxParams = 256

var errTwice = errors.New("a key is there twice")

// fieldParser reads s from i on.
type fieldParser struct {
	s string
	i int
}

func parseFieldList(s string) ([]fieldItem, error) {
	p := &fieldParser{s: strings.Trim(s, " ")}
	var list []fieldItem
	err := p.members(func() error {
		it, err := p.itemOrInner()
		list = append(list, it)
		return err
	})
	return list, err
}

func parseFieldDictionary(s string) ([]fieldMember, error) {
	p := &fieldParser{s: strings.Trim(s, " ")}
	var dict []fieldMember
	seen := map[string]bool{}
	err := p.members(func() error {
		key, err := p.key()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%w: %q", errTwice, key)
		}
		seen[key] = true
		m := fieldMember{key: key}
		if p.take('=') {
			m.fieldItem, err = p.itemOrInner()
		} else {
			m.value = true
			m.params, err = p.parameters()
		}
		dict = append(dict, m)
		return err
	})
	return dict, err
}

// members reads what is separated by commas, to the end.
func (p *fieldParser) members(one func() error) error {
	if p.done() {
		return nil
	}
	for {
		if err := one(); err != nil {
			return err
		}
		p.skip(" \t")
		if p.done() {
			return nil
		}
		if !p.take(',') {
			return p.unexpected()
		}
		p.skip(" \t")
	}
}

func (p *fieldParser) itemOrInner() (fieldItem, error) {
	if p.take('(') {
		return p.inner()
	}
	return p.item()
}

func (p *fieldParser) inner() (fieldItem, error) {
	list := []fieldItem{}
	for {
		p.skip(" ")
		if p.take(')') {
			params, err := p.parameters()
			return fieldItem{list, params}, err
		}
		it, err := p.item()
		if err != nil {
			return it, err
		}
		list = append(list, it)
		if p.done() || p.s[p.i] != ' ' && p.s[p.i] != ')' {
			return it, p.unexpected()
		}
	}
}

func (p *fieldParser) item() (it fieldItem, err error) {
	if it.value, err = p.bare(); err == nil {
		it.params, err = p.parameters()
	}
	return it, err
}

func (p *fieldParser) parameters() ([]fieldParam, error) {
	var params []fieldParam
	for p.take(';') {
		p.skip(" ")
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if len(params) >= maxParams {
			return nil, fmt.Errorf("there are more than %d parameters", maxParams)
		}
		for _, other := range params {
			if other.key == key {
				return nil, fmt.Errorf("%w: %q", errTwice, key)
			}
		}
		param := fieldParam{key, true}
		if p.take('=') {
			if param.value, err = p.bare(); err != nil {
				return nil, err
			}
		}
		params = append(params, param)
	}
	return params, nil
}

func (p *fieldParser) key() (string, error) {
	if p.done() || !isLower(p.s[p.i]) && p.s[p.i] != '*' {
		return "", p.unexpected()
	}
	return p.while(isKeyByte), nil
}

func (p *fieldParser) bare() (any, error) {
	if p.done() {
		return nil, p.unexpected()
	}
	switch c := p.s[p.i]; {
	case c == '-' || isDigit(c):
		return p.number()
	case c == '"':
		return p.quoted()
	case c == ':':
		return p.binary()
	case c == '?':
		return p.boolean()
	case c == '@':
		p.i++
		n, err := p.number()
		if whole, ok := n.(int64); ok {
			return date(whole), err
		}
		return nil, p.unexpected()
	case c == '%':
		return p.display()
	case c == '*' || isAlpha(c):
		return token(p.while(func(c byte) bool { return isTokenByte(c) || c == ':' || c == '/' })), nil
	}
	return nil, p.unexpected()
}

func (p *fieldParser) number() (any, error) {
	sign := int64(1)
	if p.take('-') {
		sign = -1
	}
	whole := p.while(isDigit)
	if !p.take('.') {
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || len(whole) > 15 {
			return nil, p.unexpected()
		}
		return sign * n, nil
	}
	fraction := p.while(isDigit)
	if whole == "" || len(whole) > 12 || fraction == "" || len(fraction) > 3 {
		return nil, p.unexpected()
	}
	n, err := strconv.ParseInt(whole+(fraction + "00")[:3], 10, 64)
	return decimal(sign * n), err
}

func (p *fieldParser) quoted() (any, error) {
	var b strings.Builder
	for p.i++; !p.done(); p.i++ {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return b.String(), nil
		case c < ' ' || c > '~':
			return nil, p.unexpected()
		case c == '\\':
			if p.i++; p.done() || p.s[p.i] != '"' && p.s[p.i] != '\\' {
				return nil, p.unexpected()
			}
			c = p.s[p.i]
		}
		b.WriteByte(c)
	}
	return nil, p.unexpected()
}

func (p *fieldParser) binary() (any, error) {
	text, _, found := strings.Cut(p.s[p.i+1:], ":")
	if !found {
		return nil, p.unexpected()
	}
	if text == "" {
		p.i += 2
		return []byte{}, nil
	}
	b, err := Base64.decode(text)
	if err != nil {
		return nil, errors.New("a byte sequence is not base64")
	}
	p.i += len(text) + 2
	return b, nil
}

func (p *fieldParser) boolean() (any, error) {
	p.i++
	switch {
	case p.take('1'):
		return true, nil
	case p.take('0'):
		return false, nil
	}
	return nil, p.unexpected()
}

// display reads a display string (RFC 9651, section 4.2.10).
func (p *fieldParser) display() (any, error) {
	p.i++
	if !p.take('"') {
		return nil, p.unexpected()
	}
	var b strings.Builder
	for ; !p.done(); p.i++ {
		c := p.s[p.i]
		switch {
		case c == '"':
			if p.i++; !utf8.ValidString(b.String()) {
				return nil, errors.New("a display string is not UTF-8")
			}
			return display(b.String()), nil
		case c < ' ' || c > '~':
			return nil, p.unexpected()
		case c == '%':
			if p.i+2 >= len(p.s) || !isLowerHex(p.s[p.i+1]) || !isLowerHex(p.s[p.i+2]) {
				return nil, p.unexpected()
			}
			n, err := strconv.ParseUint(p.s[p.i+1:p.i+3], 16, 8)
			if err != nil {
				return nil, err
			}
			c = byte(n)
			p.i += 2
		}
		b.WriteByte(c)
	}
	return nil, p.unexpected()
}

func (p *fieldParser) done() bool { return p.i >= len(p.s) }

func (p *fieldParser) take(c byte) bool {
	if p.done() || p.s[p.i] != c {
		return false
	}
	p.i++
	return true
}

func (p *fieldParser) skip(set string) {
	p.while(func(c byte) bool { return strings.IndexByte(set, c) >= 0 })
}

func (p *fieldParser) while(is func(byte) bool) string {
	start := p.i
	for !p.done() && is(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func (p *fieldParser) unexpected() error {
	if p.done() {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("%q at byte %d is not expected", p.s[p.i], p.i+1)
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isAlpha(c byte) bool { return isAlnum(c) && !isDigit(c) }

func isLowerHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' }

func isKeyByte(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("_-.*", c) >= 0 }

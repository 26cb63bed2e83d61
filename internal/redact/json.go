package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// maxValue caps one shown string, in runes.
const maxValue = 500

// errFull stops the rendering when the line is full.
var errFull = errors.New("full")

// place is where in a document a value stands.
type place struct {
	key    string // the nearest key, lower-cased; list elements inherit it
	hidden bool   // below a key that smells of a secret
	err    bool   // inside an error
	depth  int    // objects around it; a list at the top does not count
}

// jsonPrinter copies a document token by token. The whole is validated before:
// half a document must not be shown by mistake.
type jsonPrinter struct {
	out   strings.Builder
	dec   *json.Decoder
	limit int
	extra map[string]bool
}

func jsonBody(media string, b []byte, limit int, extra map[string]bool) string {
	if !json.Valid(b) {
		return malformed(media, b)
	}
	p := &jsonPrinter{dec: json.NewDecoder(bytes.NewReader(b)), limit: limit, extra: extra}
	p.dec.UseNumber()
	if err := p.value(place{err: media == "application/problem+json"}); err != nil && !errors.Is(err, errFull) {
		return malformed(media, b)
	}
	return p.out.String()
}

func (p *jsonPrinter) value(at place) error {
	if p.limit > 0 && p.out.Len() > p.limit {
		return errFull
	}
	tok, err := p.dec.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' {
			at.depth++
			return p.members('}', func() error { return p.member(at) })
		}
		return p.members(']', func() error { return p.value(at) })
	case bool:
		p.out.WriteString(strconv.FormatBool(v))
	case nil:
		p.out.WriteString("null")
	case json.Number:
		p.number(at, v.String())
	case string:
		p.text(at, v)
	}
	return nil
}

// members writes an object or list up to its closing mark.
func (p *jsonPrinter) members(closing json.Delim, one func() error) error {
	p.out.WriteByte(byte(closing) - 2) // { and }, [ and ] are two apart in ASCII
	for n := 0; p.dec.More(); n++ {
		if n > 0 {
			p.out.WriteByte(',')
		}
		if err := one(); err != nil {
			return err
		}
	}
	p.out.WriteByte(byte(closing))
	_, err := p.dec.Token()
	return err
}

// member writes "key":value.
func (p *jsonPrinter) member(in place) error {
	tok, err := p.dec.Token()
	if err != nil {
		return err
	}
	key, _ := tok.(string)
	at := in
	// The parent, not the key itself, hides: extra may name a key that smells.
	at.hidden = in.hidden || in.key != "" && SecretField(in.key)
	at.key = strings.ToLower(key)
	at.err = in.err || at.key == "error" || at.key == "errors"
	if !isName(key) {
		key, at.key = Mask, ""
	}
	p.out.WriteString(strconv.Quote(key) + ":")
	return p.value(at)
}

// show decides over a string or a number by where it stands.
func (p *jsonPrinter) show(at place) bool {
	return !at.hidden && (fieldAllowed.has(at.key) || p.extra[at.key] || at.err && errorAllowed.has(at.key))
}

func (p *jsonPrinter) number(at place, v string) {
	isCode := !at.hidden && at.key == "code" && len(v) <= 5 // six digits are a one-time password
	if (isCode || p.show(at)) && len(v) <= 32 && scrub(v, 0, nil) == v {
		p.out.WriteString(v)
		return
	}
	p.out.WriteString(`"` + Mask + `"`)
}

func (p *jsonPrinter) text(at place, v string) {
	shown := Mask
	switch {
	case p.show(at), at.key == "code" && !at.hidden && errorCode(v):
		shown = truncate(scrub(v, maxValue, nil), maxValue)
	case at.key == "query" && at.depth == 1:
		if doc, ok := document(v); ok {
			// Its pairs are judged already, and "$token: String!" is a type.
			shown = truncate(mask(doc, matches(nil, doc, strings.ToLower(doc), true), len(doc)), maxValue)
		}
	}
	p.out.WriteString(strconv.Quote(shown))
}

var (
	plainCode    = lazy(`^[A-Za-z]+(?:[ ._:/-][A-Za-z]+)*$`)
	numberedCode = lazy(`^(?:[A-Z]+(?:[._-][A-Z]+)*|[a-z]+(?:[._-][a-z]+)*)?[._-]?[0-9]{1,5}$`)
)

// errorCode tells "card_declined", "InvalidParameter" and "E1001" from an
// authorization code or a one-time password: digits only at the end and at
// most five, and no more capitals than words.
func errorCode(v string) bool {
	if len(v) > 64 {
		return false
	}
	if numberedCode.regexp().MatchString(v) {
		return true
	}
	upper := 0
	for _, c := range []byte(v) {
		if 'A' <= c && c <= 'Z' {
			upper++
		}
	}
	return plainCode.regexp().MatchString(v) && (v == strings.ToUpper(v) || upper <= 1+len(v)/4)
}

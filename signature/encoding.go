package signature

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
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

// decode reads what encode writes, and nothing that is written in another way.
func (e Encoding) decode(text string) ([]byte, error) {
	if e == Base64 {
		return appendBase64(nil, []byte(text))
	}
	return appendHex(nil, text)
}

// appendHex appends the bytes of a text, of which there must be some. It is
// encoding/hex's, without a copy of the text.
func appendHex(dst []byte, text string) ([]byte, error) {
	if text == "" || len(text)%2 != 0 {
		return dst, errors.New("empty or cut off")
	}
	for i := 0; i < len(text); i += 2 {
		high, low := nibbles[text[i]], nibbles[text[i+1]]
		if high|low > 15 {
			return dst, errors.New("not hex")
		}
		dst = append(dst, high<<4|low)
	}
	return dst, nil
}

// nibbles are what hex digits stand for, and 255 for all other bytes.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range "0123456789abcdef" {
		t[c], t[strings.ToUpper(string(c))[0]] = byte(i), byte(i)
	}
	return t
}()

// appendBase64 refuses an empty text, and line breaks, which encoding/base64 skips.
func appendBase64(dst, text []byte) ([]byte, error) {
	if len(text) == 0 || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return dst, errors.New("empty or broken")
	}
	return strictBase64.AppendDecode(dst, text)
}

var strictBase64 = base64.StdEncoding.Strict()

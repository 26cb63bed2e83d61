package signature

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
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

// decode reads what encode writes.
func (e Encoding) decode(text string) ([]byte, error) { return e.appendDecoded(nil, []byte(text)) }

// appendDecoded appends a text's bytes, of which there must be some. It refuses line
// breaks, which encoding/base64 skips.
func (e Encoding) appendDecoded(dst, text []byte) ([]byte, error) {
	switch {
	case len(text) == 0:
		return dst, errors.New("empty")
	case e == Hex:
		return hex.AppendDecode(dst, text)
	case bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0:
		return dst, errors.New("broken")
	}
	return strictBase64.AppendDecode(dst, text)
}

var strictBase64 = base64.StdEncoding.Strict()

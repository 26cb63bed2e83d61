package signature

import (
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

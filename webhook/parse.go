package webhook

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// What follows is for the schemes that package signature does not know; it does
// the same there.

// maxSigned is how long a header may be that is parsed.
const maxSigned = 16 << 10

// signedHeader is the only value of a header: of two, one is not what was signed.
func signedHeader(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	switch {
	case len(values) == 0 || values[0] == "":
		return "", refusef("the header %s is missing", name)
	case len(values) > 1:
		return "", refusef("the header %s is there %d times", name, len(values))
	case len(values[0]) > maxSigned:
		return "", refusef("the header %s is longer than %d bytes", name, maxSigned)
	}
	return values[0], nil
}

var strictBase64 = base64.StdEncoding.Strict()

// decodeBase64 refuses an empty text, and line breaks, which encoding/base64 skips.
func decodeBase64(text string) ([]byte, error) {
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("empty or broken")
	}
	return strictBase64.DecodeString(text)
}

// parseSeconds takes seconds since 1970 in plain digits and nothing else.
func parseSeconds(text string) (int64, error) {
	if text == "" || len(text) > 12 || text[0] == '0' || strings.ContainsFunc(text, func(c rune) bool { return c < '0' || c > '9' }) {
		return 0, refusef("the timestamp %.20q is not a number of seconds", text)
	}
	return strconv.ParseInt(text, 10, 64)
}

package redact

import (
	"slices"
	"strings"
	"unicode"
)

// secretStems smell of a secret anywhere in a name written without separators.
var secretStems = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "authorization", "signature",
	"cookie", "session", "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "authkey", "sharedkey",
	"cardnumber", "creditcard", "accountnumber", "routingnumber", "iban", "cvc", "cvv", "assertion", "bearer",
}

// secretWords smell of a secret as a whole word; inside one they are innocent
// ("shipping", "className").
var secretWords = []string{
	"pwd", "pw", "pass", "key", "sig", "auth", "card", "number", "pan", "pin", "csc", "ssn", "sin", "tin", "otp", "totp",
	"mfa", "nonce", "hmac", "jwt", "sid", "pem", "cert", "seed", "mnemonic", "passport", "cryptogram", "challenge",
	"verifier", "dob", "bic", "swift",
}

// SecretField reports whether the name of a field, header or parameter smells
// of a secret. It is only ever used to hide more, never to show: a name it does
// not know is not thereby harmless.
func SecretField(name string) bool {
	words := splitWords(name)
	joined := strings.Join(words, "")
	for _, stem := range secretStems {
		if strings.Contains(joined, stem) {
			return true
		}
	}
	for _, w := range words {
		w = strings.TrimRightFunc(w, unicode.IsDigit)
		if slices.Contains(secretWords, w) || slices.Contains(secretWords, strings.TrimSuffix(w, "s")) {
			return true
		}
	}
	return false
}

// Harmless reports whether the name is that of a body field that [Body] shows:
// "token_type" and "expires_in" smell, and are no secrets.
func Harmless(name string) bool { return fieldAllowed.has(strings.ToLower(name)) }

// splitWords splits snake_case, kebab-case, dotted[0] and camelCase into
// lower-cased words; "APIKey" is api, key.
func splitWords(name string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && i > 0 {
			afterLower := !unicode.IsUpper(runes[i-1])
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || beforeLower {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return words
}

// isName tells whether a key looks like something a programmer named. Keys can
// carry data too, an e-mail address or a token.
func isName(key string) bool {
	if key == "" || len(key) > 64 {
		return false
	}
	for i, c := range []byte(key) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$'
		if !letter && (i == 0 || !isDigit(c) && !strings.ContainsRune(".-:[]", rune(c))) {
			return false
		}
	}
	return scrub(key, 0, nil) == key
}

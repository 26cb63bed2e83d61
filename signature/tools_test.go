package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

func rawHMAC(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexHMAC(key, text string) string { return hex.EncodeToString(rawHMAC(key, text)) }

func base64HMAC(key, text string) string {
	return base64.StdEncoding.EncodeToString(rawHMAC(key, text))
}

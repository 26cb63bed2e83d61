package signature_test

import (
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/signature"
)

// BenchmarkSign is what a signature adds to an attempt with a body of 1 KiB.
func BenchmarkSign(b *testing.B) {
	key := signature.StaticKey("a secret for tests")
	for name, s := range map[string]signature.Signer{
		"HMAC":    signature.SignedRequest(key),
		"AWS":     signature.AWS{Region: "eu-west-1", Service: "s3", Credentials: signature.StaticAWS("AKIDEXAMPLE", "a secret for tests", "")},
		"Ed25519": signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("k", signature.Ed25519, edKey())}},
	} {
		b.Run(name, func(b *testing.B) {
			r := post(strings.Repeat("x", 1024))
			b.ReportAllocs()
			for b.Loop() {
				own := r.Clone(b.Context())
				if err := s.Sign(own, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify is what one webhook of 1 KiB costs.
func BenchmarkVerify(b *testing.B) {
	body := []byte(strings.Repeat("x", 1024))
	for name, s := range map[string]both{
		"HMAC":    signature.StandardWebhooks(signature.StaticKey(webhookSecret)),
		"Ed25519": signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("k", signature.Ed25519, edKey())}},
	} {
		b.Run(name, func(b *testing.B) {
			r := post(string(body))
			if err := s.Sign(r, at); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(r, body, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

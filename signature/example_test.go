package signature_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/signature"
)

// A receiver of webhooks. While a secret is being replaced, both are good.
func Example() {
	scheme := signature.GitHub(signature.StaticKey("the new secret"), signature.StaticKey("the old secret"))
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		verified, err := scheme.Verify(r, body, time.Now())
		switch {
		case errors.Is(err, signature.ErrSignature), errors.Is(err, signature.ErrExpired):
			http.Error(w, "not signed", http.StatusUnauthorized)
		case err != nil: // a key cannot be had
			http.Error(w, "try again", http.StatusServiceUnavailable)
		default:
			fmt.Fprintf(w, "signed with key %d", verified.Key)
		}
	}

	r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(`{"action":"opened"}`))
	r.Header.Set("X-Hub-Signature-256", "sha256="+hexHMAC("the old secret", `{"action":"opened"}`))
	w := httptest.NewRecorder()
	receive(w, r)
	fmt.Println(w.Code, w.Body)

	r = httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(`{"action":"deleted"}`))
	w = httptest.NewRecorder()
	receive(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	// Output:
	// 200 signed with key 1
	// 401 not signed
}

// A vendor's own scheme is described, not programmed: this one signs a version,
// the time, the request line and the body.
func ExampleHMAC() {
	acme := signature.HMAC{
		Keys:    []signature.Key{signature.StaticKey("not a secret")},
		Content: "v2\n{timestamp}\n{method} {target}\n{body}",
		Header:  "Acme-Signature",
		Value:   "ts={timestamp};sig={signature}",
		List:    ";",
	}
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.acme.example/v1/orders?dry=1", strings.NewReader(`{"sku":"a"}`))
	if err := acme.Sign(r, time.Unix(1700000000, 0)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Header.Get("Acme-Signature"))

	_, err := acme.Verify(r, []byte(`{"sku":"a"}`), time.Unix(1700000000, 0).Add(time.Hour))
	fmt.Println(err)
	// Output:
	// ts=1700000000;sig=56399d4c29ddbccd19a9ae3cf050c8dc65458d5cefc9e7d6b961ad8852e9e878
	// signature: signed at 2023-11-14T22:13:20Z, which is not within 5m0s of 2023-11-14T23:13:20Z
}

// A sender of Standard Webhooks names the message, so that the receiver knows
// it again when it is sent twice.
func ExampleStandardWebhooks() {
	scheme := signature.StandardWebhooks(signature.StaticKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://example.com/hooks", strings.NewReader(`{"test": 2432232314}`))
	r.Header.Set("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	if err := scheme.Sign(r, time.Unix(1614265330, 0)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Header.Get("Webhook-Signature"))
	// Output:
	// v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
}

// Who verifies holds the public key only.
func ExampleMessageSignature() {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	signer := signature.MessageSignature{Keys: []signature.MessageKey{signature.PrivateKey("acme-2026", signature.Ed25519, private)}}
	verifier := signature.MessageSignature{Keys: []signature.MessageKey{signature.PublicKey("acme-2026", signature.Ed25519, private.Public())}}

	r := httptest.NewRequest(http.MethodPost, "https://api.acme.example/v1/orders", strings.NewReader(`{"sku":"a"}`))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(`{"sku":"a"}`)), nil }
	now := time.Unix(1700000000, 0)
	if err := signer.Sign(r, now); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Header.Get("Signature-Input"))

	verified, err := verifier.Verify(r, []byte(`{"sku":"a"}`), now.Add(time.Second))
	fmt.Println(verified.KeyID, err)
	_, err = verifier.Verify(r, []byte(`{"sku":"b"}`), now.Add(time.Second))
	fmt.Println(err)
	// Output:
	// sig1=("@method" "@authority" "@path" "@query" "content-digest");created=1700000000;keyid="acme-2026"
	// acme-2026 <nil>
	// signature: sig1: Content-Digest: sha-256 is not that of the body
}

func ExampleAWS() {
	signer := signature.AWS{
		Region: "us-east-1", Service: "service",
		Credentials: signature.StaticAWS("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""),
	}
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.amazonaws.com/", nil)
	if err := signer.Sign(r, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)); err != nil {
		fmt.Println(err)
		return
	}
	for part := range strings.SplitSeq(r.Header.Get("Authorization"), ", ") {
		fmt.Println(part)
	}
	// Output:
	// AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request
	// SignedHeaders=host;x-amz-date
	// Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31
}

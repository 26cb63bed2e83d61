// Package sigv4_test holds signature.AWS against the signer of AWS's own SDK.
package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/aplomb-go/aplomb/signature"
)

// TestSameAsTheSDK signs a few hundred seeded requests with both and wants the
// same headers. The SDK's signer signs the URL that it is given, ours writes it
// first: so it is given ours. Left out is what the SDK leaves to its callers:
// dot segments, which it does not remove, and Content-Length, which it signs
// and AWS's published suite does not.
func TestSameAsTheSDK(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 600 {
		service := pick(random, "s3", "execute-api", "sts", "dynamodb")
		token := pick(random, "", "session/token+with=signs")
		now := time.Unix(1_500_000_000+random.Int64N(1e9), 0)
		ours := request(t, random)
		theirs := ours.Clone(t.Context())
		body := []byte(pick(random, "", "a body", strings.Repeat("long", 1000)))
		ours.Body = http.NoBody
		if len(body) > 0 {
			withBody, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://x.example", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			ours.Body, ours.GetBody = withBody.Body, withBody.GetBody
		}

		signer := signature.AWS{Region: "eu-west-1", Service: service, Credentials: signature.StaticAWS("AKIDEXAMPLE", "secret/for+tests", token)}
		if err := signer.Sign(ours, now); err != nil {
			t.Fatal(err)
		}
		own := *ours.URL
		theirs.URL = &own
		sum := sha256.Sum256(body)
		if service == "s3" {
			theirs.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
		}
		creds := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret/for+tests", SessionToken: token}
		err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).
			SignHTTP(t.Context(), creds, theirs, hex.EncodeToString(sum[:]), service, "eu-west-1", now)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(ours.Header, ours.Host), fmt.Sprint(theirs.Header, theirs.Host); got != want {
			t.Fatalf("request %d, %s %s:\ngot  %s\nwant %s", i, service, ours.URL, got, want)
		}
		if got, want := ours.URL.String(), theirs.URL.String(); got != want {
			t.Fatalf("request %d: got URL %s, want %s", i, got, want)
		}
	}
}

func pick(random *rand.Rand, choices ...string) string { return choices[random.IntN(len(choices))] }

func request(t *testing.T, random *rand.Rand) *http.Request {
	t.Helper()
	u := &url.URL{Scheme: "https", Host: pick(random, "bucket.s3.example", "bucket.s3.example:443", "localhost:4566")}
	for range 1 + random.IntN(4) {
		u.Path += "/x" + text(random)
	}
	u.Path += pick(random, "", "/")
	query := url.Values{}
	for range random.IntN(5) {
		query.Add("k"+text(random), text(random))
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(t.Context(), pick(random, "GET", "PUT", "DELETE"), u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range random.IntN(5) {
		name := fmt.Sprintf("X-Acme-%d", i)
		for range 1 + random.IntN(2) {
			r.Header.Add(name, pick(random, "one", "  two   words ", "a,b", `"q   q"`))
		}
	}
	if random.IntN(2) == 0 {
		r.Header.Set("User-Agent", "left out by both")
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// text is up to six characters, many of which need escaping somewhere.
func text(random *rand.Rand) string {
	const alphabet = "abcXYZ019-._~ +&=/%?#!$'()*,;:@[]é漢"
	runes := []rune(strings.ReplaceAll(alphabet, "/", ""))
	out := make([]rune, random.IntN(7))
	for i := range out {
		out[i] = runes[random.IntN(len(runes))]
	}
	return string(out)
}

// Package webhooks_test holds signature and webhook against the libraries of the
// schemes' own authors, both ways, and shows what those let pass.
package webhooks_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/aplomb-go/aplomb/signature"
)

// The library has no clock of ours, so this test signs with the real time.
func TestStandardWebhooksBothWays(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		raw := make([]byte, 24+random.IntN(41))
		body := make([]byte, random.IntN(300))
		for _, b := range [][]byte{raw, body} {
			for j := range b {
				b[j] = byte(random.UintN(256))
			}
		}
		secret := "whsec_" + base64.StdEncoding.EncodeToString(raw)
		ours := signature.StandardWebhooks(signature.StaticKey(secret))
		theirs, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}

		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/hooks", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := ours.Sign(r, now); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Verify(body, r.Header); err != nil {
			t.Fatalf("%d: the library refuses what we signed: %v", i, err)
		}

		id := fmt.Sprintf("msg_%d", i)
		sum, err := theirs.Sign(id, now, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Webhook-Id", id)
		r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		r.Header.Set("Webhook-Signature", sum)
		if _, err := ours.Verify(r, body, now); err != nil {
			t.Fatalf("%d: we refuse what the library signed: %v", i, err)
		}
	}
}

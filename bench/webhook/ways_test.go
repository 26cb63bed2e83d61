package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	stripehook "github.com/stripe/stripe-go/v85/webhook"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// secret is none of anybody's.
const secret = "whsec_" + "for tests"

// payload is JSON of n bytes.
func payload(n int) []byte {
	const head, tail = `{"id":"evt_1","type":"invoice.paid","data":"`, `"}`
	return []byte(head + strings.Repeat("x", n-len(head)-len(tail)) + tail)
}

// verifies are the ways to verify a delivery of Stripe's: aplomb's, stripe-go's, and
// aplomb's in other circumstances; the last is the hash alone, which nobody can do
// without. Verify is told the time, and ValidatePayload reads the clock, which is a
// thirtieth of what it takes: there is a line for that too.
func verifies(tb testing.TB, size int) []beside.Way {
	tb.Helper()
	body, now := payload(size), time.Now()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", nil)
	if err := webhook.Stripe(webhook.Static(secret)).Sign(r, body, now); err != nil {
		tb.Fatal(err)
	}
	header := r.Header.Get("Stripe-Signature")
	scheme := webhook.Stripe(webhook.Static(secret))
	rotating := webhook.Stripe(webhook.Static("new"), webhook.Static(secret))
	verify := func(s webhook.Scheme) func() error {
		return func() error {
			_, err := s.Verify(r, body, now)
			return err
		}
	}
	return []beside.Way{
		{Name: "aplomb", Run: verify(scheme)},
		{Name: "stripe-go", Run: func() error { return stripehook.ValidatePayload(body, header, secret) }},
		{Name: "aplomb-two-secrets", Run: verify(rotating)},
		{Name: "aplomb-with-clock", Run: func() error {
			_, err := scheme.Verify(r, body, time.Now())
			return err
		}},
		{Name: "signature-unprepared", Run: func() error {
			_, err := signature.Stripe(signature.StaticKey(secret)).Verify(r, body, now)
			return err
		}},
		{Name: "hmac-alone", Run: hash(header, body)},
	}
}

// hash is what is left of verifying if nothing is parsed and no time checked.
func hash(header string, body []byte) func() error {
	stamp, rest, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	want, _ := hex.DecodeString(rest)
	text := append([]byte(stamp+"."), body...)
	return func() error {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(text)
		if !hmac.Equal(mac.Sum(nil), want) {
			return errors.New("not equal")
		}
		return nil
	}
}

// schemes are the others, with a body of 1 KiB.
func schemes(tb testing.TB) []beside.Way {
	tb.Helper()
	const standard = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	plain := webhook.Static(secret)
	var out []beside.Way
	for _, s := range []webhook.Scheme{
		webhook.Stripe(plain), webhook.GitHub(plain), webhook.Slack(plain), webhook.StandardWebhooks(webhook.Static(standard)), webhook.Svix(webhook.Static(standard)),
		webhook.Shopify(plain), webhook.Zoom(plain), webhook.Square("https://shop.example/square", plain), webhook.CircleCI(plain),
	} {
		body := payload(1 << 10)
		r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", bytes.NewReader(nil))
		now := time.Now()
		if err := s.Sign(r, body, now); err != nil {
			tb.Fatal(err)
		}
		out = append(out, beside.Way{Name: strings.ReplaceAll(s.Name, " ", "-"), Run: func() error {
			_, err := s.Verify(r, body, now)
			return err
		}})
	}
	return out
}

package webhook_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// Whatever a stranger sends, no scheme panics, and what is not signed is refused as
// such.
func FuzzVerify(f *testing.F) {
	f.Add("t=1700000000,v1=00,v1=", "1700000000", "msg_1", []byte("{}"), "a=1&bodySHA256=00", "application/x-www-form-urlencoded")
	f.Add("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "-1", "a.b", []byte("payload=%zz"), "%zz", "text/html; charset=")
	f.Add("MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=", "1588788367", "", []byte(`[{"event":1}]`), "", "application/json")
	f.Fuzz(func(t *testing.T, sum, stamp, id string, body []byte, query, kind string) {
		for _, k := range kinds() {
			r := request("Content-Type", kind)
			r.URL.RawQuery = query
			for _, name := range append([]string{k.signature}, k.once...) {
				r.Header.Set(name, stamp)
			}
			r.Header.Set(k.signature, sum)
			for _, name := range []string{"Webhook-Id", "Svix-Id", "X-Acme-Id", "X-Shopify-Webhook-Id", "X-GitHub-Delivery"} {
				r.Header.Set(name, id)
			}
			s := k.make(webhook.Static(k.other))
			if _, err := s.Verify(r, body, at); !errors.Is(err, signature.ErrSignature) {
				t.Fatalf("%s: got %v", k.name, err)
			}
			readAnything(t, s, r, body)
		}
	})
}

// readAnything has the scheme read what nobody signed, as a sender that has gone mad might
// sign it: each event it gives is one that a store takes.
func readAnything(t *testing.T, s webhook.Scheme, r *http.Request, body []byte) {
	t.Helper()
	events, err := s.Read(webhook.Delivery{Request: r, Body: body, Verified: webhook.Verified{ID: "id"}})
	if err == nil && len(events) == 0 {
		t.Fatalf("%v: neither an event nor an error", s)
	}
	for _, e := range events {
		if e.Key == "" {
			t.Fatalf("%v: an event without a key", s)
		}
	}
}

// What a scheme signs it verifies, and refuses with any byte of it changed.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(`{"id":"evt_1"}`), uint16(3), byte(1))
	f.Add([]byte("a=1&b=%20&a=0"), uint16(0), byte(128))
	f.Add([]byte{}, uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, body []byte, at16 uint16, flip byte) {
		now := time.Unix(1_700_000_000+int64(at16), 0)
		for _, k := range kinds() {
			r := request("X-Acme-Id", "a", "Webhook-Id", "b", "Svix-Id", "c")
			err := k.make(webhook.Static(k.secret)).Sign(r, body, now)
			if k.name == "Twilio" && err != nil { // a form that cannot be read
				continue
			}
			assert.NoError(t, err, k.name)
			s := k.verifying()
			_, err = s.Verify(r, body, now)
			if k.name == "SendGrid" && len(body) > 0 && body[0] >= '0' && body[0] <= '9' {
				assert.ErrorIs(t, err, signature.ErrSignature)
				continue
			}
			assert.NoError(t, err, k.name)
			if len(body) == 0 || flip == 0 || k.name == "Twilio" { // whose form can be written in several ways
				continue
			}
			other := append([]byte{}, body...)
			other[int(at16)%len(other)] ^= flip
			_, err = s.Verify(r, other, now)
			assert.ErrorIs(t, err, signature.ErrSignature, k.name)
		}
	})
}

package webhooks_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-github/v88/github"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripehook "github.com/stripe/stripe-go/v85/webhook"
	svix "github.com/svix/svix-webhooks/go"
	twilio "github.com/twilio/twilio-go/client"

	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

const publicURL = "https://api.example/hooks"

// peer is a vendor's own library beside our scheme of it.
type peer struct {
	name   string
	secret func(*rand.Rand) string
	scheme func(secret string) webhook.Scheme
	body   func(*rand.Rand) []byte
	// verify is the library's check of what we signed.
	verify func(r *http.Request, body []byte, secret string) error
	// sign is the library's own signature; nil where it has none.
	sign func(r *http.Request, body []byte, secret string, now time.Time) error
}

func peers() []peer {
	static := func(f func(...webhook.Secret) webhook.Scheme) func(string) webhook.Scheme {
		return func(secret string) webhook.Scheme { return f(webhook.Static(secret)) }
	}
	return []peer{
		{"stripe-go", text, static(webhook.Stripe), anyBody,
			func(r *http.Request, body []byte, secret string) error {
				return stripehook.ValidatePayload(body, r.Header.Get("Stripe-Signature"), secret)
			},
			func(r *http.Request, body []byte, secret string, now time.Time) error {
				signed := stripehook.GenerateTestSignedPayload(&stripehook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: now})
				r.Header.Set("Stripe-Signature", signed.Header)
				return nil
			}},
		{"standard-webhooks", standardSecret, static(webhook.StandardWebhooks), anyBody,
			func(r *http.Request, body []byte, secret string) error {
				return try(standardwebhooks.NewWebhook(secret))(func(w *standardwebhooks.Webhook) error { return w.Verify(body, r.Header) })
			},
			func(r *http.Request, body []byte, secret string, now time.Time) error {
				return try(standardwebhooks.NewWebhook(secret))(func(w *standardwebhooks.Webhook) error {
					sum, err := w.Sign("msg_1", now, body)
					setAll(r, "Webhook-", "msg_1", now, sum)
					return err
				})
			}},
		{"svix", standardSecret, static(webhook.Svix), anyBody,
			func(r *http.Request, body []byte, secret string) error {
				return try(svix.NewWebhook(secret))(func(w *svix.Webhook) error { return w.Verify(body, r.Header) })
			},
			func(r *http.Request, body []byte, secret string, now time.Time) error {
				return try(svix.NewWebhook(secret))(func(w *svix.Webhook) error {
					sum, err := w.Sign("msg_1", now, body)
					setAll(r, "Svix-", "msg_1", now, sum)
					return err
				})
			}},
		{"go-github", text, static(webhook.GitHub), anyBody,
			func(r *http.Request, body []byte, secret string) error {
				return github.ValidateSignature(r.Header.Get(github.SHA256SignatureHeader), body, []byte(secret))
			}, nil},
		{"slack-go", text, static(webhook.Slack), anyBody,
			func(r *http.Request, body []byte, secret string) error {
				v, err := slack.NewSecretsVerifier(r.Header, secret)
				if err != nil {
					return err
				}
				if _, err := v.Write(body); err != nil {
					return err
				}
				return v.Ensure()
			}, nil},
		{"twilio-go", text, func(secret string) webhook.Scheme { return webhook.Twilio(publicURL, webhook.Static(secret)) }, formBody,
			func(r *http.Request, body []byte, secret string) error {
				v := twilio.NewRequestValidator(secret)
				if !v.ValidateBody(publicURL+"?"+r.URL.RawQuery, body, r.Header.Get("X-Twilio-Signature")) {
					return errors.New("not valid")
				}
				return nil
			}, nil},
	}
}

// try calls f with what a constructor made.
func try[T any](v T, err error) func(func(T) error) error {
	return func(f func(T) error) error {
		if err != nil {
			return err
		}
		return f(v)
	}
}

func setAll(r *http.Request, prefix, id string, now time.Time, sum string) {
	r.Header.Set(prefix+"Id", id)
	r.Header.Set(prefix+"Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(prefix+"Signature", sum)
}

func text(random *rand.Rand) string {
	return "whsec_" + base64.RawURLEncoding.EncodeToString(bytesOf(random, 1+random.IntN(100)))
}

func standardSecret(random *rand.Rand) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytesOf(random, 24+random.IntN(41)))
}

func bytesOf(random *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.UintN(256))
	}
	return out
}

func anyBody(random *rand.Rand) []byte { return bytesOf(random, random.IntN(5000)) }

// formBody has no name twice: of those twilio-go takes the first value only.
func formBody(random *rand.Rand) []byte {
	form := url.Values{}
	for range random.IntN(8) {
		form.Set(string(bytesOf(random, 1+random.IntN(9))), string(bytesOf(random, random.IntN(30))))
	}
	return []byte(form.Encode())
}

func delivery(t *testing.T, name string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks?a=1", nil)
	if name == "twilio-go" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// What we sign each vendor's library accepts, and the other way about. The
// libraries have no clock of ours, so the test signs with the real time.
func TestPeersBothWays(t *testing.T) {
	t.Parallel()
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(5, 6))
			for i := range 100 {
				secret, body, now := p.secret(random), p.body(random), time.Now()
				scheme := p.scheme(secret)
				r := delivery(t, p.name)
				if err := scheme.Sign(r, body, now); err != nil {
					t.Fatal(i, err)
				}
				if err := p.verify(r, body, secret); err != nil {
					t.Fatalf("%d: the library refuses what we signed: %v", i, err)
				}
				if p.sign == nil {
					continue
				}
				r = delivery(t, p.name)
				if err := p.sign(r, body, secret, now); err != nil {
					t.Fatal(i, err)
				}
				if _, err := scheme.Verify(r, body, now); err != nil {
					t.Fatalf("%d: we refuse what the library signed: %v", i, err)
				}
				if _, err := scheme.Verify(r, append(body, ' '), now); !errors.Is(err, signature.ErrSignature) {
					t.Fatalf("%d: another body: %v", i, err)
				}
			}
		})
	}
}

func TestSendGridBothWays(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	known := base64.StdEncoding.EncodeToString(public)
	theirs, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(known)
	if err != nil {
		t.Fatal(err)
	}
	r, body := delivery(t, ""), []byte("[{\"sg_event_id\":\"a\"}]\r\n")
	if err := webhook.SendGrid(webhook.Static(base64.StdEncoding.EncodeToString(der))).Sign(r, body, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.SendGrid(webhook.Static(known)).Verify(r, body, time.Now()); err != nil {
		t.Fatal(err)
	}
	ok, err := eventwebhook.VerifySignature(theirs, body, r.Header.Get(eventwebhook.VerificationHTTPHeader), r.Header.Get(eventwebhook.TimestampHTTPHeader))
	if err != nil || !ok {
		t.Fatalf("the library refuses what we signed: %v", err)
	}
}

// Each is what a library lets pass, or refuses, and must not. If one of them is
// mended this test says so, and the line goes.
func TestWhatPeersGetWrong(t *testing.T) {
	t.Parallel()
	now := time.Now()
	body := []byte(`{"id":"evt_1"}`)
	signed := func(secret string, when time.Time) string {
		return stripehook.GenerateTestSignedPayload(&stripehook.UnsignedPayload{Payload: body, Secret: secret, Timestamp: when}).Header
	}
	oursOf := func(s webhook.Scheme, body []byte, headers ...string) error {
		r := delivery(t, "")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		_, err := s.Verify(r, body, now)
		return err
	}
	const secret = "whsec_" + "for tests"
	const standard = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	next := now.AddDate(50, 0, 0)

	forged, err := standardwebhooks.NewWebhook("whsec_")
	if err != nil {
		t.Fatal("standard-webhooks refuses an empty secret now:", err)
	}
	emptySum, err := forged.Sign("msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	honest, err := standardwebhooks.NewWebhook(standard)
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	shifted, err := honest.Sign("msg_1", now, append([]byte(stamp+"."), body...)) // of another body
	if err != nil {
		t.Fatal(err)
	}
	unsigned := delivery(t, "")
	unsigned.Header.Set("Content-Type", "application/json")
	unsigned.Body = io.NopCloser(bytes.NewReader([]byte("{}")))

	// Twilio's own example of a repeated field (twilio-python's tests), which twilio-go refuses.
	form := "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234"
	validator := twilio.NewRequestValidator("12345")

	for _, test := range []struct {
		name         string
		theirs, ours error
		oursGood     bool
	}{
		{"stripe-go, a time in 50 years", stripehook.ValidatePayload(body, signed(secret, next), secret),
			oursOf(webhook.Stripe(webhook.Static(secret)), body, "Stripe-Signature", signed(secret, next)), false},
		{"stripe-go, an empty secret", stripehook.ValidatePayload(body, signed("", now), ""),
			oursOf(webhook.Stripe(webhook.Static("")), body, "Stripe-Signature", signed("", now)), false},
		{"standard-webhooks, an empty secret", forged.Verify(body, http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {emptySum}}),
			oursOf(webhook.StandardWebhooks(webhook.Static("whsec_")), body, "Webhook-Id", "msg_1", "Webhook-Timestamp", stamp, "Webhook-Signature", emptySum), false},
		{"standard-webhooks, a dot in the id", honest.Verify(body, http.Header{"Webhook-Id": {"msg_1." + stamp}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {shifted}}),
			oursOf(webhook.StandardWebhooks(webhook.Static(standard)), body, "Webhook-Id", "msg_1."+stamp, "Webhook-Timestamp", stamp, "Webhook-Signature", shifted), false},
		{"go-github, no secret and no signature", second(github.ValidatePayload(unsigned, nil)),
			oursOf(webhook.GitHub(), []byte("{}")), false},
		{"twilio-go, a field that is there twice", not(validator.ValidateBody("https://mycompany.com/myapp.php?foo=1&bar=2", []byte(form), "IK+Dwps556ElfBT0I3Rgjkr1wJU=")),
			twilioForm(t, form, "IK+Dwps556ElfBT0I3Rgjkr1wJU="), true},
	} {
		if (test.theirs == nil) == test.oursGood {
			t.Errorf("%s: mended there: %v", test.name, test.theirs)
		}
		if (test.ours == nil) != test.oursGood {
			t.Errorf("%s: we say %v", test.name, test.ours)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func not(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("refused")
}

func twilioForm(t *testing.T, form, sum string) error {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/myapp.php?foo=1&bar=2", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", sum)
	_, err := webhook.Twilio("https://mycompany.com", webhook.Static("12345")).Verify(r, []byte(form), time.Now())
	return err
}

// SHA-1 alone proves nothing to us; go-github takes it.
func TestSHA1IsNotEnough(t *testing.T) {
	t.Parallel()
	r := delivery(t, "")
	body := []byte("{}")
	sha1Scheme := webhook.HMAC(signature.HMAC{Content: "{body}", Header: github.SHA1SignatureHeader, Value: "sha1={signature}", Hash: crypto.SHA1}, webhook.Fields{}, webhook.Static("x"))
	if err := sha1Scheme.Sign(r, body, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if _, err := github.ValidatePayload(r, []byte("x")); err != nil {
		t.Errorf("go-github: mended: %v", err)
	}
	if _, err := webhook.GitHub(webhook.Static("x")).Verify(r, body, time.Now()); !errors.Is(err, signature.ErrSignature) {
		t.Errorf("we say %v", err)
	}
}

package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// A sink of one's own; most often it is an inbox.
type printing struct{}

func (printing) Insert(_ context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	for _, e := range events {
		fmt.Println("stored:", e.Source, e.Key, e.Type)
	}
	return make([]inbox.Outcome, len(events)), nil
}

// A receiver, and a delivery as Stripe would make it.
func Example() {
	secret := webhook.Static("whsec_" + "test") // or webhook.Secret{Key: aplomb.Reveal(aplomb.Env("STRIPE_WEBHOOK_SECRET"))}
	mux := http.NewServeMux()
	mux.Handle("/stripe", &webhook.Handler{
		Source: "stripe",
		Scheme: webhook.Stripe(secret),
		Sink:   printing{},
	})

	r := httptest.NewRequest(http.MethodPost, "/stripe", nil)
	if err := webhook.Stripe(secret).Sign(r, []byte(`{"id":"evt_1","type":"invoice.paid"}`), time.Now()); err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)

	// Somebody else's.
	r = httptest.NewRequest(http.MethodPost, "/stripe", nil)
	_ = webhook.Stripe(webhook.Static("a guess")).Sign(r, []byte(`{"id":"evt_2","type":"invoice.paid"}`), time.Now())
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// stored: stripe evt_1 invoice.paid
	// 200
	// 401
}

// While a secret is rotated both are good, and the hook tells when the old one is
// needed no more.
func ExampleSecret() {
	now := time.Now()
	h := &webhook.Handler{
		Source: "github",
		Scheme: webhook.GitHub(
			webhook.Secret{Name: "new", Key: signature.StaticKey("n3w")},
			webhook.Secret{Name: "old", Key: signature.StaticKey("0ld"), NotAfter: now.Add(7 * 24 * time.Hour)}),
		Sink: printing{},
		Hooks: webhook.Hooks{Accepted: func(_ context.Context, e webhook.AcceptedEvent) {
			fmt.Println("signed by", e.Verified.Secret)
		}},
	}
	for _, secret := range []string{"0ld", "n3w"} {
		r := httptest.NewRequest(http.MethodPost, "/github", nil)
		r.Header.Set("X-Github-Event", "issues")
		r.Header.Set("X-Github-Delivery", "delivery-"+secret)
		_ = webhook.GitHub(webhook.Static(secret)).Sign(r, []byte(`{"action":"opened"}`), now)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// stored: github delivery-0ld issues.opened
	// signed by old
	// stored: github delivery-n3w issues.opened
	// signed by new
}

// A vendor whose scheme is not among those here: Slack's with other headers, and
// the id in one of them.
func ExampleHMAC() {
	acme := signature.Slack()
	acme.Header, acme.TimestampHeader = "X-Acme-Signature", "X-Acme-Timestamp"
	scheme := webhook.HMAC(acme, webhook.Fields{Key: "{header:X-Acme-Id}", Type: "{body:/event/name}"}, webhook.Static("a secret"))

	r := httptest.NewRequest(http.MethodPost, "/acme", nil)
	r.Header.Set("X-Acme-Id", "a-1")
	_ = scheme.Sign(r, []byte(`{"event":{"name":"order.shipped"}}`), time.Now())
	(&webhook.Handler{Source: "acme", Scheme: scheme, Sink: printing{}}).ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// stored: acme a-1 order.shipped
}

// Verifying alone, where something else stores and answers.
func ExampleScheme_Verify() {
	scheme := webhook.StandardWebhooks(webhook.Static("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	body := []byte(`{"test": 2432232314}`)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	r.Header.Set("Webhook-Timestamp", "1614265330")
	r.Header.Set("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")

	v, err := scheme.Verify(r, body, time.Unix(1614265330, 0))
	fmt.Println(v.ID, v.Time.UTC().Format(time.DateTime), err)
	_, err = scheme.Verify(r, body, time.Unix(1614265330, 0).Add(time.Hour))
	fmt.Println(err)
	// Output:
	// msg_p5jXN8AQM9LWM0D4loKWxJek 2021-02-25 15:02:10 <nil>
	// webhook: Standard Webhooks: signed at 2021-02-25T15:02:10Z, which is not within 5m0s of 2021-02-25T16:02:10Z
}

// RFC 9421, or any other signature.Verifier.
func ExampleVerifier() {
	keys := []signature.MessageKey{signature.SharedKey("acme-2026", signature.StaticKey("a secret"))}
	scheme := webhook.Verifier(signature.MessageSignature{Keys: keys}, webhook.Fields{Key: "{header:X-Acme-Id}", Type: "{body:/type}"})

	r := httptest.NewRequest(http.MethodPost, "/acme", nil)
	r.Header.Set("X-Acme-Id", "a-1")
	_ = scheme.Sign(r, []byte(`{"type":"order.shipped"}`), time.Now())
	h := &webhook.Handler{Source: "acme", Scheme: scheme, Sink: printing{}, Hooks: webhook.Hooks{
		Accepted: func(_ context.Context, e webhook.AcceptedEvent) { fmt.Println("signed by", e.Verified.Secret) },
	}}
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// stored: acme a-1 order.shipped
	// signed by acme-2026
}

// Slack asks a new endpoint whether it is the app's, and takes the challenge for an
// answer. It is no event.
func ExampleSlack() {
	h := &webhook.Handler{Source: "slack", Scheme: webhook.Slack(webhook.Static("signing secret")), Sink: printing{}}
	r := httptest.NewRequest(http.MethodPost, "/slack", nil)
	_ = h.Scheme.Sign(r, []byte(`{"type":"url_verification","challenge":"3eZbrw1a"}`), time.Now())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 3eZbrw1a
}

// Settings are checked at the start; with wrong ones nothing is accepted.
func ExampleHandler_Check() {
	h := &webhook.Handler{Source: "github", Scheme: webhook.GitHub(webhook.Static("")), Sink: printing{}}
	fmt.Println(h.Check())
	// Output:
	// webhook: GitHub: secret 1 is empty: anybody could sign with it
}

package webhook_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// at is when most tests are.
var at = time.Unix(1_700_000_000, 0)

// bubble runs a test with a clock of its own, in parallel to others.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// kind is a scheme as the tests see it.
type kind struct {
	name string
	make func(secrets ...webhook.Secret) webhook.Scheme
	// secret signs, known verifies what it signed, other is another of its kind.
	secret, known, other string
	// signature is the header of the signature, and once are all that must be there
	// once.
	signature string
	once      []string
	timed     bool
	body      string
	// key and typ are the event's.
	key, typ string
	header   []string
}

// The keys are no vendor's, and are made of pieces so that no scanner takes them
// for one.
const (
	plainSecret  = "a secret " + "for tests"
	otherSecret  = "another " + "secret for tests"
	standardOne  = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	standardTwo  = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	sendgridSign = "MHcCAQEEIEQmZgBEh9DcU9zMl34czK3xov4AYvm9P3r7rNB2dNXtoAoGCCqGSM49AwEHoUQDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA=="
	sendgridOne  = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA=="
	sendgridTwo  = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXytzIHS2NXJX6hJlLyqfcYpssv+WU+489xAGyRpCi99yeWSFUgRefQ/U8qukU+QFMFfsgWGJv5fplfKmrYTf2A=="
	squareURL    = "https://shop.example/square"
	twilioURL    = "https://api.example/sms"
)

func kinds() []kind {
	acme := signature.Slack()
	acme.Header, acme.TimestampHeader, acme.Value, acme.List = "X-Acme-Signature", "X-Acme-Timestamp", "v1={signature}", ","
	return []kind{
		{name: "Stripe", make: webhook.Stripe, secret: plainSecret, other: otherSecret, signature: "Stripe-Signature", timed: true,
			body: `{"id":"evt_1","type":"invoice.paid","created":1700000000,"pending_webhooks":2}`, key: "evt_1", typ: "invoice.paid"},
		{name: "GitHub", make: webhook.GitHub, secret: plainSecret, other: otherSecret, signature: "X-Hub-Signature-256",
			body: `{"action":"opened","number":7}`, key: "d-1", typ: "pull_request.opened", header: []string{"X-GitHub-Delivery", "d-1", "X-GitHub-Event", "pull_request"}},
		{name: "Slack", make: webhook.Slack, secret: plainSecret, other: otherSecret, signature: "X-Slack-Signature", once: []string{"X-Slack-Request-Timestamp"}, timed: true,
			body: `{"type":"event_callback","event_id":"Ev1","event_time":1700000000,"event":{"type":"message"}}`, key: "Ev1", typ: "message"},
		{name: "StandardWebhooks", make: webhook.StandardWebhooks, secret: standardOne, other: standardTwo, signature: "Webhook-Signature", once: []string{"Webhook-Id", "Webhook-Timestamp"}, timed: true,
			body: `{"type":"contact.created","timestamp":"2023-11-14T22:13:20Z"}`, key: "msg_1", typ: "contact.created", header: []string{"Webhook-Id", "msg_1"}},
		{name: "StandardWebhooks v1a", make: webhook.StandardWebhooks, secret: svixPrivate, known: svixPublic, other: standardTwo, signature: "Webhook-Signature", once: []string{"Webhook-Id", "Webhook-Timestamp"}, timed: true,
			body: `{"type":"contact.created"}`, key: "msg_1", typ: "contact.created", header: []string{"Webhook-Id", "msg_1"}},
		{name: "Svix", make: webhook.Svix, secret: standardOne, other: standardTwo, signature: "Svix-Signature", once: []string{"Svix-Id", "Svix-Timestamp"}, timed: true,
			body: `{"type":"contact.created"}`, key: "msg_1", typ: "contact.created", header: []string{"Svix-Id", "msg_1"}},
		{name: "Shopify", make: webhook.Shopify, secret: plainSecret, other: otherSecret, signature: "X-Shopify-Hmac-Sha256",
			body: `{"id":820982911946154508}`, key: "b-1", typ: "orders/create", header: []string{"X-Shopify-Webhook-Id", "b-1", "X-Shopify-Topic", "orders/create", "X-Shopify-Triggered-At", "2023-11-14T22:13:20.5Z"}},
		{name: "Twilio", make: func(s ...webhook.Secret) webhook.Scheme { return webhook.Twilio(twilioURL, s...) }, secret: plainSecret, other: otherSecret, signature: "X-Twilio-Signature",
			body: "MessageSid=SM1&MessageStatus=delivered", key: "i-1", typ: "delivered", header: []string{"I-Twilio-Idempotency-Token", "i-1", "Content-Type", "application/x-www-form-urlencoded"}},
		{name: "Zoom", make: webhook.Zoom, secret: plainSecret, other: otherSecret, signature: "X-Zm-Signature", once: []string{"X-Zm-Request-Timestamp"}, timed: true,
			body: `{"event":"meeting.started","event_ts":1700000000000,"payload":{"account_id":"a","object":{"id":"9","uuid":"u=="}}}`,
			key:  "sha256:2ac3247899546c4910335effc8c4634410affa4a9412acd72b102515dfd9885c", typ: "meeting.started"},
		{name: "Square", make: func(s ...webhook.Secret) webhook.Scheme { return webhook.Square(squareURL, s...) }, secret: plainSecret, other: otherSecret, signature: "X-Square-Hmacsha256-Signature",
			body: `{"event_id":"e-1","type":"payment.created","created_at":"2023-11-14T22:13:20Z"}`, key: "e-1", typ: "payment.created"},
		{name: "CircleCI", make: webhook.CircleCI, secret: plainSecret, other: otherSecret, signature: "Circleci-Signature",
			body: `{"id":"c-1","type":"workflow-completed","happened_at":"2023-11-14T22:13:20Z"}`, key: "c-1", typ: "workflow-completed"},
		{name: "SendGrid", make: webhook.SendGrid, secret: sendgridSign, known: sendgridOne, other: sendgridTwo, signature: "X-Twilio-Email-Event-Webhook-Signature", once: []string{"X-Twilio-Email-Event-Webhook-Timestamp"}, timed: true,
			body: "[{\"sg_event_id\":\"s-1\",\"event\":\"delivered\",\"timestamp\":1700000000}]\r\n", key: "s-1", typ: "delivered"},
		{name: "HMAC", make: func(s ...webhook.Secret) webhook.Scheme {
			return webhook.HMAC(acme, webhook.Fields{Key: "{header:X-Acme-Id}", Type: "{body:/type}", Occurred: "{body:/at}"}, s...)
		}, secret: plainSecret, other: otherSecret, signature: "X-Acme-Signature", once: []string{"X-Acme-Timestamp"}, timed: true,
			body: `{"type":"ping","at":1700000000}`, key: "a-1", typ: "ping", header: []string{"X-Acme-Id", "a-1"}},
	}
}

// verifying is the scheme as a receiver has it.
func (k kind) verifying() webhook.Scheme {
	if k.known != "" {
		return k.make(webhook.Static(k.known))
	}
	return k.make(webhook.Static(k.secret))
}

// delivery is a request as the sender signs it at a moment.
func (k kind) delivery(t testing.TB, body string, now time.Time) *http.Request {
	t.Helper()
	r := request(k.header...)
	assert.NoError(t, k.make(webhook.Static(k.secret)).Sign(r, []byte(body), now), k.name)
	return r
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hook", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// fakeSink remembers keys as an inbox does, and does what it is told before.
type fakeSink struct {
	before func(ctx context.Context) error

	mu     sync.Mutex
	events []inbox.Event
}

func (s *fakeSink) Insert(ctx context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]inbox.Outcome, len(events))
	for i, e := range events {
		out[i].Status = inbox.Stored
		for _, old := range s.events {
			if old.Source == e.Source && old.Key == e.Key {
				out[i].Status = inbox.Duplicate
				if len(e.Digest) > 0 && !bytes.Equal(old.Digest, e.Digest) || len(e.Digest) == 0 && !bytes.Equal(old.Body, e.Body) {
					out[i].Status = inbox.Conflict
				}
			}
		}
		if out[i].Status == inbox.Stored {
			s.events = append(s.events, e)
		}
	}
	return out, nil
}

func (s *fakeSink) stored() []inbox.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// journal keeps what hooks say.
type journal struct {
	mu         sync.Mutex
	accepted   []webhook.AcceptedEvent
	handshakes []webhook.HandshakeEvent
	refused    []webhook.RefusedEvent
}

func (j *journal) hooks() webhook.Hooks {
	return webhook.Hooks{
		Accepted: func(_ context.Context, e webhook.AcceptedEvent) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.accepted = append(j.accepted, e)
		},
		Handshake: func(_ context.Context, e webhook.HandshakeEvent) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.handshakes = append(j.handshakes, e)
		},
		Refused: func(_ context.Context, e webhook.RefusedEvent) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.refused = append(j.refused, e)
		},
	}
}

// last is the last refusal's reason, "" if there is none.
func (j *journal) last() webhook.Reason {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.refused) == 0 {
		return ""
	}
	return j.refused[len(j.refused)-1].Reason
}

// serve answers one request in memory.
func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	assert.NoError(t, err)
	return string(body)
}

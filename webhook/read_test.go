package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

var formHeader = []string{"Content-Type", "application/x-www-form-urlencoded"}

// read signs, verifies and reads a delivery.
func read(t *testing.T, s webhook.Scheme, r *http.Request, body string) ([]inbox.Event, error) {
	t.Helper()
	assert.NoError(t, s.Sign(r, []byte(body), at))
	v, err := s.Verify(r, []byte(body), at)
	assert.NoError(t, err)
	return s.Read(webhook.Delivery{Request: r, Body: []byte(body), Verified: v})
}

func readOne(t *testing.T, s webhook.Scheme, body string, headers ...string) inbox.Event {
	t.Helper()
	events, err := read(t, s, request(headers...), body)
	assert.NoError(t, err)
	assert.Equal(t, len(events), 1)
	return events[0]
}

func plain() webhook.Secret { return webhook.Static(plainSecret) }

// Stripe says in each delivery how many are still to come: the event is the same.
func TestStripeDigestIgnoresPendingWebhooks(t *testing.T) {
	t.Parallel()
	s := webhook.Stripe(plain())
	first := readOne(t, s, `{"id":"evt_1","type":"x","pending_webhooks":2,"data":{"a":1}}`)
	assert.Equal(t, len(first.Digest), 32)
	for body, same := range map[string]bool{
		`{"id":"evt_1","type":"x","pending_webhooks":1,"data":{"a":1}}`:                        true,
		`{"id":"evt_1","type":"x","data":{"a":1}}`:                                             true,
		`{"type":"x","id":"evt_1","pending_webhooks":0,"data":{"a":1}}`:                        true,
		`{"id":"evt_1","type":"x","pending_webhooks":2,"data":{"a":2}}`:                        false,
		`{"id":"evt_1","type":"x","pending_webhooks":2,"data":{"a":1,"pending_webhooks":1}}`:   false,
		`{"id":"evt_1","type":"x","pending_webhooks":2,"data":{"a":1},"livemode":false}`:       false,
		`{"id":"evt_1","type":"x","pending_webhooks":2,"data":{"a":1},"data\u0000":{"a":1}}`:   false,
		`{"id":"evt_1","type":"x","pending_webhooks":2,"dat":"a\":1}","data\":{\"a":1,"a":{}}`: false,
	} {
		got := readOne(t, s, body)
		assert.Equal(t, string(got.Digest) == string(first.Digest), same, body)
		assert.Equal(t, string(got.Body), body)
	}
	assert.Equal(t, readOne(t, s, `{"id":"evt_1","type":"x","created":1700000000}`).Occurred, at.UTC())
	thin := readOne(t, s, `{"id":"evt_2","type":"v1.billing.meter.error_report_triggered","created":"2023-11-14T22:13:20.25Z"}`)
	assert.Equal(t, thin.Occurred, at.UTC().Add(250*time.Millisecond))
}

// convoy broke GitHub's form-encoded webhooks by verifying the JSON in them.
func TestGitHubReads(t *testing.T) {
	t.Parallel()
	s := webhook.GitHub(plain())
	e := readOne(t, s, "payload=%7B%22action%22%3A%22opened%22%7D", append(formHeader, "X-GitHub-Delivery", "d", "X-GitHub-Event", "issues")...)
	assert.Equal(t, []string{e.Key, e.Type, string(e.Body), e.Header.Get("Content-Type")}, []string{"d", "issues.opened", `{"action":"opened"}`, "application/json"})
	e = readOne(t, s, `{"zen":"x"}`, "X-GitHub-Delivery", "d", "X-GitHub-Event", "ping")
	assert.Equal(t, []string{e.Key, e.Type, e.Header.Get("Content-Type")}, []string{"d", "ping", ""})
	e = readOne(t, s, `{"action":{}}`, "X-GitHub-Delivery", "d", "X-GitHub-Event", "push")
	assert.Equal(t, e.Type, "push")
	e = readOne(t, s, `{}`)
	assert.True(t, e.Key != "" && e.Key != readOne(t, s, `{}`).Key) // made up where a test names none

	for want, r := range map[string]*http.Request{
		"other fields beside payload": request(append(formHeader, "X-GitHub-Delivery", "d")...),
		"X-Github-Delivery is":        request("X-GitHub-Delivery", "a", "X-GitHub-Delivery", "b"),
		"X-Github-Event is":           request("X-GitHub-Delivery", "a", "X-GitHub-Event", "b", "X-GitHub-Event", "b"),
	} {
		_, err := read(t, s, r, "payload=a&payload=b")
		assert.ErrorIs(t, err, webhook.ErrMalformed, want)
		assert.Contains(t, fmt.Sprint(err), want)
	}
	for _, body := range []string{"payload=%zz", "payload=", "x=y"} {
		_, err := read(t, s, request(append(formHeader, "X-GitHub-Delivery", "d")...), body)
		assert.ErrorIs(t, err, webhook.ErrMalformed, body)
	}
	_, err := s.Read(webhook.Delivery{Request: request(), Body: []byte("{}")})
	assert.Contains(t, fmt.Sprint(err), "no X-GitHub-Delivery")
}

func TestSlackReads(t *testing.T) {
	t.Parallel()
	s := webhook.Slack(plain())
	e := readOne(t, s, slackExample, formHeader...)
	assert.Equal(t, []string{e.Type, string(e.Body), e.Key[:7]}, []string{"slash_command", slackExample, "sha256:"})
	e = readOne(t, s, "payload=%7B%22type%22%3A%22block_actions%22%7D", formHeader...)
	assert.Equal(t, []string{e.Type, string(e.Body), e.Header.Get("Content-Type")}, []string{"block_actions", `{"type":"block_actions"}`, "application/json"})
	e = readOne(t, s, `{"type":"app_rate_limited"}`)
	assert.Equal(t, []string{e.Type, e.Key[:7]}, []string{"app_rate_limited", "sha256:"})
	e = readOne(t, s, `{"type":"event_callback","event_id":"Ev2","event_time":1700000000}`)
	assert.Equal(t, []string{e.Type, e.Key}, []string{"event_callback", "Ev2"})
	assert.Equal(t, e.Occurred, at.UTC())
	for body, headers := range map[string][]string{"": nil, "{}": nil, "hello": nil, "a=b": formHeader, "payload={}": formHeader} {
		_, err := read(t, s, request(headers...), body)
		assert.ErrorIs(t, err, webhook.ErrMalformed, body)
	}
}

func TestSlackHandshake(t *testing.T) {
	t.Parallel()
	sink, j, s := new(fakeSink), new(journal), webhook.Slack(plain())
	h := &webhook.Handler{Source: "slack", Scheme: s, Sink: sink, Hooks: j.hooks()}
	send := func(body string, change func(*http.Request)) *http.Response {
		r := request()
		assert.NoError(t, s.Sign(r, []byte(body), time.Now()))
		change(r)
		return serve(h, r)
	}
	const body = `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
	resp := send(body, func(*http.Request) {})
	assert.Equal(t, resp.StatusCode, 200)
	assert.Equal(t, text(t, resp), "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")
	assert.Equal(t, []string{resp.Header.Get("Content-Type"), resp.Header.Get("X-Content-Type-Options")}, []string{"text/plain; charset=utf-8", "nosniff"})
	assert.Equal(t, j.handshakes, []webhook.HandshakeEvent{{Source: "slack", Scheme: "Slack", Verified: j.handshakes[0].Verified}})
	assert.Equal(t, j.handshakes[0].Verified.Secret, "secret 1")

	// Who cannot sign is told nothing, and no markup goes back.
	resp = send(body, func(r *http.Request) { r.Header.Del("X-Slack-Signature") })
	assert.Equal(t, resp.StatusCode, 401)
	assert.NotContains(t, text(t, resp), "3eZ")
	assert.Equal(t, send(`{"type":"url_verification"}`, func(*http.Request) {}).StatusCode, 400)
	assert.Equal(t, len(sink.stored())+len(j.accepted), 0)
}

func TestZoomHandshake(t *testing.T) {
	t.Parallel()
	sink, j, s := new(fakeSink), new(journal), webhook.Zoom(webhook.Static(otherSecret), plain())
	h := &webhook.Handler{Source: "zoom", Scheme: s, Sink: sink, Hooks: j.hooks()}
	send := func(body string, change func(*http.Request)) *http.Response {
		r := request()
		assert.NoError(t, webhook.Zoom(plain()).Sign(r, []byte(body), time.Now()))
		change(r)
		return serve(h, r)
	}
	same := func(*http.Request) {}
	const body = `{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}`
	resp := send(body, same)
	assert.Equal(t, resp.StatusCode, 200)
	// HMAC-SHA256 of the token with the secret that matched, computed with openssl.
	assert.Equal(t, text(t, resp), `{"encryptedToken":"fba8219e98fe4ed91280ca574be9a9da3df31fa5e337a5baab8dca951cb29d75","plainToken":"qgg8vlvZRS6UYooatFL8Aw"}`)
	assert.Equal(t, resp.Header.Get("Content-Type"), "application/json")
	assert.Equal(t, j.handshakes[0].Verified.Secret, "secret 2")

	// The answer is a signature: who cannot sign gets none, nor does a text that is
	// what a delivery's signature is made of.
	assert.Equal(t, send(body, func(r *http.Request) { r.Header.Del("X-Zm-Signature") }).StatusCode, 401)
	for _, token := range []string{"", "v0:1700000000:x", `{\"event\":1}`, strings.Repeat("x", 257)} {
		resp := send(`{"payload":{"plainToken":"`+token+`"},"event":"endpoint.url_validation"}`, same)
		assert.Equal(t, resp.StatusCode, 400, token)
	}
	assert.Equal(t, len(sink.stored())+len(j.accepted), 0)

	// The secret is gone between the check and the answer.
	asked := 0
	h = &webhook.Handler{Source: "zoom", Sink: sink, Hooks: j.hooks(), Scheme: webhook.Zoom(webhook.Secret{Key: func(context.Context) ([]byte, error) {
		if asked++; asked > 1 {
			return nil, errors.New("gone")
		}
		return []byte(plainSecret), nil
	}})}
	assert.Equal(t, send(body, same).StatusCode, 503)
	assert.Equal(t, j.last(), webhook.ReasonSecret)
}

// Zoom gives no ids: two events at one moment differ in what they are about.
func TestZoomKey(t *testing.T) {
	t.Parallel()
	s := webhook.Zoom(plain())
	of := func(participant, topic string) string {
		return readOne(t, s, fmt.Sprintf(`{"event":"meeting.participant_joined","event_ts":1700000000000,"payload":{"object":{"id":12345678901234567890,"topic":%q,"participant":{"participant_uuid":%q}}}}`, topic, participant)).Key
	}
	assert.Equal(t, of("a", "x"), of("a", "x"))
	assert.Equal(t, of("a", "x"), of("a", "y"))
	assert.True(t, of("a", "x") != of("b", "x"))
	number := func(id string) string {
		return readOne(t, s, `{"event":"e","event_ts":1,"payload":{"list":[{"id":`+id+`}]}}`).Key
	}
	assert.True(t, number("12345678901234567890") != number("12345678901234567891"))
	assert.True(t, number(`"1"`) != number("[1]"))
	for _, body := range []string{`{}`, `{"event":"x"}`, `{"event_ts":1}`, ``, `[]`} {
		_, err := read(t, s, request(), body)
		assert.ErrorIs(t, err, webhook.ErrMalformed, body)
	}
	assert.True(t, readOne(t, s, `{"event":"e","event_ts":1}`).Key != readOne(t, s, `{"event":"e","event_ts":2}`).Key)
}

func TestShopifyReads(t *testing.T) {
	t.Parallel()
	s := webhook.Shopify(plain())
	e := readOne(t, s, `{"id":1}`, "X-Shopify-Webhook-Id", "b", "X-Shopify-Topic", "orders/paid", "X-Shopify-Triggered-At", "2023-11-14T22:13:20Z")
	assert.Equal(t, []string{e.Key, e.Type}, []string{"b", "orders/paid"})
	assert.Equal(t, e.Occurred, at.UTC())
	events, err := s.Read(webhook.Delivery{Request: request("Shopify-Webhook-Id", "c", "Shopify-Topic", "t"), Body: []byte("{}")})
	assert.NoError(t, err)
	assert.Equal(t, []string{events[0].Key, events[0].Type}, []string{"c", "t"})
	for _, r := range []*http.Request{request(), request("X-Shopify-Webhook-Id", "a", "X-Shopify-Webhook-Id", "a")} {
		_, err := s.Read(webhook.Delivery{Request: r, Body: []byte("{}")})
		assert.ErrorIs(t, err, webhook.ErrMalformed)
	}
	// The old header counts where both are there.
	r := request()
	assert.NoError(t, s.Sign(r, []byte("{}"), at))
	r.Header.Set("Shopify-Hmac-Sha256", r.Header.Get("X-Shopify-Hmac-Sha256"))
	r.Header.Set("X-Shopify-Hmac-Sha256", "AAAA")
	_, err = s.Verify(r, []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
}

func TestTwilioReads(t *testing.T) {
	t.Parallel()
	s := webhook.Twilio(twilioURL, plain())
	for body, typ := range map[string]string{
		"CallSid=1&CallStatus=ringing": "ringing", "MessageSid=1&MessageStatus=sent&CallStatus=x": "sent", "EventType=worker.created": "worker.created", "Body=hi": "", "": "",
	} {
		e := readOne(t, s, body, formHeader...)
		assert.Equal(t, e.Type, typ, body)
		assert.Equal(t, e.Key[:7], "sha256:", body)
	}
	assert.Equal(t, readOne(t, s, `{"EventType":"onMessageAdded"}`).Type, "onMessageAdded")
	assert.True(t, readOne(t, s, "a=1", formHeader...).Key != readOne(t, s, "a=2", formHeader...).Key)
	_, err := read(t, s, request("I-Twilio-Idempotency-Token", "a", "I-Twilio-Idempotency-Token", "a"), "a=1")
	assert.ErrorIs(t, err, webhook.ErrMalformed)
}

// A name and a password in the URL that Twilio was told are signed with it.
func TestTwilioSignsTheURLAsItWasTold(t *testing.T) {
	t.Parallel()
	sums := map[string]bool{}
	for _, public := range []string{"https://api.example/sms", "https://u:p@api.example/sms", "https://api.example/sms/", "http://api.example/sms", "https://api.example"} {
		s := webhook.Twilio(public, plain())
		r := request(formHeader...)
		assert.NoError(t, s.Sign(r, []byte("a=1"), at))
		_, err := s.Verify(r, []byte("a=1"), at)
		assert.NoError(t, err)
		sums[r.Header.Get("X-Twilio-Signature")] = true
	}
	assert.Equal(t, len(sums), 5)
}

// Twilio signs the same value of one name once.
func TestTwilioSignsAValueOnce(t *testing.T) {
	t.Parallel()
	s := webhook.Twilio(twilioURL, plain())
	sums := map[string]string{}
	for _, body := range []string{"a=2&a=1", "a=1&a=2&a=1", "a=2&b=1"} {
		r := request(formHeader...)
		assert.NoError(t, s.Sign(r, []byte(body), at))
		sums[body] = r.Header.Get("X-Twilio-Signature")
	}
	assert.Equal(t, sums["a=2&a=1"], sums["a=1&a=2&a=1"])
	assert.True(t, sums["a=2&a=1"] != sums["a=2&b=1"])
}

// A body that the URL does not vouch for, and a form that cannot be read in one
// way, are not signed.
func TestTwilioCoversTheBody(t *testing.T) {
	t.Parallel()
	s := webhook.Twilio(twilioURL, plain())
	r := request("Content-Type", "application/json")
	assert.NoError(t, s.Sign(r, nil, at)) // of the URL alone
	_, err := s.Verify(r, nil, at)
	assert.NoError(t, err)
	_, err = s.Verify(r, []byte(`{"a":1}`), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	assert.Contains(t, fmt.Sprint(err), "no bodySHA256")

	r = request()
	assert.NoError(t, s.Sign(r, []byte(`{"a":1}`), at))
	assert.True(t, r.URL.Query().Has("bodySHA256"))
	_, err = s.Verify(r, []byte(`{"a":2}`), at)
	assert.Contains(t, fmt.Sprint(err), "not the one whose bodySHA256")
	r.URL.RawQuery += "&" + r.URL.RawQuery
	_, err = s.Verify(r, []byte(`{"a":1}`), at)
	assert.Contains(t, fmt.Sprint(err), "2 times")
	r = request(formHeader...)
	assert.NoError(t, s.Sign(r, []byte("a=1"), at))
	_, err = s.Verify(r, []byte("a=%zz"), at)
	assert.Contains(t, fmt.Sprint(err), "not well escaped")
	r.URL.RawQuery = "x=1"
	_, err = s.Verify(r, []byte("a=1"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
}

func TestSendGridReadsABatch(t *testing.T) {
	t.Parallel()
	s := webhook.SendGrid(webhook.Static(sendgridSign))
	body := `[{"sg_event_id":"a","event":"open","timestamp":1700000000},` + "\n" + ` {"event":"click"}]` + "\r\n"
	events, err := read(t, s, request(), body)
	assert.NoError(t, err)
	assert.Equal(t, len(events), 2)
	assert.Equal(t, []string{events[0].Key, events[0].Type, string(events[0].Body)}, []string{"a", "open", `{"sg_event_id":"a","event":"open","timestamp":1700000000}`})
	assert.Equal(t, []string{events[1].Key[:7], events[1].Type, string(events[1].Body)}, []string{"sha256:", "click", `{"event":"click"}`})
	assert.Equal(t, events[0].Occurred, at.UTC())
	for _, body := range []string{"", "[]", "{}", "[1]", "[{}", "[null]", "[" + strings.Repeat("{},", 10_000) + "{}]"} {
		_, err := read(t, s, request(), body)
		assert.ErrorIs(t, err, webhook.ErrMalformed, body[:min(len(body), 10)])
	}

	// All are stored, or none is.
	sink := new(fakeSink)
	h := &webhook.Handler{Source: "mail", Scheme: s, Sink: sink, Order: func(e *inbox.Event) string { return e.Key }}
	r := request()
	assert.NoError(t, s.Sign(r, []byte(body), time.Now()))
	assert.Equal(t, serve(h, r).StatusCode, 200)
	assert.Equal(t, len(sink.stored()), 2)
	assert.Equal(t, sink.stored()[0].Order, "a")
}

func TestSendGridKeys(t *testing.T) {
	t.Parallel()
	r := request()
	assert.NoError(t, webhook.SendGrid(webhook.Static(sendgridSign)).Sign(r, []byte("[]"), at))
	_, err := webhook.SendGrid(webhook.Static(sendgridSign)).Verify(r, []byte("[]"), at) // a private key knows its public half
	assert.NoError(t, err)
	assert.Contains(t, fmt.Sprint(webhook.SendGrid(webhook.Static(sendgridOne)).Sign(request(), nil, at)), "can verify only")
	const p384 = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEeCjMkAAn+cTHO7dnktKFD6vq+m7TuAsZCn3RkX3DRe9Hm3e3KM+Ei80binDcu3UPyG7Zg9aVvozx2LQmVFZa2pVBN+a6HTB8Q054SCEyU6ihTOUlRDa/5GMRzpDRZzgF"
	for _, key := range []string{"not base64", "AAAA", sendgridOne[:40], p384, "-----BEGIN PUBLIC KEY-----\n" + sendgridOne} {
		_, err := webhook.SendGrid(webhook.Static(key)).Verify(r, []byte("[]"), at)
		assert.Contains(t, fmt.Sprint(err), "not base64 of a P-256 key", key)
		assert.True(t, !errors.Is(err, signature.ErrSignature))
	}
	// A key that is replaced is read anew.
	key := sendgridTwo
	rotated := webhook.SendGrid(webhook.Secret{Key: func(context.Context) ([]byte, error) { return []byte(key), nil }})
	_, err = rotated.Verify(r, []byte("[]"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	key = sendgridOne
	_, err = rotated.Verify(r, []byte("[]"), at)
	assert.NoError(t, err)

	// Nothing stands between the time and the body.
	moved := request()
	assert.NoError(t, webhook.SendGrid(webhook.Static(sendgridSign)).Sign(moved, []byte("[]"), at))
	moved.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", "170000000")
	_, err = webhook.SendGrid(webhook.Static(sendgridOne)).Verify(moved, []byte("0[]"), time.Unix(170000000, 0))
	assert.ErrorIs(t, err, signature.ErrSignature)
	assert.Contains(t, fmt.Sprint(err), "begins with a digit")
}

func TestFields(t *testing.T) {
	t.Parallel()
	h := signature.HMAC{Content: "{body}", Header: "X-Sum"}
	const body = `{"a":{"b/c":[{"id":7},{"~id":"x"}]},"n":-1.5e3,"s":"","t":true,"o":{},"z":null}`
	of := func(f webhook.Fields, headers ...string) (inbox.Event, error) {
		events, err := read(t, webhook.HMAC(h, f, plain()), request(headers...), body)
		if err != nil {
			return inbox.Event{}, err
		}
		return events[0], nil
	}
	for place, want := range map[string]string{
		"{body:/a/b~1c/0/id}": "7", "{body:/a/b~1c/1/~0id}": "x", "{body:/n}": "-1.5e3", "k-{header:x-id}/{body:/n}": "k-h/-1.5e3", "plain": "plain",
		"": "", "{sha256}": "",
		"{body:/s}": "", "{body:/t}": "", "{body:/o}": "", "{body:/z}": "", "{body:/a/b~1c/2}": "", "{body:/a/x/y}": "", "{header:X-None}": "", "{id}": "",
	} {
		e, err := of(webhook.Fields{Key: place}, "X-Id", "h")
		switch {
		case place == "" || place == "{sha256}":
			assert.NoError(t, err)
			assert.Equal(t, e.Key, "sha256:6a8795b4e27e215a31954a76b9176d9ceda50607a50417fb53e50125b8b54805")
		case want != "":
			assert.NoError(t, err, place)
			assert.Equal(t, e.Key, want, place)
		default:
			assert.ErrorIs(t, err, webhook.ErrMalformed, place)
			assert.Contains(t, fmt.Sprint(err), "it has no "+place)
			e, err = of(webhook.Fields{Key: "k", Type: place, Order: place, Occurred: place})
			assert.NoError(t, err)
			assert.Equal(t, []any{e.Type, e.Order, e.Occurred.IsZero()}, []any{"", "", true})
		}
	}
	_, err := of(webhook.Fields{Key: "k", Type: "{header:X-Id}"}, "X-Id", "a", "X-Id", "b")
	assert.ErrorIs(t, err, webhook.ErrMalformed)
	_, err = of(webhook.Fields{Key: "{header:X-Id}"}, "X-Id", "a", "X-Id", "b")
	assert.ErrorIs(t, err, webhook.ErrMalformed)
	e, err := of(webhook.Fields{Key: "{header:X-Id}", Order: "{header:X-Id}"}, "X-Id", strings.Repeat("x", 513))
	assert.NoError(t, err)
	assert.Equal(t, []int{len(e.Key), len(e.Order)}, []int{71, 71}) // hashes
	_, err = read(t, webhook.HMAC(h, webhook.Fields{}, plain()), request(), "")
	assert.ErrorIs(t, err, webhook.ErrMalformed) // all empty bodies are alike

	for occurred, want := range map[string]time.Time{
		"1700000000": at, "1700000000500": at.Add(500 * time.Millisecond), "2023-11-14T23:13:20.5+01:00": at.Add(500 * time.Millisecond), "99999999999": time.Unix(99999999999, 0),
		"": {}, "yesterday": {}, "-1": {}, "1.7e9": {}, "170000000000000": {}, "2023-11-14": {},
	} {
		e, err := of(webhook.Fields{Key: "k", Occurred: "{header:X-At}"}, "X-At", occurred)
		assert.NoError(t, err)
		assert.True(t, e.Occurred.Equal(want), occurred, e.Occurred)
	}

	// With a signed id, that is the key.
	s := webhook.HMAC(signature.HMAC{Content: "{id}:{body}", Header: "X-Sum", IDHeader: "X-Id"}, webhook.Fields{}, plain())
	assert.Equal(t, readOne(t, s, "{}", "X-Id", "m-1").Key, "m-1")
}

// TestHandlersKeyAndOrder: the handler's own go before the scheme's, where they say
// something.
func TestHandlersKeyAndOrder(t *testing.T) {
	t.Parallel()
	sink := &sinkOf{}
	h := signature.HMAC{Content: "{body}", Header: "X-Sum"}
	scheme := webhook.HMAC(h, webhook.Fields{Key: "{body:/id}", Order: "{body:/about}"}, plain())
	handler := &webhook.Handler{
		Source: "acme", Scheme: scheme, Sink: sink,
		Key: func(e *inbox.Event) string { return "own " + e.Key },
		Order: func(e *inbox.Event) string {
			if e.Key == "own 2" {
				return "own"
			}
			return ""
		},
	}
	for _, body := range []string{`{"id":"1","about":"theirs"}`, `{"id":"2","about":"theirs"}`} {
		r, w := httptest.NewRequest(http.MethodPost, "/", nil), httptest.NewRecorder()
		assert.NoError(t, scheme.Sign(r, []byte(body), time.Now()))
		handler.ServeHTTP(w, r)
		assert.Equal(t, w.Code, http.StatusOK)
	}
	assert.Equal(t, sink.said, []string{"own 1 theirs", "own 2 own"})
	ambiguous := webhook.HMAC(signature.HMAC{Content: "{timestamp}{body}", Header: "X-Sum", TimestampHeader: "X-Time"}, webhook.Fields{}, plain())
	assert.Contains(t, fmt.Sprint(ambiguous.Check()), "nothing between {timestamp}")
}

// sinkOf writes down the keys and orders of what it takes.
type sinkOf struct{ said []string }

func (s *sinkOf) Insert(_ context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	for i := range events {
		s.said = append(s.said, events[i].Key+" "+events[i].Order)
	}
	return make([]inbox.Outcome, len(events)), nil
}

// TestUnsignedContentType: what a signed JSON body says in a text is not taken for a
// form's field, whatever the Content-Type, which nobody has signed.
func TestUnsignedContentType(t *testing.T) {
	t.Parallel()
	for _, s := range []webhook.Scheme{webhook.GitHub(plain()), webhook.Slack(plain())} {
		for _, body := range []string{`{"type":"x","comment":"&payload={}&command=/deploy&"}`, ` {"a":"&payload=%7B%22type%22%3A%22forged%22%7D"}`, "text=hi&payload=%7B%22type%22%3A%22forged%22%7D"} {
			_, err := read(t, s, request("X-GitHub-Event", "issue_comment", "X-GitHub-Delivery", "1", formHeader[0], formHeader[1]), body)
			assert.ErrorIs(t, err, webhook.ErrMalformed, s.Name, body)
		}
	}
}

// TestStrangeTypes: a type that no store takes is no reason to refuse a delivery for
// ever.
func TestStrangeTypes(t *testing.T) {
	t.Parallel()
	var types []string
	handler := &webhook.Handler{
		Source: "acme", Sink: &sinkOf{}, Scheme: webhook.HMAC(signature.HMAC{Content: "{body}", Header: "X-Sum"}, webhook.Fields{Type: "{body:/type}"}, plain()),
		Order: func(e *inbox.Event) string { types = append(types, e.Type); return "" },
	}
	for _, typ := range []string{strings.Repeat("é", inbox.MaxKey), `a\u0000b`} {
		r, w := httptest.NewRequest(http.MethodPost, "/", nil), httptest.NewRecorder()
		assert.NoError(t, handler.Scheme.Sign(r, []byte(`{"type":"`+typ+`"}`), time.Now()))
		handler.ServeHTTP(w, r)
		assert.Equal(t, w.Code, http.StatusOK)
	}
	assert.Equal(t, types, []string{strings.Repeat("é", inbox.MaxKey/2), "a\uFFFDb"})
}

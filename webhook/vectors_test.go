package webhook_test

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// The key pair of svix-server's documentation and of its test
// test_asymmetric_key_signing (server/svix-server/src/core/webhook_http_client.rs).
const (
	svixPrivate = "whsk_" + "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	svixPublic  = "whpk_" + "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

// The fixture of stripe-dotnet (src/StripeTests/Resources/event_test_signature.json);
// the line break at its end is signed.
const stripeFixture = `{
  "id": "evt_123",
  "object": "event",
  "account": "acct_123",
  "api_version": "2017-05-25",
  "created": 1533204620,
  "data": {
    "object": {
      "id": "cus_123",
      "object": "customer",
      "created": 123456789,
      "email": "test@stripe.com",
      "livemode": false,
      "metadata": {}
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_123",
    "idempotency_key": "idempotency-key-123"
  },
  "type": "customer.created"
}
`

const slackExample = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

const squareExample = `{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}`

// twilioExample are the form fields of Twilio's security page and helper libraries.
const twilioExample = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"

// vector is an example that somebody has published.
type vector struct {
	name   string
	scheme webhook.Scheme
	now    int64 // 0: the scheme signs no time
	url    string
	header []string
	body   string
}

func vectors() []vector {
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	twilio := func(name, public, url, sum, body string, header ...string) vector {
		return vector{name: "Twilio " + name, scheme: webhook.Twilio(public, webhook.Static("12345")), url: url,
			header: append(header, "X-Twilio-Signature", sum), body: body}
	}
	const myapp = "/myapp.php?foo=1&bar=2"
	return []vector{
		// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
		{"GitHub", webhook.GitHub(webhook.Static("It's a Secret to Everybody")), 0, "",
			[]string{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}, "Hello, World!"},
		// https://docs.slack.dev/authentication/verifying-requests-from-slack
		{"Slack", webhook.Slack(webhook.Static("8f742231b10e8888abcd99yyyzzz85a5")), 1531420618, "",
			append([]string{"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "X-Slack-Request-Timestamp", "1531420618"}, form...), slackExample},
		// standard-webhooks/libraries/go/webhook_test.go, and svix-webhooks/go/webhook_test.go
		{"StandardWebhooks", webhook.StandardWebhooks(webhook.Static(standardOne)), 1614265330, "",
			[]string{"Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330", "Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, `{"test": 2432232314}`},
		{"Svix", webhook.Svix(webhook.Static(standardOne)), 1614265330, "",
			[]string{"Svix-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Svix-Timestamp", "1614265330", "Svix-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, `{"test": 2432232314}`},
		{"Svix by the standard's headers", webhook.Svix(webhook.Static(standardOne)), 1614265330, "",
			[]string{"Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330", "Webhook-Signature", "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, `{"test": 2432232314}`},
		// svix-server's test_asymmetric_key_signing
		{"StandardWebhooks v1a", webhook.StandardWebhooks(webhook.Static(svixPublic)), 1614265330, "",
			[]string{"Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330", "Webhook-Signature", "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="}, `{"test": 2432232314}`},
		// stripe-dotnet/src/StripeTests/Services/Events/EventUtilityTest.cs
		{"Stripe", webhook.Stripe(webhook.Static("webhook_" + "secret")), 1533204620 + 100, "",
			[]string{"Stripe-Signature", "t=1533204620,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7,v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"}, stripeFixture},
		// bold-commerce/go-shopify/oauth_test.go; its request holds the text as JSON
		{"Shopify", webhook.Shopify(webhook.Static("hush")), 0, "",
			[]string{"X-Shopify-Hmac-Sha256", "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI="}, `"my secret message"`},
		{"Shopify preview", webhook.Shopify(webhook.Static("hush")), 0, "",
			[]string{"Shopify-Hmac-Sha256", "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI="}, `"my secret message"`},
		// square-python-sdk/tests/utilities/test_webhooks_helper.py
		{"Square", webhook.Square("https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9", webhook.Static("Ibxx_5AKakO-"+"3qeNVR61Dw")), 0, "",
			[]string{"X-Square-HmacSha256-Signature", "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4="}, squareExample},
		// https://circleci.com/docs/webhooks/#validate-webhooks
		{"CircleCI 1", webhook.CircleCI(webhook.Static("secret")), 0, "",
			[]string{"circleci-signature", "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"}, "hello world"},
		{"CircleCI 2", webhook.CircleCI(webhook.Static("another-secret")), 0, "",
			[]string{"circleci-signature", "v1=daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00,v2=abc"}, "lalala"},
		{"CircleCI 3", webhook.CircleCI(webhook.Static("hunter123")), 0, "",
			[]string{"circleci-signature", "v1=9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa"}, "an-important-request-payload"},
		// sendgrid-go/helpers/eventwebhook/eventwebhook_test.go
		{"SendGrid", webhook.SendGrid(webhook.Static(sendgridOne)), 1588788367, "",
			[]string{"X-Twilio-Email-Event-Webhook-Signature", "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=", "X-Twilio-Email-Event-Webhook-Timestamp", "1588788367"},
			`{"category":"example_payload","event":"test_event","message_id":"message_id"}`},
		// twilio-python/tests/unit/test_request_validator.py
		twilio("form", "https://mycompany.com/myapp.php", myapp, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", twilioExample, form...),
		twilio("path of the request", "https://mycompany.com", myapp, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", twilioExample, form...),
		twilio("repeated fields", "https://mycompany.com", myapp, "IK+Dwps556ElfBT0I3Rgjkr1wJU=", "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234", form...),
		twilio("https with a port", "https://mycompany.com:1234", myapp, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", twilioExample, form...),
		twilio("http with a port", "http://mycompany.com:1234", myapp, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", twilioExample, form...),
		twilio("https and its port", "https://mycompany.com", myapp, "kvajT1Ptam85bY51eRf/AJRuM3w=", twilioExample, form...),
		twilio("http and its port", "http://mycompany.com", myapp, "0ZXoZLH/DfblKGATFgpif+LLRf4=", twilioExample, form...),
		twilio("JSON", "https://mycompany.com", myapp+"&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620", "a9nBmqA0ju/hNViExpshrM61xv4=", `{"property": "value", "boolean": true}`, "Content-Type", "application/json"),
	}
}

func (v vector) request() *http.Request {
	url := v.url
	if url == "" {
		url = "/hook"
	}
	r := httptest.NewRequestWithContext(request().Context(), http.MethodPost, url, strings.NewReader(v.body))
	for i := 0; i < len(v.header); i += 2 {
		r.Header.Add(v.header[i], v.header[i+1])
	}
	return r
}

// Each is verified at its own moment, by the clock, as a Handler does it.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if v.now != 0 {
					time.Sleep(time.Until(time.Unix(v.now, 0)))
				}
				_, err := v.scheme.Verify(v.request(), []byte(v.body), time.Now())
				assert.NoError(t, err)
				_, err = v.scheme.Verify(v.request(), []byte(v.body+" "), time.Now())
				assert.ErrorIs(t, err, signature.ErrSignature)
				if v.now != 0 {
					time.Sleep(5*time.Minute + time.Second)
					_, err = v.scheme.Verify(v.request(), []byte(v.body), time.Now())
					assert.ErrorIs(t, err, signature.ErrExpired)
				}
			})
		})
	}
}

// RFC 4231 for SHA-2 and RFC 2202 for SHA-1, the latter only for who asks for it.
func TestRawHMACs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hash      crypto.Hash
		key, text string // hex, plain
		want      string
	}{
		{crypto.SHA256, strings.Repeat("0b", 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{crypto.SHA256, hex.EncodeToString([]byte("Jefe")), "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{crypto.SHA256, strings.Repeat("aa", 131), "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{crypto.SHA384, strings.Repeat("0b", 20), "Hi There", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"},
		{crypto.SHA512, strings.Repeat("0b", 20), "Hi There", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
		{crypto.SHA1, strings.Repeat("0b", 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
		{crypto.SHA1, hex.EncodeToString([]byte("Jefe")), "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	} {
		key, err := hex.DecodeString(test.key)
		assert.NoError(t, err)
		scheme := webhook.HMAC(signature.HMAC{Content: "{body}", Header: "X-Sum", Hash: test.hash}, webhook.Fields{}, webhook.Static(string(key)))
		_, err = scheme.Verify(request("X-Sum", test.want), []byte(test.text), at)
		assert.NoError(t, err, fmt.Sprint(test.hash))
		r := request()
		assert.NoError(t, scheme.Sign(r, []byte(test.text), at))
		assert.Equal(t, r.Header.Get("X-Sum"), test.want)
	}
}

// What the vendors' own tests sign, we sign byte for byte, where no chance is in it.
func TestSignMakesThePublishedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		signed := ""
		for i := 0; i < len(v.header); i += 2 {
			if name := v.header[i]; strings.Contains(strings.ToLower(name), "signature") || strings.Contains(name, "Hmac") {
				signed = name
			}
		}
		switch v.name {
		case "Stripe", "CircleCI 2", "Svix by the standard's headers", "Shopify preview", "StandardWebhooks v1a", "SendGrid", // other items, other headers, a public key, chance
			"Twilio https with a port", "Twilio https and its port", "Twilio http and its port": // of several URLs
			continue
		}
		r := v.request()
		want := r.Header.Get(signed)
		r.Header.Del(signed)
		assert.NoError(t, v.scheme.Sign(r, []byte(v.body), time.Unix(max(v.now, 1), 0)), v.name)
		assert.Equal(t, r.Header.Get(signed), want, v.name)
	}
	r := request("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	assert.NoError(t, webhook.StandardWebhooks(webhook.Static(svixPrivate)).Sign(r, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)))
	assert.Equal(t, r.Header.Get("Webhook-Signature"), "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==")
}

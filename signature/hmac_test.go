package signature_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
)

// The published examples of GitHub's, Slack's and Standard Webhooks' own pages.
const (
	githubSecret = "It's a Secret to Everybody"
	githubBody   = "Hello, World!"
	githubValue  = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

	slackSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	slackBody   = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	slackTime   = 1531420618
	slackValue  = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"

	webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	webhookBody   = `{"test": 2432232314}`
	webhookID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	webhookTime   = 1614265330
	webhookValue  = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var at = time.Unix(1_700_000_000, 0)

func post(body string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.acme.example/v1/orders?page=2", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestPublishedExamplesVerifyAndSign(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		scheme  signature.HMAC
		body    string
		now     int64
		headers []string
	}{
		{"GitHub", signature.GitHub(signature.StaticKey(githubSecret)), githubBody, 1, []string{"X-Hub-Signature-256", githubValue}},
		{"Slack", signature.Slack(signature.StaticKey(slackSecret)), slackBody, slackTime, []string{"X-Slack-Signature", slackValue, "X-Slack-Request-Timestamp", "1531420618"}},
		{"StandardWebhooks", signature.StandardWebhooks(signature.StaticKey(webhookSecret)), webhookBody, webhookTime, []string{"Webhook-Id", webhookID, "Webhook-Timestamp", "1614265330", "Webhook-Signature", webhookValue}},
	} {
		now := time.Unix(test.now, 0)
		_, err := test.scheme.Verify(post(test.body, test.headers...), []byte(test.body), now)
		assert.NoError(t, err, test.name)

		r := post(test.body)
		if test.name == "StandardWebhooks" {
			r.Header.Set("Webhook-Id", webhookID)
		}
		assert.NoError(t, test.scheme.Sign(r, now), test.name)
		for i := 0; i < len(test.headers); i += 2 {
			assert.Equal(t, r.Header.Values(test.headers[i]), []string{test.headers[i+1]}, test.name)
		}
	}
}

// A round trip proves nothing about the format, so the expected text is computed
// from Stripe's description: the whole secret is the key, and "t.body" the text.
func TestStripe(t *testing.T) {
	t.Parallel()
	const secret = "whsec_test_secret"
	r := post(`{"id":"evt_1"}`)
	assert.NoError(t, signature.Stripe(signature.StaticKey(secret)).Sign(r, at))
	want := "t=1700000000,v1=" + hexHMAC(secret, `1700000000.{"id":"evt_1"}`)
	assert.Equal(t, r.Header.Get("Stripe-Signature"), want)

	// While a secret is rolled there are two v1 entries; v0 and unknown ones are passed over.
	rolled := post(`{"id":"evt_1"}`, "Stripe-Signature", want+",v1="+strings.Repeat("ab", 32)+",v0=zz,x")
	v, err := signature.Stripe(signature.StaticKey("whsec_new"), signature.StaticKey(secret)).Verify(rolled, []byte(`{"id":"evt_1"}`), at)
	assert.NoError(t, err)
	assert.Equal(t, v, signature.Verified{Key: 1, Time: at})
}

// Each of these is a way in which a verifier elsewhere lets a message pass.
func TestVerifyFailsClosed(t *testing.T) {
	t.Parallel()
	key := signature.StaticKey("a secret for tests")
	good := func(h signature.HMAC) *http.Request {
		r := post("{}")
		if err := h.Sign(r, at); err != nil {
			t.Fatal(err)
		}
		return r
	}
	stripe, github, slack := signature.Stripe(key), signature.GitHub(key), signature.Slack(key)
	webhooks := signature.StandardWebhooks(signature.StaticKey(webhookSecret))
	with := func(h signature.HMAC, change func(http.Header)) *http.Request {
		r := good(h)
		change(r.Header)
		return r
	}
	replace := func(name, old, with string) func(http.Header) {
		return func(h http.Header) { h.Set(name, strings.Replace(h.Get(name), old, with, 1)) }
	}
	many := func(h http.Header) {
		h.Set("Stripe-Signature", h.Get("Stripe-Signature")+strings.Repeat(",v1="+strings.Repeat("00", 32), 16))
	}
	for _, test := range []struct {
		name string
		h    signature.HMAC
		r    *http.Request
		body string
		want string
	}{
		{"no signature", github, post("{}"), "{}", "is missing"},
		{"empty signature", github, post("{}", "X-Hub-Signature-256", ""), "{}", "is missing"},
		{"empty hex", github, post("{}", "X-Hub-Signature-256", "sha256="), "{}", "not hex"},
		{"a part of it", github, with(github, func(h http.Header) { h.Set("X-Hub-Signature-256", h.Get("X-Hub-Signature-256")[:20]) }), "{}", "not hex"},
		{"sha1 only", github, post("{}", "X-Hub-Signature", "sha1="+strings.Repeat("00", 20)), "{}", "is missing"},
		{"sha1 in its place", github, post("{}", "X-Hub-Signature-256", "sha1="+strings.Repeat("00", 20)), "{}", "no signature of the form"},
		{"twice", github, with(github, func(h http.Header) { h.Add("X-Hub-Signature-256", h.Get("X-Hub-Signature-256")) }), "{}", "2 times"},
		{"another body", github, good(github), "{} ", "matches none"},
		{"no body", github, good(github), "", "matches none"},
		{"no timestamp", slack, with(slack, func(h http.Header) { h.Del("X-Slack-Request-Timestamp") }), "{}", "is missing"},
		{"two timestamps", slack, with(slack, func(h http.Header) { h.Add("X-Slack-Request-Timestamp", "1700000000") }), "{}", "2 times"},
		{"signed timestamp", slack, with(slack, replace("X-Slack-Request-Timestamp", "17", "+17")), "{}", "not a number of seconds"},
		{"a space before it", slack, with(slack, replace("X-Slack-Request-Timestamp", "17", " 17")), "{}", "not a number of seconds"},
		{"a zero before it", slack, with(slack, replace("X-Slack-Request-Timestamp", "17", "017")), "{}", "not a number of seconds"},
		{"overflowing", slack, with(slack, replace("X-Slack-Request-Timestamp", "17", "99999999999999999917")), "{}", "not a number of seconds"},
		{"another timestamp", slack, with(slack, replace("X-Slack-Request-Timestamp", "17", "18")), "{}", "matches none"},
		{"t missing", stripe, with(stripe, replace("Stripe-Signature", "t=", "u=")), "{}", "not a number of seconds"},
		{"t twice", stripe, with(stripe, replace("Stripe-Signature", "t=", "t=1,t=")), "{}", "holds two of t="},
		{"v1 missing", stripe, with(stripe, replace("Stripe-Signature", "v1=", "v0=")), "{}", "holds no signature"},
		{"v1 empty", stripe, with(stripe, replace("Stripe-Signature", "v1=", "v1=,v1=")), "{}", "not hex"},
		{"17 signatures", stripe, with(stripe, many), "{}", "more than 16"},
		{"long", stripe, post("{}", "Stripe-Signature", strings.Repeat("v1=00,", 4000)), "{}", "longer than"},
		{"no id", webhooks, with(webhooks, func(h http.Header) { h.Del("Webhook-Id") }), "{}", "is missing"},
		{"dot in the id", webhooks, with(webhooks, func(h http.Header) { h.Set("Webhook-Id", "msg.1") }), "{}", `contains "."`},
		{"space in the id", webhooks, with(webhooks, func(h http.Header) { h.Set("Webhook-Id", "msg 1") }), "{}", "visible ASCII"},
		{"long id", webhooks, with(webhooks, func(h http.Header) { h.Set("Webhook-Id", strings.Repeat("m", 257)) }), "{}", "1 to 256"},
		{"line break in base64", webhooks, with(webhooks, replace("Webhook-Signature", "v1,", "v1,\n")), "{}", "not base64"},
		{"ed25519 by a shared secret", webhooks, with(webhooks, replace("Webhook-Signature", "v1,", "v1a,")), "{}", "matches none"},
	} {
		_, err := test.h.Verify(test.r, []byte(test.body), at)
		if !errors.Is(err, signature.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", test.name, err)
			continue
		}
		assert.Contains(t, err.Error(), test.want, test.name)
	}
}

// In every library measured the boundary between id and timestamp can be moved.
func TestShiftedBoundaryIsRefused(t *testing.T) {
	t.Parallel()
	h := signature.StandardWebhooks(signature.StaticKey(webhookSecret))
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(webhookSecret, "whsec_"))
	sum := "v1," + base64.StdEncoding.EncodeToString(rawHMAC(string(key), "a.1700000000.1700000001.{}"))
	for _, headers := range [][]string{{"a", "1700000000"}, {"a.1700000000", "1700000001"}} {
		body := "{}"
		if headers[0] == "a" {
			body = "1700000001.{}"
		}
		r := post(body, "Webhook-Id", headers[0], "Webhook-Timestamp", headers[1], "Webhook-Signature", sum)
		_, err := h.Verify(r, []byte(body), at)
		assert.Equal(t, err == nil, headers[0] == "a", headers)
	}
}

func TestToleranceHoldsBothWays(t *testing.T) {
	t.Parallel()
	h := signature.Slack(signature.StaticKey("a secret for tests"))
	r := post("{}")
	assert.NoError(t, h.Sign(r, at))
	for _, test := range []struct {
		tolerance, off time.Duration
		ok             bool
	}{
		{0, 5 * time.Minute, true},
		{0, 5*time.Minute + 1, false},
		{0, -5 * time.Minute, true},
		{0, -5*time.Minute - 1, false},
		{0, 50 * 365 * 24 * time.Hour, false},
		{0, -50 * 365 * 24 * time.Hour, false},
		{time.Second, time.Second, true},
		{time.Second, 2 * time.Second, false},
	} {
		h.Tolerance = test.tolerance
		_, err := h.Verify(r, []byte("{}"), at.Add(test.off))
		if test.ok {
			assert.NoError(t, err, test.off)
			continue
		}
		assert.ErrorIs(t, err, signature.ErrExpired, test.off)
		assert.Contains(t, err.Error(), "signed at 2023-11-14T22:13:20Z, which is not within")
	}
	// Nor is a message without its body one that has it.
	_, err := h.Verify(r, nil, at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	// A message that is not signed is not called old.
	_, err = h.Verify(r, []byte("[]"), at.Add(time.Hour))
	assert.ErrorIs(t, err, signature.ErrSignature)
}

// The index tells when a rotation is done, so the first of two alike counts.
func TestFirstMatchingKeyIsReported(t *testing.T) {
	t.Parallel()
	h := signature.GitHub(signature.StaticKey("a"), signature.StaticKey("b"), signature.StaticKey("b"))
	v, err := h.Verify(post("{}", "X-Hub-Signature-256", "sha256="+hexHMAC("b", "{}")), []byte("{}"), at)
	assert.NoError(t, err)
	assert.Equal(t, v.Key, 1)

	// v1a is Standard Webhooks' word only.
	_, err = h.Verify(post("{}", "X-Hub-Signature-256", "v1a,AAAA"), []byte("{}"), at)
	assert.Contains(t, err.Error(), "no signature of the form")
	h.Value = "v1a,{signature}"
	_, err = h.Verify(post("{}", "X-Hub-Signature-256", "v1a,"+hexHMAC("b", "{}")), []byte("{}"), at)
	assert.NoError(t, err)
}

func TestBadKeyIsAnErrorAndNeverAKey(t *testing.T) {
	t.Parallel()
	sick := errors.New("vault is sealed")
	forged := post("{}", "X-Hub-Signature-256", "sha256="+hexHMAC("", "{}"))
	good := signature.StaticKey("")
	for _, test := range []struct {
		keys []signature.Key
		want string
	}{
		{nil, "no key"},
		{[]signature.Key{nil}, "is nil"},
		{[]signature.Key{signature.StaticKey("")}, "is empty"},
		{[]signature.Key{func(context.Context) ([]byte, error) { return nil, nil }}, "is empty"},
		{[]signature.Key{func(context.Context) ([]byte, error) { return nil, sick }}, "vault is sealed"},
		{[]signature.Key{signature.StaticKey("x"), good}, "Keys[1] is empty"},
	} {
		_, err := signature.GitHub(test.keys...).Verify(forged, []byte("{}"), at)
		if err == nil || errors.Is(err, signature.ErrSignature) {
			t.Fatalf("got %v, want an error that does not blame the message", err)
		}
		assert.Contains(t, err.Error(), test.want)
		if len(test.keys) < 2 {
			err = signature.GitHub(test.keys...).Sign(post("{}"), at)
			assert.Contains(t, fmt.Sprint(err), test.want)
		}
	}
	for _, secret := range []string{"whsec_", "whpk_", "whsk_", "plain text!", "whpk_AAAA", "whsk_AAAA", "whxx_AAAA", "whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 64))} {
		err := signature.StandardWebhooks(signature.StaticKey(secret)).Sign(post("{}"), at)
		assert.True(t, err != nil, secret)
		assert.NotContains(t, err.Error(), "plain text!")
		_, err = signature.StandardWebhooks(signature.StaticKey(secret)).Verify(
			post("{}", "Webhook-Id", "a", "Webhook-Timestamp", "1700000000", "Webhook-Signature", "v1a,AAAA"), []byte("{}"), at)
		assert.True(t, err != nil && !errors.Is(err, signature.ErrSignature), secret)
	}
}

func TestStandardWebhooksEd25519(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	signer := signature.StandardWebhooks(signature.StaticKey("whsk_" + base64.StdEncoding.EncodeToString(private)))
	public := signature.StaticKey("whpk_" + base64.StdEncoding.EncodeToString(private[32:]))
	r := post("{}")
	assert.NoError(t, signer.Sign(r, at))
	value := r.Header.Get("Webhook-Signature")
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "v1a,"))
	assert.NoError(t, err)
	text := r.Header.Get("Webhook-Id") + ".1700000000.{}"
	assert.True(t, ed25519.Verify(private.Public().(ed25519.PublicKey), []byte(text), sum))

	v, err := signature.StandardWebhooks(signature.StaticKey(webhookSecret), public).Verify(r, []byte("{}"), at)
	assert.NoError(t, err)
	assert.Equal(t, v.Key, 1)
	assert.Equal(t, v.ID, r.Header.Get("Webhook-Id"))

	// What it has signed counts as v1a only.
	r.Header.Set("Webhook-Signature", strings.Replace(value, "v1a,", "v1,", 1))
	_, err = signature.StandardWebhooks(public).Verify(r, []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)

	// The public key is no shared secret: v1 entries are not tried with it.
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(rawHMAC(string(private[32:]), text)))
	_, err = signature.StandardWebhooks(public).Verify(r, []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	err = signature.StandardWebhooks(public).Sign(post("{}"), at)
	assert.Contains(t, err.Error(), "verify only")
}

func TestSignedRequestCoversWhatTheServerActsOn(t *testing.T) {
	t.Parallel()
	h := signature.SignedRequest(signature.StaticKey("a secret for tests"))
	r := post("{}")
	assert.NoError(t, h.Sign(r, at))
	v, err := h.Verify(r, []byte("{}"), at)
	assert.NoError(t, err)
	assert.Equal(t, v.ID, r.Header.Get("X-Signature-Nonce"))
	r.Host = "API.acme.example" // which means the same
	_, err = h.Verify(r, []byte("{}"), at)
	assert.NoError(t, err)
	for name, change := range map[string]func(*http.Request){
		"method":    func(r *http.Request) { r.Method = http.MethodPut },
		"host":      func(r *http.Request) { r.Host = "api.evil.example" },
		"path":      func(r *http.Request) { r.URL.Path = "/v1/refunds" },
		"query":     func(r *http.Request) { r.URL.RawQuery = "page=3" },
		"timestamp": func(r *http.Request) { r.Header.Set("X-Signature-Timestamp", "1700000001") },
		"nonce":     func(r *http.Request) { r.Header.Set("X-Signature-Nonce", "another") },
	} {
		other := r.Clone(context.Background())
		change(other)
		_, err := h.Verify(other, []byte("{}"), at)
		assert.ErrorIs(t, err, signature.ErrSignature, name)
	}
	_, err = h.Verify(r, []byte("[]"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	again := post("{}")
	assert.NoError(t, h.Sign(again, at))
	assert.True(t, again.Header.Get("X-Signature-Nonce") != v.ID, "each attempt has a nonce of its own")
}

func TestEachHashAndEncoding(t *testing.T) {
	t.Parallel()
	for _, hash := range []crypto.Hash{0, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, encoding := range []signature.Encoding{signature.Hex, signature.Base64} {
			h := signature.SignedRequest(signature.StaticKey("a secret for tests"))
			h.Hash, h.Encoding = hash, encoding
			r := post("{}")
			assert.NoError(t, h.Sign(r, at))
			_, err := h.Verify(r, []byte("{}"), at)
			assert.NoError(t, err)
		}
	}
}

func TestDescriptionsAreChecked(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*signature.HMAC){
		"Hash is":                         func(h *signature.HMAC) { h.Hash = crypto.MD5 },
		"Encoding is":                     func(h *signature.HMAC) { h.Encoding = 7 },
		"negative":                        func(h *signature.HMAC) { h.Tolerance = -1 },
		"Content is empty":                func(h *signature.HMAC) { h.Content = "" },
		"{ without its }":                 func(h *signature.HMAC) { h.Content = "{timestamp" },
		"may have {timestamp}":            func(h *signature.HMAC) { h.Content = "{time}" },
		"not a header's name":             func(h *signature.HMAC) { h.Content = "{header:Content-Length}" },
		`Header "a b"`:                    func(h *signature.HMAC) { h.Header = "a b" },
		"no {signature}":                  func(h *signature.HMAC) { h.Value = "t={timestamp}" },
		"at its end":                      func(h *signature.HMAC) { h.Value = "{signature}!" },
		"no two have":                     func(h *signature.HMAC) { h.Value, h.List = "v1={signature},v2={signature}", "," },
		"told apart":                      func(h *signature.HMAC) { h.Value, h.List = "{signature},t={timestamp}", "," },
		"must carry it":                   func(h *signature.HMAC) { h.TimestampHeader = "" },
		"Content does not sign it":        func(h *signature.HMAC) { h.Content = "{body}" },
		`TimestampHeader "Host" is not`:   func(h *signature.HMAC) { h.TimestampHeader = "Host" },
		"IDHeader or Value must carry it": func(h *signature.HMAC) { h.Content = "{id}.{timestamp}.{body}" },
	} {
		h := signature.Slack(signature.StaticKey("a secret for tests"))
		assert.NoError(t, h.Check())
		change(&h)
		err := h.Check()
		if err == nil {
			t.Errorf("want an error with %q", want)
			continue
		}
		assert.Contains(t, err.Error(), want)
		assert.True(t, strings.HasPrefix(err.Error(), "signature: "))
		assert.Equal(t, h.Sign(post("{}"), at).Error(), err.Error())
		_, verr := h.Verify(post("{}"), nil, at)
		assert.Equal(t, verr.Error(), err.Error())
	}
}

// Two messages could share the signature, which no message can help: a vendor
// who signs so can be called, but not trusted.
func TestContentOfManyReadingsIsRefused(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"{timestamp}{body}":         "nothing between {timestamp}",
		"{body}.{timestamp}":        "before other values",
		"{path}{query}:{timestamp}": "nothing between {path}",
	} {
		h := signature.Slack(signature.StaticKey("a secret for tests"))
		h.Content = content
		assert.NoError(t, h.Check())
		assert.NoError(t, h.Sign(post("{}"), at))
		_, err := h.Verify(post("{}"), []byte("{}"), at) // which has no signature either
		assert.Contains(t, fmt.Sprint(err), "signature: HMAC.Content has ")
		assert.Contains(t, fmt.Sprint(err), want)
		assert.True(t, !errors.Is(err, signature.ErrSignature), err)
	}
}

// What Verify refuses because another message could share the signature.
func TestAmbiguousMessageIsRefused(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"{timestamp}0{body}":              `contains "0"`,
		"{path}/{timestamp}.{body}":       `contains "/"`,
		"{header:X-A}:{timestamp}.{body}": `contains ":"`,
		"{timestamp}.{target}":            "does not sign",
	} {
		h := signature.Slack(signature.StaticKey("a secret for tests"))
		h.Content = content
		r := post("{}", "X-A", "b:c")
		assert.NoError(t, h.Sign(r, at))
		_, err := h.Verify(r, []byte("{}"), at)
		assert.ErrorIs(t, err, signature.ErrSignature)
		assert.Contains(t, err.Error(), want)
	}
}

func TestBodyIsReadThroughGetBody(t *testing.T) {
	t.Parallel()
	h := signature.GitHub(signature.StaticKey(githubSecret))
	r := post(githubBody)
	assert.NoError(t, h.Sign(r, at))
	left, err := io.ReadAll(r.Body)
	assert.NoError(t, err)
	assert.Equal(t, string(left), githubBody)

	r.GetBody = nil
	assert.Contains(t, h.Sign(r, at).Error(), "set its GetBody")
	r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	assert.Contains(t, h.Sign(r, at).Error(), "gone")

	r = &http.Request{URL: r.URL}
	assert.NoError(t, h.Sign(r, at))
	assert.Equal(t, r.Header.Get("X-Hub-Signature-256"), "sha256="+hexHMAC(githubSecret, ""))
}

func TestIDOfTheRequestIsKept(t *testing.T) {
	t.Parallel()
	h := signature.StandardWebhooks(signature.StaticKey(webhookSecret))
	r := post("{}", "Webhook-Id", "msg_1")
	assert.NoError(t, h.Sign(r, at))
	assert.Equal(t, r.Header.Get("Webhook-Id"), "msg_1")
	for _, ids := range [][]string{{"a.b"}, {""}, {"a", "b"}} {
		r.Header["Webhook-Id"] = ids
		assert.True(t, h.Sign(r, at) != nil, ids)
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	h := signature.StandardWebhooks(signature.StaticKey("hush_not_base64"))
	wrapped := struct{ inner signature.HMAC }{h}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		assert.NotContains(t, fmt.Sprintf(verb, h), "hush")
		assert.NotContains(t, fmt.Sprintf(verb, wrapped), "hush")
	}
	_, err := h.Verify(post("{}"), []byte("{}"), at)
	assert.NotContains(t, err.Error(), "hush")
}

// The key comes anew each time, with the request's own context.
func TestKeyIsAskedAtEachUse(t *testing.T) {
	t.Parallel()
	type tenant struct{}
	h := signature.GitHub(func(ctx context.Context) ([]byte, error) { return []byte(ctx.Value(tenant{}).(string)), nil })
	for _, name := range []string{"a", "b"} {
		r := post("{}").WithContext(context.WithValue(context.Background(), tenant{}, name))
		assert.NoError(t, h.Sign(r, at))
		assert.Equal(t, r.Header.Get("X-Hub-Signature-256"), "sha256="+hexHMAC(name, "{}"))
	}
}

package webhook_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
	"github.com/aplomb-go/aplomb/webhook"
)

// Each scheme reads what it has signed, and the event is known by what the sender
// keeps from one delivery to the next.
func TestEachSchemeSignsVerifiesAndReads(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		s := k.verifying()
		assert.NoError(t, s.Check(), k.name)
		r := k.delivery(t, k.body, at)
		v, err := s.Verify(r, []byte(k.body), at)
		assert.NoError(t, err, k.name)
		assert.Equal(t, v.Secret, "secret 1", k.name)
		assert.Equal(t, v.Time.IsZero(), !k.timed, k.name)
		events, err := s.Read(webhook.Delivery{Request: r, Body: []byte(k.body), Verified: v})
		assert.NoError(t, err, k.name)
		assert.Equal(t, len(events), 1, k.name)
		assert.Equal(t, events[0].Key, k.key, k.name)
		assert.Equal(t, events[0].Type, k.typ, k.name)
	}
}

// Each is a way in which a verifier elsewhere lets a message pass, for every
// scheme: go-github and standard-webhooks took empty secrets, stripe-go times in
// the future, and nobody minds a second header.
func TestEverySchemeFailsClosed(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		good := k.verifying()
		_, err := good.Verify(k.delivery(t, k.body, at), []byte(k.body), at)
		assert.NoError(t, err, k.name)

		attack := func(name string, target error, change func(*http.Request)) {
			r := k.delivery(t, k.body, at)
			change(r)
			_, err := good.Verify(r, []byte(k.body), at)
			if !errors.Is(err, target) {
				t.Errorf("%s, %s: got %v, want %v", k.name, name, err, target)
			}
		}
		for _, header := range append([]string{k.signature}, k.once...) {
			attack(header+" missing", signature.ErrSignature, func(r *http.Request) { r.Header.Del(header) })
			attack(header+" empty", signature.ErrSignature, func(r *http.Request) { r.Header.Set(header, "") })
			attack(header+" twice", signature.ErrSignature, func(r *http.Request) { r.Header.Add(header, r.Header.Get(header)) })
			attack(header+" twice, the second another", signature.ErrSignature, func(r *http.Request) { r.Header.Add(header, "x") })
			attack(header+" long", signature.ErrSignature, func(r *http.Request) { r.Header.Set(header, strings.Repeat("1", 17<<10)) })
		}
		value := k.delivery(t, k.body, at).Header.Get(k.signature)
		for n := range len(value) {
			attack(fmt.Sprintf("signature cut to %d", n), signature.ErrSignature, func(r *http.Request) { r.Header.Set(k.signature, value[:n]) })
		}
		for _, body := range []string{"", k.body + " ", k.body[1:], strings.TrimRight(k.body, "\r\n}])"), strings.ToUpper(k.body)} {
			if body == k.body {
				continue
			}
			_, err := good.Verify(k.delivery(t, k.body, at), []byte(body), at)
			assert.ErrorIs(t, err, signature.ErrSignature, k.name, body)
		}
		_, err = k.make(webhook.Static(k.other)).Verify(k.delivery(t, k.body, at), []byte(k.body), at)
		assert.ErrorIs(t, err, signature.ErrSignature, k.name, "another secret")
		for off, ok := range map[time.Duration]bool{5 * time.Minute: true, -5 * time.Minute: true, 5*time.Minute + time.Second: false, -5*time.Minute - time.Second: false, 50 * 365 * 24 * time.Hour: false, -50 * 365 * 24 * time.Hour: false} {
			_, err := good.Verify(k.delivery(t, k.body, at), []byte(k.body), at.Add(off))
			if ok || !k.timed {
				assert.NoError(t, err, k.name, off)
			} else {
				assert.ErrorIs(t, err, signature.ErrExpired, k.name, off)
			}
		}
	}
}

// An empty secret is a mistake of this side, whoever gives it and when: it neither
// verifies nor blames the message.
func TestEmptySecretIsNoSecret(t *testing.T) {
	t.Parallel()
	none := func(context.Context) ([]byte, error) { return nil, nil }
	for _, k := range kinds() {
		r := k.delivery(t, k.body, at)
		for _, secrets := range [][]webhook.Secret{nil, {webhook.Static("")}, {{}}, {webhook.Static(k.secret + "\n")}, {{Key: none}}} {
			s := k.make(secrets...)
			v, err := s.Verify(r, []byte(k.body), at)
			if err == nil || v != (webhook.Verified{}) || errors.Is(err, signature.ErrSignature) {
				t.Errorf("%s: %v: got %v, %v", k.name, secrets, v, err)
			}
			assert.True(t, s.Sign(request(), nil, at) != nil, k.name)
			if len(secrets) == 0 || secrets[0].Key == nil {
				assert.Equal(t, fmt.Sprint(s.Check()), err.Error(), k.name)
			}
		}
		for _, empty := range []string{"whsec_", "whpk_", "whsk_"} {
			if strings.HasPrefix(k.secret, "whs") {
				_, err := k.make(webhook.Static(empty)).Verify(r, []byte(k.body), at)
				assert.True(t, err != nil && !errors.Is(err, signature.ErrSignature), k.name, empty)
			}
		}
	}
}

func TestAnyFlippedBitIsRefused(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		s := k.verifying()
		for i := range len(k.body) {
			body := []byte(k.body)
			body[i] ^= 1
			if _, err := s.Verify(k.delivery(t, k.body, at), body, at); !errors.Is(err, signature.ErrSignature) {
				t.Errorf("%s: byte %d: got %v", k.name, i, err)
			}
		}
	}
}

// In every library measured a dot in the id moves the boundary to the time.
func TestIDsAreChecked(t *testing.T) {
	t.Parallel()
	for _, s := range []webhook.Scheme{webhook.StandardWebhooks(webhook.Static(standardOne)), webhook.Svix(webhook.Static(standardOne))} {
		for _, id := range []string{"a.1700000000", "a b", "a\x00", "ä", strings.Repeat("a", 257)} {
			r := request("Webhook-Id", id, "Webhook-Timestamp", "1700000000", "Webhook-Signature", "v1,AAAA")
			_, err := s.Verify(r, []byte("{}"), at)
			assert.ErrorIs(t, err, signature.ErrSignature, id)
			assert.Contains(t, fmt.Sprint(err), "message id", id)
		}
	}
}

// The secrets' times are this side's business, and which one matched is told.
func TestRotation(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	secret := func(name, value string, from, to time.Time) webhook.Secret {
		return webhook.Secret{Name: name, NotBefore: from, NotAfter: to, Key: func(context.Context) ([]byte, error) {
			asked[name]++
			return []byte(value), nil
		}}
	}
	s := webhook.GitHub(
		secret("new", "n", at.Add(-time.Hour), time.Time{}),
		secret("old", "o", time.Time{}, at),
		secret("next", "x", at.Add(time.Hour), at.Add(2*time.Hour)))
	assert.NoError(t, s.Check())
	signedBy := func(value string) *http.Request {
		r := request()
		assert.NoError(t, webhook.GitHub(webhook.Static(value)).Sign(r, []byte("{}"), at))
		return r
	}
	for _, test := range []struct {
		value string
		at    time.Time
		want  string // "" is refused
	}{
		{"n", at, "new"}, {"o", at, "old"}, {"x", at, ""},
		{"o", at.Add(time.Nanosecond), ""}, {"n", at.Add(-time.Hour), "new"}, {"n", at.Add(-time.Hour - 1), ""},
		{"x", at.Add(time.Hour), "next"}, {"x", at.Add(2 * time.Hour), "next"}, {"x", at.Add(2*time.Hour + 1), ""},
	} {
		v, err := s.Verify(signedBy(test.value), []byte("{}"), test.at)
		assert.Equal(t, v.Secret, test.want, test)
		if test.want == "" {
			assert.ErrorIs(t, err, signature.ErrSignature, test)
		}
	}
	clear(asked)
	_, err := s.Verify(signedBy("n"), []byte("{}"), at)
	assert.NoError(t, err)
	assert.Equal(t, asked, map[string]int{"new": 1, "old": 1}) // all in their time, and no other

	// Of two that match the first is named.
	twice := webhook.GitHub(webhook.Secret{Name: "a", Key: signature.StaticKey("n")}, webhook.Secret{Name: "b", Key: signature.StaticKey("n")})
	v, err := twice.Verify(signedBy("n"), []byte("{}"), at)
	assert.NoError(t, err)
	assert.Equal(t, v.Secret, "a")

	// None in its time is no fault of the message.
	alone := webhook.GitHub(secret("old", "o", time.Time{}, at))
	_, err = alone.Verify(signedBy("o"), []byte("{}"), at.Add(time.Hour))
	assert.True(t, err != nil && !errors.Is(err, signature.ErrSignature) && !errors.Is(err, signature.ErrExpired), err)
	assert.Contains(t, err.Error(), "none of 1 secrets is in its time")
	assert.Contains(t, fmt.Sprint(alone.Sign(request(), nil, at.Add(time.Hour))), "in its time")

	for want, secrets := range map[string][]webhook.Secret{
		"ends before it begins":        {secret("a", "a", at, at.Add(-1))},
		`two secrets of the name "a"`:  {secret("a", "a", at, at), secret("a", "b", at, at)},
		"the Key of secret 2 is nil":   {webhook.Static("a"), {Name: "b"}},
		"secret 1 is empty":            {webhook.Static("")},
		"begins or ends with white sp": {webhook.Static(" a")},
	} {
		assert.Contains(t, fmt.Sprint(webhook.GitHub(secrets...).Check()), want)
	}
}

// A secret that is sick is no reason to refuse what another has signed: it is told.
func TestSickSecretMattersIfNoOtherMatches(t *testing.T) {
	t.Parallel()
	sick := errors.New("vault is sealed")
	bad := webhook.Secret{Name: "new", Key: func(context.Context) ([]byte, error) { return nil, sick }}
	for _, k := range kinds() {
		known := webhook.Static(k.secret)
		if k.known != "" {
			known = webhook.Static(k.known)
		}
		r := k.delivery(t, k.body, at)
		v, err := k.make(bad, known).Verify(r, []byte(k.body), at)
		assert.NoError(t, err, k.name)
		assert.Equal(t, v.Secret, "secret 2", k.name)
		assert.ErrorIs(t, v.Faulty, sick, k.name)
		_, err = k.make(bad, webhook.Static(k.other)).Verify(r, []byte(k.body), at)
		assert.ErrorIs(t, err, sick, k.name)
		assert.True(t, !errors.Is(err, signature.ErrSignature), k.name)
	}
}

// Signing leaves the caller's bytes alone, and keeps none of them.
func TestSignCopiesTheBody(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		body := []byte(k.body)
		r := request(k.header...)
		assert.NoError(t, k.make(webhook.Static(k.secret)).Sign(r, body, at))
		clear(body)
		got, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, string(got), k.body, k.name)
		assert.Equal(t, r.ContentLength, int64(len(k.body)))
	}
	bare := &http.Request{Method: http.MethodPost, URL: request().URL} // without headers
	assert.NoError(t, webhook.Shopify(webhook.Static("x")).Sign(bare, nil, at))
	assert.True(t, bare.Header.Get("X-Shopify-Webhook-Id") != "" && bare.Header.Get("X-Shopify-Hmac-Sha256") != "")
}

// What the schemes of this package's own parse, as strictly as signature does.
func TestHeadersAreReadInOneWay(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		s := k.verifying()
		value := k.delivery(t, k.body, at).Header.Get(k.signature)
		for _, other := range []string{value[:len(value)-9] + "\n" + value[len(value)-9:], value[:len(value)-9] + "\r" + value[len(value)-9:], value + "!", value + "=", value + "\x00"} {
			r := k.delivery(t, k.body, at)
			r.Header.Set(k.signature, other)
			_, err := s.Verify(r, []byte(k.body), at)
			assert.ErrorIs(t, err, signature.ErrSignature, k.name, other)
		}
		for _, header := range k.once {
			if strings.HasSuffix(header, "Id") {
				continue
			}
			for _, stamp := range []string{"01700000000", "+1700000000", "-1700000000", " 1700000000", "1700000000 ", "1700000000.0", "1.7e9", "0x6553f100", "1700000000000", "0", "x"} {
				// Signed as it is, so that nothing but its form is wrong.
				r := k.delivery(t, k.body, at)
				r.Header.Set(header, stamp)
				switch k.name {
				case "SendGrid":
					assert.NoError(t, signSendGrid(r, stamp, k.body))
				case "Slack":
					r.Header.Set(k.signature, "v0="+hexHMAC(k.secret, "v0:"+stamp+":"+k.body))
				case "Zoom":
					r.Header.Set(k.signature, "v0="+hexHMAC(k.secret, "v0:"+stamp+":"+k.body))
				}
				_, err := s.Verify(r, []byte(k.body), at)
				assert.ErrorIs(t, err, signature.ErrSignature, k.name, stamp)
			}
		}
	}
}

func hexHMAC(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func signSendGrid(r *http.Request, stamp, body string) error {
	der, err := base64.StdEncoding.DecodeString(sendgridSign)
	if err != nil {
		return err
	}
	private, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(stamp + body))
	sum, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	r.Header.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(sum))
	return err
}

func TestToleranceMayBeChanged(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		s := k.verifying()
		s.Tolerance = time.Hour
		r := k.delivery(t, k.body, at)
		_, err := s.Verify(r, []byte(k.body), at.Add(time.Hour))
		assert.NoError(t, err, k.name)
		_, err = s.Verify(r, []byte(k.body), at.Add(time.Hour+time.Second))
		assert.Equal(t, errors.Is(err, signature.ErrExpired), k.timed, k.name)
		s.Tolerance = -1
		_, err = s.Verify(r, []byte(k.body), at)
		assert.Contains(t, fmt.Sprint(err), "negative", k.name)
	}
	h := signature.Slack()
	h.Tolerance = time.Hour
	assert.Equal(t, webhook.HMAC(h, webhook.Fields{}, webhook.Static("x")).Tolerance, time.Hour)
}

func TestSchemesAreChecked(t *testing.T) {
	t.Parallel()
	key := webhook.Static("x")
	changed := webhook.GitHub(key)
	changed.Read = nil
	withKeys := signature.Slack(signature.StaticKey("x"))
	for want, s := range map[string]webhook.Scheme{
		"Scheme is empty":                {},
		"Read is nil":                    changed,
		"Square: the notification URL":   webhook.Square("shop.example/square", key),
		"Square: the notification URL i": webhook.Square("https://shop.example/{body}", key),
		"Twilio: the public URL":         webhook.Twilio("https://api.example/sms?x=1", key),
		"Twilio: the public URL is":      webhook.Twilio("", key),
		"Twilio: the public URL is no":   webhook.Twilio(":", key),
		"leave h.Keys out":               webhook.HMAC(withKeys, webhook.Fields{}, key),
		"HMAC.Content is empty":          webhook.HMAC(signature.HMAC{Header: "X"}, webhook.Fields{}, key),
		"Verifier is nil":                webhook.Verifier(nil, webhook.Fields{}),
		"a { without its }":              webhook.HMAC(signature.Slack(), webhook.Fields{Key: "{id"}, key),
		"Fields.Type has {hedder:X}":     webhook.HMAC(signature.Slack(), webhook.Fields{Type: "{hedder:X}"}, key),
		"Fields.Key has {body:id}":       webhook.HMAC(signature.Slack(), webhook.Fields{Key: "{body:id}"}, key),
		"Fields.Key has {header:a b}":    webhook.HMAC(signature.Slack(), webhook.Fields{Key: "{header:a b}"}, key),
	} {
		err := s.Check()
		assert.Contains(t, fmt.Sprint(err), want)
		assert.True(t, strings.HasPrefix(fmt.Sprint(err), "webhook: "), err)
		if s.Read != nil || want == "Scheme is empty" {
			_, verr := s.Verify(request(), nil, at)
			assert.Equal(t, fmt.Sprint(verr), fmt.Sprint(err))
		}
	}
}

// A verifier of somebody else's: RFC 9421 here.
func TestVerifierOfOnesOwn(t *testing.T) {
	t.Parallel()
	v := signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k-1", signature.StaticKey(plainSecret))}}
	s := webhook.Verifier(v, webhook.Fields{Type: "{body:/type}"})
	assert.NoError(t, s.Check())
	r := request()
	body := []byte(`{"type":"ping"}`)
	assert.NoError(t, s.Sign(r, body, at))
	got, err := s.Verify(r, body, at)
	assert.NoError(t, err)
	assert.Equal(t, got.Secret, "k-1")
	events, err := s.Read(webhook.Delivery{Request: r, Body: body, Verified: got})
	assert.NoError(t, err)
	assert.Equal(t, events[0].Type, "ping")
	assert.True(t, strings.HasPrefix(events[0].Key, "sha256:"))
	_, err = s.Verify(r, []byte("{}"), at)
	assert.ErrorIs(t, err, signature.ErrSignature)
	_, err = s.Verify(r, body, at.Add(24*time.Hour)) // which it minds itself
	assert.ErrorIs(t, err, signature.ErrExpired)
	assert.Contains(t, fmt.Sprint(webhook.Verifier(onlyVerifies{}, webhook.Fields{}).Sign(request(), nil, at)), "can verify only")
	named, err := webhook.Verifier(onlyVerifies{}, webhook.Fields{}).Verify(r, nil, at)
	assert.NoError(t, err)
	assert.Equal(t, named.Secret, "key 3")
	assert.Equal(t, named.Time, time.Unix(1, 0)) // which was not looked at
}

type onlyVerifies struct{}

func (onlyVerifies) Verify(*http.Request, []byte, time.Time) (signature.Verified, error) {
	return signature.Verified{Key: 2, Time: time.Unix(1, 0)}, nil
}

// A secret comes from wherever aplomb's do.
func TestSecretOfAplomb(t *testing.T) {
	t.Setenv("WEBHOOK_SECRET", plainSecret)
	s := webhook.GitHub(webhook.Secret{Key: aplomb.Reveal(aplomb.Env("WEBHOOK_SECRET"))})
	k := kinds()[1]
	_, err := s.Verify(k.delivery(t, k.body, at), []byte(k.body), at)
	assert.NoError(t, err)
	t.Setenv("WEBHOOK_SECRET", "")
	_, err = s.Verify(k.delivery(t, k.body, at), []byte(k.body), at)
	assert.Contains(t, fmt.Sprint(err), "WEBHOOK_SECRET is empty")
	assert.True(t, !errors.Is(err, signature.ErrSignature))
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		secret := webhook.Static(k.secret)
		secret.Name = "spring"
		s := k.make(secret)
		r := k.delivery(t, k.body, at)
		_, _ = s.Verify(r, []byte(k.body), at) // so that it keeps what it keeps
		h := &webhook.Handler{Source: "x", Scheme: s}
		hush := strings.TrimPrefix(strings.TrimPrefix(k.secret, "whsec_"), "whsk_")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			for _, v := range []any{secret, s, h, &s, struct{ inner webhook.Secret }{secret}, struct{ inner webhook.Scheme }{s}, []any{secret, s}} {
				assert.NotContains(t, fmt.Sprintf(verb, v), hush, k.name, verb)
				assert.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", hush), k.name, verb)
			}
		}
		_, err := k.make(webhook.Static(k.other)).Verify(r, []byte(k.body), at)
		assert.NotContains(t, fmt.Sprint(err), k.other)
	}
	assert.Equal(t, fmt.Sprintf("%v, %#v, %s", webhook.Static("x"), webhook.Secret{Name: "a"}, webhook.Secret{Name: "b"}.LogValue()), "secret, secret a, secret b")
	assert.Equal(t, fmt.Sprintf("%+v", webhook.GitHub(webhook.Static("x"))), "GitHub")
}

// Verify of a body of 1 KiB takes no memory, once it has run.
func TestVerifyDoesNotAllocate(t *testing.T) {
	body := `{"id":"` + strings.Repeat("x", 1024) + `"}`
	for _, k := range kinds() {
		if k.known != "" || k.name == "Twilio" { // ed25519 and ECDSA, and what builds a URL
			continue
		}
		s := k.make(webhook.Static(k.secret), webhook.Static(k.other))
		r := k.delivery(t, body, at)
		raw := []byte(body)
		verify := func() {
			if _, err := s.Verify(r, raw, at); err != nil {
				t.Fatal(k.name, err)
			}
		}
		verify()
		if got := testing.AllocsPerRun(100, verify); got > 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", k.name, got)
		}
	}
}

var _ inbox.Sink = (*fakeSink)(nil)

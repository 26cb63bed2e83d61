package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/paymentintent"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	aplombstripe "github.com/aplomb-go/aplomb/stripe"
)

// testKey is no key, but looks like one to the SDK.
const testKey = "sk_test_" + "123"

func stripeGo() peer {
	return peer{
		name: "stripe-go",
		open: openStripe, guide: guideStripe, home: "https://api.stripe.com", module: "github.com/stripe/stripe-go/v85",
		opts:   []aplomb.Option{aplombstripe.Preset()},
		answer: says(`{"id":"cus_1","object":"customer"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"error":{"type":"api_error","code":"code_%d","message":"not now","param":"email"}}`, status)
		},
		refused: 402, refusal: "402 code_402 not now email", unavailable: "503 code_503 not now email",
		typed: func(err error) string {
			e, ok := errors.AsType[*stripe.Error](err)
			if !ok {
				return ""
			}
			return fmt.Sprint(e.HTTPStatusCode, " ", e.Code, " ", e.Msg, " ", e.Param)
		},
		headers:  map[string]string{"Authorization": "Bearer " + testKey, "User-Agent": "Stripe/v1 GoBindings/85", "Stripe-Version": "2026-03-25.dahlia"},
		vary:     []string{"Idempotency-Key", "X-Stripe-Client-Telemetry"},
		attempts: 4, alone: 1, both: 4,
		lost: 2, // it gives each creation a key itself
	}
}

func stripeBackends(c doer, url string, own bool) *stripe.Backends {
	config := &stripe.BackendConfig{URL: &url, HTTPClient: c.HTTPClient(), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}}
	if !own {
		config.MaxNetworkRetries = stripe.Int64(0)
	}
	return stripe.NewBackendsWithConfig(config)
}

func openStripe(_ *testing.T, c doer, url string, own bool) calls {
	sc := stripe.NewClient(testKey, stripe.WithBackends(stripeBackends(c, url, own)))
	return calls{
		read: func(ctx context.Context) error {
			_, err := sc.V1Customers.Retrieve(ctx, "cus_1", nil)
			return err
		},
		create: func(ctx context.Context) error {
			_, err := sc.V1Customers.Create(ctx, &stripe.CustomerCreateParams{Email: stripe.String("ada@example.com")})
			return err
		},
		keyed: func(ctx context.Context, key string) error {
			params := &stripe.CustomerCreateParams{Email: stripe.String("ada@example.com")}
			params.SetIdempotencyKey(key)
			_, err := sc.V1Customers.Create(ctx, params)
			return err
		},
	}
}

// TestStripeRetries is what stripe-go should send again and does not by itself.
// That one's own attempts (at most 3) are in the last column: it retries what
// is no error of Stripe's, such as a page of HTML with status 400, and no
// error of Stripe's but one.
func TestStripeRetries(t *testing.T) {
	t.Parallel()
	const (
		page    = "<h1>no</h1>"
		api     = `{"error":{"type":"api_error","message":"sorry"}}`
		rate    = `{"error":{"type":"invalid_request_error","code":"rate_limit","message":"slow down"}}`
		lock    = `{"error":{"type":"invalid_request_error","code":"lock_timeout","message":"locked"}}`
		inUse   = `{"error":{"type":"idempotency_error","code":"idempotency_key_in_use","message":"under way"}}`
		good    = `{"id":"pi_1","object":"payment_intent"}`
		again   = "Stripe-Should-Retry"
		seconds = "Retry-After"
	)
	tests := []struct {
		name, body  string
		status      int
		header      []string
		ours, alone int
	}{
		{"500", api, 500, nil, 4, 1},
		{"500, to be retried", api, 500, []string{again, "true"}, 4, 1},
		{"500, not to be retried", api, 500, []string{again, "false"}, 1, 1},
		{"503", api, 503, nil, 4, 1},
		{"409 of a lock", lock, 409, nil, 4, 1},
		{"409 of a key in use", inUse, 409, nil, 4, 1},
		{"429", rate, 429, nil, 4, 1},
		{"429, to be retried in a second", rate, 429, []string{again, "true", seconds, "1"}, 4, 1},
		{"429 of a lock", lock, 429, nil, 4, 3},
		{"429 of a lock, not to be retried", lock, 429, []string{again, "false"}, 1, 3},
		{"503 of HTML", page, 503, nil, 4, 3},
		{"400 of HTML", page, 400, nil, 1, 3},
		{"500 of HTML, not to be retried", page, 500, []string{again, "false"}, 1, 3},
		{"200, to be retried", good, 200, []string{again, "true"}, 1, 3},
	}
	p := stripeGo()
	for _, tt := range tests {
		stage(t, tt.name, &p, func(s *scene) {
			s.script.Always(answer(tt.status, tt.body, tt.header...))
			params := &stripe.PaymentIntentCaptureParams{}
			params.Context = s.t.Context()

			err := legacyCapture(s.aplomb(), s.srv.URL, false, params)
			assert.Equal(s.t, err == nil, tt.status == 200, err)
			sent := s.sent(tt.ours)
			assert.Equal(s.t, len(slices.Compact(keys(sent))), 1)
			assert.True(s.t, keys(sent)[0] != "")

			_ = legacyCapture(bare{s.srv.Client()}, s.srv.URL, true, params)
			s.sent(tt.alone)
		})
	}
}

// answer is one of any kind.
func answer(status int, body string, headerKV ...string) aplombtest.Fault {
	return aplombtest.Answer(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headerKV); i += 2 {
			w.Header().Set(headerKV[i], headerKV[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// legacyCapture is a call in the style of older programs. By way of an
// interface, for linters know that the method is deprecated.
func legacyCapture(c doer, url string, own bool, params *stripe.PaymentIntentCaptureParams) error {
	type capturer interface {
		Capture(id string, params *stripe.PaymentIntentCaptureParams) (*stripe.PaymentIntent, error)
	}
	intents := capturer(paymentintent.Client{B: stripeBackends(c, url, own).API, Key: testKey})
	_, err := intents.Capture("pi_1", params)
	return err
}

// TestStripeNilParams: a legacy call without parameters has no key of
// stripe-go's, on any of its attempts. Here it has one.
func TestStripeNilParams(t *testing.T) {
	t.Parallel()
	p := stripeGo()
	capture := func(s *scene, c doer, own bool) []string {
		s.script.Then(answer(503, "<h1>no</h1>"), answer(503, "<h1>no</h1>"))
		assert.NoError(s.t, legacyCapture(c, s.srv.URL, own, nil))
		return keys(s.sent(3))
	}
	stage(t, "one key", &p, func(s *scene) {
		c := s.aplomb()
		first, second := capture(s, c, false), capture(s, c, false)
		assert.Equal(s.t, len(slices.Compact(first)), 1)
		assert.Equal(s.t, len(slices.Compact(second)), 1)
		assert.True(s.t, first[0] != "" && second[0] != "" && first[0] != second[0])
	})
	stage(t, "stripe-go alone has none", &p, func(s *scene) {
		assert.Equal(s.t, capture(s, bare{s.srv.Client()}, true), []string{"", "", ""})
	})
	stage(t, "without the preset it is not sent again", &p, func(s *scene) {
		s.script.Then(aplombtest.LostResponse())
		c, err := aplomb.New(s.srv.URL, aplomb.Transport(s.srv.Transport()))
		assert.NoError(s.t, err)
		assert.True(s.t, legacyCapture(c, s.srv.URL, false, nil) != nil)
		s.sent(1)
	})
}

// TestStripeDeadline: stripe-go sleeps through its caller's deadline, this
// client does not begin to.
func TestStripeDeadline(t *testing.T) {
	t.Parallel()
	p := stripeGo()
	call := func(s *scene, c doer, own bool) time.Duration {
		s.script.Always(answer(503, "<h1>no</h1>"))
		ctx, cancel := context.WithTimeout(s.t.Context(), 100*time.Millisecond)
		defer cancel()
		params := &stripe.PaymentIntentCaptureParams{}
		params.Context = ctx
		waited, err := took(func() error { return legacyCapture(c, s.srv.URL, own, params) })
		assert.True(s.t, err != nil)
		return waited
	}
	stage(t, "with aplomb", &p, func(s *scene) {
		waited := call(s, s.aplomb(aplomb.Retry{MinBackoff: time.Hour, MaxBackoff: time.Hour}), false)
		assert.True(s.t, waited <= 100*time.Millisecond, waited)
	})
	stage(t, "stripe-go alone", &p, func(s *scene) {
		waited := call(s, bare{s.srv.Client()}, true)
		assert.True(s.t, waited >= 500*time.Millisecond, waited)
	})
}

// TestStripePaysOnce: a lost answer costs no second charge, whoever made the key.
func TestStripePaysOnce(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewStripe()
	p := stripeGo()
	p.answer = api.ServeHTTP
	stage(t, "a confirmed intent", &p, func(s *scene) {
		sc := stripe.NewClient(testKey, stripe.WithBackends(stripeBackends(s.aplomb(), s.srv.URL, false)))
		s.script.Then(aplombtest.LostResponse())
		intent, err := sc.V1PaymentIntents.Create(s.t.Context(), &stripe.PaymentIntentCreateParams{
			Amount: stripe.Int64(2500), Currency: stripe.String("usd"),
			PaymentMethod: stripe.String("pm_card_visa"), Confirm: new(true),
		})
		assert.NoError(s.t, err)
		assert.Equal(s.t, intent.Status, stripe.PaymentIntentStatusSucceeded)
		assert.Equal(s.t, api.Effects().Charges, 1)
		s.sent(2)
	})
}

func guideStripe(ctx context.Context, c *aplomb.Client, key string) error {
	// github.com/stripe/stripe-go/v85
	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		HTTPClient:        c.HTTPClient(),
		MaxNetworkRetries: stripe.Int64(0),
	})
	sc := stripe.NewClient(key, stripe.WithBackends(backends))

	_, err := sc.V1Customers.Retrieve(ctx, "cus_1", nil)
	return err
}

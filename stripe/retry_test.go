package stripe_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

func jsonError(kind, code string) string {
	return `{"error":{"type":"` + kind + `","code":"` + code + `","message":"m"}}`
}

// TestRetryMatrix is the table of facts/stripe.md, section 5, "we should": a
// POST against a server that always answers so.
func TestRetryMatrix(t *testing.T) {
	t.Parallel()
	const html = "<html><h1>oops</h1></html>"
	tests := []struct {
		name     string
		status   int
		body     string
		header   []string
		attempts int
	}{
		{"500 api_error", 500, jsonError("api_error", ""), nil, 3},
		{"500 and should retry", 500, jsonError("api_error", ""), []string{"Stripe-Should-Retry", "true"}, 3},
		{"500 and should not", 500, jsonError("api_error", ""), []string{"Stripe-Should-Retry", "false"}, 1},
		{"503 JSON", 503, jsonError("api_error", ""), nil, 3},
		{"409 lock_timeout", 409, jsonError("invalid_request_error", "lock_timeout"), nil, 3},
		{"409 idempotency_key_in_use", 409, jsonError("idempotency_error", "idempotency_key_in_use"), nil, 3},
		{"409 key in use, should not", 409, jsonError("idempotency_error", "idempotency_key_in_use"), []string{"Stripe-Should-Retry", "false"}, 1},
		{"409 of another kind", 409, jsonError("invalid_request_error", "resource_already_exists"), nil, 1},
		{"429 rate_limit", 429, jsonError("rate_limit_error", "rate_limit"), nil, 3},
		{"429 rate_limit, should retry, Retry-After", 429, jsonError("rate_limit_error", "rate_limit"), []string{"Stripe-Should-Retry", "true", "Retry-After", "1"}, 3},
		{"429 lock_timeout", 429, jsonError("invalid_request_error", "lock_timeout"), nil, 3},
		{"429 lock_timeout, should not", 429, jsonError("invalid_request_error", "lock_timeout"), []string{"Stripe-Should-Retry", "false"}, 1},
		{"503 HTML", 503, html, nil, 3},
		{"400 HTML", 400, html, nil, 1},
		{"500 HTML and should not", 500, html, []string{"Stripe-Should-Retry", "false"}, 1},
		{"402 declined", 402, jsonError("card_error", "card_declined"), nil, 1},
		{"402 and should retry", 402, jsonError("card_error", "card_declined"), []string{"Stripe-Should-Retry", "true"}, 3},
		{"200 and should retry", 200, `{"id":"pi_1"}`, []string{"Stripe-Should-Retry", "true"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				kind := "application/json"
				if tt.body == html {
					kind = "text/html"
				}
				script := aplombtest.NewScript(answer(tt.status, kind, tt.body, tt.header...))
				sc := serve(t, script, aplomb.Retry{Attempts: 3})
				_, err := sc.PaymentIntents.Create(t.Context(), payment)
				assert.Equal(t, script.Requests(), tt.attempts)
				if e, ok := errors.AsType[*stripe.Error](err); ok {
					assert.Equal(t, e.Err.Attempts, tt.attempts)
				}
				assert.Equal(t, err == nil, tt.status == 200)
			})
		})
	}
}

// TestNoKeyNoRetry: Stripe's header never overrides law 1.
func TestLaw01_ShouldRetryNeedsAKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for code, attempts := range map[string]int{"idempotency_key_in_use": 1, "lock_timeout": 3} {
			script := aplombtest.NewScript(answer(409, "application/json", jsonError("x", code), "Stripe-Should-Retry", "true"))
			sc := serve(t, script, aplomb.Retry{Attempts: 3}, aplomb.Idempotency{Methods: []string{"PATCH"}})
			_, err := sc.PaymentIntents.Create(t.Context(), payment)
			assert.True(t, err != nil)
			assert.Equal(t, script.Requests(), attempts, code)
		}
	})
}

// TestOnlyARateSlowsOthers: one object's lock is no rate limit, nor is too much
// at a time.
func TestOnlyARateSlowsOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code, reason string
		want         time.Duration
	}{
		{"lock_timeout", "", 0},
		{"rate_limit", "", time.Minute / 2},
		{"rate_limit", "global-rate", time.Minute / 2},
		{"rate_limit", "endpoint-rate", time.Minute / 2},
		{"rate_limit", "global-concurrency", 0},
		{"rate_limit", "endpoint-concurrency", 0},
		{"rate_limit", "resource-specific", 0},
	} {
		t.Run(tt.code+" "+tt.reason, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				header := []string{"Retry-After", "30"}
				if tt.reason != "" {
					header = append(header, "Stripe-Rate-Limited-Reason", tt.reason)
				}
				refusal := aplombtest.Answer(answer(429, "application/json", jsonError("x", tt.code), header...).ServeHTTP)
				fake := aplombtest.NewStripe()
				sc := serve(t, aplombtest.NewScript(fake, refusal, aplombtest.Pass(), refusal))
				_, err := sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{}, aplomb.NoRetry())
				assert.ErrorIs(t, err, stripe.ErrRateLimited)
				start := time.Now()
				_, err = sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{})
				assert.NoError(t, err)
				waited := time.Since(start)
				assert.True(t, waited >= tt.want && waited <= tt.want+time.Second, waited) // a reopening is spread

				start = time.Now() // the refused call itself waits as it is told, with jitter
				_, err = sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{})
				assert.NoError(t, err)
				waited = time.Since(start)
				assert.True(t, waited >= 30*time.Second && waited < 40*time.Second, waited)
			})
		})
	}
}

// TestPresetUnderAnSDK: the net/http door keeps the last answer whole.
func TestPresetUnderAnSDK(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := jsonError("idempotency_error", "idempotency_key_in_use")
		script := aplombtest.NewScript(answer(409, "application/json", body))
		srv := aplombtest.NewServer(t, script)
		api, err := aplomb.New(srv.URL, stripe.Preset(), aplomb.Transport(srv.Transport()), aplomb.Retry{Attempts: 2})
		assert.NoError(t, err)
		defer api.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/v1/charges", nil)
		assert.NoError(t, err)
		resp, err := api.HTTPClient().Do(req)
		assert.NoError(t, err)
		defer resp.Body.Close()
		got := make([]byte, 200)
		n, _ := resp.Body.Read(got)
		assert.Equal(t, string(got[:n]), body)
		assert.Equal(t, script.Requests(), 2)
	})
}

// TestLaw03_DeadlineEndsABackoff: the last row of the table. A call with 100 ms
// comes back by then with Stripe's own answer, not after a backoff.
func TestLaw03_DeadlineEndsABackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := aplombtest.NewScript(answer(503, "application/json", jsonError("api_error", "")))
		sc := serve(t, script, aplomb.Retry{MinBackoff: 1000 * time.Hour, MaxBackoff: 1000 * time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := sc.PaymentIntents.Create(ctx, payment)
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.True(t, time.Since(start) <= 100*time.Millisecond, time.Since(start))
		assert.Equal(t, script.Requests(), 1)
	})
}

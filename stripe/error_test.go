package stripe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

func TestDecline(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	p := payment
	p.PaymentMethod = "pm_card_chargeDeclinedInsufficientFunds"
	_, err := sc.PaymentIntents.Create(t.Context(), p)
	assert.ErrorIs(t, err, stripe.ErrCardDeclined)
	e, ok := errors.AsType[*stripe.Error](err)
	assert.True(t, ok)
	api, ok := errors.AsType[*aplomb.APIError](err)
	assert.True(t, ok && e.Err == api)
	assert.Equal(t, []string{e.Type, e.Code, e.DeclineCode, e.RequestID, e.PaymentIntent},
		[]string{"card_error", "card_declined", "insufficient_funds", "req_1", "pi_1"})
	assert.Equal(t, e.StatusCode, 402)
	assert.Equal(t, aplomb.StatusCode(err), 402)
	assert.Equal(t, e.Message, "Your card has insufficient funds.")
	assert.True(t, e.Charge != "" && e.DocURL != "")
	assert.Equal(t, timeless(err.Error()), `stripe: POST /v1/payment_intents: 402 card_declined "Your card has insufficient funds." `+
		`(request req_1, 1 attempt, T). Hint: the bank says insufficient_funds; see https://stripe.com/docs/error-codes/card-declined`)
	assert.Equal(t, len(fake.Received()), 1, "a decline is sent once")
	assert.Contains(t, string(api.Body), "client_secret")
	noneShows(t, err, "_secret_")
}

var took = regexp.MustCompile(`(attempts?|not sent), [^)]*\)`)

// timeless replaces the time an error took.
func timeless(line string) string { return took.ReplaceAllString(line, "$1, T)") }

func TestSentinels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		is     error
	}{
		{402, `{"error":{"type":"card_error","param":["a"],"source":7,"charge":{"id":5}}}`, stripe.ErrCardDeclined},
		{400, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"customer"}}`, stripe.ErrNotFound},
		{404, `{"error":{"type":"invalid_request_error"}}`, stripe.ErrNotFound},
		{401, `{"error":{"type":"invalid_request_error"}}`, stripe.ErrAuthentication},
		{403, `{}`, stripe.ErrAuthentication},
		{402, `{"error":{"type":"card_error","code":"expired_card"}}`, stripe.ErrCardDeclined},
		{400, `{"error":{"type":"idempotency_error"}}`, stripe.ErrIdempotency},
		{409, `{"error":{"type":"invalid_request_error","code":"idempotency_key_in_use"}}`, stripe.ErrIdempotency},
		{400, `{"error":{"type":"invalid_request_error","param":"amount"}}`, stripe.ErrInvalidRequest},
		{400, `{"error":{"type":"api_error"}}`, nil},
		{429, `{"error":{"type":"rate_limit_error","code":"rate_limit"}}`, stripe.ErrRateLimited},
	}
	all := []error{stripe.ErrInvalidRequest, stripe.ErrNotFound, stripe.ErrAuthentication, stripe.ErrCardDeclined, stripe.ErrIdempotency, stripe.ErrRateLimited}
	for _, tt := range tests {
		sc := serve(t, answer(tt.status, "application/json", tt.body), aplomb.NoRetry())
		_, err := sc.Customers.Retrieve(t.Context(), "cus_1")
		for _, sentinel := range all {
			assert.Equal(t, errors.Is(err, sentinel), errors.Is(sentinel, tt.is), tt.status, tt.body, sentinel)
		}
	}
}

// TestKeyAdvice: where the idempotency key is why a call failed, the line says
// what to do that charges nobody twice.
func TestKeyAdvice(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewStripe()
	sc := serve(t, fake)
	declined := payment
	declined.PaymentMethod = "pm_card_chargeDeclined"
	for _, hint := range []string{"see https://stripe.com/docs/", "for another card, confirm pi_1"} { // the decline, and its replay
		_, err := sc.PaymentIntents.Create(t.Context(), declined, aplomb.IdempotencyKey("order-7"))
		assert.ErrorIs(t, err, stripe.ErrCardDeclined)
		assert.Contains(t, err.Error(), hint)
	}
	_, err := sc.PaymentIntents.Create(t.Context(), payment, aplomb.IdempotencyKey("order-7"))
	assert.ErrorIs(t, err, stripe.ErrIdempotency)
	assert.Contains(t, err.Error(), "look up what that call did before you use another key")
	paid, err := sc.PaymentIntents.Confirm(t.Context(), "pi_1", stripe.PaymentIntentConfirmParams{PaymentMethod: "pm_card_visa"}, aplomb.IdempotencyKey("order-7/2"))
	assert.NoError(t, err)
	assert.Equal(t, paid.Status, "succeeded")
	assert.Equal(t, fake.Effects().Charges, 1)

	sc = serve(t, answer(409, "application/json", jsonError("idempotency_error", "idempotency_key_in_use")), aplomb.NoRetry())
	_, err = sc.PaymentIntents.Create(t.Context(), payment)
	assert.Contains(t, err.Error(), "repeat it with the same key")
}

func TestOddErrorBodies(t *testing.T) {
	t.Parallel()
	tests := []struct{ kind, body, code, want string }{
		{"text/html", "<html><h1>Bad gateway</h1></html>", "", `400 "Bad gateway"`},
		{"application/json", `{"error":"invalid_grant","error_description":"Authorization code expired"}`, "invalid_grant", `400 invalid_grant "Authorization code expired"`},
		{"application/json", `{"error":null}`, "", "400 Bad Request"},
		{"application/json", `{"error":[1]}`, "", "400 Bad Request"},
		{"application/json", `[]`, "", "400 Bad Request"},
		{"application/json", `{"error":{"message":"no","param":"a\nb` + "`" + `","doc_url":"https://evil.example/"}}`, "", `400 "no"`},
		{"application/json", `{"error":{"message":"Missing required param: amount.","param":"metadata[a-b]","payment_intent":"pi_9"}}`, "", `Hint: look at the parameter metadata[a-b]`},
		{"", "", "", "400 Bad Request"},
	}
	for _, tt := range tests {
		sc := serve(t, answer(400, tt.kind, tt.body, "Request-Id", "req_9"))
		_, err := sc.Customers.Retrieve(t.Context(), "cus_1")
		e, ok := errors.AsType[*stripe.Error](err)
		assert.True(t, ok, tt.body)
		assert.Equal(t, e.Code, tt.code)
		assert.Equal(t, e.RequestID, "req_9")
		assert.Contains(t, err.Error(), tt.want)
		assert.NotContains(t, err.Error(), "\n")
		assert.NotContains(t, err.Error(), "evil")
	}
}

// TestLaw05_NoSecretInAnyForm: a server that echoes what it should not.
func TestLaw05_NoSecretInAnyForm(t *testing.T) {
	t.Parallel()
	const card = "4242424242424242"
	body := `{"error":{"type":"invalid_request_error","code":"x","message":"Invalid API Key provided: ` + testKey + ` for card ` + card +
		` and pi_1abcdefgh_secret_xyz","payment_intent":{"id":"pi_1","client_secret":"pi_1abcdefgh_secret_xyz"}}}`
	sc := serve(t, answer(401, "application/json", body, "Request-Id", "req_1"))
	_, err := sc.PaymentIntents.Create(t.Context(), stripe.PaymentIntentCreateParams{Amount: 1, Currency: "usd", Extra: map[string][]string{
		"payment_method_data[card][number]": {card},
	}})
	assert.ErrorIs(t, err, stripe.ErrAuthentication)
	noneShows(t, err, testKey, card, "_secret_xyz")
	e, _ := errors.AsType[*stripe.Error](err)
	noneShows(t, e.Message, testKey, card, "_secret_xyz")

	// A key of an unknown shape, in every member that an error prints.
	const odd = "opaque_key_of_no_known_shape"
	for _, body := range []string{
		`{"error":{"type":"ODD","code":"ODD","decline_code":"ODD","param":"ODD","message":"ODD","doc_url":"https://stripe.com/docs/ODD"}}`,
		`{"error":{"type":"ODD","code":"x","decline_code":"ODD","param":"ODD","doc_url":"https://stripe.com/docs/ODD"}}`,
		`{"error":"ODD","error_description":"ODD"}`,
	} {
		sc, err := stripe.NewAt("https://api.test", aplomb.Static(odd), aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			answer(400, "application/json", strings.ReplaceAll(body, "ODD", odd)).ServeHTTP(w, r)
			return w.Result(), nil
		})))
		assert.NoError(t, err)
		_, err = sc.Customers.Retrieve(t.Context(), "cus_1")
		noneShows(t, err, odd)
		e, ok := errors.AsType[*stripe.Error](err)
		assert.True(t, ok)
		noneShows(t, errors.New(e.Message), odd)
	}
}

func TestLaw05_PaymentIntentHidesItsClientSecret(t *testing.T) {
	t.Parallel()
	sc := serve(t, aplombtest.NewStripe())
	made, err := sc.PaymentIntents.Create(t.Context(), payment)
	assert.NoError(t, err)
	secret := made.ClientSecret.Reveal()
	assert.Contains(t, secret, "_secret_")
	assert.Contains(t, string(made.Raw.JSON()), secret)
	noneShows(t, made, secret)
	noneShows(t, *made, secret)
	assert.Equal(t, fmt.Sprint(made), "payment intent pi_1 25.00 USD succeeded")
	for _, verb := range []string{"%x", "%d"} { // hexadecimal or decimal bytes would be the secret too
		for _, encoded := range []string{fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
			assert.NotContains(t, fmt.Sprintf(verb, *made), encoded)
		}
	}
}

// noneShows prints v in every way and looks for the secrets.
func noneShows(t *testing.T, v any, secrets ...string) {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	raw, err := json.Marshal(v)
	assert.NoError(t, err)
	out.Write(raw)
	slog.New(slog.NewJSONHandler(&out, nil)).LogAttrs(context.Background(), slog.LevelInfo, "m", slog.Any("v", v))
	slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(context.Background(), slog.LevelInfo, "m", slog.Any("v", v))
	for _, secret := range secrets {
		assert.NotContains(t, out.String(), secret)
	}
}

func TestExpandedReferences(t *testing.T) {
	t.Parallel()
	sc := serve(t, answer(200, "application/json",
		`{"id":"ch_1","customer":{"id":"cus_9","email":"a@b.example"},"payment_intent":null,"created":1700000000,"amount":5,"currency":"jpy","status":"failed"}`))
	charge, err := sc.Charges.Retrieve(t.Context(), "ch_1", stripe.Expand("customer"))
	assert.NoError(t, err)
	assert.Equal(t, []string{charge.Customer.ID, charge.Customer.Object.Email, charge.PaymentIntent.ID, charge.String()}, []string{"cus_9", "a@b.example", "", "charge ch_1 5 JPY failed"})
	assert.Equal(t, charge.Created, time.Unix(1700000000, 0).UTC())
}

func TestBodiesThatAreNoObject(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`null`, `{"id":5}`, `<html>`, ``, `{"id":"cus_1"`} {
		sc := serve(t, answer(200, "application/json", body))
		customer, err := sc.Customers.Retrieve(t.Context(), "cus_1")
		assert.True(t, (err == nil) == (customer != nil), body)
		assert.True(t, err != nil, body)
	}
}

func TestErrorWithoutAnswer(t *testing.T) {
	t.Parallel()
	e := &stripe.Error{StatusCode: http.StatusTeapot}
	assert.Equal(t, e.Error(), "stripe: I'm a teapot")
	assert.True(t, errors.Unwrap(e) == nil)
	assert.True(t, !strings.Contains(fmt.Sprintf("%#v", e), "{"))
}

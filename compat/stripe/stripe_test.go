// Package stripe_test holds aplomb/stripe against stripe-mock, which checks
// each request against Stripe's OpenAPI description.
package stripe_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/stripemock"
	"github.com/aplomb-go/aplomb/stripe"
)

// TestRequestsAreLegal sends each method with every parameter it knows.
func TestRequestsAreLegal(t *testing.T) {
	t.Parallel()
	sc, err := stripe.NewAt(stripemock.Start(t), aplomb.Static("sk_test_"+"123"), aplomb.NoRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sc.API().CloseIdleConnections)

	t.Run("create customer", func(t *testing.T) {
		customer, err := sc.Customers.Create(t.Context(), stripe.CustomerCreateParams{
			Email: "ada@example.com", Name: "Ada", Description: "first", Phone: "+15550100", PaymentMethod: "pm_card_visa",
			Metadata: map[string]string{"plan": "pro", "note": "a b&c", "gone": ""},
			Extra:    url.Values{"address[city]": {"Oslo"}, "expand[0]": {"default_source"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if customer.ID == "" || customer.Email != "ada@example.com" || len(customer.Raw.JSON()) == 0 {
			t.Errorf("got %+v, want ada's customer", customer)
		}
	})
	t.Run("retrieve customer", func(t *testing.T) {
		customer, err := sc.Customers.Retrieve(t.Context(), "cus_123")
		if err != nil || customer.ID == "" {
			t.Errorf("got %v, %v", customer, err)
		}
	})
	t.Run("create payment intent", func(t *testing.T) {
		intent, err := sc.PaymentIntents.Create(t.Context(), stripe.PaymentIntentCreateParams{
			Amount: 2500, Currency: "usd", Customer: "cus_123", Description: "order 7", ReceiptEmail: "ada@example.com",
			PaymentMethod: "pm_card_visa", PaymentMethodTypes: []string{"card"}, Confirm: true, OffSession: true,
			ReturnURL: "https://shop.example/done", Metadata: map[string]string{"order": "7"},
		}, aplomb.IdempotencyKey("order-7"))
		if err != nil {
			t.Fatal(err)
		}
		if intent.Amount != 2500 || intent.Currency != "usd" || intent.ClientSecret.Reveal() == "" {
			t.Errorf("got %v", intent)
		}
	})
	t.Run("retrieve payment intent", func(t *testing.T) {
		intent, err := sc.PaymentIntents.Retrieve(t.Context(), "pi_123", aplomb.Query("expand[]", "customer", "latest_charge"))
		if err != nil || intent.ID == "" {
			t.Errorf("got %v, %v", intent, err)
		}
	})
	t.Run("list charges", func(t *testing.T) {
		n := 0
		params := stripe.ChargeListParams{Customer: "cus_123", PaymentIntent: "pi_123", Limit: 100,
			Created: stripe.TimeRange{From: time.Now().Add(-time.Hour), Before: time.Now()}}
		for charge, err := range sc.Charges.List(t.Context(), params, aplomb.Resume("ch_123")) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; charge.ID == "" || charge.Currency == "" {
				t.Errorf("got %v", charge)
			}
		}
		if n != 1 {
			t.Errorf("%d charges, want the one that stripe-mock has", n)
		}
	})
	t.Run("retrieve charge", func(t *testing.T) {
		charge, err := sc.Charges.Retrieve(t.Context(), "ch_123")
		if err != nil || charge.ID == "" {
			t.Errorf("got %v, %v", charge, err)
		}
	})
}

// TestItsErrorsAreOurs: stripe-mock's own refusals come as *stripe.Error.
func TestItsErrorsAreOurs(t *testing.T) {
	t.Parallel()
	base := stripemock.Start(t)
	tests := []struct {
		name, key string
		params    stripe.PaymentIntentCreateParams
		status    int
		is        error
	}{
		{"a missing parameter", "sk_test_" + "123", stripe.PaymentIntentCreateParams{Currency: "usd"}, 400, nil},
		{"an unknown parameter", "sk_test_" + "123", stripe.PaymentIntentCreateParams{Amount: 1, Currency: "usd", Extra: url.Values{"colour": {"blue"}}}, 400, nil},
		{"a key of the wrong kind", "xk_" + "nothing", stripe.PaymentIntentCreateParams{Amount: 1, Currency: "usd"}, 401, stripe.ErrAuthentication},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc, err := stripe.NewAt(base, aplomb.Static(tt.key))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sc.API().CloseIdleConnections)
			_, err = sc.PaymentIntents.Create(t.Context(), tt.params)
			e, ok := errors.AsType[*stripe.Error](err)
			if !ok || e.StatusCode != tt.status || e.Type != "invalid_request_error" || e.Message == "" {
				t.Fatalf("got %v (%T), want a *stripe.Error with status %d", err, err, tt.status)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

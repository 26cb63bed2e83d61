package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/stripe"
)

// The fakes take any key of the right shape. It is put together here so that no
// scanner takes it for a real one.
const fakeStripeKey = "sk_test_" + "quickstart"

// payments pays 25 dollars. The server charges the card, and its answer never
// arrives: the program cannot know. It asks again with the same
// Idempotency-Key, and is told what happened the first time.
func (t *tour) payments(ctx context.Context) error {
	bought := 0
	if t.mode.realStripe() {
		sc, err := stripe.NewAt(t.mode.stripeURL, aplomb.Static(t.mode.stripeKey), t.options())
		if err != nil {
			return err
		}
		if t.customer, err = t.buy(ctx, sc, !t.mode.live()); err != nil {
			return err
		}
		t.stripe, bought = sc, 1
		t.sayf("now on the fake, which loses the response:")
	}

	shop := aplombtest.NewStripe()
	script := aplombtest.NewScript(shop, aplombtest.LostResponse()).When(isPayment)
	t.out.plant(fakeStripeKey)
	sc, err := stripe.NewAt(t.serve(script), aplomb.Static(fakeStripeKey), t.options())
	if err != nil {
		return err
	}
	var answer aplomb.Response
	if _, err := t.buy(ctx, sc, true, aplomb.Capture(&answer)); err != nil {
		return err
	}
	keys := paymentKeys(shop.Received())
	if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		return fmt.Errorf("want two requests with one Idempotency-Key, got %q", keys)
	}
	effects := shop.Effects()
	t.sayf("response lost after the server committed → resent with the same Idempotency-Key → %s on the server", count(effects.Charges, "charge", "charges"))
	t.report.promise("customers_created", effects.Customers+bought, 1+bought)
	t.report.promise("payment_attempts", answer.Attempts, 2)
	t.report.promise("charges_after_lost_response", effects.Charges, 1)
	if t.stripe == nil {
		t.stripe, t.shop = sc, shop
	}
	return nil
}

// buy is what a shop does: a customer, and a payment keyed by the order. With a
// live key nobody pays: the intent is left open.
func (t *tour) buy(ctx context.Context, sc *stripe.Client, pay bool, opts ...aplomb.CallOption) (customer string, err error) {
	c, err := sc.Customers.Create(ctx, stripe.CustomerCreateParams{
		Email:    "alice@example.com",
		Metadata: map[string]string{"plan": "pro", "source": "quickstart"},
	})
	if err != nil {
		return "", err
	}
	t.sayf("created customer %s for %s", c.ID, c.Email)
	// On a connection that was used before, net/http itself would repeat a keyed
	// request, unseen. A new one leaves that to aplomb, which counts attempts.
	sc.API().CloseIdleConnections()
	params := stripe.PaymentIntentCreateParams{Amount: 2500, Currency: "usd", Customer: c.ID, PaymentMethodTypes: []string{"card"}}
	if pay {
		params.PaymentMethod, params.Confirm = "pm_card_visa", true
	}
	p, err := sc.PaymentIntents.Create(ctx, params, append(opts, aplomb.IdempotencyKey("first-order-of-"+c.ID))...)
	if err != nil {
		return "", err
	}
	t.out.plant(p.ClientSecret.Reveal())
	t.sayf("payment intent %s %d.%02d %s, %s", p.ID, p.Amount/100, p.Amount%100, p.Currency, p.Status)
	return c.ID, nil
}

func isPayment(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/payment_intents")
}

// paymentKeys are the keys that payments came with, in order.
func paymentKeys(requests []aplombtest.Received) []string {
	var keys []string
	for _, r := range requests {
		if r.Method == http.MethodPost && r.Path == "/v1/payment_intents" {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
		}
	}
	return keys
}

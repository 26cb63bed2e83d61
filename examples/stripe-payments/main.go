// Command stripe-payments creates a customer with metadata and a payment
// intent, and lists the customer's charges:
//
//	STRIPE_SECRET_KEY=sk_test_... go run ./examples/stripe-payments
//
// STRIPE_BASE_URL is another server than Stripe's, such as stripe-mock.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/stripe"
)

func main() {
	allowLive := flag.Bool("allow-live", false, "accept a live key")
	flag.Parse()
	if err := run(context.Background(), *allowLive); err != nil {
		fmt.Fprintln(os.Stderr, "stripe-payments:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, allowLive bool) error {
	if strings.Contains(os.Getenv("STRIPE_SECRET_KEY"), "k_live_") && !allowLive {
		return errors.New("STRIPE_SECRET_KEY is a live key: use a test key (sk_test_...), or say -allow-live")
	}
	sc, err := stripe.NewAt(cmp.Or(os.Getenv("STRIPE_BASE_URL"), stripe.APIURL), aplomb.Env("STRIPE_SECRET_KEY"))
	if err != nil {
		return err
	}
	customer, err := sc.Customers.Create(ctx, stripe.CustomerCreateParams{
		Email:    "alice@example.com",
		Metadata: map[string]string{"plan": "pro"},
	})
	if err != nil {
		return err
	}
	fmt.Println(customer)

	// The key names the order, so that it is paid once, come what may.
	payment, err := sc.PaymentIntents.Create(ctx, stripe.PaymentIntentCreateParams{
		Amount: 2500, Currency: "usd", Customer: customer.ID,
		PaymentMethod: "pm_card_visa", PaymentMethodTypes: []string{"card"}, Confirm: true,
	}, aplomb.IdempotencyKey("first-order-of-"+customer.ID))
	if err != nil {
		return err
	}
	fmt.Println(payment)

	for charge, err := range sc.Charges.List(ctx, stripe.ChargeListParams{Customer: customer.ID, Limit: 10}) {
		if err != nil {
			return err
		}
		fmt.Println(charge)
	}
	return nil
}

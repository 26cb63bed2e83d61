package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/stripe"
)

func Example() {
	srv := httptest.NewServer(aplombtest.NewStripe()) // or stripe.New(aplomb.Env("STRIPE_SECRET_KEY"))
	defer srv.Close()
	ctx := context.Background()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	customer, err := sc.Customers.Create(ctx, stripe.CustomerCreateParams{
		Email:    "ada@example.com",
		Metadata: map[string]string{"plan": "pro"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	payment, err := sc.PaymentIntents.Create(ctx, stripe.PaymentIntentCreateParams{
		Amount: 2500, Currency: "usd", Customer: customer.ID,
	}, aplomb.IdempotencyKey("order-7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(customer, customer.Metadata["plan"])
	fmt.Println(payment)
	// Output:
	// customer cus_1 ada@example.com pro
	// payment intent pi_1 25.00 USD requires_payment_method
}

// The answer to a payment is lost after the card was charged. The same key goes
// out again, and Stripe gives the answer it has kept.
func ExamplePaymentIntents_Create_lostResponse() {
	fake := aplombtest.NewStripe()
	srv := httptest.NewServer(aplombtest.NewScript(fake, aplombtest.LostResponse()))
	defer srv.Close()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"), aplomb.Retry{MinBackoff: time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	payment, err := sc.PaymentIntents.Create(context.Background(), stripe.PaymentIntentCreateParams{
		Amount: 2500, Currency: "usd", PaymentMethod: "pm_card_visa", PaymentMethodTypes: []string{"card"}, Confirm: true,
	}, aplomb.IdempotencyKey("order-7"))
	fmt.Println(payment, err)
	fmt.Println("charged", fake.Effects().Charges, "time")
	// Output:
	// payment intent pi_1 25.00 USD succeeded <nil>
	// charged 1 time
}

func ExampleCharges_List() {
	fake := aplombtest.NewStripe()
	customer := fake.SeedCustomer("ada@example.com")
	fake.SeedCharges(customer, 23)
	srv := httptest.NewServer(fake)
	defer srv.Close()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	n, total := 0, int64(0)
	for charge, err := range sc.Charges.List(context.Background(), stripe.ChargeListParams{Customer: customer, Limit: 10}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n, total = n+1, total+charge.Amount
	}
	fmt.Println(n, "charges of", total, "cents on", fake.Effects().Requests, "pages")
	// Output:
	// 23 charges of 23276 cents on 3 pages
}

func ExampleError() {
	srv := httptest.NewServer(aplombtest.NewStripe())
	defer srv.Close()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = sc.PaymentIntents.Create(context.Background(), stripe.PaymentIntentCreateParams{
		Amount: 2500, Currency: "usd", PaymentMethod: "pm_card_chargeDeclinedInsufficientFunds", Confirm: true,
	})
	if e, ok := errors.AsType[*stripe.Error](err); ok && errors.Is(err, stripe.ErrCardDeclined) {
		fmt.Println(e.Message, e.DeclineCode, e.RequestID)
	}
	// Output:
	// Your card has insufficient funds. insufficient_funds req_1
}

// The preset alone, for an official SDK on top of the client.
func ExamplePreset() {
	fake := aplombtest.NewStripe()
	srv := httptest.NewServer(fake)
	defer srv.Close()

	api, err := aplomb.New(srv.URL, stripe.Preset(), aplomb.Bearer(aplomb.Static("sk_test_"+"123")))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := api.HTTPClient().Post(srv.URL+"/v1/customers", "application/x-www-form-urlencoded", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	sent := fake.Received()[0].Header
	fmt.Println(resp.StatusCode, sent.Get("Stripe-Version"), "key minted:", sent.Get("Idempotency-Key") != "")
	// Output:
	// 200 2024-06-20 key minted: true
}

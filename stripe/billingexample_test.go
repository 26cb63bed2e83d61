package stripe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/stripe"
)

// A canned server has an answer for each method and path, and prints what comes.
type canned map[string]string

func (answers canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	body, _ := io.ReadAll(r.Body)
	fmt.Println(strings.TrimSpace("> " + call + " " + string(body)))
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answers[call])
}

// Part of a payment goes back. The key makes sure that it does so once, however
// often the program starts over.
func ExampleRefunds_Create() {
	srv := httptest.NewServer(canned{
		"POST /v1/refunds": `{"id":"re_1","amount":500,"currency":"usd","payment_intent":"pi_1","status":"succeeded","created":1700000000}`,
	})
	defer srv.Close()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	refund, err := sc.Refunds.Create(context.Background(), stripe.RefundCreateParams{
		PaymentIntent: "pi_1", Amount: new(int64(500)), Reason: "requested_by_customer",
	}, aplomb.IdempotencyKey("return-12"))
	fmt.Println(refund, "of", refund.PaymentIntent, err)
	// Output:
	// > POST /v1/refunds payment_intent=pi_1&amount=500&reason=requested_by_customer
	// refund re_1 5.00 USD succeeded of pi_1 <nil>
}

// A team gets two more seats, and cancels: it is to end with the period that is
// paid for.
func ExampleSubscriptions_Update() {
	srv := httptest.NewServer(canned{
		"GET /v1/subscriptions/sub_1": `{"id":"sub_1","status":"active","current_period_end":1702592000,
			"items":{"data":[{"id":"si_1","quantity":3,"price":{"id":"price_gold"}}],"has_more":false}}`,
		"POST /v1/subscriptions/sub_1": `{"id":"sub_1","status":"active","current_period_end":1702592000,"cancel_at_period_end":true,
			"items":{"data":[{"id":"si_1","quantity":5,"price":{"id":"price_gold"}}],"has_more":false}}`,
	})
	defer srv.Close()
	ctx := context.Background()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	sub, err := sc.Subscriptions.Retrieve(ctx, "sub_1")
	if err != nil {
		fmt.Println(err)
		return
	}
	seats := sub.Items.Data[0]
	sub, err = sc.Subscriptions.Update(ctx, sub.ID, stripe.SubscriptionUpdateParams{
		Items:             []stripe.SubscriptionItemUpdateParams{{ID: seats.ID, Quantity: new(seats.Quantity + 2)}},
		CancelAtPeriodEnd: new(true),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sub, "with", sub.Items.Data[0].Quantity, "seats until", sub.CurrentPeriodEnd.Format(time.DateOnly))
	// Output:
	// > GET /v1/subscriptions/sub_1
	// > POST /v1/subscriptions/sub_1 items[0][id]=si_1&items[0][quantity]=5&cancel_at_period_end=true
	// subscription sub_1 active with 5 seats until 2023-12-14
}

// What would an upgrade cost now? The same ProrationDate makes the update cost
// that.
func ExampleInvoices_CreatePreview() {
	srv := httptest.NewServer(canned{
		"POST /v1/invoices/create_preview": `{"id":"upcoming_in_1","total":4100,"currency":"usd","status":"draft","lines":{"data":[
			{"id":"il_1","amount":-900,"currency":"usd","description":"Unused time on Silver","proration":true},
			{"id":"il_2","amount":5000,"currency":"usd","description":"Gold"}],"has_more":false}}`,
	})
	defer srv.Close()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	invoice, err := sc.Invoices.CreatePreview(context.Background(), stripe.InvoiceCreatePreviewParams{
		Subscription: "sub_1",
		SubscriptionDetails: &stripe.InvoicePreviewSubscriptionParams{
			Items:         []stripe.SubscriptionItemUpdateParams{{ID: "si_1", Price: "price_gold"}},
			ProrationDate: time.Unix(1700000000, 0),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range invoice.Lines.Data {
		fmt.Println(stripe.FormatAmount(line.Amount, line.Currency), line.Description)
	}
	fmt.Println(stripe.FormatAmount(invoice.Total, invoice.Currency), "in all")
	// Output:
	// > POST /v1/invoices/create_preview subscription=sub_1&subscription_details[items][0][id]=si_1&subscription_details[items][0][price]=price_gold&subscription_details[proration_date]=1700000000
	// -9.00 USD Unused time on Silver
	// 50.00 USD Gold
	// 41.00 USD in all
}

// A page to pay two T-shirts on, which no product has been made for before.
func ExampleCheckoutSessions_Create() {
	srv := httptest.NewServer(canned{
		"POST /v1/checkout/sessions": `{"id":"cs_test_1","amount_total":4000,"currency":"usd","mode":"payment","status":"open",
			"payment_status":"unpaid","url":"https://checkout.stripe.com/c/pay/cs_test_1"}`,
	})
	defer srv.Close()

	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := sc.CheckoutSessions.Create(context.Background(), stripe.CheckoutSessionCreateParams{
		Mode: "payment",
		LineItems: []stripe.CheckoutLineItemParams{{
			Quantity: 2,
			PriceData: &stripe.CheckoutPriceDataParams{
				Currency: "usd", UnitAmount: new(int64(2000)), ProductData: &stripe.CheckoutProductParams{Name: "T-shirt"},
			},
		}},
		SuccessURL:        "https://shop.example/thanks",
		ClientReferenceID: "order-7",
	}, aplomb.IdempotencyKey("order-7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session)
	fmt.Println("redirect to", session.URL)
	// Output:
	// > POST /v1/checkout/sessions mode=payment&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=2000&line_items[0][price_data][product_data][name]=T-shirt&line_items[0][quantity]=2&success_url=https%3A%2F%2Fshop.example%2Fthanks&client_reference_id=order-7
	// checkout session cs_test_1 40.00 USD open
	// redirect to https://checkout.stripe.com/c/pay/cs_test_1
}

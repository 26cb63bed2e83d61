package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// What has no method of its own is called with a type of one's own.
func ExamplePost() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.PostFormValue("amount"), r.PostFormValue("metadata[shop]"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"tu_1","object":"topup","amount":2000,"status":"pending"}`)
	}))
	defer srv.Close()
	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	type Topup struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	topup, err := stripe.Post[Topup](context.Background(), sc, "/v1/topups", map[string]any{
		"amount": 2000, "currency": "usd", "metadata": map[string]any{"shop": "oslo"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(topup.ID, topup.Status)
	// Output:
	// POST /v1/topups 2000 oslo
	// tu_1 pending
}

// The list of 250 is read as far as it is wanted: 120 charges are two pages of
// 100.
func ExampleList_atMost() {
	fake := aplombtest.NewStripe()
	fake.SeedCharges("", 250)
	srv := httptest.NewServer(fake)
	defer srv.Close()
	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	n, sum := 0, int64(0)
	for charge, err := range sc.Charges.List(context.Background(), stripe.ChargeListParams{Limit: 100}, aplomb.AtMost(120)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n, sum = n+1, sum+charge.Amount
	}
	fmt.Println(n, "charges,", stripe.FormatAmount(sum, "usd"), "in", len(fake.Received()), "requests")
	// Output:
	// 120 charges, 1428.60 USD in 2 requests
}

func ExampleParseAmount() {
	for _, price := range [][2]string{{"19.99", "usd"}, {"500", "jpy"}, {"5.12", "kwd"}, {"19.999", "usd"}} {
		amount, err := stripe.ParseAmount(price[0], price[1])
		fmt.Println(amount, err)
	}
	fmt.Println(stripe.FormatAmount(500, "jpy"))
	// Output:
	// 1999 <nil>
	// 500 <nil>
	// 5120 <nil>
	// 0 stripe: 19.999 USD: Stripe takes two decimals in this currency: round it as your business does
	// 500 JPY
}

// A field that is set is taken back with Clear, a pair of metadata with an empty
// value.
func ExampleClear() {
	srv := httptest.NewServer(aplombtest.NewStripe())
	defer srv.Close()
	ctx := context.Background()
	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	customer, err := sc.Customers.Create(ctx, stripe.CustomerCreateParams{Name: "Ada", Description: "first", Metadata: map[string]string{"a": "1", "b": "2"}})
	if err == nil {
		customer, err = sc.Customers.Update(ctx, customer.ID, stripe.CustomerUpdateParams{
			Metadata: map[string]string{"a": ""},
			Extra:    stripe.Clear("description"),
		})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %q %v\n", customer.Name, customer.Description, customer.Metadata)
	// Output:
	// Ada "" map[b:2]
}

func ExampleHandlers() {
	var h stripe.Handlers
	stripe.On(&h, stripe.EventInvoicePaid, func(_ context.Context, _ *stripe.Event, invoice *stripe.Invoice) error {
		fmt.Println("shipping for", invoice.ID)
		return nil
	})
	stripe.On(&h, stripe.EventChargeRefunded, func(_ context.Context, e *stripe.Event, charge *stripe.Charge) error {
		fmt.Println(charge, "at", e.Created.Format(time.DateOnly))
		return nil
	})
	for _, body := range []string{ // whose signatures were verified
		`{"id":"evt_1","type":"invoice.paid","created":1750000000,"data":{"object":{"id":"in_1"}}}`,
		`{"id":"evt_2","type":"charge.refunded","created":1750000000,"data":{"object":{"id":"ch_1","amount":2500,"currency":"usd","status":"succeeded"}}}`,
	} {
		event, err := stripe.ParseEvent([]byte(body))
		if err == nil {
			err = h.Handle(context.Background(), event)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// shipping for in_1
	// charge ch_1 25.00 USD succeeded at 2025-06-15
}

func ExampleUpload() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, head, err := r.FormFile("file")
		if err != nil {
			fmt.Println(err)
			return
		}
		defer file.Close()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"file_1","filename":%q,"size":%d,"purpose":%q}`, head.Filename, head.Size, r.FormValue("purpose"))
	}))
	defer srv.Close()
	sc, err := stripe.NewAt(srv.URL, aplomb.Static("sk_test_"+"123"))
	if err != nil {
		fmt.Println(err)
		return
	}
	content := strings.NewReader("a receipt") // or an *os.File
	file, err := stripe.Upload[stripe.File](context.Background(), sc, "/v1/files", "receipt.txt", content, map[string]any{"purpose": "dispute_evidence"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file, file.Size)
	// Output:
	// file file_1 receipt.txt 9
}

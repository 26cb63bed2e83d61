package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/webhook"
)

// hookSecret is fake, and put together so that no scanner takes it for a real one.
const hookSecret = "whsec_" + "made0up0for0tests"

// pay has a customer pay an amount.
func pay(t *testing.T, api *aplomb.Client, amount string) {
	t.Helper()
	if _, err := aplomb.Post[struct{}](t.Context(), api, "/v1/payment_intents", aplomb.Form(url.Values{
		"amount": {amount}, "currency": {"eur"}, "customer": {"cus_1"}, "payment_method": {"pm_card_visa"}, "confirm": {"true"},
	})); err != nil {
		t.Fatal(err)
	}
}

// TestEachPaymentOnce: one comes by webhook twice and by poll, one by poll only.
func TestEachPaymentOnce(t *testing.T) {
	t.Parallel()
	shop := aplombtest.NewStripe()
	stripeAPI := httptest.NewServer(shop)
	t.Cleanup(stripeAPI.Close)
	api, err := aplomb.New(stripeAPI.URL, aplomb.Bearer(aplomb.Static("sk_test_"+"for0tests")))
	if err != nil {
		t.Fatal(err)
	}
	shop.SeedCustomer("ada@example.com") // cus_1
	pay(t, api, "1000")
	paid := shop.Events()
	pay(t, api, "234")
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listener, api, webhook.Static(hookSecret)) }()
	sender := aplombtest.NewSender(webhook.Stripe(webhook.Static(hookSecret)), http.DefaultClient, "http://"+listener.Addr().String()+"/stripe")
	sender.Mishaps.Duplicated = 1
	for _, d := range sender.Send(t.Context(), paid...) {
		if !d.Delivered {
			t.Errorf("a webhook was answered %d, %v", d.Attempts[0].Status, d.Attempts[0].Err)
		}
	}
	var n, sum int
	for deadline := time.Now().Add(time.Minute); n < 2 && time.Now().Before(deadline); {
		if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*), SUM(amount) FROM payments WHERE customer = 'cus_1'").Scan(&n, &sum); err != nil {
			n = 0 // there is none yet
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n != 2 || sum != 1234 {
		t.Errorf("%d payments of %d in all, want 2 of 1234", n, sum)
	}
	var waiting int
	if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM aplomb_inbox WHERE state <> 5").Scan(&waiting); err != nil || waiting != 0 {
		t.Errorf("%d events are not done, %v", waiting, err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/webhook"
)

// hookSecret is fake, and put together so that no scanner takes it for a real one.
const hookSecret = "whsec_" + "made0up0for0tests"

// succeeded is the event of a payment.
func succeeded(id, payment string, amount int) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","type":"payment_intent.succeeded","created":%d,"data":{"object":{"id":%q,"object":"payment_intent","amount":%d,"currency":"eur","customer":"cus_1"}}}`,
		id, time.Now().Unix(), payment, amount)
}

// deliver sends a webhook and returns the status of its answer.
func deliver(t *testing.T, address, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/stripe", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := webhook.Stripe(webhook.Static(hookSecret)).Sign(r, []byte(body), time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // its status is all there is
	return resp.StatusCode
}

// TestEachPaymentOnce: one comes by webhook twice and by poll, one by poll only.
func TestEachPaymentOnce(t *testing.T) {
	t.Parallel()
	first, second := succeeded("evt_1", "pi_1", 1000), succeeded("evt_2", "pi_2", 234)
	stripeAPI := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"object":"list","data":[%s,%s],"has_more":false}`, second, first)
	}))
	t.Cleanup(stripeAPI.Close)
	api, err := aplomb.New(stripeAPI.URL)
	if err != nil {
		t.Fatal(err)
	}
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
	for range 2 {
		if status := deliver(t, listener.Addr().String(), first); status != http.StatusOK {
			t.Errorf("a webhook was answered %d", status)
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

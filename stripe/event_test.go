package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

const (
	paidEvent = `{"id":"evt_1","object":"event","type":"payment_intent.succeeded","api_version":"2024-06-20","created":1700000000,
		"livemode":false,"pending_webhooks":1,"account":"acct_7","request":{"id":"req_1","idempotency_key":"order-7"},
		"data":{"object":{"id":"pi_1","object":"payment_intent","amount":2500,"currency":"usd","status":"succeeded","client_secret":"pi_1_secret_x"},
		"previous_attributes":{"status":"processing"}}}`
	thinEvent = `{"id":"evt_2","object":"v2.core.event","type":"v1.billing.meter.error_report_triggered","created":"2026-03-25T10:00:00.25Z",
		"livemode":false,"context":"acct_9/acct_8","related_object":{"id":"mtr_1","type":"billing.meter","url":"/v1/billing/meters/mtr_1"}}`
)

type meter struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
}

const meterErred stripe.EventType[meter] = "v1.billing.meter.error_report_triggered"

func TestParseEvent(t *testing.T) {
	t.Parallel()
	e, err := stripe.ParseEvent([]byte(paidEvent))
	assert.NoError(t, err)
	assert.Equal(t, e.String(), "event evt_1 payment_intent.succeeded")
	assert.Equal(t, e.Created, time.Unix(1700000000, 0).UTC())
	assert.Equal(t, []string{e.APIVersion, e.Account, e.Request.ID, e.Request.IdempotencyKey}, []string{"2024-06-20", "acct_7", "req_1", "order-7"})
	assert.Equal(t, string(e.Data.PreviousAttributes.JSON()), `{"status":"processing"}`)
	assert.True(t, e.RelatedObject == nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		assert.NotContains(t, fmt.Sprintf(verb, struct{ e stripe.Event }{*e}), "_secret_x")
	}
	_, err = json.Marshal(e) // rather than without its object
	assert.Contains(t, fmt.Sprint(err), "may hold secrets")

	e, err = stripe.ParseEvent([]byte(thinEvent))
	assert.NoError(t, err)
	assert.Equal(t, *e.RelatedObject, stripe.RelatedObject{ID: "mtr_1", Type: "billing.meter", URL: "/v1/billing/meters/mtr_1"})
	assert.Equal(t, e.Created, time.Date(2026, 3, 25, 10, 0, 0, 250e6, time.UTC))
	assert.True(t, e.Data.Object.JSON() == nil)

	e, err = stripe.ParseEvent([]byte(`{"id":"evt_3","type":"x","request":"req_3"}`))
	assert.NoError(t, err)
	assert.Equal(t, e.Request, stripe.EventRequest{ID: "req_3"})

	for want, body := range map[string]string{
		"no event: unexpected end": `{"id":`, "has no id or no type": `{"id":"evt_1"}`, "has no id": `null`,
		"no event: invalid character": `<html>`, "cannot unmarshal array": `[]`, "cannot unmarshal number": `{"id":5,"type":"x"}`,
	} {
		_, err := stripe.ParseEvent([]byte(body))
		assert.Contains(t, fmt.Sprint(err), want)
	}
}

func TestHandlers(t *testing.T) {
	t.Parallel()
	var got []string
	h := stripe.Handlers{Client: serve(t, answer(200, "application/json", `{"id":"found"}`))}
	stripe.On(&h, stripe.EventPaymentIntentSucceeded, func(_ context.Context, e *stripe.Event, p *stripe.PaymentIntent) error {
		got = append(got, e.ID+" "+p.String())
		return nil
	})
	broken := errors.New("broken")
	stripe.On(&h, stripe.EventPaymentIntentSucceeded, func(context.Context, *stripe.Event, *stripe.PaymentIntent) error { return broken })
	stripe.On(&h, stripe.EventPaymentIntentSucceeded, func(context.Context, *stripe.Event, *stripe.PaymentIntent) error {
		got = append(got, "after an error")
		return nil
	})
	stripe.On(&h, meterErred, func(_ context.Context, _ *stripe.Event, m *meter) error {
		got = append(got, "thin "+m.ID)
		return nil
	})
	handle := func(body string) error {
		e, err := stripe.ParseEvent([]byte(body))
		assert.NoError(t, err)
		return h.Handle(context.Background(), e)
	}
	assert.ErrorIs(t, handle(paidEvent), broken)
	assert.NoError(t, handle(thinEvent))
	stripe.On(&h, stripe.EventInvoicePaid, func(_ context.Context, e *stripe.Event, invoice *stripe.Invoice) error {
		got = append(got, e.Type+" "+invoice.ID)
		return nil
	})
	assert.NoError(t, handle(`{"id":"evt_5","type":"v1.invoice.paid","related_object":{"id":"in_1","url":"/v1/invoices/in_1"}}`))
	assert.NoError(t, handle(`{"id":"evt_5","type":"v1.invoice.paid"}`)) // not thin: another event
	assert.NoError(t, handle(`{"id":"evt_3","type":"coupon.created"}`))
	h.Other = func(_ context.Context, e *stripe.Event) error {
		got = append(got, "other "+e.Type)
		return nil
	}
	assert.NoError(t, handle(`{"id":"evt_3","type":"coupon.created"}`))
	assert.Equal(t, got, []string{"evt_1 payment intent pi_1 25.00 USD succeeded", "thin found", "v1.invoice.paid found", "other coupon.created"})
	assert.Equal(t, h.Types(), []string{"invoice.paid", "payment_intent.succeeded", "v1.billing.meter.error_report_triggered"})

	err := handle(`{"id":"evt_4","type":"payment_intent.succeeded","api_version":"2031-01-01","data":{"object":{"amount":"25.00"}}}`)
	assert.Contains(t, fmt.Sprint(err), "event evt_4 payment_intent.succeeded of API version 2031-01-01: its object is no stripe.PaymentIntent: ")
	assert.Contains(t, fmt.Sprint(err), "amount")
	h.Client = nil
	assert.Contains(t, fmt.Sprint(handle(thinEvent)), "event evt_2 v1.billing.meter.error_report_triggered holds no object: for thin events set Handlers.Client")
	stripe.On[meter](&h, "x", nil)
	assert.Contains(t, fmt.Sprint(handle(`{"id":"evt_6","type":"x"}`)), "the function for x is nil")
	assert.Contains(t, fmt.Sprint(h.Handle(context.Background(), nil)), "nil event")
	assert.NoError(t, new(stripe.Handlers).Handle(context.Background(), &stripe.Event{Type: "x"}))
}

func TestRelated(t *testing.T) {
	t.Parallel()
	var seen []string
	sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Stripe-Context")+" "+r.Header.Get("Stripe-Request-Trigger"))
		answer(200, "application/json", `{"id":"mtr_1","display_name":"Calls"}`).ServeHTTP(w, r)
	}))
	e, err := stripe.ParseEvent([]byte(thinEvent))
	assert.NoError(t, err)
	m, err := stripe.Related[meter](t.Context(), sc, e)
	assert.NoError(t, err)
	assert.Equal(t, *m, meter{"mtr_1", "Calls"})
	e.RelatedObject.URL, e.Context = "/v1/billing/meters/mtr_1/odd", ""
	_, err = stripe.Related[meter](t.Context(), sc, e, stripe.Context("acct_1"))
	assert.NoError(t, err)
	assert.Equal(t, seen, []string{
		"GET /v1/billing/meters/mtr_1 acct_9/acct_8 event=evt_2",
		"GET /v1/billing/meters/mtr_1/odd acct_1 event=evt_2",
	})
	for _, url := range []string{"https://evil.example/v1/x", "//evil.example/v1/x", "/v1/%2e%2e/x", "v1/x", "", "/v3/x"} {
		e.RelatedObject.URL = url
		_, err := stripe.Related[meter](t.Context(), sc, e)
		assert.Contains(t, fmt.Sprint(err), "no path of the API")
	}
	for _, none := range []*stripe.Event{nil, {}} {
		_, err := stripe.Related[meter](t.Context(), sc, none)
		assert.Contains(t, fmt.Sprint(err), "names no related object")
	}
	assert.Equal(t, len(seen), 2)
}

func TestEventsOfAPoller(t *testing.T) {
	t.Parallel()
	var seen []string
	sc := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.RawQuery)
		body := `{"object":"list","has_more":false,"data":[]}`
		switch r.URL.Query().Get("ending_before") {
		case "evt_1":
			body = `{"object":"list","has_more":true,"data":[{"id":"evt_3","type":"x"},{"id":"evt_2","type":"x"}]}`
		case "evt_3":
			body = `{"object":"list","has_more":false,"data":[{"id":"evt_4","type":"x"}]}`
		}
		answer(200, "application/json", body).ServeHTTP(w, r)
	}))
	events, err := aplomb.Collect(sc.Events.List(t.Context(), stripe.EventListParams{Types: []string{"a", "b"}, EndingBefore: "evt_1", Limit: 2}))
	assert.NoError(t, err)
	assert.Equal(t, fmt.Sprint(events), "[event evt_2 x event evt_3 x event evt_4 x]")
	assert.Equal(t, seen, []string{"types%5B0%5D=a&types%5B1%5D=b&limit=2&ending_before=evt_1", "types%5B0%5D=a&types%5B1%5D=b&limit=2&ending_before=evt_3"})
}

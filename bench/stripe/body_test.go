package stripe_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// canned answers every request with one body, without a socket: what is
// measured is the client's own work.
type canned struct{ body []byte }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/2.0", ProtoMajor: 2, Request: r,
		Header: http.Header{
			"Content-Type":   {"application/json"},
			"Date":           {"Mon, 02 Mar 2026 10:00:00 GMT"},
			"Request-Id":     {"req_1aB2cD3eF4gH5i"},
			"Stripe-Version": {"2024-06-20"},
		},
		Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)),
	}, nil
}

// chargePage is a page of n charges as the API sends it, indented.
func chargePage(n int) []byte { return pageOf(0, n, false) }

// pageOf is the page of n charges that begins with the one numbered from.
func pageOf(from, n int, more bool) []byte {
	var page strings.Builder
	page.WriteString("{\n  \"object\": \"list\",\n  \"data\": [\n")
	for i := range n {
		if i > 0 {
			page.WriteString(",\n")
		}
		fmt.Fprintf(&page, charge, from+i)
	}
	fmt.Fprintf(&page, "\n  ],\n  \"has_more\": %v,\n  \"url\": \"/v1/charges\"\n}", more)
	return []byte(page.String())
}

// paged answers with one page after the other, each after the time that the way
// takes.
type paged struct {
	pages   map[string]canned // by starting_after
	latency time.Duration
}

func newPaged(pages int, latency time.Duration) paged {
	p := paged{map[string]canned{}, latency}
	after := ""
	for i := range pages {
		p.pages[after] = canned{pageOf(i*pageSize, pageSize, i < pages-1)}
		after = fmt.Sprintf("ch_3Made0Up0Charge0%06d", (i+1)*pageSize-1)
	}
	return p
}

func (p paged) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.latency > 0 {
		<-time.After(p.latency)
	}
	page, ok := p.pages[r.URL.Query().Get("starting_after")]
	if !ok {
		return nil, fmt.Errorf("no page after %q", r.URL.RawQuery)
	}
	return page.RoundTrip(r)
}

// charge has every field of a paid charge by card
// (https://docs.stripe.com/api/charges/object), with made-up values of the usual
// length; %[1]d is its number.
const charge = `    {
      "id": "ch_3Made0Up0Charge0%06[1]d",
      "object": "charge",
      "amount": 25%02[1]d,
      "amount_captured": 25%02[1]d,
      "amount_refunded": 0,
      "application": null,
      "application_fee": null,
      "application_fee_amount": null,
      "balance_transaction": "txn_3Made0Up0Balance%06[1]d",
      "billing_details": {
        "address": {
          "city": "Oslo",
          "country": "NO",
          "line1": "Storgata %[1]d",
          "line2": null,
          "postal_code": "0155",
          "state": null
        },
        "email": "customer-%[1]d@example.com",
        "name": "Customer Number %[1]d",
        "phone": null,
        "tax_id": null
      },
      "calculated_statement_descriptor": "EXAMPLE SHOP",
      "captured": true,
      "created": 17724%05[1]d,
      "currency": "usd",
      "customer": "cus_Made0Up%06[1]d",
      "description": "Order %[1]d of the example shop",
      "destination": null,
      "dispute": null,
      "disputed": false,
      "failure_balance_transaction": null,
      "failure_code": null,
      "failure_message": null,
      "fraud_details": {},
      "invoice": null,
      "livemode": false,
      "metadata": {
        "order_id": "order-%[1]d",
        "cart": "7c9f%06[1]d",
        "channel": "web"
      },
      "on_behalf_of": null,
      "order": null,
      "outcome": {
        "advice_code": null,
        "network_advice_code": null,
        "network_decline_code": null,
        "network_status": "approved_by_network",
        "reason": null,
        "risk_level": "normal",
        "risk_score": 17,
        "seller_message": "Payment complete.",
        "type": "authorized"
      },
      "paid": true,
      "payment_intent": "pi_3Made0Up0Intent0%06[1]d",
      "payment_method": "pm_1Made0Up0Method0%06[1]d",
      "payment_method_details": {
        "card": {
          "amount_authorized": 25%02[1]d,
          "authorization_code": null,
          "brand": "visa",
          "checks": {
            "address_line1_check": "pass",
            "address_postal_code_check": "pass",
            "cvc_check": "pass"
          },
          "country": "US",
          "exp_month": 8,
          "exp_year": 2031,
          "extended_authorization": {
            "status": "disabled"
          },
          "fingerprint": "Made0Up%06[1]dprint",
          "funding": "credit",
          "incremental_authorization": {
            "status": "unavailable"
          },
          "installments": null,
          "last4": "4242",
          "mandate": null,
          "multicapture": {
            "status": "unavailable"
          },
          "network": "visa",
          "network_token": {
            "used": false
          },
          "network_transaction_id": "1047%011[1]d",
          "overcapture": {
            "maximum_amount_capturable": 25%02[1]d,
            "status": "unavailable"
          },
          "regulated_status": "unregulated",
          "three_d_secure": null,
          "wallet": null
        },
        "type": "card"
      },
      "radar_options": {},
      "receipt_email": "customer-%[1]d@example.com",
      "receipt_number": null,
      "receipt_url": "https://pay.stripe.com/receipts/payment/MadeUp0Receipt0With0The0Usual0Length0%06[1]d",
      "refunded": false,
      "review": null,
      "shipping": {
        "address": {
          "city": "Oslo",
          "country": "NO",
          "line1": "Storgata %[1]d",
          "line2": null,
          "postal_code": "0155",
          "state": null
        },
        "carrier": null,
        "name": "Customer Number %[1]d",
        "phone": null,
        "tracking_number": null
      },
      "source": null,
      "source_transfer": null,
      "statement_descriptor": null,
      "statement_descriptor_suffix": null,
      "status": "succeeded",
      "transfer_data": null,
      "transfer_group": null
    }`

// customer is a new one (https://docs.stripe.com/api/customers/object).
const customer = `{
  "id": "cus_Made0Up000001",
  "object": "customer",
  "address": null,
  "balance": 0,
  "created": 1772445600,
  "currency": null,
  "default_source": null,
  "delinquent": false,
  "description": null,
  "discount": null,
  "email": "ada@example.com",
  "invoice_prefix": "1A2B3C4D",
  "invoice_settings": {
    "custom_fields": null,
    "default_payment_method": null,
    "footer": null,
    "rendering_options": null
  },
  "livemode": false,
  "metadata": {
    "order_id": "order-1"
  },
  "name": "Ada",
  "next_invoice_sequence": 1,
  "phone": null,
  "preferred_locales": [],
  "shipping": null,
  "tax_exempt": "none",
  "test_clock": null
}`

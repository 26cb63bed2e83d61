package stripe

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Charge is an attempt to move money
// (https://docs.stripe.com/api/charges/object).
type Charge struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit: 2500 are 25.00 USD, but 2500 JPY
	// (https://docs.stripe.com/currencies#zero-decimal).
	Amount int64 `json:"amount"`
	// AmountRefunded is in the same unit.
	AmountRefunded int64 `json:"amount_refunded"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Status is succeeded, pending or failed.
	Status        string            `json:"status"`
	Customer      string            `json:"-"` // an id
	PaymentIntent string            `json:"-"` // an id
	Description   string            `json:"description"`
	ReceiptEmail  string            `json:"receipt_email"`
	Metadata      map[string]string `json:"metadata"`
	Paid          bool              `json:"paid"`
	Captured      bool              `json:"captured"`
	Refunded      bool              `json:"refunded"`
	Disputed      bool              `json:"disputed"`
	// FailureCode and FailureMessage say why a failed charge failed.
	FailureCode    string    `json:"failure_code"`
	FailureMessage string    `json:"failure_message"`
	Created        time.Time `json:"-"`
	Livemode       bool      `json:"livemode"`
	// Raw is the whole object as it came.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads a charge and keeps it in Raw.
func (c *Charge) UnmarshalJSON(raw []byte) error {
	type plain Charge
	from := struct {
		*plain
		Customer      reference `json:"customer"`
		PaymentIntent reference `json:"payment_intent"`
		Created       unix      `json:"created"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(raw, &from); err != nil {
		return err
	}
	c.Customer, c.PaymentIntent = string(from.Customer), string(from.PaymentIntent)
	c.Created, c.Raw = from.Created.time(), keep(raw)
	return nil
}

// String is the id, amount and status, such as "charge ch_1 2500 usd succeeded".
func (c Charge) String() string {
	return "charge " + c.ID + " " + amountOf(c.Amount, c.Currency) + " " + c.Status
}

// ChargeListParams narrow a list of charges. A zero field is not sent.
type ChargeListParams struct {
	// Customer and PaymentIntent are ids.
	Customer      string `form:"customer"`
	PaymentIntent string `form:"payment_intent"`
	// From and Before bound the time of creation: From itself is in, Before is
	// out. Both are sent in whole seconds.
	From   time.Time `form:"created[gte]"`
	Before time.Time `form:"created[lt]"`
	// Limit is the size of a page, 1 to 100, and no limit of the list: leave the
	// loop for that. Stripe's default is 10.
	Limit int `form:"limit"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// Charges reads charges.
type Charges struct{ api *aplomb.Client }

// Retrieve reads a charge.
func (s Charges) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Charge, error) {
	return one(aplomb.Get[Charge](ctx, s.api, "/v1/charges/{id}", byID(id, opts)...))
}

// List ranges over charges, newest first, and fetches a page when the loop gets
// there: leaving it sends nothing more.
//
//	for charge, err := range sc.Charges.List(ctx, stripe.ChargeListParams{Customer: id, Limit: 100}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// An error is yielded once and ends the loop, after the charges before it.
// aplomb.Prefetch fetches the next page meanwhile; aplomb.Resume starts after
// the charge whose id it is given.
func (s Charges) List(ctx context.Context, p ChargeListParams, opts ...aplomb.CallOption) iter.Seq2[*Charge, error] {
	return aplomb.Items[*Charge](ctx, s.api, "/v1/charges", byObject, query(p, opts)...)
}

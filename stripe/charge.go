package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Charge is an attempt to move money
// (https://docs.stripe.com/api/charges/object).
type Charge struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount int64 `json:"amount"`
	// AmountCaptured and AmountRefunded are in the same unit.
	AmountCaptured int64 `json:"amount_captured"`
	AmountRefunded int64 `json:"amount_refunded"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Status is succeeded, pending or failed.
	Status             string                         `json:"status"`
	Customer           Expandable[Customer]           `json:"customer"`
	PaymentIntent      Expandable[PaymentIntent]      `json:"payment_intent"`
	BalanceTransaction Expandable[BalanceTransaction] `json:"balance_transaction"`
	// Invoice ends with API version 2025-03-31.basil.
	Invoice Expandable[Invoice] `json:"invoice"`
	// PaymentMethod is an id.
	PaymentMethod  string            `json:"payment_method"`
	BillingDetails BillingDetails    `json:"billing_details"`
	Description    string            `json:"description"`
	ReceiptEmail   string            `json:"receipt_email"`
	ReceiptURL     string            `json:"receipt_url"`
	Metadata       map[string]string `json:"metadata"`
	Paid           bool              `json:"paid"`
	Captured       bool              `json:"captured"`
	Refunded       bool              `json:"refunded"`
	// Refunds are the latest, with Expand "refunds": [Refunds.List] ranges over all.
	Refunds  Embedded[Refund] `json:"refunds"`
	Disputed bool             `json:"disputed"`
	// FailureCode and FailureMessage say why a failed charge failed.
	FailureCode    string    `json:"failure_code"`
	FailureMessage string    `json:"failure_message"`
	Created        time.Time `json:"created"`
	Livemode       bool      `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a charge and keeps it in Raw.
func (c *Charge) UnmarshalJSON(raw []byte) error { return decode(raw, c) }

// String is the id, amount and status, such as "charge ch_1 25.00 USD succeeded".
func (c Charge) String() string {
	return "charge " + c.ID + " " + FormatAmount(c.Amount, c.Currency) + " " + c.Status
}

// ChargeCreateParams are the parameters of a charge of a source or customer. A
// zero field is not sent. New programs make a [PaymentIntent] instead.
type ChargeCreateParams struct {
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount int64 `form:"amount"`
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// Source is a token or source such as "tok_visa", Customer the id of who pays.
	Source   string `form:"source"`
	Customer string `form:"customer"`
	// Capture is true unless new(false) says that the money is only held.
	Capture             *bool     `form:"capture"`
	Description         string    `form:"description"`
	ReceiptEmail        string    `form:"receipt_email"`
	StatementDescriptor string    `form:"statement_descriptor"`
	Shipping            *Shipping `form:"shipping"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// ChargeUpdateParams change a charge. A zero field is not sent and so stays as it
// is; [Clear] unsets it.
type ChargeUpdateParams struct {
	// Customer is an id, for a charge that has none.
	Customer     string    `form:"customer"`
	Description  string    `form:"description"`
	ReceiptEmail string    `form:"receipt_email"`
	Shipping     *Shipping `form:"shipping"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// ChargeCaptureParams say how to take money that is held. A zero field is not
// sent.
type ChargeCaptureParams struct {
	// Amount is what to take of it, in the minor unit: new(amount). Nil: all.
	Amount              *int64 `form:"amount"`
	ReceiptEmail        string `form:"receipt_email"`
	StatementDescriptor string `form:"statement_descriptor"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// ChargeListParams narrow a list of charges. A zero field is not sent.
type ChargeListParams struct {
	// Customer and PaymentIntent are ids.
	Customer      string    `form:"customer"`
	PaymentIntent string    `form:"payment_intent"`
	Created       TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Charges are attempts to move money.
type Charges struct{ c *Client }

// Create charges a source or a customer. Give your order's id as
// aplomb.IdempotencyKey. A declined card is [ErrCardDeclined].
func (s Charges) Create(ctx context.Context, p ChargeCreateParams, opts ...aplomb.CallOption) (*Charge, error) {
	return Post[Charge](ctx, s.c, "/v1/charges", p, opts...)
}

// Retrieve reads a charge.
func (s Charges) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Charge, error) {
	return Get[Charge](ctx, s.c, "/v1/charges/{id}", nil, byID(id, opts)...)
}

// Update changes what is written on a charge.
func (s Charges) Update(ctx context.Context, id string, p ChargeUpdateParams, opts ...aplomb.CallOption) (*Charge, error) {
	return Post[Charge](ctx, s.c, "/v1/charges/{id}", p, byID(id, opts)...)
}

// Capture takes money that a charge with Capture false holds.
func (s Charges) Capture(ctx context.Context, id string, p ChargeCaptureParams, opts ...aplomb.CallOption) (*Charge, error) {
	return Post[Charge](ctx, s.c, "/v1/charges/{id}/capture", p, byID(id, opts)...)
}

// List ranges over charges, newest first. See [List].
//
//	for charge, err := range sc.Charges.List(ctx, stripe.ChargeListParams{Customer: id}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func (s Charges) List(ctx context.Context, p ChargeListParams, opts ...aplomb.CallOption) iter.Seq2[*Charge, error] {
	return List[Charge](ctx, s.c, "/v1/charges", p, opts...)
}

// Search ranges over the charges that a query finds, such as "amount>999";
// what was just created may take a minute to be found
// (https://docs.stripe.com/search).
func (s Charges) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*Charge, error] {
	return Search[Charge](ctx, s.c, "/v1/charges/search", p, opts...)
}

package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Refund is money on its way back (https://docs.stripe.com/api/refunds/object).
type Refund struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount int64 `json:"amount"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Status is pending, requires_action, succeeded, failed or canceled.
	Status             string                         `json:"status"`
	Charge             Expandable[Charge]             `json:"charge"`
	PaymentIntent      Expandable[PaymentIntent]      `json:"payment_intent"`
	BalanceTransaction Expandable[BalanceTransaction] `json:"balance_transaction"`
	// Reason is duplicate, fraudulent, requested_by_customer, or Stripe's
	// expired_uncaptured_charge.
	Reason string `json:"reason"`
	// FailureReason says why a failed refund failed, such as lost_or_stolen_card.
	// The money is then back in the account, as FailureBalanceTransaction.
	FailureReason             string                         `json:"failure_reason"`
	FailureBalanceTransaction Expandable[BalanceTransaction] `json:"failure_balance_transaction"`
	Description               string                         `json:"description"`
	ReceiptNumber             string                         `json:"receipt_number"`
	Metadata                  map[string]string              `json:"metadata"`
	Created                   time.Time                      `json:"created"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a refund and keeps it in Raw.
func (r *Refund) UnmarshalJSON(raw []byte) error { return decode(raw, r) }

// String is the id, amount and status, such as "refund re_1 25.00 USD succeeded".
func (r Refund) String() string {
	return "refund " + r.ID + " " + FormatAmount(r.Amount, r.Currency) + " " + r.Status
}

// RefundCreateParams say what to give back. A zero field is not sent.
type RefundCreateParams struct {
	// PaymentIntent or Charge is the id of what was paid.
	PaymentIntent string `form:"payment_intent"`
	Charge        string `form:"charge"`
	// Amount is what to give back of it, in the minor unit: new(amount). Nil: all
	// that is left; a computed 0 is no such thing, and Stripe refuses it.
	Amount *int64 `form:"amount"`
	// Reason is duplicate, requested_by_customer or fraudulent: that also puts the
	// card and the email address on the account's block lists.
	Reason string `form:"reason"`
	// InstructionsEmail is where to write to for payment methods that have no
	// refunds of their own.
	InstructionsEmail string `form:"instructions_email"`
	// RefundApplicationFee gives back the fee as well, ReverseTransfer takes the
	// money from the connected account: both for Connect.
	RefundApplicationFee bool `form:"refund_application_fee"`
	ReverseTransfer      bool `form:"reverse_transfer"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// RefundUpdateParams change what is written on a refund.
type RefundUpdateParams struct {
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// RefundListParams narrow a list of refunds. A zero field is not sent.
type RefundListParams struct {
	// Charge and PaymentIntent are ids.
	Charge        string    `form:"charge"`
	PaymentIntent string    `form:"payment_intent"`
	Created       TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Refunds give money back.
type Refunds struct{ c *Client }

// Create gives money back. Give an id of yours as aplomb.IdempotencyKey: of a
// part of a payment there may be several refunds, so that a program that starts
// over without one may give it back twice.
func (s Refunds) Create(ctx context.Context, p RefundCreateParams, opts ...aplomb.CallOption) (*Refund, error) {
	return Post[Refund](ctx, s.c, "/v1/refunds", p, opts...)
}

// Retrieve reads a refund.
func (s Refunds) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Refund, error) {
	return Get[Refund](ctx, s.c, "/v1/refunds/{id}", nil, byID(id, opts)...)
}

// Update changes what is written on a refund.
func (s Refunds) Update(ctx context.Context, id string, p RefundUpdateParams, opts ...aplomb.CallOption) (*Refund, error) {
	return Post[Refund](ctx, s.c, "/v1/refunds/{id}", p, byID(id, opts)...)
}

// Cancel ends a refund whose status is requires_action; no other can be.
func (s Refunds) Cancel(ctx context.Context, id string, opts ...aplomb.CallOption) (*Refund, error) {
	return Post[Refund](ctx, s.c, "/v1/refunds/{id}/cancel", nil, byID(id, opts)...)
}

// List ranges over refunds, newest first. See [List].
func (s Refunds) List(ctx context.Context, p RefundListParams, opts ...aplomb.CallOption) iter.Seq2[*Refund, error] {
	return List[Refund](ctx, s.c, "/v1/refunds", p, opts...)
}

package stripe

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// PaymentMethod is what a customer pays with
// (https://docs.stripe.com/api/payment_methods/object).
type PaymentMethod struct {
	ID string `json:"id"`
	// Type is card, sepa_debit, us_bank_account and so on; what is particular to
	// it, other than a card, is in Raw.
	Type           string               `json:"type"`
	Card           *Card                `json:"card"`
	BillingDetails BillingDetails       `json:"billing_details"`
	Customer       Expandable[Customer] `json:"customer"`
	Metadata       map[string]string    `json:"metadata"`
	Created        time.Time            `json:"created"`
	Livemode       bool                 `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// Card is what may be known of a card.
type Card struct {
	// Brand is visa, mastercard, amex and so on.
	Brand    string `json:"brand"`
	Last4    string `json:"last4"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
	// Country is a two-letter code of ISO 3166-1.
	Country string `json:"country"`
	// Funding is credit, debit, prepaid or unknown.
	Funding string `json:"funding"`
	// Fingerprint is the same for the same card number within an account.
	Fingerprint string `json:"fingerprint"`
}

// UnmarshalJSON reads a payment method and keeps it in Raw.
func (p *PaymentMethod) UnmarshalJSON(raw []byte) error { return decode(raw, p) }

// String is the id and what it is, such as "payment method pm_1 visa 4242".
func (p PaymentMethod) String() string {
	what := p.Type
	if p.Card != nil {
		what = p.Card.Brand + " " + p.Card.Last4
	}
	return strings.TrimSpace("payment method " + p.ID + " " + what)
}

// PaymentMethodCreateParams are the parameters of a new payment method. A zero
// field is not sent. Card numbers belong into Stripe.js: what has them here falls
// under PCI DSS.
type PaymentMethodCreateParams struct {
	// Type is card, sepa_debit and so on; what is particular to it goes into
	// Extra, such as "card[token]".
	Type           string          `form:"type"`
	BillingDetails *BillingDetails `form:"billing_details"`
	// Customer and PaymentMethod, both ids, copy one to a connected account.
	Customer      string `form:"customer"`
	PaymentMethod string `form:"payment_method"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentMethodUpdateParams change a payment method. A zero field is not sent and
// so stays as it is; [Clear] unsets it.
type PaymentMethodUpdateParams struct {
	BillingDetails *BillingDetails `form:"billing_details"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as "card[exp_year]". They
	// are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentMethodListParams narrow a list of payment methods. A zero field is not
// sent.
type PaymentMethodListParams struct {
	// Customer is an id; without one the list is of methods that no customer has.
	Customer string `form:"customer"`
	// Type is card, sepa_debit and so on.
	Type string `form:"type"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// PaymentMethods are what customers pay with.
type PaymentMethods struct{ c *Client }

// Create makes a payment method.
func (s PaymentMethods) Create(ctx context.Context, p PaymentMethodCreateParams, opts ...aplomb.CallOption) (*PaymentMethod, error) {
	return Post[PaymentMethod](ctx, s.c, "/v1/payment_methods", p, opts...)
}

// Retrieve reads a payment method.
func (s PaymentMethods) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*PaymentMethod, error) {
	return Get[PaymentMethod](ctx, s.c, "/v1/payment_methods/{id}", nil, byID(id, opts)...)
}

// Update changes a payment method that is attached to a customer.
func (s PaymentMethods) Update(ctx context.Context, id string, p PaymentMethodUpdateParams, opts ...aplomb.CallOption) (*PaymentMethod, error) {
	return Post[PaymentMethod](ctx, s.c, "/v1/payment_methods/{id}", p, byID(id, opts)...)
}

// Attach gives a payment method to a customer.
func (s PaymentMethods) Attach(ctx context.Context, id, customer string, opts ...aplomb.CallOption) (*PaymentMethod, error) {
	return Post[PaymentMethod](ctx, s.c, "/v1/payment_methods/{id}/attach", url.Values{"customer": {customer}}, byID(id, opts)...)
}

// Detach takes a payment method from its customer; it cannot be used again.
func (s PaymentMethods) Detach(ctx context.Context, id string, opts ...aplomb.CallOption) (*PaymentMethod, error) {
	return Post[PaymentMethod](ctx, s.c, "/v1/payment_methods/{id}/detach", nil, byID(id, opts)...)
}

// List ranges over payment methods, newest first. See [List].
func (s PaymentMethods) List(ctx context.Context, p PaymentMethodListParams, opts ...aplomb.CallOption) iter.Seq2[*PaymentMethod, error] {
	return List[PaymentMethod](ctx, s.c, "/v1/payment_methods", p, opts...)
}

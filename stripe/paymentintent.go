package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// PaymentIntent is a payment on its way
// (https://docs.stripe.com/api/payment_intents/object). It prints as a line
// without its client secret, whatever the verb.
type PaymentIntent struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit: 2500 are 25.00 USD, but 2500 JPY
	// (https://docs.stripe.com/currencies#zero-decimal).
	Amount int64 `json:"amount"`
	// AmountReceived is what has been collected so far, in the same unit.
	AmountReceived int64 `json:"amount_received"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Status is requires_payment_method, requires_confirmation, requires_action,
	// processing, requires_capture, canceled or succeeded.
	Status        string            `json:"status"`
	Customer      string            `json:"-"` // an id
	PaymentMethod string            `json:"-"` // an id
	LatestCharge  string            `json:"-"` // an id
	Description   string            `json:"description"`
	ReceiptEmail  string            `json:"receipt_email"`
	Metadata      map[string]string `json:"metadata"`
	Created       time.Time         `json:"-"`
	Livemode      bool              `json:"livemode"`
	// ClientSecret lets a browser finish the payment. Reveal gives it; hand it to
	// the customer it belongs to and to no log.
	ClientSecret aplomb.Secret `json:"-"`
	// Raw is the whole object as it came, the client secret included.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads a payment intent and keeps it in Raw.
func (p *PaymentIntent) UnmarshalJSON(raw []byte) error {
	type plain PaymentIntent
	from := struct {
		*plain
		Customer      reference `json:"customer"`
		PaymentMethod reference `json:"payment_method"`
		LatestCharge  reference `json:"latest_charge"`
		ClientSecret  string    `json:"client_secret"`
		Created       unix      `json:"created"`
	}{plain: (*plain)(p)}
	if err := json.Unmarshal(raw, &from); err != nil {
		return err
	}
	p.Customer, p.PaymentMethod, p.LatestCharge = string(from.Customer), string(from.PaymentMethod), string(from.LatestCharge)
	p.ClientSecret = aplomb.NewSecret(from.ClientSecret)
	p.Created, p.Raw = from.Created.time(), keep(raw)
	return nil
}

// String is the id, amount and status, such as "payment intent pi_1 2500 usd
// succeeded".
func (p PaymentIntent) String() string {
	return "payment intent " + p.ID + " " + amountOf(p.Amount, p.Currency) + " " + p.Status
}

// Format prints String for every verb, so that no dump shows the client secret.
func (p PaymentIntent) Format(f fmt.State, verb rune) { formatLine(f, verb, p.String()) }

// LogValue is what slog prints.
func (p PaymentIntent) LogValue() slog.Value { return slog.StringValue(p.String()) }

// PaymentIntentParams are the parameters of a new payment intent. A zero field
// is not sent.
type PaymentIntentParams struct {
	// Amount is in the currency's minor unit: 2500 are 25.00 USD, but 2500 JPY.
	Amount int64 `form:"amount"`
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// Customer is the id of who pays.
	Customer     string `form:"customer"`
	Description  string `form:"description"`
	ReceiptEmail string `form:"receipt_email"`
	// PaymentMethod is the id of what to pay with, such as "pm_card_visa".
	PaymentMethod string `form:"payment_method"`
	// PaymentMethodTypes, such as "card", allow just these; without it the
	// dashboard's settings hold.
	PaymentMethodTypes []string `form:"payment_method_types"`
	// Confirm pays at once. Unless PaymentMethodTypes excludes payment methods
	// that redirect, Stripe then wants a ReturnURL.
	Confirm bool `form:"confirm"`
	// OffSession says, with Confirm, that the customer is not there.
	OffSession bool `form:"off_session"`
	// ReturnURL is where a payment method that redirects sends the customer back.
	ReturnURL string `form:"return_url"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Extra are parameters that have no field here, such as
	// "automatic_payment_methods[enabled]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntents creates and reads payment intents.
type PaymentIntents struct{ api *aplomb.Client }

// Create makes a payment intent and, with Confirm, pays it. Give your order's
// id as aplomb.IdempotencyKey: then a program that was killed half-way and
// starts over pays once. A declined card is [ErrCardDeclined].
func (s PaymentIntents) Create(ctx context.Context, p PaymentIntentParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return one(aplomb.Post[PaymentIntent](ctx, s.api, "/v1/payment_intents", form(p, opts)...))
}

// Retrieve reads a payment intent.
func (s PaymentIntents) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return one(aplomb.Get[PaymentIntent](ctx, s.api, "/v1/payment_intents/{id}", byID(id, opts)...))
}

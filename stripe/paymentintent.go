package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// PaymentIntent is a payment on its way
// (https://docs.stripe.com/api/payment_intents/object).
type PaymentIntent struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount int64 `json:"amount"`
	// AmountCapturable is what is held, AmountReceived what has been collected so
	// far, in the same unit.
	AmountCapturable int64 `json:"amount_capturable"`
	AmountReceived   int64 `json:"amount_received"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Status is requires_payment_method, requires_confirmation, requires_action,
	// processing, requires_capture, canceled or succeeded.
	Status        string                    `json:"status"`
	Customer      Expandable[Customer]      `json:"customer"`
	PaymentMethod Expandable[PaymentMethod] `json:"payment_method"`
	LatestCharge  Expandable[Charge]        `json:"latest_charge"`
	// PaymentMethodTypes are those it may be paid with, such as "card".
	PaymentMethodTypes []string `json:"payment_method_types"`
	// CaptureMethod is automatic, automatic_async or manual.
	CaptureMethod      string `json:"capture_method"`
	CancellationReason string `json:"cancellation_reason"`
	// LastPaymentError says why the last try failed. Nil: it did not.
	LastPaymentError *PaymentError     `json:"last_payment_error"`
	Description      string            `json:"description"`
	ReceiptEmail     string            `json:"receipt_email"`
	Metadata         map[string]string `json:"metadata"`
	Created          time.Time         `json:"created"`
	Livemode         bool              `json:"livemode"`
	// ClientSecret lets a browser finish the payment. Reveal gives it; hand it to
	// the customer it belongs to and to no log.
	ClientSecret aplomb.Secret `json:"client_secret"`
	// Raw is the whole object as it came, the client secret included.
	Raw Raw `json:"-"`
}

// PaymentError is why a payment or a set-up failed
// (https://docs.stripe.com/api/errors).
type PaymentError struct {
	Type string `json:"type"`
	// Code is what programs should look at, DeclineCode the bank's reason.
	Code        string `json:"code"`
	DeclineCode string `json:"decline_code"`
	// AdviceCode says what to do about a declined card: see [Error].
	AdviceCode         string `json:"advice_code"`
	NetworkAdviceCode  string `json:"network_advice_code"`
	NetworkDeclineCode string `json:"network_decline_code"`
	// Message may be shown to the customer, if Type is card_error.
	Message string `json:"message"`
	Param   string `json:"param"`
	DocURL  string `json:"doc_url"`
}

// UnmarshalJSON reads a payment intent and keeps it in Raw.
func (p *PaymentIntent) UnmarshalJSON(raw []byte) error { return decode(raw, p) }

// String is the id, amount and status, such as "payment intent pi_1 25.00 USD
// succeeded".
func (p PaymentIntent) String() string {
	return "payment intent " + p.ID + " " + FormatAmount(p.Amount, p.Currency) + " " + p.Status
}

// AutomaticPaymentMethodsParams let Stripe choose what may be paid with, by the
// settings of the dashboard.
type AutomaticPaymentMethodsParams struct {
	Enabled bool `form:"enabled"`
	// AllowRedirects is always, or never: then no ReturnURL is needed.
	AllowRedirects string `form:"allow_redirects"`
}

// PaymentIntentCreateParams are the parameters of a new payment intent. A zero
// field is not sent.
type PaymentIntentCreateParams struct {
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount int64 `form:"amount"`
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// Customer is the id of who pays.
	Customer            string    `form:"customer"`
	Description         string    `form:"description"`
	ReceiptEmail        string    `form:"receipt_email"`
	StatementDescriptor string    `form:"statement_descriptor"`
	Shipping            *Shipping `form:"shipping"`
	// PaymentMethod is the id of what to pay with, such as "pm_card_visa".
	PaymentMethod string `form:"payment_method"`
	// PaymentMethodTypes, such as "card", allow just these; without it the
	// dashboard's settings hold, as AutomaticPaymentMethods say.
	PaymentMethodTypes      []string                       `form:"payment_method_types"`
	AutomaticPaymentMethods *AutomaticPaymentMethodsParams `form:"automatic_payment_methods"`
	// CaptureMethod manual holds the money until [PaymentIntents.Capture].
	CaptureMethod string `form:"capture_method"`
	// SetupFutureUsage keeps the payment method for later payments, on_session or
	// off_session.
	SetupFutureUsage string `form:"setup_future_usage"`
	// Confirm pays at once. Unless PaymentMethodTypes excludes payment methods
	// that redirect, Stripe then wants a ReturnURL.
	Confirm bool `form:"confirm"`
	// OffSession says, with Confirm, that the customer is not there.
	OffSession bool `form:"off_session"`
	// ReturnURL is where a payment method that redirects sends the customer back.
	ReturnURL string `form:"return_url"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as
	// "transfer_data[destination]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntentUpdateParams change a payment intent that is not yet paid. A zero
// field is not sent and so stays as it is; [Clear] unsets it.
type PaymentIntentUpdateParams struct {
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount              int64     `form:"amount"`
	Currency            string    `form:"currency"`
	Customer            string    `form:"customer"`
	Description         string    `form:"description"`
	ReceiptEmail        string    `form:"receipt_email"`
	StatementDescriptor string    `form:"statement_descriptor"`
	Shipping            *Shipping `form:"shipping"`
	PaymentMethod       string    `form:"payment_method"`
	PaymentMethodTypes  []string  `form:"payment_method_types"`
	CaptureMethod       string    `form:"capture_method"`
	SetupFutureUsage    string    `form:"setup_future_usage"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntentConfirmParams say how to pay. A zero field is not sent.
type PaymentIntentConfirmParams struct {
	// PaymentMethod is the id of what to pay with, unless the payment intent has
	// one.
	PaymentMethod      string    `form:"payment_method"`
	PaymentMethodTypes []string  `form:"payment_method_types"`
	CaptureMethod      string    `form:"capture_method"`
	SetupFutureUsage   string    `form:"setup_future_usage"`
	ReceiptEmail       string    `form:"receipt_email"`
	Shipping           *Shipping `form:"shipping"`
	// OffSession says that the customer is not there.
	OffSession bool `form:"off_session"`
	// ReturnURL is where a payment method that redirects sends the customer back.
	ReturnURL string `form:"return_url"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntentCaptureParams say how to take money that is held. A zero field is
// not sent.
type PaymentIntentCaptureParams struct {
	// AmountToCapture is what to take of it, in the minor unit: new(amount). Nil: all.
	AmountToCapture *int64 `form:"amount_to_capture"`
	// FinalCapture new(false) keeps the rest held, where that is possible.
	FinalCapture        *bool  `form:"final_capture"`
	StatementDescriptor string `form:"statement_descriptor"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntentCancelParams say why to cancel. A zero field is not sent.
type PaymentIntentCancelParams struct {
	// CancellationReason is duplicate, fraudulent, requested_by_customer or
	// abandoned.
	CancellationReason string `form:"cancellation_reason"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntentIncrementAuthorizationParams say how much more to hold.
type PaymentIntentIncrementAuthorizationParams struct {
	// Amount is the new total, in the minor unit.
	Amount              int64  `form:"amount"`
	Description         string `form:"description"`
	StatementDescriptor string `form:"statement_descriptor"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PaymentIntentListParams narrow a list of payment intents. A zero field is not
// sent.
type PaymentIntentListParams struct {
	// Customer is an id.
	Customer string    `form:"customer"`
	Created  TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// PaymentIntents are payments, from the wish to pay to the money.
type PaymentIntents struct{ c *Client }

// Create makes a payment intent and, with Confirm, pays it. A declined card is
// [ErrCardDeclined].
//
// Give a key made of your order's id, such as "pay-order-7": then a program that
// was killed half-way and starts over pays once. Stripe remembers a key of an
// account for 24 hours, with its endpoint, its parameters and its answer, be that
// a declined card. So for an order that may need more than one card, or more than
// a day: Create without Confirm, keep the ID, and [PaymentIntents.Confirm] it with
// each card under a key of its own, "pay-order-7/1", "pay-order-7/2". A payment
// intent is paid once.
func (s PaymentIntents) Create(ctx context.Context, p PaymentIntentCreateParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Post[PaymentIntent](ctx, s.c, "/v1/payment_intents", p, opts...)
}

// Retrieve reads a payment intent.
func (s PaymentIntents) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Get[PaymentIntent](ctx, s.c, "/v1/payment_intents/{id}", nil, byID(id, opts)...)
}

// Update changes a payment intent that is not yet paid.
func (s PaymentIntents) Update(ctx context.Context, id string, p PaymentIntentUpdateParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Post[PaymentIntent](ctx, s.c, "/v1/payment_intents/{id}", p, byID(id, opts)...)
}

// Confirm pays. A declined card is [ErrCardDeclined].
func (s PaymentIntents) Confirm(ctx context.Context, id string, p PaymentIntentConfirmParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Post[PaymentIntent](ctx, s.c, "/v1/payment_intents/{id}/confirm", p, byID(id, opts)...)
}

// Capture takes money that a payment intent with CaptureMethod manual holds.
func (s PaymentIntents) Capture(ctx context.Context, id string, p PaymentIntentCaptureParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Post[PaymentIntent](ctx, s.c, "/v1/payment_intents/{id}/capture", p, byID(id, opts)...)
}

// Cancel ends a payment intent that is not yet paid, and lets go of what it
// holds.
func (s PaymentIntents) Cancel(ctx context.Context, id string, p PaymentIntentCancelParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Post[PaymentIntent](ctx, s.c, "/v1/payment_intents/{id}/cancel", p, byID(id, opts)...)
}

// IncrementAuthorization holds more than before, where the card's network allows
// it.
func (s PaymentIntents) IncrementAuthorization(ctx context.Context, id string, p PaymentIntentIncrementAuthorizationParams, opts ...aplomb.CallOption) (*PaymentIntent, error) {
	return Post[PaymentIntent](ctx, s.c, "/v1/payment_intents/{id}/increment_authorization", p, byID(id, opts)...)
}

// List ranges over payment intents, newest first. See [List].
func (s PaymentIntents) List(ctx context.Context, p PaymentIntentListParams, opts ...aplomb.CallOption) iter.Seq2[*PaymentIntent, error] {
	return List[PaymentIntent](ctx, s.c, "/v1/payment_intents", p, opts...)
}

// Search ranges over the payment intents that a query finds, such as
// "status:'succeeded'"; what was just created may take a minute to be found
// (https://docs.stripe.com/search).
func (s PaymentIntents) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*PaymentIntent, error] {
	return Search[PaymentIntent](ctx, s.c, "/v1/payment_intents/search", p, opts...)
}

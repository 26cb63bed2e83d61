package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// SetupIntent saves a payment method for payments to come
// (https://docs.stripe.com/api/setup_intents/object).
type SetupIntent struct {
	ID string `json:"id"`
	// Status is requires_payment_method, requires_confirmation, requires_action,
	// processing, canceled or succeeded.
	Status        string                    `json:"status"`
	Customer      Expandable[Customer]      `json:"customer"`
	PaymentMethod Expandable[PaymentMethod] `json:"payment_method"`
	// PaymentMethodTypes are those that may be set up, such as "card".
	PaymentMethodTypes []string `json:"payment_method_types"`
	// Usage is off_session, or on_session if the customer will be there.
	Usage              string          `json:"usage"`
	Mandate            Expandable[Raw] `json:"mandate"`
	LatestAttempt      Expandable[Raw] `json:"latest_attempt"`
	CancellationReason string          `json:"cancellation_reason"`
	// LastSetupError says why the last try failed. Nil: it did not.
	LastSetupError *PaymentError     `json:"last_setup_error"`
	Description    string            `json:"description"`
	Metadata       map[string]string `json:"metadata"`
	Created        time.Time         `json:"created"`
	Livemode       bool              `json:"livemode"`
	// ClientSecret lets a browser finish the set-up. Reveal gives it; hand it to
	// the customer it belongs to and to no log.
	ClientSecret aplomb.Secret `json:"client_secret"`
	// Raw is the whole object as it came, the client secret included.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a setup intent and keeps it in Raw.
func (s *SetupIntent) UnmarshalJSON(raw []byte) error { return decode(raw, s) }

// String is the id and status, such as "setup intent seti_1 succeeded".
func (s SetupIntent) String() string { return "setup intent " + s.ID + " " + s.Status }

// SetupIntentCreateParams are the parameters of a new setup intent. A zero field
// is not sent.
type SetupIntentCreateParams struct {
	// Customer is the id of whose payment method it will be.
	Customer    string `form:"customer"`
	Description string `form:"description"`
	// PaymentMethod is the id of what to set up, such as "pm_card_visa".
	PaymentMethod string `form:"payment_method"`
	// PaymentMethodTypes, such as "card", allow just these; without it the
	// dashboard's settings hold, as AutomaticPaymentMethods say.
	PaymentMethodTypes      []string                       `form:"payment_method_types"`
	AutomaticPaymentMethods *AutomaticPaymentMethodsParams `form:"automatic_payment_methods"`
	// Usage is off_session, which is the default, or on_session: that makes later
	// payments without the customer less likely to pass.
	Usage string `form:"usage"`
	// Confirm sets up at once. Unless PaymentMethodTypes excludes payment methods
	// that redirect, Stripe then wants a ReturnURL.
	Confirm bool `form:"confirm"`
	// ReturnURL is where a payment method that redirects sends the customer back;
	// for Confirm only.
	ReturnURL string `form:"return_url"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as
	// "mandate_data[customer_acceptance][type]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// SetupIntentUpdateParams change a setup intent that has not succeeded. A zero
// field is not sent and so stays as it is; [Clear] unsets it.
type SetupIntentUpdateParams struct {
	// Customer is an id, for a setup intent that has none.
	Customer           string   `form:"customer"`
	Description        string   `form:"description"`
	PaymentMethod      string   `form:"payment_method"`
	PaymentMethodTypes []string `form:"payment_method_types"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// SetupIntentConfirmParams say what to set up. A zero field is not sent.
type SetupIntentConfirmParams struct {
	// PaymentMethod is the id of what to set up, unless the setup intent has one.
	PaymentMethod string `form:"payment_method"`
	// ReturnURL is where a payment method that redirects sends the customer back.
	ReturnURL string `form:"return_url"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// SetupIntentCancelParams say why to cancel. A zero field is not sent.
type SetupIntentCancelParams struct {
	// CancellationReason is abandoned, requested_by_customer or duplicate.
	CancellationReason string `form:"cancellation_reason"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// SetupIntentListParams narrow a list of setup intents. A zero field is not sent.
type SetupIntentListParams struct {
	// Customer and PaymentMethod are ids.
	Customer      string    `form:"customer"`
	PaymentMethod string    `form:"payment_method"`
	Created       TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// SetupIntents save payment methods for payments to come.
type SetupIntents struct{ c *Client }

// Create makes a setup intent and, with Confirm, sets up its payment method. A
// declined card is [ErrCardDeclined].
func (s SetupIntents) Create(ctx context.Context, p SetupIntentCreateParams, opts ...aplomb.CallOption) (*SetupIntent, error) {
	return Post[SetupIntent](ctx, s.c, "/v1/setup_intents", p, opts...)
}

// Retrieve reads a setup intent.
func (s SetupIntents) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*SetupIntent, error) {
	return Get[SetupIntent](ctx, s.c, "/v1/setup_intents/{id}", nil, byID(id, opts)...)
}

// Update changes a setup intent that has not succeeded.
func (s SetupIntents) Update(ctx context.Context, id string, p SetupIntentUpdateParams, opts ...aplomb.CallOption) (*SetupIntent, error) {
	return Post[SetupIntent](ctx, s.c, "/v1/setup_intents/{id}", p, byID(id, opts)...)
}

// Confirm sets up the payment method. A declined card is [ErrCardDeclined].
func (s SetupIntents) Confirm(ctx context.Context, id string, p SetupIntentConfirmParams, opts ...aplomb.CallOption) (*SetupIntent, error) {
	return Post[SetupIntent](ctx, s.c, "/v1/setup_intents/{id}/confirm", p, byID(id, opts)...)
}

// Cancel ends a setup intent that has not succeeded.
func (s SetupIntents) Cancel(ctx context.Context, id string, p SetupIntentCancelParams, opts ...aplomb.CallOption) (*SetupIntent, error) {
	return Post[SetupIntent](ctx, s.c, "/v1/setup_intents/{id}/cancel", p, byID(id, opts)...)
}

// List ranges over setup intents, newest first. See [List].
func (s SetupIntents) List(ctx context.Context, p SetupIntentListParams, opts ...aplomb.CallOption) iter.Seq2[*SetupIntent, error] {
	return List[SetupIntent](ctx, s.c, "/v1/setup_intents", p, opts...)
}

package stripe

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Invoice is what a customer owes, and for what
// (https://docs.stripe.com/api/invoices/object).
type Invoice struct {
	ID string `json:"id"`
	// Number is what the customer sees, such as "A1B2C3D4-0001"; "" for a draft.
	Number string `json:"number"`
	// Status is draft, open, paid, uncollectible or void.
	Status   string               `json:"status"`
	Customer Expandable[Customer] `json:"customer"`
	// CustomerName and CustomerEmail are those of when it was finalized.
	CustomerName  string `json:"customer_name"`
	CustomerEmail string `json:"customer_email"`
	// Total is that of the lines, with discounts and taxes, Subtotal that without;
	// both, and all amounts here, in the currency's minor unit, as [ParseAmount] counts.
	Total    int64 `json:"total"`
	Subtotal int64 `json:"subtotal"`
	// AmountDue is Total and the customer's balance, AmountPaid and AmountRemaining
	// its parts.
	AmountDue       int64 `json:"amount_due"`
	AmountPaid      int64 `json:"amount_paid"`
	AmountRemaining int64 `json:"amount_remaining"`
	// StartingBalance and EndingBalance are the customer's, before and after.
	StartingBalance int64 `json:"starting_balance"`
	EndingBalance   int64 `json:"ending_balance"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Lines are the first of the lines: [Invoices.Lines] ranges over all.
	Lines Embedded[InvoiceLine] `json:"lines"`
	// Subscription, Charge, PaymentIntent and Paid end with API version
	// 2025-03-31.basil: from there on Parent has the subscription, and Expand
	// "payments" puts what paid it into Raw.
	Subscription  Expandable[Subscription]  `json:"subscription"`
	Charge        Expandable[Charge]        `json:"charge"`
	PaymentIntent Expandable[PaymentIntent] `json:"payment_intent"`
	Paid          bool                      `json:"paid"`
	Parent        *InvoiceParent            `json:"parent"`
	// BillingReason says what made it: manual, subscription_create,
	// subscription_cycle, subscription_update and so on.
	BillingReason string `json:"billing_reason"`
	// CollectionMethod is charge_automatically or send_invoice.
	CollectionMethod string `json:"collection_method"`
	// AutoAdvance says that Stripe finalizes and collects it by itself.
	AutoAdvance          bool                      `json:"auto_advance"`
	DefaultPaymentMethod Expandable[PaymentMethod] `json:"default_payment_method"`
	// Attempted says that a payment was tried, AttemptCount how often by Stripe
	// itself, NextPaymentAttempt when next. Zero: it will not be.
	Attempted          bool      `json:"attempted"`
	AttemptCount       int       `json:"attempt_count"`
	NextPaymentAttempt time.Time `json:"next_payment_attempt"`
	DueDate            time.Time `json:"due_date"`
	// PeriodStart and PeriodEnd bound when things were put on it; what a
	// subscription's line is for is that line's Period.
	PeriodStart       time.Time         `json:"period_start"`
	PeriodEnd         time.Time         `json:"period_end"`
	StatusTransitions StatusTransitions `json:"status_transitions"`
	// LastFinalizationError says why the last try to finalize it failed. Nil: it
	// did not.
	LastFinalizationError *PaymentError `json:"last_finalization_error"`
	// HostedInvoiceURL is a page to pay it on, InvoicePDF the document. Whoever has
	// the link sees the invoice. Both are "" for a draft.
	HostedInvoiceURL string `json:"hosted_invoice_url"`
	InvoicePDF       string `json:"invoice_pdf"`
	// ConfirmationSecret lets a browser pay it: from API version 2025-03-31.basil
	// on, with Expand "confirmation_secret"; before that the payment intent's does.
	ConfirmationSecret *ConfirmationSecret `json:"confirmation_secret"`
	Description        string              `json:"description"`
	Footer             string              `json:"footer"`
	ReceiptNumber      string              `json:"receipt_number"`
	Metadata           map[string]string   `json:"metadata"`
	Created            time.Time           `json:"created"`
	Livemode           bool                `json:"livemode"`
	// Deleted says that only the ID is left.
	Deleted bool `json:"deleted"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// InvoiceParent is what made an invoice, from API version 2025-03-31.basil on.
type InvoiceParent struct {
	// Type is subscription_details or quote_details.
	Type                string                     `json:"type"`
	SubscriptionDetails *InvoiceSubscriptionParent `json:"subscription_details"`
}

// InvoiceSubscriptionParent is the subscription that made an invoice.
type InvoiceSubscriptionParent struct {
	Subscription Expandable[Subscription] `json:"subscription"`
	// Metadata is the subscription's when the invoice was finalized.
	Metadata map[string]string `json:"metadata"`
}

// StatusTransitions are when an invoice became what it is. Zero: it did not.
type StatusTransitions struct {
	FinalizedAt           time.Time `json:"finalized_at"`
	PaidAt                time.Time `json:"paid_at"`
	VoidedAt              time.Time `json:"voided_at"`
	MarkedUncollectibleAt time.Time `json:"marked_uncollectible_at"`
}

// ConfirmationSecret lets a browser pay an invoice.
type ConfirmationSecret struct {
	// ClientSecret is for the customer the invoice belongs to and for no log.
	ClientSecret aplomb.Secret `json:"client_secret"`
	// Type is payment_intent.
	Type string `json:"type"`
}

// InvoiceLine is one thing that an invoice is for
// (https://docs.stripe.com/api/invoice-line-item/object).
type InvoiceLine struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit, as [ParseAmount] counts; a credit is
	// negative.
	Amount int64 `json:"amount"`
	// Currency is a lower-case ISO 4217 code.
	Currency    string `json:"currency"`
	Description string `json:"description"`
	Quantity    int64  `json:"quantity"`
	// Price is nil, and Proration false, from API version 2025-03-31.basil on; then
	// Pricing has the price.
	Price     *Price              `json:"price"`
	Pricing   *InvoiceLinePricing `json:"pricing"`
	Proration bool                `json:"proration"`
	// Period is the time that is paid for.
	Period       Period                   `json:"period"`
	Subscription Expandable[Subscription] `json:"subscription"`
	Metadata     map[string]string        `json:"metadata"`
	Livemode     bool                     `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// InvoiceLinePricing is how the amount of an invoice's line came about, from API
// version 2025-03-31.basil on.
type InvoiceLinePricing struct {
	// UnitAmountDecimal is in the currency's minor unit.
	UnitAmountDecimal string       `json:"unit_amount_decimal"`
	PriceDetails      PriceDetails `json:"price_details"`
}

// PriceDetails name a price and its product.
type PriceDetails struct {
	Price Expandable[Price] `json:"price"`
	// Product is an id.
	Product string `json:"product"`
}

// Period is a span of time, Start in it.
type Period struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// UnmarshalJSON reads an invoice and keeps it in Raw.
func (i *Invoice) UnmarshalJSON(raw []byte) error { return decode(raw, i) }

// String is the id, total and status, such as "invoice in_1 25.00 USD paid".
func (i Invoice) String() string {
	if i.Deleted {
		return "invoice " + i.ID
	}
	return "invoice " + i.ID + " " + FormatAmount(i.Total, i.Currency) + " " + i.Status
}

// UnmarshalJSON reads an invoice's line and keeps it in Raw.
func (l *InvoiceLine) UnmarshalJSON(raw []byte) error { return decode(raw, l) }

// String is the id, amount and description, such as "invoice line il_1 25.00 USD
// Gold plan".
func (l InvoiceLine) String() string {
	return strings.TrimSpace("invoice line " + l.ID + " " + FormatAmount(l.Amount, l.Currency) + " " + shown(l.Description))
}

// InvoiceCreateParams are the parameters of a new invoice, which is a draft. A
// zero field is not sent.
type InvoiceCreateParams struct {
	// Customer is the id of who will pay.
	Customer string `form:"customer"`
	// Subscription, an id, bills just what waits on that subscription.
	Subscription string `form:"subscription"`
	// Currency is an ISO 4217 code; "" is the customer's.
	Currency string `form:"currency"`
	// PendingInvoiceItemsBehavior include puts the invoice items on it that wait
	// for one; exclude is the default.
	PendingInvoiceItemsBehavior string `form:"pending_invoice_items_behavior"`
	// AutoAdvance new(true) has Stripe finalize and collect it by itself, new(false)
	// leaves it until [Invoices.Finalize].
	AutoAdvance *bool `form:"auto_advance"`
	// CollectionMethod is charge_automatically, which is the default, or
	// send_invoice: then the customer has DaysUntilDue to pay, or until DueDate.
	CollectionMethod string    `form:"collection_method"`
	DaysUntilDue     int       `form:"days_until_due"`
	DueDate          time.Time `form:"due_date"`
	// DefaultPaymentMethod is an id; "" is the subscription's or the customer's.
	DefaultPaymentMethod string           `form:"default_payment_method"`
	Discounts            []DiscountParams `form:"discounts"`
	// Description and Footer are on the invoice, StatementDescriptor on the
	// customer's bank statement.
	Description         string `form:"description"`
	Footer              string `form:"footer"`
	StatementDescriptor string `form:"statement_descriptor"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as
	// "automatic_tax[enabled]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// InvoiceUpdateParams change an invoice, most of it while it is a draft. A zero
// field is not sent and so stays as it is; [Clear] unsets it.
type InvoiceUpdateParams struct {
	// AutoAdvance new(true) has Stripe finalize and collect it by itself, new(false)
	// does not.
	AutoAdvance *bool `form:"auto_advance"`
	// CollectionMethod is charge_automatically, or send_invoice: then the customer
	// has DaysUntilDue to pay, or until DueDate.
	CollectionMethod string    `form:"collection_method"`
	DaysUntilDue     int       `form:"days_until_due"`
	DueDate          time.Time `form:"due_date"`
	// DefaultPaymentMethod is an id.
	DefaultPaymentMethod string `form:"default_payment_method"`
	// Discounts replace those there are; an empty list that is not nil is none.
	Discounts           []DiscountParams `form:"discounts"`
	Description         string           `form:"description"`
	Footer              string           `form:"footer"`
	StatementDescriptor string           `form:"statement_descriptor"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// InvoiceFinalizeParams say how to end a draft. A zero field is not sent.
type InvoiceFinalizeParams struct {
	// AutoAdvance new(true) has Stripe collect it by itself, new(false) does not.
	// Nil: as it is.
	AutoAdvance *bool `form:"auto_advance"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// InvoicePayParams say how to pay an invoice. A zero field is not sent.
type InvoicePayParams struct {
	// PaymentMethod or Source is the id of what to pay with; "" is the invoice's
	// default.
	PaymentMethod string `form:"payment_method"`
	Source        string `form:"source"`
	// OffSession is true unless new(false) says that the customer is there.
	OffSession *bool `form:"off_session"`
	// PaidOutOfBand says that it was paid elsewhere: nothing is charged.
	PaidOutOfBand bool `form:"paid_out_of_band"`
	// Forgive takes what a prefunded source has, if that is less, for the whole.
	Forgive bool `form:"forgive"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// InvoiceCreatePreviewParams say which invoice to foresee. A zero field is not sent.
type InvoiceCreatePreviewParams struct {
	// Customer is the id of who would pay, Subscription that of what they would pay
	// for; "" is the customer's next invoice, or a new subscription if there are
	// SubscriptionDetails with Items.
	Customer     string `form:"customer"`
	Subscription string `form:"subscription"`
	// Currency is an ISO 4217 code; "" is the customer's.
	Currency string `form:"currency"`
	// SubscriptionDetails are what would be done to the subscription.
	SubscriptionDetails *InvoicePreviewSubscriptionParams `form:"subscription_details"`
	// Discounts are instead of the subscription's or the customer's; an empty list
	// that is not nil is none.
	Discounts []DiscountParams `form:"discounts"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as
	// "invoice_items[0][price]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// InvoicePreviewSubscriptionParams are what would be done to a subscription: see
// [SubscriptionUpdateParams]. A zero field is not sent.
type InvoicePreviewSubscriptionParams struct {
	Items []SubscriptionItemUpdateParams `form:"items"`
	// ProrationBehavior is create_prorations, always_invoice or none, ProrationDate
	// the time to count from: give it to the update as well, and that will cost what
	// was foreseen.
	ProrationBehavior string    `form:"proration_behavior"`
	ProrationDate     time.Time `form:"proration_date"`
	// StartDate is when a new subscription would begin, TrialEnd when its trial
	// would end.
	StartDate time.Time `form:"start_date"`
	TrialEnd  time.Time `form:"trial_end"`
	// CancelNow, CancelAtPeriodEnd and CancelAt would end it.
	CancelNow         bool      `form:"cancel_now"`
	CancelAtPeriodEnd *bool     `form:"cancel_at_period_end"`
	CancelAt          time.Time `form:"cancel_at"`
}

// InvoiceListParams narrow a list of invoices. A zero field is not sent.
type InvoiceListParams struct {
	// Customer and Subscription are ids.
	Customer     string `form:"customer"`
	Subscription string `form:"subscription"`
	// Status is draft, open, paid, uncollectible or void.
	Status string `form:"status"`
	// CollectionMethod is charge_automatically or send_invoice.
	CollectionMethod string    `form:"collection_method"`
	DueDate          TimeRange `form:"due_date"`
	Created          TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Invoices are what customers owe.
type Invoices struct{ c *Client }

// Create makes a draft.
func (s Invoices) Create(ctx context.Context, p InvoiceCreateParams, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices", p, opts...)
}

// CreatePreview foresees an invoice: the next one, or the one that a change of a
// subscription would make. Nothing is made, and its ID can be used nowhere.
// [Version] has it; in older ones GET /v1/invoices/upcoming, by [Get], does the
// same.
func (s Invoices) CreatePreview(ctx context.Context, p InvoiceCreatePreviewParams, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/create_preview", p, opts...)
}

// Retrieve reads an invoice.
func (s Invoices) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Invoice, error) {
	return Get[Invoice](ctx, s.c, "/v1/invoices/{id}", nil, byID(id, opts)...)
}

// Update changes an invoice.
func (s Invoices) Update(ctx context.Context, id string, p InvoiceUpdateParams, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/{id}", p, byID(id, opts)...)
}

// Delete removes a draft for good; of a subscription's, or what was finalized,
// there is [Invoices.Void].
func (s Invoices) Delete(ctx context.Context, id string, opts ...aplomb.CallOption) (*Invoice, error) {
	return Delete[Invoice](ctx, s.c, "/v1/invoices/{id}", nil, byID(id, opts)...)
}

// Finalize makes of a draft an open invoice, with a number.
func (s Invoices) Finalize(ctx context.Context, id string, p InvoiceFinalizeParams, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/{id}/finalize", p, byID(id, opts)...)
}

// Pay pays an invoice now, sooner than Stripe would. A declined card is
// [ErrCardDeclined].
func (s Invoices) Pay(ctx context.Context, id string, p InvoicePayParams, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/{id}/pay", p, byID(id, opts)...)
}

// Send mails an invoice to the customer; a sandbox mails nothing.
func (s Invoices) Send(ctx context.Context, id string, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/{id}/send", nil, byID(id, opts)...)
}

// Void takes a finalized invoice back, for good; it can still be read.
func (s Invoices) Void(ctx context.Context, id string, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/{id}/void", nil, byID(id, opts)...)
}

// MarkUncollectible gives an invoice up, for the books; it can still be paid.
func (s Invoices) MarkUncollectible(ctx context.Context, id string, opts ...aplomb.CallOption) (*Invoice, error) {
	return Post[Invoice](ctx, s.c, "/v1/invoices/{id}/mark_uncollectible", nil, byID(id, opts)...)
}

// List ranges over invoices, newest first. See [List].
func (s Invoices) List(ctx context.Context, p InvoiceListParams, opts ...aplomb.CallOption) iter.Seq2[*Invoice, error] {
	return List[Invoice](ctx, s.c, "/v1/invoices", p, opts...)
}

// Search ranges over the invoices that a query finds, such as
// "total>999 AND metadata['order']:'7'"; what was just created may take a minute
// to be found (https://docs.stripe.com/search).
func (s Invoices) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*Invoice, error] {
	return Search[Invoice](ctx, s.c, "/v1/invoices/search", p, opts...)
}

// Lines ranges over all lines of an invoice. See [List].
func (s Invoices) Lines(ctx context.Context, id string, p ListParams, opts ...aplomb.CallOption) iter.Seq2[*InvoiceLine, error] {
	return List[InvoiceLine](ctx, s.c, "/v1/invoices/{id}/lines", p, byID(id, opts)...)
}

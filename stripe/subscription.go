package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Subscription is what a customer pays again and again
// (https://docs.stripe.com/api/subscriptions/object).
type Subscription struct {
	ID string `json:"id"`
	// Status is incomplete, incomplete_expired, trialing, active, past_due,
	// canceled, unpaid or paused.
	Status   string               `json:"status"`
	Customer Expandable[Customer] `json:"customer"`
	// Items are what is paid for.
	Items Embedded[SubscriptionItem] `json:"items"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// CurrentPeriodStart and CurrentPeriodEnd bound what is paid for now. From API
	// version 2025-03-31.basil on they are zero here and set on each of Items.
	CurrentPeriodStart time.Time `json:"current_period_start"`
	CurrentPeriodEnd   time.Time `json:"current_period_end"`
	// BillingCycleAnchor is the time that the periods are counted from.
	BillingCycleAnchor time.Time `json:"billing_cycle_anchor"`
	// TrialStart and TrialEnd bound the trial. Zero: there is none.
	TrialStart time.Time `json:"trial_start"`
	TrialEnd   time.Time `json:"trial_end"`
	// CancelAtPeriodEnd says that it ends with this period, CancelAt when it will
	// end. CanceledAt is when that was asked for, EndedAt when it ended.
	CancelAtPeriodEnd   bool                 `json:"cancel_at_period_end"`
	CancelAt            time.Time            `json:"cancel_at"`
	CanceledAt          time.Time            `json:"canceled_at"`
	EndedAt             time.Time            `json:"ended_at"`
	CancellationDetails *CancellationDetails `json:"cancellation_details"`
	// PauseCollection is nil unless its invoices are not collected for now.
	PauseCollection *PauseCollection `json:"pause_collection"`
	// CollectionMethod is charge_automatically, or send_invoice: then a customer
	// has DaysUntilDue to pay.
	CollectionMethod     string                    `json:"collection_method"`
	DaysUntilDue         int                       `json:"days_until_due"`
	DefaultPaymentMethod Expandable[PaymentMethod] `json:"default_payment_method"`
	LatestInvoice        Expandable[Invoice]       `json:"latest_invoice"`
	// PendingSetupIntent is what the customer has yet to do to be charged later.
	PendingSetupIntent Expandable[SetupIntent] `json:"pending_setup_intent"`
	Description        string                  `json:"description"`
	Metadata           map[string]string       `json:"metadata"`
	StartDate          time.Time               `json:"start_date"`
	Created            time.Time               `json:"created"`
	Livemode           bool                    `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// SubscriptionItem is one thing that a subscription pays for
// (https://docs.stripe.com/api/subscription_items/object).
type SubscriptionItem struct {
	ID    string `json:"id"`
	Price Price  `json:"price"`
	// Quantity is how many of it; 0 also if that is metered.
	Quantity int64 `json:"quantity"`
	// Subscription is an id.
	Subscription string `json:"subscription"`
	// CurrentPeriodStart and CurrentPeriodEnd bound what is paid for now. Before
	// API version 2025-03-31.basil they are zero here and set on the subscription.
	CurrentPeriodStart time.Time         `json:"current_period_start"`
	CurrentPeriodEnd   time.Time         `json:"current_period_end"`
	Metadata           map[string]string `json:"metadata"`
	Created            time.Time         `json:"created"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// CancellationDetails are why a subscription was cancelled.
type CancellationDetails struct {
	// Reason is cancellation_requested, payment_disputed or payment_failed.
	Reason string `json:"reason"`
	// Comment and Feedback are the customer's: see [CancellationDetailsParams].
	Comment  string `json:"comment"`
	Feedback string `json:"feedback"`
}

// CancellationDetailsParams are why a customer cancels. A zero field is not sent.
type CancellationDetailsParams struct {
	Comment string `form:"comment"`
	// Feedback is customer_service, low_quality, missing_features, switched_service,
	// too_complex, too_expensive, unused or other.
	Feedback string `form:"feedback"`
}

// PauseCollection is that a subscription's invoices are not collected for now, in
// an object and as a parameter.
type PauseCollection struct {
	// Behavior is what becomes of the invoices: keep_as_draft, mark_uncollectible
	// or void.
	Behavior string `json:"behavior" form:"behavior"`
	// ResumesAt is when it ends. Zero: when [Clear] unsets "pause_collection".
	ResumesAt time.Time `json:"resumes_at" form:"resumes_at"`
}

// UnmarshalJSON reads a subscription and keeps it in Raw.
func (s *Subscription) UnmarshalJSON(raw []byte) error { return decode(raw, s) }

// String is the id and status, such as "subscription sub_1 active".
func (s Subscription) String() string { return "subscription " + s.ID + " " + s.Status }

// UnmarshalJSON reads a subscription item and keeps it in Raw.
func (s *SubscriptionItem) UnmarshalJSON(raw []byte) error { return decode(raw, s) }

// String is the ids, such as "subscription item si_1 of price_1".
func (s SubscriptionItem) String() string { return "subscription item " + s.ID + " of " + s.Price.ID }

// SubscriptionCreateParams are the parameters of a new subscription. A zero field
// is not sent.
type SubscriptionCreateParams struct {
	// Customer is the id of who pays.
	Customer string `form:"customer"`
	// Items are up to 20.
	Items []SubscriptionItemParams `form:"items"`
	// Currency is an ISO 4217 code; "" is the customer's or the prices'.
	Currency string `form:"currency"`
	// PaymentBehavior says what happens if the first payment does not pass:
	// allow_incomplete, which is the default, default_incomplete: then the customer
	// pays the latest invoice's payment intent, error_if_incomplete or
	// pending_if_incomplete.
	PaymentBehavior string `form:"payment_behavior"`
	// DefaultPaymentMethod is an id; "" is the customer's own default.
	DefaultPaymentMethod string `form:"default_payment_method"`
	// CollectionMethod is charge_automatically, which is the default, or
	// send_invoice: then a customer has DaysUntilDue to pay.
	CollectionMethod string `form:"collection_method"`
	DaysUntilDue     int    `form:"days_until_due"`
	// TrialPeriodDays is how long the trial is, or TrialEnd when it ends.
	TrialPeriodDays int       `form:"trial_period_days"`
	TrialEnd        time.Time `form:"trial_end"`
	// BillingCycleAnchor is the first full invoice's time. Zero: now, or the end of
	// the trial.
	BillingCycleAnchor time.Time `form:"billing_cycle_anchor"`
	// ProrationBehavior says what becomes of the time until BillingCycleAnchor:
	// create_prorations, which is the default, or none.
	ProrationBehavior string `form:"proration_behavior"`
	// CancelAtPeriodEnd new(true) ends it with its first period, CancelAt at a time.
	CancelAtPeriodEnd *bool            `form:"cancel_at_period_end"`
	CancelAt          time.Time        `form:"cancel_at"`
	Discounts         []DiscountParams `form:"discounts"`
	// OffSession says that the customer is not there.
	OffSession  bool   `form:"off_session"`
	Description string `form:"description"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids, such as
	// "latest_invoice.payment_intent".
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as
	// "automatic_tax[enabled]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// SubscriptionItemParams are one thing that a new subscription pays for. A zero
// field is not sent.
type SubscriptionItemParams struct {
	// Price is the id of one that recurs; PriceData makes one instead.
	Price     string           `form:"price"`
	PriceData *PriceDataParams `form:"price_data"`
	// Quantity is how many of it. Nil: one; a metered price takes none.
	Quantity *int64 `form:"quantity"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
}

// PriceDataParams make a price for one use. A zero field is not sent.
type PriceDataParams struct {
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// Product is an id.
	Product string `form:"product"`
	// UnitAmount is in the minor unit, as [ParseAmount] counts; new(int64) is free of
	// charge. UnitAmountDecimal is instead of it, for fractions of that unit.
	UnitAmount        *int64 `form:"unit_amount"`
	UnitAmountDecimal string `form:"unit_amount_decimal"`
	// Recurring is how often it is paid.
	Recurring *IntervalParams `form:"recurring"`
	// TaxBehavior is inclusive, exclusive or unspecified.
	TaxBehavior string `form:"tax_behavior"`
}

// DiscountParams are a discount to give: by the id of a coupon, or that of a
// promotion code.
type DiscountParams struct {
	Coupon        string `form:"coupon"`
	PromotionCode string `form:"promotion_code"`
}

// SubscriptionUpdateParams change a subscription. A zero field is not sent and so
// stays as it is; [Clear] unsets it.
type SubscriptionUpdateParams struct {
	// Items change those that their ID names and add those without one; the rest
	// stays.
	Items []SubscriptionItemUpdateParams `form:"items"`
	// ProrationBehavior says what becomes of time that was paid for:
	// create_prorations, which is the default, has the next invoice settle it,
	// always_invoice one at once, none nobody. ProrationDate is the time to count
	// from. Zero: now.
	ProrationBehavior string    `form:"proration_behavior"`
	ProrationDate     time.Time `form:"proration_date"`
	// PaymentBehavior says what happens if a payment does not pass:
	// allow_incomplete, which is the default, default_incomplete,
	// error_if_incomplete or pending_if_incomplete.
	PaymentBehavior string `form:"payment_behavior"`
	// DefaultPaymentMethod is an id.
	DefaultPaymentMethod string `form:"default_payment_method"`
	// CollectionMethod is charge_automatically, or send_invoice: then a customer
	// has DaysUntilDue to pay.
	CollectionMethod string `form:"collection_method"`
	DaysUntilDue     int    `form:"days_until_due"`
	// TrialEnd is when the trial ends; "trial_end" among Extra can be "now".
	TrialEnd time.Time `form:"trial_end"`
	// BillingCycleAnchor is unchanged, or now: then a new period begins.
	BillingCycleAnchor string `form:"billing_cycle_anchor"`
	// CancelAtPeriodEnd new(true) ends it with this period, new(false) takes that
	// back. CancelAt ends it at a time.
	CancelAtPeriodEnd   *bool                      `form:"cancel_at_period_end"`
	CancelAt            time.Time                  `form:"cancel_at"`
	CancellationDetails *CancellationDetailsParams `form:"cancellation_details"`
	PauseCollection     *PauseCollection           `form:"pause_collection"`
	// Discounts replace those there are; an empty list that is not nil is none.
	Discounts []DiscountParams `form:"discounts"`
	// OffSession says that the customer is not there.
	OffSession  bool   `form:"off_session"`
	Description string `form:"description"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// SubscriptionItemUpdateParams changes, adds or takes away one thing that a
// subscription pays for. A zero field is not sent.
type SubscriptionItemUpdateParams struct {
	// ID is that of an item there is, si_...; "" adds one.
	ID string `form:"id"`
	// Deleted takes the item away, ClearUsage what was metered so far with it.
	Deleted    bool `form:"deleted"`
	ClearUsage bool `form:"clear_usage"`
	// Price is the id of one that recurs; PriceData makes one instead.
	Price     string           `form:"price"`
	PriceData *PriceDataParams `form:"price_data"`
	// Quantity is how many of it. Nil: as many as there are, or one.
	Quantity *int64 `form:"quantity"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
}

// SubscriptionCancelParams say how to end a subscription. A zero field is not
// sent.
type SubscriptionCancelParams struct {
	// Prorate gives back, as a credit, what of this period is left.
	Prorate bool `form:"prorate"`
	// InvoiceNow has an invoice settle at once what was metered or prorated.
	InvoiceNow          bool                       `form:"invoice_now"`
	CancellationDetails *CancellationDetailsParams `form:"cancellation_details"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// SubscriptionResumeParams say how to go on with a subscription. A zero field is
// not sent.
type SubscriptionResumeParams struct {
	// BillingCycleAnchor is now, which is the default and begins a new period, or
	// unchanged.
	BillingCycleAnchor string `form:"billing_cycle_anchor"`
	// ProrationBehavior is create_prorations, which is the default, always_invoice
	// or none; ProrationDate is the time to count from. Zero: now.
	ProrationBehavior string    `form:"proration_behavior"`
	ProrationDate     time.Time `form:"proration_date"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// SubscriptionListParams narrow a list of subscriptions. A zero field is not sent.
type SubscriptionListParams struct {
	// Customer and Price are ids.
	Customer string `form:"customer"`
	Price    string `form:"price"`
	// Status is one of a subscription's, ended for canceled and incomplete_expired,
	// or all. "" is all but canceled.
	Status string `form:"status"`
	// CollectionMethod is charge_automatically or send_invoice.
	CollectionMethod   string    `form:"collection_method"`
	CurrentPeriodStart TimeRange `form:"current_period_start"`
	CurrentPeriodEnd   TimeRange `form:"current_period_end"`
	Created            TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Subscriptions are what customers pay again and again.
type Subscriptions struct{ c *Client }

// Create makes a subscription and charges its first period. Give an id of yours
// as aplomb.IdempotencyKey: a customer may have several subscriptions, so that a
// program that starts over without one may make another.
func (s Subscriptions) Create(ctx context.Context, p SubscriptionCreateParams, opts ...aplomb.CallOption) (*Subscription, error) {
	return Post[Subscription](ctx, s.c, "/v1/subscriptions", p, opts...)
}

// Retrieve reads a subscription.
func (s Subscriptions) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Subscription, error) {
	return Get[Subscription](ctx, s.c, "/v1/subscriptions/{id}", nil, byID(id, opts)...)
}

// Update changes a subscription: what is paid for, how, or until when.
// [Invoices.CreatePreview] tells before what it will cost.
func (s Subscriptions) Update(ctx context.Context, id string, p SubscriptionUpdateParams, opts ...aplomb.CallOption) (*Subscription, error) {
	return Post[Subscription](ctx, s.c, "/v1/subscriptions/{id}", p, byID(id, opts)...)
}

// Cancel ends a subscription at once and for good. To end it with the period
// that was paid for, make CancelAtPeriodEnd true by [Subscriptions.Update].
func (s Subscriptions) Cancel(ctx context.Context, id string, p SubscriptionCancelParams, opts ...aplomb.CallOption) (*Subscription, error) {
	return Delete[Subscription](ctx, s.c, "/v1/subscriptions/{id}", p, byID(id, opts)...)
}

// Resume goes on with a subscription that is paused.
func (s Subscriptions) Resume(ctx context.Context, id string, p SubscriptionResumeParams, opts ...aplomb.CallOption) (*Subscription, error) {
	return Post[Subscription](ctx, s.c, "/v1/subscriptions/{id}/resume", p, byID(id, opts)...)
}

// List ranges over subscriptions, newest first. See [List].
func (s Subscriptions) List(ctx context.Context, p SubscriptionListParams, opts ...aplomb.CallOption) iter.Seq2[*Subscription, error] {
	return List[Subscription](ctx, s.c, "/v1/subscriptions", p, opts...)
}

// Search ranges over the subscriptions that a query finds, such as
// "status:'active' AND metadata['plan']:'pro'"; what was just created may take a
// minute to be found (https://docs.stripe.com/search).
func (s Subscriptions) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*Subscription, error] {
	return Search[Subscription](ctx, s.c, "/v1/subscriptions/search", p, opts...)
}

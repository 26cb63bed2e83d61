package stripe

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// CheckoutSession is a customer's visit to the page where they pay
// (https://docs.stripe.com/api/checkout/sessions/object).
type CheckoutSession struct {
	ID string `json:"id"`
	// URL is the page, to redirect the customer to; "" if the page is embedded, or
	// the session is no longer open.
	URL string `json:"url"`
	// Mode is payment, subscription or setup.
	Mode string `json:"mode"`
	// Status is open, complete or expired.
	Status string `json:"status"`
	// PaymentStatus is paid, unpaid or no_payment_required. Some payment methods
	// take days: fulfil what is paid, not what is complete.
	PaymentStatus string `json:"payment_status"`
	// AmountTotal is AmountSubtotal with discounts and taxes, in the currency's
	// minor unit, as [ParseAmount] counts; 0 for the mode setup.
	AmountTotal    int64 `json:"amount_total"`
	AmountSubtotal int64 `json:"amount_subtotal"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// LineItems are the first of them, with Expand "line_items":
	// [CheckoutSessions.LineItems] ranges over all.
	LineItems Embedded[CheckoutLineItem] `json:"line_items"`
	// ClientReferenceID is your own, such as an order's.
	ClientReferenceID string               `json:"client_reference_id"`
	Customer          Expandable[Customer] `json:"customer"`
	// CustomerEmail is what the page was filled with, CustomerDetails what the
	// customer has entered.
	CustomerEmail   string           `json:"customer_email"`
	CustomerDetails *CustomerDetails `json:"customer_details"`
	// PaymentIntent, Subscription and SetupIntent are what came of it, one for each
	// Mode.
	PaymentIntent      Expandable[PaymentIntent] `json:"payment_intent"`
	Subscription       Expandable[Subscription]  `json:"subscription"`
	SetupIntent        Expandable[SetupIntent]   `json:"setup_intent"`
	Invoice            Expandable[Invoice]       `json:"invoice"`
	PaymentMethodTypes []string                  `json:"payment_method_types"`
	// UIMode is hosted or embedded, which newer versions call hosted_page and
	// embedded_page beside others.
	UIMode     string            `json:"ui_mode"`
	SuccessURL string            `json:"success_url"`
	CancelURL  string            `json:"cancel_url"`
	ReturnURL  string            `json:"return_url"`
	Metadata   map[string]string `json:"metadata"`
	ExpiresAt  time.Time         `json:"expires_at"`
	Created    time.Time         `json:"created"`
	Livemode   bool              `json:"livemode"`
	// ClientSecret shows the page inside one of yours, for other UIModes than
	// hosted. Reveal gives it; hand it to the customer it belongs to and to no log.
	ClientSecret aplomb.Secret `json:"client_secret"`
	// Raw is the whole object as it came, the client secret included.
	Raw Raw `json:"-"`
}

// CustomerDetails are what a customer has entered at the checkout.
type CustomerDetails struct {
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Phone   string   `json:"phone"`
	Address *Address `json:"address"`
	// TaxExempt is none, exempt or reverse.
	TaxExempt string `json:"tax_exempt"`
}

// CheckoutLineItem is one thing that is bought
// (https://docs.stripe.com/api/checkout/sessions/line_items).
type CheckoutLineItem struct {
	ID          string `json:"id"`
	Description string `json:"description"`
	Quantity    int64  `json:"quantity"`
	Price       *Price `json:"price"`
	// AmountTotal is AmountSubtotal less AmountDiscount and with AmountTax, in the
	// currency's minor unit, as [ParseAmount] counts.
	AmountTotal    int64 `json:"amount_total"`
	AmountSubtotal int64 `json:"amount_subtotal"`
	AmountDiscount int64 `json:"amount_discount"`
	AmountTax      int64 `json:"amount_tax"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a checkout session and keeps it in Raw.
func (c *CheckoutSession) UnmarshalJSON(raw []byte) error { return decode(raw, c) }

// String is the id, total and status, such as "checkout session cs_test_1 25.00
// USD complete".
func (c CheckoutSession) String() string {
	line := "checkout session " + c.ID
	if c.Currency != "" {
		line += " " + FormatAmount(c.AmountTotal, c.Currency)
	}
	return line + " " + c.Status
}

// UnmarshalJSON reads a line item and keeps it in Raw.
func (l *CheckoutLineItem) UnmarshalJSON(raw []byte) error { return decode(raw, l) }

// String is the id, total and description, such as "line item li_1 25.00 USD
// Gold plan".
func (l CheckoutLineItem) String() string {
	return strings.TrimSpace("line item " + l.ID + " " + FormatAmount(l.AmountTotal, l.Currency) + " " + shown(l.Description))
}

// CheckoutSessionCreateParams are the parameters of a new checkout session. A
// zero field is not sent.
type CheckoutSessionCreateParams struct {
	// Mode is payment, subscription if one of LineItems recurs, or setup.
	Mode string `form:"mode"`
	// LineItems are what is bought; the mode setup has none.
	LineItems []CheckoutLineItemParams `form:"line_items"`
	// SuccessURL is where the customer goes after it, CancelURL if they turn back;
	// {CHECKOUT_SESSION_ID} in the former becomes the ID.
	SuccessURL string `form:"success_url"`
	CancelURL  string `form:"cancel_url"`
	// UIMode is hosted, which is the default, or embedded: then it is ReturnURL
	// where the customer goes. Newer versions call them hosted_page and
	// embedded_page beside others.
	UIMode    string `form:"ui_mode"`
	ReturnURL string `form:"return_url"`
	// Customer is the id of who pays. Without one CustomerEmail fills the page, and
	// CustomerCreation is if_required, which is the default, or always, for a new
	// customer.
	Customer         string `form:"customer"`
	CustomerEmail    string `form:"customer_email"`
	CustomerCreation string `form:"customer_creation"`
	// ClientReferenceID is your own, such as an order's.
	ClientReferenceID string `form:"client_reference_id"`
	// Currency is an ISO 4217 code; the mode setup wants it.
	Currency string `form:"currency"`
	// PaymentMethodTypes, such as "card", allow just these; without it the
	// dashboard's settings hold.
	PaymentMethodTypes []string `form:"payment_method_types"`
	// PaymentMethodCollection if_required asks for none if nothing is to pay yet;
	// the default is always. For the mode subscription.
	PaymentMethodCollection string `form:"payment_method_collection"`
	// Discounts are at most one, and none with AllowPromotionCodes, which lets the
	// customer enter a code. Nil is false.
	Discounts           []DiscountParams `form:"discounts"`
	AllowPromotionCodes *bool            `form:"allow_promotion_codes"`
	// BillingAddressCollection is auto, which is the default, or required.
	BillingAddressCollection string `form:"billing_address_collection"`
	// SubmitType is what the button says: auto, pay, book or donate. For the mode
	// payment.
	SubmitType string `form:"submit_type"`
	// Locale is a language such as "de"; "" and "auto" are the browser's.
	Locale string `form:"locale"`
	// PaymentIntentData, SubscriptionData and SetupIntentData are for what comes of
	// it, one for each Mode.
	PaymentIntentData *CheckoutPaymentIntentParams `form:"payment_intent_data"`
	SubscriptionData  *CheckoutSubscriptionParams  `form:"subscription_data"`
	SetupIntentData   *CheckoutSetupIntentParams   `form:"setup_intent_data"`
	// ExpiresAt is 30 minutes to 24 hours from now. Zero: 24 hours.
	ExpiresAt time.Time `form:"expires_at"`
	// Metadata holds up to 50 pairs of your own. They stay with the session: what
	// comes of it has its own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as
	// "automatic_tax[enabled]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// CheckoutLineItemParams are one thing to buy. A zero field is not sent.
type CheckoutLineItemParams struct {
	// Price is an id; PriceData makes one instead.
	Price     string                   `form:"price"`
	PriceData *CheckoutPriceDataParams `form:"price_data"`
	// Quantity is how many of it; a metered price takes none.
	Quantity int64 `form:"quantity"`
}

// CheckoutPriceDataParams make a price for one session. A zero field is not sent.
type CheckoutPriceDataParams struct {
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// UnitAmount is in the minor unit, as [ParseAmount] counts; new(int64) is free of
	// charge. UnitAmountDecimal is instead of it, for fractions of that unit.
	UnitAmount        *int64 `form:"unit_amount"`
	UnitAmountDecimal string `form:"unit_amount_decimal"`
	// Product is an id; ProductData makes a product instead.
	Product     string                 `form:"product"`
	ProductData *CheckoutProductParams `form:"product_data"`
	// Recurring makes it a subscription's. Nil: it is paid once.
	Recurring *IntervalParams `form:"recurring"`
	// TaxBehavior is inclusive, exclusive or unspecified.
	TaxBehavior string `form:"tax_behavior"`
}

// CheckoutProductParams make a product for one session. A zero field is not sent.
type CheckoutProductParams struct {
	Name        string `form:"name"`
	Description string `form:"description"`
	// Images are up to eight URLs.
	Images []string `form:"images"`
	// TaxCode is an id of https://docs.stripe.com/tax/tax-codes.
	TaxCode string `form:"tax_code"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
}

// CheckoutPaymentIntentParams are for the payment intent that comes of a session:
// see [PaymentIntentCreateParams]. A zero field is not sent.
type CheckoutPaymentIntentParams struct {
	// CaptureMethod manual holds the money until [PaymentIntents.Capture].
	CaptureMethod string `form:"capture_method"`
	// SetupFutureUsage keeps the payment method for later payments, on_session or
	// off_session.
	SetupFutureUsage    string            `form:"setup_future_usage"`
	Description         string            `form:"description"`
	ReceiptEmail        string            `form:"receipt_email"`
	StatementDescriptor string            `form:"statement_descriptor"`
	Metadata            map[string]string `form:"metadata"`
}

// CheckoutSubscriptionParams are for the subscription that comes of a session:
// see [SubscriptionCreateParams]. A zero field is not sent.
type CheckoutSubscriptionParams struct {
	// TrialPeriodDays is how long the trial is, or TrialEnd when it ends.
	TrialPeriodDays int       `form:"trial_period_days"`
	TrialEnd        time.Time `form:"trial_end"`
	// BillingCycleAnchor is the first full invoice's time.
	BillingCycleAnchor time.Time `form:"billing_cycle_anchor"`
	// ProrationBehavior is create_prorations, which is the default, or none.
	ProrationBehavior string            `form:"proration_behavior"`
	Description       string            `form:"description"`
	Metadata          map[string]string `form:"metadata"`
}

// CheckoutSetupIntentParams are for the setup intent that comes of a session. A
// zero field is not sent.
type CheckoutSetupIntentParams struct {
	Description string            `form:"description"`
	Metadata    map[string]string `form:"metadata"`
}

// CheckoutSessionUpdateParams change a checkout session.
type CheckoutSessionUpdateParams struct {
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// CheckoutSessionListParams narrow a list of checkout sessions. A zero field is
// not sent.
type CheckoutSessionListParams struct {
	// Customer, PaymentIntent and Subscription are ids.
	Customer      string `form:"customer"`
	PaymentIntent string `form:"payment_intent"`
	Subscription  string `form:"subscription"`
	// Status is open, complete or expired.
	Status  string    `form:"status"`
	Created TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// CheckoutSessions are customers' visits to the page where they pay.
type CheckoutSessions struct{ c *Client }

// Create opens a checkout session. Redirect the customer to its URL, and fulfil
// the order when an event says that it is paid: not every customer comes back to
// SuccessURL.
func (s CheckoutSessions) Create(ctx context.Context, p CheckoutSessionCreateParams, opts ...aplomb.CallOption) (*CheckoutSession, error) {
	return Post[CheckoutSession](ctx, s.c, "/v1/checkout/sessions", p, opts...)
}

// Retrieve reads a checkout session.
func (s CheckoutSessions) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*CheckoutSession, error) {
	return Get[CheckoutSession](ctx, s.c, "/v1/checkout/sessions/{id}", nil, byID(id, opts)...)
}

// Update changes what is written on a checkout session.
func (s CheckoutSessions) Update(ctx context.Context, id string, p CheckoutSessionUpdateParams, opts ...aplomb.CallOption) (*CheckoutSession, error) {
	return Post[CheckoutSession](ctx, s.c, "/v1/checkout/sessions/{id}", p, byID(id, opts)...)
}

// Expire closes a checkout session that is open: nobody can pay there any more.
func (s CheckoutSessions) Expire(ctx context.Context, id string, opts ...aplomb.CallOption) (*CheckoutSession, error) {
	return Post[CheckoutSession](ctx, s.c, "/v1/checkout/sessions/{id}/expire", nil, byID(id, opts)...)
}

// List ranges over checkout sessions, newest first. See [List].
func (s CheckoutSessions) List(ctx context.Context, p CheckoutSessionListParams, opts ...aplomb.CallOption) iter.Seq2[*CheckoutSession, error] {
	return List[CheckoutSession](ctx, s.c, "/v1/checkout/sessions", p, opts...)
}

// LineItems ranges over all line items of a checkout session. See [List].
func (s CheckoutSessions) LineItems(ctx context.Context, id string, p ListParams, opts ...aplomb.CallOption) iter.Seq2[*CheckoutLineItem, error] {
	return List[CheckoutLineItem](ctx, s.c, "/v1/checkout/sessions/{id}/line_items", p, byID(id, opts)...)
}

package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Price is what a [Product] costs, once or again and again
// (https://docs.stripe.com/api/prices/object).
type Price struct {
	ID string `json:"id"`
	// Active says that it can be used for new purchases.
	Active bool `json:"active"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// UnitAmount is in the currency's minor unit, as [ParseAmount] counts. It is 0 as
	// well where there is no such number: UnitAmountDecimal then has a fraction, or
	// is "" too, since BillingScheme is tiered or the customer chooses.
	UnitAmount        int64               `json:"unit_amount"`
	UnitAmountDecimal string              `json:"unit_amount_decimal"`
	Product           Expandable[Product] `json:"product"`
	// Type is one_time or recurring; Recurring is nil for the former.
	Type      string     `json:"type"`
	Recurring *Recurring `json:"recurring"`
	// BillingScheme is per_unit or tiered; the tiers are in Raw, with Expand
	// "tiers".
	BillingScheme string `json:"billing_scheme"`
	// TaxBehavior is inclusive, exclusive or unspecified.
	TaxBehavior string `json:"tax_behavior"`
	// Nickname is shown to nobody outside.
	Nickname string `json:"nickname"`
	// LookupKey is a name of your own to find it by.
	LookupKey string            `json:"lookup_key"`
	Metadata  map[string]string `json:"metadata"`
	Created   time.Time         `json:"created"`
	Livemode  bool              `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// Recurring is how often a price is paid and for what, in an object and as a
// parameter.
type Recurring struct {
	// Interval is day, week, month or year, IntervalCount the number of them; 0 is
	// one. Together they are at most three years.
	Interval      string `json:"interval" form:"interval"`
	IntervalCount int    `json:"interval_count" form:"interval_count"`
	// UsageType is licensed, which is the default: for a quantity that is known
	// before; or metered: for what a Meter, given by its id, has counted.
	UsageType string `json:"usage_type" form:"usage_type"`
	Meter     string `json:"meter" form:"meter"`
}

// UnmarshalJSON reads a price and keeps it in Raw.
func (p *Price) UnmarshalJSON(raw []byte) error { return decode(raw, p) }

// String is the id, amount and interval, such as "price price_1 25.00 USD month".
func (p Price) String() string {
	line := "price " + p.ID
	if p.UnitAmount != 0 || p.UnitAmountDecimal == "0" {
		line += " " + FormatAmount(p.UnitAmount, p.Currency)
	}
	if p.Recurring != nil {
		line += " " + p.Recurring.Interval
	}
	return line
}

// PriceCreateParams are the parameters of a new price. A zero field is not sent.
type PriceCreateParams struct {
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// UnitAmount is in the minor unit, as [ParseAmount] counts; new(int64) is free of
	// charge. UnitAmountDecimal is instead of it, for fractions of that unit, such
	// as "0.5" cents, with up to 12 decimals.
	UnitAmount        *int64 `form:"unit_amount"`
	UnitAmountDecimal string `form:"unit_amount_decimal"`
	// Product is an id; ProductData makes a product instead.
	Product     string              `form:"product"`
	ProductData *PriceProductParams `form:"product_data"`
	// Recurring makes it a subscription's. Nil: it is paid once.
	Recurring *Recurring `form:"recurring"`
	// Active is true unless new(false) says that it cannot be used yet.
	Active *bool `form:"active"`
	// TaxBehavior is inclusive, exclusive or unspecified; once it is one of the
	// former two it stays.
	TaxBehavior string `form:"tax_behavior"`
	// Nickname is shown to nobody outside.
	Nickname string `form:"nickname"`
	// LookupKey is a name of your own to find it by, with up to 200 characters;
	// TransferLookupKey takes it from the price that has it.
	LookupKey         string `form:"lookup_key"`
	TransferLookupKey bool   `form:"transfer_lookup_key"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as "tiers_mode" and
	// "tiers[0][up_to]". They are sent as they are.
	Extra url.Values `form:"*"`
}

// PriceProductParams are the product that is made along with a price. A zero
// field is not sent.
type PriceProductParams struct {
	// ID is one of your own; "" has Stripe make one.
	ID   string `form:"id"`
	Name string `form:"name"`
	// Active is true unless new(false) says that it cannot be bought yet.
	Active              *bool  `form:"active"`
	StatementDescriptor string `form:"statement_descriptor"`
	// TaxCode is an id of https://docs.stripe.com/tax/tax-codes.
	TaxCode string `form:"tax_code"`
	// UnitLabel is what one of it is called on invoices, such as "seat".
	UnitLabel string `form:"unit_label"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
}

// PriceUpdateParams change a price; its amount stays as it is for good. A zero
// field is not sent and so stays too; [Clear] unsets it.
type PriceUpdateParams struct {
	// Active new(false) ends its use for new purchases.
	Active      *bool  `form:"active"`
	TaxBehavior string `form:"tax_behavior"`
	Nickname    string `form:"nickname"`
	// LookupKey is a name of your own to find it by; TransferLookupKey takes it
	// from the price that has it.
	LookupKey         string `form:"lookup_key"`
	TransferLookupKey bool   `form:"transfer_lookup_key"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// PriceListParams narrow a list of prices. A zero field is not sent.
type PriceListParams struct {
	// Active lists those that are, or with new(false) those that are not.
	Active *bool `form:"active"`
	// Currency is an ISO 4217 code, Product an id.
	Currency string `form:"currency"`
	Product  string `form:"product"`
	// Type is one_time or recurring.
	Type string `form:"type"`
	// LookupKeys are up to ten.
	LookupKeys []string  `form:"lookup_keys"`
	Created    TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Prices are what products cost.
type Prices struct{ c *Client }

// Create makes a price.
func (s Prices) Create(ctx context.Context, p PriceCreateParams, opts ...aplomb.CallOption) (*Price, error) {
	return Post[Price](ctx, s.c, "/v1/prices", p, opts...)
}

// Retrieve reads a price.
func (s Prices) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Price, error) {
	return Get[Price](ctx, s.c, "/v1/prices/{id}", nil, byID(id, opts)...)
}

// Update changes a price, but not its amount: for another one make another price.
func (s Prices) Update(ctx context.Context, id string, p PriceUpdateParams, opts ...aplomb.CallOption) (*Price, error) {
	return Post[Price](ctx, s.c, "/v1/prices/{id}", p, byID(id, opts)...)
}

// List ranges over prices, newest first. See [List].
func (s Prices) List(ctx context.Context, p PriceListParams, opts ...aplomb.CallOption) iter.Seq2[*Price, error] {
	return List[Price](ctx, s.c, "/v1/prices", p, opts...)
}

// Search ranges over the prices that a query finds, such as
// "active:'true' AND product:'prod_1'"; what was just created may take a minute
// to be found (https://docs.stripe.com/search).
func (s Prices) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*Price, error] {
	return Search[Price](ctx, s.c, "/v1/prices/search", p, opts...)
}

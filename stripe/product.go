package stripe

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Product is what is sold; what it costs is a [Price]
// (https://docs.stripe.com/api/products/object).
type Product struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	// Active says that it can be bought.
	Active       bool              `json:"active"`
	DefaultPrice Expandable[Price] `json:"default_price"`
	Images       []string          `json:"images"`
	// UnitLabel is what one of it is called on invoices, such as "seat".
	UnitLabel           string          `json:"unit_label"`
	StatementDescriptor string          `json:"statement_descriptor"`
	TaxCode             Expandable[Raw] `json:"tax_code"`
	// Shippable says that it is goods that are sent.
	Shippable bool              `json:"shippable"`
	URL       string            `json:"url"`
	Metadata  map[string]string `json:"metadata"`
	Created   time.Time         `json:"created"`
	Updated   time.Time         `json:"updated"`
	Livemode  bool              `json:"livemode"`
	// Deleted says that only the ID is left.
	Deleted bool `json:"deleted"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a product and keeps it in Raw.
func (p *Product) UnmarshalJSON(raw []byte) error { return decode(raw, p) }

// String is the id and name, such as "product prod_1 Gold plan".
func (p Product) String() string { return strings.TrimSpace("product " + p.ID + " " + shown(p.Name)) }

// ProductCreateParams are the parameters of a new product. A zero field is not
// sent.
type ProductCreateParams struct {
	// ID is one of your own; "" has Stripe make one.
	ID          string `form:"id"`
	Name        string `form:"name"`
	Description string `form:"description"`
	// Active is true unless new(false) says that it cannot be bought yet.
	Active *bool `form:"active"`
	// DefaultPriceData makes a price along with it, which becomes its DefaultPrice.
	DefaultPriceData *DefaultPriceParams `form:"default_price_data"`
	// Images are up to eight URLs.
	Images []string `form:"images"`
	// UnitLabel is what one of it is called on invoices, such as "seat".
	UnitLabel           string `form:"unit_label"`
	StatementDescriptor string `form:"statement_descriptor"`
	// TaxCode is an id of https://docs.stripe.com/tax/tax-codes.
	TaxCode string `form:"tax_code"`
	// Shippable says that it is goods that are sent.
	Shippable *bool  `form:"shippable"`
	URL       string `form:"url"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// DefaultPriceParams are a new product's price. A zero field is not sent.
type DefaultPriceParams struct {
	// Currency is an ISO 4217 code, such as "usd".
	Currency string `form:"currency"`
	// UnitAmount is in the minor unit, as [ParseAmount] counts; new(int64) is free of
	// charge. UnitAmountDecimal is instead of it, for fractions of that unit.
	UnitAmount        *int64 `form:"unit_amount"`
	UnitAmountDecimal string `form:"unit_amount_decimal"`
	// Recurring makes it a subscription's. Nil: it is paid once.
	Recurring *IntervalParams `form:"recurring"`
	// TaxBehavior is inclusive, exclusive or unspecified.
	TaxBehavior string `form:"tax_behavior"`
}

// IntervalParams say how often something is paid.
type IntervalParams struct {
	// Interval is day, week, month or year, IntervalCount the number of them; 0 is
	// one. Together they are at most three years.
	Interval      string `form:"interval"`
	IntervalCount int    `form:"interval_count"`
}

// ProductUpdateParams change a product. A zero field is not sent and so stays as
// it is; [Clear] unsets it.
type ProductUpdateParams struct {
	Name        string `form:"name"`
	Description string `form:"description"`
	// Active new(false) ends its sale; what was sold goes on.
	Active *bool `form:"active"`
	// DefaultPrice is the id of a price of this product.
	DefaultPrice        string   `form:"default_price"`
	Images              []string `form:"images"`
	UnitLabel           string   `form:"unit_label"`
	StatementDescriptor string   `form:"statement_descriptor"`
	TaxCode             string   `form:"tax_code"`
	Shippable           *bool    `form:"shippable"`
	URL                 string   `form:"url"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// ProductListParams narrow a list of products. A zero field is not sent.
type ProductListParams struct {
	// IDs are those to list, and with them no cursor may be given.
	IDs []string `form:"ids"`
	// Active and Shippable list those that are, or with new(false) those that are
	// not.
	Active    *bool     `form:"active"`
	Shippable *bool     `form:"shippable"`
	URL       string    `form:"url"`
	Created   TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Products are what is sold.
type Products struct{ c *Client }

// Create makes a product.
func (s Products) Create(ctx context.Context, p ProductCreateParams, opts ...aplomb.CallOption) (*Product, error) {
	return Post[Product](ctx, s.c, "/v1/products", p, opts...)
}

// Retrieve reads a product. One that was deleted has only its ID and Deleted.
func (s Products) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Product, error) {
	return Get[Product](ctx, s.c, "/v1/products/{id}", nil, byID(id, opts)...)
}

// Update changes a product.
func (s Products) Update(ctx context.Context, id string, p ProductUpdateParams, opts ...aplomb.CallOption) (*Product, error) {
	return Post[Product](ctx, s.c, "/v1/products/{id}", p, byID(id, opts)...)
}

// Delete removes a product that has no prices; of another, make Active false.
func (s Products) Delete(ctx context.Context, id string, opts ...aplomb.CallOption) (*Product, error) {
	return Delete[Product](ctx, s.c, "/v1/products/{id}", nil, byID(id, opts)...)
}

// List ranges over products, newest first. See [List].
func (s Products) List(ctx context.Context, p ProductListParams, opts ...aplomb.CallOption) iter.Seq2[*Product, error] {
	return List[Product](ctx, s.c, "/v1/products", p, opts...)
}

// Search ranges over the products that a query finds, such as
// "active:'true' AND metadata['line']:'gold'"; what was just created may take a
// minute to be found (https://docs.stripe.com/search).
func (s Products) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*Product, error] {
	return Search[Product](ctx, s.c, "/v1/products/search", p, opts...)
}

package stripe

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Customer is somebody who pays (https://docs.stripe.com/api/customers/object).
type Customer struct {
	ID          string            `json:"id"`
	Email       string            `json:"email"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Phone       string            `json:"phone"`
	Address     *Address          `json:"address"`
	Shipping    *Shipping         `json:"shipping"`
	Metadata    map[string]string `json:"metadata"`
	// Balance is in minor units; negative is a credit.
	Balance    int64  `json:"balance"`
	Currency   string `json:"currency"`
	Delinquent bool   `json:"delinquent"`
	// DefaultSource is what charges use that name no payment method.
	DefaultSource Expandable[Raw] `json:"default_source"`
	// TaxExempt is none, exempt or reverse.
	TaxExempt string    `json:"tax_exempt"`
	Created   time.Time `json:"created"`
	Livemode  bool      `json:"livemode"`
	// Deleted says that only the ID is left.
	Deleted bool `json:"deleted"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a customer and keeps it in Raw.
func (c *Customer) UnmarshalJSON(raw []byte) error { return decode(raw, c) }

// String is the id and the address, such as "customer cus_1 ada@example.com".
func (c Customer) String() string {
	if c.Deleted {
		return "customer " + c.ID + ", deleted"
	}
	return strings.TrimSpace("customer " + c.ID + " " + shown(c.Email))
}

// CustomerCreateParams are the parameters of a new customer. A zero field is not
// sent.
type CustomerCreateParams struct {
	Email       string    `form:"email"`
	Name        string    `form:"name"`
	Description string    `form:"description"`
	Phone       string    `form:"phone"`
	Address     *Address  `form:"address"`
	Shipping    *Shipping `form:"shipping"`
	// PaymentMethod is the id of one to attach, such as "pm_card_visa".
	PaymentMethod string `form:"payment_method"`
	// Balance is in minor units; negative is a credit.
	Balance int64 `form:"balance"`
	// TaxExempt is none, exempt or reverse.
	TaxExempt string `form:"tax_exempt"`
	// Metadata holds up to 50 pairs of your own: names of 40, values of 500
	// characters (https://docs.stripe.com/api/metadata).
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as "tax[ip_address]".
	// They are sent as they are.
	Extra url.Values `form:"*"`
}

// CustomerUpdateParams change a customer. A zero field is not sent and so stays
// as it is; [Clear] unsets it.
type CustomerUpdateParams struct {
	Email       string    `form:"email"`
	Name        string    `form:"name"`
	Description string    `form:"description"`
	Phone       string    `form:"phone"`
	Address     *Address  `form:"address"`
	Shipping    *Shipping `form:"shipping"`
	// DefaultSource is the id of one that the customer has.
	DefaultSource string `form:"default_source"`
	// Balance is in minor units; negative is a credit. new(int64) makes it 0.
	Balance *int64 `form:"balance"`
	// TaxExempt is none, exempt or reverse.
	TaxExempt string `form:"tax_exempt"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// CustomerListParams narrow a list of customers. A zero field is not sent.
type CustomerListParams struct {
	// Email is the whole address, in its case.
	Email   string    `form:"email"`
	Created TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Customers are who pays.
type Customers struct{ c *Client }

// Create makes a customer.
func (s Customers) Create(ctx context.Context, p CustomerCreateParams, opts ...aplomb.CallOption) (*Customer, error) {
	return Post[Customer](ctx, s.c, "/v1/customers", p, opts...)
}

// Retrieve reads a customer. One that was deleted has only its ID and Deleted.
func (s Customers) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Customer, error) {
	return Get[Customer](ctx, s.c, "/v1/customers/{id}", nil, byID(id, opts)...)
}

// Update changes a customer.
func (s Customers) Update(ctx context.Context, id string, p CustomerUpdateParams, opts ...aplomb.CallOption) (*Customer, error) {
	return Post[Customer](ctx, s.c, "/v1/customers/{id}", p, byID(id, opts)...)
}

// Delete removes a customer for good and cancels the subscriptions they have.
func (s Customers) Delete(ctx context.Context, id string, opts ...aplomb.CallOption) (*Customer, error) {
	return Delete[Customer](ctx, s.c, "/v1/customers/{id}", nil, byID(id, opts)...)
}

// List ranges over customers, newest first. See [List].
func (s Customers) List(ctx context.Context, p CustomerListParams, opts ...aplomb.CallOption) iter.Seq2[*Customer, error] {
	return List[Customer](ctx, s.c, "/v1/customers", p, opts...)
}

// Search ranges over the customers that a query finds, such as
// "email:'ada@example.com'"; what was just created may take a minute to be found
// (https://docs.stripe.com/search).
func (s Customers) Search(ctx context.Context, p SearchParams, opts ...aplomb.CallOption) iter.Seq2[*Customer, error] {
	return Search[Customer](ctx, s.c, "/v1/customers/search", p, opts...)
}

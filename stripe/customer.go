package stripe

import (
	"context"
	"encoding/json"
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
	Metadata    map[string]string `json:"metadata"`
	// Balance is in minor units; negative is a credit.
	Balance    int64     `json:"balance"`
	Currency   string    `json:"currency"`
	Delinquent bool      `json:"delinquent"`
	Created    time.Time `json:"-"`
	Livemode   bool      `json:"livemode"`
	// Deleted says that only the ID is left.
	Deleted bool `json:"deleted"`
	// Raw is the whole object as it came.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads a customer and keeps it in Raw.
func (c *Customer) UnmarshalJSON(raw []byte) error {
	type plain Customer
	from := struct {
		*plain
		Created unix `json:"created"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(raw, &from); err != nil {
		return err
	}
	c.Created, c.Raw = from.Created.time(), keep(raw)
	return nil
}

// String is the id and the address, such as "customer cus_1 ada@example.com".
func (c Customer) String() string { return strings.TrimSpace("customer " + c.ID + " " + c.Email) }

// CustomerParams are the parameters of a new customer. A zero field is not sent.
type CustomerParams struct {
	Email       string `form:"email"`
	Name        string `form:"name"`
	Description string `form:"description"`
	Phone       string `form:"phone"`
	// PaymentMethod is the id of one to attach, such as "pm_card_visa".
	PaymentMethod string `form:"payment_method"`
	// Metadata holds up to 50 pairs of your own: names of 40, values of 500
	// characters (https://docs.stripe.com/api/metadata).
	Metadata map[string]string `form:"metadata"`
	// Extra are parameters that have no field here, such as "address[city]". They
	// are sent as they are.
	Extra url.Values `form:"*"`
}

// Customers creates and reads customers.
type Customers struct{ api *aplomb.Client }

// Create makes a customer.
func (s Customers) Create(ctx context.Context, p CustomerParams, opts ...aplomb.CallOption) (*Customer, error) {
	return one(aplomb.Post[Customer](ctx, s.api, "/v1/customers", form(p, opts)...))
}

// Retrieve reads a customer. One that was deleted has only its ID and Deleted.
func (s Customers) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Customer, error) {
	return one(aplomb.Get[Customer](ctx, s.api, "/v1/customers/{id}", byID(id, opts)...))
}

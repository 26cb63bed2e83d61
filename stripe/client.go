package stripe

import (
	"errors"

	"github.com/aplomb-go/aplomb"
)

// DefaultURL is where [New] sends requests.
const DefaultURL = "https://api.stripe.com"

// Client calls Stripe. [New] makes it; it is safe for concurrent use.
type Client struct {
	// Customers are https://docs.stripe.com/api/customers.
	Customers Customers
	// PaymentIntents are https://docs.stripe.com/api/payment_intents.
	PaymentIntents PaymentIntents
	// Charges are https://docs.stripe.com/api/charges.
	Charges Charges

	api *aplomb.Client
}

// New returns a client that authenticates with key, a secret key such as
// aplomb.Env("STRIPE_SECRET_KEY"). The options come after [Preset], so they
// win. A faulty option or a missing key is an error that says how to mend it.
func New(key aplomb.SecretSource, opts ...aplomb.Option) (*Client, error) {
	return NewAt(DefaultURL, key, opts...)
}

// NewAt is [New] for another base URL: stripe-mock, a fake or a proxy. The key
// goes to that origin only.
func NewAt(baseURL string, key aplomb.SecretSource, opts ...aplomb.Option) (*Client, error) {
	if key == nil {
		return nil, errors.New(`stripe: no key: give aplomb.Env("STRIPE_SECRET_KEY") or another aplomb.SecretSource`)
	}
	api, err := aplomb.New(baseURL, append([]aplomb.Option{Preset(), aplomb.Bearer(key)}, opts...)...)
	if err != nil {
		return nil, err
	}
	return &Client{Customers: Customers{api}, PaymentIntents: PaymentIntents{api}, Charges: Charges{api}, api: api}, nil
}

// API is the client underneath, for endpoints that have no method here:
//
//	refund, err := aplomb.Post[Refund](ctx, sc.API(), "/v1/refunds", aplomb.Form(url.Values{"charge": {id}}))
func (c *Client) API() *aplomb.Client { return c.api }

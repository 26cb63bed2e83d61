package stripe

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// The hosts of the Stripe API.
const (
	// APIURL is where [New] sends requests.
	APIURL = "https://api.stripe.com"
	// FilesURL is where [New] sends uploads, and fetches files from.
	FilesURL = "https://files.stripe.com"
	// ConnectURL serves OAuth for Connect: give it to aplomb.BaseURL.
	ConnectURL = "https://connect.stripe.com"
)

// Client calls Stripe. [New] makes it; it is safe for concurrent use.
type Client struct {
	// Balance is https://docs.stripe.com/api/balance.
	Balance Balances
	// BalanceTransactions are https://docs.stripe.com/api/balance_transactions.
	BalanceTransactions BalanceTransactions
	// BillingPortalSessions are https://docs.stripe.com/api/customer_portal/sessions.
	BillingPortalSessions BillingPortalSessions
	// Charges are https://docs.stripe.com/api/charges.
	Charges Charges
	// CheckoutSessions are https://docs.stripe.com/api/checkout/sessions.
	CheckoutSessions CheckoutSessions
	// Customers are https://docs.stripe.com/api/customers.
	Customers Customers
	// Disputes are https://docs.stripe.com/api/disputes.
	Disputes Disputes
	// Events are https://docs.stripe.com/api/events.
	Events Events
	// Invoices are https://docs.stripe.com/api/invoices.
	Invoices Invoices
	// PaymentIntents are https://docs.stripe.com/api/payment_intents.
	PaymentIntents PaymentIntents
	// PaymentMethods are https://docs.stripe.com/api/payment_methods.
	PaymentMethods PaymentMethods
	// Prices are https://docs.stripe.com/api/prices.
	Prices Prices
	// Products are https://docs.stripe.com/api/products.
	Products Products
	// Refunds are https://docs.stripe.com/api/refunds.
	Refunds Refunds
	// SetupIntents are https://docs.stripe.com/api/setup_intents.
	SetupIntents SetupIntents
	// Subscriptions are https://docs.stripe.com/api/subscriptions.
	Subscriptions Subscriptions
	// WebhookEndpoints are https://docs.stripe.com/api/webhook_endpoints.
	WebhookEndpoints WebhookEndpoints

	api   *aplomb.Client
	files string // base URL of what goes to FilesURL
}

// New returns a client that authenticates with key, a secret key such as
// aplomb.Env("STRIPE_SECRET_KEY"). The options come after [Preset] and the rate
// of the key's mode, so they win. A faulty option or a missing key is an error
// that says how to mend it.
//
// Stripe allows 100 requests a second in live mode and 25 in a sandbox
// (https://docs.stripe.com/rate-limits), and says so in no header, so the client
// keeps to that by itself. A key that is at hand, such as aplomb.Env's, tells its
// mode; any other counts as live. aplomb.RateLimit{PerSecond: 25} says otherwise.
func New(key aplomb.SecretSource, opts ...aplomb.Option) (*Client, error) {
	return newClient(APIURL, FilesURL, key, Key(key), opts)
}

// NewAt is [New] for another base URL: stripe-mock, a fake or a proxy. Uploads go
// there too, and the key nowhere else. The rate of the key's mode holds there as
// well: for a fake give aplomb.NoRateLimit().
func NewAt(baseURL string, key aplomb.SecretSource, opts ...aplomb.Option) (*Client, error) {
	return newClient(baseURL, baseURL, key, aplomb.Bearer(key), opts)
}

func newClient(baseURL, files string, key aplomb.SecretSource, auth aplomb.Option, opts []aplomb.Option) (*Client, error) {
	if key == nil {
		return nil, errors.New(`stripe: no key: give aplomb.Env("STRIPE_SECRET_KEY") or another aplomb.SecretSource`)
	}
	rate, err := rateOf(key)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(files); err == nil && u.User != nil { // aplomb.New makes Basic authentication of it
		u.User = nil
		files = u.String()
	}
	api, err := aplomb.New(baseURL, slices.Concat([]aplomb.Option{Preset(), rate, auth}, opts)...)
	if err != nil {
		return nil, err
	}
	return over(api, files), nil
}

// over is the one place that knows all of Stripe's resources.
func over(api *aplomb.Client, files string) *Client {
	c := &Client{api: api, files: files}
	c.Balance, c.BalanceTransactions = Balances{c}, BalanceTransactions{c}
	c.BillingPortalSessions, c.CheckoutSessions = BillingPortalSessions{c}, CheckoutSessions{c}
	c.Charges, c.Customers = Charges{c}, Customers{c}
	c.Disputes, c.Events, c.Invoices = Disputes{c}, Events{c}, Invoices{c}
	c.PaymentIntents, c.PaymentMethods = PaymentIntents{c}, PaymentMethods{c}
	c.Prices, c.Products = Prices{c}, Products{c}
	c.Refunds, c.SetupIntents = Refunds{c}, SetupIntents{c}
	c.Subscriptions, c.WebhookEndpoints = Subscriptions{c}, WebhookEndpoints{c}
	return c
}

// With returns a client with opts laid over c's, such as [Account]. It shares
// c's connections and limits, unless opts name those.
func (c *Client) With(opts ...aplomb.Option) (*Client, error) {
	api, err := c.API().With(opts...)
	if err != nil {
		return nil, err
	}
	return over(api, c.files), nil
}

// API is the client underneath: to give to an official SDK, or for what [Get]
// and its siblings do not do.
func (c *Client) API() *aplomb.Client {
	if c == nil {
		return nil
	}
	return c.api
}

// rateOf is the rate that Stripe allows, by the key's mode.
func rateOf(key aplomb.SecretSource) (aplomb.Option, error) {
	secret, known := aplomb.AtHand(key)
	switch {
	case known && strings.HasPrefix(secret.Reveal(), "pk_"):
		return nil, errors.New("stripe: the key is a publishable one, for browsers: a server needs a secret key, which begins sk_ or rk_")
	case known && strings.Contains(secret.Reveal(), "_test_"):
		return aplomb.RateLimit{PerSecond: sandboxRate}, nil
	default:
		return aplomb.RateLimit{PerSecond: liveRate}, nil
	}
}

// Requests a second (https://docs.stripe.com/rate-limits).
const (
	liveRate    = 100
	sandboxRate = 25
)

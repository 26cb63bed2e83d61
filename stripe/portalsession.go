package stripe

import (
	"context"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// BillingPortalSession lets a customer into the portal, where they see to their
// invoices, subscriptions and payment methods
// (https://docs.stripe.com/api/customer_portal/sessions/object).
type BillingPortalSession struct {
	ID string `json:"id"`
	// URL logs in whoever opens it, as the customer, for some minutes: hence a
	// secret. Redirect the customer to its Reveal at once, in no email and no log.
	URL aplomb.Secret `json:"url"`
	// Customer is an id.
	Customer      string          `json:"customer"`
	ReturnURL     string          `json:"return_url"`
	Configuration Expandable[Raw] `json:"configuration"`
	Created       time.Time       `json:"created"`
	Livemode      bool            `json:"livemode"`
	// Raw is the whole object as it came, the link included.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a portal session and keeps it in Raw.
func (b *BillingPortalSession) UnmarshalJSON(raw []byte) error { return decode(raw, b) }

// String is the ids, such as "billing portal session bps_1 of cus_1".
func (b BillingPortalSession) String() string {
	return "billing portal session " + b.ID + " of " + b.Customer
}

// BillingPortalSessionCreateParams say who to let in. A zero field is not sent.
type BillingPortalSessionCreateParams struct {
	// Customer is an id.
	Customer string `form:"customer"`
	// ReturnURL is where the portal's way back leads to; "" is the configuration's.
	ReturnURL string `form:"return_url"`
	// Configuration is the id of what the portal offers; "" is the default one.
	Configuration string `form:"configuration"`
	// Locale is a language such as "de"; "" and "auto" are the browser's.
	Locale string `form:"locale"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here, such as "flow_data[type]".
	// They are sent as they are.
	Extra url.Values `form:"*"`
}

// BillingPortalSessions let customers into the portal.
type BillingPortalSessions struct{ c *Client }

// Create lets a customer into the portal. Who they are is for you to know first.
func (s BillingPortalSessions) Create(ctx context.Context, p BillingPortalSessionCreateParams, opts ...aplomb.CallOption) (*BillingPortalSession, error) {
	return Post[BillingPortalSession](ctx, s.c, "/v1/billing_portal/sessions", p, opts...)
}

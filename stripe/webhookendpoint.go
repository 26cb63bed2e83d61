package stripe

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// WebhookEndpoint is where Stripe sends events to
// (https://docs.stripe.com/api/webhook_endpoints/object).
type WebhookEndpoint struct {
	ID  string `json:"id"`
	URL string `json:"url"`
	// Status is enabled or disabled.
	Status string `json:"status"`
	// EnabledEvents are the types that are sent, such as "charge.refunded"; "*" is
	// nearly all.
	EnabledEvents []string `json:"enabled_events"`
	// APIVersion is that of the events; "" is the account's.
	APIVersion  string `json:"api_version"`
	Description string `json:"description"`
	// Secret signs the events. Stripe gives it once, to who creates the endpoint:
	// keep what Reveal gives where your secrets are.
	Secret   aplomb.Secret     `json:"secret"`
	Metadata map[string]string `json:"metadata"`
	Created  time.Time         `json:"created"`
	Livemode bool              `json:"livemode"`
	// Deleted says that only the ID is left.
	Deleted bool `json:"deleted"`
	// Raw is the whole object as it came, the secret included.
	Raw Raw `json:"-"`
}

// UnmarshalJSON reads a webhook endpoint and keeps it in Raw.
func (w *WebhookEndpoint) UnmarshalJSON(raw []byte) error { return decode(raw, w) }

// String is the id and status, such as "webhook endpoint we_1 enabled".
func (w WebhookEndpoint) String() string {
	return strings.TrimSpace("webhook endpoint " + w.ID + " " + w.Status)
}

// WebhookEndpointCreateParams are the parameters of a new webhook endpoint. A
// zero field is not sent.
type WebhookEndpointCreateParams struct {
	// URL is https, but for a sandbox's.
	URL string `form:"url"`
	// EnabledEvents are the types to send, such as "charge.refunded"; "*" is nearly
	// all.
	EnabledEvents []string `form:"enabled_events"`
	// APIVersion is that of the events, such as [Version]; "" is the account's.
	APIVersion string `form:"api_version"`
	// Connect says that the events are those of connected accounts, not of this
	// one.
	Connect     bool   `form:"connect"`
	Description string `form:"description"`
	// Metadata holds up to 50 pairs of your own.
	Metadata map[string]string `form:"metadata"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// WebhookEndpointUpdateParams change a webhook endpoint. A zero field is not sent
// and so stays as it is; [Clear] unsets it.
type WebhookEndpointUpdateParams struct {
	URL string `form:"url"`
	// EnabledEvents replace those there are.
	EnabledEvents []string `form:"enabled_events"`
	// Disabled new(true) stops the sending, new(false) takes it up again.
	Disabled    *bool  `form:"disabled"`
	Description string `form:"description"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// WebhookEndpoints are where Stripe sends events to.
type WebhookEndpoints struct{ c *Client }

// Create makes a webhook endpoint; it alone gives the Secret.
func (s WebhookEndpoints) Create(ctx context.Context, p WebhookEndpointCreateParams, opts ...aplomb.CallOption) (*WebhookEndpoint, error) {
	return Post[WebhookEndpoint](ctx, s.c, "/v1/webhook_endpoints", p, opts...)
}

// Retrieve reads a webhook endpoint, without its Secret.
func (s WebhookEndpoints) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*WebhookEndpoint, error) {
	return Get[WebhookEndpoint](ctx, s.c, "/v1/webhook_endpoints/{id}", nil, byID(id, opts)...)
}

// Update changes a webhook endpoint.
func (s WebhookEndpoints) Update(ctx context.Context, id string, p WebhookEndpointUpdateParams, opts ...aplomb.CallOption) (*WebhookEndpoint, error) {
	return Post[WebhookEndpoint](ctx, s.c, "/v1/webhook_endpoints/{id}", p, byID(id, opts)...)
}

// Delete removes a webhook endpoint.
func (s WebhookEndpoints) Delete(ctx context.Context, id string, opts ...aplomb.CallOption) (*WebhookEndpoint, error) {
	return Delete[WebhookEndpoint](ctx, s.c, "/v1/webhook_endpoints/{id}", nil, byID(id, opts)...)
}

// List ranges over webhook endpoints, newest first. See [List].
func (s WebhookEndpoints) List(ctx context.Context, p ListParams, opts ...aplomb.CallOption) iter.Seq2[*WebhookEndpoint, error] {
	return List[WebhookEndpoint](ctx, s.c, "/v1/webhook_endpoints", p, opts...)
}

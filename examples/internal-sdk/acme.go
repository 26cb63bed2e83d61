// Package acme is a small company SDK, made to be copied: what every service
// must do alike when it calls the order API (version, credential, error type,
// paging, keys) is said once, here, and the rest is aplomb's.
//
//	c, err := acme.New("https://orders.acme.example", aplomb.Env("ACME_TOKEN"))
//	...
//	order, err := c.CreateOrder(ctx, acme.Order{ID: "o-7", SKU: "mug", Quantity: 2})
package acme

import (
	"context"
	"errors"
	"iter"

	"github.com/aplomb-go/aplomb"
)

// Version is the X-Api-Version that every request carries: an SDK is written
// against one version, and moves on by a release.
const Version = "2026-01"

// Client calls the order API. New makes it; it is safe for concurrent use.
type Client struct{ api *aplomb.Client }

// New returns a client for the API at baseURL. opts come after the preset, so a
// service can change what the company has set, and add its own logger or hooks.
func New(baseURL string, token aplomb.SecretSource, opts ...aplomb.Option) (*Client, error) {
	if token == nil {
		return nil, errors.New(`acme: no token: give aplomb.Env("ACME_TOKEN") or another aplomb.SecretSource`)
	}
	api, err := aplomb.New(baseURL, Preset(token), aplomb.Options(opts...))
	if err != nil {
		return nil, err
	}
	return &Client{api}, nil
}

// Preset is what makes an aplomb client one of this company's, for calls that
// have no method here.
func Preset(token aplomb.SecretSource) aplomb.Option {
	return aplomb.Options(
		aplomb.Name("acme"),
		aplomb.Bearer(token),
		aplomb.Header("X-Api-Version", Version),
		aplomb.ErrorDecoder(decodeError),
	)
}

// Order is an order of one article.
type Order struct {
	// ID is given by whoever orders, and names the order for ever.
	ID       string `json:"id"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Status   string `json:"status,omitempty"`
}

// CreateOrder places o. The order's own id is the idempotency key: however
// often it is sent, by a retry or by a program that starts over, there is one
// order.
func (c *Client) CreateOrder(ctx context.Context, o Order) (Order, error) {
	return aplomb.Post[Order](ctx, c.api, "/v1/orders", aplomb.JSON(o), aplomb.IdempotencyKey(o.ID))
}

// Order reads one order.
func (c *Client) Order(ctx context.Context, id string) (Order, error) {
	return aplomb.Get[Order](ctx, c.api, "/v1/orders/{id}", aplomb.Path("id", id))
}

// Orders ranges over all orders, oldest first, and fetches a page when the loop
// gets there. An error is yielded once and ends the loop.
func (c *Client) Orders(ctx context.Context) iter.Seq2[Order, error] {
	return aplomb.Items[Order](ctx, c.api, "/v1/orders", aplomb.ByCursor{Items: "orders", Field: "next"})
}

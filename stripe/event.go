package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Event is something that happened: what a webhook delivers and [Events] list
// (https://docs.stripe.com/api/events/object). [ParseEvent] reads a delivery,
// [Handlers] hand it to a function of its type.
type Event struct {
	ID string `json:"id"`
	// Type is what happened, such as "payment_intent.succeeded".
	Type string `json:"type"`
	// APIVersion is the one that Data was written in: the webhook endpoint's or
	// the account's own, whatever the client's Stripe-Version.
	APIVersion string `json:"api_version"`
	// Account is the connected account it happened in, "" for your own.
	Account string `json:"account"`
	// Context is what [Context] takes to read on in the account it happened in.
	Context string    `json:"context"`
	Data    EventData `json:"data"`
	// Request is the API request that made it happen, if one did.
	Request EventRequest `json:"request"`
	// RelatedObject is what a thin event is about, of which it says no more:
	// [Related] fetches it. Nil for others
	// (https://docs.stripe.com/event-destinations#thin-events).
	RelatedObject *RelatedObject `json:"related_object"`
	// PendingWebhooks is how many deliveries have not been answered.
	PendingWebhooks int       `json:"pending_webhooks"`
	Created         time.Time `json:"created"`
	Livemode        bool      `json:"livemode"`
	// Raw is the whole event as it came: keep it to read the event again.
	Raw Raw `json:"-"`
}

// EventData is what an event is about.
type EventData struct {
	// Object is the object as it was then, in the event's APIVersion. There is none
	// in a thin event.
	Object Raw `json:"object"`
	// PreviousAttributes are the old values of what an update changed.
	PreviousAttributes Raw `json:"previous_attributes"`
}

// EventRequest is the API request that made an event happen.
type EventRequest struct {
	ID             string `json:"id"`
	IdempotencyKey string `json:"idempotency_key"`
}

// UnmarshalJSON reads a request, or its id alone, as versions before 2017 wrote.
func (r *EventRequest) UnmarshalJSON(raw []byte) error {
	if kind(raw) == "string" {
		return json.Unmarshal(raw, &r.ID)
	}
	type plain EventRequest
	return decode(raw, (*plain)(r))
}

// RelatedObject names the object that a thin event is about.
type RelatedObject struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// URL is its path in the API.
	URL string `json:"url"`
}

// UnmarshalJSON reads an event and keeps it in Raw.
func (e *Event) UnmarshalJSON(raw []byte) error { return decode(raw, e) }

// String is the id and type, such as "event evt_1 invoice.paid".
func (e Event) String() string { return "event " + shown(e.ID) + " " + shown(e.Type) }

// LogValue is what slog prints.
func (e Event) LogValue() slog.Value { return slog.StringValue(e.String()) }

// ParseEvent reads an event from the body of a webhook's request, of either
// kind: with its object, or thin. It checks no signature: package webhook does that
// first, and answers Stripe.
//
//	http.Handle("/stripe", &webhook.Handler{
//		Source: "stripe",
//		Scheme: webhook.Stripe(webhook.Secret{Key: aplomb.Reveal(aplomb.Env("STRIPE_WEBHOOK_SECRET"))}),
//		Sink:   in, // an inbox, which hands its events on, once they are durable
//	})
//	...
//	func handle(ctx context.Context, body []byte) error { // of an event of the inbox
//		event, err := stripe.ParseEvent(body)
//		if err != nil {
//			return err
//		}
//		return handlers.Handle(ctx, event)
//	}
//
// An event of any API version is read; what its object then lacks or has besides
// is up to who reads it.
func ParseEvent(body []byte) (*Event, error) {
	e := new(Event)
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("stripe: the body is no event: %w", err)
	}
	if e.ID == "" || e.Type == "" {
		return nil, errors.New("stripe: the body is no event: it has no id or no type")
	}
	return e, nil
}

// Related fetches what a thin event is about, in the account it happened in. A
// v2 object needs [APIVersion] with a version that has it.
func Related[T any](ctx context.Context, c *Client, e *Event, opts ...aplomb.CallOption) (*T, error) {
	if e == nil || e.RelatedObject == nil {
		return nil, errors.New("stripe: Related: the event names no related object: its object is in Data")
	}
	path, id := e.RelatedObject.URL, e.RelatedObject.ID
	if !strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/v2/") || strings.ContainsAny(path, "%\\") {
		return nil, errors.New("stripe: Related: the event's url is no path of the API")
	}
	own := []aplomb.CallOption{aplomb.Header("Stripe-Request-Trigger", "event="+e.ID)}
	if e.Context != "" {
		own = append(own, Context(e.Context))
	}
	if template, ok := strings.CutSuffix(path, "/"+id); ok && id != "" {
		path, own = template+"/{id}", append(own, aplomb.Path("id", id)) // one name for all events of a type
	}
	return Get[T](ctx, c, path, nil, append(own, opts...)...)
}

// EventListParams narrow a list of events. A zero field is not sent.
type EventListParams struct {
	// Type is one type, such as "invoice.paid" or "invoice.*"; Types are up to 20,
	// without stars.
	Type  string   `form:"type"`
	Types []string `form:"types"`
	// DeliverySuccess new(false) are those that a webhook has not taken.
	DeliverySuccess *bool     `form:"delivery_success"`
	Created         TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Events are what happened in the last 30 days.
type Events struct{ c *Client }

// Retrieve reads an event.
func (s Events) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Event, error) {
	return Get[Event](ctx, s.c, "/v1/events/{id}", nil, byID(id, opts)...)
}

// List ranges over events, newest first. With EndingBefore it ranges from that
// event on in the order they happened, as a poller wants it. See [List].
func (s Events) List(ctx context.Context, p EventListParams, opts ...aplomb.CallOption) iter.Seq2[*Event, error] {
	return List[Event](ctx, s.c, "/v1/events", p, opts...)
}

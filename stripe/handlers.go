package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Handlers hand events to functions by their type. The zero value has none;
// [On] adds them, before the first event comes.
//
//	var h stripe.Handlers
//	stripe.On(&h, stripe.EventInvoicePaid, func(ctx context.Context, e *stripe.Event, invoice *stripe.Invoice) error {
//		return ship(ctx, invoice)
//	})
//	...
//	err := h.Handle(ctx, event)
//
// An event may come more than once and out of order: a function whose effect
// must happen once remembers the event's ID.
type Handlers struct {
	// Other takes the events that no function was added for. Nil: nothing is done
	// with them, since Stripe sends what its dashboard says, not what a program
	// knows.
	Other func(ctx context.Context, e *Event) error
	// Client fetches, by [Related], the objects of thin events, which say no more
	// than that something happened. Nil: a thin event is an error.
	Client *Client

	byType map[string][]func(ctx context.Context, e *Event) error
}

// On adds f for events of a type, and for their thin twins, whose types begin with
// "v1.". object is what the event says of it, in the event's APIVersion, or for a
// thin event what h.Client then finds. Several functions of one type run in the
// order they were added, up to the first error.
func On[T any](h *Handlers, typ EventType[T], f func(ctx context.Context, e *Event, object *T) error) {
	if h.byType == nil {
		h.byType = map[string][]func(context.Context, *Event) error{}
	}
	h.byType[string(typ)] = append(h.byType[string(typ)], func(ctx context.Context, e *Event) error {
		if f == nil {
			return fmt.Errorf("stripe: On: the function for %s is nil", typ)
		}
		object, err := objectOf[T](ctx, h.Client, e)
		if err != nil {
			return err
		}
		return f(ctx, e, object)
	})
}

func objectOf[T any](ctx context.Context, c *Client, e *Event) (*T, error) {
	switch {
	case e.Data.Object.JSON() == nil && e.RelatedObject != nil && c != nil:
		return Related[T](ctx, c, e)
	case e.Data.Object.JSON() == nil:
		return nil, fmt.Errorf("stripe: %v holds no object: for thin events set Handlers.Client", e)
	}
	object := new(T)
	if err := json.Unmarshal(e.Data.Object.JSON(), object); err != nil {
		return nil, fmt.Errorf("stripe: %v of API version %s: its object is no %T: %w", e, shown(e.APIVersion), *object, err)
	}
	return object, nil
}

// Handle hands e to the functions of its type, and returns the first error.
func (h *Handlers) Handle(ctx context.Context, e *Event) error {
	if e == nil {
		return errors.New("stripe: Handle: nil event")
	}
	functions, ok := h.byType[e.Type]
	if !ok && e.RelatedObject != nil { // the thin twin of an event of v1
		functions, ok = h.byType[strings.TrimPrefix(e.Type, "v1.")]
	}
	if !ok && h.Other != nil {
		return h.Other(ctx, e)
	}
	for _, f := range functions {
		if err := f(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Types are the types that functions were added for, sorted: what a webhook
// endpoint is to be sent.
func (h *Handlers) Types() []string { return sortedKeys(h.byType) }

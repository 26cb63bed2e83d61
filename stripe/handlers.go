package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// EventType is the type of the events that are about a T. There is one for each
// event of this package's objects, such as [PaymentIntentSucceeded]; for another
// write your own:
//
//	const TopupSucceeded stripe.EventType[Topup] = "topup.succeeded"
type EventType[T any] string

// Handlers hand events to functions by their type. The zero value has none;
// [On] adds them, before the first event comes.
//
//	var h stripe.Handlers
//	stripe.On(&h, stripe.InvoicePaid, func(ctx context.Context, e *stripe.Event, invoice *stripe.Invoice) error {
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

	byType map[string][]func(ctx context.Context, e *Event) error
}

// On adds f for events of a type, and for their thin twins, whose types begin with
// "v1.". object is what the event says of it, in the event's APIVersion, and nil in
// a thin event: [Related] fetches it. Several functions of one type run in the order
// they were added, up to the first error.
func On[T any](h *Handlers, typ EventType[T], f func(ctx context.Context, e *Event, object *T) error) {
	if h.byType == nil {
		h.byType = map[string][]func(context.Context, *Event) error{}
	}
	h.byType[string(typ)] = append(h.byType[string(typ)], func(ctx context.Context, e *Event) error {
		object, err := objectOf[T](e)
		if err != nil {
			return err
		}
		return f(ctx, e, object)
	})
}

func objectOf[T any](e *Event) (*T, error) {
	if e.Data.Object == nil {
		return nil, nil //nolint:nilnil // documented at On: a thin event
	}
	object := new(T)
	if err := json.Unmarshal(e.Data.Object, object); err != nil {
		return nil, fmt.Errorf("stripe: event %s %s of API version %s: its object is no %T: %w", e.ID, e.Type, e.APIVersion, *object, err)
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

package aplombtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// keepEvents is how long GET /v1/events shows one (https://docs.stripe.com/api/events/list).
const keepEvents = 30 * 24 * time.Hour

// stripeEvent is https://docs.stripe.com/api/events/object.
type stripeEvent struct {
	ID              string             `json:"id"`
	Object          string             `json:"object"`
	APIVersion      string             `json:"api_version"`
	Created         int64              `json:"created"`
	Data            stripeEventData    `json:"data"`
	Livemode        bool               `json:"livemode"`
	PendingWebhooks int                `json:"pending_webhooks"`
	Request         stripeEventRequest `json:"request"`
	Type            string             `json:"type"`
}

// stripeEventData holds the object as it was then.
type stripeEventData struct {
	Object json.RawMessage `json:"object"`
}

// stripeEventRequest is the request that made it happen.
type stripeEventRequest struct {
	ID             string  `json:"id"`
	IdempotencyKey *string `json:"idempotency_key"`
}

func (e *stripeEvent) ident() string { return e.ID }
func (e *stripeEvent) made() int64   { return e.Created }

// happened notes that c has done something to an object.
func (s *Stripe) happened(c *stripeCall, kind string, object any) {
	event := &stripeEvent{
		ID: s.id("evt"), Object: "event", APIVersion: defaultStripeVersion, Created: c.now, Type: kind, PendingWebhooks: 1,
		Data: stripeEventData{encodeStripe(object)}, Request: stripeEventRequest{ID: c.request},
	}
	if c.key != "" {
		event.Request.IdempotencyKey = &c.key
	}
	s.events.add(event)
}

// Events returns what has happened so far, oldest first, as Stripe delivers it: for a
// [Sender], with or without the poller that reads GET /v1/events. What was seeded has
// not happened.
func (s *Stripe) Events() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages := make([]Message, len(s.events.order))
	for i, event := range s.events.order {
		messages[i].Body = encodeStripe(event)
	}
	return messages
}

func (s *Stripe) getEvent(c *stripeCall) (any, *stripeError) {
	event, ok := s.events.byID[c.id]
	if !ok || !event.kept(c.now) {
		return nil, errMissing("event", c.id, "id", http.StatusNotFound)
	}
	return event, nil
}

func (e *stripeEvent) kept(now int64) bool { return now-e.Created < int64(keepEvents/time.Second) }

// listEvents takes type, in which * stands for anything, or types[].
func (s *Stripe) listEvents(c *stripeCall) (any, *stripeError) {
	kind, kinds := c.form.get("type"), []string{}
	for _, name := range c.form.names() {
		if strings.HasPrefix(name, "types[") {
			kinds = append(kinds, c.form[name]...)
		}
	}
	if kind != "" && len(kinds) > 0 {
		return nil, errInvalidParam("types", "You may pass either type or types, but not both.")
	}
	before, after, wild := strings.Cut(kind, "*")
	return s.events.list(c, func(e *stripeEvent) bool {
		switch {
		case !e.kept(c.now):
			return false
		case len(kinds) > 0:
			return slices.Contains(kinds, e.Type)
		case wild:
			return strings.HasPrefix(e.Type, before) && strings.HasSuffix(e.Type, after)
		}
		return kind == "" || e.Type == kind
	})
}

package webhook

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/signature"
)

// Stripe is Stripe's scheme: see [signature.Stripe]. The secret is an endpoint's
// signing secret, "whsec_" included. While one is rolled Stripe signs with both,
// so the old one can be replaced at any time of the 24 hours.
//
// The key is the event's id, which GET /v1/events shows too, so that a feed
// of [Events] shares it. Of thin events the same holds. pending_webhooks, which
// counts down from one delivery to the next, is left out of the digest.
//
// [Events]: https://docs.stripe.com/api/events
func Stripe(secrets ...Secret) Scheme {
	s := newScheme("Stripe", secrets, hmacMethod(signature.Stripe())).reading(Fields{
		Key: "{body:/id}", Type: "{body:/type}", Occurred: "{body:/created}",
	})
	read := s.Read
	s.Read = func(d Delivery) ([]inbox.Event, error) {
		events, err := read(d)
		if err == nil {
			events[0].Digest = digestWithout(d.Body, "pending_webhooks")
		}
		return events, err
	}
	return s
}

// digestWithout is the hash of an object's members but one, in the order of their
// names; nil if it is no object.
func digestWithout(body []byte, name string) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	delete(members, name)
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(members)) {
		h.Write(strconv.AppendQuote(nil, key)) // so that it ends where it ends
		h.Write(members[key])
	}
	return h.Sum(nil)
}

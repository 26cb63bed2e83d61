// Package webhook takes in what other people's systems deliver: it verifies a
// delivery, hands its events to an inbox, and only then says that it got them.
//
// A shop answered its payment provider with 200 and handled the event after that,
// on a goroutine. On the evening of a sale it was restarted four times. Each
// restart forgot what was under way; nobody delivered it again, for it had been
// acknowledged. The provider's dashboard was green, and ninety parcels were not
// sent.
//
// Here the answer is 2xx when the events are durable, and anything else makes the
// sender come back. A whole receiver is
//
//	http.Handle("/stripe", &webhook.Handler{
//		Source: "stripe",
//		Scheme: webhook.Stripe(webhook.Secret{Key: aplomb.Reveal(aplomb.Env("STRIPE_WEBHOOK_SECRET"))}),
//		Sink:   in,
//	})
//
// where in is an inbox, which gives each event to a function of yours, once, and
// again if that fails. What [Handler] answers and why is written there.
//
// # Schemes
//
//	                  key                    known by                    time signed   also
//	Stripe            whsec_... as it is     body: id                    yes
//	GitHub            the secret             X-GitHub-Delivery           no            form-encoded ones too
//	Slack             signing secret         body: event_id              yes           answers url_verification
//	StandardWebhooks  whsec_ or whpk_        webhook-id                  yes           v1a: ed25519
//	Svix              whsec_ or whpk_        svix-id                     yes
//	Shopify           app's client secret    X-Shopify-Webhook-Id        no
//	Twilio            auth token, URL        I-Twilio-Idempotency-Token  no            SHA-1, the only one there is
//	Zoom              secret token           hash of its ids             yes           answers url_validation
//	Square            signature key, URL     body: event_id              no
//	CircleCI          the secret             body: id                    no
//	SendGrid          public key             sg_event_id of each         yes           many events in one
//	HMAC              your own               what you say                if you say so
//	Verifier          your own               what you say                your own      RFC 9421, for instance
//
// Every scheme refuses an empty secret, a signature or an id that is there twice,
// a time that is more than 5 minutes off, in the future as well, and a body that
// is another byte for byte. It is checked as it came: one that is compressed is
// verified, kept and handed on so, with its Content-Encoding. Where no time is
// signed nothing but the key tells an old delivery from a new one, and that mostly
// is not signed either: the inbox remembers keys for a week.
//
// # Rotation
//
// A scheme takes several secrets, with the times in which they are good. Give the
// new one beside the old one, have the sender change, and take the old one away
// when [AcceptedEvent] names it no more:
//
//	Scheme: webhook.GitHub(
//		webhook.Secret{Name: "new", Key: newKey},
//		webhook.Secret{Name: "old", Key: oldKey, NotAfter: friday}),
//
// A secret that cannot be had, because the secrets manager is down, is answered 503
// and not 401: the delivery may be good, and comes again.
//
// # By itself
//
// [Scheme.Verify] is the check alone, and the scheme's Read takes the events out.
// [Scheme.Sign] is the other side, for tests of your own.
package webhook

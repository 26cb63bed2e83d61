package webhook

import (
	"context"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// Hooks are functions called when something happens, for metrics, traces and
// tests. Any may be nil. They run before the answer goes out, so they should be
// quick; one that panics has the delivery not acknowledged. The context is the
// request's. No event holds a secret.
type Hooks struct {
	// Accepted reports a delivery whose events are durable.
	Accepted func(context.Context, AcceptedEvent)
	// Handshake reports a question of the sender's that was answered, such as
	// Slack's url_verification.
	Handshake func(context.Context, HandshakeEvent)
	// Refused reports a request that was not acknowledged.
	Refused func(context.Context, RefusedEvent)
}

// AcceptedEvent is a delivery whose events are durable.
type AcceptedEvent struct {
	// Source is the handler's, and Scheme the scheme's name.
	Source, Scheme string
	// Verified says which secret matched: an old one's rotation is done when it is
	// named no more.
	Verified Verified
	// Events are what was stored, and Outcomes what became of each: duplicates and
	// conflicts are among them. Both belong to the sink, and are not to be changed.
	Events   []inbox.Event
	Outcomes []inbox.Outcome
	// Elapsed is how long it took since the request had come.
	Elapsed time.Duration
}

// HandshakeEvent is a sender's question that was answered.
type HandshakeEvent struct {
	Source, Scheme string
	Verified       Verified
}

// RefusedEvent is a request that was not acknowledged.
type RefusedEvent struct {
	Source, Scheme string
	// Status is the answer's, and Reason why.
	Status int
	Reason Reason
	// Err says more, for people. The sender has been told nothing of it.
	Err     error
	Elapsed time.Duration
}

// Reason is why a request was not acknowledged, in few words: a metric's label.
type Reason string

// The reasons, with the status that answers them.
const (
	ReasonMethod    Reason = "method"    // 405: not a POST
	ReasonTooLarge  Reason = "too_large" // 413: more than MaxBody, which was not hashed
	ReasonBody      Reason = "body"      // 400, or 408: the body broke off
	ReasonSignature Reason = "signature" // 401: no secret has signed it
	ReasonStale     Reason = "stale"     // 401: signed too long ago, or in the future
	ReasonMalformed Reason = "malformed" // 400: well signed, and cannot be read
	ReasonSecret    Reason = "secret"    // 503: a secret cannot be had or is no key
	ReasonFull      Reason = "full"      // 503: the sink or the handler has no room
	ReasonDeadline  Reason = "deadline"  // 503: not durable in time; it may still be stored
	ReasonStore     Reason = "store"     // 503: the sink failed
	ReasonClosed    Reason = "closed"    // 503: the handler was closed
	ReasonSettings  Reason = "settings"  // 500: the settings are wrong, and nothing is accepted
	ReasonFault     Reason = "fault"     // 500: a function of yours failed or panicked
)

package poll

import (
	"context"
	"time"
)

// Hooks are functions called when something happens to a feed, for metrics and
// tests. Any may be nil. They run in the feed's loop, so they should be quick.
type Hooks struct {
	// Polled comes after each round, also one that failed.
	Polled func(context.Context, PollEvent)
	// Missed comes for each event that a webhook should have brought and has not:
	// see [Feed.Webhook].
	Missed func(context.Context, MissedEvent)
	// Lease comes when the feed takes its cursor's lease, loses it, and gives it
	// back.
	Lease func(context.Context, LeaseEvent)
}

// PollEvent is a round of a feed.
type PollEvent struct {
	// Feed is the feed's name.
	Feed    string
	Start   time.Time
	Elapsed time.Duration
	// Pages is how many pages were read, and Requests how many requests that took.
	Pages, Requests int
	// NotModified says that the server had nothing new: 304.
	NotModified bool
	// Found counts the items that the feed had not read before; New those of them
	// that no webhook had brought either.
	Found, New int
	// Missed counts the events of which it turned out that the webhook missed them.
	Missed int
	// Delay is how long it is until the next round, and Why says what decided that.
	Delay time.Duration
	Why   Why
	// Err is why the round failed; its cursor stayed where it was.
	Err error
}

// MissedEvent is an event that came by poll and not by webhook.
type MissedEvent struct {
	// Feed is the feed's name, Key the event's.
	Feed, Key string
	// After is how long the webhook had at least.
	After time.Duration
}

// LeaseEvent is a change of who polls.
type LeaseEvent struct {
	// Feed is the feed's name, Owner the name that this process holds leases by.
	Feed, Owner string
	// Held says that this process polls from now on.
	Held bool
	// Err is why the lease is held no longer; nil if it was given back.
	Err error
}

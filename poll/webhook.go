package poll

import (
	"slices"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// webhooks is what a feed knows of the webhook beside it.
type webhooks struct {
	expected bool
	grace    time.Duration
	// healthy says that it delivered of late, and has missed nothing since.
	healthy bool
	// held are events that the feed found first and that wait for the webhook. They
	// are forgotten with the process: then a miss goes untold, nothing else.
	held []held
}

// held is an event that was held for the webhook.
type held struct {
	event inbox.Event
	since time.Time
}

// maxHeld bounds how many are watched (law 7).
const maxHeld = 1000

// batch is what a commit takes in: events that are fresh, and after them those
// that were held long enough. To insert one of these again changes nothing, and
// tells how it came.
type batch struct {
	events  []inbox.Event
	fresh   int
	probes  []held
	age     []time.Duration // of the fresh ones; -1 unknown
	started bool
}

func (w *webhooks) batch(events []inbox.Event, serverNow time.Time, started bool) batch {
	if w.expected && !started {
		events = slices.DeleteFunc(events, func(e inbox.Event) bool {
			return !e.Occurred.IsZero() && serverNow.Sub(e.Occurred) > beforeFeed
		})
	}
	b := batch{events: events, fresh: len(events), started: started}
	if !w.expected {
		return b
	}
	for i := range events {
		age := time.Duration(-1)
		if at := events[i].Occurred; !at.IsZero() {
			age = max(0, serverNow.Sub(at))
		}
		b.age = append(b.age, age)
		if w.healthy && age <= w.grace {
			events[i].Hold = w.grace
		}
	}
	now := time.Now()
	for i := range w.held {
		if h := &w.held[i]; now.Sub(h.since) >= w.grace {
			b.probes = append(b.probes, *h)
			b.events = append(b.events, h.event)
		}
	}
	return b
}

// beforeFeed is how far back a feed begins beside a webhook: what that has brought
// longer ago the inbox may have forgotten, and would handle again.
const beforeFeed = 6 * 24 * time.Hour

// stored counts the fresh events that were the first with their keys.
func (b *batch) stored(done []inbox.Outcome) (n int) {
	for i := range min(b.fresh, len(done)) {
		if done[i].Status == inbox.Stored {
			n++
		}
	}
	return n
}

// learn draws its conclusions from a commit, and returns what the webhook missed.
func (w *webhooks) learn(b batch, done []inbox.Outcome) (missed []MissedEvent) {
	if !w.expected || len(done) != len(b.events) {
		return nil
	}
	now, delivered := time.Now(), false
	w.held = w.held[len(b.probes):] // the oldest are due first
	for i := range b.events {
		e, out := &b.events[i], done[i]
		switch {
		case out.Via == inbox.Webhook:
			delivered = true
		case i >= b.fresh:
			missed = append(missed, MissedEvent{Key: e.Key, After: now.Sub(b.probes[i-b.fresh].since)})
		case out.Status != inbox.Stored: // by an earlier round
		case e.Hold > 0 && len(w.held) < maxHeld:
			w.held = append(w.held, held{*e, now})
		case b.age[i] > w.grace && b.started: // what was there before the feed may be older than the webhook
			missed = append(missed, MissedEvent{Key: e.Key, After: b.age[i]})
		}
	}
	w.healthy = len(missed) == 0 && (w.healthy || delivered)
	return missed
}

// soon is when the next of those that are held is due.
func (w *webhooks) soon() time.Duration {
	if len(w.held) == 0 {
		return 0
	}
	return max(time.Nanosecond, w.grace-time.Since(w.held[0].since))
}

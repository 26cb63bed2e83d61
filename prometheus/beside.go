package prometheus

import (
	"context"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// Tokens is for [aplomb.Tokens].Watch: it shows how long the client with that name
// can go on while no token is to be had.
func (m *Metrics) Tokens(client string) func(aplomb.TokenEvent) {
	name := m.client(client).name
	ok, failed := m.refreshes.WithLabelValues(name, "ok"), m.refreshes.WithLabelValues(name, "error")
	return func(e aplomb.TokenEvent) {
		switch {
		case e.Err != nil:
			failed.Inc() // the old one is in use until its end
		case e.Expiry.IsZero():
			ok.Inc()
			m.expiry.DeleteLabelValues(name)
		default:
			ok.Inc()
			m.expiry.WithLabelValues(name).Set(seconds(e.Expiry))
		}
	}
}

// Webhook is for [webhook.Handler].Hooks. An event is counted by its
// [inbox.Status]; a question of the sender's as "handshake"; a delivery that was
// refused by its [webhook.Reason], such as "refused_signature".
func (m *Metrics) Webhook() webhook.Hooks {
	return webhook.Hooks{
		Accepted: func(_ context.Context, e webhook.AcceptedEvent) {
			for i := range e.Outcomes {
				m.hooked.of(string(e.Outcomes[i].Status)).Inc()
			}
		},
		Handshake: func(context.Context, webhook.HandshakeEvent) { m.hooked.of("handshake").Inc() },
		Refused:   func(_ context.Context, e webhook.RefusedEvent) { m.hooked.of("refused_" + string(e.Reason)).Inc() },
	}
}

// Inbox is for [inbox.Settings].Hooks: it counts the events that were known
// already.
func (m *Metrics) Inbox() inbox.Hooks {
	return inbox.Hooks{Inserted: func(_ context.Context, e inbox.InsertEvent) {
		if e.Outcome.Status == inbox.Duplicate {
			m.dropped.of(e.Source).Inc()
		}
	}}
}

// Cache is for [cache.Settings].Answered.
func (m *Metrics) Cache() func(context.Context, cache.Event) {
	return func(_ context.Context, e cache.Event) { m.cached.of(string(e.Result)).Inc() }
}

// Poll is for [poll.Feed].Hooks: it shows how far behind the feed that is furthest
// behind is. A feed that gives its lease back is shown no more; one whose Events
// are left by break is, so it is for feeds that are read as long as the program runs.
func (m *Metrics) Poll() poll.Hooks {
	return poll.Hooks{
		Polled: func(_ context.Context, e poll.PollEvent) { m.feeds.polled(&e) },
		Lease:  func(_ context.Context, e poll.LeaseEvent) { m.feeds.leased(&e, time.Now()) },
	}
}

// feeds is when the last good round of each feed began.
type feeds struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (f *feeds) polled(e *poll.PollEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.last[e.Feed]; e.Err == nil || !known {
		f.set(e.Feed, e.Start)
	}
}

// leased follows who polls: what another process reads is not behind here.
func (f *feeds) leased(e *poll.LeaseEvent, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Held {
		f.set(e.Feed, now)
	} else {
		delete(f.last, e.Feed)
	}
}

// set is for a known feed, or for a new one while there is room. f.mu is held.
func (f *feeds) set(feed string, at time.Time) {
	if f.last == nil {
		f.last = map[string]time.Time{}
	}
	if _, known := f.last[feed]; known || len(f.last) < maxFeeds {
		f.last[feed] = at
	}
}

// lag is how long ago the good round began that is the longest ago.
func (f *feeds) lag(now time.Time) (longest time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.last {
		longest = max(longest, now.Sub(at))
	}
	return longest, len(f.last) > 0
}

package monitor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// Feed is what came in by one way: a webhook, a poll, an inbox, a cache.
type Feed struct {
	// Kind is "webhook", "poll", "inbox" or "cache", and Name its source's, feed's or host's.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Counts are of what became of events, requests and rounds, by a few words each.
	Counts map[string]uint64 `json:"counts"`
	// Last is when anything was counted.
	Last time.Time `json:"last"`
	// Trouble is what is wrong now, "" if nothing is.
	Trouble string `json:"trouble,omitempty"`

	until   time.Time // when Trouble is forgotten, zero for never
	letters *window   // dead ones, by minutes
	dead    int       // of the last hour
}

// Token is what is known of a token.
type Token struct {
	Name string `json:"name"`
	// Expiry is when it ends, zero for one that does not, or is not there.
	Expiry time.Time `json:"expiry,omitzero"`
	// Fetched and Failed count the fetches, and Error is the last one's failure.
	Fetched uint64    `json:"fetched"`
	Failed  uint64    `json:"failed"`
	Error   string    `json:"error,omitempty"`
	RetryAt time.Time `json:"retry_at,omitzero"`
}

// feeds are what the packages beside the clients tell.
type feeds struct {
	start time.Time // the monitor's

	mu     sync.Mutex
	known  map[[2]string]*Feed
	tokens map[string]*Token
}

// maxFeeds bounds how many are told apart.
const maxFeeds = 200

func (f *feeds) init(start time.Time) {
	f.start, f.known, f.tokens = start, map[[2]string]*Feed{}, map[string]*Token{}
}

// count adds one to what became of something, and has change look at the feed.
func (f *feeds) count(kind, name, what string, change func(*Feed)) {
	name, what = named(name), named(what)
	f.mu.Lock()
	defer f.mu.Unlock()
	key := [2]string{kind, name}
	feed := f.known[key]
	if feed == nil && len(f.known) >= maxFeeds {
		key[1] = other
		feed = f.known[key]
	}
	if feed == nil {
		feed = &Feed{Kind: kind, Name: key[1], Counts: map[string]uint64{}}
		f.known[key] = feed
	}
	feed.Counts[what]++
	feed.Last = time.Now()
	if change != nil {
		change(feed)
		feed.Trouble = shortened(feed.Trouble)
	}
}

func (f *feeds) all() []Feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	var all []Feed
	for _, feed := range f.known {
		if !feed.until.IsZero() && !now.Before(feed.until) {
			feed.Trouble, feed.until = "", time.Time{}
		}
		own := *feed
		if feed.letters != nil {
			own.dead, own.letters = int(feed.letters.last(steady(f.start, now), longSlots).Calls), nil
		}
		own.Counts = maps.Clone(own.Counts)
		all = append(all, own)
	}
	slices.SortFunc(all, func(a, b Feed) int { return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name)) })
	return all
}

func (f *feeds) allTokens() []Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Token
	for _, t := range f.tokens {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Tokens returns the Watch function for the token of that name: see [aplomb.Tokens].
func (m *Monitor) Tokens(name string) func(aplomb.TokenEvent) {
	name = named(name)
	return func(e aplomb.TokenEvent) {
		f := &m.feeds
		f.mu.Lock()
		defer f.mu.Unlock()
		t := f.tokens[name]
		if t == nil {
			if len(f.tokens) >= maxFeeds {
				return
			}
			t = &Token{Name: name}
			f.tokens[name] = t
		}
		t.RetryAt = e.RetryAt
		if e.Err != nil {
			t.Failed++
			t.Error = textOf(e.Err)
			return
		}
		t.Fetched++
		t.Expiry, t.Error = e.Expiry, ""
	}
}

// Webhook is the hooks of a [webhook.Handler].
func (m *Monitor) Webhook() webhook.Hooks {
	f := &m.feeds
	return webhook.Hooks{
		Accepted: func(_ context.Context, e webhook.AcceptedEvent) {
			f.count("webhook", e.Source, "accepted", func(feed *Feed) { feed.Trouble = "" })
		},
		Handshake: func(_ context.Context, e webhook.HandshakeEvent) { f.count("webhook", e.Source, "handshake", nil) },
		Refused: func(_ context.Context, e webhook.RefusedEvent) {
			f.count("webhook", e.Source, "refused: "+string(e.Reason), func(feed *Feed) {
				if e.Status >= 500 { // 4xx are the sender's, who may be anyone
					feed.Trouble = "deliveries are refused: " + string(e.Reason)
				}
			})
		},
	}
}

// Poll is the hooks of a [poll.Feed].
func (m *Monitor) Poll() poll.Hooks {
	f := &m.feeds
	return poll.Hooks{
		Polled: func(_ context.Context, e poll.PollEvent) {
			what, trouble := "new", ""
			switch {
			case e.Err != nil:
				what, trouble = "failed", e.Err.Error()
			case e.NotModified:
				what = "not modified"
			case e.Found == 0:
				what = "nothing new"
			}
			f.count("poll", e.Feed, what, func(feed *Feed) { feed.Trouble = trouble })
		},
		Lease: func(_ context.Context, e poll.LeaseEvent) {
			what, change := "lease taken", func(*Feed) {}
			if !e.Held { // what goes wrong from now on is told by who has it
				what, change = "lease given up", func(feed *Feed) { feed.Trouble = "" }
			}
			f.count("poll", e.Feed, what, change)
		},
		Missed: func(_ context.Context, e poll.MissedEvent) { f.count("poll", e.Feed, "missed by the webhook", nil) },
	}
}

// Inbox is the hooks of an [inbox.Inbox].
func (m *Monitor) Inbox() inbox.Hooks {
	f := &m.feeds
	return inbox.Hooks{
		Inserted: func(_ context.Context, e inbox.InsertEvent) {
			if e.Err != nil {
				f.count("inbox", e.Source, "not stored", func(feed *Feed) { feed.Trouble = "events are not stored: " + e.Err.Error() })
				return
			}
			f.count("inbox", e.Source, string(e.Outcome.Status), func(feed *Feed) { feed.Trouble = "" })
		},
		Handled: func(_ context.Context, e inbox.HandleEvent) {
			f.count("inbox", e.Source, string(e.Result), func(feed *Feed) {
				if e.Result == inbox.ResultDead {
					feed.died(steady(f.start, time.Now()))
				}
			})
			f.over("inbox", inboxStore)
		},
		Trouble: func(_ context.Context, e inbox.TroubleEvent) {
			what := e.Step + " failed"
			text := what
			if e.Err != nil {
				text += ": " + e.Err.Error()
			}
			f.count("inbox", inboxStore, what, func(feed *Feed) { feed.Trouble, feed.until = text, time.Now().Add(stepAge) })
		},
	}
}

// inboxStore is the name of what an inbox is kept in, whose steps are of no source.
const inboxStore = "store"

// stepAge is how long a step of the inbox that failed is a trouble, unless an event is
// handled before: that it works again is told by nothing else. It is longer than the
// longest time between two steps of a kind.
const stepAge = 20 * time.Minute

// died counts a dead letter.
func (f *Feed) died(now time.Time) {
	if f.letters == nil {
		w := newWindow(longSlot, longSlots)
		f.letters = &w
	}
	f.letters.at(now).Calls++
}

// over takes back a feed's trouble.
func (f *feeds) over(kind, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if feed := f.known[[2]string{kind, name}]; feed != nil {
		feed.Trouble, feed.until = "", time.Time{}
	}
}

// Cache is what a [cache.Settings].Answered is to be.
func (m *Monitor) Cache() func(context.Context, cache.Event) {
	return func(_ context.Context, e cache.Event) { m.feeds.count("cache", e.Host, string(e.Result), nil) }
}

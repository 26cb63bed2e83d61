package poll_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/poll"
)

// deliver puts an event into the store as a webhook does.
func deliver(t *testing.T, m *inbox.Memory, id string) {
	t.Helper()
	_, err := m.Insert(context.Background(), inbox.Event{Source: "hub", Key: id, Via: inbox.Webhook, Body: []byte("by webhook")})
	assert.NoError(t, err)
}

// pair is a feed with a webhook beside it.
type pair struct {
	h *hub
	m *inbox.Memory
	f *poll.Feed[change]

	mu     sync.Mutex
	polls  []poll.PollEvent
	misses []poll.MissedEvent
}

func (p *pair) rounds() []poll.PollEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.polls)
}

func (p *pair) missed() []poll.MissedEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.misses)
}

func newPair(t *testing.T) *pair {
	p := &pair{h: newHub(), m: inbox.NewMemory()}
	p.f = stored(client(t, p.h), p.m)
	p.f.Webhook = true
	p.f.SetRandom(func() float64 { return 0.5 })
	p.f.Hooks.Polled = func(_ context.Context, e poll.PollEvent) { p.mu.Lock(); p.polls = append(p.polls, e); p.mu.Unlock() }
	p.f.Hooks.Missed = func(_ context.Context, e poll.MissedEvent) {
		p.mu.Lock()
		p.misses = append(p.misses, e)
		p.mu.Unlock()
	}
	return p
}

// happen has events occur, each with its webhook after a while; a negative one
// does not come.
func (p *pair) happen(t *testing.T, from, to int, every, webhook time.Duration) {
	t.Helper()
	for i := from; i <= to; i++ {
		id := strconv.Itoa(i)
		p.h.add(id, 0)
		if webhook >= 0 {
			time.AfterFunc(webhook, func() { deliver(t, p.m, id) })
		}
		pass(every)
	}
}

// via counts how the events that count came.
func (p *pair) via(t *testing.T) map[inbox.Via]int {
	t.Helper()
	all, err := p.m.List(t.Context(), inbox.Query{Limit: 10_000})
	assert.NoError(t, err)
	n := map[inbox.Via]int{}
	for i := range all {
		n[all[i].Via]++
	}
	return n
}

func (p *pair) lastDelay() time.Duration { return p.rounds()[len(p.rounds())-1].Delay }

func TestBesideAWebhook(t *testing.T) {
	t.Parallel()
	bubble(t, "a feed slows down while it delivers", func(t *testing.T) {
		p := newPair(t)
		p.h.interval = "60" // the server would have it faster
		p.f.Pace.Max = 10 * time.Minute
		run(t, p.f)
		pass(2 * time.Minute)
		p.happen(t, 1, 200, 30*time.Second, time.Second)
		last := p.rounds()[len(p.rounds())-1]
		assert.True(t, last.Delay >= 10*time.Minute && last.Why == poll.Webhooks, last)
		assert.True(t, len(p.rounds()) < 20, len(p.rounds())) // in 102 minutes
		assert.Equal(t, len(p.missed()), 0)
		pass(20 * time.Minute)
		assert.Equal(t, p.via(t), map[inbox.Via]int{inbox.Webhook: 200})
	})
	bubble(t, "what it missed is told once, and speeds the feed up", func(t *testing.T) {
		p := newPair(t)
		p.f.Pace.Max = 10 * time.Minute
		run(t, p.f)
		p.happen(t, 1, 100, 30*time.Second, time.Second)
		assert.True(t, p.lastDelay() >= 10*time.Minute)
		p.happen(t, 101, 101, 11*time.Minute, -1)
		assert.Equal(t, len(p.missed()), 1)
		records, err := p.m.List(t.Context(), inbox.Query{Key: "101"})
		assert.NoError(t, err)
		assert.True(t, records[0].Due.Equal(records[0].Received), "there is nothing to wait for any more")
		assert.Equal(t, [2]string{p.missed()[0].Feed, p.missed()[0].Key}, [2]string{"hub", "101"})
		i := slices.IndexFunc(p.rounds(), func(e poll.PollEvent) bool { return e.Missed > 0 })
		assert.True(t, p.rounds()[i].Delay <= 66*time.Second && p.rounds()[i].Why == poll.Changed, p.rounds()[i])
		p.happen(t, 102, 200, 30*time.Second, time.Second)
		pass(5 * time.Minute)
		assert.True(t, p.lastDelay() >= 10*time.Minute)
		assert.Equal(t, len(p.missed()), 1)
		assert.Equal(t, p.via(t), map[inbox.Via]int{inbox.Webhook: 199, inbox.Poll: 1})
	})
	bubble(t, "what the feed finds first is held, so that the webhook's body counts", func(t *testing.T) {
		p := newPair(t)
		p.f.Pace.Every, p.f.Pace.Max = 5*time.Second, 5*time.Second
		p.h.interval = "5"
		run(t, p.f)
		p.happen(t, 1, 50, 7*time.Second, 0)                // it delivers
		p.happen(t, 51, 100, 7*time.Second, 12*time.Second) // slower than the feed
		pass(2 * time.Minute)
		assert.Equal(t, p.via(t), map[inbox.Via]int{inbox.Webhook: 100})
		assert.Equal(t, len(p.missed()), 0)
		records, err := p.m.List(t.Context(), inbox.Query{Key: "70"})
		assert.NoError(t, err)
		assert.Equal(t, string(records[0].Body), "by webhook")
		// One that is held for nothing is due after 30 s.
		p.happen(t, 101, 101, 10*time.Second, -1)
		found := time.Now()
		records, err = p.m.List(t.Context(), inbox.Query{Key: "101"})
		assert.NoError(t, err)
		hold := records[0].Due.Sub(records[0].Received)
		assert.Equal(t, hold, 30*time.Second)
		for len(p.missed()) == 0 {
			pass(time.Second)
		}
		assert.True(t, time.Since(found) <= 41*time.Second, time.Since(found))
		assert.True(t, p.missed()[0].After >= 30*time.Second, p.missed()[0])
	})
	bubble(t, "one that has never come does not hold anything, and is missed", func(t *testing.T) {
		p := newPair(t)
		p.happen(t, 1, 5, time.Minute, -1) // before the feed
		run(t, p.f)
		pass(30 * time.Second)
		assert.Equal(t, len(p.missed()), 0, "the webhook may be younger than they are")
		p.happen(t, 6, 15, 40*time.Second, -1)
		pass(2 * time.Minute)
		records, err := p.m.List(t.Context(), inbox.Query{Key: "8"})
		assert.NoError(t, err)
		assert.True(t, records[0].Due.Equal(records[0].Received))
		old := 0
		for _, m := range p.missed() {
			assert.True(t, m.After > 30*time.Second, m)
			old++
		}
		assert.True(t, old >= 3, p.missed())
	})
	bubble(t, "without a time an event is missed when it was held for nothing", func(t *testing.T) {
		p := newPair(t)
		p.f.Occurred = nil
		run(t, p.f)
		p.happen(t, 1, 40, 30*time.Second, time.Second)
		p.happen(t, 41, 41, 40*time.Minute, -1)
		assert.Equal(t, len(p.missed()), 1)
		assert.Equal(t, p.missed()[0].Key, "41")
		after := p.missed()[0].After
		assert.True(t, after >= 30*time.Second && after <= 33*time.Second, "looked at again as soon as it was due", after)
		i := slices.IndexFunc(p.rounds(), func(e poll.PollEvent) bool { return e.Missed > 0 })
		assert.True(t, p.rounds()[i].New == 0 && p.rounds()[i].Delay <= 66*time.Second, p.rounds()[i])
		p.happen(t, 42, 42, 16*time.Minute, -1)
		records, err := p.m.List(t.Context(), inbox.Query{Key: "42"})
		assert.NoError(t, err)
		assert.True(t, records[0].Due.Equal(records[0].Received), "nothing is held for a webhook that fails")
	})
	bubble(t, "without one the feed measures nothing", func(t *testing.T) {
		p := newPair(t)
		p.f.Webhook = false
		run(t, p.f)
		p.happen(t, 1, 50, 30*time.Second, -1)
		pass(2 * time.Minute)
		assert.Equal(t, len(p.missed()), 0)
		assert.Equal(t, p.via(t), map[inbox.Via]int{inbox.Poll: 50})
		assert.True(t, p.lastDelay() <= 66*time.Second)
	})
}

// TestLaw12_AnEventByWebhookAndPollTakesEffectOnce lets both come in any order,
// with repetitions, losses and late lists: each event takes effect once, none is
// lost, and the cursor never passes one that the list has yet to show.
func TestLaw12_AnEventByWebhookAndPollTakesEffectOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		bubble(t, strconv.FormatUint(seed, 10), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			p := newPair(t)
			p.h.size = 10
			p.f.SetRandom(rand.New(rand.NewPCG(seed, 5)).Float64)
			effects := map[string]int{}
			box, err := inbox.New(p.m, func(_ context.Context, e *inbox.Record) error { effects[e.Key]++; return nil }, inbox.Settings{Workers: 1})
			assert.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- box.Run(ctx) }()
			stop := run(t, p.f)
			lost, punctual := 0, map[string]bool{}
			for i := 1; i <= 300; i++ {
				id := strconv.Itoa(i)
				p.h.add(id, time.Duration(random.IntN(50))*time.Second)
				if random.IntN(10) == 0 {
					lost++
				} else {
					for range 1 + random.IntN(2) {
						after := time.Duration(random.IntN(40)) * time.Second
						punctual[id] = punctual[id] || after < 30*time.Second
						time.AfterFunc(after, func() { deliver(t, p.m, id) })
					}
				}
				pass(time.Duration(random.IntN(20)) * time.Second)
			}
			pass(time.Hour)
			assert.ErrorIs(t, stop(), context.Canceled)
			cancel()
			<-done
			assert.Equal(t, len(effects), 300)
			for id, n := range effects {
				assert.Equal(t, n, 1, id)
			}
			// A few that are lost are found so soon, while nothing is held, that nobody can tell.
			assert.True(t, len(p.missed()) >= lost/2 && p.via(t)[inbox.Poll] >= lost, len(p.missed()), lost)
			for _, m := range p.missed() {
				assert.True(t, !punctual[m.Key], m.Key)
			}
			t.Logf("%d of 300 webhooks lost, %d told as missed, %d polls", lost, len(p.missed()), len(p.rounds()))
		})
	}
}

// A feed that begins beside a webhook leaves out what the webhook has brought so long
// ago that the inbox has forgotten it.
func TestBeginsBesideAWebhook(t *testing.T) {
	t.Parallel()
	for webhook, want := range map[bool][]string{true: {"2", "3"}, false: {"1", "2", "3"}} {
		bubble(t, fmt.Sprint("webhook ", webhook), func(t *testing.T) {
			h, m := newHub(), inbox.NewMemory()
			h.add("1", 0)
			pass(48 * time.Hour)
			h.add("2", 0)
			pass(5 * 24 * time.Hour)
			f := stored(client(t, h), m)
			f.Webhook = webhook
			f.Occurred = func(c change) time.Time { return c.At }
			run(t, f)
			pass(time.Hour)
			h.add("3", 0)
			pass(time.Hour)
			assert.Equal(t, keys(t, m), want)
		})
	}
}

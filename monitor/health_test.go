package monitor_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// reasons is the health in one text.
func reasons(m *monitor.Monitor) string {
	h := m.Health()
	text := []string{string(h.Status)}
	for _, r := range h.Reasons {
		text = append(text, string(r.Status)+" "+r.String())
	}
	return strings.Join(text, "; ")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	bubble(t, "of errors", func(t *testing.T) {
		for failing, want := range map[int]string{
			0:  "healthy",
			25: "healthy", // which is not more than one in twenty
			10: "degraded; degraded orders (api.test): 10 % of 50 calls in a minute failed",
			2:  "down; down orders (api.test): 50 % of 50 calls in a minute failed",
		} {
			m := newMonitor(t, monitor.Settings{})
			newAPI(t, m, alone()).load(t, 60*time.Second, time.Second, 1) // of the minute before
			newAPI(t, m, alone()).load(t, 60*time.Second, time.Second, failing)
			assert.Equal(t, reasons(m), want)
			time.Sleep(time.Minute)
			assert.Equal(t, reasons(m), strings.ReplaceAll(want, "in a minute", "in two minutes"), "nothing has been heard since")
			time.Sleep(4 * time.Minute)
			assert.Equal(t, reasons(m), "healthy", "it is over")
		}
		m := newMonitor(t, monitor.Settings{})
		newAPI(t, m, alone()).load(t, 9*time.Second, time.Second, 1)
		assert.Equal(t, reasons(m), "degraded; degraded orders (api.test): the last 9 calls failed", "nine calls are few")
		time.Sleep(5 * time.Minute)
		assert.Equal(t, reasons(m), "healthy")
	})
	bubble(t, "of a circuit", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, aplomb.NoRetry())
		a.load(t, 10*time.Second, 100*time.Millisecond, 1)
		got := reasons(m)
		assert.Contains(t, got, "down; down orders (api.test): the circuit is open: 20 of 20 attempts failed; the next call")
		time.Sleep(10 * time.Second)
		assert.Contains(t, reasons(m), "the next call is a probe")
		a.answer.Store(&answer{wait: time.Second})
		go func() { _ = a.get(t.Context(), "/") }()
		synctest.Wait()
		assert.Contains(t, reasons(m), "down orders (api.test): the circuit is half open: a probe decides whether it closes; 100 % of 100 calls in a minute failed")
		assert.Equal(t, m.Snapshot().Clients[0].Hosts[0].Circuit.ProbeAt, time.Time{}, "it is under way")
		time.Sleep(2 * time.Second)
		assert.NotContains(t, reasons(m), "circuit")
	})
	bubble(t, "of a quota", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m)
		left := func(n string) {
			a.answer.Store(&answer{header: http.Header{"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {n}, "X-Ratelimit-Reset": {"60"}}})
			assert.NoError(t, a.get(t.Context(), "/"))
		}
		left("10")
		assert.Equal(t, reasons(m), "healthy")
		left("9")
		assert.Equal(t, reasons(m), "degraded; degraded orders: 9 of 100 are left of the quota")
		q := m.Snapshot().Clients[0].Quotas[0]
		assert.Equal(t, q.Remaining, 9)
		assert.Equal(t, time.Until(q.ResetAt).Round(time.Second), time.Minute)
		left("0")
		assert.Contains(t, reasons(m), "degraded orders: the quota is used up: no request for 1m")
		time.Sleep(2 * time.Minute)
		assert.Equal(t, reasons(m), "healthy")
		assert.Equal(t, m.Snapshot().Clients[0].Quotas[0].Remaining, 100)
	})
	bubble(t, "of tokens, stores and feeds", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		ctx := context.Background()
		lost := errors.New("no route")
		tokens := m.Tokens("github")
		tokens(aplomb.TokenEvent{Expiry: time.Now().Add(time.Hour)})
		tokens(aplomb.TokenEvent{Err: lost})
		assert.Equal(t, reasons(m), "healthy", "there is time")
		time.Sleep(55 * time.Minute)
		assert.Equal(t, reasons(m), "degraded; degraded token github: the token ends in 5m0s, and cannot be fetched anew: no route")
		time.Sleep(time.Hour)
		assert.Equal(t, reasons(m), "down; down token github: there is no token: no route")
		tokens(aplomb.TokenEvent{Expiry: time.Now().Add(time.Hour)})
		hooksOf(m).Store(aplomb.StoreEvent{Client: "orders", Down: true, Err: lost})
		assert.Equal(t, reasons(m), "degraded; degraded orders: the fleet's store is away, and each replica goes by its own numbers: no route")
		hooksOf(m).Store(aplomb.StoreEvent{Client: "orders"})
		assert.Equal(t, reasons(m), "healthy")

		hook := m.Webhook()
		hook.Refused(ctx, webhook.RefusedEvent{Source: "stripe", Status: 401, Reason: webhook.ReasonSignature})
		assert.Equal(t, reasons(m), "healthy", "anyone can send what is not signed")
		hook.Refused(ctx, webhook.RefusedEvent{Source: "stripe", Status: 503, Reason: webhook.ReasonStore})
		assert.Equal(t, reasons(m), "degraded; degraded webhook stripe: deliveries are refused: store")
		hook.Accepted(ctx, webhook.AcceptedEvent{Source: "stripe"})
		hook.Handshake(ctx, webhook.HandshakeEvent{Source: "slack"})
		feed := m.Poll()
		feed.Polled(ctx, poll.PollEvent{Feed: "orders", Err: lost})
		assert.Equal(t, reasons(m), "degraded; degraded poll orders: no route")
		feed.Polled(ctx, poll.PollEvent{Feed: "orders", NotModified: true})
		feed.Polled(ctx, poll.PollEvent{Feed: "orders"})
		feed.Polled(ctx, poll.PollEvent{Feed: "orders", Found: 2})
		feed.Missed(ctx, poll.MissedEvent{Feed: "orders"})
		in := m.Inbox()
		in.Inserted(ctx, inbox.InsertEvent{Source: "stripe", Err: lost})
		assert.Equal(t, reasons(m), "degraded; degraded inbox stripe: events are not stored: no route")
		in.Inserted(ctx, inbox.InsertEvent{Source: "stripe", Outcome: inbox.Outcome{Status: inbox.Duplicate}})
		in.Handled(ctx, inbox.HandleEvent{Source: "stripe", Result: inbox.ResultDone})
		in.Trouble(ctx, inbox.TroubleEvent{Step: "claim", Err: lost})
		assert.Equal(t, reasons(m), "degraded; degraded inbox store: claim failed: no route")
		in.Handled(ctx, inbox.HandleEvent{Source: "stripe", Result: inbox.ResultDone})
		assert.Equal(t, reasons(m), "healthy")
		counts := map[string]map[string]uint64{}
		for _, f := range m.Snapshot().Feeds {
			counts[f.Kind+" "+f.Name] = f.Counts
		}
		assert.Equal(t, counts, map[string]map[string]uint64{
			"webhook stripe": {"accepted": 1, "refused: signature": 1, "refused: store": 1}, "webhook slack": {"handshake": 1},
			"poll orders":  {"failed": 1, "not modified": 1, "nothing new": 1, "new": 1, "missed by the webhook": 1},
			"inbox stripe": {"not stored": 1, "duplicate": 1, "done": 2}, "inbox store": {"claim failed": 1},
		})
	})
}

package monitor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxName)
	assert.Equal(t, named(long), long)
	assert.Equal(t, named(long+"a"), long)
	assert.Equal(t, named(long[:maxName-1]+"é"), long[:maxName-1], "and no half of a letter")
	assert.Equal(t, named(long[:maxName-2]+"éa"), long[:maxName-2]+"é")
	assert.Equal(t, len(named(strings.Repeat("\x80", 1000))), maxName-utf8.UTFMax, "which is no text at all")
	assert.Equal(t, shortened(strings.Repeat("a", maxText)+"b"), strings.Repeat("a", maxText)+"…")
	assert.Equal(t, textOf(nil), "")
	assert.True(t, guards(guarded("https://"+long+"a"), named(long+"a")))
	assert.Equal(t, guarded(long+"b"), long)
}

// TestNamesAreCut: nothing that others name is kept at any length.
func TestNamesAreCut(t *testing.T) {
	t.Parallel()
	m, err := New(Settings{})
	assert.NoError(t, err)
	var (
		h    = m.hooks()
		ctx  = context.Background()
		huge = strings.Repeat("x", 100_000)
		lost = errors.New(huge)
	)
	h.CallStart(ctx, aplomb.CallEvent{Call: 9, Client: huge, Operation: huge, Method: huge, Host: huge, Start: time.Now()})
	for id := range uint64(2) {
		h.CallStart(ctx, aplomb.CallEvent{Call: id, Client: huge, Operation: huge, Method: huge, Host: huge, Start: time.Now()})
		attempt := aplomb.AttemptEvent{Call: id, Client: huge, Operation: huge, Host: huge, Phases: &aplomb.Phases{}, Err: lost}
		h.AttemptStart(ctx, attempt)
		h.AttemptDone(ctx, attempt)
		h.CallDone(ctx, aplomb.CallEvent{Call: id, Client: huge, Operation: huge, Host: huge, Attempts: 1, Result: aplomb.ResultNetwork, Err: lost})
		h.BodyFailed(ctx, attempt)
	}
	h.WaitStart(ctx, aplomb.WaitEvent{Call: 9, Client: huge, Operation: huge, Cause: aplomb.WaitQuota, Start: time.Now()})
	h.Breaker(aplomb.BreakerEvent{Client: huge, Key: "https://" + huge, To: aplomb.BreakerOpen})
	h.Breaker(aplomb.BreakerEvent{Client: huge, Key: huge, To: aplomb.BreakerOpen})
	h.Quota(ctx, aplomb.QuotaEvent{Client: huge, Operation: huge, Name: huge, Limit: 100, Remaining: 1})
	h.Store(aplomb.StoreEvent{Client: huge, Down: true, Err: lost})
	h.Deprecated(ctx, aplomb.DeprecationEvent{Client: huge, Operation: huge, Link: huge})
	m.Tokens(huge)(aplomb.TokenEvent{Err: lost})
	m.Cache()(ctx, cache.Event{Host: huge})
	m.Inbox().Inserted(ctx, inbox.InsertEvent{Source: huge, Err: lost})
	text := m.String()
	assert.True(t, !strings.Contains(text, strings.Repeat("x", maxText+1)), len(text))
	assert.True(t, strings.Count(text, "x") > 40*maxName && len(text) < 60_000, len(text))
	assert.Equal(t, len(m.Snapshot().Clients[0].Hosts), 2, "a breaker of a host, and one of something else")
	assert.Equal(t, m.client("").quotas, map[string]*stated{})
	q := m.client(huge).quotas[named(huge)]
	assert.Equal(t, q.Operation+q.Client, named(huge))
}

package monitor

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// atTheLimits is a client with as much as it is shown of.
func atTheLimits(tb testing.TB) *client {
	tb.Helper()
	m, err := New(Settings{})
	assert.NoError(tb, err)
	for n := range maxOperations {
		for range 3 {
			m.client("c").callDone(tb.Context(), aplomb.CallEvent{Operation: strconv.Itoa(n), Host: strconv.Itoa(n % maxHosts), Attempts: 1})
		}
	}
	return m.client("c")
}

// TestNumbersAreACopy: calls go on while the numbers are made.
func TestNumbersAreACopy(t *testing.T) {
	t.Parallel()
	c, now := atTheLimits(t), time.Now()
	of := func(known Client, n counted) string {
		known.count(&n)
		raw, err := json.Marshal(known)
		assert.NoError(t, err)
		return string(raw)
	}
	before := of(c.snapshot(now), c.numbers(now))
	known, copied := c.snapshot(now), c.numbers(now)
	for range 10 {
		c.callDone(t.Context(), aplomb.CallEvent{Operation: "7", Host: "7", Attempts: 2, Elapsed: time.Hour, Result: aplomb.ResultNetwork})
	}
	assert.True(t, of(known, copied) == before)
	assert.True(t, of(c.snapshot(now), c.numbers(now)) != before)
}

// TestEmptyLists: JSON has no null in the place of a list.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	m, err := New(Settings{})
	assert.NoError(t, err)
	assert.Contains(t, m.String(), `"clients":[]`)
	m.client("c").callStart(t.Context(), aplomb.CallEvent{Host: "a.test"})
	assert.NotContains(t, m.String(), "null")
}

// BenchmarkLocked is for how long calls wait for a snapshot.
func BenchmarkLocked(b *testing.B) {
	c := atTheLimits(b)
	b.ReportAllocs()
	for b.Loop() {
		now := time.Now()
		_, _ = c.snapshot(now), c.numbers(now)
	}
}

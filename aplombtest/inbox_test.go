package aplombtest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestInboxOfMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { aplombtest.TestInbox(t, inbox.NewMemory(), time.Sleep, 0) })
}

// Without a way to let time pass, and on a store that is in use.
func TestInboxWithoutTime(t *testing.T) {
	t.Parallel()
	s := inbox.NewMemory()
	for range 2 {
		aplombtest.TestInbox(t, s, nil, time.Millisecond)
	}
}

// TestInboxFindsEach: what breaks a rule is reported by the parts that are about it,
// and what breaks none by none.
func TestInboxFindsEach(t *testing.T) {
	t.Parallel()
	for name, broken := range brokenInboxes {
		bubbled(t, name, func(t *testing.T) {
			if raceEnabled && !strings.Contains(broken.parts, "at once") {
				t.Skip("one goroutine, and slow under the race detector")
			}
			s := &brokenInbox{Store: inbox.NewMemory()}
			broken.defect(s)
			r := reported(t, func(tb testing.TB) { aplombtest.TestInbox(tb, s, time.Sleep, 0) })
			assert.Equal(t, strings.Join(r.parts(), ", "), broken.parts, strings.Join(r.lines, "\n"))
		})
	}
}

// TestInboxFindsWithEach: each part finds something, or it need not be there.
func TestInboxFindsWithEach(t *testing.T) {
	t.Parallel()
	finds := map[string]bool{"contexts that are done": true} // see TestInboxFindsContexts
	for _, broken := range brokenInboxes {
		for part := range strings.SplitSeq(broken.parts, ", ") {
			finds[part] = true
		}
	}
	for _, part := range aplombtest.InboxParts() {
		assert.True(t, finds[part], "nothing broken is found by the part: "+part)
	}
}

// TestInboxFindsContexts: each of the methods must look at its context.
func TestInboxFindsContexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := reported(t, func(tb testing.TB) { aplombtest.TestInbox(tb, heedless{inbox.NewMemory()}, time.Sleep, 0) })
		assert.Equal(t, r.parts(), []string{"contexts that are done"})
		for _, method := range []string{
			"Insert", "Claim", "Extend", "Settle", "Last", "Hold", "Commit", "Release", "List", "Replay", "Discard", "Purge", "Stats",
		} {
			assert.Contains(t, r.of("contexts that are done"), ": "+method+" with a context that is done")
		}
		assert.Contains(t, r.of("contexts that are done"), "records after calls whose context was done")
	})
}

// TestInboxFindsWithoutTime: what a store says of times is looked at also where none
// can pass.
func TestInboxFindsWithoutTime(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-time.Second, time.Second} {
		bubbled(t, off.String(), func(t *testing.T) {
			s := &brokenInbox{Store: inbox.NewMemory()}
			s.event = func(e *inbox.Event) {
				if e.Hold > 0 {
					e.Hold += off
				}
			}
			r := reported(t, func(tb testing.TB) { aplombtest.TestInbox(tb, s, nil, 0) })
			assert.Contains(t, r.of("a webhook replaces a poll's event"), "a held event's wait: got")
		})
	}
}

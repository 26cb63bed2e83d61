package aplomb_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// queued has n calls wait, each of which passes in the end.
func queued(t *testing.T, group *sync.WaitGroup, c *aplomb.Client, n int, opts ...aplomb.CallOption) {
	t.Helper()
	for range n {
		group.Go(func() {
			_, err := get(t, c, opts...)
			assert.NoError(t, err)
		})
	}
	synctest.Wait()
}

// Who would wait for too long behind others is refused at once, and keeps nobody
// waiting.
func TestLaw03_ToldRateRefusesBehindOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.RateLimit{PerSecond: 1, Burst: 1})
		var group sync.WaitGroup
		queued(t, &group, c, 6)
		took, err := timed(c, aplomb.Timeout(5*time.Second))
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		assert.Contains(t, err.Error(), "the rate limit of 1 per second allows the next request in 6s")
		assert.Equal(t, took, 0)
		took, err = timed(c, aplomb.Timeout(7*time.Second))
		assert.NoError(t, err)
		assert.Equal(t, took, 6*time.Second)
		group.Wait()
	})
}

// So is who would wait behind others once a gate is open.
func TestLaw03_ToldRateRefusesBehindAGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(http.StatusTooManyRequests, "Retry-After", "10"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), aplomb.RateLimit{PerSecond: 1, Burst: 5}), 0)
		_, _ = get(t, c)
		var group sync.WaitGroup
		queued(t, &group, c, 20)
		took, err := timed(c, aplomb.Timeout(25*time.Second))
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		assert.Equal(t, took, 0)
		took, err = timed(c, aplomb.Timeout(35*time.Second))
		assert.NoError(t, err)
		assert.True(t, took >= 29*time.Second && took <= 31*time.Second, took)
		group.Wait()
	})
}

// What waited at a closed gate does not leave as a burst, though nothing was sent
// for long enough to have one.
func TestToldRateAfterAClosedGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(http.StatusTooManyRequests, "Retry-After", "10"), ok)
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry(), aplomb.RateLimit{PerSecond: 10, Burst: 10}), 0)
		_, _ = get(t, c)
		var group sync.WaitGroup
		queued(t, &group, c, 20)
		group.Wait()
		for i, gap := range h.gaps()[1:] {
			assert.True(t, gap >= 99*time.Millisecond && gap <= 101*time.Millisecond, i, gap)
		}
	})
}

// Credentials take turns at the rate that they share, however many wait with one.
func TestToldRateTakesTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(ok)), aplomb.RateLimit{PerSecond: 10, Burst: 1})
		var group sync.WaitGroup
		start := time.Now()
		queued(t, &group, c, 21, aplomb.Header("Authorization", "Bearer many"))
		took, err := timed(c, aplomb.Header("Authorization", "Bearer one"))
		assert.NoError(t, err)
		assert.True(t, took <= 200*time.Millisecond, took)
		group.Wait()
		assert.Equal(t, time.Since(start), 2100*time.Millisecond)
	})
}

// A queue that all have left holds up no other.
func TestToldRateForgetsWhoLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(ok)), aplomb.RateLimit{PerSecond: 10, Burst: 1})
		for i := range 20 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			time.AfterFunc(time.Millisecond, cancel)
			_, _ = aplomb.Get[order](ctx, c, "/x", aplomb.Header("Authorization", "Bearer "+string(rune('a'+i))))
			cancel()
		}
		time.Sleep(2 * time.Second)
		var group sync.WaitGroup
		queued(t, &group, c, 5)
		took, err := timed(c, aplomb.Timeout(600*time.Millisecond))
		assert.NoError(t, err)
		assert.Equal(t, took, 500*time.Millisecond)
		group.Wait()
	})
}

// A server's bucket begins to fill when the burst gets there: until then nothing
// comes in here either, but for no longer than half a burst takes.
func TestToldRateWaitsForTheFirstAnswer(t *testing.T) {
	for way, want := range map[time.Duration]time.Duration{0: 100 * time.Millisecond, 30 * time.Millisecond: 130 * time.Millisecond, time.Second: 300 * time.Millisecond} {
		bubbleCase(t, way.String(), func(t *testing.T) {
			h := script(after(way, ok))
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.RateLimit{PerSecond: 10, Burst: 4})
			var group sync.WaitGroup
			queued(t, &group, c, 6)
			group.Wait()
			assert.Equal(t, h.gaps(), []time.Duration{0, 0, 0, want, 100 * time.Millisecond})
		})
	}
}

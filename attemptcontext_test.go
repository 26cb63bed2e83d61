package aplomb_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// statedContext states a deadline, and does not end at it.
type statedContext struct {
	context.Context
	deadline time.Time
}

func (c statedContext) Deadline() (time.Time, bool) { return c.deadline, true }

// A call waits for no end that a context of the caller's does not keep to.
func TestContextThatStatesADeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := aplomb.Hooks{CallStart: func(context.Context, aplomb.CallEvent) { pause(2 * time.Second) }}
		c := newClient(t, aplombtest.NewServer(t, script(ok)), slow)
		ctx := statedContext{context.Background(), time.Now().Add(time.Second)}
		start := time.Now()
		_, _ = aplomb.Get[order](ctx, c, "/x", aplomb.Timeout(3*time.Second/2))
		assert.Equal(t, time.Since(start), 2*time.Second)
	})
}

// What came first is the reason: a deadline, though the caller canceled after it.
func TestContextEndsAtTheDeadlineFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		slow := aplomb.Hooks{AttemptStart: func(context.Context, aplomb.AttemptEvent) { pause(2 * time.Second); cancel() }}
		c := newClient(t, aplombtest.NewServer(t, script(ok)), slow, aplomb.NoRetry())
		_, err := aplomb.Get[order](ctx, c, "/x", aplomb.Timeout(time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// An attempt's context that has ended keeps its error.
func TestContextKeepsItsError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var kept context.Context
		keep := aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { kept = r.Context(); return next.RoundTrip(r) })
		})
		answer := aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusNoContent, Request: r}, nil
		}))
		c := newClientAt(t, "https://api.test", answer, keep)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := aplomb.Get[struct{}](ctx, c, "/x")
		assert.NoError(t, err)
		assert.ErrorIs(t, kept.Err(), context.Canceled)
		<-ctx.Done()
		assert.ErrorIs(t, kept.Err(), context.Canceled)
		assert.ErrorIs(t, context.Cause(kept), context.Canceled)
	})
}

// Where Err tells of an end, Done is closed: also for a caller's context whose children
// hear of its end later.
func TestContextIsDoneWhereItHasAnError(t *testing.T) {
	look := func(open *int, outer *foreignContext) func(context.Context) {
		return func(ctx context.Context) {
			done := ctx.Done()
			close(outer.done)
			if ctx.Err() != nil {
				select {
				case <-done:
				default:
					*open++
				}
			}
		}
	}
	bubble(t, func(t *testing.T) {
		open := 0
		for range 20 {
			outer := &foreignContext{Context: context.Background(), done: make(chan struct{})}
			call := aplomb.Hooks{AttemptStart: func(ctx context.Context, _ aplomb.AttemptEvent) { look(&open, outer)(ctx) }}
			_, _ = aplomb.Get[order](outer, newClient(t, aplombtest.NewServer(t, script(ok)), call), "/x")

			other := &foreignContext{Context: context.Background(), done: make(chan struct{})}
			attempt := aplomb.AuthFunc(func(r *http.Request) error { look(&open, other)(r.Context()); return nil })
			_, _ = aplomb.Get[order](other, newClient(t, aplombtest.NewServer(t, script(ok)), attempt), "/x")
		}
		assert.Equal(t, open, 0)
	})
}

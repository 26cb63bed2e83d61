package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// handle runs the handler on one event and settles it.
func (r *run) handle(ctx context.Context, w *work) {
	defer r.end(w)
	e := w.record
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.mu.Lock()
	w.stop = stop
	r.mu.Unlock()

	result, s, err := r.attempt(ctx, e)
	elapsed := time.Since(w.began)
	if result != resultSettled {
		r.mu.Lock()
		w.settling = true
		r.mu.Unlock()
		if !r.settle(ctx, s) {
			result = ResultLost
		}
	} else {
		result = ResultDone
	}
	if r.set.Hooks.Handled != nil {
		r.set.Hooks.Handled(ctx, HandleEvent{
			Source: e.Source, Key: e.Key, Type: e.Type, Via: e.Via, Seq: e.Seq, Attempt: e.Attempts, Replay: e.Replay,
			Result: result, Elapsed: elapsed, Age: time.Since(e.Received), Err: err,
		})
	}
}

// resultSettled says that nothing is left to be settled.
const resultSettled Result = "settled"

// attempt decides what becomes of the event.
func (r *run) attempt(ctx context.Context, e *Record) (Result, Settlement, error) {
	s := Settlement{Lease: e.Lease(), State: StateDone}
	if e.Attempts > r.set.Attempts { // each of them ended its process, or hung
		return r.bury(s, fmt.Errorf("given up after %d attempts", e.Attempts-1))
	}
	done := false
	err := guard(func() error {
		if stale, err := r.isStale(ctx, e); err != nil || stale {
			return cmp.Or(err, errStale)
		}
		if e.unreadable != nil {
			return Permanent(e.unreadable)
		}
		limited, cancel := context.WithTimeout(context.WithValue(ctx, settled{}, &done), r.set.Timeout)
		defer cancel()
		return r.handler(limited, e)
	})
	var v *verdict
	switch {
	case done: // whatever came after it
		return resultSettled, s, err
	case err == nil:
		return ResultDone, s, nil
	case errors.Is(err, errStale):
		return ResultStale, s, nil
	case errors.Is(err, ErrSkip):
		return ResultSkipped, s, err
	case errors.As(err, &v) && v.permanent:
		return r.bury(s, err)
	case errors.Is(context.Cause(ctx), errDrained):
		s.State, s.Undo = StateReady, true
		return ResultReleased, s, err
	case e.Attempts >= r.set.Attempts:
		return r.bury(s, err)
	}
	s.State, s.Error = StateReady, said(err)
	if s.After = r.backoff(e.Attempts); v != nil {
		s.After = v.after
	}
	return ResultRetry, s, err
}

// isStale asks for the newest event of the same Order that is done.
func (r *run) isStale(ctx context.Context, e *Record) (bool, error) {
	if r.set.Stale == nil || e.Order == "" || e.Replay != "" {
		return false, nil
	}
	newest, err := r.store.Last(ctx, e.Source, e.Order)
	if err != nil {
		return false, fmt.Errorf("whether a newer event is done is not known: %w", err)
	}
	if newest == nil || !e.Occurred.Before(newest.Occurred) {
		return false, nil
	}
	return r.set.Stale(newest, e), nil
}

var errStale = errors.New("inbox: stale")

// bury makes a dead letter.
func (r *run) bury(s Settlement, err error) (Result, Settlement, error) {
	s.State, s.Error = StateDead, said(err)
	if r.set.Park {
		s.State = StateParked
	}
	return ResultDead, s, err
}

// backoff is how long an event waits after its n-th attempt: full jitter.
func (r *run) backoff(n int) time.Duration {
	most := min(r.set.MaxBackoff, longestBackoff)
	if shift := n - 1; shift < 40 && r.set.Backoff < most>>shift {
		most = r.set.Backoff << shift
	}
	return rand.N(most + 1)
}

// longestBackoff keeps sums of times in bounds.
const longestBackoff = 365 * 24 * time.Hour

// settle tells the store, again and again while it fails, and reports whether the
// lease was held. Once ctx has ended it tries a last time: if that fails, too, the
// lease runs out and the event is handled again.
func (r *run) settle(ctx context.Context, s Settlement) (held bool) {
	for failures := 1; ; failures++ {
		last := ctx.Err() != nil
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		ok, err := r.store.Settle(limited, s)
		cancel()
		switch {
		case err == nil:
			return ok[0]
		case last:
			return false
		}
		r.set.Hooks.trouble(ctx, "settle", err)
		pause(ctx, troubled(failures))
	}
}

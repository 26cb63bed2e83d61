package poll

import (
	"context"
	"errors"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// rounds runs the rounds of a feed, one after another.
type rounds[T any] struct {
	feed     *Feed[T]
	schedule *schedule
}

func newRounds[T any](f *Feed[T]) *rounds[T] {
	s := newSchedule(f.pace())
	if f.random != nil {
		s.random = f.random
	}
	return &rounds[T]{feed: f, schedule: s}
}

// outcome is what a round came to.
type outcome struct {
	event   PollEvent
	hint    hint
	changed bool // there was news that speeds the pace up
	relaxed bool // webhooks bring the news
	more    bool // the next round reads on
	// soon is after which time there is something to look at again; 0 is none.
	soon time.Duration
}

// success is the outcome of a walk.
func success[T any](w *walk[T]) outcome {
	out := failure(w)
	out.hint, out.more = w.hint, w.more()
	out.event.NotModified, out.event.Found = w.notModified, len(w.fresh())
	return out
}

// failure is that of one that was cut short.
func failure[T any](w *walk[T]) (out outcome) {
	if w != nil {
		out.event.Pages, out.event.Requests = w.pages, w.requests
	}
	return out
}

// loop runs rounds until one fails for good. It always returns an error.
func (r *rounds[T]) loop(ctx context.Context, round func(context.Context) (outcome, error)) error {
	wait, earliest := r.schedule.phase(), time.Duration(0)
	for {
		nudged, err := r.feed.rest(ctx, wait, earliest)
		if err != nil {
			return err
		}
		if nudged {
			r.schedule.changed()
		}
		start := time.Now()
		out, err := round(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errLeft), errors.Is(err, inbox.ErrLost):
			return err
		}
		e := out.event
		e.Feed, e.Start, e.Elapsed, e.Err = r.feed.name(), start, time.Since(start), err
		passes := true
		if err != nil {
			var atLeast time.Duration
			if passes, atLeast = passing(err); passes {
				wait = r.schedule.failed(atLeast)
				earliest, e.Why = wait, Failed
			}
		} else {
			wait, earliest, e.Why = r.pace(out)
		}
		if passes {
			e.Delay = wait
		}
		if polled := r.feed.Hooks.Polled; polled != nil {
			polled(ctx, e)
		}
		if !passes {
			return err
		}
	}
}

// pace is when the next round is, after one that went well.
func (r *rounds[T]) pace(out outcome) (wait, earliest time.Duration, why Why) {
	if out.changed {
		r.schedule.changed()
	} else {
		r.schedule.unchanged()
	}
	if out.more {
		// The floor holds nevertheless, lest a list that goes in circles is read as fast
		// as it is answered.
		return r.schedule.Floor, r.schedule.Floor, More
	}
	wait, earliest, why = r.schedule.next(out.hint, out.relaxed)
	if soon := r.schedule.padded(max(out.soon, earliest)); out.soon > 0 && soon < wait {
		wait, why = soon, Changed
	}
	return wait, earliest, why
}

// round reads once, and has Gap decide about what may be missing.
func (f *Feed[T]) round(ctx context.Context, from state, started bool) (*walk[T], error) {
	w, err := f.read(ctx, from, started)
	gap, ok := errors.AsType[*GapError](err)
	if !ok || f.Gap == nil {
		return w, err
	}
	if err := f.Gap(ctx, gap); err != nil {
		return w, err
	}
	if gap.Err == nil {
		return w, nil
	}
	return f.read(ctx, from.anew(), true)
}

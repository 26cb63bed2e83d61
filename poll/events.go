package poll

import (
	"context"
	"errors"
	"iter"
	"slices"
)

// Events ranges over what is new in the list, as it comes, until ctx ends or
// something goes wrong that does not pass by itself: a refused request or
// credential, a [GapError], an [ItemError]. That is yielded as the last; what may
// pass is told to Hooks.Polled and tried again. Within a round the oldest comes
// first. While the loop's body works nothing is asked, and leaving it leaves
// nothing running.
//
// The first request waits a little, a tenth of Pace.Every at most and different
// each time, so that replicas which start together do not poll together.
func (f *Feed[T]) Events(ctx context.Context) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		if err := f.check(false); err != nil {
			yield(Event[T]{}, err)
			return
		}
		at, started, err := parseState(f.Resume)
		if err != nil {
			yield(Event[T]{}, err)
			return
		}
		err = newRounds(f).loop(ctx, func(ctx context.Context) (outcome, error) {
			w, err := f.round(ctx, at, started)
			if err != nil {
				return failure(w), err
			}
			if !f.yieldAll(w, yield) {
				return outcome{}, errLeft
			}
			at, started = w.to(), true
			out := success(w)
			out.event.New = out.event.Found
			out.changed = out.event.New > 0
			return out, nil
		})
		if !errors.Is(err, errLeft) {
			yield(Event[T]{}, f.named(err))
		}
	}
}

// errLeft ends the rounds of a loop that was left.
var errLeft = errors.New("poll: left")

// yieldAll yields what is fresh.
func (f *Feed[T]) yieldAll(w *walk[T], yield func(Event[T], error) bool) bool {
	fresh := w.fresh()
	given := make([]entry, 0, len(fresh))
	for _, i := range fresh {
		e := w.entries[i]
		given = append(given, e)
		so := slices.Clip(given)
		resume := func() string { return w.from.after(so).String() }
		if len(given) == len(fresh) { // the round's end: with its validators
			resume = func() string { return w.to().String() }
		}
		if !yield(Event[T]{Item: w.items[i], Key: e.key, Occurred: e.at, Raw: e.raw, resume: resume}, nil) {
			return false
		}
	}
	return true
}

package redis

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// How much one step of a script does.
const (
	stepLooks = 1000 // records that are looked at
	stepFinds = 100  // records that are returned or changed
)

// List is [inbox.Archive.List].
func (b *Inbox) List(ctx context.Context, q inbox.Query) ([]inbox.Record, error) {
	q.Limit = cmp.Or(q.Limit, 100)
	var all []inbox.Record
	_, err := b.find(ctx, "list", "", q, func(found []any) error {
		records, err := records(found)
		all = append(all, records...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Replay is [inbox.Archive.Replay].
func (b *Inbox) Replay(ctx context.Context, q inbox.Query, name string) (int, error) {
	if name == "" || len(name) > inbox.MaxKey {
		return 0, fmt.Errorf("redis: a replay needs a name of at most %d bytes, which its attempts are known by", inbox.MaxKey)
	}
	if err := q.CheckChange(); err != nil {
		return 0, err
	}
	return b.find(ctx, "replay", name, q, nil)
}

// Discard is [inbox.Archive.Discard].
func (b *Inbox) Discard(ctx context.Context, q inbox.Query, why string) (int, error) {
	if err := q.CheckChange(); err != nil {
		return 0, err
	}
	return b.find(ctx, "discard", shortened(inbox.Discarded(why)), q, nil)
}

// find goes through what q names, step by step, and returns how many were found.
func (b *Inbox) find(ctx context.Context, act, with string, q inbox.Query, take func([]any) error) (n int, err error) {
	numbers := slices.DeleteFunc(compact(q.Seqs), func(seq int64) bool { return seq <= q.After })
	if len(q.Seqs) > 0 && len(numbers) == 0 {
		return 0, ctx.Err()
	}
	for chunk := range chunks(numbers) {
		for after := q.After; ; {
			args := []any{act, with, after, min(stepFinds, left(q.Limit, n)), stepLooks, q.Source, q.Key, q.Type, q.Order, bound(q.ReceivedFrom), bound(q.ReceivedTo)}
			answer, err := b.run(ctx, scripts.find, append(args, among(q.States, chunk)...)...)
			switch {
			case err != nil:
				return n, err
			case len(answer) == 0:
				return n, errAnswer
			}
			n += len(answer) - 1
			if take != nil {
				if err := take(answer[1:]); err != nil {
					return n, err
				}
			}
			if n == q.Limit && n > 0 {
				return n, nil
			}
			if text(answer[0]) == "" {
				break
			}
			after = number(answer[0])
		}
	}
	return n, nil
}

// chunks are a step's worth of numbers each; of none, one that is empty.
func chunks(numbers []int64) func(func([]int64) bool) {
	if len(numbers) > 0 {
		return slices.Chunk(numbers, stepLooks)
	}
	return func(yield func([]int64) bool) { yield(nil) }
}

// left is how many more may be found.
func left(limit, n int) int {
	if limit == 0 {
		return math.MaxInt
	}
	return limit - n
}

// among are a step's arguments for states and numbers.
func among(states []inbox.State, numbers []int64) []any {
	states = compact(states)
	args := []any{len(states)}
	for _, s := range states {
		args = append(args, string(s))
	}
	for _, n := range numbers {
		args = append(args, n)
	}
	return args
}

// bound is a time that records are on one side of: rounded up, since theirs are
// whole microseconds.
func bound(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Add(time.Microsecond-1).UnixMicro(), 10)
}

// Purge is [inbox.Archive.Purge].
func (b *Inbox) Purge(ctx context.Context, keep inbox.Retention) (inbox.Purged, error) {
	var p inbox.Purged
	if err := keep.Check(); err != nil {
		return p, err
	}
	for {
		answer, err := b.run(ctx, scripts.purge, micros(keep.Keys), micros(keep.Bodies), stepFinds)
		switch {
		case err != nil:
			return p, err
		case len(answer) != 3:
			return p, errAnswer
		}
		p.Bodies += int(number(answer[0]))
		p.Records += int(number(answer[1]))
		if number(answer[2]) == 0 {
			return p, nil
		}
	}
}

// Stats is [inbox.Archive.Stats].
func (b *Inbox) Stats(ctx context.Context) (inbox.Stats, error) {
	answer, err := b.run(ctx, scripts.stats)
	if err != nil {
		return inbox.Stats{}, err
	}
	if len(answer) != 6 {
		return inbox.Stats{}, errAnswer
	}
	n := func(i int) int { return int(number(answer[i])) }
	return inbox.Stats{
		Ready: n(0), Leased: n(1), Dead: n(2), Parked: n(3), Conflicts: n(4),
		Oldest: time.Duration(number(answer[5])) * time.Microsecond,
	}, nil
}

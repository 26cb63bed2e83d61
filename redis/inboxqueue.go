package redis

import (
	"context"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// Claim is [inbox.Queue.Claim].
func (b *Inbox) Claim(ctx context.Context, c inbox.Claim) ([]inbox.Record, time.Duration, error) {
	if err := c.Check(); err != nil {
		return nil, 0, err
	}
	args := []any{c.Owner, c.Limit, micros(c.Lease), c.Expired, inbox.RanOut}
	for _, s := range compact(c.Sources) {
		args = append(args, s)
	}
	answer, err := b.run(ctx, scripts.claim, args...)
	if err != nil {
		return nil, 0, err
	}
	if len(answer) == 0 {
		return nil, 0, errAnswer
	}
	records, err := records(answer[1:])
	// Rounded up, so that what is asked for then is due.
	return records, time.Duration(number(answer[0])) * time.Microsecond, err
}

// Extend is [inbox.Queue.Extend].
func (b *Inbox) Extend(ctx context.Context, d time.Duration, leases ...inbox.Lease) ([]bool, error) {
	args := []any{micros(d)}
	for _, l := range leases {
		args = append(args, l.Seq, l.Fence)
	}
	return b.held(b.run(ctx, scripts.extend, args...))
}

// Settle is [inbox.Queue.Settle].
func (b *Inbox) Settle(ctx context.Context, settlements ...inbox.Settlement) ([]bool, error) {
	var args []any
	for i := range settlements {
		s := &settlements[i]
		if err := s.Check(); err != nil {
			return nil, err
		}
		args = append(args, s.Seq, s.Fence, string(s.State), micros(s.After), shortened(s.Error), bit(s.Undo))
	}
	return b.held(b.run(ctx, scripts.settle, args...))
}

// held reads which leases were.
func (b *Inbox) held(answer []any, err error) ([]bool, error) {
	if err != nil {
		return nil, err
	}
	held := make([]bool, len(answer))
	for i, a := range answer {
		held[i] = number(a) == 1
	}
	return held, nil
}

// Last is [inbox.Queue.Last].
func (b *Inbox) Last(ctx context.Context, source, order string) (*inbox.Record, error) {
	answer, err := b.run(ctx, scripts.last, source, order)
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	last, err := records(answer)
	if err != nil {
		return nil, err
	}
	return &last[0], nil
}

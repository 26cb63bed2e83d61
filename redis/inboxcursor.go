package redis

import (
	"context"
	"errors"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// Hold is [inbox.Cursors.Hold].
func (b *Inbox) Hold(ctx context.Context, name, owner string, d time.Duration) (inbox.Cursor, bool, error) {
	if name == "" || owner == "" || d <= 0 {
		return inbox.Cursor{}, false, errors.New("redis: Hold needs a name, an owner and a duration above zero")
	}
	answer, err := b.run(ctx, scripts.hold, name, owner, micros(d))
	if err != nil || len(answer) != 2 {
		return inbox.Cursor{}, false, err
	}
	return inbox.Cursor{Fence: number(answer[0]), Value: text(answer[1])}, true, nil
}

// Commit is [inbox.Cursors.Commit].
func (b *Inbox) Commit(ctx context.Context, name string, fence int64, value string, events ...inbox.Event) ([]inbox.Outcome, error) {
	if name == "" {
		return nil, inbox.ErrLost // nobody can hold it
	}
	return b.insert(ctx, name, fence, value, events)
}

// Release is [inbox.Cursors.Release].
func (b *Inbox) Release(ctx context.Context, name string, fence int64) error {
	_, err := b.run(ctx, scripts.release, name, fence)
	return err
}

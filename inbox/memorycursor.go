package inbox

import (
	"context"
	"time"
)

// cursor is a [Cursor] and its lease.
type cursor struct {
	Cursor
	owner string
	until time.Time
}

// Hold is [Cursors.Hold].
func (m *Memory) Hold(ctx context.Context, name, owner string, d time.Duration) (Cursor, bool, error) {
	if err := checkHold(ctx, name, owner, d); err != nil {
		return Cursor{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, there := m.cursors[name]
	if !there {
		c = &cursor{}
		m.cursors[name] = c
	}
	now := time.Now()
	switch free := !c.until.After(now); {
	case c.owner != owner && !free:
		return Cursor{}, false, nil
	case c.owner != owner || free:
		c.Fence++
	}
	c.owner, c.until = owner, now.Add(d)
	return c.Cursor, true, nil
}

// Commit is [Cursors.Commit].
func (m *Memory) Commit(ctx context.Context, name string, fence int64, value string, events ...Event) ([]Outcome, error) {
	if err := check(ctx, events); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, there := m.cursors[name]
	if !there || c.Fence != fence {
		return nil, ErrLost
	}
	c.Value = value
	return m.insert(events), nil
}

// Release is [Cursors.Release].
func (m *Memory) Release(ctx context.Context, name string, fence int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, there := m.cursors[name]; there && c.Fence == fence {
		c.owner, c.until = "", time.Time{}
	}
	return nil
}

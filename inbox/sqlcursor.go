package inbox

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Hold is [Cursors.Hold].
func (s *SQL) Hold(ctx context.Context, name, owner string, d time.Duration) (Cursor, bool, error) {
	if err := checkHold(ctx, name, owner, d); err != nil {
		return Cursor{}, false, err
	}
	q := s.statement("INSERT INTO aplomb_cursor (name) VALUES (")
	q.add(q.arg(name) + ") ON CONFLICT (name) DO NOTHING")
	if _, err := s.count(ctx, q); err != nil {
		return Cursor{}, false, err
	}
	// Who takes a lease that was another's, or that ran out, has a higher fence.
	q = s.statement("UPDATE aplomb_cursor SET fence = CASE WHEN owner = ")
	q.add(q.arg(owner) + " AND until > " + q.now() + " THEN fence ELSE fence + 1 END, owner = " + q.arg(owner) + ", until = " + q.in(d) +
		" WHERE name = " + q.arg(name) + " AND (owner = " + q.arg(owner) + " OR until <= " + q.now() + ") RETURNING value, fence")
	var c Cursor
	err := s.one(ctx, q, &c.Value, &c.Fence)
	if errors.Is(err, sql.ErrNoRows) {
		return Cursor{}, false, nil
	}
	return c, err == nil, err
}

// Commit is [Cursors.Commit].
func (s *SQL) Commit(ctx context.Context, name string, fence int64, value string, events ...Event) ([]Outcome, error) {
	if err := check(ctx, events); err != nil {
		return nil, err
	}
	if name == "" { // which nobody can hold: it is the tables' version
		return nil, ErrLost
	}
	var out []Outcome
	err := s.inTx(ctx, quick, func(tx *sql.Tx) error {
		q := s.statement("UPDATE aplomb_cursor SET value = ")
		q.add(q.arg(value) + " WHERE name = " + q.arg(name) + " AND fence = " + q.arg(fence))
		held, err := affected(ctx, tx, q)
		if err == nil && !held {
			err = ErrLost
		}
		if err != nil {
			return err
		}
		out, err = s.insertEvents(ctx, tx, events)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Release is [Cursors.Release].
func (s *SQL) Release(ctx context.Context, name string, fence int64) error {
	if name == "" {
		return ctx.Err()
	}
	q := s.statement("UPDATE aplomb_cursor SET owner = '', until = 0 WHERE name = ")
	q.add(q.arg(name) + " AND fence = " + q.arg(fence))
	_, err := s.count(ctx, q)
	return err
}

package inbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"
)

// List is [Archive.List].
func (s *SQL) List(ctx context.Context, query Query) ([]Record, error) {
	q := s.statement("SELECT " + columns + " FROM aplomb_inbox")
	q.where(query)
	q.addf(" ORDER BY seq LIMIT %d", cmp.Or(query.Limit, defaultPage))
	found, err := records(ctx, s.db, q)
	out := make([]Record, len(found))
	for i, r := range found {
		out[i] = r.Record
	}
	return out, err
}

// Replay is [Archive.Replay].
func (s *SQL) Replay(ctx context.Context, query Query, name string) (int, error) {
	if err := cmp.Or(checkReplay(ctx, name), query.CheckChange()); err != nil {
		return 0, err
	}
	q := s.statement("UPDATE aplomb_inbox SET state = 0, attempts = 0, replay = ")
	q.add(q.arg(name) + ", due = ")
	if s.dialect == PostgreSQL {
		q.add(txTime) // one time for all, or they would be due in any order
	} else {
		q.add(q.now())
	}
	q.add(" WHERE seq IN (SELECT seq FROM aplomb_inbox")
	q.where(query)
	q.add(" AND state >= 2 AND body IS NOT NULL ORDER BY seq")
	q.limit(query.Limit)
	q.add(") AND state >= 2")
	return s.count(ctx, q)
}

// limit narrows a query, unless n is zero.
func (q *statement) limit(n int) {
	if n > 0 {
		q.addf(" LIMIT %d", n)
	}
}

// Discard is [Archive.Discard].
func (s *SQL) Discard(ctx context.Context, query Query, why string) (n int, err error) {
	if err := query.CheckChange(); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, quick, func(tx *sql.Tx) error {
		if err := s.dialect.lock(ctx, tx); err != nil { // so that none is claimed meanwhile
			return err
		}
		q := s.statement("SELECT " + columns + " FROM aplomb_inbox")
		q.where(query)
		q.add(" AND state IN (0, 2, 3, 4) ORDER BY seq")
		q.limit(query.Limit)
		found, err := records(ctx, tx, q)
		if err != nil {
			return err
		}
		now, err := s.time(ctx, tx)
		if err != nil {
			return err
		}
		for _, r := range found {
			err := s.remember(ctx, tx, r, Attempt{Began: now, Ended: now, Error: Discarded(why), Replay: r.Replay})
			if err != nil {
				return err
			}
			q := s.statement("UPDATE aplomb_inbox SET state = 6, due = 0 WHERE seq = ")
			q.add(q.arg(r.Seq))
			if _, err = tx.ExecContext(ctx, q.String(), q.args...); err != nil {
				return err
			}
		}
		n = len(found)
		orders := map[name]bool{}
		for _, r := range found {
			if r.Order != "" {
				orders[name{r.Source, r.Order}] = true
			}
		}
		return cmp.Or(err, s.unblock(ctx, tx, orders))
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// purgeAtOnce is how many records one transaction purges, so that others get a turn.
const purgeAtOnce = 500

// Purge is [Archive.Purge].
func (s *SQL) Purge(ctx context.Context, keep Retention) (p Purged, err error) {
	if err := keep.Check(); err != nil {
		return Purged{}, err
	}
	for n := purgeAtOnce; n == purgeAtOnce && err == nil; p.Records += n {
		n, err = s.forget(ctx, keep.Keys)
	}
	for n := purgeAtOnce; n == purgeAtOnce && err == nil; p.Bodies += n {
		n, err = s.empty(ctx, keep.Bodies)
	}
	return p, cmp.Or(err, s.heal(ctx))
}

// heal has records be due that wait for none of their Order, should there be any
// that unblock has not found: they would wait for ever.
func (s *SQL) heal(ctx context.Context) error {
	q := s.statement("UPDATE aplomb_inbox AS a SET due = ")
	q.add(q.now() + " WHERE state = 0 AND due > " + q.cast(postponed/2) +
		" AND NOT EXISTS (SELECT 1 FROM aplomb_inbox b WHERE b.state <= 2 AND b.lane <> '' AND b.source = a.source AND b.lane = a.lane AND (b.occurred, b.seq) < (a.occurred, a.seq))")
	_, err := s.count(ctx, q)
	return err
}

// old finds records that can be purged.
func (q *statement) old(age time.Duration) {
	q.add(" FROM aplomb_inbox WHERE state >= 4 AND received <= " + q.in(-age))
}

// forget deletes records.
func (s *SQL) forget(ctx context.Context, age time.Duration) (int, error) {
	q := s.statement("DELETE FROM aplomb_inbox WHERE state >= 4 AND seq IN (SELECT seq")
	q.old(age)
	q.limit(purgeAtOnce)
	q.add(")")
	return s.count(ctx, q)
}

// empty takes the bodies of records away, and keeps what they are compared by.
func (s *SQL) empty(ctx context.Context, age time.Duration) (n int, err error) {
	q := s.statement("SELECT seq, body, digest")
	q.old(age)
	q.add(" AND body IS NOT NULL")
	q.limit(purgeAtOnce)
	digests := map[int64][]byte{}
	rows, err := s.db.QueryContext(ctx, q.String(), q.args...)
	err = scan(rows, err, func(scan func(...any) error) error {
		var seq int64
		var e Event
		err := scan(&seq, &e.Body, &e.Digest)
		digests[seq] = e.Fingerprint()
		return err
	})
	if err != nil || len(digests) == 0 {
		return 0, err
	}
	return len(digests), s.inTx(ctx, quick, func(tx *sql.Tx) error {
		for _, seq := range slices.Sorted(maps.Keys(digests)) {
			q := s.statement("UPDATE aplomb_inbox SET body = NULL, header = '', digest = ")
			q.add(q.arg(digests[seq]) + " WHERE state >= 4 AND seq = " + q.arg(seq))
			if _, err := tx.ExecContext(ctx, q.String(), q.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Stats is [Archive.Stats].
func (s *SQL) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	for _, query := range []string{
		"SELECT state, COUNT(*) FROM aplomb_inbox WHERE state <= 1 GROUP BY state",
		"SELECT state, COUNT(*) FROM aplomb_inbox WHERE state BETWEEN 2 AND 4 GROUP BY state",
	} {
		rows, err := s.db.QueryContext(ctx, query)
		err = scan(rows, err, func(scan func(...any) error) error {
			var state, n int
			err := scan(&state, &n)
			stats.add(state, n)
			return err
		})
		if err != nil {
			return Stats{}, err
		}
	}
	if stats.Pending() == 0 {
		return stats, nil
	}
	q := s.statement("SELECT ")
	q.add(q.now() + " - received FROM aplomb_inbox WHERE seq = (SELECT MIN(seq) FROM aplomb_inbox WHERE state <= 1)")
	var age int64
	err := s.db.QueryRowContext(ctx, q.String(), q.args...).Scan(&age)
	if errors.Is(err, sql.ErrNoRows) { // it was settled meanwhile
		err = nil
	}
	stats.Oldest = max(0, time.Duration(age)*time.Microsecond)
	return stats, err
}

// add counts n records in a state.
func (s *Stats) add(state, n int) {
	switch state {
	case ready:
		s.Ready = n
	case leased:
		s.Leased = n
	case parked:
		s.Parked = n
	case dead:
		s.Dead = n
	case conflict:
		s.Conflicts = n
	}
}

package inbox

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"
)

// List is [Archive.List].
func (s *SQL) List(ctx context.Context, query Query) ([]Record, error) {
	q := s.statement("SELECT " + columns + " FROM aplomb_inbox")
	q.where(query)
	fmt.Fprintf(q, " ORDER BY seq LIMIT %d", cmp.Or(query.Limit, defaultPage))
	found, err := records(ctx, s.db, q)
	out := make([]Record, len(found))
	for i, r := range found {
		out[i] = r.Record
	}
	return out, err
}

// Replay is [Archive.Replay].
func (s *SQL) Replay(ctx context.Context, query Query, name string) (int, error) {
	if err := checkReplay(ctx, name); err != nil {
		return 0, err
	}
	q := s.statement("UPDATE aplomb_inbox SET state = 0, attempts = 0, replay = ")
	q.WriteString(q.arg(name) + ", due = " + q.now() + " WHERE seq IN (SELECT seq FROM aplomb_inbox")
	q.where(query)
	q.WriteString(" AND state >= 2 AND body IS NOT NULL ORDER BY seq")
	q.limit(query.Limit)
	q.WriteString(") AND state >= 2")
	return count(ctx, s.db, q)
}

// limit narrows a query, unless n is zero.
func (q *statement) limit(n int) {
	if n > 0 {
		fmt.Fprintf(q, " LIMIT %d", n)
	}
}

// Discard is [Archive.Discard].
func (s *SQL) Discard(ctx context.Context, query Query, why string) (n int, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.dialect.lock(ctx, tx); err != nil { // so that none is claimed meanwhile
			return err
		}
		q := s.statement("SELECT " + columns + " FROM aplomb_inbox")
		q.where(query)
		q.WriteString(" AND state IN (0, 2, 3, 4) ORDER BY seq")
		q.limit(query.Limit)
		found, err := records(ctx, tx, q)
		for _, r := range found {
			if err == nil {
				err = s.fail(ctx, tx, r, discarded(why))
			}
			if err != nil {
				return err
			}
			q := s.statement("UPDATE aplomb_inbox SET state = 5, due = 0 WHERE seq = ")
			q.WriteString(q.arg(r.Seq))
			if _, err = tx.ExecContext(ctx, q.String(), q.args...); err != nil {
				return err
			}
		}
		n = len(found)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// purgeAtOnce is how many records one statement purges, so that others get a turn.
const purgeAtOnce = 500

// Purge is [Archive.Purge].
func (s *SQL) Purge(ctx context.Context, keep Retention) (Purged, error) {
	var p Purged
	err := keep.check()
	if err == nil {
		p.Records, err = s.purge(ctx, "DELETE FROM aplomb_inbox", "", keep.Keys)
	}
	if err == nil {
		p.Bodies, err = s.purge(ctx, "UPDATE aplomb_inbox SET body = NULL, header = ''", " AND body IS NOT NULL", keep.Bodies)
	}
	return p, err
}

func (s *SQL) purge(ctx context.Context, verb, condition string, age time.Duration) (all int, err error) {
	for {
		q := s.statement(verb + " WHERE seq IN (SELECT seq FROM aplomb_inbox WHERE state >= 4 AND received <= ")
		q.WriteString(q.in(-age) + condition)
		fmt.Fprintf(q, " LIMIT %d) AND state >= 4", purgeAtOnce)
		n, err := count(ctx, s.db, q)
		all += n
		if err != nil || n < purgeAtOnce {
			return all, err
		}
	}
}

// Stats is [Archive.Stats].
func (s *SQL) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	now, err := s.time(ctx, s.db)
	if err != nil {
		return Stats{}, err
	}
	for _, query := range []string{
		"SELECT state, COUNT(*), MIN(received) FROM aplomb_inbox WHERE state <= 1 GROUP BY state",
		"SELECT state, COUNT(*), 0 FROM aplomb_inbox WHERE state BETWEEN 2 AND 4 GROUP BY state",
	} {
		rows, err := s.db.QueryContext(ctx, query)
		err = scan(rows, err, func(scan func(...any) error) error {
			var state, n int
			var received int64
			err := scan(&state, &n, &received)
			stats.add(state, n, now.Sub(time.UnixMicro(received)))
			return err
		})
		if err != nil {
			return Stats{}, err
		}
	}
	return stats, nil
}

// add counts n records in a state, of which the oldest has that age.
func (s *Stats) add(state, n int, age time.Duration) {
	switch state {
	case ready, leased:
		s.Oldest = max(s.Oldest, age)
		if state == ready {
			s.Ready = n
		} else {
			s.Leased = n
		}
	case parked:
		s.Parked = n
	case dead:
		s.Dead = n
	case conflict:
		s.Conflicts = n
	}
}

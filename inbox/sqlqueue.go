package inbox

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columns are those of a record, as readRecord reads them.
const columns = "seq, source, event_key, type, lane, via, occurred, received, header, body, state, due, attempts, fence, replay, history, owner, began"

// stored is a record and what only the store knows.
type stored struct {
	Record
	owner string
	began int64
}

func readRecord(scan func(...any) error) (*stored, error) {
	r := &stored{}
	var header, history string
	var state int
	var occurred, received, due int64
	err := scan(&r.Seq, &r.Source, &r.Key, &r.Type, &r.Order, &r.Via, &occurred, &received, &header, &r.Body,
		&state, &due, &r.Attempts, &r.Fence, &r.Replay, &history, &r.owner, &r.began)
	if err != nil {
		return nil, err
	}
	r.State = states[min(max(0, state), len(states)-1)]
	r.Occurred, r.Received = time.UnixMicro(occurred), time.UnixMicro(received)
	if r.State == StateReady && due < postponed/2 {
		r.Due = time.UnixMicro(due)
	}
	// What cannot be read stands in nobody's way: it is shown without, and buried.
	r.Header, err = decodeHeader(header)
	if history != "" {
		err = cmp.Or(err, json.Unmarshal([]byte(history), &r.History))
	}
	if err != nil {
		r.unreadable = fmt.Errorf("inbox: record %d cannot be read: %w", r.Seq, err)
	}
	return r, nil
}

// records reads all that a query finds.
func records(ctx context.Context, db sqler, q *statement) (out []*stored, err error) {
	rows, err := db.QueryContext(ctx, q.String(), q.args...)
	err = scan(rows, err, func(scan func(...any) error) error {
		r, err := readRecord(scan)
		if err == nil {
			out = append(out, r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Claim is [Queue.Claim]. One claim at a time looks, so that no two see the same
// event of an Order as its next.
func (s *SQL) Claim(ctx context.Context, c Claim) ([]Record, time.Duration, error) {
	if err := c.Check(); err != nil {
		return nil, 0, err
	}
	if next, err := s.next(ctx, s.db, true); err != nil || next > 0 {
		return nil, next, err // most often nothing is due, and nothing is written
	}
	var claimed []*stored
	var next time.Duration
	err := s.inTx(ctx, quick, func(tx *sql.Tx) (err error) {
		if err := s.dialect.lock(ctx, tx); err != nil {
			return err
		}
		if claimed, err = s.choose(ctx, tx, c); err == nil {
			err = s.take(ctx, tx, c, claimed)
		}
		if next = time.Microsecond; err == nil && len(claimed) < c.Limit { // else there is probably more
			next, err = s.next(ctx, tx, false)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	out := make([]Record, len(claimed))
	for i, r := range claimed {
		out[i] = r.Record
	}
	return out, next, nil
}

// next is how long nothing will be due; with overdue it is 0 if something may be.
func (s *SQL) next(ctx context.Context, db sqler, overdue bool) (time.Duration, error) {
	q := s.statement("SELECT MIN(due) - ")
	q.add(q.now() + " FROM aplomb_inbox WHERE state <= 1")
	if !overdue {
		q.add(" AND due > " + q.now())
	}
	var micros sql.NullInt64
	if err := db.QueryRowContext(ctx, q.String(), q.args...).Scan(&micros); err != nil {
		return 0, err
	}
	next := time.Duration(micros.Int64) * time.Microsecond
	switch {
	case !micros.Valid || next > longestNext:
		return longestNext, nil
	case overdue:
		return max(0, next), nil
	}
	return max(time.Microsecond, next), nil
}

// choose finds the records to be claimed: those whose leases ran out, as far as
// they are wanted, and then what waits.
func (s *SQL) choose(ctx context.Context, tx *sql.Tx, c Claim) ([]*stored, error) {
	var chosen []int64
	orders := map[name]bool{} // each statement sees what others have inserted meanwhile
	if n := min(c.Limit, c.Expired); n > 0 {
		found, err := s.due(ctx, tx, c, leased, n, true)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			chosen = append(chosen, d.seq)
			orders[d.order] = true
		}
	}
	for window := 2*c.Limit + 16; len(chosen) < c.Limit; window *= 2 {
		found, err := s.due(ctx, tx, c, ready, window, false)
		if err != nil {
			return nil, err
		}
		var blocked []int64
		for _, d := range found {
			switch {
			case d.blocked == byEarlier:
				blocked = append(blocked, d.seq)
			case d.blocked == byLease, d.order.text != "" && orders[d.order]:
			case len(chosen) < c.Limit && !slices.Contains(chosen, d.seq):
				chosen = append(chosen, d.seq)
				orders[d.order] = true
			}
		}
		if err := s.postpone(ctx, tx, blocked); err != nil {
			return nil, err
		}
		if len(found) < window || window > mostSeen {
			break
		}
	}
	return s.locked(ctx, tx, chosen)
}

// mostSeen bounds how many records one claim looks at.
const mostSeen = 4096

// candidate is a record that is due, and what of its Order it waits for.
type candidate struct {
	seq     int64
	order   name
	blocked int
}

const (
	byEarlier = 1 // one that comes before it
	byLease   = 2 // one that comes after it and is being handled
)

// due finds records that are due, in one state: all of them, or only those that are
// not blocked.
func (s *SQL) due(ctx context.Context, tx *sql.Tx, c Claim, state, limit int, free bool) (out []candidate, err error) {
	q := s.statement("SELECT seq, source, lane, blocked FROM (SELECT due, seq, source, lane, CASE WHEN lane = '' THEN 0")
	q.addf(` WHEN EXISTS (SELECT 1 FROM aplomb_inbox b WHERE b.state <= 2 AND b.lane <> '' AND b.source = a.source AND b.lane = a.lane AND (b.occurred, b.seq) < (a.occurred, a.seq)) THEN 1
		WHEN EXISTS (SELECT 1 FROM aplomb_inbox b WHERE b.state <= 2 AND b.lane <> '' AND b.state = 1 AND b.source = a.source AND b.lane = a.lane AND b.due > %s) THEN 2 ELSE 0 END AS blocked
		FROM aplomb_inbox a WHERE state <= 1 AND state = %d AND due <= %s`, q.now(), state, q.now())
	if len(c.Sources) > 0 {
		q.add(" AND source")
		list(q, c.Sources)
	}
	if free {
		q.add(") AS candidates WHERE blocked = 0")
	} else {
		q.addf(" ORDER BY due, seq LIMIT %d) AS candidates", limit)
	}
	q.addf(" ORDER BY due, seq LIMIT %d", limit)
	rows, err := tx.QueryContext(ctx, q.String(), q.args...)
	err = scan(rows, err, func(scan func(...any) error) error {
		var one candidate
		err := scan(&one.seq, &one.order.source, &one.order.text, &one.blocked)
		out = append(out, one)
		return err
	})
	return out, err
}

// postponed is the due of a record that waits for another of its Order. Otherwise
// each claim would look at all that have come since an Order is held up.
const postponed = 1 << 62

// postpone has records wait until unblock finds them.
func (s *SQL) postpone(ctx context.Context, tx *sql.Tx, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	q := s.statement("UPDATE aplomb_inbox SET due = ")
	q.add(q.cast(postponed) + " WHERE state = 0 AND seq")
	list(q, seqs)
	_, err := tx.ExecContext(ctx, q.String(), q.args...)
	return err
}

// unblock has the next records of Orders be due, of which others have just been
// settled in tx. In PostgreSQL it takes its turn with claims: one that began before
// would postpone what is the next now.
func (s *SQL) unblock(ctx context.Context, tx *sql.Tx, orders map[name]bool) error {
	if len(orders) == 0 {
		return nil
	}
	if s.dialect == PostgreSQL {
		if err := s.dialect.lock(ctx, tx); err != nil {
			return err
		}
	}
	for order := range orders {
		q := s.statement("UPDATE aplomb_inbox SET due = ")
		q.add(q.now() + " WHERE state = 0 AND due > " + q.cast(postponed/2) + " AND seq = (SELECT seq FROM aplomb_inbox WHERE state <= 2 AND lane <> '' AND source = " +
			q.arg(order.source) + " AND lane = " + q.arg(order.text) + " ORDER BY occurred, seq LIMIT 1)")
		if _, err := tx.ExecContext(ctx, q.String(), q.args...); err != nil {
			return err
		}
	}
	return nil
}

// locked reads records that nobody else is about to change.
func (s *SQL) locked(ctx context.Context, tx *sql.Tx, seqs []int64) ([]*stored, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	q := s.statement("SELECT " + columns + " FROM aplomb_inbox WHERE state <= 1 AND seq")
	list(q, seqs)
	if s.dialect == PostgreSQL {
		q.add(" FOR UPDATE SKIP LOCKED")
	}
	found, err := records(ctx, tx, q)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *stored) int { return cmp.Compare(slices.Index(seqs, a.Seq), slices.Index(seqs, b.Seq)) })
	return found, nil
}

// list writes IN (...).
func list[T any](q *statement, values []T) {
	q.add(" IN (")
	for i, v := range values {
		if i > 0 {
			q.add(", ")
		}
		q.add(q.arg(v))
	}
	q.add(")")
}

// take leases the records, and notes that the lease of some ran out.
func (s *SQL) take(ctx context.Context, tx *sql.Tx, c Claim, claimed []*stored) error {
	if len(claimed) == 0 {
		return nil
	}
	seqs := make([]int64, len(claimed))
	for i, r := range claimed {
		seqs[i] = r.Seq
		if r.State == StateLeased {
			if err := s.fail(ctx, tx, r, RanOut); err != nil {
				return err
			}
		}
		r.State, r.Due = StateLeased, time.Time{}
		r.Attempts++
		r.Fence++
	}
	q := s.statement("UPDATE aplomb_inbox SET state = 1, attempts = attempts + 1, fence = fence + 1, owner = ")
	q.add(q.arg(c.Owner) + ", began = " + q.now() + ", due = " + q.in(c.Lease) + " WHERE seq")
	list(q, seqs)
	_, err := tx.ExecContext(ctx, q.String(), q.args...)
	return err
}

// fail adds an attempt that failed to a record's history.
func (s *SQL) fail(ctx context.Context, tx *sql.Tx, r *stored, why string) error {
	now, err := s.time(ctx, tx)
	if err != nil {
		return err
	}
	return s.remember(ctx, tx, r, Attempt{Number: r.Attempts, Owner: r.owner, Began: time.UnixMicro(r.began), Ended: now, Error: why, Replay: r.Replay})
}

func (s *SQL) remember(ctx context.Context, tx *sql.Tx, r *stored, a Attempt) error {
	r.History = remember(r.History, a)
	text, err := json.Marshal(r.History)
	if err != nil {
		return err
	}
	q := s.statement("UPDATE aplomb_inbox SET history = ")
	q.add(q.arg(string(text)) + " WHERE seq = " + q.arg(r.Seq))
	_, err = tx.ExecContext(ctx, q.String(), q.args...)
	return err
}

// time is the store's.
func (s *SQL) time(ctx context.Context, db sqler) (time.Time, error) {
	if s.dialect == SQLite {
		return time.UnixMicro(time.Now().UnixMicro()), nil
	}
	var micros int64
	q := s.statement("SELECT ")
	q.add(q.now())
	err := db.QueryRowContext(ctx, q.String(), q.args...).Scan(&micros)
	return time.UnixMicro(micros), err
}

// Extend is [Queue.Extend].
func (s *SQL) Extend(ctx context.Context, d time.Duration, leases ...Lease) ([]bool, error) {
	if len(leases) == 0 {
		return nil, ctx.Err()
	}
	q := s.statement("UPDATE aplomb_inbox SET due = ")
	q.add(q.in(d) + " WHERE state = 1 AND due > " + q.now() + " AND (seq, fence)")
	q.leases(leases)
	q.add(" RETURNING seq")
	if err := s.begin(ctx, quick); err != nil {
		return nil, err
	}
	defer s.end()
	found := map[int64]bool{}
	rows, err := s.db.QueryContext(ctx, q.String(), q.args...)
	err = scan(rows, err, func(scan func(...any) error) error {
		var seq int64
		err := scan(&seq)
		found[seq] = true
		return err
	})
	held := make([]bool, len(leases))
	for i, l := range leases {
		held[i] = found[l.Seq]
	}
	return held, err
}

// leases writes IN (VALUES ...).
func (q *statement) leases(leases []Lease) {
	q.add(" IN (VALUES ")
	for i, l := range leases {
		if i > 0 {
			q.add(", ")
		}
		q.add("(" + q.cast(l.Seq) + ", " + q.cast(l.Fence) + ")")
	}
	q.add(")")
}

// Settle is [Queue.Settle]. Settlements that come at once share a commit.
func (s *SQL) Settle(ctx context.Context, settlements ...Settlement) ([]bool, error) {
	if err := cmp.Or(checkSettlements(settlements), ctx.Err()); err != nil || len(settlements) == 0 {
		return nil, err
	}
	return s.settles.add(ctx, settlements)
}

// settleAll settles what several callers have, in one transaction.
func (s *SQL) settleAll(ctx context.Context, jobs [][]Settlement) (out [][]bool, err error) {
	all := slices.Concat(jobs...)
	var held []bool
	err = s.inTx(ctx, quick, func(tx *sql.Tx) (err error) {
		if s.dialect == SQLite {
			if err := s.dialect.lock(ctx, tx); err != nil {
				return err
			}
		}
		held, err = s.settleEach(ctx, tx, all)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, job := range jobs {
		out, held = append(out, held[:len(job)]), held[len(job):]
	}
	return out, nil
}

// settleEach settles the simple ones together, and each of the others alone, in the
// order of Seq: then no two transactions wait for each other. What concerns one
// event is settled in the order given.
func (s *SQL) settleEach(ctx context.Context, tx *sql.Tx, all []Settlement) ([]bool, error) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[a].Seq, all[b].Seq) })
	held := make([]bool, len(all))
	var simple []Settlement
	var places []int
	for n, i := range order {
		only := (n == 0 || all[order[n-1]].Seq != all[i].Seq) && (n == len(order)-1 || all[order[n+1]].Seq != all[i].Seq)
		if only && all[i].State == StateDone && all[i].Error == "" && !all[i].Undo {
			simple, places = append(simple, all[i]), append(places, i)
			continue
		}
		var err error
		if held[i], err = s.settleOne(ctx, tx, all[i]); err != nil {
			return nil, err
		}
	}
	finished, err := s.finish(ctx, tx, simple)
	for i, at := range places {
		if err == nil {
			held[at] = finished[i]
		}
	}
	return held, err
}

// finish has events be done.
func (s *SQL) finish(ctx context.Context, tx *sql.Tx, settlements []Settlement) ([]bool, error) {
	found, orders := make(map[Lease]bool, len(settlements)), map[name]bool{}
	err := inRows(settlements, func(shape int, part []Settlement) error {
		args := make([]any, 0, 2*len(part))
		for _, one := range part {
			args = append(args, one.Seq, one.Fence)
		}
		rows, err := tx.StmtContext(ctx, s.finished[shape]).QueryContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes it
		return scan(rows, err, func(scan func(...any) error) error {
			var l Lease
			var order name
			err := scan(&l.Seq, &l.Fence, &order.source, &order.text)
			found[l] = true
			if order.text != "" {
				orders[order] = true
			}
			return err
		})
	})
	if err == nil {
		err = s.unblock(ctx, tx, orders)
	}
	held := make([]bool, len(settlements))
	for i, one := range settlements {
		held[i] = found[one.Lease]
	}
	return held, err
}

// finishText is the statement that has n events be done.
func (d Dialect) finishText(n int) string {
	q := &statement{dialect: d}
	q.add("UPDATE aplomb_inbox SET state = 5, due = 0 WHERE state = 1 AND (seq, fence)")
	q.leases(make([]Lease, n))
	q.add(" RETURNING seq, fence, source, lane")
	return q.String()
}

func (s *SQL) settleOne(ctx context.Context, tx *sql.Tx, one Settlement) (bool, error) {
	q := s.statement("SELECT " + columns + " FROM aplomb_inbox WHERE state = 1 AND seq = ")
	q.add(q.arg(one.Seq) + " AND fence = " + q.arg(one.Fence))
	if s.dialect == PostgreSQL {
		q.add(" FOR UPDATE")
	}
	r, err := readRecord(tx.QueryRowContext(ctx, q.String(), q.args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil && one.Error != "" {
		err = s.fail(ctx, tx, r, one.Error)
	}
	if err != nil {
		return false, err
	}
	undone := 0
	if one.Undo {
		undone = 1
	}
	q = s.statement("UPDATE aplomb_inbox SET ")
	q.addf("state = %d, attempts = attempts - %d, due = %s WHERE seq = %s", stateNumber(one.State), undone, q.in(max(0, one.After)), q.arg(one.Seq))
	if held, err := affected(ctx, tx, q); err != nil || !held || r.Order == "" || one.State == StateReady || one.State == StateParked {
		return held, err
	}
	return true, s.unblock(ctx, tx, map[name]bool{{r.Source, r.Order}: true})
}

// Last is [Queue.Last].
func (s *SQL) Last(ctx context.Context, source, order string) (*Record, error) {
	q := s.statement("SELECT " + columns + " FROM aplomb_inbox WHERE state = 5 AND lane <> '' AND source = ")
	q.add(q.arg(source) + " AND lane = " + q.arg(order) + " ORDER BY occurred DESC, seq DESC LIMIT 1")
	r, err := readRecord(s.db.QueryRowContext(ctx, q.String(), q.args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &r.Record, nil
}

// where writes the conditions of a query.
func (q *statement) where(c Query) {
	q.add(" WHERE seq > " + q.cast(c.After))
	for _, f := range []struct{ column, text string }{{"source", c.Source}, {"event_key", c.Key}, {"type", c.Type}, {"lane", c.Order}} {
		if f.text != "" {
			q.add(" AND " + f.column + " = " + q.arg(f.text))
		}
	}
	if len(c.Seqs) > 0 {
		q.add(" AND seq")
		list(q, c.Seqs)
	}
	if len(c.States) > 0 {
		var numbers []string
		for _, state := range c.States {
			numbers = append(numbers, strconv.Itoa(stateNumber(state)))
		}
		q.add(" AND state IN (" + strings.Join(numbers, ", ") + ")")
	}
	if !c.ReceivedFrom.IsZero() {
		q.add(" AND received >= " + q.cast(c.ReceivedFrom.UnixMicro()))
	}
	if !c.ReceivedTo.IsZero() {
		q.add(" AND received < " + q.cast(c.ReceivedTo.UnixMicro()))
	}
}

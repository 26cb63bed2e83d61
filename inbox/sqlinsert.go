package inbox

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Insert is [Sink.Insert]. Inserts that come at once share a commit.
func (s *SQL) Insert(ctx context.Context, events ...Event) ([]Outcome, error) {
	if err := check(ctx, events); err != nil || len(events) == 0 {
		return nil, err
	}
	return s.inserts.add(ctx, events)
}

// row is an event on its way into the table.
type row struct {
	*Event
	header string
	seq    int64 // 0 where the database numbers
	batch  int64 // below zero, the same for all rows that are inserted together
	out    *Outcome
}

// insertAll inserts the events of several callers in one transaction.
func (s *SQL) insertAll(ctx context.Context, jobs [][]Event) ([][]Outcome, error) {
	out := make([][]Outcome, len(jobs))
	var rows []row
	for i, events := range jobs {
		out[i] = make([]Outcome, len(events))
		for j := range events {
			header, err := encodeHeader(events[j].Header)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row{Event: &events[j], header: header, out: &out[i][j]})
		}
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error { return s.insertRows(ctx, tx, rows) })
	return out, err
}

// insertRows inserts rows, which are numbered as they came.
func (s *SQL) insertRows(ctx context.Context, tx *sql.Tx, rows []row) error {
	if s.dialect == PostgreSQL {
		if err := s.number(ctx, tx, rows); err != nil {
			return err
		}
		// Of two transactions that insert the same keys one then waits for the other,
		// and not each for the other. SQLite has one at a time.
		slices.SortStableFunc(rows, func(a, b row) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Key, b.Key))
		})
	}
	batch := -1 - rand.Int64()
	for i := range rows {
		rows[i].batch = batch
	}
	return inRows(rows, func(shape int, part []row) error {
		res, err := tx.StmtContext(ctx, s.insert[shape]).ExecContext(ctx, s.dialect.insertArgs("", part...)...) //nolint:sqlclosecheck // the transaction closes it
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		is, err := s.inserted(ctx, tx, part, res, int(n))
		if err != nil {
			return err
		}
		for i, r := range part {
			if is[i] != 0 {
				*r.out = Outcome{Stored, is[i], r.Via}
			} else if err := s.again(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// inserted finds the numbers of the n rows that were inserted, and 0 for the rows
// whose keys were taken. Most often none was. To have the statement return them
// costs half as much again as the insert itself in SQLite.
func (s *SQL) inserted(ctx context.Context, tx *sql.Tx, rows []row, res sql.Result, n int) ([]int64, error) {
	seqs := make([]int64, len(rows))
	if s.dialect == PostgreSQL {
		for i := range rows {
			seqs[i] = rows[i].seq
		}
		if n < len(rows) {
			return seqs, s.keepThose(ctx, tx, seqs)
		}
		return seqs, nil
	}
	if n == 0 { // and the last id is that of another statement
		return seqs, nil
	}
	last, err := res.LastInsertId()
	if err != nil {
		return nil, err
	}
	for i := range rows {
		seqs[i] = last - int64(n) + 1 + int64(i) // SQLite numbers one after another, and nobody else writes
	}
	if n < len(rows) {
		return seqs, s.keepNew(ctx, tx, rows, seqs)
	}
	return seqs, nil
}

// keepThose sets the numbers to 0 that no row has.
func (s *SQL) keepThose(ctx context.Context, tx *sql.Tx, seqs []int64) error {
	q := s.statement("SELECT seq FROM aplomb_inbox WHERE seq")
	list(q, seqs)
	there := map[int64]bool{}
	rows, err := tx.QueryContext(ctx, q.String(), q.args...)
	err = scan(rows, err, func(scan func(...any) error) error {
		var seq int64
		err := scan(&seq)
		there[seq] = true
		return err
	})
	for i, seq := range seqs {
		if !there[seq] {
			seqs[i] = 0
		}
	}
	return err
}

// keepNew sets the numbers of the rows that were inserted, and 0 for the others; of
// two with one key the first was.
func (s *SQL) keepNew(ctx context.Context, tx *sql.Tx, rows []row, seqs []int64) error {
	seen := map[int64]bool{}
	for i, r := range rows {
		q := s.statement("SELECT seq, began FROM aplomb_inbox WHERE variant = '' AND source = ")
		q.add(q.arg(r.Source) + " AND event_key = " + q.arg(r.Key))
		var batch int64
		if err := tx.QueryRowContext(ctx, q.String(), q.args...).Scan(&seqs[i], &batch); err != nil {
			return err
		}
		if batch != r.batch || seen[seqs[i]] {
			seqs[i] = 0
		}
		seen[seqs[i]] = true
	}
	return nil
}

// number takes as many numbers as there are rows, ahead of sorting them.
func (s *SQL) number(ctx context.Context, tx *sql.Tx, rows []row) error {
	found, err := tx.QueryContext(ctx, "SELECT nextval(pg_get_serial_sequence('aplomb_inbox', 'seq')), "+notFrozen+" FROM generate_series(1, CAST($1 AS INTEGER))", len(rows))
	var seqs []int64
	err = scan(found, err, func(scan func(...any) error) error {
		var seq int64
		var setting string
		err := scan(&seq, &setting)
		seqs = append(seqs, seq)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(seqs)
	for i := range rows {
		rows[i].seq = seqs[i]
	}
	return nil
}

// insertText is the statement that inserts n rows whose keys are new, or, as
// variants, rows that are kept beside others.
func (d Dialect) insertText(n int, variants bool) string {
	columns, state := "source, event_key, type, lane, via, header, digest, began, body", ready
	if variants {
		columns, state = columns+", variant", conflict
	}
	if d == PostgreSQL {
		columns += ", seq" // which SQLite gives by itself
	}
	q := &statement{dialect: d}
	q.add("INSERT INTO aplomb_inbox (" + columns + ", occurred, received, due, state) VALUES ")
	for i := range n {
		if i > 0 {
			q.add(", ")
		}
		q.add("(")
		for range strings.Count(columns, ",") + 1 {
			q.add(q.arg(nil) + ", ")
		}
		if d == PostgreSQL {
			q.add("COALESCE(" + q.arg(nil) + ", " + txTime + "), " + txTime + ", " + txTime + " + " + q.cast(0))
		} else {
			q.add(q.arg(nil) + ", " + q.arg(nil) + ", " + q.arg(nil))
		}
		q.addf(", %d)", state)
	}
	q.add(" ON CONFLICT (source, event_key, variant) DO NOTHING")
	return q.String()
}

// insertArgs are the arguments for insertText, in its order.
func (d Dialect) insertArgs(variant string, rows ...row) []any {
	args := make([]any, 0, 14*len(rows))
	now := time.Now().UnixMicro()
	for _, r := range rows {
		args = append(args, r.Source, r.Key, r.Type, r.Order, string(r.Via), r.header, r.Digest, r.batch, notNil(r.Body))
		if variant != "" {
			args = append(args, variant)
		}
		var occurred any
		if !r.Occurred.IsZero() {
			occurred = r.Occurred.UnixMicro()
		}
		hold := max(0, r.Hold).Microseconds()
		if d == PostgreSQL {
			args = append(args, r.seq, occurred, hold)
			continue
		}
		if occurred == nil {
			occurred = now
		}
		args = append(args, occurred, now, now+hold)
	}
	return args
}

// txTime is when the transaction began, in PostgreSQL: one time for all of its
// events, whatever the order in which they are written.
const txTime = "CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT)"

// notNil is a body that is not NULL: that is one that was purged.
func notNil(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

// again decides about an event whose key is taken.
func (s *SQL) again(ctx context.Context, tx *sql.Tx, r row) error {
	var was Record
	var state int
	q := s.statement("SELECT seq, via, digest, body, state, attempts, replay FROM aplomb_inbox WHERE variant = '' AND source = ")
	q.add(q.arg(r.Source) + " AND event_key = " + q.arg(r.Key))
	err := tx.QueryRowContext(ctx, q.String(), q.args...).Scan(&was.Seq, &was.Via, &was.Digest, &was.Body, &state, &was.Attempts, &was.Replay)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("inbox: the event %q was purged while it was inserted again: try once more", r.Key)
	}
	if err != nil {
		return err
	}
	was.State = states[state]
	if was.replaceable(r.Event) {
		replaced, err := s.replace(ctx, tx, was.Seq, r)
		if err != nil || replaced {
			*r.out = Outcome{Replaced, was.Seq, r.Via}
			return err
		}
	}
	*r.out = Outcome{Duplicate, was.Seq, was.Via}
	if was.Via != r.Via || bytes.Equal(was.digest(), r.digest()) {
		return nil
	}
	return s.beside(ctx, tx, r)
}

// replace has the webhook's body count, unless the event was claimed meanwhile.
func (s *SQL) replace(ctx context.Context, tx *sql.Tx, seq int64, r row) (bool, error) {
	q := s.statement("UPDATE aplomb_inbox SET via = ")
	q.add(q.arg(string(r.Via)) + ", type = " + q.arg(r.Type) + ", header = " + q.arg(r.header) + ", body = " + q.arg(notNil(r.Body)) +
		", digest = " + q.arg(r.Digest) + ", due = " + q.now() +
		" WHERE state = 0 AND attempts = 0 AND seq = " + q.arg(seq))
	return affected(ctx, tx, q)
}

// beside keeps an event that has the key of another.
func (s *SQL) beside(ctx context.Context, tx *sql.Tx, r row) error {
	variant := hex.EncodeToString(r.digest())
	var seq int64
	err := tx.QueryRowContext(ctx, s.dialect.insertText(1, true)+" RETURNING seq", s.dialect.insertArgs(variant, r)...).Scan(&seq)
	if err == nil {
		*r.out = Outcome{Conflict, seq, r.Via}
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	q := s.statement("SELECT seq, via FROM aplomb_inbox WHERE source = ")
	q.add(q.arg(r.Source) + " AND event_key = " + q.arg(r.Key) + " AND variant = " + q.arg(variant))
	return tx.QueryRowContext(ctx, q.String(), q.args...).Scan(&r.out.Seq, &r.out.Via)
}

// affected runs a statement and reports whether it changed something.
func affected(ctx context.Context, db sqler, q *statement) (bool, error) {
	n, err := count(ctx, db, q)
	return n > 0, err
}

// count runs a statement and says how many rows it changed.
func count(ctx context.Context, db sqler, q *statement) (int, error) {
	res, err := db.ExecContext(ctx, q.String(), q.args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// encodeHeader writes headers as JSON: "" for none.
func encodeHeader(h http.Header) (string, error) {
	if len(h) == 0 {
		return "", nil
	}
	text, err := json.Marshal(h)
	return string(text), err
}

func decodeHeader(text string) (h http.Header, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &h)
	}
	return h, err
}

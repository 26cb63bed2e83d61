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
	if err := cmp.Or(check(ctx, events), s.outside(ctx)); err != nil || len(events) == 0 {
		return nil, err
	}
	return s.inserts.add(ctx, events)
}

// row is an event on its way into the table.
type row struct {
	*Event
	header string
	seq    int64 // 0 where the database numbers
	batch  int64 // below zero, the same for all rows of one statement
	out    *Outcome
}

// insertAll inserts the events of several callers in one transaction.
func (s *SQL) insertAll(ctx context.Context, jobs [][]Event) (out [][]Outcome, err error) {
	var all []Outcome
	err = s.inTx(ctx, quick, func(tx *sql.Tx) (err error) {
		all, err = s.insertEvents(ctx, tx, slices.Concat(jobs...))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, events := range jobs {
		out, all = append(out, all[:len(events):len(events)]), all[len(events):]
	}
	return out, nil
}

func (s *SQL) insertEvents(ctx context.Context, tx *sql.Tx, events []Event) (out []Outcome, err error) {
	out, rows := make([]Outcome, len(events)), make([]row, len(events))
	for i := range events {
		rows[i] = row{Event: &events[i], out: &out[i]}
		if rows[i].header, err = encodeHeader(events[i].Header); err != nil {
			return nil, err
		}
	}
	return out, s.insertRows(ctx, tx, rows)
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
	return inRows(rows, func(shape int, part []row) error { return s.insertPart(ctx, tx, shape, part) })
}

// insertPart inserts as many rows as a statement is prepared for. Most often all
// their keys are new, and the database is not asked again: to have the statement
// return what it did costs half as much again as the insert itself in SQLite.
func (s *SQL) insertPart(ctx context.Context, tx *sql.Tx, shape int, part []row) error {
	batch := -1 - rand.Int64()
	for i := range part {
		part[i].batch = batch
	}
	res, err := tx.StmtContext(ctx, s.insert[shape]).ExecContext(ctx, s.dialect.insertArgs("", part...)...) //nolint:sqlclosecheck // the transaction closes it
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if int(n) < len(part) {
		return s.tellApart(ctx, tx, part)
	}
	var last int64
	if s.dialect == SQLite {
		if last, err = res.LastInsertId(); err != nil {
			return err
		}
	}
	for i, r := range part {
		*r.out = Outcome{Stored, r.seq, r.Via}
		if s.dialect == SQLite { // it numbers one after another, and nobody else writes
			r.out.Seq = last - n + 1 + int64(i)
		}
	}
	return nil
}

// tellApart finds which rows were inserted, and decides about the others.
func (s *SQL) tellApart(ctx context.Context, tx *sql.Tx, part []row) error {
	holders, err := s.holders(ctx, tx, part)
	if err != nil {
		return err
	}
	for _, r := range part {
		switch was := holders[name{r.Source, r.Key}]; {
		case was == nil:
			return purged(r, sql.ErrNoRows)
		case was.began == r.batch: // of two with one key the first was inserted
			was.began = 0
			*r.out = Outcome{Stored, was.Seq, r.Via}
		default:
			if err := s.again(ctx, tx, r, was); err != nil {
				return err
			}
		}
	}
	return nil
}

// purged says what has happened where a row that was there is not.
func purged(r row, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("inbox: the event %q was purged while it was inserted again: try once more", r.Key)
	}
	return err
}

// holders reads what has the rows' keys, without bodies.
func (s *SQL) holders(ctx context.Context, tx *sql.Tx, part []row) (map[name]*stored, error) {
	q := s.statement("SELECT seq, source, event_key, via, digest, state, attempts, replay, began FROM aplomb_inbox WHERE variant = '' AND (source, event_key) IN (VALUES ")
	for i, r := range part {
		if i > 0 {
			q.add(", ")
		}
		q.add("(" + q.arg(r.Source) + ", " + q.arg(r.Key) + ")")
	}
	q.add(")")
	found := make(map[name]*stored, len(part))
	rows, err := tx.QueryContext(ctx, q.String(), q.args...)
	err = scan(rows, err, func(scan func(...any) error) error {
		r := &stored{}
		var state int
		err := scan(&r.Seq, &r.Source, &r.Key, &r.Via, &r.Digest, &state, &r.Attempts, &r.Replay, &r.began)
		r.State = states[min(max(0, state), len(states)-1)]
		found[name{r.Source, r.Key}] = r
		return err
	})
	return found, err
}

// number takes as many numbers as there are rows, ahead of sorting them.
func (s *SQL) number(ctx context.Context, tx *sql.Tx, rows []row) error {
	found, err := tx.QueryContext(ctx, "SELECT nextval(pg_get_serial_sequence('aplomb_inbox', 'seq')), "+notFrozen+", "+synced+" FROM generate_series(1, CAST($1 AS INTEGER))", len(rows))
	var seqs []int64
	err = scan(found, err, func(scan func(...any) error) error {
		var seq int64
		var setting, synced string
		err := scan(&seq, &setting, &synced)
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
func (s *SQL) again(ctx context.Context, tx *sql.Tx, r row, was *stored) error {
	if was.replaceable(r.Event) {
		replaced, err := s.replace(ctx, tx, was.Seq, r)
		if err != nil {
			return err
		}
		if replaced {
			was.Via, was.Digest = r.Via, r.Fingerprint()
			*r.out = Outcome{Replaced, was.Seq, r.Via}
			return nil
		}
	}
	*r.out = Outcome{Duplicate, was.Seq, was.Via}
	if was.Via != r.Via {
		return nil
	}
	if len(was.Digest) == 0 {
		q := s.statement("SELECT body FROM aplomb_inbox WHERE seq = ")
		q.add(q.arg(was.Seq))
		if err := tx.QueryRowContext(ctx, q.String(), q.args...).Scan(&was.Body); err != nil {
			return purged(r, err)
		}
		was.Digest = was.Fingerprint()
	}
	if bytes.Equal(was.Digest, r.Fingerprint()) {
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
	variant := hex.EncodeToString(r.Fingerprint())
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

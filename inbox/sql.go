package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// SQL is a [Store] in an SQL database. [OpenSQL] makes it. It has no goroutines
// and no connection of its own: closing the database is enough.
type SQL struct {
	db      *sql.DB
	dialect Dialect
	inserts *group[[]Event, []Outcome]
	settles *group[[]Settlement, []bool]
	// writer has one write at a time begin, where the database does: in its queue
	// nobody sleeps, as connections do that find the database busy. Nil for
	// PostgreSQL.
	writer *turns
	// Prepared for as many rows as rowCounts says.
	insert, finished []*sql.Stmt
}

// OpenSQL makes a store of a database that the caller has opened. It creates the
// tables aplomb_inbox and aplomb_cursor unless they are there, and refuses a
// database whose commits are not durable.
//
// SQLite is opened in WAL mode, with full synchronization and a busy timeout; for
// modernc.org/sqlite that is
//
//	sql.Open("sqlite", "file:inbox.db?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)")
//
// For PostgreSQL have the pool keep as many connections as there are workers, with
// [sql.DB.SetMaxIdleConns]: it keeps two by itself, and opening one takes longer than
// handling an event. With [sql.DB.SetMaxOpenConns] leave some beside those. Who uses the
// tables, but did not create them, needs SELECT, INSERT, UPDATE and DELETE on both,
// and USAGE on the sequence aplomb_inbox_seq_seq.
func OpenSQL(ctx context.Context, db *sql.DB, d Dialect) (*SQL, error) {
	if db == nil || d != SQLite && d != PostgreSQL {
		return nil, errors.New("inbox: OpenSQL needs a database and its dialect: SQLite or PostgreSQL")
	}
	if err := d.durable(ctx, db); err != nil {
		return nil, err
	}
	s := &SQL{db: db, dialect: d}
	if d == SQLite {
		s.writer = &turns{}
	}
	s.inserts = &group[[]Event, []Outcome]{do: s.insertAll, size: weigh}
	s.settles = &group[[]Settlement, []bool]{do: s.settleAll, size: func([]Settlement) int { return 0 }}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("inbox: preparing statements in %v: %w", d, err)
	}
	return s, nil
}

func weigh(events []Event) (n int) {
	for i := range events {
		n += len(events[i].Body)
	}
	return n
}

// migrate creates what is missing. A user who may not create tables needs not, if
// they are there.
func (s *SQL) migrate(ctx context.Context) error {
	const ask = "SELECT value FROM aplomb_cursor WHERE name = ''"
	var version string
	if err := s.db.QueryRowContext(ctx, ask).Scan(&version); err != nil {
		if err := s.create(ctx); err != nil {
			return fmt.Errorf("inbox: creating tables in %v: %w", s.dialect, err)
		}
		if err := s.db.QueryRowContext(ctx, ask).Scan(&version); err != nil {
			return fmt.Errorf("inbox: asking for the version of the tables: %w", err)
		}
	}
	if version != schemaVersion {
		return fmt.Errorf("inbox: the tables are of version %.20q, and this program knows version %s", version, schemaVersion)
	}
	return nil
}

func (s *SQL) create(ctx context.Context) error {
	return s.inTx(ctx, quick, func(tx *sql.Tx) error {
		if s.dialect == PostgreSQL { // or two that create at once would fail
			if err := s.dialect.lock(ctx, tx); err != nil {
				return err
			}
		}
		for one := range strings.SplitSeq(strings.TrimSpace(s.dialect.Schema()), ";\n") {
			if _, err := tx.ExecContext(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tx returns a handler that does its work in a transaction of the store's database,
// which also says that the event is done: the effect takes place exactly once, unless
// somebody replays the event. An error rolls back. The handler is for an inbox on
// this store, or on one that is [Sealed] around it.
//
// What is done by anything but tx is outside of the transaction, and in SQLite waits
// for the handler to end, in vain; another event is inserted with [SQL.InsertTx]. The
// transaction should be short and wait for nothing but the database: in SQLite nobody
// else can write meanwhile, not even to take an event in.
func (s *SQL) Tx(handle func(ctx context.Context, tx *sql.Tx, e *Record) error) Handler {
	return func(ctx context.Context, e *Record) error {
		err := s.inTx(ctx, slow, func(tx *sql.Tx) error {
			if s.dialect == SQLite {
				if err := s.dialect.lock(ctx, tx); err != nil {
					return err
				}
			}
			if err := handle(context.WithValue(ctx, within{}, s), tx, e); err != nil {
				return err
			}
			held, err := s.finish(ctx, tx, []Settlement{{Lease: e.Lease(), State: StateDone}})
			if err == nil && !held[0] {
				err = ErrLost
			}
			return err
		})
		if mark, ok := ctx.Value(settled{}).(*bool); ok && err == nil {
			*mark = true
		}
		return err
	}
}

// InsertTx inserts events in a transaction of the caller's, such as that of a
// handler of [SQL.Tx]: they are there once it commits. In SQLite the transaction
// must be one that writes already, or has begun as immediate.
func (s *SQL) InsertTx(ctx context.Context, tx *sql.Tx, events ...Event) ([]Outcome, error) {
	if err := check(ctx, events); err != nil {
		return nil, err
	}
	return s.insertEvents(ctx, tx, events)
}

// inTx commits what f does, if it returns no error.
func (s *SQL) inTx(ctx context.Context, as speed, f func(tx *sql.Tx) error) error {
	if err := s.begin(ctx, as); err != nil {
		return err
	}
	defer s.end()
	var options *sql.TxOptions
	if s.dialect == PostgreSQL {
		// What a transaction has waited for it must see, whatever the database's default.
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	tx, err := s.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back; before it the first error counts
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// within is the key of a context's *SQL whose transaction a handler is in.
type within struct{}

// outside reports a write that would wait for the transaction that it is in.
func (s *SQL) outside(ctx context.Context) error {
	if ctx.Value(within{}) == s {
		return errors.New("inbox: the store is used within its own transaction, which would wait for itself: insert with SQL.InsertTx, and do the rest after the handler")
	}
	return nil
}

// begin waits for this process's turn to write, and end ends it.
func (s *SQL) begin(ctx context.Context, as speed) error {
	if err := s.outside(ctx); err != nil || s.writer == nil {
		return err
	}
	if err := s.writer.take(ctx, as); err != nil {
		return fmt.Errorf("inbox: waiting to write to SQLite, which has one writer at a time: %w", err)
	}
	return nil
}

func (s *SQL) end() {
	if s.writer != nil {
		s.writer.give()
	}
}

// count runs one statement that writes, and says how many rows it changed.
func (s *SQL) count(ctx context.Context, q *statement) (int, error) {
	if err := s.begin(ctx, quick); err != nil {
		return 0, err
	}
	defer s.end()
	return count(ctx, s.db, q)
}

// one runs one statement that writes and returns a row.
func (s *SQL) one(ctx context.Context, q *statement, dest ...any) error {
	if err := s.begin(ctx, quick); err != nil {
		return err
	}
	defer s.end()
	return s.db.QueryRowContext(ctx, q.String(), q.args...).Scan(dest...)
}

// rowCounts are the numbers of rows of prepared statements: any number is a sum of
// few of them.
var rowCounts = []int{64, 16, 4, 1}

// prepare prepares what every event needs. Later, within a transaction, it could
// wait for ever for a connection beside the only one.
func (s *SQL) prepare(ctx context.Context) error {
	for _, n := range rowCounts {
		insert, err := s.db.PrepareContext(ctx, s.dialect.insertText(n, false)) //nolint:sqlclosecheck // it lives as long as the database
		if err != nil {
			return err
		}
		finished, err := s.db.PrepareContext(ctx, s.dialect.finishText(n)) //nolint:sqlclosecheck // so does this
		if err != nil {
			return err
		}
		s.insert, s.finished = append(s.insert, insert), append(s.finished, finished)
	}
	return nil
}

// inRows has do work on parts of a list for which a statement is prepared.
func inRows[T any](list []T, do func(shape int, part []T) error) error {
	for shape, n := range rowCounts {
		for ; len(list) >= n; list = list[n:] {
			if err := do(shape, list[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// statement begins one.
func (s *SQL) statement(text string) *statement {
	q := &statement{dialect: s.dialect}
	q.add(text)
	return q
}

// scan reads rows, and closes them.
func scan(rows *sql.Rows, err error, one func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := one(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

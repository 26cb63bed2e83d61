package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // as sqlite

	"github.com/aplomb-go/aplomb/inbox"
)

// The task: so many writers insert so many events of 1 KiB each, and each waits
// until its own is on disk.
const (
	writers   = 64
	perWriter = 32
)

var body = make([]byte, 1024)

// unique numbers events: no way and no turn has the same twice.
var unique atomic.Int64

// inserter makes one event durable.
type inserter func(ctx context.Context, id string) error

// race has all writers insert so many each. What each insert took goes to took, if it
// is not nil.
func race(insert inserter, each int, took chan<- time.Duration) error {
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for range each {
				began := time.Now()
				if err := insert(context.Background(), fmt.Sprint("evt_", unique.Add(1))); err != nil {
					failed <- err
					return
				}
				if took != nil {
					took <- time.Since(began)
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// contestant is a way to have an event on disk.
type contestant struct {
	name   string
	insert inserter
}

func contestants(tb testing.TB) []contestant {
	tb.Helper()
	return []contestant{
		{"aplomb", ours(tb)},
		{"group-commit-by-hand", grouped(tb, sameRows(tb))},
		{"group-commit-smallest-table", grouped(tb, smallest(tb))},
		{"a-commit-each", naive(tb)},
	}
}

// database opens a new SQLite database, as the inbox's documentation advises.
func database(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "bench.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// rows is how a row is written by hand.
type rows struct {
	db     *sql.DB
	insert string
	args   func(id string) []any
}

// smallest is the least that knows an event again, and could not hand it out.
func smallest(tb testing.TB) rows {
	tb.Helper()
	return rows{table(tb), insertRow, func(id string) []any { return []any{"stripe", id, time.Now().UnixMicro(), body} }}
}

// sameRows is what the inbox writes, into its own tables.
func sameRows(tb testing.TB) rows {
	tb.Helper()
	db := database(tb)
	if _, err := db.ExecContext(tb.Context(), inbox.SQLite.Schema()); err != nil {
		tb.Fatal(err)
	}
	return rows{
		db,
		"INSERT INTO aplomb_inbox (source, event_key, type, lane, via, header, body, occurred, received, due, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
		func(id string) []any {
			now := time.Now().UnixMicro()
			return []any{"stripe", id, "invoice.paid", "", "webhook", "", body, now, now, now}
		},
	}
}

// table is the least that knows an event again.
func table(tb testing.TB) *sql.DB {
	tb.Helper()
	db := database(tb)
	if _, err := db.ExecContext(tb.Context(), "CREATE TABLE events (seq INTEGER PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL, received INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (source, id))"); err != nil {
		tb.Fatal(err)
	}
	return db
}

const insertRow = "INSERT INTO events (source, id, received, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"

// ours is the inbox.
func ours(tb testing.TB) inserter {
	tb.Helper()
	store, err := inbox.OpenSQL(tb.Context(), database(tb), inbox.SQLite)
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx context.Context, id string) error {
		_, err := store.Insert(ctx, inbox.Event{Source: "stripe", Key: id, Type: "invoice.paid", Via: inbox.Webhook, Body: body})
		return err
	}
}

// grouped is the driver alone under a group commit of up to 256 rows, with a prepared
// statement: what a careful person writes by hand.
func grouped(tb testing.TB, rows rows) inserter {
	tb.Helper()
	db := rows.db
	stmt, err := db.PrepareContext(tb.Context(), rows.insert)
	if err != nil {
		tb.Fatal(err)
	}
	type job struct {
		id   string
		done chan error
	}
	jobs := make(chan job, 4096)
	commit := func(batch []job) error {
		tx, err := db.BeginTx(context.Background(), nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		in := tx.StmtContext(context.Background(), stmt) //nolint:sqlclosecheck // the transaction closes it
		for _, j := range batch {
			if _, err := in.ExecContext(context.Background(), rows.args(j.id)...); err != nil {
				return err
			}
		}
		return tx.Commit()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for first := range jobs {
			batch := []job{first}
			for len(batch) < 256 && len(jobs) > 0 {
				batch = append(batch, <-jobs)
			}
			err := commit(batch)
			for _, j := range batch {
				j.done <- err
			}
		}
	})
	tb.Cleanup(func() { close(jobs); wg.Wait() })
	return func(_ context.Context, id string) error {
		j := job{id, make(chan error, 1)}
		jobs <- j
		return <-j.done
	}
}

// naive is what most webhooks do: one row, one commit.
func naive(tb testing.TB) inserter {
	tb.Helper()
	db := table(tb)
	db.SetMaxOpenConns(1) // or they would wait for each other in steps of the busy timeout
	return func(ctx context.Context, id string) error {
		_, err := db.ExecContext(ctx, insertRow, "stripe", id, 0, body)
		return err
	}
}

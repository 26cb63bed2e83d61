// Package inbox_test holds inbox.SQL to its promises on real databases: SQLite by
// two drivers and PostgreSQL by two.
package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver" // as sqlite3
	_ "modernc.org/sqlite"                   // as sqlite

	"github.com/aplomb-go/aplomb/compat/postgres"
	"github.com/aplomb-go/aplomb/inbox"
)

// The pragmas that an inbox needs; for both drivers alike.
const pragmas = "?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)"

// openSQLite opens a new database, or one that is there, in dir.
func openSQLite(tb testing.TB, driver, dir string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, "file:"+filepath.Join(dir, "inbox.db")+pragmas)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// open makes a store.
func open(tb testing.TB, db *sql.DB, d inbox.Dialect) *inbox.SQL {
	tb.Helper()
	s, err := inbox.OpenSQL(context.Background(), db, d)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// eachStore runs a test on every database by every driver.
func eachStore(t *testing.T, test func(t *testing.T, db *sql.DB, d inbox.Dialect)) {
	t.Helper()
	for _, driver := range []string{"sqlite", "sqlite3"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, openSQLite(t, driver, t.TempDir()), inbox.SQLite)
		})
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := postgres.Start(t)
		for i, driver := range []string{"pgx", "postgres"} {
			t.Run(driver, func(t *testing.T) {
				test(t, server.Open(driver, fmt.Sprintf("inbox%d", i)), inbox.PostgreSQL)
			})
		}
	})
}

func TestSmoke(t *testing.T) {
	eachStore(t, func(t *testing.T, db *sql.DB, d inbox.Dialect) {
		s := open(t, db, d)
		ctx := t.Context()
		var events []inbox.Event
		for i := range 100 {
			events = append(events, inbox.Event{Source: "s", Key: fmt.Sprint("k", i), Order: fmt.Sprint(i % 3), Via: inbox.Webhook, Body: []byte("x")})
		}
		out, err := s.Insert(ctx, events...)
		if err != nil || out[99].Status != inbox.Stored {
			t.Fatal(out, err)
		}
		out, err = s.Insert(ctx, inbox.Event{Source: "s", Key: "k1", Via: inbox.Webhook, Body: []byte("y")}, events[1], events[2])
		if err != nil {
			t.Fatal(out, err)
		}
		t.Log(out)
		recs, next, err := s.Claim(ctx, inbox.Claim{Owner: "me", Limit: 10, Lease: 1e9, Expired: 1})
		t.Log(recs, next, err)
		held, err := s.Settle(ctx, inbox.Settlement{Lease: recs[0].Lease(), State: inbox.StateDone}, inbox.Settlement{Lease: recs[1].Lease(), State: inbox.StateReady, Error: "no", After: 1e9})
		t.Log(held, err)
		st, err := s.Stats(ctx)
		t.Log(st, err)
		n, err := s.Replay(ctx, inbox.Query{States: []inbox.State{inbox.StateConflict}}, "r1")
		t.Log(n, err)
		n, err = s.Discard(ctx, inbox.Query{Limit: 2}, "no")
		t.Log(n, err)
		p, err := s.Purge(ctx, inbox.Retention{Bodies: 1, Keys: 1})
		t.Log(p, err)
	})
}

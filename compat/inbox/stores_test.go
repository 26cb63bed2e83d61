// Package inbox_test holds inbox.SQL to its promises on real databases: SQLite by
// two drivers and PostgreSQL by two.
package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver" // as sqlite3
	_ "modernc.org/sqlite"                   // as sqlite

	"github.com/aplomb-go/aplomb/aplombtest"
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

// TestSQLiteConforms runs in a bubble: SQLite's times are this process's own.
func TestSQLiteConforms(t *testing.T) {
	for _, driver := range []string{"sqlite", "sqlite3"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aplombtest.TestInbox(t, open(t, openSQLite(t, driver, t.TempDir()), inbox.SQLite), time.Sleep, 0)
			})
		})
	}
}

// TestPostgreSQLConforms makes what is in the store older: its times are the
// server's.
func TestPostgreSQLConforms(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	for i, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			db := server.Open(driver, fmt.Sprint("conforms", i))
			older := func(d time.Duration) {
				for _, update := range []string{
					"UPDATE aplomb_inbox SET received = received - $1, due = due - $1, began = began - $1",
					"UPDATE aplomb_cursor SET until = until - $1",
				} {
					if _, err := db.ExecContext(t.Context(), update, d.Microseconds()); err != nil {
						t.Fatal(err)
					}
				}
			}
			aplombtest.TestInbox(t, open(t, db, inbox.PostgreSQL), older, time.Millisecond)
		})
	}
}

package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// TestBacklogsInOrder: two processes on one database, and Orders with long backlogs:
// each event takes effect once, in its Order's order, though some fail at first and
// claims look past what is held up.
func TestBacklogsInOrder(t *testing.T) {
	const orders, each = 5, 150
	eachStore(t, func(t *testing.T, db *sql.DB, d inbox.Dialect) {
		store := open(t, db, d)
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE effects (lane TEXT NOT NULL, n INTEGER NOT NULL, UNIQUE (lane, n))"); err != nil {
			t.Fatal(err)
		}
		var events []inbox.Event
		for i := range orders * each {
			n := each - 1 - i/orders // the latest first
			events = append(events, inbox.Event{
				Source: "s", Key: strconv.Itoa(i), Order: strconv.Itoa(i % orders), Occurred: time.Unix(int64(n), 0), Via: inbox.Webhook, Body: fmt.Append(nil, n),
			})
		}
		if _, err := store.Insert(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		handle := store.Tx(func(ctx context.Context, tx *sql.Tx, e *inbox.Record) error {
			if e.Seq%20 == 0 && e.Attempts == 1 {
				return errors.New("at first it fails")
			}
			var before int
			if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM effects WHERE lane = '"+e.Order+"'").Scan(&before); err != nil {
				return err
			}
			if string(e.Body) != strconv.Itoa(before) {
				t.Errorf("event %s of Order %s is handled after %d others", e.Body, e.Order, before)
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO effects (lane, n) VALUES ('%s', %d)", e.Order, before))
			return err
		})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 2 {
			box, err := inbox.New(store, handle, inbox.Settings{Every: 20 * time.Millisecond, Backoff: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() {
				if err := box.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		t.Cleanup(func() { stop(); running.Wait() })
		eventually(t, func() error {
			var n int
			if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM effects").Scan(&n); err != nil || n != orders*each {
				return fmt.Errorf("%d of %d effects, %w", n, orders*each, err)
			}
			return nil
		})
		if s, err := store.Stats(t.Context()); err != nil || s.Pending() != 0 || s.Dead != 0 {
			t.Errorf("afterwards: %+v, %v", s, err)
		}
	})
}

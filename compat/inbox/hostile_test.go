package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/compat/postgres"
	"github.com/aplomb-go/aplomb/inbox"
)

func put(tb testing.TB, s inbox.Sink, events ...inbox.Event) {
	tb.Helper()
	for i := range events {
		events[i].Source, events[i].Via = "s", inbox.Webhook
	}
	if _, err := s.Insert(context.Background(), events...); err != nil {
		tb.Fatal(err)
	}
}

// work runs an inbox until the test ends.
func work(t *testing.T, store inbox.Store, handler inbox.Handler, s inbox.Settings) *inbox.Inbox {
	t.Helper()
	box, err := inbox.New(store, handler, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := box.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return box
}

// TestCorruptRecord: a record that somebody has spoiled is buried, and stands in
// nobody's way.
func TestCorruptRecord(t *testing.T) {
	eachStore(t, func(t *testing.T, db *sql.DB, d inbox.Dialect) {
		store := open(t, db, d)
		put(t, store, inbox.Event{Key: "spoiled"}, inbox.Event{Key: "good"})
		if _, err := db.ExecContext(t.Context(), "UPDATE aplomb_inbox SET header = '{', history = '[' WHERE event_key = 'spoiled'"); err != nil {
			t.Fatal(err)
		}
		if all, err := store.List(t.Context(), inbox.Query{}); len(all) != 2 || err != nil {
			t.Errorf("List beside a spoiled record: %v, %v", all, err)
		}
		work(t, store, func(context.Context, *inbox.Record) error { return nil }, inbox.Settings{})
		eventually(t, func() error {
			s, err := store.Stats(t.Context())
			if err == nil && (s.Pending() != 0 || s.Dead != 1) {
				err = fmt.Errorf("%+v; want one dead", s)
			}
			return err
		})
		dead, err := store.List(t.Context(), inbox.Query{States: []inbox.State{inbox.StateDead}})
		if err != nil || len(dead) != 1 || !strings.Contains(dead[0].History[0].Error, "cannot be read") {
			t.Errorf("the dead letter: %v, %v", dead, err)
		}
	})
}

// TestCancelledReads: a context that ends in the middle of a result is an error.
func TestCancelledReads(t *testing.T) {
	eachStore(t, func(t *testing.T, db *sql.DB, d inbox.Dialect) {
		store := open(t, db, d)
		var events []inbox.Event
		for i := range 300 {
			events = append(events, inbox.Event{Key: strconv.Itoa(i), Body: make([]byte, 20_000)})
		}
		put(t, store, events...)
		for i := range 40 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*100)*time.Microsecond)
			_, _ = store.List(ctx, inbox.Query{Limit: 300})
			_, _, _ = store.Claim(ctx, inbox.Claim{Owner: "me", Limit: 300, Lease: time.Microsecond, Expired: 300})
			cancel()
		}
	})
}

// TestInsertInTx: an event that follows from another is inserted in its
// transaction; by itself it would wait for that to end, and everybody with it.
func TestInsertInTx(t *testing.T) {
	eachStore(t, func(t *testing.T, db *sql.DB, d inbox.Dialect) {
		db.SetMaxOpenConns(4)
		store := open(t, db, d)
		var box *inbox.Inbox
		box = work(t, store, store.Tx(func(ctx context.Context, tx *sql.Tx, e *inbox.Record) error {
			if e.Order == "follows" {
				return nil
			}
			next := inbox.Event{Source: "s", Key: "after " + e.Key, Order: "follows"}
			if _, err := box.Insert(ctx, next); err == nil || !strings.Contains(err.Error(), "SQL.InsertTx") {
				t.Errorf("an insert within Tx: %v", err)
			}
			if _, err := store.InsertTx(ctx, tx, next); err != nil {
				return err
			}
			if e.Attempts == 1 {
				return errors.New("and then it fails") // so that nothing was inserted
			}
			return nil
		}), inbox.Settings{Backoff: time.Millisecond, Every: 20 * time.Millisecond})
		for i := range 8 {
			put(t, box, inbox.Event{Key: strconv.Itoa(i)})
		}
		eventually(t, func() error {
			all, err := store.List(t.Context(), inbox.Query{States: []inbox.State{inbox.StateDone}})
			if err == nil && len(all) != 16 {
				err = fmt.Errorf("%d events are done, want 16", len(all))
			}
			return err
		})
	})
}

// TestRepeatableRead: the database's default isolation is not the store's.
func TestRepeatableRead(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	db := server.Open("pgx", "strict")
	if _, err := db.ExecContext(t.Context(), "ALTER DATABASE strict SET default_transaction_isolation = 'serializable'"); err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(0) // so that each connection is new
	store := open(t, db, inbox.PostgreSQL)
	var events []inbox.Event
	for i := range 200 {
		events = append(events, inbox.Event{Key: strconv.Itoa(i), Order: strconv.Itoa(i % 4)})
	}
	put(t, store, events...)
	for range 2 {
		work(t, store, func(context.Context, *inbox.Record) error { return nil }, inbox.Settings{Every: 20 * time.Millisecond})
	}
	eventually(t, func() error {
		s, err := store.Stats(t.Context())
		if err == nil && s.Pending() != 0 {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
}

package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// The environment that makes this program the receiver of TestKilled.
const (
	envDriver  = "APLOMB_RECEIVER_DRIVER"
	envDSN     = "APLOMB_RECEIVER_DSN"
	envAPI     = "APLOMB_RECEIVER_API"     // where the events are listed
	envSocket  = "APLOMB_RECEIVER_SOCKET"  // where it takes webhooks in
	envOutside = "APLOMB_RECEIVER_OUTSIDE" // effects are outside of the inbox's transaction
	envPoison  = "APLOMB_RECEIVER_POISON"  // an event may end the receiver poisonAttempts times
)

// hookSecret is fake, and put together so that no scanner takes it for a real one.
const hookSecret = "whsec_" + "made0up0for0tests"

func TestMain(m *testing.M) {
	if os.Getenv(envDriver) != "" {
		if err := receive(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// poisonAttempts is how often an event may end the receiver where one does. Where it
// is killed from outside an innocent one can be at work as often.
const poisonAttempts = 4

// listed is an event as the API lists it.
type listed struct {
	ID      string `json:"id"`
	Created int64  `json:"created"`
}

// receive is a service: it takes events in by webhook and by poll, into one inbox,
// and writes a row for each.
func receive(ctx context.Context) error {
	db, err := sql.Open(os.Getenv(envDriver), os.Getenv(envDSN))
	if err != nil {
		return err
	}
	db.SetMaxIdleConns(20)
	dialect := inbox.SQLite
	if os.Getenv(envDriver) == "pgx" {
		dialect = inbox.PostgreSQL
	}
	store, err := inbox.OpenSQL(ctx, db, dialect)
	if err != nil {
		return err
	}
	effect := func(ctx context.Context, db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}, e *inbox.Record) error {
		_, err := db.ExecContext(ctx, "INSERT INTO effects (event, via) VALUES ('"+e.Key+"', '"+string(e.Via)+"')")
		return err
	}
	handler := store.Tx(func(ctx context.Context, tx *sql.Tx, e *inbox.Record) error {
		if e.Type == "poison" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it does not return
		}
		return effect(ctx, tx, e)
	})
	if os.Getenv(envOutside) != "" {
		handler = func(ctx context.Context, e *inbox.Record) error { return effect(ctx, db, e) }
	}
	settings := inbox.Settings{Lease: time.Second, Every: 50 * time.Millisecond}
	if os.Getenv(envPoison) != "" {
		settings.Attempts = poisonAttempts
	}
	box, err := inbox.New(store, handler, settings)
	if err != nil {
		return err
	}
	hook := &webhook.Handler{Source: "stripe", Scheme: webhook.Stripe(webhook.Static(hookSecret)), Sink: box}
	api, err := aplomb.New(os.Getenv(envAPI), aplomb.NoRateLimit())
	if err != nil {
		return err
	}
	feed := &poll.Feed[listed]{
		Client: api, Path: "/v1/events", Options: []aplomb.CallOption{aplomb.Query("limit", "100")},
		By:       aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"},
		Key:      func(e listed) string { return e.ID },
		Occurred: func(e listed) time.Time { return time.Unix(e.Created, 0) },
		Pace:     poll.Pace{Every: 200 * time.Millisecond, Max: time.Second, Floor: 50 * time.Millisecond},
		LookBack: 3 * time.Second, MaxPages: 100, Lease: time.Second,
		Store: box, Source: "stripe", Webhook: true, Grace: time.Second,
	}
	listener, err := net.Listen("unix", os.Getenv(envSocket))
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	var all sync.WaitGroup
	all.Go(func() { failed <- box.Run(ctx) })
	all.Go(func() { failed <- feed.Run(ctx) })
	all.Go(func() { failed <- http.Serve(listener, hook) })
	return errors.Join(<-failed, errors.New("the receiver ended"))
}

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/stripe"
	"github.com/aplomb-go/aplomb/webhook"
)

// service has an inbox and what is booked in one database.
type service struct {
	db  *sql.DB
	box *inbox.Inbox
}

func open(ctx context.Context, path string) (*service, error) {
	name := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	s := &service{db: db}
	if _, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, customer TEXT NOT NULL, amount INTEGER NOT NULL)"); err == nil {
		err = s.openInbox(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *service) openInbox(ctx context.Context) error {
	store, err := inbox.OpenSQL(ctx, s.db, inbox.SQLite)
	if err != nil {
		return err
	}
	s.box, err = inbox.New(store, store.Tx(book), inbox.Settings{Hooks: inbox.Hooks{Handled: report}})
	return err
}

func (s *service) close() error { return s.db.Close() }

// serve takes events in and handles them until ctx ends. First the server stops to
// take webhooks, then polling and handling end, and the database is closed last.
func (s *service) serve(ctx context.Context, listener net.Listener, api *aplomb.Client, secret webhook.Secret) error {
	mux := http.NewServeMux()
	mux.Handle("POST /stripe", &webhook.Handler{
		Source: "stripe", Scheme: webhook.Stripe(secret), Sink: s.box, Logger: slog.Default(),
		Order: func(e *inbox.Event) string { return customerOf(e.Body) },
	})
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}

	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.box.Run(working); err != nil {
			slog.Error("handling has ended", "error", err)
		}
	})
	all.Go(func() {
		// Whatever passes it outlives; what is left is a setting, a credential or a gap,
		// and somebody has to look. Webhooks go on meanwhile.
		if err := s.feed(api).Run(working); working.Err() == nil {
			slog.Error("polling has ended", "error", err)
		}
	})
	all.Go(func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(working, 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ending) // past its time the senders come back
		stop()
	})
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	} else {
		stop() // it never listened
	}
	all.Wait()
	return err
}

// feed reads the events that no webhook has brought. What it says of an event is
// what the webhook says.
func (s *service) feed(api *aplomb.Client) *poll.Feed[stripe.Event] {
	return &poll.Feed[stripe.Event]{
		Client: api, Path: "/v1/events", Options: []aplomb.CallOption{aplomb.Query("limit", "100")},
		By:       aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"},
		Key:      func(e stripe.Event) string { return e.ID },
		Type:     func(e stripe.Event) string { return e.Type },
		Order:    func(e stripe.Event) string { return customerOf(e.Raw.JSON()) },
		Occurred: func(e stripe.Event) time.Time { return e.Created },
		Store:    s.box, Source: "stripe", Webhook: true,
	}
}

// customerOf is what events are handled in order of.
func customerOf(event []byte) string {
	var e struct {
		Data struct {
			Object struct {
				Customer stripe.Expandable[stripe.Customer] `json:"customer"`
			} `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return "" // of no customer
	}
	return e.Data.Object.Customer.ID
}

// book writes a payment down, in the transaction that also says that its event is
// handled.
func book(ctx context.Context, tx *sql.Tx, e *inbox.Record) error {
	if e.Type != string(stripe.EventPaymentIntentSucceeded) {
		return inbox.ErrSkip
	}
	event, err := stripe.ParseEvent(e.Body)
	if err != nil {
		return inbox.Permanent(err)
	}
	var payment stripe.PaymentIntent
	if err := json.Unmarshal(event.Data.Object.JSON(), &payment); err != nil {
		return inbox.Permanent(err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO payments (id, customer, amount) VALUES (?, ?, ?)", payment.ID, payment.Customer.ID, payment.Amount)
	return err
}

// report logs what did not go well, and what the webhook has missed.
func report(ctx context.Context, e inbox.HandleEvent) {
	level := slog.LevelDebug
	switch {
	case e.Result == inbox.ResultDead:
		level = slog.LevelError
	case e.Result == inbox.ResultRetry || e.Via == inbox.Poll:
		level = slog.LevelWarn
	}
	slog.Log(ctx, level, "event", "key", e.Key, "type", e.Type, "via", e.Via, "result", e.Result, "attempt", e.Attempt, "error", e.Err)
}

// Command stripe-events is a service that books each payment once, however Stripe
// tells of it: by webhook, by webhook again, or only in the list of its events.
//
//	STRIPE_SECRET_KEY=sk_test_... STRIPE_WEBHOOK_SECRET=whsec_... go run ./examples/stripe-events
//
// It listens on LISTEN (localhost:4242 if empty) for POST /stripe, which the command
// `stripe listen --forward-to localhost:4242/stripe` forwards to, and keeps what it
// knows in events.db. `go run ./examples/inbox -db events.db dead` lists what it could
// not handle. STRIPE_BASE_URL is another server than Stripe's.
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/stripe"
	"github.com/aplomb-go/aplomb/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		slog.Error("stripe-events", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	secret := aplomb.Reveal(aplomb.Env("STRIPE_WEBHOOK_SECRET"))
	if _, err := secret(ctx); err != nil { // or the first webhooks would be answered 503
		return err
	}
	api, err := aplomb.New(cmp.Or(os.Getenv("STRIPE_BASE_URL"), stripe.APIURL), aplomb.Bearer(aplomb.Env("STRIPE_SECRET_KEY")))
	if err != nil {
		return err
	}
	s, err := open(ctx, "events.db")
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(os.Getenv("LISTEN"), "localhost:4242"))
	if err != nil {
		return errors.Join(err, s.close())
	}
	slog.Info("listening", "address", listener.Addr().String())
	return errors.Join(s.serve(ctx, listener, api, webhook.Secret{Key: secret}), s.close())
}

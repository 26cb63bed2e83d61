// Command quickstart shows aplomb at work in a few seconds:
//
//	go run ./examples/quickstart
//
// It pays once although the answer is lost, reads a list of three pages, is
// throttled, outlives an outage, keeps half a GraphQL answer, handles an event once
// that comes three times, and logs all of it without a secret. With -serve its live
// page stays up. It needs no key: the APIs are fakes on this machine. With
// STRIPE_SECRET_KEY=sk_test_... (and STRIPE_BASE_URL, for stripe-mock) or
// GITHUB_TOKEN (and GITHUB_GRAPHQL_URL) it talks to those instead, except where
// a fault is staged.
//
// Each step is a file: payments.go, charges.go, throttle.go, outage.go,
// repositories.go, events.go, visibility.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Getenv, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// steps are numbered from 2: the first says what is talked to.
var steps = []struct {
	number int
	title  string
	run    func(*tour, context.Context) error
}{
	{2, "a payment whose response is lost", (*tour).payments},
	{3, "a list of several pages", (*tour).charges},
	{4, "a server that throttles", (*tour).throttle},
	{5, "a host that is down", (*tour).outage},
	{6, "GraphQL", (*tour).repositories},
	{7, "webhooks and polling", (*tour).events},
	{8, "what you get to see", (*tour).visibility},
}

// run takes the tour and fails if anything was not as promised.
func run(ctx context.Context, out io.Writer, getenv func(string) string, args []string) error {
	flags := flag.NewFlagSet("quickstart", flag.ExitOnError)
	serve := flags.Bool("serve", false, "afterwards keep the live page up, over a host that goes down and comes back, until ctrl-C")
	allowLive := flags.Bool("allow-live", false, "accept a live Stripe key, which creates a customer and a payment intent in your account")
	_ = flags.Parse(args) // it exits, and says why
	m, err := chooseMode(getenv, *allowLive)
	if err != nil {
		return err
	}
	t := newTour(out, m)
	defer t.close()

	t.step(1, m.String())
	for _, s := range steps {
		t.step(s.number, s.title)
		if err := s.run(t, ctx); err != nil {
			return fmt.Errorf("step %d: %w", s.number, err)
		}
	}
	if err := t.summary(); err != nil || !*serve {
		return err
	}
	return t.live(ctx)
}

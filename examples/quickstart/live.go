package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// How long the host of the live page is up, and how long down.
const (
	upFor   = 12 * time.Second
	downFor = 6 * time.Second
)

// live keeps the page up, and calls a host that goes down and comes back: the page
// goes red and green. It ends with ctx.
func (t *tour) live(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	page := &http.Server{Handler: t.seen.Page(), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- page.Serve(l) }()
	defer func() { _ = page.Close() }()

	t.step(9, "what goes on")
	t.sayf("live page: http://%s/ (ctrl-C ends it)", l.Addr())
	t.sayf("next: go doc github.com/aplomb-go/aplomb")
	t.sayf("      go run ./examples/monitoring")
	t.sayf("      go test work")

	host := aplombtest.NewScript(http.HandlerFunc(inventory))
	c, err := aplomb.New(t.serve(host), t.options(), aplomb.Name("warehouse"))
	if err != nil {
		return err
	}
	if err := t.seen.Explain(c); err != nil {
		return err
	}
	go t.shake(ctx, host)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-done:
			return fmt.Errorf("the live page: %w", err)
		case <-tick.C:
			go func() { // a call that waits is to be seen, and holds up no other
				if _, err := aplomb.Get[stock](ctx, c, "/v1/stock"); err != nil && !errors.Is(err, context.Canceled) {
					t.note(err)
				}
			}()
		}
	}
}

// shake takes the host down and up again, until ctx is over.
func (t *tour) shake(ctx context.Context, host *aplombtest.Script) {
	for {
		if sleepUntil(ctx, time.Now().Add(upFor)) != nil {
			return
		}
		host.Always(aplombtest.Status(http.StatusServiceUnavailable))
		if sleepUntil(ctx, time.Now().Add(downFor)) != nil {
			return
		}
		host.Heal()
	}
}

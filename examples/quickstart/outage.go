package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// stock is what the inventory answers.
type stock struct {
	Mugs int `json:"mugs"`
}

func inventory(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"mugs":7}`)
}

// outage calls a host that resets every connection. After 20 failures the
// breaker opens: callers get their error at once and the host is left in peace.
// When its time is up one probe goes out, and the circuit closes.
func (t *tour) outage(ctx context.Context) error {
	host := aplombtest.NewScript(http.HandlerFunc(inventory)).Always(aplombtest.Reset())
	probes := 0
	c, err := aplomb.New(t.serve(host), t.options(),
		aplomb.Name("inventory"), aplomb.NoRetry(), aplomb.Breaker{OpenFor: 1500 * time.Millisecond},
		aplomb.Hooks{AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
			if e.Probe {
				probes++
			}
		}})
	if err != nil {
		return err
	}
	ask := func() error {
		_, err := aplomb.Get[stock](ctx, c, "/v1/stock")
		return err
	}

	for range 20 { // the breaker judges no fewer attempts
		err := ask()
		if err == nil || errors.Is(err, aplomb.ErrCircuitOpen) {
			return fmt.Errorf("want a broken connection, got %w", err)
		}
		t.note(err)
	}
	reached, failedFast := host.Requests(), 0
	var ready time.Time
	for range 200 {
		err := ask()
		if e, ok := errors.AsType[*aplomb.CallError](err); ok && errors.Is(err, aplomb.ErrCircuitOpen) {
			failedFast, ready = failedFast+1, e.ReadyAt
			t.note(err)
		}
	}
	reached = host.Requests() - reached
	t.sayf("host down → breaker open; %d calls failed fast, %d reached the host", failedFast, reached)

	host.Heal()
	if err := sleepUntil(ctx, ready); err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	t.sayf("host up → %s → closed", count(probes, "probe", "probes"))
	t.report.promise("calls_failed_fast", failedFast, 200)
	t.report.promise("calls_that_reached_the_host", reached, 0)
	t.report.promise("breaker_probes", probes, 1)
	return nil
}

func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

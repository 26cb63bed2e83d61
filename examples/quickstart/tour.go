package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/monitor"
	"github.com/aplomb-go/aplomb/stripe"
)

// tour is what the steps share.
type tour struct {
	mode   mode
	out    *transcript
	seen   *monitor.Monitor
	logger *slog.Logger // debug lines of every step, kept but not shown
	report report
	closes []func()

	// Left by step 2 for step 3.
	stripe   *stripe.Client
	customer string
	shop     *aplombtest.Stripe // the fake behind stripe, nil when it is the real one
}

func newTour(out io.Writer, m mode) *tour {
	seen, err := monitor.New(monitor.Settings{})
	if err != nil {
		panic(err) // its settings are our own
	}
	t := &tour{mode: m, out: newTranscript(out), seen: seen}
	t.logger = slog.New(slog.NewTextHandler(t.out.aside(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.out.plant(m.stripeKey, m.githubToken)
	return t
}

// serve starts a server on this machine and returns its address.
func (t *tour) serve(h http.Handler) string {
	srv := httptest.NewServer(h)
	t.closes = append(t.closes, srv.Close)
	return srv.URL
}

// options are those of each client: short waits, and everything on record and on
// the live page.
func (t *tour) options() aplomb.Option {
	return aplomb.Options(aplomb.Logging{Logger: t.logger, Bodies: true}, aplomb.Retry{MinBackoff: shortBackoff}, t.seen.Option())
}

func (t *tour) close() {
	for _, f := range t.closes {
		f()
	}
}

func (t *tour) step(number int, title string) { fmt.Fprintf(t.out, "%d. %s\n", number, title) }

func (t *tour) sayf(format string, args ...any) { fmt.Fprintf(t.out, "   "+format+"\n", args...) }

// note keeps an error that was meant to happen, as a program would log it, for
// the search for secrets.
func (t *tour) note(err error) { fmt.Fprintf(t.out.aside(), "%v\n%+v\n%#v\n", err, err, err) }

// count is "1 page" or "2 pages".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

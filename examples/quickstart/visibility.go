package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/stripe"
)

// visibility shows what a program's operators see: a server that announces its
// end, and one payment as the debug log has it and as the hooks count it.
func (t *tour) visibility(ctx context.Context) error {
	if err := t.sunset(ctx); err != nil {
		return err
	}
	return t.debugPair(ctx)
}

// sunset makes five calls to two operations that will go away: two warnings.
func (t *tour) sunset(ctx context.Context) error {
	old := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Deprecation", "@1767225600") // RFC 9745
		w.Header().Set("Sunset", "Sun, 30 Jun 2030 00:00:00 GMT")
		inventory(w, r)
	}
	warnings := 0
	lines := slog.NewTextHandler(indented{t.out}, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime})
	c, err := aplomb.New(t.serve(http.HandlerFunc(old)), t.options(),
		aplomb.Name("inventory"), aplomb.Logging{Logger: slog.New(lines)},
		aplomb.Hooks{Deprecated: func(context.Context, aplomb.DeprecationEvent) { warnings++ }})
	if err != nil {
		return err
	}
	for _, path := range []string{"/v1/stock", "/v1/stock", "/v1/mugs", "/v1/stock", "/v1/mugs"} {
		if _, err := aplomb.Get[stock](ctx, c, path); err != nil {
			return err
		}
	}
	t.sayf("Sunset: 5 calls to 2 operations → %s", count(warnings, "warning", "warnings"))
	t.report.promise("sunset_warnings", warnings, 2)
	return nil
}

// debugPair makes a payment that is full of what must not be logged.
func (t *tour) debugPair(ctx context.Context) error {
	const card, cookie, password = "4242 4242 4242 4242", "session=quickstart-session", "quickstart-password"
	t.out.plant(fakeStripeKey, card, cookie, password)

	t.sayf("the debug log of a payment with a key, a cookie, a password and a card number in it:")
	var last aplomb.AttemptEvent
	lines := slog.New(slog.NewMultiHandler(t.logger.Handler(), pair{t.out}))
	sc, err := stripe.NewAt(t.serve(aplombtest.NewStripe()), aplomb.Static(fakeStripeKey), t.options(),
		aplomb.Logging{Logger: lines, Bodies: true}, aplomb.Hooks{AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { last = e }})
	if err != nil {
		return err
	}
	p, err := sc.PaymentIntents.Create(ctx, stripe.PaymentIntentCreateParams{
		Amount: 2500, Currency: "usd", PaymentMethod: "pm_card_visa", Confirm: true,
		Description: "by phone, card " + card,
		Metadata:    map[string]string{"password": password},
		Extra:       url.Values{"payment_method_data[card][number]": {card}},
	}, aplomb.Header("Cookie", cookie))
	if err != nil {
		return err
	}
	t.out.plant(p.ClientSecret.Reveal())
	// What a metric would count, but for the time: it is another one on each run.
	t.sayf("hooks: %s %s, attempt %d, status %d, outcome %s", last.Client, last.Operation, last.Number, last.Status, last.Verdict.Outcome)
	return nil
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// indented puts log lines in line with the steps' text.
type indented struct{ out *transcript }

func (i indented) Write(line []byte) (int, error) {
	_, err := fmt.Fprintf(i.out, "   %s", line)
	return len(line), err
}

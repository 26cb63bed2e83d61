package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// events has two events come in, one by webhook, again by webhook and by poll, the
// other by poll alone: each is handled once. Then it sends what nobody has signed,
// and what was signed too long ago. The inbox is in memory; a service has its own in
// SQLite or PostgreSQL, by inbox.OpenSQL.
func (t *tour) events(ctx context.Context) error {
	secret := "whsec_" + "made0up0for0the0tour"
	t.out.plant(secret)
	r, err := newReceiver(secret)
	if err != nil {
		return err
	}
	hooks := t.serve(r.hook)
	api, err := aplomb.New(t.serve(http.HandlerFunc(r.list)), t.options())
	if err != nil {
		return err
	}
	scheme := webhook.Stripe(webhook.Static(secret))
	var answers []int
	for _, signed := range []struct {
		by  webhook.Scheme
		ago time.Duration
	}{{scheme, 0}, {scheme, 0}, {webhook.Stripe(webhook.Static("whsec_" + "somebody0else")), 0}, {scheme, 10 * time.Minute}} {
		status, err := deliver(ctx, hooks, signed.by, paid, time.Now().Add(-signed.ago))
		if err != nil {
			return err
		}
		answers = append(answers, status)
	}
	if err := r.run(ctx, api); err != nil {
		return err
	}
	t.sayf("one event by webhook, by webhook again and by poll → handled %s", count(r.handled[paid], "time", "times"))
	t.sayf("one whose webhook was lost → found by poll, handled %s", count(r.handled[refunded], "time", "times"))
	t.sayf("a bad signature → %d, an old timestamp → %d", answers[2], answers[3])
	t.report.promise("events_handled", len(r.handled), 2)
	t.report.promise("handled_twice", r.handled[paid]+r.handled[refunded]-len(r.handled), 0)
	t.report.promise("webhooks_acknowledged", fmt.Sprint(answers[0], answers[1]), "200 200")
	t.report.promise("bad_signature", answers[2], http.StatusUnauthorized)
	t.report.promise("old_timestamp", answers[3], http.StatusUnauthorized)
	return nil
}

// The ids of the events.
const (
	paid     = "evt_paid"
	refunded = "evt_refunded"
)

// event is what both the webhook and the list show.
func event(id string) string { return fmt.Sprintf(`{"id":%q,"type":"charge.updated"}`, id) }

// receiver takes events in and handles them.
type receiver struct {
	store *inbox.Memory
	box   *inbox.Inbox
	hook  *webhook.Handler

	mu      sync.Mutex
	handled map[string]int
	all     chan struct{} // closed when there is nothing more to come
}

func newReceiver(secret string) (*receiver, error) {
	r := &receiver{store: inbox.NewMemory(), handled: map[string]int{}, all: make(chan struct{})}
	var err error
	r.box, err = inbox.New(r.store, r.handle, inbox.Settings{})
	r.hook = &webhook.Handler{Source: "shop", Scheme: webhook.Stripe(webhook.Static(secret)), Sink: r.box}
	return r, err
}

func (r *receiver) handle(_ context.Context, e *inbox.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handled[e.Key]++; r.handled[refunded] == 1 && r.handled[paid] == 1 {
		close(r.all)
	}
	return nil
}

// run polls, and handles what there is.
func (r *receiver) run(ctx context.Context, api *aplomb.Client) error {
	type listed struct{ ID, Type string }
	feed := &poll.Feed[listed]{
		Client: api, Path: "/v1/events", By: aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"},
		Key:  func(e listed) string { return e.ID },
		Type: func(e listed) string { return e.Type },
		Pace: poll.Pace{Every: shortBackoff, Floor: shortBackoff}, Store: r.box, Source: "shop", Webhook: true, Grace: shortBackoff,
	}
	ctx, stop := context.WithTimeoutCause(ctx, time.Minute, errors.New("the events were not handled within a minute"))
	defer stop()
	var running sync.WaitGroup
	errs := make(chan error, 2)
	running.Go(func() { errs <- feed.Run(ctx) })
	running.Go(func() { errs <- r.box.Run(ctx) })
	var err error
	select {
	case <-r.all:
	case err = <-errs:
	}
	stop()
	running.Wait()
	return err
}

// list is the API's GET /v1/events, the newest first.
func (r *receiver) list(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"data":[%s,%s],"has_more":false}`, event(refunded), event(paid))
}

// deliver sends an event as its sender does, signed at a time, and returns the
// answer's status.
func deliver(ctx context.Context, url string, scheme webhook.Scheme, id string, at time.Time) (int, error) {
	body := event(id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if err := scheme.Sign(req, []byte(body), at); err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

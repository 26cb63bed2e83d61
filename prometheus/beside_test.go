package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}"))
		r := newRig(t)
		began := time.Now()
		fail := false
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), &aplomb.Tokens{
			Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
				if fail {
					return aplomb.Token{}, errors.New("the issuer is away")
				}
				return aplomb.Token{Value: aplomb.NewSecret("t0ken"), Expiry: time.Now().Add(time.Hour)}, nil
			},
			Watch: r.Tokens("acme"),
		})
		r.want("aplomb_token_refresh_total", map[string]float64{"client=acme,result=ok": 0, "client=acme,result=error": 0})
		r.want("aplomb_token_expiry_timestamp_seconds", nil)
		if err := get(c, "o_1"); err != nil {
			t.Fatal(err)
		}
		fail = true
		time.Sleep(58 * time.Minute)
		_ = get(c, "o_1") // fetches in the background, and fails
		synctest.Wait()
		r.want("aplomb_token_refresh_total", map[string]float64{"client=acme,result=ok": 1, "client=acme,result=error": 1})
		r.want("aplomb_token_expiry_timestamp_seconds", map[string]float64{"client=acme": float64(began.Unix() + 3600)})
	})
}

// A token that ends only when it is refused has no time to be warned of.
func TestTokensWithoutEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	watch := r.Tokens("acme")
	watch(aplomb.TokenEvent{Expiry: time.Unix(1000, 0)})
	watch(aplomb.TokenEvent{})
	r.want("aplomb_token_expiry_timestamp_seconds", nil)
	r.want("aplomb_token_refresh_total", map[string]float64{"client=acme,result=ok": 2, "client=acme,result=error": 0})
}

func TestWebhookAndInbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		box, err := inbox.New(inbox.NewMemory(), nil, inbox.Settings{Hooks: r.Inbox()})
		if err != nil {
			t.Fatal(err)
		}
		scheme := webhook.Stripe(webhook.Static("whsec_" + "test"))
		srv := aplombtest.NewServer(t, &webhook.Handler{Source: "stripe", Scheme: scheme, Sink: box, Hooks: r.Webhook()})
		deliver := func(scheme webhook.Scheme, id string) {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := scheme.Sign(req, []byte(`{"id":"`+id+`","type":"invoice.paid"}`), time.Now()); err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		deliver(scheme, "evt_1")
		deliver(scheme, "evt_1")
		deliver(scheme, "evt_2")
		deliver(webhook.Stripe(webhook.Static("a guess")), "evt_3")
		r.want("aplomb_webhook_events_total", map[string]float64{"result=stored": 2, "result=duplicate": 1, "result=refused_signature": 1})
		r.want("aplomb_dedupe_dropped_total", map[string]float64{"source=stripe": 1})

		r.Webhook().Handshake(context.Background(), webhook.HandshakeEvent{})
		r.want("aplomb_webhook_events_total", map[string]float64{
			"result=stored": 2, "result=duplicate": 1, "result=refused_signature": 1, "result=handshake": 1,
		})
	})
}

// How old what is known is: since the last good round began, while one fails too.
func TestPollLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var rounds atomic.Int32
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if rounds.Add(1); away.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			answer(200, `[{"id":"o_1"}]`).ServeHTTP(w, req)
		}))
		r := newRig(t)
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.NoRetry())
		ctx, cancel := context.WithCancel(context.Background())
		hooks, lease := r.Poll(), 0
		feed := &poll.Feed[order]{
			Client: c, Path: "/v1/orders", Key: func(o order) string { return o.ID }, Pace: poll.Pace{Every: time.Minute, Max: time.Minute},
			Store: inbox.NewMemory(), Source: "acme", Hooks: hooks,
		}
		feed.Hooks.Lease = func(ctx context.Context, e poll.LeaseEvent) { lease++; hooks.Lease(ctx, e) }
		r.want("aplomb_poll_lag_seconds", nil)
		done := make(chan error)
		go func() { done <- feed.Run(ctx) }()
		synctest.Wait()
		r.want("aplomb_poll_lag_seconds", map[string]float64{"": 0})
		lag := func(least, most float64) {
			t.Helper()
			if got, ok := r.series("aplomb_poll_lag_seconds")[""]; !ok || got < least || got > most {
				t.Errorf("%v s behind (%t), want %v to %v", got, ok, least, most)
			}
		}
		time.Sleep(30 * time.Second)
		lag(24, 30) // Run waits a little at first, and between rounds
		away.Store(true)
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if rounds.Load() < 2 {
			t.Error("no round has failed")
		}
		lag(69, 75)
		away.Store(false)
		time.Sleep(5 * time.Minute)
		lag(0, 67)
		cancel()
		<-done
		if lease < 2 {
			t.Errorf("%d changes of the lease, want that it was taken and given back", lease)
		}
		r.want("aplomb_poll_lag_seconds", nil)
	})
}

// Of several feeds the one furthest behind counts; one that never had a good round
// is behind since its first.
func TestPollLagOfSeveral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hooks := r.Poll()
		hooks.Polled(t.Context(), poll.PollEvent{Feed: "broken", Start: time.Now(), Err: errors.New("away")})
		time.Sleep(time.Minute)
		for i := range 150 { // of which there is room for 99
			hooks.Polled(t.Context(), poll.PollEvent{Feed: fmt.Sprint("good", i), Start: time.Now()})
		}
		hooks.Polled(t.Context(), poll.PollEvent{Feed: "broken", Start: time.Now(), Err: errors.New("away")})
		time.Sleep(time.Second)
		r.want("aplomb_poll_lag_seconds", map[string]float64{"": 61})
		hooks.Polled(t.Context(), poll.PollEvent{Feed: "broken", Start: time.Now()})
		r.want("aplomb_poll_lag_seconds", map[string]float64{"": 1})
		time.Sleep(time.Second)
		for _, feed := range []string{"broken", "good0"} {
			hooks.Polled(t.Context(), poll.PollEvent{Feed: feed, Start: time.Now()})
		}
		for i := range 98 {
			hooks.Polled(t.Context(), poll.PollEvent{Feed: fmt.Sprint("good", i+1), Start: time.Now()})
		}
		r.want("aplomb_poll_lag_seconds", map[string]float64{"": 0}) // the others were never there
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, answer(200, "{}", "Cache-Control", "max-age=60"))
		r := newRig(t)
		kept, err := cache.New(cache.NewMemory(1<<20), cache.Settings{Answered: r.Cache()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = kept.Close() }()
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()), aplomb.PerCall(kept.Middleware))
		for range 3 {
			if err := get(c, "o_1"); err != nil {
				t.Fatal(err)
			}
		}
		r.want("aplomb_cache_total", map[string]float64{"result=miss": 1, "result=hit": 2})
		r.want("aplomb_attempts_total", map[string]float64{
			"client=acme,reason=first": 1, "client=acme,reason=retry": 0, "client=acme,reason=hedge": 0, "client=acme,reason=redirect": 0,
			"client=acme,reason=probe": 0,
		})
	})
}

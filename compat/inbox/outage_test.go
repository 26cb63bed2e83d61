package inbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/compat/postgres"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/webhook"
)

// TestPostgreSQLOutage: while the server is frozen, or gone, webhooks are answered 503
// within their deadline, and what was acknowledged is there afterwards; then all goes
// on by itself.
func TestPostgreSQLOutage(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	db := server.Open("pgx", "outage")
	store := open(t, db, inbox.PostgreSQL)
	var mu sync.Mutex
	handled := map[string]int{}
	box, err := inbox.New(store, func(_ context.Context, e *inbox.Record) error {
		mu.Lock()
		defer mu.Unlock()
		handled[e.Key]++
		return nil
	}, inbox.Settings{Lease: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := box.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })

	scheme := webhook.Stripe(webhook.Static(hookSecret))
	hook := &webhook.Handler{Source: "stripe", Scheme: scheme, Sink: box, Deadline: 300 * time.Millisecond}
	var told []string // that they are durable
	n := 0
	insert := func() bool {
		n++
		key := fmt.Sprint("evt_", n)
		r := httptest.NewRequest(http.MethodPost, "/stripe", nil)
		if err := scheme.Sign(r, fmt.Appendf(nil, `{"id":%q,"type":"invoice.paid"}`, key), time.Now()); err != nil {
			t.Fatal(err)
		}
		began, w := time.Now(), httptest.NewRecorder()
		hook.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusOK:
			told = append(told, key)
		case w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "":
			t.Errorf("while the store is away the answer is %d, Retry-After %q; want 503 with one", w.Code, w.Header().Get("Retry-After"))
		case time.Since(began) > 5*time.Second:
			t.Errorf("a refusal took %v, and 300 ms are allowed", time.Since(began))
		}
		return w.Code == http.StatusOK
	}
	until := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); insert() != want; {
			if time.Now().After(deadline) {
				t.Fatalf("webhooks were not acknowledged: %v in 30 s", want)
			}
		}
	}
	for range 3 {
		until(true)
		server.Freeze()
		until(false)
		for range 3 {
			if insert() {
				t.Error("an insert succeeded while the server was frozen")
			}
		}
		server.Thaw()
		until(true)
		server.Kill()
		until(false)
		server.Start()
		until(true)
	}
	eventually(t, func() error {
		mu.Lock()
		defer mu.Unlock()
		for _, key := range told {
			if handled[key] == 0 {
				return fmt.Errorf("%s was acknowledged, and is not handled", key)
			}
		}
		return nil
	})
	t.Logf("%d of %d webhooks were acknowledged; all of them were handled", len(told), n)
}

// eventually waits for a condition of a real server, a minute at most.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

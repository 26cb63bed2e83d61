package inbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/compat/postgres"
	"github.com/aplomb-go/aplomb/inbox"
)

// TestPostgreSQLOutage: while the server is frozen, or gone, an insert fails within
// its deadline, and what was told to be durable is there afterwards; then all goes
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

	var told []string // that they are durable
	n := 0
	insert := func() bool {
		n++
		key := fmt.Sprint("evt_", n)
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := box.Insert(short, inbox.Event{Source: "s", Key: key, Via: inbox.Webhook, Body: []byte("{}")})
		if err == nil {
			told = append(told, key)
		} else if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a failing insert took %v, and 300 ms are allowed", took)
		}
		return err == nil
	}
	until := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); insert() != want; {
			if time.Now().After(deadline) {
				t.Fatalf("inserts did not become %v in 30 s", want)
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
				return fmt.Errorf("%s was told to be durable, and is not handled", key)
			}
		}
		return nil
	})
	t.Logf("%d of %d inserts were told to be durable; all of them were handled", len(told), n)
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

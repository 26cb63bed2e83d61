package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// An event that comes twice is handled once, and one that cannot be read is a dead
// letter at once. In a service the store is OpenSQL's.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	store := inbox.NewMemory()
	box, err := inbox.New(store, func(_ context.Context, e *inbox.Record) error {
		if string(e.Body) == "{" {
			return inbox.Permanent(errors.New("unexpected end of JSON"))
		}
		fmt.Println("handled", e.Key)
		return nil
	}, inbox.Settings{Hooks: inbox.Hooks{Handled: func(_ context.Context, e inbox.HandleEvent) {
		fmt.Println(e.Key, "is", e.Result)
		if e.Key == "evt_2" {
			stop()
		}
	}}, Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range []inbox.Event{
		{Source: "stripe", Key: "evt_1", Via: inbox.Webhook, Body: []byte(`{"id":"evt_1"}`)},
		{Source: "stripe", Key: "evt_1", Via: inbox.Poll, Body: []byte(`{"id": "evt_1"}`)},
		{Source: "stripe", Key: "evt_2", Via: inbox.Webhook, Body: []byte(`{`)},
	} {
		outcomes, err := box.Insert(ctx, e)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Key, "by", e.Via, "is", outcomes[0].Status)
	}
	if err := box.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// evt_1 by webhook is stored
	// evt_1 by poll is duplicate
	// evt_2 by webhook is stored
	// handled evt_1
	// evt_1 is done
	// evt_2 is dead
}

func ExampleRetryAfter() {
	closed := func(time.Time) bool { return true }
	handle := func(_ context.Context, e *inbox.Record) error {
		if closed(e.Received) {
			return inbox.RetryAfter(errors.New("the bank is closed"), 8*time.Hour)
		}
		return nil
	}
	fmt.Println(handle(context.Background(), &inbox.Record{}))
	// Output: the bank is closed
}

// What was buried while the handler had a bug is handled again once that is mended.
func ExampleArchive() {
	replay := func(ctx context.Context, store inbox.Store) error {
		dead := inbox.Query{Type: "invoice.paid", States: []inbox.State{inbox.StateDead}, ReceivedFrom: time.Now().Add(-24 * time.Hour)}
		letters, err := store.List(ctx, dead) // first look
		if err != nil || len(letters) == 0 {
			return err
		}
		_, err = store.Replay(ctx, dead, "release 1.2.3 reads the new tax field")
		return err
	}
	fmt.Println(replay(context.Background(), inbox.NewMemory()))
	// Output: <nil>
}

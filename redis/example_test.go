package redis_test

import (
	"context"
	"fmt"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	aplombredis "github.com/aplomb-go/aplomb/redis"
	"github.com/redis/go-redis/v9"
)

// All replicas of a service keep to 25 requests per second together.
func Example() {
	rdb := redis.NewClient(&redis.Options{Addr: "redis:6379", ContextTimeoutEnabled: true, MaxRetries: -1})
	defer func() { _ = rdb.Close() }()

	c, err := aplomb.New("https://api.acme.example",
		aplomb.RateLimit{PerSecond: 25, Burst: 50},
		aplomb.Fleet{Store: aplombredis.Store{Client: rdb}},
		aplomb.Hooks{Store: func(e aplomb.StoreEvent) { fmt.Println("the store is away:", e.Down) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name())
	// Output: api.acme.example
}

// Events are kept in a Redis that syncs what it writes, and handled by any process
// of the service.
func ExampleInbox() {
	rdb := redis.NewClient(&redis.Options{Addr: "redis:6379", ContextTimeoutEnabled: true, MaxRetries: -1})
	defer func() { _ = rdb.Close() }()

	box, err := inbox.New(&aplombredis.Inbox{Client: rdb}, func(_ context.Context, e *inbox.Record) error {
		fmt.Println("handle", e)
		return nil
	}, inbox.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, stop := context.WithCancel(context.Background())
	stop() // as the service ends; else Run handles events and webhook's handler inserts them
	fmt.Println(box.Run(ctx))
	// Output: <nil>
}

// Package redis lets the replicas of a service share one quota at somebody
// else's API, by way of Redis, and one inbox of events.
//
// # A fleet's quota
//
// An account may send 25 requests per second. One process that is told so keeps
// to it; the deployment then grows to twelve replicas, each told 25, and the API
// answers 429 from lunchtime on. To tell each of them 2 wastes what the idle
// ones leave, and is wrong again with the next autoscaling. With a [Store] the
// twelve take their places in one schedule, and a 429 that one of them gets
// stops all:
//
//	rdb := redis.NewClient(&redis.Options{Addr: "redis:6379", ContextTimeoutEnabled: true, MaxRetries: -1})
//	c, err := aplomb.New("https://api.acme.example",
//		aplomb.RateLimit{PerSecond: 25, Burst: 50},
//		aplomb.Fleet{Store: aplombredis.Store{Client: rdb}})
//
// where redis is github.com/redis/go-redis/v9 and aplombredis is this package.
//
// A place costs one round trip, in which one script runs. It counts by Redis'
// clock in microseconds, so the replicas' clocks need not agree.
//
// # When Redis is away
//
// No call fails for that (see [aplomb.Fleet]): each replica goes on within its
// own limits. What no longer holds until Redis is back is the sum. N replicas
// may together send up to N times the rate; a 429 stops only the one that got
// it, though each still obeys its own; a breaker that trips warns nobody. What
// a call can lose to it is the fleet's Timeout, 25 ms unless set, when Redis goes
// and when it is tried again. A Redis that starts again without its data, or a
// failover that loses the last writes, begins the schedule anew, so one more
// burst may go out.
//
// # The client
//
// Set ContextTimeoutEnabled: without it go-redis waits for a Redis that hangs
// for its ReadTimeout, 5 s unless set, whatever the context says. No call waits
// for that, but goroutines do. Retries are of no use within the fleet's timeout,
// and one whose first try did arrive takes a second place: hence MaxRetries -1.
//
// For a Store, Redis 5 or later and Valkey will do, alone, with Sentinel or as a cluster,
// where each key lives in one slot. The user needs the commands EVAL, EVALSHA,
// TIME, HMGET, HSET, PTTL and PEXPIRE on keys that begin with the store's
// prefix. Evict no such keys if you can (maxmemory-policy volatile-ttl takes
// the least valuable first): an evicted key forgets its closing.
//
// # An inbox
//
// An [Inbox] is the store of a package inbox for those who run a Redis already and
// want no database for their webhooks:
//
//	box, err := inbox.New(&aplombredis.Inbox{Client: rdb}, handle, inbox.Settings{})
//
// It promises what every inbox.Store does, and aplombtest.TestInbox holds it to
// that. What was answered for has to outlive the server, so it takes only a server
// that syncs each write (appendonly yes, appendfsync always) and evicts nothing,
// and asks again every minute. Writers at the same time share a sync.
//
// What a sync cannot do: where a replica takes over from a master whose disk is
// gone, what had not reached the replica is gone as well, for Redis replicates
// after it has answered. Where that must not be, use PostgreSQL ([inbox.OpenSQL]).
//
// Each step is one script, so it happens as a whole or not at all, also in the
// file that the server reads when it starts again. The script runs in the slot of
// one server: an inbox is on one server of a cluster, and a second inbox with
// another Prefix may be on another. The user needs EVAL, EVALSHA, CONFIG GET and
// the commands in the scripts on keys that begin with the prefix in braces.
//
// All is in memory: some 3 KB for an event of 1 KB, until it is purged. A server
// with a maxmemory answers [inbox.ErrFull] at that, and what waits is still handled
// and purged.
//
// # Why no stream
//
// A Redis stream with a consumer group hands out events too, and is the usual
// choice. It has one order, that of arrival. An inbox has events that wait until a
// time, that wait for an earlier one of their Order, that are due again when a
// lease runs out, and each of these would need sorted sets beside the stream, which
// would hold every event a second time. The sorted sets alone do it: an Order's
// first event stands in its source's set under the time it is due, a leased one
// under the time its lease runs out, and a claim reads the beginning of each.
package redis

// Package redis lets the replicas of a service share one quota at somebody
// else's API, by way of Redis.
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
// Redis 5 or later and Valkey will do, alone, with Sentinel or as a cluster,
// where each key lives in one slot. The user needs the commands EVAL, EVALSHA,
// TIME, HMGET, HSET, PTTL and PEXPIRE on keys that begin with the store's
// prefix. Evict no such keys if you can (maxmemory-policy volatile-ttl takes
// the least valuable first): an evicted key forgets its closing.
package redis

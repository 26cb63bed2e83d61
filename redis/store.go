package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/redis/go-redis/v9"
)

// Store is an [aplomb.Store] in Redis 5 or later, or Valkey. Each key is one
// hash, so that all of a key's records are in one slot of a cluster, and
// expires when it no longer matters.
//
// Its errors are go-redis' own.
type Store struct {
	// Client runs the scripts: a *redis.Client, *redis.ClusterClient,
	// *redis.Ring or any redis.UniversalClient. Required.
	Client redis.Scripter
	// Prefix begins the names of the hashes. Default "aplomb:".
	Prefix string
}

var _ aplomb.Store = Store{}

// Take is [aplomb.Store.Take], in one round trip.
func (s Store) Take(ctx context.Context, key string, claim aplomb.Claim) (time.Duration, error) {
	return s.run(ctx, take, key, claim.Interval().Microseconds(), claim.Burst, bit(claim.Learned),
		max(0, claim.MaxWait.Microseconds()), aplomb.LearnedFor.Microseconds())
}

// Close is [aplomb.Store.Close].
func (s Store) Close(ctx context.Context, key string, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	// Rounded up, so that a closing below a microsecond is one.
	_, err := s.run(ctx, shut, key, (min(d, aplomb.MaxClosing) + time.Microsecond - 1).Microseconds())
	return err
}

// Closed is [aplomb.Store.Closed].
func (s Store) Closed(ctx context.Context, key string) (time.Duration, error) {
	return s.run(ctx, shut, key, 0)
}

// run runs a script, which answers with microseconds. EVALSHA comes first, and
// EVAL where Redis has forgotten the script, as it does when it starts again.
func (s Store) run(ctx context.Context, script *redis.Script, key string, args ...any) (time.Duration, error) {
	if s.Client == nil {
		return 0, errors.New("redis: Store.Client is nil")
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	prefix := s.Prefix
	if prefix == "" {
		prefix = "aplomb:"
	}
	micros, err := script.Run(ctx, s.Client, []string{prefix + key}, args...).Int64()
	switch {
	case err != nil:
		return 0, err
	case micros < 0 || micros > math.MaxInt64/1000:
		return 0, fmt.Errorf("redis: a script answered with %s microseconds", strconv.FormatInt(micros, 10))
	}
	return time.Duration(micros) * time.Microsecond, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

package redis

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// askedFor is how long a server that was durable is taken to be: its settings can
// be changed while it runs, and another server can take its place.
const askedFor = time.Minute

// durable reports why what the server answers for may be lost.
func (b *Inbox) durable(ctx context.Context, prefix string) error {
	if b.AssumeDurable {
		return nil
	}
	b.mu.Lock()
	fresh := !b.asked.IsZero() && time.Since(b.asked) < askedFor
	b.mu.Unlock()
	if fresh {
		return nil
	}
	set, err := b.settings(ctx, prefix)
	switch {
	case redis.HasErrorPrefix(err, "NOPERM"), redis.HasErrorPrefix(err, "ERR"):
		return fmt.Errorf("redis: the server does not say whether it is durable: %w: allow CONFIG GET, or set Inbox.AssumeDurable if it keeps what it answered for", err)
	case err != nil:
		return err
	}
	if err := lossy(set); err != nil {
		return err
	}
	b.mu.Lock()
	b.asked = time.Now()
	b.mu.Unlock()
	return nil
}

// settings are those of the server that has the inbox's slot.
func (b *Inbox) settings(ctx context.Context, prefix string) (map[string]string, error) {
	var server redis.Cmdable = b.Client
	if c, is := b.Client.(*redis.ClusterClient); is {
		master, err := c.MasterForKey(ctx, prefix)
		if err != nil {
			return nil, err
		}
		server = master
	}
	set, err := server.ConfigGet(ctx, "*append*").Result()
	if err != nil {
		return nil, err
	}
	memory, err := server.ConfigGet(ctx, "maxmemory*").Result()
	if err != nil {
		return nil, err
	}
	maps.Copy(set, memory)
	return set, nil
}

// lossy says what of a server's settings loses events.
func lossy(set map[string]string) error {
	for _, want := range []struct{ name, value, why string }{
		{"appendonly", "yes", "it keeps nothing when it ends"},
		{"appendfsync", "always", "it answers before its disk has what it wrote"},
		{"no-appendfsync-on-rewrite", "no", "it does not sync while it rewrites its file"},
	} {
		if got := set[want.name]; got != want.value {
			return fmt.Errorf("redis: the server may lose events, for %s: its %s is %q and must be %q (CONFIG SET %[2]s %[4]s, and the same in redis.conf)",
				want.why, want.name, got, want.value)
		}
	}
	if policy := set["maxmemory-policy"]; strings.HasPrefix(policy, "allkeys") && set["maxmemory"] != "0" {
		return fmt.Errorf("redis: the server may lose events, for it evicts keys when its memory is full: its maxmemory-policy is %q and must be noeviction (CONFIG SET maxmemory-policy noeviction, and the same in redis.conf)", policy)
	}
	return nil
}

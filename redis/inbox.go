package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/redis/go-redis/v9"
)

// Inbox is an [inbox.Store] in Redis 7 or later, or Valkey, of any number of
// processes. It needs a server that syncs what it writes before it answers:
//
//	appendonly yes
//	appendfsync always
//	maxmemory-policy noeviction
//
// and asks for that once a minute: where it is not so, every method fails and says
// how to mend it. Times are counted by the server's clock, in microseconds.
//
// [inbox.Store.List], Replay, Discard and Purge take a thousand records at a time,
// so that nobody waits long for them: each step is atomic, and one that fails may
// have had others before it.
//
// Its errors are go-redis' own, but for [inbox.ErrFull] where the server has no
// memory left: what it holds can be handled and purged then.
type Inbox struct {
	// Client runs the scripts: a *redis.Client or *redis.ClusterClient with
	// ContextTimeoutEnabled, best without retries (MaxRetries -1). Required.
	Client redis.UniversalClient
	// Prefix begins the names of the keys, in braces, so that a cluster keeps all
	// keys of an inbox in one slot. Default "aplomb:inbox".
	Prefix string
	// AssumeDurable has the server not be asked whether it is durable: for a
	// service that forbids CONFIG GET and keeps what it answered for nevertheless.
	// What it loses is lost.
	AssumeDurable bool

	mu    sync.Mutex
	asked time.Time // when the server was durable
}

var _ inbox.Store = (*Inbox)(nil)

// Insert is [inbox.Sink.Insert], in one round trip.
func (b *Inbox) Insert(ctx context.Context, events ...inbox.Event) ([]inbox.Outcome, error) {
	return b.insert(ctx, "", 0, "", events)
}

// insert inserts events, and moves a cursor if it has a name.
func (b *Inbox) insert(ctx context.Context, cursor string, fence int64, value string, events []inbox.Event) ([]inbox.Outcome, error) {
	args := []any{cursor, fence, value}
	for i := range events {
		if err := events[i].Check(); err != nil {
			return nil, err
		}
		args = appendEvent(args, &events[i])
	}
	answer, err := b.run(ctx, scripts.insert, args...)
	if err != nil {
		return nil, err
	}
	if len(answer) == 1 {
		return nil, inbox.ErrLost
	}
	out := make([]inbox.Outcome, len(events))
	if len(answer) != 3*len(events) {
		return nil, errAnswer
	}
	for i := range out {
		a := answer[3*i:]
		out[i] = inbox.Outcome{Status: inbox.Status(text(a[0])), Seq: number(a[1]), Via: inbox.Via(text(a[2]))}
	}
	return out, nil
}

var errAnswer = errors.New("redis: a script answered with what it never does: does another version of this package write there?")

// run runs a script, whose only key is the prefix of all.
func (b *Inbox) run(ctx context.Context, script *redis.Script, args ...any) ([]any, error) {
	prefix, err := b.prefix()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.durable(ctx, prefix); err != nil {
		return nil, err
	}
	answer, err := script.Run(ctx, b.Client, []string{prefix}, args...).Slice()
	if err != nil && strings.HasPrefix(err.Error(), "OOM") {
		return nil, fmt.Errorf("%w: redis has no memory left: %w", inbox.ErrFull, err)
	}
	return answer, err
}

// prefix is what all keys begin with, if the settings make sense.
func (b *Inbox) prefix() (string, error) {
	obeys := true
	switch c := b.Client.(type) {
	case nil:
		return "", errors.New("redis: Inbox.Client is nil")
	case *redis.Client:
		obeys = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		obeys = c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return "", errors.New("redis: Inbox.Client is a Ring, which forgets events when its servers change: give it a Client or a ClusterClient")
	}
	if !obeys {
		return "", errors.New("redis: Inbox.Client waits for a server that hangs whatever the context says: set ContextTimeoutEnabled in its options")
	}
	if strings.ContainsAny(b.Prefix, "{}") {
		return "", fmt.Errorf("redis: Inbox.Prefix %q holds a brace: leave them out, they are put around it", b.Prefix)
	}
	if b.Prefix == "" {
		return "{aplomb:inbox}:", nil
	}
	return "{" + b.Prefix + "}:", nil
}

package inbox_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestMain(m *testing.M) { os.Exit(assert.Main(m)) }

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// pause lets time pass.
func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// sleep is for handlers: pause cannot be called by several at once.
func sleep(d time.Duration) { time.Sleep(d) }

// rig is an inbox at work on a store in memory.
type rig struct {
	t     *testing.T
	store inbox.Store
	box   *inbox.Inbox
	stop  context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex
	log     []string // what happened, and when
	began   time.Time
	results []inbox.HandleEvent
	trouble []string
}

// start runs an inbox; the handler is called with the lock held by nobody.
func start(t *testing.T, store inbox.Store, s inbox.Settings, handler inbox.Handler) *rig {
	t.Helper()
	r := &rig{t: t, store: store, began: time.Now(), ended: make(chan struct{})}
	s.Hooks = inbox.Hooks{
		Handled: func(_ context.Context, e inbox.HandleEvent) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.results = append(r.results, e)
		},
		Trouble: func(_ context.Context, e inbox.TroubleEvent) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.trouble = append(r.trouble, e.Step)
		},
	}
	var err error
	r.box, err = inbox.New(store, handler, s)
	assert.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() {
		defer close(r.ended)
		assert.NoError(t, r.box.Run(ctx))
	}()
	t.Cleanup(r.end)
	return r
}

// end stops the inbox and waits for it.
func (r *rig) end() {
	r.stop()
	<-r.ended
}

// notef writes down that something happened.
func (r *rig) notef(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf("%v ", time.Since(r.began))+fmt.Sprintf(format, args...))
}

func (r *rig) notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// handled says what came of each attempt, in the order they ended.
func (r *rig) handled() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.results {
		out = append(out, fmt.Sprintf("%s %d %s", e.Key, e.Attempt, e.Result))
	}
	return out
}

func (r *rig) insert(events ...inbox.Event) {
	r.t.Helper()
	_, err := r.box.Insert(r.t.Context(), events...)
	assert.NoError(r.t, err)
}

// record is the only one with a key.
func (r *rig) record(key string) inbox.Record {
	r.t.Helper()
	found, err := r.store.List(r.t.Context(), inbox.Query{Key: key})
	assert.NoError(r.t, err)
	if len(found) != 1 {
		r.t.Fatalf("%d records with the key %s", len(found), key)
	}
	return found[0]
}

// event is one by webhook.
func event(key string) inbox.Event {
	return inbox.Event{Source: "acme", Key: key, Type: "order.paid", Via: inbox.Webhook, Body: []byte(key)}
}

// of is an event of an Order, at a second.
func of(order, key string, second int64) inbox.Event {
	e := event(key)
	e.Order, e.Occurred = order, time.Unix(second, 0)
	return e
}

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
	aplombredis "github.com/aplomb-go/aplomb/redis"
)

// A server that would lose what it answered for is refused, by name of the setting.
func TestInboxRefusesWhatLoses(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string][]string{
		"appendonly":                {"--appendonly", "no"},
		"appendfsync":               {"--appendonly", "yes", "--appendfsync", "everysec"},
		"no-appendfsync-on-rewrite": {"--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"},
		"maxmemory-policy":          {"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := startWith(t, settings...).client()
			s := &aplombredis.Inbox{Client: c}
			if _, err := s.Insert(t.Context(), event("a")); err == nil || !strings.Contains(err.Error(), "its "+want+" is ") {
				t.Errorf("Insert: %v; want an error that names %s", err, want)
			}
			if n := c.DBSize(t.Context()).Val(); n != 0 {
				t.Errorf("what was refused left %d keys", n)
			}
			assumed := &aplombredis.Inbox{Client: c, AssumeDurable: true}
			mustInsert(t, assumed, event("a"))
		})
	}
}

// Settings change while a server runs: it is asked again.
func TestInboxAsksAgain(t *testing.T) {
	t.Parallel()
	c := startWith(t, "--appendonly", "yes", "--appendfsync", "everysec").client()
	s := &aplombredis.Inbox{Client: c}
	sync := func(when string) {
		t.Helper()
		if err := c.ConfigSet(t.Context(), "appendfsync", when).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Insert(t.Context(), event("a")); err == nil {
		t.Error("Insert into what syncs once a second: want an error")
	}
	sync("always")
	mustInsert(t, s, event("a")) // at once
	sync("no")
	s.Ask()
	if _, err := s.Insert(t.Context(), event("b")); err == nil {
		t.Error("Insert, a minute after it no longer syncs: want an error")
	}
}

// A service that forbids CONFIG is taken only where that is said.
func TestInboxWithoutConfig(t *testing.T) {
	t.Parallel()
	srv := startDurable(t)
	c := srv.client()
	if err := c.Do(t.Context(), "ACL", "SETUSER", "default", "-config").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := (&aplombredis.Inbox{Client: c}).Insert(t.Context(), event("a")); err == nil || !strings.Contains(err.Error(), "AssumeDurable") {
		t.Errorf("Insert: %v; want an error that says what to set", err)
	}
	mustInsert(t, &aplombredis.Inbox{Client: c, AssumeDurable: true}, event("a"))
}

// The server is killed under load, again and again: what was acknowledged is there
// once, and what was done is not undone.
func TestLaw11_RedisKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	srv := startDurable(t)
	s := &aplombredis.Inbox{Client: srv.client()}
	const writers, kills = 8, 4
	var acknowledged sync.Map // key to Seq
	var count, settled atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprint(w, "-", i)
				if out, err := s.Insert(ctx, event(key)); err == nil {
					acknowledged.Store(key, out[0].Seq)
					count.Add(1)
				}
			}
		})
	}
	var done sync.Map // Seq
	group.Go(func() {
		for ctx.Err() == nil {
			records, _, err := s.Claim(ctx, inbox.Claim{Owner: "o", Limit: 3, Lease: time.Hour})
			for i := range records {
				held, failed := s.Settle(ctx, inbox.Settlement{Lease: records[i].Lease(), State: inbox.StateDone})
				if failed == nil && held[0] {
					done.Store(records[i].Seq, true)
					settled.Add(1)
				}
			}
			_ = err // the server is killed
		}
	})
	for range kills {
		for target := count.Load() + 300; count.Load() < target; {
			pause(t, ctx)
		}
		srv.kill()
		srv.start()
	}
	for target := count.Load() + 100; count.Load() < target; {
		pause(t, ctx)
	}
	stop()
	group.Wait()

	kept, doubled := map[string]int64{}, 0
	for _, r := range pointers(mustList(t, s, inbox.Query{Limit: 1 << 30})) {
		if kept[r.Key] != 0 {
			doubled++
		}
		kept[r.Key] = r.Seq
		if _, was := done.Load(r.Seq); was && r.State != inbox.StateDone {
			t.Errorf("record %d was done and is %s", r.Seq, r.State)
		}
	}
	lost := 0
	acknowledged.Range(func(key, seq any) bool {
		if kept[key.(string)] != seq.(int64) {
			lost++
		}
		return true
	})
	if lost != 0 || doubled != 0 || settled.Load() == 0 {
		t.Errorf("of %d acknowledged events %d are lost and %d are there twice; %d were done", count.Load(), lost, doubled, settled.Load())
	}
	t.Logf("%d acknowledged, %d kept, %d done, %d kills", count.Load(), len(kept), settled.Load(), kills)
}

func pointers(records []inbox.Record) (p []*inbox.Record) {
	for i := range records {
		p = append(p, &records[i])
	}
	return p
}

// pause waits a moment for what real programs do.
func pause(t testing.TB, ctx context.Context) {
	t.Helper()
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		t.Fatal("the test has ended")
	}
}

// A server that hangs keeps nobody longer than the context, and what was inserted
// meanwhile, and again later, is there once.
func TestInboxStall(t *testing.T) {
	t.Parallel()
	srv := startDurable(t)
	s := &aplombredis.Inbox{Client: srv.client()}
	mustInsert(t, s, event("a"))
	srv.signal(syscall.SIGSTOP)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		_, err := s.Insert(ctx, event("b"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("Insert while Redis hangs: %v, want a timeout", err)
		}
	}
	srv.signal(syscall.SIGCONT)
	mustInsert(t, s, event("b"))
	if got := mustList(t, s, inbox.Query{}); len(got) != 2 {
		t.Errorf("%d records after a stall, want 2", len(got))
	}
}

// Without a server everything is an error, and goes on when it is back.
func TestInboxWithoutServer(t *testing.T) {
	t.Parallel()
	srv := startDurable(t)
	s := &aplombredis.Inbox{Client: srv.client()}
	seq := mustInsert(t, s, event("a"))[0].Seq
	cursor, _, err := s.Hold(t.Context(), "feed", "o", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	srv.kill()
	_, insert := s.Insert(t.Context(), event("b"))
	_, _, claim := s.Claim(t.Context(), inbox.Claim{Owner: "o", Limit: 1, Lease: time.Minute})
	_, commit := s.Commit(t.Context(), "feed", cursor.Fence, "there")
	_, purge := s.Purge(t.Context(), inbox.Retention{Bodies: 1, Keys: 1})
	for what, err := range map[string]error{"Insert": insert, "Claim": claim, "Commit": commit, "Purge": purge} {
		if err == nil || errors.Is(err, inbox.ErrLost) || errors.Is(err, inbox.ErrFull) {
			t.Errorf("%s without a server: %v, want what the client says", what, err)
		}
	}
	srv.start()
	if out := mustInsert(t, s, event("a")); out[0] != (inbox.Outcome{Status: inbox.Duplicate, Seq: seq, Via: inbox.Webhook}) {
		t.Errorf("the event again, after a restart: %+v", out)
	}
	if c, held, err := s.Hold(t.Context(), "feed", "o", time.Minute); c != cursor || !held || err != nil {
		t.Errorf("the cursor after a restart: %+v, %v, %v", c, held, err)
	}
}

// Two processes on one server: the first ends in the middle of its work, the server
// does, too, and the second has all the rest handled, each Order as it occurred.
func TestInboxEndToEnd(t *testing.T) {
	t.Parallel()
	srv := startDurable(t)
	const orders, each = 5, 12
	first := process(t, srv, nil)
	for i := range each {
		for o := range orders {
			e := event(fmt.Sprintf("%d-%02d", o, i))
			e.Order, e.Occurred = fmt.Sprint("order ", o), time.Unix(int64(i), 0)
			if _, err := first.box.Insert(t.Context(), e, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	hangs := make(chan string, 1)
	first.handle = func(ctx context.Context, e *inbox.Record) error {
		if strings.HasSuffix(e.Key, "-04") {
			select {
			case hangs <- e.Key:
			default: // one is enough
			}
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	ended := first.run(t)
	stuck := <-hangs
	first.close() // as if it were killed: what it has leased stays so
	ended()
	srv.kill()
	srv.start()

	second := process(t, srv, nil)
	all := make(chan struct{})
	second.handle = func(_ context.Context, e *inbox.Record) error {
		if e.Key == stuck && (e.Attempts != 2 || len(e.History) != 1 || e.History[0].Owner != first.owner) {
			t.Errorf("what the first process left is %v with the history %+v", e, e.History)
		}
		return nil
	}
	second.handled = func(n int) {
		if n == orders*each {
			close(all)
		}
	}
	second.have(first.done())
	inboxPasser(t, srv.client())(time.Minute) // the first one's leases run out
	end := second.run(t)
	select {
	case <-all:
	case <-t.Context().Done():
		t.Error("not all events were handled")
	}
	end()
	got := append(first.done(), second.done()...)
	byOrder := map[string][]string{}
	for _, key := range got[:] {
		byOrder[key[:1]] = append(byOrder[key[:1]], key)
	}
	for o, keys := range byOrder {
		keys = slices.Compact(keys) // one may have been done when its process ended, and not settled
		if len(keys) != each || !slices.IsSorted(keys) {
			t.Errorf("order %s was handled as %q", o, keys)
		}
	}
	s := &aplombredis.Inbox{Client: srv.client()}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Pending() != 0 || stats.Dead != 0 {
		t.Errorf("after all was handled: %+v, %v", stats, err)
	}
}

// proc is an inbox as a process has it.
type proc struct {
	box     *inbox.Inbox
	owner   string
	close   func()
	handle  inbox.Handler
	handled func(n int)

	mu   sync.Mutex
	seen map[string]bool
	keys []string
}

func process(t testing.TB, srv *server, handled func(int)) *proc {
	t.Helper()
	c := srv.client()
	p := &proc{owner: fmt.Sprintf("process %p", c), handled: handled, seen: map[string]bool{}, close: func() { _ = c.Close() }}
	box, err := inbox.New(&aplombredis.Inbox{Client: c}, func(ctx context.Context, e *inbox.Record) error {
		err := p.handle(ctx, e)
		if err == nil {
			p.note(e.Key)
		}
		return err
	}, inbox.Settings{Owner: p.owner, Every: 5 * time.Millisecond, Drain: time.Millisecond, Workers: 8})
	if err != nil {
		t.Fatal(err)
	}
	p.box = box
	return p
}

func (p *proc) note(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, key)
	if !p.seen[key] {
		p.seen[key] = true
		if p.handled != nil {
			p.handled(len(p.seen))
		}
	}
}

// have says what another process has handled.
func (p *proc) have(keys []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		p.seen[k] = true
	}
}

func (p *proc) done() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.keys)
}

// run runs the inbox until the function it returns is called.
func (p *proc) run(t testing.TB) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := p.box.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return func() { cancel(); <-ended }
}

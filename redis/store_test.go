package redis_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	aplombredis "github.com/aplomb-go/aplomb/redis"
	"github.com/redis/go-redis/v9"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	aplombtest.TestStore(t, aplombredis.Store{Client: c}, passer(t, c), 2*time.Millisecond)
}

var minutely = aplomb.Claim{PerSecond: 1.0 / 60, Burst: 1, MaxWait: time.Hour}

func mustTake(t testing.TB, s aplomb.Store, key string) time.Duration {
	t.Helper()
	wait, err := s.Take(t.Context(), key, minutely)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// Replicas that each have a client of their own share one schedule.
func TestReplicasShareOneSchedule(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const replicas, each = 4, 50
	waits := make(chan time.Duration, replicas*each)
	claim := aplomb.Claim{PerSecond: 1.0 / 60, Burst: 1, MaxWait: 1000 * time.Hour}
	var wg sync.WaitGroup
	for range replicas {
		store := aplombredis.Store{Client: s.client()}
		wg.Go(func() {
			for range each {
				wait, err := store.Take(context.Background(), "k", claim)
				if err != nil {
					t.Error(err)
				}
				waits <- wait
			}
		})
	}
	wg.Wait()
	close(waits)
	var longest time.Duration
	for w := range waits {
		longest = max(longest, w)
	}
	// The last of 200 places is 199 minutes after the first, less what the test took.
	if longest > 199*time.Minute || longest < 198*time.Minute {
		t.Errorf("the longest wait is %v; 200 places at one per minute end after 199", longest)
	}
	if next, err := (aplombredis.Store{Client: s.client()}).Take(t.Context(), "k", claim); err != nil || next < longest {
		t.Errorf("the next wait is %v, %v; want more than %v: no place was lost", next, err, longest)
	}
}

// Prefixes keep services apart that use one Redis.
func TestPrefixesAreApart(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	a, b := aplombredis.Store{Client: c}, aplombredis.Store{Client: c, Prefix: "b:"}
	for _, s := range []aplomb.Store{a, b} {
		if wait := mustTake(t, s, "k"); wait != 0 {
			t.Errorf("the first place of its own: %v", wait)
		}
	}
	names, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(names) != 2 || !strings.Contains(strings.Join(names, " "), "aplomb:k") {
		t.Errorf("keys %v, %v; want aplomb:k and b:k", names, err)
	}
}

// Nothing lives for ever: each record has a time to live, no longer than it
// matters.
func TestEverythingExpires(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	s := aplombredis.Store{Client: c}
	take := func(key string, claim aplomb.Claim) {
		t.Helper()
		claim.MaxWait = time.Hour
		if _, err := s.Take(t.Context(), key, claim); err != nil {
			t.Fatal(err)
		}
	}
	take("told", aplomb.Claim{PerSecond: 10, Burst: 50})                  // 5 s to save up again
	take("learned", aplomb.Claim{PerSecond: 10, Burst: 1, Learned: true}) // 10 s
	take("slowest", aplomb.Claim{PerSecond: 1e-9, Burst: 1 << 40})
	take("nothing", aplomb.Claim{})
	take("both", aplomb.Claim{PerSecond: 1, Burst: 2 * 3600})
	for key, d := range map[string]time.Duration{"closed": time.Minute, "both": time.Second, "long": 100 * time.Hour} {
		if err := s.Close(t.Context(), key, d); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]struct{ least, most time.Duration }{
		"told": {time.Second, 6 * time.Second}, "learned": {7 * time.Second, 11 * time.Second},
		"slowest": {29 * 24 * time.Hour, 30 * 24 * time.Hour}, "nothing": {-2, -2},
		"closed": {time.Hour, 62 * time.Minute}, "both": {119 * time.Minute, 121 * time.Minute}, "long": {24 * time.Hour, 25*time.Hour + time.Second},
	} {
		ttl, err := c.PTTL(t.Context(), "aplomb:"+key).Result()
		if err != nil || ttl < want.least || ttl > want.most {
			t.Errorf("%s lives for %v, %v; want between %v and %v", key, ttl, err, want.least, want.most)
		}
	}
}

// However many rates are learned, few are kept.
func TestLearnedRatesAreBounded(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	s := aplombredis.Store{Client: c}
	claim := aplomb.Claim{Burst: 1, Learned: true}
	for i := range 100 {
		claim.PerSecond = float64(i + 1)
		if _, err := s.Take(t.Context(), "k", claim); err != nil {
			t.Fatal(err)
		}
	}
	learned := c.HGet(t.Context(), "aplomb:k", "learned").Val()
	if n := strings.Count(learned, ";"); n != 16 || !strings.HasPrefix(learned, "1000000:") {
		t.Errorf("%d rates are kept, %s; want 16, from one per second on", n, learned)
	}
}

// The server's clock goes back, as after a failover: no time has passed, and
// nothing waits until the clock has caught up.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	s := aplombredis.Store{Client: c}
	mustTake(t, s, "k")
	if err := s.Close(t.Context(), "shut", time.Minute); err != nil {
		t.Fatal(err)
	}
	passer(t, c)(-24 * time.Hour) // the records are from tomorrow
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute} {
		if wait := mustTake(t, s, "k"); wait > want || wait < want-20*time.Second {
			t.Errorf("place %d: a wait of %v, want %v", i+2, wait, want)
		}
	}
	if left, err := s.Closed(t.Context(), "shut"); err != nil || left == 0 || left > time.Minute {
		t.Errorf("closed for %v, %v; want the rest of a minute", left, err)
	}
	passer(t, c)(time.Minute)
	if left, err := s.Closed(t.Context(), "shut"); err != nil || left != 0 {
		t.Errorf("closed for %v, %v, a minute later", left, err)
	}
}

// Places keep their microseconds: Lua would write 14 digits, the clock has 16.
func TestPlacesAreExact(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	s := aplombredis.Store{Client: c}
	claim := aplomb.Claim{PerSecond: 0.3, Burst: 1, MaxWait: time.Hour}
	var last int64
	for i := range 20 {
		if _, err := s.Take(t.Context(), "k", claim); err != nil {
			t.Fatal(err)
		}
		at, err := strconv.ParseInt(c.HGet(t.Context(), "aplomb:k", "at").Val(), 10, 64)
		if err != nil || i > 0 && at-last != 3333334 {
			t.Fatalf("place %d is %d us after the one before, %v; want 3333334", i, at-last, err)
		}
		last = at
	}
}

// A Redis that starts again has forgotten the scripts and everything else.
func TestRestart(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := aplombredis.Store{Client: srv.client()}
	mustTake(t, s, "k")
	srv.kill()
	if _, err := s.Take(t.Context(), "k", minutely); err == nil {
		t.Error("Take without a server: want an error")
	}
	if err := s.Close(t.Context(), "k", time.Minute); err == nil {
		t.Error("Close without a server: want an error")
	}
	if _, err := s.Closed(t.Context(), "k"); err == nil {
		t.Error("Closed without a server: want an error")
	}
	srv.start()
	if wait := mustTake(t, s, "k"); wait != 0 {
		t.Errorf("the first place after the restart: a wait of %v", wait)
	}
	if wait := mustTake(t, s, "k"); wait == 0 || wait > time.Minute {
		t.Errorf("the second place after the restart: a wait of %v", wait)
	}
}

// SCRIPT FLUSH is what a restart with persistence amounts to.
func TestForgottenScripts(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	s := aplombredis.Store{Client: c}
	mustTake(t, s, "k")
	if err := c.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if wait := mustTake(t, s, "k"); wait == 0 || wait > time.Minute {
		t.Errorf("the second place: a wait of %v", wait)
	}
}

// A Redis that hangs keeps nobody longer than the context.
func TestStall(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := aplombredis.Store{Client: srv.client()}
	mustTake(t, s, "k")
	srv.signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
	defer cancel()
	_, err := s.Take(ctx, "k", minutely)
	srv.signal(syscall.SIGCONT)
	if !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("Take while Redis hangs: %v, want a timeout", err)
	}
	if wait := mustTake(t, s, "k"); wait == 0 || wait > 2*time.Minute {
		t.Errorf("a place when Redis goes on: a wait of %v", wait)
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// What somebody else keeps under the key is an error, and stays as it is.
func TestForeignValue(t *testing.T) {
	t.Parallel()
	c := startServer(t).client()
	s := aplombredis.Store{Client: c}
	if err := c.Set(t.Context(), "aplomb:k", "mine", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(t.Context(), "k", minutely); err == nil {
		t.Error("Take over a foreign value: want an error")
	}
	if got := c.Get(t.Context(), "aplomb:k").Val(); got != "mine" {
		t.Errorf("the foreign value is now %q", got)
	}
}

func TestNoClient(t *testing.T) {
	t.Parallel()
	if _, err := (aplombredis.Store{}).Take(t.Context(), "k", minutely); err == nil || !strings.Contains(err.Error(), "Store.Client") {
		t.Errorf("Take without a client: %v", err)
	}
}

// Cluster and Ring clients fit as well.
var (
	_ = aplombredis.Store{Client: (*redis.ClusterClient)(nil)}
	_ = aplombredis.Store{Client: (*redis.Ring)(nil)}
	_ = aplombredis.Store{Client: redis.UniversalClient(nil)}
)

package aplomb_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// bucket is a server that enforces a token bucket and says what dialect says.
// Each request travels for its way to five times that, there and back.
type bucket struct {
	perSecond, burst float64
	dialect          dialect
	way              time.Duration

	mu      sync.Mutex
	random  *rand.Rand
	tokens  float64
	at      time.Time
	start   time.Time
	good    map[int]int // by second since the start
	refused map[int]int
}

// A dialect says how a bucket stands: tokens left, time to the next and until
// it is full, and whether this is a refusal.
type dialect func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool)

func newBucket(perSecond, burst float64, d dialect) *bucket {
	return &bucket{
		perSecond: perSecond, burst: burst, dialect: d, way: time.Millisecond, random: rand.New(rand.NewPCG(1, 2)),
		tokens: burst, at: time.Now(), start: time.Now(), good: map[int]int{}, refused: map[int]int{},
	}
}

func (b *bucket) travel() {
	b.mu.Lock()
	d := b.way + time.Duration(b.random.Int64N(int64(4*b.way)))
	b.mu.Unlock()
	time.Sleep(d)
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.travel()
	defer b.travel()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(b.burst, b.tokens+b.perSecond*now.Sub(b.at).Seconds())
	b.at = now
	second := int(now.Sub(b.start) / time.Second)
	refused := b.tokens < 1-1e-9
	if refused {
		b.refused[second]++
	} else {
		b.good[second]++
		b.tokens--
	}
	next := time.Duration((1 - b.tokens) / b.perSecond * float64(time.Second))
	full := time.Duration((b.burst - b.tokens) / b.perSecond * float64(time.Second))
	b.dialect(w.Header(), b, int(b.tokens+1e-9), max(0, next), full, refused)
	if refused {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	ok(w, r)
}

// use is the share of the quota that was used from second from up to to, and
// the share of refusals among the answers.
func (b *bucket) use(from, to int) (used, refused float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var good, bad int
	for s := from; s < to; s++ {
		good += b.good[s]
		bad += b.refused[s]
	}
	return float64(good) / b.perSecond / float64(to-from), float64(bad) / float64(max(1, good+bad))
}

// count is how many were served in these seconds.
func (b *bucket) count(from, to int) (good int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := from; s < to; s++ {
		good += b.good[s]
	}
	return good
}

func ceil(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

func retryAfter(h http.Header, next time.Duration, refused bool) {
	if refused {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(next.Seconds())))))
	}
}

var dialects = map[string]dialect{
	"IETF": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%v;w=1`, b.perSecond))
		h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%s`, left, ceil(full)))
		retryAfter(h, next, refused)
	},
	"IETF, the bucket as the quota": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%v;w=1`, b.burst))
		h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%s`, left, ceil(full)))
		retryAfter(h, next, refused)
	},
	"draft 07": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("Ratelimit", fmt.Sprintf(`limit=%v, remaining=%d, reset=%s`, b.perSecond, left, ceil(full)))
		retryAfter(h, next, refused)
	},
	"delta": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("X-Ratelimit-Limit", fmt.Sprint(b.perSecond))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		h.Set("X-Ratelimit-Reset", ceil(full))
		retryAfter(h, next, refused)
	},
	"delta, the bucket as the limit": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("X-Ratelimit-Limit", fmt.Sprint(b.burst))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		h.Set("X-Ratelimit-Reset", ceil(full))
		retryAfter(h, next, refused)
	},
	"delta, the next second": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("X-Ratelimit-Limit", fmt.Sprint(b.perSecond))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		h.Set("X-Ratelimit-Reset", "1")
		retryAfter(h, next, refused)
	},
	"epoch on a skewed clock": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		skewed := time.Now().Add(-7 * time.Minute)
		h.Set("Date", skewed.UTC().Format(http.TimeFormat))
		h.Set("X-Ratelimit-Limit", fmt.Sprint(b.perSecond))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		h.Set("X-Ratelimit-Reset", strconv.FormatInt(skewed.Add(full).Unix()+1, 10))
		retryAfter(h, next, refused)
	},
	"several quotas": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("Ratelimit-Policy", fmt.Sprintf(`"second";q=%v;w=1, "day";q=1000000;w=86400`, b.perSecond))
		h.Set("Ratelimit", fmt.Sprintf(`"second";r=%d;t=%s, "day";r=%d;t=40000`, left, ceil(full), 500000))
		retryAfter(h, next, refused)
	},
	"remaining alone, no Retry-After": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
	},
	"Shopify": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		h.Set("X-Shopify-Shop-Api-Call-Limit", fmt.Sprintf("%d/%v", int(b.burst)-left, b.burst))
		retryAfter(h, next, refused)
	},
	"only Retry-After": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		retryAfter(h, next, refused)
	},
	"only retry-after-ms": func(h http.Header, b *bucket, left int, next, full time.Duration, refused bool) {
		if refused {
			h.Set("Retry-After-Ms", strconv.Itoa(int(next.Milliseconds())+1))
		}
	},
	"nothing": func(http.Header, *bucket, int, time.Duration, time.Duration, bool) {},
}

// work keeps so many workers busy against h, each with one call after the
// other, for so long.
func work(t *testing.T, h http.Handler, workers int, last time.Duration, opts ...aplomb.Option) {
	t.Helper()
	c := newClient(t, aplombtest.NewServer(t, h), opts...)
	ctx, cancel := context.WithTimeout(context.Background(), last)
	defer cancel()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				if _, err := aplomb.Get[order](ctx, c, "/x"); err != nil {
					time.Sleep(last / 10_000)
				}
			}
		})
	}
	group.Wait()
}

// Told nothing, 32 workers find a quota of 200 a second by what the server says
// of it, and use it with next to no refusals, from second 2 on.
func TestQuotaDiscovery(t *testing.T) {
	for name, d := range dialects {
		bubbleCase(t, name, func(t *testing.T) {
			last, least, most := 8, 0.95, 0.01
			if slices.Contains(refusalsOnly, name) {
				// Each refusal that says "1 second" costs one, and it takes two to
				// know a rate: the share is of a longer run.
				last, least, most = 30, 0.90, 0.02
			}
			b := newBucket(200, 10, d)
			work(t, b, 32, time.Duration(last)*time.Second)
			used, refused := b.use(1, last)
			t.Logf("%s: %.1f %% of the quota used, %.2f %% of the answers refused, seconds 2 to %d", name, 100*used, 100*refused, last)
			assert.True(t, used >= least && refused < most, used, refused)
		})
	}
}

var refusalsOnly = []string{"only Retry-After", "only retry-after-ms", "nothing"}

// Told the rate, it keeps to that; where it is a little too fast, too.
func TestQuotaTold(t *testing.T) {
	for name, told := range map[string]aplomb.RateLimit{
		"exactly":       {PerSecond: 200, Burst: 5},
		"a little more": {PerSecond: 220, Burst: 10},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			b := newBucket(200, 10, dialects["only Retry-After"])
			work(t, b, 32, 30*time.Second, told)
			used, refused := b.use(1, 30)
			t.Logf("%s: %.1f %% of the quota used, %.2f %% of the answers refused", name, 100*used, 100*refused)
			assert.True(t, used >= 0.85 && refused < 0.01, used, refused)
		})
	}
}

// Told the quota exactly, it uses it, near the server and further away, and is not
// refused: not even the burst at the start is one too many.
func TestQuotaToldExactly(t *testing.T) {
	near, far, further := 50*time.Microsecond, time.Millisecond, 10*time.Millisecond
	for name, ways := range map[string][]time.Duration{"only Retry-After": {near, far, further}, "delta": {near, far}} {
		for _, way := range ways {
			for seed := range uint64(4) {
				bubbleCase(t, fmt.Sprint(name, ", ", way, ", ", seed), func(t *testing.T) {
					b := newBucket(200, 10, dialects[name])
					b.way, b.random = way, rand.New(rand.NewPCG(seed, 3))
					work(t, b, 32, 8*time.Second, aplomb.RateLimit{PerSecond: 200, Burst: 10})
					used, _ := b.use(1, 8)
					_, refused := b.use(0, 8)
					t.Logf("%.1f %% of the quota used, %.2f %% of the answers refused", 100*used, 100*refused)
					assert.True(t, used >= 0.97 && refused < 0.001, used, refused)
				})
			}
		}
	}
}

// Where the burst is too much for the server it is refused once, and what then
// waits does not come back as a burst.
func TestQuotaToldWithoutItsBurst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBucket(200, 10, dialects["only Retry-After"])
		work(t, b, 32, 8*time.Second, aplomb.RateLimit{PerSecond: 200})
		used, refused := b.use(1, 8)
		t.Logf("%.1f %% of the quota used, %.2f %% of the answers refused", 100*used, 100*refused)
		assert.True(t, used >= 0.95 && refused < 0.01, used, refused)
	})
}

// Windows need no discovery, only restraint: at the start of each, at its end,
// and at the next one's start.
func TestQuotaDiscoveryOfWindows(t *testing.T) {
	for name, w := range map[string]*window{
		"by the hour, GitHub": {limit: 5000, length: time.Hour, state: gitHub},
		"by the minute, IETF": {limit: 600, length: time.Minute, state: statements["IETF fields"]},
		"by the second":       {limit: 200, length: time.Second, state: statements["delta"]},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			work(t, w, 32, 3*w.length)
			share := float64(w.served) / float64(3*w.limit)
			refused := float64(w.denied) / float64(w.served+w.denied)
			t.Logf("%s: %.1f %% of the quota used, %.2f %% of the answers refused", name, 100*share, 100*refused)
			assert.True(t, share >= 0.95 && refused < 0.01, share, refused)
		})
	}
}

func gitHub(h http.Header, limit, remaining int, reset time.Duration) {
	h.Set("X-Ratelimit-Resource", "core")
	h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	h.Set("X-Ratelimit-Used", strconv.Itoa(limit-remaining))
	statements["epoch on a skewed clock"](h, limit, remaining, reset)
}

// Clients that know nothing of each other share a quota by what it has left.
func TestQuotaDiscoveryByTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBucket(200, 10, dialects["delta"])
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { work(t, b, 16, 20*time.Second) })
		}
		both.Wait()
		synctest.Wait()               // for what the last calls set going
		used, refused := b.use(5, 20) // at first each takes the other's requests for refusals
		t.Logf("%.1f %% used, %.2f %% refused", 100*used, 100*refused)
		assert.True(t, used >= 0.7 && refused < 0.01, used, refused)
	})
}

// A quota that changes is found again.
func TestQuotaDiscoveryOfChanges(t *testing.T) {
	for name, least := range map[string]int{"delta": 1900, "nothing": 700} {
		bubbleCase(t, name, func(t *testing.T) {
			b := newBucket(200, 10, dialects[name])
			for second, rate := range map[int]float64{20: 50, 40: 200} {
				time.AfterFunc(time.Duration(second)*time.Second, func() {
					b.mu.Lock()
					defer b.mu.Unlock()
					b.perSecond = rate
				})
			}
			work(t, b, 32, 60*time.Second)
			slow, fast := b.count(25, 40), b.count(50, 60)
			t.Logf("%s: %d of 750 at the lower rate, %d of 2000 when it rose again", name, slow, fast)
			assert.True(t, slow > 600 && slow < 800 && fast > least, slow, fast)
		})
	}
}
